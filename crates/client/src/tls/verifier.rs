//! The certificate verifier: the chain first, then the names.
//!
//! A peer is accepted when its chain leads to a trusted root *and* its certificate is valid for at least one of
//! the identities of the node that is being dialled. Which identities those are is decided in
//! `truename_topology::address`, and nowhere else.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate::Certificate;

/// What is checked. Anything but `Everything` was asked for by a `danger_*` method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Checks {
    /// Chain, validity, purpose and names.
    Everything,
    /// All but the names.
    ChainOnly,
    /// Nothing at all, except that the peer holds the key of what it presented.
    Nothing,
}

/// Verifies peers for one set of identities.
#[derive(Debug)]
pub(crate) struct IdentityVerifier {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    pub(crate) identities: Vec<ServerName<'static>>,
    pub(crate) checks: Checks,
}

/// A refused certificate with what it said. Travels inside the TLS library's error.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: CertificateError,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)
    }
}

impl std::error::Error for Rejection {}

impl IdentityVerifier {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if self.checks == Checks::Nothing {
            return Ok(());
        }
        let certificate = ParsedCertificate::try_from(leaf)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        if self.checks == Checks::ChainOnly {
            return Ok(());
        }
        let proven = self.identities.iter().any(|name| verify_server_name(&certificate, name).is_ok());
        if proven { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
    }
}

impl ServerCertVerifier for IdentityVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        // The name that was sent as SNI: one of the identities, or none of them when only addresses are known.
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.judge(end_entity, intermediates, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(rustls::Error::InvalidCertificate(reason)) => {
                let certificate = Certificate::read(end_entity, 1 + intermediates.len()).map(Arc::new);
                let rejection = Rejection { reason, certificate };
                Err(CertificateError::Other(OtherError(Arc::new(rejection))).into())
            }
            Err(other) => Err(other),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The first of `names` that the certificate is valid for.
pub(crate) fn first_valid_name(leaf: &CertificateDer<'_>, names: &[ServerName<'static>]) -> Option<usize> {
    let certificate = ParsedCertificate::try_from(leaf).ok()?;
    names.iter().position(|name| verify_server_name(&certificate, name).is_ok())
}
