//! One view, ready to be asked; what is known already; and how much support is enough.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::view::Origin;
use crate::{AnnouncedNode, NodeId, NodeIx, Slot, SlotMap, View};

/// What a node is known by across views: its id where that is reported, as addresses can differ by the kind of connection
/// that asked; otherwise its address, of which the host counts only if it was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Id(&'a NodeId),
    At(&'a str, u16),
    Port(u16),
}

impl<'a> Key<'a> {
    pub(super) fn of(node: &'a AnnouncedNode) -> Self {
        node.id.as_ref().map_or_else(|| Self::of_place(node), Self::Id)
    }

    pub(super) fn of_place(node: &'a AnnouncedNode) -> Self {
        let port = node.endpoint.port();
        if node.assumed_host { Self::Port(port) } else { Self::At(node.endpoint.host(), port) }
    }
}

/// One view that is counted.
pub(super) struct Ballot {
    /// Its index among all views.
    pub(super) view: usize,
    pub(super) map: SlotMap,
    pub(super) epoch: Option<u64>,
    pub(super) is_seed: bool,
    /// Whether a shard owns slots.
    owns_slots: Vec<bool>,
}

impl Ballot {
    pub(super) fn new(view: usize, said: &View) -> Self {
        let (epoch, is_seed) = (said.epoch, said.origin == Origin::Seed);
        let map = SlotMap::from_view(said);
        let mut owns_slots = vec![false; map.shards().len()];
        Slot::all().filter_map(|slot| map.shard_ix(slot)).for_each(|shard| owns_slots[shard.index()] = true);
        Self { view, map, epoch, is_seed, owns_slots }
    }

    pub(super) fn owner(&self, slot: Slot) -> Option<Key<'_>> {
        self.map.primary(slot).map(Key::of)
    }

    /// The shards in the order of the view: whether they own slots, their primary, their replicas.
    pub(super) fn shards(
        &self,
    ) -> impl Iterator<Item = (bool, Key<'_>, impl Iterator<Item = &AnnouncedNode>)> {
        let node = |ix: NodeIx| &self.map.nodes()[ix.index()];
        self.map.shards().iter().zip(&self.owns_slots).map(move |(shard, owns_slots)| {
            (
                *owns_slots,
                Key::of(node(shard.primary())),
                shard.replicas().iter().map(move |&replica| node(replica)),
            )
        })
    }
}

/// The current map, by keys. Empty for a client that knows nothing yet, which then believes more.
pub(super) struct KnownMap<'a> {
    pub(super) map: Option<&'a SlotMap>,
    by_key: HashMap<Key<'a>, &'a AnnouncedNode>,
}

impl<'a> KnownMap<'a> {
    pub(super) fn of(map: Option<&'a SlotMap>) -> Self {
        let nodes = map.map(SlotMap::nodes).unwrap_or_default();
        Self { map, by_key: nodes.iter().map(|node| (Key::of(node), node)).collect() }
    }

    pub(super) fn node(&self, key: Key<'_>) -> Option<&'a AnnouncedNode> {
        // The two keys live for different times.
        self.by_key.get(&key).copied()
    }

    pub(super) fn owner(&self, slot: Slot) -> Option<Key<'a>> {
        self.map?.primary(slot).map(Key::of)
    }

    /// Whether the node follows the primary, as far as is known.
    pub(super) fn follows(&self, replica: Key<'_>, primary: Key<'_>) -> bool {
        let Some(map) = self.map else { return false };
        let key = |ix: NodeIx| Key::of(&map.nodes()[ix.index()]);
        map.shards().iter().any(|shard| {
            key(shard.primary()) == primary && shard.replicas().iter().any(|&other| key(other) == replica)
        })
    }
}

/// The voters. Positions are those of the ballots.
pub(super) struct Electorate {
    voters: usize,
    seeds: Vec<usize>,
}

impl Electorate {
    pub(super) fn of(ballots: &[Ballot]) -> Self {
        let seeds = (0..ballots.len()).filter(|&position| ballots[position].is_seed).collect();
        Self { voters: ballots.len(), seeds }
    }

    pub(super) fn voters(&self) -> usize {
        self.voters
    }

    /// Whether these voters may introduce an address or a name: more than half and at least two of them, or half with
    /// every seed, or one seed that is the only voter.
    pub(super) fn carries(&self, supporters: &[usize]) -> bool {
        match self.weigh(supporters) {
            Ordering::Greater => supporters.len() >= 2 || self.by_seed(supporters),
            Ordering::Equal => self.seeds_agree(supporters) == Some(true),
            Ordering::Less => false,
        }
    }

    /// Whether these voters are the majority; `None` if there is a tie that no seed decides.
    pub(super) fn is_majority(&self, supporters: &[usize]) -> Option<bool> {
        match self.weigh(supporters) {
            Ordering::Equal => self.seeds_agree(supporters),
            weight => Some(weight == Ordering::Greater),
        }
    }

    /// Whether a seed is among these voters.
    pub(super) fn by_seed(&self, supporters: &[usize]) -> bool {
        supporters.iter().any(|voter| self.seeds.contains(voter))
    }

    fn weigh(&self, supporters: &[usize]) -> Ordering {
        (2 * supporters.len()).cmp(&self.voters)
    }

    /// What the seeds say, if there are any and all say the same.
    fn seeds_agree(&self, supporters: &[usize]) -> Option<bool> {
        let mut said = self.seeds.iter().map(|seed| supporters.contains(seed));
        let first = said.next()?;
        said.all(|other| other == first).then_some(first)
    }
}
