//! One command of a batch, on its way to its outcome.

use crate::error::Error;
use crate::lane::Received;
use crate::router::attempts::Attempts;
use crate::router::request::Request;

pub(super) type Outcome = Result<Received, Error>;

/// A command until its outcome is known.
pub(super) struct Member<'r, 'a> {
    /// Its place in the batch.
    pub(super) position: usize,
    pub(super) request: Request<'r, 'a>,
    pub(super) attempts: Attempts,
    /// All is known about it that a server could say.
    pub(super) is_known: bool,
}

impl Member<'_, '_> {
    /// How it ends with this error.
    pub(super) fn failed(&self, error: Error) -> (usize, Outcome) {
        (self.position, Err(self.attempts.admit(error)))
    }
}
