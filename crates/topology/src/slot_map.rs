//! [`SlotMap`]: who owns which slot.
//!
//! Immutable, so that a snapshot can be shared by every caller without a lock. A dense table makes the
//! lookup of a slot one load and one comparison.
//!
//! What always holds:
//! - every entry of the table is the index of a shard, or the mark for "no owner";
//! - every endpoint is in `nodes` once, and a node's `role` is `Primary` exactly if it is some shard's primary;
//! - no two shards have the same primary.

use std::collections::HashMap;
use std::fmt;

use crate::slot::runs;
use crate::{AnnouncedNode, Endpoint, Role, Slot, SlotRange, TopologyDiff, View};

/// A table entry without an owner: never a valid index, because there are fewer shards than that.
const UNASSIGNED: u16 = u16::MAX;

/// Index of a node in [`SlotMap::nodes`]. Valid for the map that gave it and for those made from it by
/// [`SlotMap::with_moved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u16);

impl NodeIx {
    /// The index as a number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index of a shard in [`SlotMap::shards`]; valid as long as a [`NodeIx`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIx(u16);

impl ShardIx {
    /// The index as a number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A primary and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    primary: NodeIx,
    replicas: Vec<NodeIx>,
}

impl Shard {
    /// The node that owns the shard's slots.
    pub fn primary(&self) -> NodeIx {
        self.primary
    }

    /// The nodes that follow the primary.
    pub fn replicas(&self) -> &[NodeIx] {
        &self.replicas
    }
}

/// Every slot with its shard, and every shard with its nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotMap {
    table: Box<[u16; Slot::COUNT]>,
    shards: Vec<Shard>,
    nodes: Vec<AnnouncedNode>,
    by_endpoint: HashMap<Endpoint, NodeIx>,
    assigned: usize,
}

impl SlotMap {
    /// A map without nodes.
    pub fn empty() -> Self {
        Self {
            table: Box::new([UNASSIGNED; Slot::COUNT]),
            shards: Vec::new(),
            nodes: Vec::new(),
            by_endpoint: HashMap::new(),
            assigned: 0,
        }
    }

    /// The map of one node's view.
    ///
    /// Shards whose primary cannot be addressed are left out: their slots have no owner. A view built by hand
    /// may claim a slot twice; the first claim counts.
    pub fn from_view(view: &View) -> Self {
        let mut map = Self::empty();
        // Primaries first: an endpoint that is a primary anywhere is one, whoever lists it as a replica.
        let shards: Vec<_> = view
            .shards
            .iter()
            .filter_map(|shard| Some((shard, map.shard_of(shard.primary.as_ref()?)?)))
            .collect();
        for (shard, ix) in shards {
            for slot in shard.ranges.iter().flat_map(|range| range.slots()) {
                if map.table[slot.index()] == UNASSIGNED {
                    map.assign(slot, ix);
                }
            }
            for replica in &shard.replicas {
                map.add_replica(ix, replica);
            }
        }
        map
    }

    /// The map of a server that is not a cluster: every slot on one node.
    pub fn single_node(node: AnnouncedNode) -> Self {
        let mut map = Self::empty();
        if let Some(shard) = map.shard_of(&node) {
            Slot::all().for_each(|slot| map.assign(slot, shard));
        }
        map
    }

    /// The shard that owns a slot.
    pub fn shard(&self, slot: Slot) -> Option<&Shard> {
        // `UNASSIGNED` lies beyond the end of `shards`, so one bounds check answers both questions.
        self.shards.get(usize::from(self.table[slot.index()]))
    }

    /// The index of the shard that owns a slot.
    pub fn shard_ix(&self, slot: Slot) -> Option<ShardIx> {
        Some(self.table[slot.index()]).filter(|&ix| ix != UNASSIGNED).map(ShardIx)
    }

    /// The primary that owns a slot.
    pub fn primary(&self, slot: Slot) -> Option<&AnnouncedNode> {
        self.shard(slot).map(|shard| &self.nodes[shard.primary.index()])
    }

    /// All shards, indexed by [`ShardIx`]; some may own no slot.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// All nodes, indexed by [`NodeIx`].
    pub fn nodes(&self) -> &[AnnouncedNode] {
        &self.nodes
    }

    /// The node announced under this address.
    pub fn node_at(&self, endpoint: &Endpoint) -> Option<NodeIx> {
        self.by_endpoint.get(endpoint).copied()
    }

    /// How many slots have an owner.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// The slots in order, cut into ranges with the same owner (`None` where there is none).
    pub fn ranges(&self) -> Vec<(SlotRange, Option<ShardIx>)> {
        runs(Slot::all().map(|slot| (slot, self.shard_ix(slot))))
    }

    /// The map after `MOVED slot to`: what is known until a refresh tells the whole story.
    ///
    /// Indexes of this map stay valid in the new one.
    ///
    /// | `to` is | reading | effect |
    /// |---|---|---|
    /// | the owner already | the hint is stale | none |
    /// | another primary | a slot was migrated | that slot changes hands |
    /// | a replica of the owner | a failover, which takes over every slot of a shard at once | the replica and its primary swap roles |
    /// | a replica of another shard | it was promoted, but nothing says where its former shard's slots went | it leaves that shard and owns this slot in a new one |
    /// | unknown | a node was added | it owns this slot in a new shard |
    #[must_use]
    pub fn with_moved(&self, slot: Slot, to: &Endpoint) -> Self {
        let mut map = self.clone();
        let failed_over = self.shard_ix(slot).zip(self.node_at(to)).filter(|(owner, node)| {
            let is_replica = self.nodes[node.index()].role == Role::Replica;
            is_replica && self.shards[owner.index()].replicas.contains(node)
        });
        match failed_over {
            Some((shard, replica)) => map.promote(replica, shard),
            None => map.give(slot, Some(&AnnouncedNode::new(to.clone(), Role::Primary))),
        }
        map
    }

    /// What changed from this map to `newer`.
    pub fn diff(&self, newer: &Self) -> TopologyDiff {
        TopologyDiff::between(self, newer)
    }

    /// Gives a slot to a primary, which is added if it is unknown.
    pub(crate) fn give(&mut self, slot: Slot, owner: Option<&AnnouncedNode>) {
        match owner {
            Some(node) => {
                if let Some(shard) = self.shard_of(node) {
                    self.assign(slot, shard);
                }
            }
            None => {
                self.assigned -= usize::from(self.table[slot.index()] != UNASSIGNED);
                self.table[slot.index()] = UNASSIGNED;
            }
        }
    }

    fn assign(&mut self, slot: Slot, shard: ShardIx) {
        self.assigned += usize::from(self.table[slot.index()] == UNASSIGNED);
        self.table[slot.index()] = shard.0;
    }

    /// The shard of this primary, made if there is none. A node known as a replica becomes a primary
    /// and follows nobody any more. `None` only if the indexes are used up.
    fn shard_of(&mut self, primary: &AnnouncedNode) -> Option<ShardIx> {
        let known = self.node_at(&primary.endpoint);
        let node = self.intern(primary)?;
        if known.is_some() {
            if let Some(shard) = self.shards.iter().position(|shard| shard.primary == node) {
                return Some(ShardIx(shard as u16));
            }
            for shard in &mut self.shards {
                shard.replicas.retain(|&replica| replica != node);
            }
        }
        // There are never more shards than nodes, so the index fits.
        let next = ShardIx(self.shards.len() as u16);
        self.nodes[node.index()].role = Role::Primary;
        self.shards.push(Shard { primary: node, replicas: Vec::new() });
        Some(next)
    }

    fn add_replica(&mut self, shard: ShardIx, replica: &AnnouncedNode) {
        let Some(node) = self.intern(replica) else { return };
        // Listed as a replica, but a primary elsewhere in the view: it keeps that role.
        let shard = &mut self.shards[shard.index()];
        if shard.primary != node && !shard.replicas.contains(&node) {
            shard.replicas.push(node);
        }
    }

    /// Makes a replica the primary of its shard, and the primary its replica.
    fn promote(&mut self, replica: NodeIx, shard: ShardIx) {
        for other in &mut self.shards {
            other.replicas.retain(|&node| node != replica);
        }
        let shard = &mut self.shards[shard.index()];
        let former = std::mem::replace(&mut shard.primary, replica);
        shard.replicas.push(former);
        self.nodes[replica.index()].role = Role::Primary;
        self.nodes[former.index()].role = Role::Replica;
    }

    /// The index of a node; a new one is a replica until it becomes some shard's primary.
    fn intern(&mut self, node: &AnnouncedNode) -> Option<NodeIx> {
        if let Some(known) = self.node_at(&node.endpoint) {
            return Some(known);
        }
        let ix = u16::try_from(self.nodes.len()).ok().filter(|&ix| ix != u16::MAX).map(NodeIx)?;
        self.nodes.push(AnnouncedNode { role: Role::Replica, ..node.clone() });
        self.by_endpoint.insert(node.endpoint.clone(), ix);
        Some(ix)
    }
}

impl Default for SlotMap {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for SlotMap {
    /// The table is shown as ranges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotMap")
            .field("ranges", &self.ranges())
            .field("shards", &self.shards)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}
