//! The cluster as one client sees it.
//!
//! | part | what it is |
//! |---|---|
//! | [`topology`], [`store`] | the immutable snapshot that callers route by; who may replace it |
//! | [`node`] | a node with its lanes; survives snapshots |
//! | [`found_out`] | what a node was found to take |
//! | [`exclusive`] | connections for one user at a time, such as a command that waits on the server |
//! | [`room`] | how many of them there may be, and the waiting line for one |
//! | [`gate`] | when one more of them may be dialled |
//! | [`tenure`] | whether a node still has the slot that a command waits on |
//! | [`start`] | the first answer of a seed, and what follows from it |
//! | [`outset`] | whether the cluster is found, and waiting for that |
//! | [`warm_up`] | connecting to the primaries at the start |
//! | [`calls`], [`count`] | when calls are taken, and ending in good order; counting |
//! | [`worker`] | the only writer of the snapshot until the client is closed |
//! | [`hint`] | hints of the engine to the worker, merged |
//! | [`discover`] | asking nodes for their views |
//! | [`views`] | the answers of one refresh, and what follows from them |
//! | [`publish`] | putting another snapshot in the place of the current one |
//! | [`ask`] | whom to ask for a view, and for how long to wait |
//! | [`refresh`] | one refresh, and what becomes of the answers |
//! | [`vote`], [`start_vote`] | which cluster is meant, where addresses lead to several; whether that is still asked |
//! | [`own_views`], [`whereabouts`] | asking one node for its own view, and what it thinks of a slot |
//!
//! Invariants: callers never wait for a refresh; seeds are kept for ever; the topology is asked for on
//! connections of its own; every view after the first is adopted only as `reconcile` says.

mod ask;
mod calls;
mod count;
mod discover;
mod exclusive;
mod found_out;
mod gate;
mod hint;
mod node;
mod outset;
mod own_views;
mod publish;
mod refresh;
mod room;
mod start;
mod start_vote;
mod store;
mod tenure;
mod topology;
mod views;
mod vote;
mod warm_up;
mod whereabouts;
mod worker;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;
use tokio::time::Instant;
use truename_resp::Limits;
use truename_topology::{AnnouncedNode, Endpoint, Role, SlotMap};

use count::Count;
pub(crate) use count::Counted;
pub(crate) use discover::{SLOTS, SourceAnswer, read_slots};
pub(crate) use exclusive::{ExclusiveLane, ExclusiveRefusal};
use hint::HintQueue;
pub(crate) use node::Node;
use node::NodeFactory;
use outset::Outset;
use own_views::OwnViews;
use store::{Mode, TopologyStore};
pub(crate) use topology::Topology;

use crate::clock;
use crate::config::{OnOrphan, ReadFrom, Timing};
use crate::connect::{Connector, Target};
use crate::error::{Error, NodeFailure};
use crate::event::{EventBus, Events};
use crate::runtime::off_the_runtime;
use crate::tls::{Tls, TlsContext};

/// How long a caller waits for the worker to make a node that a redirect named, or to act on another hint.
const NODE_SOON: std::time::Duration = std::time::Duration::from_millis(500);

/// Shared by a client's clones, its worker and nobody else.
#[derive(Debug)]
pub(crate) struct Cluster {
    store: TopologyStore,
    factory: NodeFactory,
    pub(crate) hints: Arc<HintQueue>,
    pub(crate) bus: EventBus,
    seeds: Vec<Endpoint>,
    /// The seed whose answer is current.
    current_seed: ArcSwap<Endpoint>,
    pub(crate) timing: Timing,
    pub(crate) read_from: ReadFrom,
    own_views: OwnViews,
    /// Whether the user said that writes of unknown fate are sent again.
    pub(crate) repeats_writes: bool,
    /// Who takes replies that nobody waits for.
    pub(crate) on_orphan: Option<OnOrphan>,
    /// Calls under way that no lane shows.
    calls: Count,
    outset: Outset,
}

impl Cluster {
    /// Uses other TLS options from now on. Connections that they refuse end, including those that are kept for
    /// refreshes: the next one is started.
    pub(crate) async fn replace_tls(&self, tls: Tls) -> Result<(), Error> {
        let connector = self.factory.connector.clone();
        off_the_runtime(&self.factory.runtime, move || connector.replace_tls(TlsContext::build(tls)?))
            .await?;
        self.hints.refresh();
        Ok(())
    }

    /// The current snapshot. The guard must not be held across an await.
    pub(crate) fn topology(&self) -> Guard<Arc<Topology>> {
        self.store.load()
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        self.store.mode()
    }

    #[inline]
    pub(crate) fn is_single(&self) -> bool {
        self.mode().is_single()
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(&self.bus)
    }

    /// Runs something on the client's runtime, whoever calls.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.factory.runtime.spawn(task);
    }

    /// Changes when the client is closed; its sender goes with the client.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.store.closing()
    }

    pub(crate) fn connector(&self) -> Arc<Connector> {
        self.factory.connector.clone()
    }

    /// What replies to commands may cost.
    pub(crate) fn reply_limits(&self) -> Limits {
        self.factory.options.driver.limits
    }

    /// Waits until the client is closed.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as this does.
        let _ = self.store.closing().wait_for(|is_closed| *is_closed).await;
    }

    /// Ends the worker and all connections; commands fail from now on.
    pub(crate) fn close(&self) {
        let nothing = Topology::new(SlotMap::empty(), &self.factory, &self.current_seed());
        self.store.close(nothing);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.store.is_closed()
    }

    /// The node at a raw announced address; one that a redirect named a moment ago is waited for.
    pub(crate) async fn node_soon(&self, endpoint: &Endpoint, deadline: Instant) -> Option<Arc<Node>> {
        let deadline = deadline.min(Instant::now() + NODE_SOON);
        let mut versions = self.store.versions();
        loop {
            if let Some(node) = self.topology().node_at(endpoint) {
                return Some(node.clone());
            }
            clock::timeout_at(deadline, versions.changed()).await?.ok()?;
        }
    }

    /// Waits until a refresh has confirmed what redirects made of the topology, or time is up. True if it had to wait.
    pub(crate) async fn await_confirmation(&self, deadline: Instant) -> bool {
        let mut versions = self.store.versions();
        let mut waited = false;
        while self.topology().is_patched() && Instant::now() < deadline {
            waited = true;
            // A refresh that failed changes nothing, and another one is to follow.
            self.hints.refresh();
            let until = deadline.min(Instant::now() + NODE_SOON);
            let _ = clock::timeout_at(until, versions.changed()).await;
        }
        waited
    }

    /// Why the target of a redirect would not be dialled, if no map names it either: it is out of scope.
    pub(crate) fn refuses_to_dial(&self, to: &Endpoint) -> Option<Box<NodeFailure>> {
        if self.topology().node_at(to).is_some() {
            return None;
        }
        let announced = AnnouncedNode::new(to.clone(), Role::Primary);
        self.factory.connector.refuses_to_dial(&Target::announced(&announced, &self.current_seed()))
    }

    fn current_seed(&self) -> Endpoint {
        Endpoint::clone(&self.current_seed.load())
    }
}
