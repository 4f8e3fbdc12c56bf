//! Whether the node that a command waits on still has the command's slot.
//!
//! A command that waits on the server may wait for hours, and a server that froze says nothing. When a newer topology
//! gives the slot to another node, no client will ever push to the one that is waited on.

use truename_topology::{AnnouncedNode, Slot, SlotMap};

use super::{Cluster, Node};

/// A node's time as the owner of a slot.
#[derive(Debug)]
struct Tenure {
    node: AnnouncedNode,
    /// Without one: its time as a node.
    slot: Option<Slot>,
    /// The owner of the slot when the tenure began: another node, if a redirect led to this one.
    first: Option<AnnouncedNode>,
}

impl Tenure {
    fn new(node: &AnnouncedNode, slot: Option<Slot>, map: &SlotMap) -> Self {
        let first = slot.and_then(|slot| map.primary(slot)).filter(|owner| !owner.may_be(node)).cloned();
        Self { node: node.clone(), slot, first }
    }

    /// Whether another node has the slot now. A slot without an owner is not lost yet.
    fn is_over(&mut self, map: &SlotMap) -> bool {
        let Some(slot) = self.slot else {
            return !map.nodes().iter().any(|node| node.may_be(&self.node));
        };
        let Some(owner) = map.primary(slot) else { return false };
        if owner.may_be(&self.node) {
            // The map has followed the redirect: whoever is named from now on is news.
            self.first = None;
            return false;
        }
        !self.first.as_ref().is_some_and(|first| owner.may_be(first))
    }
}

impl Cluster {
    /// Whether the current topology gives a slot to a node. Also true where it gives it to none.
    pub(crate) fn is_owner(&self, node: &Node, slot: Option<Slot>) -> bool {
        let topology = self.topology();
        let owner = slot.and_then(|slot| topology.map().primary(slot));
        owner.is_none_or(|owner| owner.may_be(&node.target().node))
    }

    /// Waits until a topology gives the slot that `node` serves to another node. Never ends for a client that was closed:
    /// calls that are under way are completed. The wait begins when this is called, so a check of [`Self::is_owner`]
    /// afterwards misses no topology in between.
    pub(crate) fn loses<'c>(&'c self, node: &Node, slot: Option<Slot>) -> impl Future<Output = ()> + use<'c> {
        let mut version = self.store.versions();
        let mut tenure = Tenure::new(&node.target().node, slot, self.topology().map());
        async move {
            loop {
                // The sender lives as long as this does.
                if version.changed().await.is_err() || self.is_closed() {
                    return std::future::pending().await;
                }
                if tenure.is_over(self.topology().map()) {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use truename_topology::{Endpoint, NodeId, Role};

    use super::*;

    fn node(port: u16, id: Option<&str>) -> AnnouncedNode {
        let mut node = AnnouncedNode::new(Endpoint::new("10.0.0.4", port), Role::Primary);
        node.id = id.map(NodeId::new);
        node
    }

    #[test]
    fn a_tenure_ends_with_the_next_owner() {
        let slot = Slot::new(7).expect("in range");
        let [old, new] = [node(1, Some("a")), node(2, Some("b"))];
        let map = |node: &AnnouncedNode| SlotMap::single_node(node.clone());
        // Each row: the node, the map at the start, the maps that follow, and whether the last one ends it.
        let rows: [(&AnnouncedNode, SlotMap, Vec<SlotMap>, bool); 8] = [
            (&old, map(&old), vec![map(&old)], false),
            (&old, map(&old), vec![map(&new)], true),
            (&old, map(&old), vec![SlotMap::empty()], false),
            (&old, map(&old), vec![map(&node(1, None))], false),
            // Another node at the same address.
            (&old, map(&old), vec![map(&node(1, Some("c")))], true),
            // A redirect led to a node that the map does not name yet.
            (&new, map(&old), vec![map(&old)], false),
            (&new, map(&old), vec![map(&new), map(&old)], true),
            (&new, map(&old), vec![map(&node(3, Some("c")))], true),
        ];
        for (number, (node, start, maps, is_over)) in rows.into_iter().enumerate() {
            let mut tenure = Tenure::new(node, Some(slot), &start);
            let last = maps.iter().map(|map| tenure.is_over(map)).last();
            assert_eq!(last, Some(is_over), "row {number}");
        }
        let mut keyless = Tenure::new(&old, None, &map(&old));
        assert!(!keyless.is_over(&map(&old)) && keyless.is_over(&map(&new)));
    }
}
