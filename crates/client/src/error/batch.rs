//! What a [`BatchError`] says: the error of one command of a batch, with its place.

use std::fmt;

use truename_resp::Untrusted;

use super::remedy::{Spelling, Tell, as_calls};
use super::{BatchError, Error};

impl BatchError {
    pub(crate) fn new(index: usize, commands: usize, command: &str, error: Error) -> Self {
        Self { index, commands, command: command.to_owned(), error }
    }

    /// Which command it was.
    pub(super) fn place(&self) -> String {
        format!("command {} of {} ({})", self.index + 1, self.commands, Untrusted(&self.command))
    }
}

impl Tell for BatchError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(f, "{}: ", self.place())?;
        self.error.tell(f, spelling)
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}
