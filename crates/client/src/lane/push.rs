//! Where pushes go.

use std::fmt;

use truename_resp::Push;

/// Takes the pushes of a connection. Its driver calls this in the order of the stream: after the replies that came before
/// a push were handed to their callers, and before those that came after it are. Outside of any lock; it must not block.
pub(crate) trait PushSink: fmt::Debug + Send + Sync {
    /// A push arrived.
    fn push(&self, push: Push);
}

/// Leaves them to the log.
#[derive(Debug)]
pub(crate) struct LogPushes;

impl PushSink for LogPushes {
    fn push(&self, push: Push) {
        tracing::trace!(kind = ?push.kind, "push");
    }
}
