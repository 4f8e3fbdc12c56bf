//! Batches that are waited for on the caller's thread.

use std::fmt;
use std::time::Duration;

use super::client::Client;
use crate::api;
use crate::command::Command;
use crate::error::Error;
use crate::from_reply::FromReply;

/// Commands to be run together, whatever slots their keys have: a [`truename::Batch`](crate::Batch) that is waited for. Made by
/// [`Client::batch`].
///
/// # Examples
/// ```no_run
/// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// let mut batch = client.batch();
/// batch.extend(["ada", "grace"].map(|user| cmd("INCR").arg(format!("visits:{user}"))));
/// for visits in batch.execute::<i64>() {
///     println!("{}", visits?);
/// }
///
/// let batch = client.batch().with(cmd("GET").arg("name:ada")).with(cmd("GET").arg("visits:ada"));
/// let (name, visits): (Option<String>, i64) = batch.all()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before `execute` or `all`"]
pub struct Batch<'a> {
    client: Client,
    batch: api::Batch<'a>,
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.batch.fmt(f)
    }
}

/// Adds commands. See the [example](Batch#examples).
impl<'a> Extend<Command<'a>> for Batch<'a> {
    fn extend<I: IntoIterator<Item = Command<'a>>>(&mut self, commands: I) {
        self.batch.extend(commands);
    }
}

impl Client {
    /// Starts a batch: many commands in one go, whatever their slots. See its [example](Batch#examples).
    pub fn batch<'a>(&self) -> Batch<'a> {
        Batch { client: self.clone(), batch: self.client().batch() }
    }
}

impl<'a> Batch<'a> {
    fn map(self, change: impl FnOnce(api::Batch<'a>) -> api::Batch<'a>) -> Self {
        Self { client: self.client, batch: change(self.batch) }
    }

    /// Adds a command. See the [example](Batch#examples).
    pub fn add(&mut self, command: Command<'a>) -> &mut Self {
        self.batch.add(command);
        self
    }

    /// Adds a command, for building in one expression. See the [example](Batch#examples).
    pub fn with(self, command: Command<'a>) -> Self {
        self.map(|batch| batch.with(command))
    }

    /// How long all commands may take together, as [`Batch::timeout`](crate::Batch::timeout) says. See the [example](Batch#examples).
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|batch| batch.timeout(timeout))
    }

    /// Keeps the order of each slot's commands, as [`Batch::ordered`](crate::Batch::ordered) says. See the [example](Batch#examples).
    pub fn ordered(self) -> Self {
        self.map(api::Batch::ordered)
    }

    /// Makes it a transaction on one slot, as [`Batch::atomic`](crate::Batch::atomic) says. See the [example](Batch#examples).
    pub fn atomic(self) -> Self {
        self.map(api::Batch::atomic)
    }

    /// How many commands it has.
    ///
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) {
    /// let batch = client.batch().with(truename::cmd("PING"));
    /// assert!(batch.len() == 1 && !batch.is_empty());
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether it has no commands. See the [example](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Runs the commands; returns the outcome of each, in the order in which they were added. See the
    /// [example](Batch#examples).
    ///
    /// # Errors
    /// Each outcome has its own, as from [`Client::execute`]: on a thread that polls tasks, all of them are the same
    /// [`Error::Config`].
    pub fn execute<T: FromReply>(self) -> Vec<Result<T, Error>> {
        let count = self.len();
        let outcomes = self.client.block_on(self.batch.execute());
        outcomes.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
    }

    /// Runs the commands; returns all their values as one, such as a tuple or a `Vec`. See the [example](Batch#examples).
    ///
    /// # Errors
    /// As [`truename::Batch::all`](crate::Batch::all), and [`Error::Config`] on a thread that polls tasks.
    pub fn all<T: FromReply>(self) -> Result<T, Error> {
        self.client.block_on(self.batch.all())?
    }
}
