//! How a call ends that has no reply.

use truename::Error;

/// Why a call has no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// As the client says.
    Native(Error),
    /// It concerned several nodes, and some of them may have executed it.
    Partial(String),
    /// It was executed, and what came back is not what such a command returns.
    Unexpected(&'static str),
    /// The server did not queue one of a transaction's commands, so it executed none. What it said.
    Discarded(Vec<u8>),
    /// redis-rs has it, and this adapter has not.
    Unsupported(&'static str),
    /// The caller asked for something that has no meaning.
    Misused(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Native(error)
    }
}

/// Why none of a transaction's commands was executed.
pub(super) fn discarded(error: Error) -> Failure {
    match error {
        Error::Server(error) if error.is_refusal() => Failure::Discarded(error.reply.as_bytes().to_vec()),
        error => Failure::Native(error),
    }
}
