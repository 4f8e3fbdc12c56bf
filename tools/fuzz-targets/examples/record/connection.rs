//! A connection that returns what it reads as it came.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use truename_lab::{Lab, LabProfile};
use truename_resp::{Decoder, encode};

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection to one node.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// The certificates that the node presented, the leaf first.
    pub(crate) presented: Vec<CertificateDer<'static>>,
}

impl Connection {
    /// Connects, with TLS where the lab has it.
    pub(crate) async fn to(lab: &Lab, node: usize) -> Outcome<Self> {
        let tcp = TcpStream::connect(lab.node(node).socket_addr()).await?;
        let Some(pem) = lab.ca_pem() else {
            return Ok(Self { stream: Box::new(tcp), presented: Vec::new() });
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // The one name that the profile's certificates carry.
        let (name, _) = match lab.profile() {
            LabProfile::Aws | LabProfile::PerNodeCerts => lab.node(node).announced(),
            _ => lab.seed(),
        };
        let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name)?, tcp).await?;
        let presented = tls.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        Ok(Self { stream: Box::new(tls), presented })
    }

    /// Sends a command and returns its reply.
    pub(crate) async fn ask(&mut self, command: &[&str]) -> Outcome<Vec<u8>> {
        self.send(command).await?;
        let (mut decoder, mut unread, mut answer) = (Decoder::default(), BytesMut::new(), Vec::new());
        while decoder.decode(&mut unread)?.is_none() {
            let before = answer.len();
            self.read(&mut answer).await?;
            unread.extend_from_slice(&answer[before..]);
        }
        Ok(answer)
    }

    /// Sends commands and a `PING`, and returns all replies and pushes up to that of the `PING`, and what came with it.
    pub(crate) async fn converse(&mut self, commands: &[&[&str]]) -> Outcome<Vec<u8>> {
        for command in commands {
            self.send(command).await?;
        }
        self.send(&["PING"]).await?;
        let (pong, mut answer) = (b"+PONG\r\n", Vec::new());
        while !answer.windows(pong.len()).any(|part| part == pong) {
            self.read(&mut answer).await?;
        }
        Ok(answer)
    }

    async fn send(&mut self, command: &[&str]) -> Outcome<()> {
        let mut request = BytesMut::new();
        encode::put_command(&mut request, command.iter().map(|argument| argument.as_bytes()));
        self.stream.write_all(&request).await?;
        Ok(self.stream.flush().await?)
    }

    async fn read(&mut self, into: &mut Vec<u8>) -> Outcome<()> {
        match timeout(PATIENCE, self.stream.read_buf(into)).await?? {
            0 => Err("the connection ended".into()),
            _ => Ok(()),
        }
    }
}
