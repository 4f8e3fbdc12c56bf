//! [`Owners`]: who has which slots in the eyes of the client.

use truename_topology::{Endpoint, NodeIx, SlotMap};

use super::slots::SlotSet;

/// Who has which slots in the eyes of the client.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) nodes: Vec<(Endpoint, SlotSet)>,
    pub(super) unowned: SlotSet,
}

impl Owners {
    pub(super) fn of(map: &SlotMap) -> Self {
        let mut unowned = SlotSet::empty();
        let mut by_shard: Vec<SlotSet> = map.shards().iter().map(|_| SlotSet::empty()).collect();
        for (range, owner) in map.ranges() {
            owner.map_or(&mut unowned, |shard| &mut by_shard[shard.index()]).insert_range(range);
        }
        let nodes = map.shards().iter().zip(by_shard).filter(|(_, slots)| !slots.is_empty());
        let endpoint = |primary: NodeIx| map.nodes()[primary.index()].endpoint.clone();
        let nodes = nodes.map(|(shard, slots)| (endpoint(shard.primary()), slots)).collect();
        Self { nodes, unowned }
    }
}
