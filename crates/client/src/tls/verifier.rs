//! The certificate verifier: the chain first, then revocation, then the names, then the pins.
//!
//! A peer is accepted when its chain leads to a trusted root, it is not on a revocation list, its certificate is valid for at
//! least one of the identities of the node that is being dialled, *and* its key is a pinned one, where any are pinned.
//! Which identities those are is decided in `truename_topology::address`, and nowhere else.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use truename_topology::Pin;

use super::pins::Pins;
use super::revocation::{Revocation, RevocationList, look_up};
use crate::certificate::{Certificate, pin_of};

/// What is checked of chain and names; pins are checked whenever there are any. Anything but `Everything` was asked for
/// by a `danger_*` method.
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
    pub(super) revocation: Vec<Arc<RevocationList>>,
    pub(super) pins: Pins,
}

/// Why a peer is refused.
#[derive(Debug)]
pub(crate) enum PeerRefusal {
    /// Chain, validity, purpose or names.
    Certificate(CertificateError),
    /// What the revocation lists say.
    Revocation(Revocation),
    /// It has this key, which is not pinned.
    Pin(Pin),
    /// The TLS library's other errors.
    Other(rustls::Error),
}

/// A refused certificate with what it said. Travels inside the TLS library's error.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: PeerRefusal,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            PeerRefusal::Certificate(error) => write!(f, "{error}"),
            PeerRefusal::Revocation(what) => write!(f, "revocation: {what:?}"),
            PeerRefusal::Pin(pin) => write!(f, "the key {pin} is not pinned"),
            PeerRefusal::Other(error) => write!(f, "{error}"),
        }
    }
}

impl From<rustls::Error> for PeerRefusal {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            other => Self::Other(other),
        }
    }
}

impl std::error::Error for Rejection {}

impl IdentityVerifier {
    /// The verdict on a chain that was presented in this handshake, in an earlier one that is resumed, or when a live
    /// connection was made.
    pub(super) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Rejection> {
        self.check_chain_and_name(leaf, intermediates, now).and_then(|()| self.check_pins(leaf)).map_err(
            |reason| {
                let certificate = Certificate::read(leaf, intermediates).map(Arc::new);
                Rejection { reason, certificate }
            },
        )
    }

    fn check_chain_and_name(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), PeerRefusal> {
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
        look_up(&self.revocation, leaf, intermediates, &self.roots.roots, &self.algorithms, now)
            .map_err(PeerRefusal::Revocation)?;
        if self.checks == Checks::ChainOnly {
            return Ok(());
        }
        let proven = self.identities.iter().any(|name| verify_server_name(&certificate, name).is_ok());
        if proven { Ok(()) } else { Err(PeerRefusal::Certificate(CertificateError::NotValidForName)) }
    }

    fn check_pins(&self, leaf: &CertificateDer<'_>) -> Result<(), PeerRefusal> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let presented = pin_of(&ParsedCertificate::try_from(leaf)?.subject_public_key_info());
        if self.pins.accept(presented) { Ok(()) } else { Err(PeerRefusal::Pin(presented)) }
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
            Err(Rejection { reason: PeerRefusal::Other(error), .. }) => Err(error),
            Err(rejection) => Err(CertificateError::Other(OtherError(Arc::new(rejection))).into()),
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
