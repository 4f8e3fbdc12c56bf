//! The questions that every error answers, so that it need not be matched: whether the command may have been executed, whether it
//! may be repeated, and about which node, slot and attempt it is.
//!
//! What must stay true: the error of a command in a batch answers as the command's own error does.

use truename_topology::{Endpoint, Slot};

use super::Error;
use super::command::Refusal;
use super::remedy::Remedy;

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
            Self::Partial(error) => error.may_have_executed(),
            Self::InBatch(error) => error.error.may_have_executed(),
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
            Self::Partial(error) => error.is_retryable(),
            Self::InBatch(error) => error.error.is_retryable(),
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
            Self::Type(error) => error.node(),
            Self::Partial(error) => {
                error.first().and_then(|(part, error)| part.node.as_ref().or(error.node()))
            }
            Self::InBatch(error) => error.error.node(),
            Self::Config(_) | Self::Closed => None,
        }
    }

    /// The hash slot that the error is about. See the [example](Error#examples).
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Self::Route(error) => error.slot(),
            Self::Server(error) => error.slot,
            Self::Interrupted(error) => error.slot,
            Self::Timeout(error) => error.slot,
            Self::Type(error) => error.slot(),
            Self::Partial(error) => error.first().and_then(|(part, error)| part.slot.or(error.slot())),
            Self::InBatch(error) => error.error.slot(),
            _ => None,
        }
    }

    /// How often the command was tried; 0 where the error does not record it. See the [example](Error#examples).
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Server(error) => error.attempts,
            Self::Interrupted(error) => error.attempts,
            Self::Timeout(error) => error.attempts,
            Self::Partial(error) => error.first().map_or(0, |(_, error)| error.attempts()),
            Self::InBatch(error) => error.error.attempts(),
            _ => 0,
        }
    }

    /// What a node said last instead of executing the command, of a call that was tried until its time was over, or sent around
    /// in circles.
    ///
    /// Only [`Error::Timeout`] and [`RouteError::TooManyRedirects`](crate::error::RouteError::TooManyRedirects) have one, by
    /// themselves or in [`Error::Partial`] and [`Error::InBatch`]; `None` elsewhere, even if a node refused an earlier attempt.
    /// What [`Error::Server`] holds is not meant: that was the answer to the call.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::cmd;
    ///
    /// if let Err(error) = client.run(cmd("SET").arg("city").arg("Oslo")).await
    ///     && let Some(refusal) = error.last_refusal()
    /// {
    ///     // For example `CLUSTERDOWN`, and a count of these per node.
    ///     println!("{} refused it, code {}: {}", refusal.node, refusal.code(), refusal.reply);
    /// }
    /// # }
    /// ```
    pub fn last_refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Timeout(error) => error.last_refusal.as_ref(),
            Self::Route(error) => error.last_refusal(),
            Self::Partial(error) => error.failed().find_map(|(_, error)| error.last_refusal()),
            Self::InBatch(error) => error.error.last_refusal(),
            _ => None,
        }
    }

    /// What would fix it, where that is known.
    ///
    /// ```
    /// use truename::Config;
    ///
    /// let error = Config::from_url("http://cache.example.net").expect_err("not a scheme of ours");
    /// assert!(error.remedy().is_some_and(|remedy| remedy.to_string().contains("rediss://")));
    /// ```
    pub fn remedy(&self) -> Option<&Remedy> {
        match self {
            Self::Config(error) => error.remedy.as_ref(),
            Self::Connect(error) => error.decisive()?.remedy.as_ref(),
            Self::Interrupted(error) => error.remedy.as_ref(),
            Self::Timeout(error) => error.remedy.as_ref(),
            Self::Protocol(error) => error.remedy.as_ref(),
            Self::Route(error) => error.remedy(),
            Self::Partial(error) => error.remedy(),
            Self::InBatch(error) => error.error.remedy(),
            Self::Server(error) => error.remedy.as_ref(),
            Self::Type(_) | Self::Closed => None,
        }
    }

    /// The command's own error if this is [`Error::InBatch`], otherwise this error: match on it where batches and single calls are
    /// handled alike. See the [example](crate::error::BatchError#examples).
    pub fn inner(&self) -> &Self {
        match self {
            Self::InBatch(error) => &error.error,
            other => other,
        }
    }
}
