//! Errors: one enum by stage and party, small, and answering questions instead of being matched.
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
//! | `Closed` | the client was closed | no |
//!
//! [`Error::may_have_executed`] is the column on the right. No variant carries a secret or a command's arguments.
//! `Display` escapes what peers said ([`Untrusted`]); fields hold it as it came.
//!
//! `cause` has what can go wrong with one node, `connect` the report of a failed connection, `route` why a command has
//! no node, `execution` whether it was executed, `type_error` what is wrong with a reply, `text` how the words of others
//! are shown.
//!
//! [`Untrusted`]: truename_resp::Untrusted

mod cause;
mod connect;
mod execution;
#[cfg(test)]
mod hostile_tests;
mod route;
mod text;
mod type_error;

use std::fmt;
use std::time::Duration;

use truename_resp::ErrorReply;
use truename_topology::{Endpoint, Slot};

pub use cause::{Cause, Phase};
pub use connect::{ConnectError, NodeFailure};
pub use execution::Execution;
pub use route::RouteError;
use text::shown;
pub use type_error::TypeError;

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
#[derive(Debug, Clone)]
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
    /// The client was closed.
    Closed,
}

impl Error {
    /// Whether the server may have executed the command.
    ///
    /// `false` is a promise: the command had no effect. `true` means that nobody can know without asking the
    /// server, except for [`Error::Server`] and [`Error::Type`], where the server did answer. See the
    /// [example](Error#examples), and [the manual](crate::manual::retries).
    pub fn may_have_executed(&self) -> bool {
        match self {
            Self::Config(_) | Self::Connect(_) | Self::Route(_) | Self::Closed => false,
            Self::Server(error) => error.execution.may_have_happened(),
            Self::Protocol(_) | Self::Interrupted(_) | Self::Type(_) => true,
            Self::Timeout(error) => error.execution.may_have_happened(),
        }
    }

    /// Whether the same call may succeed later, and repeating it is safe. See the [example](Error#examples).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Config(_) | Self::Type(_) | Self::Closed => false,
            Self::Connect(error) => error.failures.iter().any(|failure| failure.cause.is_transient()),
            Self::Route(error) => error.is_transient(),
            Self::Server(error) => error.execution.is_retryable(),
            Self::Protocol(_) | Self::Interrupted(_) => false,
            Self::Timeout(error) => error.execution.is_retryable(),
        }
    }

    /// The node that the error is about, as the cluster announced it. See the [example](Error#examples).
    pub fn node(&self) -> Option<&Endpoint> {
        match self {
            Self::Connect(error) => error.decisive().map(|failure| &failure.node),
            Self::Server(error) => Some(&error.node),
            Self::Protocol(error) => Some(&error.node),
            Self::Interrupted(error) => Some(&error.node),
            Self::Timeout(error) => error.node.as_ref(),
            Self::Route(error) => error.node(),
            Self::Config(_) | Self::Type(_) | Self::Closed => None,
        }
    }

    /// The hash slot that the error is about. See the [example](Error#examples).
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Self::Route(error) => error.slot(),
            Self::Server(error) => error.slot,
            Self::Interrupted(error) => error.slot,
            Self::Timeout(error) => error.slot,
            _ => None,
        }
    }

    /// How often the command was tried; 0 where the error does not record it. See the [example](Error#examples).
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Server(error) => error.attempts,
            Self::Interrupted(error) => error.attempts,
            Self::Timeout(error) => error.attempts,
            _ => 0,
        }
    }

    /// The error in one line, to be part of another error's text.
    fn brief(&self) -> String {
        match self {
            Self::Connect(error) => {
                error.decisive().map_or_else(|| error.to_string(), |decisive| decisive.summary())
            }
            other => other.to_string(),
        }
    }

    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::Config(Box::new(ConfigError { what: what.into(), remedy: None }))
    }

    pub(crate) fn config_with_remedy(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Config(Box::new(ConfigError { what: what.into(), remedy: Some(remedy.into()) }))
    }

    pub(crate) fn connect(failures: Vec<NodeFailure>, elapsed: Duration) -> Self {
        Self::Connect(Box::new(ConnectError::new(failures, elapsed)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Route(error) => error.fmt(f),
            Self::Server(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Interrupted(error) => error.fmt(f),
            Self::Timeout(error) => error.fmt(f),
            Self::Type(error) => error.fmt(f),
            Self::Closed => write!(f, "the client is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

/// A configuration that cannot work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConfigError {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad configuration: {}", shown(&self.what))?;
        if let Some(remedy) = &self.remedy {
            write!(f, "; {}", shown(remedy))?;
        }
        Ok(())
    }
}

/// An error reply.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client, digest: &str, script: &str) -> Result<i64, truename::Error> {
/// use truename::{Error, cmd};
///
/// match client.execute(cmd("EVALSHA").arg(digest).arg(1).arg("stock")).await {
///     // The server does not have the script: so it did not run.
///     Err(Error::Server(error)) if error.code() == "NOSCRIPT" && error.is_refusal() => {
///         client.execute(cmd("EVAL").arg(script).arg(1).arg("stock")).await
///     }
///     other => other,
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerError {
    /// What the server said.
    pub reply: ErrorReply,
    /// The node that said it.
    pub node: Endpoint,
    /// The slot of the command's key.
    pub slot: Option<Slot>,
    /// How often the command was tried.
    pub attempts: u32,
    /// What the reply proves about the execution of the command.
    pub execution: Execution,
}

impl ServerError {
    /// The first word of the error, such as `WRONGTYPE`. See the [example](ServerError#examples).
    pub fn code(&self) -> &str {
        self.reply.code()
    }

    /// Whether the error proves that the command was not executed. Its code alone does not: scripts choose theirs.
    /// See the [example](ServerError#examples).
    pub fn is_refusal(&self) -> bool {
        !self.execution.may_have_happened()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {})", self.reply, self.node)
    }
}

/// A peer that broke the protocol.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProtocolError {
    /// What it did.
    pub what: String,
    /// The node.
    pub node: Endpoint,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broke the protocol: {}", self.node, shown(&self.what))
    }
}

/// A command whose fate is unknown: it was sent, and the connection was lost before its reply, or an earlier attempt may
/// have been executed although the last one was not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InterruptedError {
    /// The node that had the command.
    pub node: Endpoint,
    /// The slot of the command's key.
    pub slot: Option<Slot>,
    /// Why it is unknown.
    pub cause: String,
    /// How often the command was tried.
    pub attempts: u32,
}

impl InterruptedError {
    pub(crate) fn new(node: Endpoint, slot: Option<Slot>, cause: String, attempts: u32) -> Self {
        Self { node, slot, cause, attempts }
    }

    /// Adds what became of the attempts after the one whose fate is unknown.
    pub(crate) fn followed_by(mut self, error: &Error) -> Self {
        self.cause = format!("{}; then, sent again: {}", self.cause, error.brief());
        self
    }
}

impl fmt::Display for InterruptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command was sent to {} and may have been executed: {}", self.node, shown(&self.cause))
    }
}

/// A deadline that passed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TimeoutError {
    /// The time that the command had.
    pub after: Duration,
    /// What is known about the execution of the command.
    pub execution: Execution,
    /// The node that it was for last.
    pub node: Option<Endpoint>,
    /// The slot of the command's key.
    pub slot: Option<Slot>,
    /// How often the command was tried.
    pub attempts: u32,
    /// What the last attempt before failed with.
    pub last_cause: Option<String>,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_refused = matches!(self.execution, Execution::Refused | Execution::RefusedForNow);
        let what = if is_refused { "no success" } else { "no reply" };
        write!(f, "{what} within {} ms", self.after.as_millis())?;
        if let Some(node) = &self.node {
            write!(f, " from {node}")?;
        }
        f.write_str(match self.execution {
            Execution::Possible => "; the command may have been executed",
            Execution::NotSent => "; the command was not sent",
            Execution::Refused | Execution::RefusedForNow => {
                "; the command was sent and refused, and was not executed"
            }
        })?;
        if let Some(cause) = &self.last_cause {
            write!(f, " (the previous attempt failed: {})", shown(cause))?;
        }
        Ok(())
    }
}

impl From<TypeError> for Error {
    fn from(error: TypeError) -> Self {
        Self::Type(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 24, "{}", size_of::<Error>());
    }

    #[test]
    fn the_documented_answers_to_may_have_executed() {
        let node = Endpoint::new("10.0.0.4", 8501);
        let timeout = |execution| {
            Error::Timeout(Box::new(TimeoutError {
                after: Duration::from_secs(1),
                execution,
                node: None,
                slot: None,
                attempts: 1,
                last_cause: None,
            }))
        };
        let server = |text: &'static str, execution| {
            Error::Server(Box::new(ServerError {
                reply: ErrorReply::new(text),
                node: node.clone(),
                slot: None,
                attempts: 1,
                execution,
            }))
        };
        let interrupted = Error::Interrupted(Box::new(InterruptedError::new(
            node.clone(),
            None,
            crate::lane::CloseCause::PeerClosed.no_reply(),
            1,
        )));
        // Executed? Worth another try?
        let rows = [
            (Error::config("x"), false, false),
            (Error::connect(Vec::new(), Duration::ZERO), false, false),
            (Error::Route(Box::new(RouteError::NoNodes)), false, false),
            (Error::Closed, false, false),
            (timeout(Execution::NotSent), false, true),
            (timeout(Execution::RefusedForNow), false, true),
            (timeout(Execution::Possible), true, false),
            (interrupted, true, false),
            // The code proves nothing.
            (server("MOVED 1 a:1", Execution::Possible), true, false),
            (server("MOVED 1 a:1", Execution::RefusedForNow), false, true),
            (server("NOSCRIPT No matching script.", Execution::Refused), false, false),
            (server("WRONGTYPE Operation against a key", Execution::Possible), true, false),
            (Error::from(TypeError::new("an integer", "nil")), true, false),
        ];
        for (error, executed, retryable) in rows {
            assert_eq!(error.is_retryable(), retryable, "{error}");
            assert_eq!(error.may_have_executed(), executed, "{error}");
        }
        assert!(timeout(Execution::NotSent).to_string().contains("was not sent"));
        assert!(!timeout(Execution::RefusedForNow).to_string().contains("not sent"));
    }
}
