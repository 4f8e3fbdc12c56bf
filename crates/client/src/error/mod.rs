//! Errors: one small enum by stage and party, which answers questions so that it need not be matched.
//!
//! | variant | who is at fault | was the command executed? |
//! |---|---|---|
//! | `Config` | the caller's configuration | no |
//! | `Connect` | network, certificate, credentials | no |
//! | `Route` | the command or the topology | no |
//! | `Server` | the server said no | no if the error proves it ([`ServerError::is_refusal`]), else unknown |
//! | `Protocol` | the peer broke RESP | unknown |
//! | `Interrupted` | the connection, at the wrong moment | unknown |
//! | `Timeout` | time ran out | unknown if its reply was still to come |
//! | `Type` | the reply is not of the type that was asked for | yes |
//! | `Partial` | some of the nodes that a command went to | partly; each part says |
//! | `InBatch` | one command of a batch whose replies were to become one value | as its own error says |
//! | `Closed` | the client was closed | no |
//!
//! [`Error::may_have_executed`] is the column on the right. No variant carries a secret or a command's arguments, except for keys
//! where an error is about them ([`RouteError::CrossSlot`], [`RouteError::NotOneNode`]), and the keys and replies in
//! [`PartialError`].
//! `Display` escapes what peers said ([`Untrusted`]); fields hold it as it came.
//!
//! An error has no source: its text holds everything that is known, causes included, and a chain would repeat it.
//!
//! [`Untrusted`]: truename_resp::Untrusted

// | file | what it has |
// |---|---|
// | `cause`, `traits`, `kind`, `phase` | what can go wrong with one node, and what is known about each; how far an attempt got |
// | `remedy` | what would fix it, as data, and the sentence that says so |
// | `refused` | which remedy a command has that a plain call refuses |
// | `case`, `advice` | a failed attempt, and from it to its remedy |
// | `connect`, `config`, `route`, `command`, `conversion`, `partial` | the variants: no connection, no usable configuration, no node for a command, no good answer, none of the wanted type, not from all nodes |
// | `answers` | the questions that every error answers |
// | `keys_by_slot` | the keys that an error about slots names |
// | `execution` | whether a command was executed |
// | `batch` | the error of one command of a batch, with its place |
// | `brief` | an error in one line |
// | `text` | how the words of others are shown |

mod advice;
mod answers;
mod batch;
mod brief;
mod case;
mod cause;
#[cfg(test)]
mod chain_tests;
mod command;
mod config;
mod connect;
mod conversion;
mod execution;
#[cfg(test)]
mod hostile_tests;
mod keys_by_slot;
mod kind;
mod partial;
mod phase;
mod refused;
mod remedy;
#[cfg(test)]
mod remedy_tests;
mod route;
#[cfg(test)]
mod tests;
mod text;
mod traits;
#[cfg(test)]
mod traits_tests;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

pub(crate) use case::Case;
pub use cause::Cause;
pub use command::{InterruptedError, ProtocolError, Refusal, ServerError, TimeoutError};
pub use config::ConfigError;
pub use connect::{ConnectError, NodeFailure};
pub use conversion::TypeError;
pub use execution::Execution;
pub use keys_by_slot::KeysBySlot;
pub use kind::CauseKind;
pub use phase::Phase;
#[cfg(test)]
pub(crate) use refused::commands as commands_with_remedies;
pub use remedy::{Call, Check, Instead, Remedy, Setting, Spelling};
use remedy::{Tell, Told, as_calls};
pub use route::RouteError;

/// What can go wrong. See the [module documentation](self) for the meaning of the variants.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) {
/// use truename::{Error, cmd};
///
/// match client.execute::<i64>(cmd("INCR").arg("orders")).await {
///     Ok(orders) => println!("{orders}"),
///     Err(Error::Server(error)) => println!("the server says {}", error.reply),
///     // It was not counted, and may be the next time.
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     // Perhaps it was counted: to call again would perhaps count twice.
///     Err(error) if error.may_have_executed() => println!("look first: {error}"),
///     // It was not counted, and will not be.
///     Err(error) => {
///         let (node, slot) = (error.node(), error.slot());
///         println!("{error} (node {node:?}, slot {slot:?}, tried {} times)", error.attempts());
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot work.
    Config(Box<ConfigError>),
    /// No usable connection to the node that was needed.
    Connect(Box<ConnectError>),
    /// The command cannot be routed.
    Route(Box<RouteError>),
    /// The server answered with an error.
    Server(Box<ServerError>),
    /// The peer broke the protocol.
    Protocol(Box<ProtocolError>),
    /// The connection was lost after the command was sent and before its reply came.
    Interrupted(Box<InterruptedError>),
    /// The command's deadline passed.
    Timeout(Box<TimeoutError>),
    /// The reply cannot be turned into the type that was asked for.
    Type(Box<TypeError>),
    /// The command went to several nodes, and not all gave a value.
    Partial(Box<PartialError>),
    /// [`Batch::all`](crate::Batch::all) has no value because of one of its commands. [`Error::inner`] is that command's own error.
    InBatch(Box<BatchError>),
    /// The client was closed.
    Closed,
}

/// Parts of a command failed, others did not, and no value stands for the whole.
///
/// A command whose keys are in several slots (`MGET`, `MSET`, `DEL` …), or that concerns all nodes (`DBSIZE`, `SCRIPT LOAD` …),
/// is sent as several, each with an outcome of its own. [`values_in_order`](Self::values_in_order) has the values that came, in
/// the order of the keys.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::{Error, cmd};
///
/// let keys = ["visits:ada", "visits:grace", "visits:barbara"];
/// match client.execute::<Vec<Option<i64>>>(cmd("MGET").args(keys)).await {
///     Ok(all) => println!("{all:?}"),
///     // What came is not lost.
///     Err(Error::Partial(partial)) => {
///         for part in &partial.parts {
///             match part.value::<Vec<Option<i64>>>() {
///                 Ok(values) => println!("{:?}: {values:?}", part.keys),
///                 Err(error) => println!("{:?} at {:?}: {error}", part.keys, part.node),
///             }
///         }
///     }
///     Err(other) => return Err(other),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct PartialError {
    /// The command's name.
    pub command: String,
    /// Every part with its outcome.
    pub parts: Vec<PartOutcome>,
    /// Whether the command changes nothing.
    only_reads: bool,
}

/// What became of a part of a command. See the [example](PartialError#examples).
#[derive(Clone)]
#[non_exhaustive]
pub struct PartOutcome {
    /// The node that it was for, if there is one.
    pub node: Option<Endpoint>,
    /// The slot that it was for: that of its keys if it has any.
    pub slot: Option<Slot>,
    /// Its keys, in the order in which the command has them, which is that of the values of `MGET`; none if it has none.
    pub keys: Vec<Bytes>,
    /// Its reply, or why there is none.
    pub outcome: Result<Reply, Error>,
    /// Which of the whole command's keys these are, counted from 0.
    pub(crate) places: Vec<usize>,
}

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

impl Error {
    /// The text of the error with settings spelled as a program's own options, instead of as calls of this library. See the
    /// [example of a remedy](Remedy::spelled).
    pub fn spelled(&self, spelling: Spelling) -> impl fmt::Display + '_ {
        Told { what: self, spelling }
    }

    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::Config(Box::new(ConfigError { what: what.into(), remedy: None }))
    }

    pub(crate) fn config_with_remedy(what: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::Config(Box::new(ConfigError { what: what.into(), remedy: Some(remedy.into()) }))
    }

    pub(crate) fn partial(command: &str, parts: Vec<PartOutcome>, only_reads: bool) -> Self {
        Self::Partial(Box::new(PartialError { command: command.to_owned(), parts, only_reads }))
    }

    pub(crate) fn connect(failures: Vec<NodeFailure>, elapsed: Duration) -> Self {
        Self::Connect(Box::new(ConnectError::new(failures, elapsed)))
    }

    /// Notes whose reply was not of the type that was asked for.
    #[cold]
    pub(crate) fn in_reply_to(mut self, command: &str, node: Option<&Endpoint>, slot: Option<Slot>) -> Self {
        if let Self::Type(error) = &mut self {
            error.in_reply_to(command, node.cloned(), slot);
        }
        self
    }
}

impl Tell for Error {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        match self {
            Self::Config(error) => error.tell(f, spelling),
            Self::Connect(error) => error.tell(f, spelling),
            Self::Interrupted(error) => error.tell(f, spelling),
            Self::Timeout(error) => error.tell(f, spelling),
            Self::Route(error) => error.tell(f, spelling),
            Self::Protocol(error) => error.tell(f, spelling),
            Self::Server(error) => error.tell(f, spelling),
            Self::Type(error) => write!(f, "{error}"),
            Self::Partial(error) => error.tell(f, spelling),
            Self::InBatch(error) => error.tell(f, spelling),
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

/// The text of the error, as `main` prints an error that it returns; with `{:#?}` its structure.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let (name, payload): (_, &dyn fmt::Debug) = match self {
            Self::Config(error) => ("Config", error),
            Self::Connect(error) => ("Connect", error),
            Self::Route(error) => ("Route", error),
            Self::Server(error) => ("Server", error),
            Self::Protocol(error) => ("Protocol", error),
            Self::Interrupted(error) => ("Interrupted", error),
            Self::Timeout(error) => ("Timeout", error),
            Self::Type(error) => ("Type", error),
            Self::Partial(error) => ("Partial", error),
            Self::InBatch(error) => ("InBatch", error),
            Self::Closed => return f.write_str("Closed"),
        };
        f.debug_tuple(name).field(payload).finish()
    }
}

/// Without a source: see the [module](self).
impl std::error::Error for Error {}

macro_rules! errors {
    ($($payload:ty),*) => {$(
        /// Without a source: its text holds all that is known.
        impl std::error::Error for $payload {}
    )*};
}
errors!(
    ConfigError,
    RouteError,
    ServerError,
    ProtocolError,
    InterruptedError,
    TimeoutError,
    PartialError,
    BatchError,
    NodeFailure
);

impl From<TypeError> for Error {
    fn from(error: TypeError) -> Self {
        Self::Type(Box::new(error))
    }
}
