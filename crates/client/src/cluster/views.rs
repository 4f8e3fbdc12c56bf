//! What was answered in one refresh, and what follows from it. Decides, and asks nobody.

use truename_topology::{Dropped, Endpoint, Origin, Reconciled, SlotMap, View, reconcile};

use super::discover::{Answer, NodeView};
use crate::connection::Target;
use crate::error::NodeFailure;

/// What several nodes think, each with whom it came from.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: Vec<View>,
    /// Parallel to the views.
    sources: Vec<Target>,
    /// Their node ids, where they tell; parallel to the views.
    voters: Vec<Option<String>>,
    /// Seeds that say that they are not a cluster.
    single: Vec<Endpoint>,
    pub(super) failures: Vec<NodeFailure>,
}

impl Views {
    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Counts a view, but a node's only once, whether it was asked as a node or as a seed: else a seed that is
    /// cut off from the majority would have two votes.
    pub(super) fn add(&mut self, said: &NodeView) {
        let view = match &said.answer {
            Answer::View(view) => View::clone(view),
            Answer::NotACluster => {
                if said.source.is_seed {
                    self.single.push(said.source.seed.clone());
                }
                return;
            }
        };
        let origin = if said.source.is_seed { Origin::Seed } else { Origin::Node };
        let view = view.with_origin(origin);
        let known = self.voters.iter().position(|voter| voter.is_some() && *voter == said.node_id);
        match known {
            // What a seed says may replace a cluster; what a node says may not.
            Some(at) if origin == Origin::Seed => {
                self.views[at] = view;
                self.sources[at] = said.source.clone();
            }
            Some(_) => {}
            None => {
                self.views.push(view);
                self.sources.push(said.source.clone());
                self.voters.push(said.node_id.clone());
            }
        }
    }

    /// Counts several views.
    pub(super) fn add_all(&mut self, said: &[NodeView]) {
        said.iter().for_each(|view| self.add(view));
    }

    /// Whether more of those who were asked are worth waiting for, once they had a short time to answer: nobody gave a view
    /// yet, or a single one names addresses that nobody knew.
    pub(super) fn is_enough(&self, current: Option<&SlotMap>) -> bool {
        !self.is_empty() && !self.reconcile(current).rests_on_one_view
    }

    /// What the views agree on.
    pub(super) fn reconcile(&self, current: Option<&SlotMap>) -> Reconciled {
        reconcile(&self.views, current)
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
        self.sources.get(view).map(|source| &source.seed)
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
mod tests {
    use truename_topology::{AnnouncedNode, Role, ShardView, SlotRange};

    use super::*;

    fn view() -> View {
        let node = AnnouncedNode::new(Endpoint::new("a", 1), Role::Primary);
        View::new(vec![ShardView::new(vec![SlotRange::ALL], Some(node), Vec::new())])
    }

    fn said(seed: &str, answer: Answer) -> NodeView {
        NodeView { answer, source: Target::seed(&Endpoint::new(seed, 1)), node_id: None }
    }

    #[test]
    fn a_server_is_used_alone_only_if_every_seed_says_so() {
        let seeds = ["a", "b"].map(|host| Endpoint::new(host, 1));
        let rows: [(Vec<NodeView>, Option<&Endpoint>); 4] = [
            (vec![said("a", Answer::NotACluster), said("b", Answer::NotACluster)], Some(&seeds[0])),
            // The other one did not answer, or gave a view.
            (vec![said("a", Answer::NotACluster)], None),
            (vec![said("a", Answer::NotACluster), said("b", Answer::View(Box::new(view())))], None),
            (vec![], None),
        ];
        for (answers, single) in rows {
            let mut views = Views::default();
            views.add_all(&answers);
            assert_eq!(views.single_server(&seeds), single, "{answers:?}");
        }
    }

    #[test]
    fn a_node_has_one_vote_and_as_a_seed_it_speaks_louder() {
        let id = Some("id".to_owned());
        let node = Target::announced(
            &AnnouncedNode::new(Endpoint::new("a", 1), Role::Primary),
            &Endpoint::new("a", 1),
        );
        let as_node = NodeView { answer: Answer::View(Box::new(view())), source: node, node_id: id.clone() };
        let as_seed = NodeView { node_id: id, ..said("a", Answer::View(Box::new(view()))) };
        let mut views = Views::default();
        views.add_all(&[as_node, as_seed]);
        assert_eq!(views.views.iter().map(|view| view.origin).collect::<Vec<_>>(), [Origin::Seed]);
    }
}
