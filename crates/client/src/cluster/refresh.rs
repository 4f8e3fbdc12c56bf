//! One refresh: which nodes to ask, and what becomes of the answers.
//!
//! - Some nodes that are connected and one seed are asked; if none gives a view, every seed is, and some nodes that are
//!   not connected: the only seed may be the primary that failed, and its replica has no connection yet. What they agree
//!   on is decided by `reconcile`.
//! - **The seeds decide at the start which cluster is meant**: the first one to answer is believed at once, and the
//!   nodes that it named would confirm whatever it said. So the first refreshes ask the seeds alone, until half of them
//!   mean the same cluster. With two of three that agree no liar prevails; two that contradict each other cannot be
//!   told apart.
//! - **A known cluster is left only when it is gone**: before a seed replaces it, all seeds and as many of its nodes as could
//!   outvote them are asked, whether they are connected or not, and waited for.
//! - Usually the views that come within a short time of the first are enough. A single view that names addresses which
//!   nobody knew is not: then every node that was asked is waited for, up to the refresh's deadline.
//! - **A client of a single server** asks every seed. It becomes a client of a cluster as soon as one of them gives a view.
//!   The other way round, nobody must have given a view, and every seed must say that it is not a cluster.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use truename_topology::{Endpoint, Reconciled};

use super::discover::{NodeView, Source, TopologyConnections, ask_several};
use super::views::Views;
use super::{Cluster, Node, Topology};
use crate::error::NodeFailure;
use crate::event::Event;
use crate::observe;

/// How many nodes to ask at a time, besides a seed.
const SOURCES: usize = 3;
/// How long to wait for all whose word decides which cluster is meant.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How long after the start the seeds are asked which cluster is meant, if fewer than half of them answer.
const CONFIRM_WITHIN: Duration = Duration::from_secs(60);
/// How many disagreements one refresh reports; the number of further ones is reported in one sentence.
const MOST_REPORTED: usize = 20;

/// The outcome of a refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refreshed {
    /// The topology differs from the one before.
    pub(super) changed: bool,
    /// The views did not agree: the topology is in motion, or somebody is wrong.
    pub(super) disputed: bool,
}

impl Cluster {
    /// Asks several nodes and adopts what they agree on.
    pub(super) async fn refresh(&self, connections: &mut TopologyConnections) -> Refreshed {
        let connector = &self.factory.connector;
        self.signals.emit_all(|| connector.newly_outdated_lists().into_iter().map(Event::from));
        let current = self.topology.load_full();
        let known = current.cluster_map();
        let mut views = Views::default();
        let is_open = known.is_some() && self.is_open_which_cluster_is_meant();
        if is_open {
            self.ask_every_seed(&mut views, connections).await;
        }
        // What several seeds say needs no confirmation by nodes that one of them named.
        let is_vote = views.len() > 1;
        if known.is_some() && !is_vote {
            self.ask(&self.sources(&current), &current, &mut views, connections).await;
        }
        if views.is_empty() {
            let all: Vec<Source> = self.all_seeds().into_iter().chain(self.unconnected(&current)).collect();
            self.ask(&all, &current, &mut views, connections).await;
        }
        if views.is_empty() {
            connections.end_refresh();
            return Refreshed { changed: self.without_views(&views, &current), disputed: is_open };
        }
        let mut reconciled = if is_vote { views.vote(known) } else { views.reconcile(known) };
        if known.is_some() && !is_vote && views.any_seed_is_foreign(&reconciled) {
            self.call_all_who_decide(&current, &mut views, connections).await;
            reconciled = views.reconcile(known);
        }
        connections.end_refresh();
        self.report(&reconciled, &views);
        let disputed = !reconciled.disagreements.is_empty() || self.is_open_which_cluster_is_meant();
        let seed = reconciled.chosen.and_then(|chosen| views.seed_of(chosen)).cloned();
        let seed = seed.unwrap_or_else(|| self.authority());
        self.authority.store(seed.clone().into());
        let next = current.next(reconciled.map, &self.factory, &seed).of_cluster();
        let changed = self.publish(&current, next);
        if current.is_single() {
            // What a seed said first is put to the vote.
            self.signals.refresh();
        }
        observe::refreshed(if changed { "changed" } else { "unchanged" });
        Refreshed { changed, disputed }
    }

    /// The nodes to ask: some connected ones, drawn at random, and a seed.
    fn sources(&self, topology: &Topology) -> Vec<Source> {
        let mut up: Vec<&Arc<Node>> = topology.nodes().iter().filter(|node| node.is_up()).collect();
        fastrand::shuffle(&mut up);
        let seed = fastrand::choice(&self.seeds).map(Source::seed);
        up.into_iter().take(SOURCES).map(|node| node.source()).chain(seed).collect()
    }

    /// Some nodes that are not connected, drawn at random.
    fn unconnected(&self, topology: &Topology) -> Vec<Source> {
        if topology.is_single() {
            return Vec::new();
        }
        let mut others: Vec<&Arc<Node>> = topology.nodes().iter().filter(|node| !node.is_up()).collect();
        fastrand::shuffle(&mut others);
        others.into_iter().take(SOURCES).map(|node| node.source()).collect()
    }

    fn all_seeds(&self) -> Vec<Source> {
        self.seeds.iter().map(Source::seed).collect()
    }

    /// Until most seeds agreed, or did not answer for a while.
    fn is_open_which_cluster_is_meant(&self) -> bool {
        !self.is_confirmed.load(Ordering::Relaxed) && self.started.elapsed() < CONFIRM_WITHIN
    }

    /// Asks every seed, and waits for a moment until half of them mean the same cluster: then no other one has more.
    async fn ask_every_seed(&self, views: &mut Views, connections: &mut TopologyConnections) {
        let half = self.seeds.len().div_ceil(2);
        let is_decided = |views: &Views| views.vote(None).counted >= half;
        let is_enough = |said: &[NodeView]| is_decided(&Views::of(said));
        let answered = self.ask_until(is_enough, LAST_CALL, &self.all_seeds(), views, connections).await;
        // Several addresses may lead to one node, which has one vote.
        let is_confirmed = is_decided(views) || answered == self.seeds.len();
        self.is_confirmed.store(is_confirmed, Ordering::Relaxed);
    }

    /// A seed describes another cluster. What the other seeds say counts too, for one of several addresses may have been
    /// given to a stranger; and so does each node of the known cluster that still answers.
    async fn call_all_who_decide(
        &self,
        current: &Topology,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) {
        let unheard = |source: &Source| !views.has_heard(&source.target);
        let mut nodes: Vec<Source> =
            current.nodes().iter().map(|node| node.source()).filter(unheard).collect();
        fastrand::shuffle(&mut nodes);
        nodes.truncate(self.seeds.len().max(SOURCES));
        let all: Vec<Source> = self.all_seeds().into_iter().chain(nodes).collect();
        self.ask_until(|_| false, LAST_CALL, &all, views, connections).await;
    }

    /// Asks these, and waits for more while what they say is not enough to go on.
    async fn ask(
        &self,
        sources: &[Source],
        current: &Topology,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) {
        let is_enough = |said: &[NodeView]| Views::of(said).is_enough(current.cluster_map());
        self.ask_until(is_enough, self.timing.node_connect, sources, views, connections).await;
    }

    /// Asks these, and waits for more until it is enough or time is up. Returns how many answered.
    async fn ask_until(
        &self,
        is_enough: impl Fn(&[NodeView]) -> bool,
        within: Duration,
        sources: &[Source],
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) -> usize {
        let deadline = Instant::now() + within.min(self.timing.node_connect);
        let connector = &self.factory.connector;
        let (said, failures) = ask_several(connector, sources, connections, deadline, is_enough).await;
        views.failures.extend(failures);
        views.add_all(&said);
        said.len()
    }

    /// No node gave a view.
    fn without_views(&self, views: &Views, current: &Topology) -> bool {
        if current.is_single() && views.any_single() {
            observe::refreshed("unchanged");
            return false;
        }
        match views.single_server(&self.seeds) {
            Some(seed) => {
                self.use_single(current, seed);
                observe::refreshed("changed");
                true
            }
            None => self.give_up(views),
        }
    }

    /// Every seed leads to a server that is not a cluster.
    fn use_single(&self, current: &Topology, seed: &Endpoint) {
        tracing::debug!(%seed, "no seed is part of a cluster any more");
        self.authority.store(seed.clone().into());
        self.publish(current, Topology::single(&self.factory, seed));
    }

    fn report(&self, reconciled: &Reconciled, views: &Views) {
        for dropped in views.dropped().into_iter().take(MOST_REPORTED) {
            self.signals.emit(|| Event::MetadataIgnored { what: dropped.to_string() });
        }
        let disagreements = &reconciled.disagreements;
        for disagreement in disagreements.iter().take(MOST_REPORTED) {
            tracing::debug!(%disagreement, "views disagree");
            self.signals.emit(|| Event::Disagreement { what: disagreement.to_string() });
        }
        if disagreements.len() > MOST_REPORTED {
            let more = disagreements.len() - MOST_REPORTED;
            self.signals.emit(|| Event::Disagreement { what: format!("{more} more disagreements") });
        }
    }

    fn give_up(&self, views: &Views) -> bool {
        let cause = views.failures.last().map_or_else(|| "no node answered".to_owned(), NodeFailure::summary);
        tracing::debug!(%cause, "refresh failed");
        observe::refreshed("failed");
        self.signals.emit(|| Event::RefreshFailed { cause });
        false
    }
}
