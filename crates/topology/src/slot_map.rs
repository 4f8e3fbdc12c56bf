//! [`SlotMap`]: who owns which slot.
//!
//! Immutable, so that a snapshot can be shared by every caller without a lock. A dense table makes the
//! lookup of a slot one load and one comparison.
//!
//! What always holds:
//! - every entry of the table is the index of a shard, or the mark for "no owner";
//! - every endpoint is in `nodes` once, and a node's `role` is `Primary` exactly if it is some shard's primary;
//! - no two shards have the same primary;
//! - there are at most [`SlotMap::MAX_NODES`] nodes.

use std::collections::HashMap;
use std::fmt;

use crate::slot::runs;
use crate::view::MAX_NODES;
use crate::{AnnouncedNode, Endpoint, Role, Slot, SlotRange, View};

/// A table entry without an owner: never a valid index, because there are never as many shards.
const UNASSIGNED: u16 = u16::MAX;

/// Index of a node in [`SlotMap::nodes`]. Valid for the map that gave it and for those made from it by
/// [`SlotMap::with_moved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u16);

impl NodeIx {
    /// The index as a number. See the [example](SlotMap#examples).
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index of a shard in [`SlotMap::shards`]; valid as long as a [`NodeIx`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIx(u16);

impl ShardIx {
    /// The index as a number. See the [example](SlotMap#examples).
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
    /// The node that owns the shard's slots. See the [example](SlotMap#examples).
    pub fn primary(&self) -> NodeIx {
        self.primary
    }

    /// The nodes that follow the primary. See the [example](SlotMap#examples).
    pub fn replicas(&self) -> &[NodeIx] {
        &self.replicas
    }
}

/// Every slot with its shard, and every shard with its nodes.
///
/// # Examples
/// ```
/// use truename_topology::{AnnouncedNode, Endpoint, Role, Slot, SlotMap};
///
/// let node = AnnouncedNode::new(Endpoint::new("10.0.0.4", 7000), Role::Primary);
/// let map = SlotMap::single_node(node.clone());
/// let slot = Slot::of_key(b"city");
/// assert_eq!(map.primary(slot), Some(&node));
/// assert_eq!((map.assigned(), SlotMap::empty().assigned()), (Slot::COUNT, 0));
///
/// // A redirect moves its own slot and nothing else: what is before and after it stays.
/// let other = Endpoint::new("10.0.0.5", 7000);
/// let moved = map.with_moved(slot, &other);
/// assert_eq!(moved.ranges().len(), 3);
/// assert_eq!((moved.nodes().len(), moved.owners().len(), moved.shards().len()), (2, 2, 2));
///
/// // Indexes lead from one to the other.
/// let shard = moved.shard(slot).expect("it has an owner");
/// assert_eq!(moved.node_at(&other), Some(shard.primary()));
/// assert_eq!(moved.nodes()[shard.primary().index()].endpoint, other);
/// assert!(moved.shard_ix(slot).is_some_and(|ix| moved.shards()[ix.index()].replicas().is_empty()));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SlotMap {
    table: Box<[u16; Slot::COUNT]>,
    shards: Vec<Shard>,
    nodes: Vec<AnnouncedNode>,
    by_endpoint: HashMap<Endpoint, NodeIx>,
    assigned: usize,
}

impl SlotMap {
    /// The most nodes of a map, those that only redirects named included. Twice what servers are tested with, and few
    /// enough that a hostile cluster cannot have a client open connections without end.
    pub const MAX_NODES: usize = MAX_NODES;

    /// A map without nodes. See the [example](SlotMap#examples).
    pub fn empty() -> Self {
        Self {
            table: Box::new([UNASSIGNED; Slot::COUNT]),
            shards: Vec::new(),
            nodes: Vec::new(),
            by_endpoint: HashMap::new(),
            assigned: 0,
        }
    }

    /// The map of one node's view. See the [example](SlotMap#examples).
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

    /// The map of a server that is not a cluster: every slot on one node. See the [example](SlotMap#examples).
    pub fn single_node(node: AnnouncedNode) -> Self {
        let mut map = Self::empty();
        if let Some(shard) = map.shard_of(&node) {
            Slot::all().for_each(|slot| map.assign(slot, shard));
        }
        map
    }

    /// The shard that owns a slot. See the [example](SlotMap#examples).
    pub fn shard(&self, slot: Slot) -> Option<&Shard> {
        // `UNASSIGNED` lies beyond the end of `shards`, so one bounds check answers both questions.
        self.shards.get(usize::from(self.table[slot.index()]))
    }

    /// The index of the shard that owns a slot. See the [example](SlotMap#examples).
    pub fn shard_ix(&self, slot: Slot) -> Option<ShardIx> {
        Some(self.table[slot.index()]).filter(|&ix| ix != UNASSIGNED).map(ShardIx)
    }

    /// The primary that owns a slot. See the [example](SlotMap#examples).
    pub fn primary(&self, slot: Slot) -> Option<&AnnouncedNode> {
        self.shard(slot).map(|shard| &self.nodes[shard.primary.index()])
    }

    /// All shards, indexed by [`ShardIx`]; some may own no slot. See the [example](SlotMap#examples).
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// All nodes, indexed by [`NodeIx`]. See the [example](SlotMap#examples).
    pub fn nodes(&self) -> &[AnnouncedNode] {
        &self.nodes
    }

    /// The node announced under this address. See the [example](SlotMap#examples).
    pub fn node_at(&self, endpoint: &Endpoint) -> Option<NodeIx> {
        self.by_endpoint.get(endpoint).copied()
    }

    /// How many slots have an owner. See the [example](SlotMap#examples).
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// The slots in order, cut into ranges with the same owner (`None` where there is none). See the
    /// [example](SlotMap#examples).
    pub fn ranges(&self) -> Vec<(SlotRange, Option<ShardIx>)> {
        runs(Slot::all().map(|slot| (slot, self.shard_ix(slot))))
    }

    /// The shards that own slots, each once. See the [example](SlotMap#examples).
    pub fn owners(&self) -> Vec<&Shard> {
        let mut owners: Vec<ShardIx> = self.ranges().into_iter().filter_map(|(_, owner)| owner).collect();
        owners.sort_unstable();
        owners.dedup();
        owners.into_iter().map(|owner| &self.shards[owner.index()]).collect()
    }

    /// The map after `MOVED slot to`: what is known until a refresh reveals the rest. That slot changes hands and
    /// nothing else: one answer of one node is no reason to move a whole shard, not even after a failover. See the
    /// [example](SlotMap#examples).
    ///
    /// Indexes of this map stay valid in the new one.
    ///
    /// | `to` is | effect |
    /// |---|---|
    /// | the owner already | none: the hint is stale |
    /// | another primary | it owns this slot |
    /// | a replica | it owns this slot in a shard of its own, and remains a replica of its shard for the others |
    /// | unknown | it is added and owns this slot, unless there are [`SlotMap::MAX_NODES`] already |
    #[must_use]
    pub fn with_moved(&self, slot: Slot, to: &Endpoint) -> Self {
        self.with_all_moved([(slot, to)])
    }

    /// [`SlotMap::with_moved`] for several slots. See the [example](SlotMap#examples).
    #[must_use]
    pub fn with_all_moved<'e>(&self, moved: impl IntoIterator<Item = (Slot, &'e Endpoint)>) -> Self {
        let mut map = self.clone();
        for (slot, to) in moved {
            if let Some(shard) = map.shard_led_by(to) {
                map.assign(slot, shard);
            }
        }
        map
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
        Some(self.lead(node))
    }

    fn add_replica(&mut self, shard: ShardIx, replica: &AnnouncedNode) {
        let Some(node) = self.intern(replica) else { return };
        // Listed as a replica, but a primary elsewhere in the view: it keeps that role.
        let shard = &mut self.shards[shard.index()];
        if shard.primary != node && !shard.replicas.contains(&node) {
            shard.replicas.push(node);
        }
    }

    /// The shard of which a node that a redirect named is the primary, made if there is none. `None` if there are too many
    /// nodes already.
    fn shard_led_by(&mut self, endpoint: &Endpoint) -> Option<ShardIx> {
        let node = self.intern(&AnnouncedNode::new(endpoint.clone(), Role::Primary))?;
        let led = self.shards.iter().position(|shard| shard.primary == node);
        Some(led.map_or_else(|| self.lead(node), |shard| ShardIx(shard as u16)))
    }

    /// Adds a shard with this primary. There are never more shards than nodes, so the index fits.
    fn lead(&mut self, primary: NodeIx) -> ShardIx {
        let shard = ShardIx(self.shards.len() as u16);
        self.nodes[primary.index()].role = Role::Primary;
        self.shards.push(Shard { primary, replicas: Vec::new() });
        shard
    }

    /// The index of a node; a new one is a replica until it becomes some shard's primary.
    fn intern(&mut self, node: &AnnouncedNode) -> Option<NodeIx> {
        if let Some(known) = self.node_at(&node.endpoint) {
            return Some(known);
        }
        let ix =
            Some(self.nodes.len()).filter(|&count| count < Self::MAX_NODES).map(|ix| NodeIx(ix as u16))?;
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
