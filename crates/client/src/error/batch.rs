//! [`BatchError`]: the error of one command of a batch, with its place.

use std::fmt;

use truename_resp::Untrusted;

use super::Error;
use super::remedy::{Spelling, Tell, as_calls};

/// Why a batch whose replies were to become one value has none: the error of one of its commands.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) {
/// use truename::{Error, cmd};
///
/// let batch = client.batch().with(cmd("GET").arg("city")).with(cmd("INCR").arg("city"));
/// match batch.all::<(String, i64)>().await {
///     Ok((city, visits)) => println!("{city}: {visits}"),
///     Err(error) => {
///         // For example: command 2 of 2 (INCR): ERR value is not an integer or out of range (from 10.0.0.1:6379)
///         println!("{error}");
///         if let Error::InBatch(place) = &error {
///             println!("{} is number {} of {}", place.command, place.index + 1, place.commands);
///         }
///         // What it is, wherever it comes from.
///         if let Error::Server(refused) = error.inner() {
///             println!("{}", refused.code());
///         }
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchError {
    /// Which of the batch's commands it is; the first is 0. (The text counts from 1.)
    pub index: usize,
    /// How many commands the batch has.
    pub commands: usize,
    /// The command's name.
    pub command: String,
    /// Its error.
    pub error: Error,
}

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
