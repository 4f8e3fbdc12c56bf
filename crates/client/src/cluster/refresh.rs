//! One refresh: when which nodes are asked, and what becomes of the answers.
//!
//! - Some nodes that are connected and one seed are asked; if none gives a view, every seed is, and some nodes that are
//!   not connected: the only seed may be the primary that failed, and its replica has no connection yet. What they agree
//!   on is decided by `reconcile`.
//! - Which cluster is meant, where addresses lead to several, is the matter of [`vote`](super::vote).
//! - Usually the views that come within a short time of the first are enough. A single view that names addresses which
//!   nobody knew is not: then every node that was asked is waited for, up to the refresh's deadline.
//! - **A client of a single server** asks every seed. It becomes a client of a cluster as soon as one of them gives a view.
//!   The other way round, nobody must have given a view, and every seed must say that it is not a cluster.

use std::sync::Arc;

use truename_topology::{Endpoint, Reconciled};

use super::discover::{Source, TopologyConnections};
use super::start_vote::StartVote;
use super::store::Pen;
use super::views::Views;
use super::vote::may_replace;
use super::{Cluster, Topology};
use crate::error::NodeFailure;
use crate::event::Event;
use crate::observe;

/// How many disagreements one refresh reports; of further ones, only their number.
const MOST_REPORTED: usize = 20;

/// The outcome of a refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refreshed {
    /// The topology differs from the one before.
    pub(super) changed: bool,
    /// The views did not agree: the topology is in motion, or somebody is wrong.
    pub(super) disputed: bool,
}

/// What the topology worker alone has.
pub(super) struct Upkeep {
    pub(super) pen: Pen,
    pub(super) vote: StartVote,
    /// To ask on, again and again.
    pub(super) connections: TopologyConnections,
}

impl Cluster {
    /// Asks several nodes and adopts what they agree on.
    pub(super) async fn refresh(&self, upkeep: &mut Upkeep) -> Refreshed {
        let Upkeep { pen, vote, connections } = upkeep;
        let connector = &self.factory.connector;
        self.bus.emit_all(|| connector.newly_outdated_lists().into_iter().map(Event::from));
        let current = self.store.load_full();
        let known = current.cluster_map();
        let mut views = Views::default();
        let mut reconciled = None;
        if let Some(known) = known {
            reconciled = self.hold_vote(vote, known, &mut views, connections).await;
        }
        if reconciled.is_none() {
            reconciled = self.hear(&current, &mut views, connections).await;
        }
        connections.end_refresh();
        let Some(reconciled) = reconciled else {
            let changed = self.without_views(&views, &current, pen);
            return Refreshed { changed, disputed: false };
        };
        self.report(&reconciled, &views);
        let disputed = !reconciled.disagreements.is_empty();
        let seed = reconciled.chosen.and_then(|chosen| views.seed_of(chosen)).cloned();
        let seed = seed.unwrap_or_else(|| self.current_seed());
        self.current_seed.store(seed.clone().into());
        let next = current.next(reconciled.map, &self.factory, &seed).of_cluster();
        let changed = self.publish(&current, next, pen);
        if current.is_single() {
            // What a seed said first is put to the vote.
            *vote = StartVote::among(self.seeds.len());
        }
        observe::refreshed(if changed { "changed" } else { "unchanged" });
        Refreshed { changed, disputed }
    }

    /// Asks some nodes and a seed, and whoever else matters then. What they agree on; `None` if nobody gives a view.
    async fn hear(
        &self,
        current: &Topology,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) -> Option<Reconciled> {
        let known = current.cluster_map();
        if known.is_some() {
            self.ask(&self.sources(current), current, views, connections).await;
        }
        if views.is_empty() {
            let all: Vec<Source> = self.all_seeds().into_iter().chain(self.unconnected(current)).collect();
            self.ask(&all, current, views, connections).await;
        }
        if views.is_empty() {
            return None;
        }
        let reconciled = views.reconcile(known);
        if known.is_none() || !may_replace(&reconciled, self.seeds.len()) {
            return Some(reconciled);
        }
        self.ask_the_electorate(current, views, connections).await;
        Some(views.reconcile(known))
    }

    /// No node gave a view.
    fn without_views(&self, views: &Views, current: &Topology, pen: &mut Pen) -> bool {
        if current.is_single() && views.any_single() {
            observe::refreshed("unchanged");
            return false;
        }
        match views.single_server(&self.seeds) {
            Some(seed) => {
                self.use_single(current, seed, pen);
                observe::refreshed("changed");
                true
            }
            None => self.give_up(views),
        }
    }

    /// Every seed leads to a server that is not a cluster.
    fn use_single(&self, current: &Topology, seed: &Endpoint, pen: &mut Pen) {
        tracing::debug!(%seed, "no seed is part of a cluster any more");
        self.current_seed.store(seed.clone().into());
        self.publish(current, Topology::single(&self.factory, seed), pen);
    }

    fn report(&self, reconciled: &Reconciled, views: &Views) {
        for dropped in views.dropped().into_iter().take(MOST_REPORTED) {
            self.bus.emit(|| Event::MetadataIgnored { dropped: dropped.clone() });
        }
        let disagreements = &reconciled.disagreements;
        for disagreement in disagreements.iter().take(MOST_REPORTED) {
            let what = disagreement.named(|view| views.name_of(view));
            tracing::debug!(%what, "views disagree");
            self.bus.emit(|| Event::Disagreement {
                disagreement: Arc::new(disagreement.clone()),
                what: what.to_string(),
            });
        }
        if disagreements.len() > MOST_REPORTED {
            let count = disagreements.len() - MOST_REPORTED;
            self.bus.emit(|| Event::MoreDisagreements { count });
        }
    }

    fn give_up(&self, views: &Views) -> bool {
        let decisive = NodeFailure::decisive(&views.failures);
        let cause = decisive.map_or_else(|| "no node answered".to_owned(), NodeFailure::summary);
        tracing::debug!(%cause, "refresh failed");
        observe::refreshed("failed");
        self.bus.emit(|| Event::RefreshFailed { cause });
        false
    }
}
