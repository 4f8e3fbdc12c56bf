//! The cluster as one client sees it.
//!
//! | part | what it is |
//! |---|---|
//! | [`topology`] | the immutable snapshot that callers route by |
//! | [`node`] | a node with its lanes; survives snapshots |
//! | [`exclusive`] | connections for one user at a time, such as a command that waits on the server |
//! | [`room`] | how many of them there may be, and the waiting line for one |
//! | [`gate`] | when one more of them may be dialled |
//! | [`tenure`] | whether a node still has the slot that a command waits on |
//! | [`warm_up`] | connecting to the primaries at the start |
//! | [`worker`] | the only writer of the snapshot |
//! | [`hint`] | hints of the engine to the worker, merged; and the events |
//! | [`discover`] | asking nodes for their views |
//! | [`views`] | the answers of one refresh, and what follows from them |
//! | [`refresh`] | whom to ask, and what becomes of the answers |
//! | [`vote`] | which cluster is meant, where addresses lead to several |
//! | [`whereabouts`] | asking one node what it thinks of a slot |
//!
//! Invariants: callers never wait for a refresh; seeds are kept for ever; the topology is asked for on
//! connections of its own; a view is adopted only after `reconcile` agreed.

mod discover;
mod exclusive;
mod gate;
mod hint;
mod node;
mod refresh;
mod room;
mod tenure;
mod topology;
mod views;
mod vote;
mod warm_up;
mod whereabouts;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use truename_topology::{AnnouncedNode, Endpoint, Role, SlotMap};

pub(crate) use discover::{Answer, NodeView, ask_seeds, slots};
pub(crate) use exclusive::{ExclusiveLane, Refusal};
use hint::Signals;
pub(crate) use node::Node;
use node::NodeFactory;
pub(crate) use topology::Topology;
use vote::StartVote;

use crate::clock;
use crate::config::{Config, ReadFrom, Timing};
use crate::connection::{Connector, Habit, LaneOptions, Room, Target};
use crate::error::{Cause, Error, NodeFailure};
use crate::event::Events;
use crate::runtime::{off_the_runtime, runtime_here};
use crate::tls::{Tls, TlsContext};

/// How long a caller waits for the worker to make a node that a redirect named.
const NODE_SOON: std::time::Duration = std::time::Duration::from_millis(500);
/// Pause between questions to a cluster that is still forming or loading.
const FORMING_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Shared by a client's clones, its worker and nobody else.
#[derive(Debug)]
pub(crate) struct Cluster {
    topology: ArcSwap<Topology>,
    /// Held while a snapshot is published: nothing follows the empty one of a closed client.
    storing: Mutex<()>,
    version: watch::Sender<u64>,
    factory: NodeFactory,
    pub(crate) signals: Arc<Signals>,
    seeds: Vec<Endpoint>,
    /// The seed whose answer is current.
    authority: ArcSwap<Endpoint>,
    vote: StartVote,
    /// As the snapshot says; here for callers who need nothing else from it.
    is_single: AtomicBool,
    pub(crate) timing: Timing,
    pub(crate) read_from: ReadFrom,
    own_views: whereabouts::OwnViews,
    /// Whether the user said that writes of unknown fate are sent again.
    pub(crate) repeats_writes: bool,
}

impl Cluster {
    /// Finds the cluster through its seeds and connects to the primaries, within the connect time-out.
    pub(crate) async fn connect(config: &Config) -> Result<Arc<Self>, Error> {
        let runtime = runtime_here()?;
        clock::start()
            .map_err(|error| Error::config(format!("no thread for the client's clock: {error}")))?;
        let started = Instant::now();
        let deadline = started + config.timing.connect;
        // Loading the system's roots reads files.
        let owned = config.clone();
        let connector = off_the_runtime(&runtime, move || Connector::build(&owned)).await?;
        let connector = Arc::new(connector);
        let first = first_view(&connector, &config.seeds, deadline)
            .await
            .map_err(|failures| Error::connect(failures, started.elapsed()))?;

        let seed = first.source.seed.clone();
        let signals = Arc::new(Signals::new());
        let factory = NodeFactory {
            runtime,
            connector,
            signals: signals.clone(),
            lanes: config.lanes_per_node,
            max_exclusive: config.max_exclusive_connections,
            options: LaneOptions::new(
                Room { commands: config.max_in_flight, bytes: config.max_queued_bytes },
                config.timing.keepalive,
                Habit { stall: config.timing.stall, usual: config.timing.command },
                config.reply_limits,
            ),
        };
        let (topology, is_single) = match &first.answer {
            Answer::View(view) => (Topology::new(SlotMap::from_view(view), &factory, &seed), false),
            Answer::NotACluster => (Topology::single(&factory, &seed), true),
        };
        let cluster = Arc::new(Self {
            topology: ArcSwap::from_pointee(topology),
            storing: Mutex::new(()),
            version: watch::Sender::new(0),
            factory,
            signals,
            seeds: config.seeds.clone(),
            authority: ArcSwap::from_pointee(seed),
            vote: StartVote::default(),
            is_single: AtomicBool::new(is_single),
            timing: config.timing,
            read_from: config.read_from.clone(),
            own_views: whereabouts::OwnViews::default(),
            repeats_writes: config.repeats_writes,
        });
        cluster.warm_up(started, deadline).await?;
        if cluster.read_from.uses_replicas() {
            // Replicas are connected to as well, but nobody waits for them.
            cluster.topology().nodes().iter().for_each(|node| node.warm_up());
        }
        cluster.open_vote();
        tokio::spawn(worker::run(Arc::downgrade(&cluster)));
        Ok(cluster)
    }

    /// Uses other TLS options from now on. Connections that they refuse end, including those that are kept for
    /// refreshes: the next one is started.
    pub(crate) async fn replace_tls(&self, tls: Tls) -> Result<(), Error> {
        let connector = self.factory.connector.clone();
        off_the_runtime(&self.factory.runtime, move || connector.replace_tls(TlsContext::build(tls)?))
            .await?;
        self.signals.refresh();
        Ok(())
    }

    /// The current snapshot. The guard must not be held across an await.
    pub(crate) fn topology(&self) -> Guard<Arc<Topology>> {
        self.topology.load()
    }

    pub(crate) fn is_single(&self) -> bool {
        self.is_single.load(Ordering::Relaxed)
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(self.signals.listen())
    }

    /// Ends the worker and all connections; commands fail from now on.
    pub(crate) fn close(&self) {
        let nothing = Topology::new(SlotMap::empty(), &self.factory, &self.authority());
        let storing = self.storing.lock();
        self.signals.close();
        self.put_in_force(nothing);
        drop(storing);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.signals.is_closed()
    }

    /// The node at a raw announced address; one that a redirect named a moment ago is waited for.
    pub(crate) async fn node_soon(&self, endpoint: &Endpoint, deadline: Instant) -> Option<Arc<Node>> {
        let deadline = deadline.min(Instant::now() + NODE_SOON);
        let mut version = self.version.subscribe();
        loop {
            if let Some(node) = self.topology().node_at(endpoint) {
                return Some(node.clone());
            }
            clock::timeout_at(deadline, version.changed()).await?.ok()?;
        }
    }

    /// Why the target of a redirect would not be dialled, if no map names it either: it is out of scope.
    pub(crate) fn refuses_to_dial(&self, to: &Endpoint) -> Option<Box<NodeFailure>> {
        if self.topology().node_at(to).is_some() {
            return None;
        }
        let announced = AnnouncedNode::new(to.clone(), Role::Primary);
        self.factory.connector.refuses_to_dial(&Target::announced(&announced, &self.authority()))
    }

    /// There is nobody to ask besides an only seed.
    fn open_vote(&self) {
        if self.seeds.len() > 1 {
            self.vote.open();
        }
    }

    fn authority(&self) -> Endpoint {
        Endpoint::clone(&self.authority.load())
    }

    /// Publishes a snapshot, unless the client was closed.
    fn store(&self, topology: Topology) {
        let _storing = self.storing.lock();
        if !self.is_closed() {
            self.put_in_force(topology);
        }
    }

    fn put_in_force(&self, topology: Topology) {
        self.is_single.store(topology.is_single(), Ordering::Relaxed);
        self.topology.store(Arc::new(topology));
        self.version.send_modify(|version| *version += 1);
    }
}

/// The first usable answer of a seed. A cluster that is still forming or loading is asked again.
async fn first_view(
    connector: &Connector,
    seeds: &[Endpoint],
    deadline: Instant,
) -> Result<NodeView, Vec<NodeFailure>> {
    loop {
        let failures = match ask_seeds(connector, seeds, deadline).await {
            Ok(view) => return Ok(view),
            Err(failures) => failures,
        };
        let is_forming = failures.iter().any(|f| matches!(f.cause, Cause::Loading | Cause::BadTopology(_)));
        if !is_forming || Instant::now() + FORMING_PAUSE >= deadline {
            return Err(failures);
        }
        tokio::time::sleep(FORMING_PAUSE).await;
    }
}
