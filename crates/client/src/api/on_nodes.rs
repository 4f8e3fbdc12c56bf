//! One command on many nodes, with the reply of each.

use tokio::time::Instant;
use truename_topology::{AnnouncedNode, Endpoint, Role};

use super::client::Client;
use super::decode::decode;
use crate::command::Command;
use crate::error::{Error, RouteError};
use crate::from_reply::FromReply;
use crate::lane::Form;

/// What became of a command at each node, by the node's address as announced. [`Client::on_primaries`] and
/// [`Client::on_all_nodes`] return it.
pub type EachNode<T> = Vec<(Endpoint, Result<T, Error>)>;

impl Client {
    /// Runs a command on every primary; returns what became of it at each, by the node's address as announced.
    ///
    /// For what concerns all shards and has no single reply: `INFO`, `FLUSHALL`, `CONFIG RESETSTAT`, `MEMORY STATS`. What reads
    /// and has a sum or a list for a result (`DBSIZE`, `KEYS`, `SCRIPT EXISTS`), as well as `SCRIPT LOAD` and `FUNCTION LOAD`,
    /// goes to all nodes by itself, with [`execute`](Self::execute).
    ///
    /// The nodes are those of the topology when it is called; each gets the command itself ([`Command::route_to`]), so a node
    /// that is replaced meanwhile is an error, and its successor is not called. Slots that no node serves do not show up.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// for (node, info) in client.on_primaries::<String>(cmd("INFO").arg("memory")).await? {
    ///     let used = info?.lines().find(|line| line.starts_with("used_memory_human:")).map(str::to_owned);
    ///     println!("{node} {used:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Each outcome has its own, as from [`execute`](Self::execute). For the whole, [`Error::Closed`], and [`Error::Route`] if no
    /// node is known.
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute): what was sent is executed.
    pub async fn on_primaries<T: FromReply>(&self, command: Command<'_>) -> Result<EachNode<T>, Error> {
        self.on(|node| node.role == Role::Primary, &command).await
    }

    /// Runs a command on every node, replicas too. Otherwise as [`on_primaries`](Self::on_primaries).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// for (node, outcome) in client.on_all_nodes::<()>(cmd("CONFIG").arg("SET").arg("slowlog-max-len").arg(256)).await? {
    ///     if let Err(error) = outcome {
    ///         eprintln!("{node} is not configured: {error}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Each outcome has its own, as from [`execute`](Self::execute). For the whole, [`Error::Closed`], and [`Error::Route`] if no
    /// node is known.
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute): what was sent is executed.
    pub async fn on_all_nodes<T: FromReply>(&self, command: Command<'_>) -> Result<EachNode<T>, Error> {
        self.on(|_| true, &command).await
    }

    async fn on<T: FromReply>(
        &self,
        is_meant: impl Fn(&AnnouncedNode) -> bool,
        command: &Command<'_>,
    ) -> Result<EachNode<T>, Error> {
        let started = Instant::now();
        let _under_way = self.router().begin_call(command.own_timeout()).await?;
        let topology = self.topology();
        let meant = topology.nodes().iter().filter(|node| is_meant(node));
        let nodes: Vec<Endpoint> = meant.map(|node| node.endpoint.clone()).collect();
        if self.router().cluster().is_closed() {
            return Err(Error::Closed);
        }
        if nodes.is_empty() {
            return Err(Error::Route(Box::new(RouteError::NoNodes)));
        }
        let commands: Vec<_> = nodes.iter().map(|node| command.borrowed().route_to(node)).collect();
        let outcomes = self.router().batch(&commands, started, None, Form::Decoded, false).await;
        let outcomes = outcomes.zip(nodes).map(|(outcome, node)| {
            let place = || (Some(&node), None);
            let value = outcome.and_then(|received| decode(received.into_reply(), command, place));
            (node, value)
        });
        Ok(outcomes.collect())
    }
}
