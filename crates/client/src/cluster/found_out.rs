//! What was found out about a node by trying: what its user may send there.
//!
//! What must stay true: whatever is noted here is forgotten with the next connection that callers share, which may lead to another
//! server, or be another user's; one of a caller's own changes nothing about those. A refusal is forgotten after a while, since
//! rights may be granted meanwhile. What could not be undone on a connection is remembered
//! beyond its end, for a moment: each time would cost another connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use truename_resp::ErrorReply;

/// For how long a node that refused is not asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The least time between two renewals of a node's connections. An endpoint that is read-only for good must not lose them
/// with every write that it refuses, nor one that refuses what undoes a mode with every command that needs it.
pub(super) const RENEW_PAUSE: Duration = Duration::from_secs(1);

/// What a node was found to take since the latest connection was made that callers share.
#[derive(Debug, Default)]
pub(crate) struct FoundOut {
    takes_transactions: AtomicBool,
    takes_readwrite: AtomicBool,
    /// Said to `READONLY`, or to the `READWRITE` that is to follow.
    refused: Refusal,
    /// Said to the one of the two that was to put a connection back.
    stays_in_mode: Refusal,
    /// Said to the `EXEC` that was to end a transaction.
    stays_queueing: Refusal,
}

/// What the node refused, and when.
#[derive(Debug, Default)]
struct Refusal(Mutex<Option<(Instant, ErrorReply)>>);

impl Refusal {
    fn note(&self, said: ErrorReply) {
        *self.0.lock() = Some((Instant::now(), said));
    }

    /// What it said, if that was no longer ago.
    fn within(&self, time: Duration) -> Option<ErrorReply> {
        self.0.lock().as_ref().filter(|(at, _)| at.elapsed() < time).map(|(_, said)| said.clone())
    }

    fn forget(&self) {
        *self.0.lock() = None;
    }
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

    /// The node has refused one of the words since, and is to be asked again.
    pub(crate) fn forget_taken(&self) {
        self.takes_transactions.store(false, Ordering::Relaxed);
        self.takes_readwrite.store(false, Ordering::Relaxed);
    }

    /// The node does not let its user read from it while it is a replica.
    pub(crate) fn note_refusal(&self, said: ErrorReply) {
        self.takes_readwrite.store(false, Ordering::Relaxed);
        self.refused.note(said);
    }

    /// A connection was left in a mode that only one command wanted.
    pub(super) fn note_stays_in_mode(&self, said: ErrorReply) {
        self.takes_readwrite.store(false, Ordering::Relaxed);
        self.stays_in_mode.note(said);
    }

    /// What the node said a moment ago instead of letting a connection be put back into its mode.
    pub(crate) fn stays_in_mode(&self) -> Option<ErrorReply> {
        self.stays_in_mode.within(RENEW_PAUSE)
    }

    /// A connection may have been left in a transaction.
    pub(super) fn note_stays_queueing(&self, said: ErrorReply) {
        self.takes_transactions.store(false, Ordering::Relaxed);
        self.stays_queueing.note(said);
    }

    /// What the node said a moment ago instead of ending a transaction.
    pub(crate) fn stays_queueing(&self) -> Option<ErrorReply> {
        self.stays_queueing.within(RENEW_PAUSE)
    }

    /// Whether that was a while ago at most.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.within(ASK_AGAIN).is_some()
    }

    pub(super) fn refusal(&self) -> Option<String> {
        self.refused.within(ASK_AGAIN).map(|said| said.message().to_owned())
    }

    /// There is another connection that callers share.
    pub(super) fn forget(&self) {
        self.forget_taken();
        self.refused.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command that needed a mode cost a node's connections, if nothing undid it.
    #[test]
    fn what_cannot_be_undone_is_remembered_beyond_the_connection() {
        let found_out = FoundOut::default();
        let refusal = || ErrorReply::new("NOPERM x");
        found_out.note_transactions();
        found_out.note_readwrite();
        found_out.note_stays_in_mode(refusal());
        assert!(!found_out.takes_readwrite() && found_out.takes_transactions());
        found_out.note_stays_queueing(refusal());
        found_out.note_refusal(refusal());
        assert!(!found_out.takes_transactions() && found_out.has_refused());
        found_out.forget();
        assert!(!found_out.has_refused() && found_out.refusal().is_none());
        assert_eq!(found_out.stays_in_mode().expect("a moment ago").code(), "NOPERM");
        assert_eq!(found_out.stays_queueing().expect("a moment ago").code(), "NOPERM");
        assert!(found_out.stays_in_mode.within(Duration::ZERO).is_none());
    }
}
