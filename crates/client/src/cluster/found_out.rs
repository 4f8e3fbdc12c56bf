//! What was found out about a node by trying: what its user may send there.
//!
//! What must stay true: whatever is noted here is forgotten with the next connection that callers share, which may lead to another
//! server, or be another user's; one of a caller's own changes nothing about those. A refusal is forgotten after a while, since
//! rights may be granted meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// For how long a node that refused is not asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What a node was found to take since the latest connection was made that callers share.
#[derive(Debug, Default)]
pub(crate) struct FoundOut {
    takes_transactions: AtomicBool,
    takes_readwrite: AtomicBool,
    /// What it said to `READONLY`, or to the `READWRITE` that is to follow, and when.
    refused: Mutex<Option<(Instant, String)>>,
}

impl FoundOut {
    /// Whether the node has taken `MULTI`.
    pub(crate) fn takes_transactions(&self) -> bool {
        self.takes_transactions.load(Ordering::Relaxed)
    }

    pub(crate) fn note_transactions(&self) {
        self.takes_transactions.store(true, Ordering::Relaxed);
    }

    /// Whether the node has taken `READWRITE`.
    pub(crate) fn takes_readwrite(&self) -> bool {
        self.takes_readwrite.load(Ordering::Relaxed)
    }

    pub(crate) fn note_readwrite(&self) {
        self.takes_readwrite.store(true, Ordering::Relaxed);
    }

    /// The node does not let its user read from it while it is a replica.
    pub(crate) fn note_refusal(&self, said: &str) {
        self.takes_readwrite.store(false, Ordering::Relaxed);
        *self.refused.lock() = Some((Instant::now(), said.to_owned()));
    }

    /// Whether that was a while ago at most.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.lock().as_ref().is_some_and(|(at, _)| at.elapsed() < ASK_AGAIN)
    }

    pub(super) fn refusal(&self) -> Option<String> {
        let refused = self.refused.lock();
        refused.as_ref().filter(|(at, _)| at.elapsed() < ASK_AGAIN).map(|(_, said)| said.clone())
    }

    /// There is another connection that callers share.
    pub(super) fn forget(&self) {
        self.takes_transactions.store(false, Ordering::Relaxed);
        self.takes_readwrite.store(false, Ordering::Relaxed);
        *self.refused.lock() = None;
    }
}
