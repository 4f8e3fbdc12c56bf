//! The lab's own way to talk to its servers: one connection, one command at a time.
//!
//! Over TLS the peer must present, byte for byte, a certificate that this lab issued. That is stricter than a chain
//! and a name, and still holds where the certificate is faulty on purpose.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use truename_resp::{Decoder, Frame, Limits, Reply, encode};

use crate::LabError;
use crate::certificates::{Authority, Leaf};

/// How long a server may take to answer; a stopped one never does.
const DEADLINE: Duration = Duration::from_secs(5);

/// Opens admin connections to any node of one lab.
#[derive(Clone)]
pub(crate) struct Admin {
    tls: Option<TlsConnector>,
    /// `None` for the default user.
    user: Option<&'static str>,
    password: Option<Arc<str>>,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

impl Admin {
    pub(crate) fn plain(password: Option<&str>) -> Self {
        Self { tls: None, user: None, password: password.map(Arc::from) }
    }

    /// `client` is presented to servers that ask for a certificate.
    pub(crate) fn tls(
        authority: Arc<Authority>,
        client: &Leaf,
        password: Option<&str>,
    ) -> Result<Self, LabError> {
        let config = tls_config(authority, client)
            .map_err(|source| LabError::Certificate { names: "the admin client".to_owned(), source })?;
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))), ..Self::plain(password) })
    }

    /// Logs another user in, with the same password.
    pub(crate) const fn with_user(mut self, user: Option<&'static str>) -> Self {
        self.user = user;
        self
    }

    /// Connects and authenticates.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<AdminConnection, LabError> {
        let stream = timeout(DEADLINE, self.open(address))
            .await
            .map_err(|_| LabError::Timeout { address, command: "connect".to_owned(), after: DEADLINE })?
            .map_err(|source| LabError::Connection { address, source })?;
        let (decoder, input) = (Decoder::new(Limits::default()), BytesMut::new());
        let mut connection = AdminConnection { address, stream, decoder, input };
        if let Some(password) = &self.password {
            let login: Vec<&str> = ["AUTH"].into_iter().chain(self.user).chain([&**password]).collect();
            connection.expect(&login).await?;
        }
        Ok(connection)
    }

    /// A connection without a login.
    pub(crate) async fn open(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.connect(ServerName::from(address.ip()), tcp).await?),
            None => Box::new(tcp),
        })
    }

    /// One command on a connection of its own; error replies are returned as replies.
    pub(crate) async fn command(&self, address: SocketAddr, args: &[&str]) -> Result<Reply, LabError> {
        self.connect(address).await?.command(args).await
    }

    /// Like [`command`](Self::command), with an error reply turned into an error.
    pub(crate) async fn expect(&self, address: SocketAddr, args: &[&str]) -> Result<Reply, LabError> {
        self.connect(address).await?.expect(args).await
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// An authenticated connection to one node.
pub(crate) struct AdminConnection {
    address: SocketAddr,
    stream: Box<dyn Stream>,
    decoder: Decoder,
    input: BytesMut,
}

impl AdminConnection {
    /// Sends a command and waits for its reply. After an error the connection must not be used again.
    pub(crate) async fn command(&mut self, args: &[&str]) -> Result<Reply, LabError> {
        let address = self.address;
        timeout(DEADLINE, self.exchange(args))
            .await
            .map_err(|_| LabError::Timeout { address, command: describe(args), after: DEADLINE })?
            .map_err(|source| LabError::Connection { address, source })
    }

    /// Like [`command`](Self::command), with an error reply turned into an error.
    pub(crate) async fn expect(&mut self, args: &[&str]) -> Result<Reply, LabError> {
        let reply = self.command(args).await?;
        match reply.as_error() {
            Some(error) => Err(self.refused(args, error.message())),
            None => Ok(reply),
        }
    }

    /// Sends commands in one go; the first error reply is an error, once all have been answered.
    pub(crate) async fn expect_all(&mut self, commands: &[Vec<String>]) -> Result<Vec<Reply>, LabError> {
        let address = self.address;
        let mut replies = Vec::with_capacity(commands.len());
        let exchange = async {
            let mut output = BytesMut::new();
            for command in commands {
                encode::put_command(&mut output, command.iter().map(|arg| arg.as_bytes()));
            }
            self.stream.write_all(&output).await?;
            self.stream.flush().await?;
            for _ in commands {
                replies.push(self.reply().await?);
            }
            io::Result::Ok(())
        };
        timeout(DEADLINE, exchange)
            .await
            .map_err(|_| {
                let first = commands.first().map(|command| describe(&borrowed(command))).unwrap_or_default();
                LabError::Timeout { address, command: first, after: DEADLINE }
            })?
            .map_err(|source| LabError::Connection { address, source })?;
        for (command, reply) in commands.iter().zip(&replies) {
            if let Some(error) = reply.as_error() {
                return Err(self.refused(&borrowed(command), error.message()));
            }
        }
        Ok(replies)
    }

    /// The text of a reply that must be text.
    pub(crate) async fn text(&mut self, args: &[&str]) -> Result<String, LabError> {
        let reply = self.expect(args).await?;
        reply
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.refused(args, &format!("expected text, got {}", reply.kind())))
    }

    fn refused(&self, args: &[&str], message: &str) -> LabError {
        LabError::Refused { address: self.address, command: describe(args), message: message.to_owned() }
    }

    async fn exchange(&mut self, args: &[&str]) -> io::Result<Reply> {
        let mut output = BytesMut::new();
        encode::put_command(&mut output, args.iter().map(|arg| arg.as_bytes()));
        self.stream.write_all(&output).await?;
        self.stream.flush().await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            match self.decoder.decode(&mut self.input).map_err(io::Error::other)? {
                Some(Frame::Reply(reply)) => return Ok(reply),
                Some(Frame::Push(_)) => {}
                None => {
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the server closed the connection",
                        ));
                    }
                }
            }
        }
    }
}

impl fmt::Debug for AdminConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminConnection").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A command as the other methods take it.
pub(crate) fn borrowed(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// The first words of a command, for messages; never a password.
fn describe(args: &[&str]) -> String {
    let shown = match args.first() {
        Some(name) if name.eq_ignore_ascii_case("AUTH") || name.eq_ignore_ascii_case("MIGRATE") => 1,
        _ => 3,
    };
    args.iter().take(shown).copied().collect::<Vec<_>>().join(" ")
}

fn tls_config(
    authority: Arc<Authority>,
    client: &Leaf,
) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = IssuedHere { authority, provider: Arc::clone(&provider) };
    let chain = vec![CertificateDer::from_pem_slice(client.pem.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(client.key_pem.as_bytes())?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)?)
}

/// Accepts exactly the certificates the lab issued.
#[derive(Debug)]
struct IssuedHere {
    authority: Arc<Authority>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for IssuedHere {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.authority.has_issued(end_entity) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_never_show_a_password() {
        assert_eq!(describe(&["AUTH", "hunter2"]), "AUTH");
        assert_eq!(describe(&["MIGRATE", "127.0.0.1", "1", "", "0", "5", "AUTH", "hunter2"]), "MIGRATE");
        assert_eq!(describe(&["CLUSTER", "SETSLOT", "5", "NODE", "id"]), "CLUSTER SETSLOT 5");
    }
}
