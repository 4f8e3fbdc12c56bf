//! [`Presented`]: what a connection's peer presented, kept while the connection lives.

use std::fmt;
use std::sync::Arc;

use rustls::{ClientConnection, ProtocolVersion};
use rustls_pki_types::CertificateDer;

/// The chain of a connection, and under which options it was accepted.
pub(crate) struct Presented {
    chain: Arc<[CertificateDer<'static>]>,
    pub(super) version: Option<ProtocolVersion>,
    /// The [id](super::TlsContext::id) of the options that accepted it.
    pub(super) accepted_by: u64,
}

impl Presented {
    /// What was presented on a connection whose handshake is complete, even if it resumed an earlier session.
    pub(super) fn on(session: &ClientConnection, accepted_by: u64) -> Self {
        let chain = session.peer_certificates().unwrap_or_default();
        Self {
            chain: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(),
            version: session.protocol_version(),
            accepted_by,
        }
    }

    /// Whether the options with this [id](super::TlsContext::id) accepted it.
    pub(crate) fn is_accepted_by(&self, id: u64) -> bool {
        self.accepted_by == id
    }

    /// The certificates, leaf first.
    pub(crate) fn chain(&self) -> &Arc<[CertificateDer<'static>]> {
        &self.chain
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("certificates", &self.chain.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
