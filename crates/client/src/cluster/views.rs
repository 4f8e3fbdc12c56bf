//! What was answered in one refresh, and what follows from it. Pure decisions.
//!
//! A node has one vote, whether it is asked as a node, as a seed, or as both. A seed may lead to any node, and there is only
//! its own word for which one. So the id that a seed reports gives no node a second vote and takes none away: a node that
//! was dialled as itself speaks for itself, and of two seeds that report one id both are heard, unless they say the same.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;

use truename_topology::{
    Disagreement, Dropped, Endpoint, NodeId, Origin, Reconciled, SlotMap, Standing, View, reconcile,
    reconcile_seeds,
};

use super::discover::{NodeView, SourceAnswer};
use crate::connect::Target;
use crate::error::NodeFailure;

/// What several nodes think, each with the server that it came from.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: Vec<View>,
    /// Whose each of them is.
    voters: Vec<Voter>,
    /// Seeds that say that they are not a cluster.
    single: Vec<Endpoint>,
    pub(super) failures: Vec<NodeFailure>,
}

/// Whose view it is.
#[derive(Debug)]
struct Voter {
    source: Target,
    /// The node that was dialled, or the one that a seed says it is.
    id: Option<NodeId>,
    /// It reported its id.
    has_reported_id: bool,
    peer: Option<SocketAddr>,
}

impl Voter {
    fn of(said: &NodeView) -> Self {
        let told = said.node_id.as_deref().map(NodeId::from);
        let has_reported_id = told.is_some();
        let source = said.source.clone();
        Self { id: source.expected.clone().or(told), has_reported_id, peer: said.peer, source }
    }

    fn is_seed(&self) -> bool {
        self.source.is_seed
    }

    fn is_seed_of(&self, other: &Self) -> bool {
        self.is_seed() && other.is_seed() && self.source.seed == other.source.seed
    }

    fn is_at(&self, other: &Self) -> bool {
        self.peer.is_some() && self.peer == other.peer
    }

    fn has_id_of(&self, other: &Self) -> bool {
        self.id.is_some() && self.id == other.id
    }
}

impl Views {
    /// The views among these answers.
    pub(super) fn of(said: &[NodeView]) -> Self {
        let mut views = Self::default();
        views.add_all(said);
        views
    }

    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Counts a view, but a node's only once, whether it was asked as a node or as a seed: else a seed that is
    /// cut off from the majority would have two votes.
    pub(super) fn add(&mut self, said: &NodeView) {
        let view = match &said.answer {
            SourceAnswer::View(view) => View::clone(view),
            SourceAnswer::NotACluster => {
                if said.source.is_seed {
                    self.single.push(said.source.seed.clone());
                }
                return;
            }
        };
        let voter = Voter::of(said);
        let is_seed = voter.is_seed();
        if let Some(at) = self.voters.iter().position(|known| known.is_seed_of(&voter)) {
            // A seed's name may lead to another node each time it is asked.
            self.views[at] = view.with_origin(Origin::Seed);
            self.voters[at] = voter;
            return;
        }
        let at_its_address = self.voters.iter().position(|known| known.is_at(&voter));
        let of_its_id = (0..self.views.len()).find(|&at| {
            let are_seeds = is_seed && self.voters[at].is_seed();
            self.voters[at].has_id_of(&voter) && !(are_seeds && self.views[at].shards != view.shards)
        });
        let (at, speaks_for_itself) = match (at_its_address, of_its_id) {
            // If one address was asked twice, its answer as a seed counts: a seed may replace a cluster.
            (Some(at), _) => (at, is_seed),
            (None, Some(at)) => (at, self.voters[at].is_seed() && !is_seed),
            (None, None) => {
                self.views.push(view.with_origin(if is_seed { Origin::Seed } else { Origin::Node }));
                self.voters.push(voter);
                return;
            }
        };
        let is_by_seed = is_seed || self.views[at].origin == Origin::Seed;
        if speaks_for_itself {
            self.views[at] = view;
            self.voters[at] = voter;
        }
        self.views[at].origin = if is_by_seed { Origin::Seed } else { Origin::Node };
    }

    /// Counts several views.
    pub(super) fn add_all(&mut self, said: &[NodeView]) {
        said.iter().for_each(|view| self.add(view));
    }

    /// Whether no more of those who were asked are worth waiting for, once they had a short time to answer. They are if
    /// nobody gave a view yet, or a single one names addresses that nobody knew.
    pub(super) fn is_enough(&self, current: Option<&SlotMap>) -> bool {
        !self.is_empty() && !self.reconcile(current).rests_on_one_view
    }

    /// What the views agree on.
    pub(super) fn reconcile(&self, current: Option<&SlotMap>) -> Reconciled {
        reconcile(&self.weighed(current), current)
    }

    /// What follows from the views of several seeds, of which there are this many: the known cluster as most of them describe
    /// it, or another one that more than half mean.
    pub(super) fn elect(&self, known: &SlotMap, seeds: usize) -> Option<Reconciled> {
        let elected = (self.views.len() > 1).then(|| reconcile_seeds(&self.views, Some(known)))?;
        let is_left = elected.standing == Standing::Replaced;
        (!is_left || 2 * elected.counted > seeds).then_some(elected)
    }

    /// Whether half of this many seeds say the same: then no other cluster has more, and no other place of a node.
    pub(super) fn is_decided(&self, seeds: usize) -> bool {
        let vote = reconcile_seeds(&self.views, None);
        let is_aside =
            |said: &Disagreement| matches!(said, Disagreement::Foreign { .. } | Disagreement::Empty { .. });
        2 * vote.counted >= seeds && vote.disagreements.iter().all(is_aside)
    }

    /// Whether a node gave its view already, asked as itself.
    pub(super) fn has_heard(&self, node: &Target) -> bool {
        self.voters.iter().any(|heard| !heard.is_seed() && heard.source.node.endpoint == node.node.endpoint)
    }

    /// The views, each with the weight that it has. A seed's word decides ties, unless it claims to be none of the
    /// nodes that are known, or nothing, while the others report their ids: it may be one that has a vote already.
    fn weighed(&self, current: Option<&SlotMap>) -> Cow<'_, [View]> {
        let known: HashSet<&NodeId> =
            current.iter().flat_map(|map| map.nodes()).filter_map(|node| node.id.as_ref()).collect();
        let is_known = |id: &Option<NodeId>| id.as_ref().is_some_and(|id| known.contains(id));
        let is_doubtful = |at: usize| {
            self.voters[at].is_seed()
                && !is_known(&self.voters[at].id)
                && self.views[at].nodes().any(|node| is_known(&node.id))
        };
        let others_tell = self.voters.iter().any(|voter| !voter.is_seed() && voter.has_reported_id);
        if !others_tell || !(0..self.views.len()).any(is_doubtful) {
            return Cow::Borrowed(&self.views);
        }
        let weighed = self.views.iter().enumerate().map(|(at, view)| match is_doubtful(at) {
            true => view.clone().with_origin(Origin::Node),
            false => view.clone(),
        });
        weighed.collect()
    }

    /// Metadata that was not valid, each once.
    pub(super) fn dropped(&self) -> Vec<&Dropped> {
        let mut dropped: Vec<&Dropped> = Vec::new();
        for part in self.views.iter().flat_map(|view| &view.dropped) {
            if !dropped.contains(&part) {
                dropped.push(part);
            }
        }
        dropped
    }

    /// The seed that led to a view.
    pub(super) fn seed_of(&self, view: usize) -> Option<&Endpoint> {
        self.voters.get(view).map(|voter| &voter.source.seed)
    }

    /// What to call a view in text.
    pub(super) fn name_of(&self, view: usize) -> String {
        match self.voters.get(view).map(|voter| &voter.source) {
            Some(source) if source.is_seed => format!("the view of seed {}", source.seed),
            Some(source) => format!("the view of {}", source.node.endpoint),
            None => format!("view {view}"),
        }
    }

    /// Whether a seed says that it is not a cluster.
    pub(super) fn any_single(&self) -> bool {
        !self.single.is_empty()
    }

    /// The server to use alone from now on: nobody gave a view, and every single seed says that it is not a cluster. One
    /// that does not answer may be the cluster.
    pub(super) fn single_server<'s>(&self, seeds: &'s [Endpoint]) -> Option<&'s Endpoint> {
        let all_say_so = seeds.iter().all(|seed| self.single.contains(seed));
        seeds.first().filter(|_| self.is_empty() && all_say_so)
    }
}

#[cfg(test)]
mod tests;
