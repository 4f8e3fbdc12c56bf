//! How a submission ends without a reply, and what that proves.

use std::sync::Arc;

use super::closed::CloseCause;

/// How one submitted command ended without a reply.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The transport took less than the command's last byte: it was never executed.
    Unsent(Arc<CloseCause>),
    /// The whole command was handed to the transport and no reply came: its fate is unknown.
    Lost(Arc<CloseCause>),
    /// As [`Failure::Lost`], and the command was the oldest one on the connection, which may have ended because of it: the
    /// server was silent over it, its reply passed a limit of ours or of the server's, the server crashed on it.
    LostAtHead(Arc<CloseCause>),
    /// The deadline passed first. `submitted` is false while the command waited for room or for a connection.
    TimedOut { submitted: bool },
}
