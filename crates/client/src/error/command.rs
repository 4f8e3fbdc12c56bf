//! What became of a command that reached a node, or might have.

use std::fmt;
use std::time::Duration;

use truename_resp::ErrorReply;
use truename_topology::{Endpoint, Slot};

use super::execution::Execution;
use super::remedy::{Remedy, Spelling, Tell, as_calls, tell_remedy};
use super::text::shown;

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
    /// What would help, where the command was the client's own and not the caller's.
    pub remedy: Option<Remedy>,
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

impl Tell for ServerError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(f, "{} (from {})", self.reply, self.node)?;
        tell_remedy(f, self.remedy.as_ref(), spelling)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
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
    /// What would help, where it may not be the peer's fault.
    pub remedy: Option<Remedy>,
}

impl Tell for ProtocolError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(f, "{} broke the protocol: {}", self.node, shown(&self.what))?;
        tell_remedy(f, self.remedy.as_ref(), spelling)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
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
    /// What would fix that, or what later attempts met.
    pub remedy: Option<Remedy>,
}

impl InterruptedError {
    pub(crate) fn new(node: Endpoint, slot: Option<Slot>, cause: String, attempts: u32) -> Self {
        Self { node, slot, cause, attempts, remedy: None }
    }

    pub(crate) fn with_remedy(self, remedy: Option<Remedy>) -> Self {
        Self { remedy, ..self }
    }

    /// Adds what became of the attempts after the one whose fate is unknown, in one line, and what would help there.
    pub(crate) fn followed_by(mut self, (error, remedy): (String, Option<Remedy>)) -> Self {
        self.cause = format!("{}; then, sent again: {error}", self.cause);
        self.remedy = remedy.or(self.remedy);
        self
    }
}

impl Tell for InterruptedError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(
            f,
            "the command was sent to {} and may have been executed: {}",
            self.node,
            shown(&self.cause)
        )?;
        tell_remedy(f, self.remedy.as_ref(), spelling)
    }
}

impl fmt::Display for InterruptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

/// What a node said instead of executing a command: a redirect, or that it cannot serve it now. See
/// [`Error::last_refusal`](super::Error::last_refusal).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What it said.
    pub reply: ErrorReply,
    /// The node that said it.
    pub node: Endpoint,
}

impl Refusal {
    pub(crate) fn new(reply: ErrorReply, node: Endpoint) -> Self {
        Self { reply, node }
    }

    /// The first word of what it said, such as `CLUSTERDOWN`. See the [example](super::Error::last_refusal).
    pub fn code(&self) -> &str {
        self.reply.code()
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
    /// What a node said last instead of executing the command, be it before another failure.
    pub last_refusal: Option<Refusal>,
    /// What would fix what the last attempt failed with.
    pub remedy: Option<Remedy>,
}

impl TimeoutError {
    /// What stood in the way last, which may have been a refusal, and the last refusal in any case.
    fn tell_last(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        let Some(cause) = &self.last_cause else { return Ok(()) };
        let cause_is = |refusal: &Refusal| cause.starts_with(refusal.reply.message());
        match &self.last_refusal {
            Some(refusal) if cause_is(refusal) => {
                write!(f, " (the last refusal, from {}: {}", refusal.node, shown(cause))?;
            }
            Some(Refusal { reply, node }) => {
                write!(f, " (the previous attempt failed: {}; before, {node} said: {reply}", shown(cause))?;
            }
            None => write!(f, " (the previous attempt failed: {}", shown(cause))?,
        }
        tell_remedy(f, self.remedy.as_ref(), spelling)?;
        f.write_str(")")
    }
}

impl Tell for TimeoutError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        let ms = self.after.as_millis();
        let from = self.node.as_ref().map(|node| format!(" from {node}")).unwrap_or_default();
        match (self.execution, &self.node) {
            (Execution::Possible, _) => {
                write!(f, "no reply within {ms} ms{from}; the command may have been executed")?;
            }
            (Execution::NotSent, _) => write!(f, "no reply within {ms} ms{from}; the command was not sent")?,
            (Execution::Refused | Execution::RefusedForNow, Some(node)) => {
                write!(f, "{node} refused the command for {ms} ms; it was not executed")?;
            }
            (Execution::Refused | Execution::RefusedForNow, None) => {
                write!(f, "the command was refused for {ms} ms, and not executed")?;
            }
        }
        self.tell_last(f, spelling)
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}
