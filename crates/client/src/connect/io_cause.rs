//! What an operating-system error says about a connection.

use std::io;

use crate::error::Cause;
use crate::panics::Panicked;

/// Whether the peer ended the connection.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

/// Why a name could not be looked up.
pub(super) fn lookup_cause(error: &io::Error) -> Cause {
    let text = error.to_string();
    let panicked = error.get_ref().is_some_and(|source| source.is::<Panicked>());
    if panicked { Cause::Panicked(text) } else { Cause::NameNotFound(text) }
}
