//! The chain that a peer sent, as it came. Whoever holds a certificate shares it: of a live connection there
//! is one copy, which its later judgements use as well.
//!
//! Invariant: its size is bounded, whatever was sent.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

/// How many certificates are kept. Chains of servers have two to four.
pub(super) const MOST: usize = 16;
/// How many bytes of them, which is as much as a TLS handshake takes.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// The certificates that a peer sent, the leaf first; the first ones of many.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SentChain(Arc<[CertificateDer<'static>]>);

impl SentChain {
    /// A copy of what is within the bounds.
    pub(super) fn copied(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Self {
        let kept = within_bounds(leaf, others);
        Self(std::iter::once(leaf).chain(others).take(kept).map(|der| der.clone().into_owned()).collect())
    }

    /// The same without a copy, if all of it is within the bounds.
    pub(super) fn shared(chain: &Arc<[CertificateDer<'static>]>) -> Option<Self> {
        let (leaf, others) = chain.split_first()?;
        match within_bounds(leaf, others) == chain.len() {
            true => Some(Self(Arc::clone(chain))),
            false => Some(Self::copied(leaf, others)),
        }
    }

    /// The certificates in DER form, the leaf first.
    pub(super) fn certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// How many certificates, from the leaf on, are within the bounds.
fn within_bounds(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |der: &&CertificateDer<'_>| {
        bytes += der.len();
        bytes <= MOST_BYTES
    };
    std::iter::once(leaf).chain(others).take(MOST).take_while(fits).count()
}

/// How many bytes each has.
impl fmt::Debug for SentChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.certificates().map(<[u8]>::len)).finish()
    }
}
