//! The request path: from a command to its final outcome, on the caller's own task.
//!
//! | part | what it is |
//! |---|---|
//! | [`request`] | a command with what is known about it |
//! | [`directory`] | what servers say about commands that the table lacks |
//! | [`judge`] | what an outcome means: a pure decision |
//! | [`follow`] | acting on it |
//! | [`blocking`] | an attempt of a command that waits on the server |
//! | [`attempts`] | the trail of one command |
//! | [`read_from`] | which node of a shard serves reads |
//!
//! [`Router::execute`] is the loop; it decides nothing. Where a command goes is decided by `Router::resolve`, from an
//! immutable snapshot. Nothing here waits for another command, another node or the topology worker, except for a node
//! that only a redirect has named so far, and after an answer that proves nothing.
//!
//! Invariants: everything happens inside the command's own deadline; a command whose fate is unknown is sent
//! again only if it changes nothing or the user allowed it; `ASKING` and its command are one unit on one lane; no reply of a
//! compound command leads to a node that only the reply names.

mod attempts;
mod blocking;
mod directory;
mod follow;
mod judge;
mod read_from;
mod request;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::Slot;

use attempts::Attempts;
use directory::{Directory, Says};
use judge::Setback;
use request::Request;

use crate::cluster::{Cluster, Node, Topology};
use crate::command::Command;
use crate::config::ReadFrom;
use crate::error::{Error, RouteError};
use crate::from_reply::FromReply;
use crate::lane::{Failure, Lane, request_limits};

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// Where the next attempt goes.
struct Destination {
    node: Arc<Node>,
    asking: bool,
}

/// Runs commands against the cluster's current topology.
#[derive(Debug)]
pub(crate) struct Router {
    cluster: Arc<Cluster>,
    directory: Directory,
}

impl Router {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, directory: Directory::default() }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Runs one command to its final outcome.
    ///
    /// Each round is one attempt: submit, judge, follow. Dropping the future at any point leaves a command that
    /// was submitted to be executed; its reply is discarded.
    ///
    /// The reply is converted here, too: another future around this one would cost as much as finding the slot.
    #[expect(clippy::manual_async_fn, reason = "it would keep the command twice in every call in flight")]
    pub(crate) fn execute<T: FromReply>(
        &self,
        command: Command<'_>,
    ) -> impl Future<Output = Result<T, Error>> {
        async move {
            let (mut request, slot) = Request::new(&command, self.cluster.is_single())?;
            let (timeout, mut patience) = self.times(&request);
            let mut attempts = Attempts::new(Instant::now(), timeout, slot);
            // What is rare is boxed: thousands of calls in flight should be small, and these paths are long.
            if request.spec.is_none() {
                if !self.recall(&mut request, &mut attempts)? {
                    Box::pin(self.ask_about(&mut request, &mut attempts)).await?;
                }
                if request.blocks.is_some() {
                    patience = patience.max(timeout);
                }
            }
            let mut destination = match self.choose(&request, &attempts) {
                Some(node) => Destination { node, asking: false },
                None => Box::pin(self.resolve(&request, &mut attempts)).await?,
            };
            loop {
                let now = attempts.begin();
                let outcome = if request.blocks.is_some() {
                    let attempt = self.attempt_blocking(&destination, &request, &attempts, patience);
                    Box::pin(attempt).await.map_err(|error| attempts.admit(error))?
                } else {
                    let lane = destination.node.lane(attempts.slot);
                    let times = (now, attempts.deadline(), patience);
                    submit(lane, &command, destination.asking, times).await
                };
                let node = destination.node;
                let setback = match Setback::or_value(outcome) {
                    Ok(value) => return Ok(T::from_reply(value)?),
                    Err(setback) => setback,
                };
                destination = Box::pin(self.follow(setback, node, &mut request, &mut attempts)).await?;
            }
        }
    }

    /// Uses what is already known of a command that the table lacks. False if a server must be asked.
    #[inline(never)]
    fn recall(&self, request: &mut Request<'_, '_>, attempts: &mut Attempts) -> Result<bool, Error> {
        let Some(says) = self.directory.known(request.command) else { return Ok(false) };
        if let Says::Described(learned) = says {
            request.learn(&learned, self.cluster.is_single(), attempts)?;
        }
        Ok(true)
    }

    /// Asks a server about a command that the table lacks.
    #[cold]
    async fn ask_about(&self, request: &mut Request<'_, '_>, attempts: &mut Attempts) -> Result<(), Error> {
        // First the node that the command would go to: trouble at another node must not delay it.
        let mut first = self.choose(request, attempts).filter(|node| node.is_up());
        loop {
            // Without a node to ask, the command fails by itself.
            let node = first.take().or_else(|| any_primary(&self.cluster.topology()));
            let Some(node) = node else { return Ok(()) };
            let says = self.directory.ask(request.command, &node, attempts.deadline()).await;
            match says {
                Some(Says::Described(learned)) => {
                    return request.learn(&learned, self.cluster.is_single(), attempts);
                }
                Some(Says::NoSuchCommand | Says::Nothing) => return Ok(()),
                None => attempts.back_off().await?,
            }
        }
    }

    /// How long a command may take, and how long the server may be silent meanwhile.
    #[inline]
    fn times(&self, request: &Request<'_, '_>) -> (Duration, Duration) {
        let timing = &self.cluster.timing;
        let blocks = request.blocks.unwrap_or_default();
        let own = request.command.own_timeout();
        // The server counts from later on, and takes its time to notice that the time is over.
        (
            own.unwrap_or(timing.command + blocks),
            own.map_or(timing.stall + blocks, |own| timing.stall.max(own)),
        )
    }

    fn node_of<'t>(
        &self,
        topology: &'t Topology,
        slot: Slot,
        request: &Request<'_, '_>,
        replicas_serve: bool,
    ) -> Option<&'t Arc<Node>> {
        let read_from = &self.cluster.read_from;
        let wants_replica = *read_from == ReadFrom::Replica || replicas_serve;
        if *read_from == ReadFrom::Primary || !wants_replica || !request.is_read() {
            return topology.primary(slot);
        }
        read_from.choose(topology, topology.map().shard(slot)?)
    }

    /// Chooses the node from the current snapshot; `None` while the slot has no owner. Once a replica refused, as it
    /// does while it loads or lost its primary, preferences that allow for the primary mean the primary.
    #[inline]
    fn choose(&self, request: &Request<'_, '_>, attempts: &Attempts) -> Option<Arc<Node>> {
        let topology = self.cluster.topology();
        match attempts.slot {
            Some(slot) => self.node_of(&topology, slot, request, !attempts.was_refused()).cloned(),
            None => match request.command.named_node() {
                Some(node) => topology.node_at(node).cloned(),
                None => any_primary(&topology),
            },
        }
    }

    /// Chooses the node, and waits while the slot has no owner.
    async fn resolve(
        &self,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        loop {
            if let Some(node) = self.choose(request, attempts) {
                return Ok(Destination { node, asking: false });
            }
            if self.cluster.is_closed() {
                return Err(Error::Closed);
            }
            if self.cluster.topology().nodes().is_empty() {
                return Err(Error::Route(Box::new(RouteError::NoNodes)));
            }
            self.cluster.signals.refresh();
            if let Err(error) = attempts.back_off().await {
                return Err(match (attempts.slot, request.command.named_node()) {
                    (Some(slot), _) => Error::Route(Box::new(RouteError::Unassigned { slot })),
                    (None, Some(node)) => {
                        Error::Route(Box::new(RouteError::NoSuchNode { node: node.clone() }))
                    }
                    (None, None) => error,
                });
            }
        }
    }
}

/// One attempt. Apart from its caller, which is compiled anew for every type of reply.
fn submit<'a>(
    lane: &'a Lane,
    command: &'a Command<'_>,
    asking: bool,
    (now, deadline, patience): (Instant, Instant, Duration),
) -> impl Future<Output = Result<Reply, Failure>> {
    lane.submit(request_limits(now, deadline, patience, u8::from(asking)), move |out: &mut BytesMut| {
        if asking {
            out.extend_from_slice(ASKING);
        }
        command.encode(out);
    })
}

/// A primary drawn at random: a connected one if there is any.
fn any_primary(topology: &Topology) -> Option<Arc<Node>> {
    let count = topology.primaries().len();
    let drawn = topology.primaries().nth(fastrand::usize(..count.max(1)))?;
    if drawn.is_up() {
        return Some(drawn.clone());
    }
    Some(topology.primaries().find(|node| node.is_up()).unwrap_or(drawn).clone())
}
