//! A connection for one caller: what changes the state of its connection, or depends on it, needs one.

use std::fmt;

use truename_topology::{Endpoint, Slot};

use super::client::Client;
use super::decode::decode;
use crate::command::Command;
use crate::error::Error;
use crate::from_reply::FromReply;
use crate::router::Held;

/// A connection to one node that nobody else uses. Made by [`Client::dedicated`].
///
/// It runs what [`Client::execute`] refuses because connections are shared: `WATCH`, `MULTI` and `EXEC`, `WAIT` and
/// `WAITAOF`, `CLIENT NO-EVICT`, `SELECT` and the like. [`Client::transaction`] does more of the work of a transaction.
/// What is not answered by exactly one reply is refused here, too: `SUBSCRIBE` and its kind, `CLIENT REPLY`, and
/// `MONITOR`, which [`Client::monitor`] does.
///
/// # What holds
/// - Commands are sent in the order in which their futures are first polled, and are executed in that order. The next one
///   need not wait for the reply to the one before.
/// - A command is sent once: it follows no redirect, waits out no refusal, and is not sent again when the connection is lost.
///   It goes to this node whatever its keys are, so what concerns every node (`DBSIZE`) or acts on the one that executes it
///   (`CONFIG SET`) concerns this one.
/// - When the connection ends, it stays ended: what was on it, such as a `WATCH` or an open `MULTI`, is gone with it.
///   Commands then fail with [`RouteError::ConnectionEnded`](crate::error::RouteError::ConnectionEnded): make another
///   connection, and start again.
/// - Dropping it closes the connection. It is not used again, since nobody can know what its state is.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// // An order counts once a replica has it as well.
/// let connection = client.dedicated("order:7").await?;
/// connection.run(cmd("SET").arg("order:7").arg("paid")).await?;
/// let replicas: u64 = connection.execute(cmd("WAIT").arg(1).arg(500)).await?;
/// println!("slot {} of {}: {replicas} replicas have it", connection.slot(), connection.node());
/// # Ok(())
/// # }
/// ```
pub struct Dedicated {
    client: Client,
    held: Held,
}

/// Short, since a connection holds its caller's commands.
impl fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedicated")
            .field("node", self.node())
            .field("slot", &self.slot())
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A connection of the caller's own to the primary of this key's slot. See its [example](Dedicated#examples).
    ///
    /// It is one of the connections that [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections)
    /// bounds, for as long as it is kept. Where all of them are in use, this waits for one.
    ///
    /// # Errors
    /// After the time of an ordinary command ([`Config::command_timeout`](crate::Config::command_timeout)) what stood in the
    /// way: [`Error::Connect`], [`Error::Timeout`],
    /// [`RouteError::NoExclusiveConnection`](crate::error::RouteError::NoExclusiveConnection) or
    /// [`RouteError::Unassigned`](crate::error::RouteError::Unassigned). [`Error::Closed`] once the client is closed.
    ///
    /// # Cancel safety
    /// Dropping the future closes a connection that was made and leaves the line of those who wait for one.
    pub async fn dedicated(&self, key: impl AsRef<[u8]>) -> Result<Dedicated, Error> {
        let held = self.router().dedicate(Slot::of_key(key.as_ref())).await?;
        Ok(Dedicated { client: self.clone(), held })
    }
}

impl Dedicated {
    /// Runs one command and decodes its reply. See the [example](Dedicated#examples).
    ///
    /// # Errors
    /// As [`Client::execute`], except that a redirect or a refusal is an answer ([`Error::Server`]), and that an error of
    /// `EXEC` itself, such as `EXECABORT`, proves that nothing of the transaction was executed.
    /// [`RouteError::ConnectionEnded`](crate::error::RouteError::ConnectionEnded) if the connection had ended: the command
    /// was not sent.
    ///
    /// # Cancel safety
    /// As [`Client::execute`]: what was sent is executed, and its reply is discarded in its turn, so that later commands get
    /// their own.
    pub async fn execute<T: FromReply>(&self, command: Command<'_>) -> Result<T, Error> {
        let received = self.client.router().execute_on(&self.held, &command).await?;
        decode(received.into_reply(), &command, || (Some(self.node()), Some(self.slot())))
    }

    /// Runs one command whose value does not matter. See the [example](Dedicated#examples).
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`Error::Type`] for nil.
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    pub async fn run(&self, command: Command<'_>) -> Result<(), Error> {
        self.execute(command).await
    }

    /// The node that it leads to, as announced. See the [example](Dedicated#examples).
    #[must_use]
    pub fn node(&self) -> &Endpoint {
        self.held.node()
    }

    /// The slot whose primary the node was when the connection was made. See the [example](Dedicated#examples).
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.held.slot()
    }

    /// Whether the connection is up. Once it is not, it never is again.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client, mut connection: truename::Dedicated) -> Result<(), truename::Error> {
    /// if !connection.is_connected() {
    ///     connection = client.dedicated("order:7").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.held.is_up()
    }
}
