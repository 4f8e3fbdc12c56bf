//! A node with its lanes. Nodes survive snapshots: a refresh that changes nothing about a node keeps its
//! connections.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use truename_resp::{ErrorReply, Reply, encode};
use truename_topology::{AnnouncedNode, Endpoint, Slot};

use super::count::{Count, Counted};
use super::discover::Source;
use super::exclusive::{ConnectionReport, ExclusiveLane, ExclusivePool, ExclusiveRefusal};
use super::found_out::{FoundOut, RENEW_PAUSE};
use super::hint::HintQueue;
use crate::certificate::now_utc;
use crate::connect::{Connected, ConnectionFacts, Connector, Target};
use crate::error::NodeFailure;
use crate::event::{CERTIFICATE_NOTICE_DAYS, Event, EventBus};
use crate::lane::{
    CloseCause, Failure, Form, Lane, LaneContext, LaneObserver, LaneOptions, LanePhase, LogPushes, Received,
    Unit, request_limits, spawn_connection, spawn_lane,
};
use crate::observe::NodeMeter;

/// For how long the loss of a connection suggests that the topology is about to change.
const FAILOVER_TIME: Duration = Duration::from_secs(30);
/// An exclusive connection that was idle for this many keepalive intervals is closed.
const IDLE_KEEPALIVES: u32 = 3;

/// One node of the topology.
#[derive(Debug)]
pub(crate) struct Node {
    target: Arc<Target>,
    /// Shared with the node's earlier description.
    lanes: Arc<[Lane]>,
    exclusive: Arc<ExclusivePool>,
    /// When the connections were last replaced because the node asked for it.
    renewed: Mutex<Option<Instant>>,
    context: NodeContext,
    _counted: Counted,
}

/// What it takes to make nodes.
#[derive(Debug, Clone)]
pub(crate) struct NodeFactory {
    /// The client's own: connections must not end with the runtime of the caller who needed the first one.
    pub(crate) runtime: Handle,
    pub(crate) connector: Arc<Connector>,
    pub(crate) hints: Arc<HintQueue>,
    pub(crate) bus: EventBus,
    pub(crate) lanes: usize,
    pub(crate) options: LaneOptions,
    pub(crate) max_exclusive: usize,
    /// The nodes that there are, in a topology or not.
    pub(crate) nodes: Count,
}

impl NodeFactory {
    /// A node with idle lanes.
    pub(crate) fn spawn(&self, target: Target) -> Arc<Node> {
        let target = Arc::new(target);
        let context = NodeContext {
            factory: self.clone(),
            lane: LaneContext {
                connector: self.connector.clone(),
                target: Arc::new(ArcSwap::new(target.clone())),
                known: Arc::default(),
                meter: Arc::new(NodeMeter::new(&target.node.endpoint)),
                pushes: Arc::new(LogPushes),
                made: Arc::default(),
            },
            facts: Arc::default(),
            found_out: Arc::default(),
        };
        let lanes = (0..self.lanes).map(|_| context.spawn()).collect();
        let idle_time = self.options.driver.keepalive * IDLE_KEEPALIVES;
        let exclusive = ExclusivePool::new(self.max_exclusive, idle_time, self.runtime.clone());
        let (renewed, _counted) = (Mutex::default(), self.nodes.one());
        Arc::new(Node { target, lanes, exclusive, renewed, context, _counted })
    }
}

/// What every lane of a node is made of.
#[derive(Debug, Clone)]
struct NodeContext {
    factory: NodeFactory,
    lane: LaneContext,
    facts: Arc<Mutex<Option<Arc<ConnectionFacts>>>>,
    found_out: Arc<FoundOut>,
}

impl NodeContext {
    fn observer(&self) -> NodeObserver {
        NodeObserver {
            node: self.lane.target.load().node.endpoint.clone(),
            facts: self.facts.clone(),
            found_out: self.found_out.clone(),
            hints: self.factory.hints.clone(),
            bus: self.factory.bus.clone(),
            connector: self.factory.connector.clone(),
            lost: Mutex::default(),
        }
    }

    fn spawn(&self) -> Lane {
        spawn_lane(&self.factory.runtime, self.lane.clone(), self.factory.options, self.observer())
    }

    fn spawn_exclusive(&self, report: ConnectionReport) -> Lane {
        let observer = ExclusiveObserver { node: self.observer(), report };
        let options = self.factory.options.for_one_user();
        spawn_connection(&self.factory.runtime, self.lane.clone(), options, observer)
    }
}

impl Node {
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.target.node.endpoint
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The node as a source of the topology.
    pub(crate) fn source(&self) -> Source {
        Source { target: Target::clone(&self.target), known: self.context.lane.known.clone() }
    }

    /// Whether this is still the node that a view announces.
    pub(crate) fn is(&self, announced: &AnnouncedNode) -> bool {
        // A node that a redirect introduced has no id yet: what a view says about it is news.
        let tells_news = self.target.node.id.is_none() && announced.id.is_some();
        self.target.node.may_be(announced) && !tells_news && self.target.node.hostname == announced.hostname
    }

    /// The same node as another view describes it, with the same lanes: a lane of its own would overtake what was sent on the
    /// old one. Each connection is replaced, with what the node must prove now, once everything that was sent on it is
    /// answered.
    pub(crate) fn described_anew(&self, target: Target) -> Arc<Self> {
        let target = Arc::new(target);
        self.context.lane.target.store(target.clone());
        self.exclusive.clear();
        self.lanes.iter().for_each(Lane::renew);
        Arc::new(Self {
            target,
            lanes: self.lanes.clone(),
            exclusive: self.exclusive.clone(),
            renewed: Mutex::default(),
            context: self.context.clone(),
            _counted: self.context.factory.nodes.one(),
        })
    }

    /// What was found out about the node since the latest connection was made that callers share.
    pub(crate) fn found_out(&self) -> &FoundOut {
        &self.context.found_out
    }

    /// A slot's connection was left in a mode that only one command wanted, since the node refused what puts it back. Nobody
    /// else is to be served in it: the connection is closed once everything on it is answered, and what is submitted meanwhile
    /// waits for the next one. That is not put off; for a moment it is the mode that is not asked for again
    /// ([`FoundOut::stays_in_mode`]).
    pub(crate) fn leave_mode(&self, slot: Option<Slot>, refusal: ErrorReply) {
        tracing::debug!(node = %self.endpoint(), %refusal, "a connection is being replaced: it cannot be put back");
        self.found_out().note_stays_in_mode(refusal);
        self.lane(slot).renew();
    }

    /// The same where a slot's connection may still queue what is sent on it, since the node refused to end a transaction
    /// ([`FoundOut::stays_queueing`]).
    pub(crate) fn leave_transaction(&self, slot: Option<Slot>, refusal: ErrorReply) {
        tracing::debug!(node = %self.endpoint(), %refusal, "a connection is being replaced: it may be queueing");
        self.found_out().note_stays_queueing(refusal);
        self.lane(slot).renew();
    }

    /// The lane of a slot: always the same one, so that commands of a key keep their order.
    pub(crate) fn lane(&self, slot: Option<Slot>) -> &Lane {
        match self.lanes.len() {
            1 => &self.lanes[0],
            many => &self.lanes[slot.map_or(0, |slot| slot.index() % many)],
        }
    }

    /// Which connection commands without a slot go on, while it is up ([`Lane::connection`]).
    pub(crate) fn connection(&self) -> Option<u64> {
        self.lane(None).connection()
    }

    /// Sends a command of the client's own to the node, on a connection that callers share. It is sent when this is first
    /// polled; a reply that takes longer than `within` counts as none.
    pub(crate) fn ask<'a>(
        &'a self,
        args: &'a [&'a [u8]],
        within: Duration,
    ) -> impl Future<Output = Result<Reply, Failure>> + 'a {
        let now = tokio::time::Instant::now();
        let limits = request_limits(now, now + within, within, Unit::command(Form::Decoded));
        let asking = self.lane(None).submit(limits, |out| encode::put_command(out, args.iter().copied()));
        async { asking.await.map(Received::into_reply) }
    }

    /// A connection for one user, such as a command that waits on the server; waits for room no later than `until`. While
    /// the node's first lane is down, no other connection is dialled either. Cancel safe.
    pub(crate) async fn exclusive(
        &self,
        until: tokio::time::Instant,
    ) -> Result<ExclusiveLane, ExclusiveRefusal> {
        let dial = |report| match self.lanes[0].phase() {
            LanePhase::Down(cause) => Err(cause),
            _ => Ok(self.context.spawn_exclusive(report)),
        };
        self.exclusive.borrow(until, dial).await
    }

    /// Has the node's first connection be one that was made for `made_for`, if it is as good as a new one. Gives it back
    /// otherwise.
    pub(crate) fn adopt(&self, mut connected: Connected, made_for: &Target) -> Option<Connected> {
        let LaneContext { connector, known, made, .. } = &self.context.lane;
        if !connector.adopts(&mut connected, made_for, &self.target, known) {
            return Some(connected);
        }
        made.put(self.target.clone(), connected);
        None
    }

    /// Asks for connections before they are needed.
    pub(crate) fn warm_up(&self) {
        self.lanes.iter().for_each(Lane::warm_up);
    }

    /// Replaces the node's connections: each is closed once everything that was sent on it is answered, the node's name is
    /// looked up again, and what was submitted meanwhile goes to the new connection, in order. Nothing fails because of
    /// it.
    ///
    /// For answers that say "you are connected to the wrong server": `READONLY` or `MASTERDOWN` where the name leads to the
    /// primary (single-node mode), a redirect to the very endpoint that answered (how managed services ask for a new
    /// connection). Does nothing if it was done less than a second ago, so it may be called for every such answer.
    #[cold]
    pub(crate) fn reconnect_after_drain(&self) {
        let now = Instant::now();
        let mut renewed = self.renewed.lock();
        if renewed.is_some_and(|at| now.duration_since(at) < RENEW_PAUSE) {
            return;
        }
        *renewed = Some(now);
        drop(renewed);
        tracing::debug!(node = %self.endpoint(), "its connections are being replaced");
        self.exclusive.clear();
        self.lanes.iter().for_each(Lane::renew);
    }

    /// Waits until the first lane is up or has failed; returns its failures.
    pub(crate) async fn settled(&self) -> Result<(), Vec<NodeFailure>> {
        match self.lanes[0].settled().await {
            LanePhase::Down(cause) => match &*cause {
                CloseCause::Connect(failures) => Err(failures.clone()),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Whether the first lane's attempt to connect is under way.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.lanes[0].phase(), LanePhase::Idle | LanePhase::Connecting)
    }

    /// Whether nobody waits for anything on the lanes.
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }

    /// Whether a lane is connected.
    pub(crate) fn is_up(&self) -> bool {
        self.lanes.iter().any(|lane| matches!(lane.phase(), LanePhase::Open))
    }

    /// Whether reads of a replica's slots can be served on its connection.
    pub(crate) fn is_readable_replica(&self) -> bool {
        self.is_up() && self.facts().is_some_and(|facts| facts.greeting.is_readonly)
    }

    /// Whether a read of a replica's slots may be served on its connection, with `READONLY` before it.
    pub(crate) fn may_be_read_from(&self) -> bool {
        self.is_up() && !self.found_out().has_refused()
    }

    /// What the node said instead of taking `READONLY`, on its latest connection or a while ago.
    pub(crate) fn readonly_refusal(&self) -> Option<String> {
        let refusal = self.facts().and_then(|facts| facts.greeting.readonly_refusal.clone());
        refusal.or_else(|| self.found_out().refusal())
    }

    /// How long the node took for the first exchange of its latest connection.
    pub(crate) fn round_trip(&self) -> Duration {
        self.facts().map_or(Duration::MAX, |facts| facts.round_trip)
    }

    /// The availability zone, from the view or from the node itself.
    pub(crate) fn zone(&self) -> Option<Arc<str>> {
        let announced = self.target().node.availability_zone.clone();
        announced.or_else(|| self.facts()?.greeting.availability_zone.as_deref().map(Arc::from))
    }

    /// Gives back what waits for a connection.
    pub(crate) fn recall(&self) {
        self.lanes.iter().for_each(Lane::recall);
    }

    /// What is known about the node's latest connection.
    pub(crate) fn facts(&self) -> Option<Arc<ConnectionFacts>> {
        self.context.facts.lock().clone()
    }
}

struct NodeObserver {
    node: Endpoint,
    facts: Arc<Mutex<Option<Arc<ConnectionFacts>>>>,
    found_out: Arc<FoundOut>,
    hints: Arc<HintQueue>,
    bus: EventBus,
    connector: Arc<Connector>,
    /// When the connection was lost, or could not be made for the first time.
    lost: Mutex<Option<Instant>>,
}

impl LaneObserver for NodeObserver {
    fn connected(&self, facts: &Arc<ConnectionFacts>) {
        *self.facts.lock() = Some(facts.clone());
        // It may be another server, or one that was told otherwise.
        self.found_out.forget();
        self.tell_connected(facts);
    }

    fn disconnected(&self, cause: &Arc<CloseCause>) {
        tracing::debug!(node = %self.node, %cause, "disconnected");
        // A node that stays away for good must not make us ask the others for ever; commands that need it do that.
        if self.lost.lock().get_or_insert_with(Instant::now).elapsed() < FAILOVER_TIME {
            self.hints.refresh();
        }
        self.bus.emit(|| Event::Disconnected { node: self.node.clone(), cause: cause.to_string() });
    }
}

impl NodeObserver {
    fn tell_connected(&self, facts: &Arc<ConnectionFacts>) {
        tracing::debug!(node = %self.node, dialled = ?facts.dialled, identity = ?facts.identity, "connected");
        *self.lost.lock() = None;
        self.bus.emit(|| Event::Connected { node: self.node.clone(), facts: facts.clone() });
        let days_left = facts.certificate.as_ref().map(|certificate| certificate.days_left(now_utc()));
        if let Some(days_left) = days_left.filter(|days| *days < CERTIFICATE_NOTICE_DAYS) {
            self.bus.emit(|| Event::CertificateExpiring { node: self.node.clone(), days_left });
        }
        self.bus.emit_all(|| self.connector.newly_outdated_lists().into_iter().map(Event::from));
    }
}

/// Observes an exclusive connection.
struct ExclusiveObserver {
    node: NodeObserver,
    report: ConnectionReport,
}

impl LaneObserver for ExclusiveObserver {
    fn connected(&self, facts: &Arc<ConnectionFacts>) {
        self.report.connected(facts);
        // What was said on it is not what is said on those that all callers share.
        self.node.facts.lock().get_or_insert_with(|| facts.clone());
        self.node.tell_connected(facts);
    }

    fn disconnected(&self, cause: &Arc<CloseCause>) {
        self.report.disconnected(cause);
        self.node.disconnected(cause);
    }
}
