//! The request path: from a command to its final outcome, on the caller's own task.
//!
//! [`Router::execute`] is the loop; it decides nothing. Where a command goes is `Router::resolve`, by an immutable
//! snapshot; what an outcome means is [`judge`]. Nothing here waits for another command, another node or the
//! topology worker, except for a node that only a redirect has named so far.
//!
//! Invariants: everything happens inside the command's own deadline; a command whose fate is unknown is sent
//! again only if it is repeatable; `ASKING` and its command are one unit on one lane.

mod attempts;
mod judge;
mod read_from;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Redirect, Slot};

use attempts::Attempts;
pub(crate) use judge::is_refusal;
use judge::{Habits, Verdict, judge};
pub use read_from::ReadFrom;

use crate::cluster::{Cluster, Node, Topology};
use crate::command::{BlockTime, Command, Flags, Spec};
use crate::config::FOREVER;
use crate::connection::{CloseCause, Failure, Lane, terms};
use crate::error::{Error, RouteError};
use crate::event::Event;
use crate::from_reply::FromReply;
use crate::observe;

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// A command with what the table knows of it.
#[derive(Clone, Copy)]
struct Request<'r, 'a> {
    command: &'r Command<'a>,
    spec: Option<&'static Spec>,
    slot: Option<Slot>,
    /// How long the server may hold the reply back; such a command gets a connection of its own.
    blocks: Option<Duration>,
}

impl<'r, 'a> Request<'r, 'a> {
    #[inline]
    fn new(command: &'r Command<'a>, is_single: bool) -> Result<Self, Error> {
        let spec = command.spec();
        if spec.is_some_and(|spec| spec.flags.contains(Flags::STATEFUL)) {
            let command = command.name().to_owned();
            return Err(Error::Route(Box::new(RouteError::ConnectionState { command })));
        }
        if spec.is_some_and(Spec::concerns_many_nodes) && !command.is_routed() && !is_single {
            let command = command.name().to_owned();
            return Err(Error::Route(Box::new(RouteError::SeveralNodes { command })));
        }
        Ok(Self { command, spec, slot: command.slot(spec), blocks: blocking_time(command, spec) })
    }

    fn is_read(&self) -> bool {
        self.blocks.is_none() && self.spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY))
    }

    fn habits(&self, attempts: &Attempts) -> Habits {
        let name = self.spec.map_or("", |spec| spec.name);
        Habits {
            repeatable: self.command.may_repeat(self.spec),
            harmless_late: self.command.is_said_repeatable()
                || self.spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY)),
            compound: matches!(
                name,
                "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" | "EXEC"
            ),
            was_bystander: attempts.was_bystander(),
        }
    }
}

/// Where the next attempt goes.
struct Destination {
    node: Arc<Node>,
    asking: bool,
}

/// Runs commands against the cluster's current topology.
#[derive(Debug)]
pub(crate) struct Router {
    cluster: Arc<Cluster>,
}

impl Router {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
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
            let request = Request::new(&command, self.cluster.is_single())?;
            let (timeout, patience) = self.times(&request);
            let mut attempts = Attempts::new(Instant::now(), timeout);
            // What is rare is boxed: thousands of calls in flight should be small, and these paths are long.
            let mut destination = match self.choose(&request, true) {
                Some(node) => Destination { node, asking: false },
                None => Box::pin(self.resolve(&request, &mut attempts)).await?,
            };
            loop {
                let Destination { node, asking } = destination;
                let now = attempts.begin();
                let exclusive = request.blocks.map(|_| node.exclusive());
                let lane = exclusive.as_deref().unwrap_or_else(|| node.lane(request.slot));
                let outcome = submit(lane, &command, asking, (now, attempts.deadline(), patience)).await;
                if let (Some(exclusive), Ok(_)) = (exclusive, &outcome) {
                    exclusive.give_back();
                }
                let verdict = judge(&outcome, || request.habits(&attempts), node.endpoint().host());
                if verdict == Verdict::Done {
                    return match attempts.answer(outcome, &node, request.slot) {
                        Ok(reply) => Ok(T::from_reply(reply)?),
                        Err(error) => Err(self.note_error(error)),
                    };
                }
                attempts.note(&node, &outcome);
                self.note_demotion(&node, &outcome);
                destination = Box::pin(self.follow(verdict, outcome, &request, &mut attempts)).await?;
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

    /// An error reply that ends a script may tell as much about the topology as one that is waited for.
    #[cold]
    fn note_error(&self, error: Error) -> Error {
        if matches!(&error, Error::Server(error) if error.is_refusal()) {
            self.cluster.signals.refresh();
        }
        error
    }

    /// The name of a single server leads to a primary; where it answers as a replica, it may lead elsewhere by now.
    #[cold]
    fn note_demotion(&self, node: &Node, outcome: &Result<Reply, Failure>) {
        let code = outcome.as_ref().ok().and_then(Reply::as_error).map(|error| error.code());
        if self.cluster.is_single() && matches!(code, Some("READONLY" | "MASTERDOWN")) {
            node.reconnect_after_drain();
        }
    }

    /// Everything but the plain answer.
    #[cold]
    async fn follow(
        &self,
        verdict: Verdict,
        outcome: Result<Reply, Failure>,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        let followed = self.act_on(verdict, outcome, request, attempts).await;
        followed.map_err(|error| attempts.admit(error, request.slot))
    }

    async fn act_on(
        &self,
        verdict: Verdict,
        outcome: Result<Reply, Failure>,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        match verdict {
            Verdict::Moved(redirect) => {
                observe::redirected("moved");
                self.note_redirect(&redirect, attempts);
                self.cluster.signals.moved(redirect.slot(), redirect.to());
                self.redirected(redirect.to(), false, request, attempts).await
            }
            Verdict::Ask(redirect) => {
                observe::redirected("ask");
                self.note_redirect(&redirect, attempts);
                if let Redirect::Ask { to, .. } = &redirect
                    && self.cluster.topology().node_at(to).is_none()
                {
                    self.cluster.signals.asked(to);
                }
                self.redirected(redirect.to(), true, request, attempts).await
            }
            Verdict::Wait => {
                observe::resent("refused");
                self.cluster.signals.refresh();
                attempts.back_off(request.slot).await?;
                self.resolve(request, attempts).await
            }
            Verdict::Resend => {
                observe::resent("unanswered");
                if !was_recalled(&outcome) {
                    self.cluster.signals.refresh();
                }
                attempts.pause_before_resend(&outcome, request.slot).await?;
                self.resolve(request, attempts).await
            }
            Verdict::Interrupted => Err(attempts.interrupted(&outcome, request.slot)),
            Verdict::TimedOut | Verdict::Done => Err(attempts.timed_out(&outcome, request.slot)),
        }
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

    fn note_redirect(&self, redirect: &Redirect, attempts: &Attempts) {
        let from = attempts.node();
        self.cluster.signals.emit(|| Event::Redirected { from, redirect: redirect.clone() });
    }

    /// Follows a redirect, unless it goes round in circles: then backs off and routes anew.
    async fn redirected(
        &self,
        to: &Endpoint,
        asking: bool,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        if attempts.redirect(request.slot)? {
            attempts.back_off(request.slot).await?;
            return self.resolve(request, attempts).await;
        }
        match self.cluster.node_soon(to, attempts.deadline()).await {
            Some(node) => Ok(Destination { node, asking }),
            None => {
                attempts.back_off(request.slot).await?;
                self.resolve(request, attempts).await
            }
        }
    }

    /// Chooses the node by the current snapshot; `None` while the slot has no owner. Once a replica refused, as it does
    /// while it loads or lost its primary, preferences that allow for the primary mean the primary.
    #[inline]
    fn choose(&self, request: &Request<'_, '_>, replicas_serve: bool) -> Option<Arc<Node>> {
        let topology = self.cluster.topology();
        match request.slot {
            Some(slot) => self.node_of(&topology, slot, request, replicas_serve).cloned(),
            None => any_primary(&topology),
        }
    }

    /// Chooses the node, and waits while the slot has no owner.
    async fn resolve(
        &self,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        loop {
            if let Some(node) = self.choose(request, !attempts.was_refused()) {
                return Ok(Destination { node, asking: false });
            }
            if self.cluster.is_closed() {
                return Err(Error::Closed);
            }
            if self.cluster.topology().nodes().is_empty() {
                return Err(Error::Route(Box::new(RouteError::NoNodes)));
            }
            self.cluster.signals.refresh();
            if let Err(error) = attempts.back_off(request.slot).await {
                return Err(match request.slot {
                    Some(slot) => Error::Route(Box::new(RouteError::Unassigned { slot })),
                    None => error,
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
    lane.submit(terms(now, deadline, patience, u8::from(asking)), move |out: &mut BytesMut| {
        if asking {
            out.extend_from_slice(ASKING);
        }
        command.encode(out);
    })
}

/// Whether the command was given back because there is a newer topology to route it by.
fn was_recalled(outcome: &Result<Reply, Failure>) -> bool {
    matches!(outcome, Err(Failure::Unsent(cause)) if matches!(**cause, CloseCause::Recalled))
}

/// How long the server may hold the reply back; `None` for commands that it answers at once.
#[inline]
fn blocking_time(command: &Command<'_>, spec: Option<&'static Spec>) -> Option<Duration> {
    spec.filter(|spec| spec.flags.contains(Flags::BLOCKING)).and_then(|spec| time_blocked(command, spec))
}

fn time_blocked(command: &Command<'_>, spec: &'static Spec) -> Option<Duration> {
    if !spec.blocks(command) {
        return None;
    }
    Some(match spec.block_time(command) {
        Some(BlockTime::AtMost(time)) => time.min(FOREVER),
        Some(BlockTime::Forever) => FOREVER,
        None => Duration::ZERO,
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
