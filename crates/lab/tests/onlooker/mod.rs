//! A TLS client that takes any certificate and tells what it was shown.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// One certificate, as read from what a server sent.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) common_name: String,
    pub(crate) issuer: String,
    /// Host names alone.
    pub(crate) names: Vec<String>,
    pub(crate) has_names: bool,
    /// Whether its key usage permits digital signatures.
    pub(crate) may_sign: bool,
    pub(crate) is_ca: bool,
    /// Unix seconds.
    pub(crate) not_before: i64,
}

impl Presented {
    fn read(der: &[u8]) -> Self {
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        let names = certificate.subject_alternative_name().unwrap();
        let usage = certificate.key_usage().unwrap().expect("a key usage");
        let dns = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        };
        Self {
            common_name: common_name(certificate.subject()),
            issuer: common_name(certificate.issuer()),
            has_names: names.is_some(),
            names: names
                .map(|names| names.value.general_names.iter().filter_map(dns).collect())
                .unwrap_or_default(),
            may_sign: usage.value.digital_signature(),
            is_ca: certificate.is_ca(),
            not_before: certificate.validity().not_before.timestamp(),
        }
    }
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

/// The chain that is sent at `address` to a client that asks for `name`, leaf first. Without a name it asks for none.
pub(crate) async fn presented(address: SocketAddr, name: Option<&str>) -> Result<Vec<Presented>, String> {
    presented_in(rustls::DEFAULT_VERSIONS, address, name).await
}

/// The same in one of these versions of TLS.
pub(crate) async fn presented_in(
    versions: &[&'static SupportedProtocolVersion],
    address: SocketAddr,
    name: Option<&str>,
) -> Result<Vec<Presented>, String> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Onlooker(provider)))
        .with_no_client_auth();
    let name = match name {
        Some(name) => ServerName::try_from(name.to_owned()).unwrap(),
        None => ServerName::from(address.ip()),
    };
    let tcp = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let tls =
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| error.to_string())?;
    let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(chain.iter().map(|certificate| Presented::read(certificate)).collect())
}

#[derive(Debug)]
struct Onlooker(Arc<CryptoProvider>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
