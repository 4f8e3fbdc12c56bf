//! What one node executes, as it tells itself.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use truename_topology::Endpoint;

use super::client::Client;
use crate::error::Error;
use crate::router::Lines;

/// The commands that one node executes, as lines in its own words (`MONITOR`). Made by [`Client::monitor`].
///
/// It is for looking at a node while it misbehaves. It costs the node as much again as the commands themselves, and shows
/// keys and values to whoever reads it.
///
/// # What holds
/// - It has a connection of its own, apart from all others. Dropping it closes that.
/// - It is read ahead by 64 lines. Who reads slower than the node works makes lines gather there: a node ends the connection
///   of a client whose replies grow too large (`client-output-buffer-limit`).
/// - Nothing is made up for: when the connection ends, the last item is [`Error::Route`] with
///   [`RouteError::MonitorEnded`](crate::error::RouteError::MonitorEnded), or [`Error::Closed`], and then there is none.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// let node = client.nodes()[0].node.clone();
/// let mut monitor = client.monitor(&node).await?;
/// while let Some(line) = monitor.next().await {
///     // 1339518083.107412 [0 127.0.0.1:60866] "GET" "city"
///     println!("{}: {}", monitor.node(), truename::Untrusted(&line?));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Monitor {
    node: Endpoint,
    lines: Lines,
}

/// Without what it has read.
impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Client {
    /// Has a node, by its announced address, tell what it executes. See the [example](Monitor#examples).
    ///
    /// # Errors
    /// After the time of an ordinary command ([`Config::command_timeout`](crate::Config::command_timeout)) [`Error::Timeout`];
    /// [`Error::Connect`], [`Error::Server`] where the user may not do it, and
    /// [`RouteError::NoSuchNode`](crate::error::RouteError::NoSuchNode).
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn monitor(&self, node: &Endpoint) -> Result<Monitor, Error> {
        Ok(Monitor { node: node.clone(), lines: self.router().monitor(node).await? })
    }
}

impl Monitor {
    /// The next line; waits for as long as the node executes nothing. See the [example](Monitor#examples).
    ///
    /// # Cancel safety
    /// No line is lost.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        self.lines.recv().await
    }

    /// The node. See the [example](Monitor#examples).
    #[must_use]
    pub fn node(&self) -> &Endpoint {
        &self.node
    }
}

impl Stream for Monitor {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lines.poll_recv(cx)
    }
}
