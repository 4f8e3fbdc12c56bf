//! What a client does with a reply for which nobody waits any more, although something was taken for it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use crate::error::Error;
use crate::panics;

/// What became of a command that took something from a key for a caller that is gone. See
/// [`Config::on_orphan`](crate::Config::on_orphan).
#[non_exhaustive]
pub struct Orphan {
    /// The command's name: `BLPOP`.
    pub command: String,
    /// The command's keys, in its order: the queues of `BLPOP`; the source and the destination of `BLMOVE`. None if the client does
    /// not know which they are.
    pub keys: Vec<Bytes>,
    /// The node that executed it.
    pub node: Endpoint,
    /// The slot of the command's keys.
    pub slot: Option<Slot>,
    /// What it answered, never nil. If it is an error, no reply came: the connection was lost, or was closed because the server
    /// did not end the wait. Nobody knows whether anything was taken.
    pub reply: Result<Reply, Error>,
}

/// Without keys and values.
impl fmt::Debug for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphan")
            .field("command", &self.command)
            .field("node", &self.node)
            .field("slot", &self.slot)
            .field("error", &self.reply.as_ref().err())
            .finish_non_exhaustive()
    }
}

/// Who takes orphans.
#[derive(Clone)]
pub(crate) struct OnOrphan(Arc<dyn Fn(Orphan) + Send + Sync>);

impl fmt::Debug for OnOrphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnOrphan")
    }
}

impl OnOrphan {
    pub(super) fn new(take: impl Fn(Orphan) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Hands one over. The user's code may panic.
    pub(crate) fn take(&self, orphan: Orphan) {
        if let Err(panicked) = panics::catch("the function of Config::on_orphan", || (self.0)(orphan)) {
            tracing::warn!(%panicked);
        }
    }
}
