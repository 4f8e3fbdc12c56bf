//! [`View`]: the cluster as one node sees it.
//!
//! A view is an opinion, not the truth: [`reconcile`](crate::reconcile()) makes one slot map out of several.
//! Within a view no two shards claim the same slot; a reply that says otherwise is refused when it is parsed.

use std::fmt;

use thiserror::Error;
use truename_resp::Untrusted;

use crate::{AnnouncedNode, Dropped, NodeId, Slot, SlotRange};

/// The most nodes that a view may name: [`SlotMap::MAX_NODES`](crate::SlotMap::MAX_NODES) of the maps that are made of it.
pub(crate) const MAX_NODES: usize = 2000;

/// What one node answered to `CLUSTER SLOTS`, `CLUSTER SHARDS` or `CLUSTER NODES`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// The shards, in the order of the reply. A primary without slots is a shard without ranges.
    pub shards: Vec<ShardView>,
    /// Nodes that were mentioned but cannot be addressed.
    pub skipped: Vec<Skipped>,
    /// Metadata that was left out because it is not valid, up to a bound.
    pub dropped: Vec<Dropped>,
    /// The node that answered, where the reply says so (`CLUSTER NODES` only).
    pub myself: Option<AnnouncedNode>,
    /// Slots on their way from one shard to another (`CLUSTER NODES` only, and only those of the
    /// node that answered).
    pub open_slots: Vec<OpenSlot>,
    /// How recent the view is: the highest config epoch of a `CLUSTER NODES` reply, or whatever
    /// logical clock the caller knows, such as `cluster_current_epoch` of `CLUSTER INFO`.
    pub epoch: Option<u64>,
    /// The server that was asked.
    pub origin: Origin,
}

impl View {
    /// A view of these shards, of unknown epoch, from a node that is not a seed.
    pub fn new(shards: Vec<ShardView>) -> Self {
        Self { shards, ..Self::default() }
    }

    /// Sets how recent the view is.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Sets who was asked.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// How many slots have an owner, reachable or not.
    pub fn assigned_slots(&self) -> usize {
        self.shards.iter().flat_map(|shard| &shard.ranges).map(|range| range.count()).sum()
    }

    /// Every node that can be addressed: shard by shard, primary first.
    pub fn nodes(&self) -> impl Iterator<Item = &AnnouncedNode> + Clone {
        self.shards.iter().flat_map(ShardView::nodes)
    }
}

/// The source of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Origin {
    /// A seed that the user configured: it speaks for the cluster that the user means.
    Seed,
    /// A node that was learnt from the cluster.
    #[default]
    Node,
}

/// One shard of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardView {
    /// The slots of the shard.
    pub ranges: Vec<SlotRange>,
    /// The primary; `None` if it was mentioned but cannot be addressed.
    pub primary: Option<AnnouncedNode>,
    /// The replicas, each once.
    pub replicas: Vec<AnnouncedNode>,
}

impl ShardView {
    /// A shard with these slots, primary and replicas.
    pub fn new(ranges: Vec<SlotRange>, primary: Option<AnnouncedNode>, replicas: Vec<AnnouncedNode>) -> Self {
        Self { ranges, primary, replicas }
    }

    /// The nodes of the shard, primary first.
    pub fn nodes(&self) -> impl Iterator<Item = &AnnouncedNode> + Clone {
        self.primary.iter().chain(&self.replicas)
    }
}

/// A node that was mentioned but cannot be addressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Skipped {
    /// The node's id, if it was reported.
    pub id: Option<NodeId>,
    /// The address as it was announced, for reports.
    pub announced: String,
    /// Why the node was left out.
    pub why: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Untrusted(&self.announced))?;
        self.id.iter().try_for_each(|id| write!(f, " ({id})"))?;
        write!(f, ": {}", self.why)
    }
}

/// Why a node of a reply was left out of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// The host is `?`: `cluster-preferred-endpoint-type` is `hostname` and the node announces none.
    #[error("the cluster does not know its host name (`?`)")]
    UnknownEndpoint,
    /// The host is not text that could be a name or an address.
    #[error("its host is not a name or an address")]
    BadHost,
    /// The port is missing, 0 or above 65535.
    #[error("its port is missing or not from 1 to 65535")]
    BadPort,
    /// Flag `noaddr` of `CLUSTER NODES`: the cluster has lost the node's address.
    #[error("the cluster has lost its address (`noaddr`)")]
    NoAddress,
    /// Flag `handshake` of `CLUSTER NODES`: not a member yet.
    #[error("it is still joining the cluster (`handshake`)")]
    Handshake,
}

/// A slot that is being moved, as the node at one end of the move sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSlot {
    /// The slot.
    pub slot: Slot,
    /// Which end of the move the node that answered is.
    pub side: MigrationSide,
    /// The id of the node at the other end.
    pub peer: NodeId,
}

/// Which end of a slot's move a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MigrationSide {
    /// The slot is leaving: requests for missing keys are answered with ASK.
    Migrating,
    /// The slot is arriving: requests are served after ASKING.
    Importing,
}

/// Why a reply is not a view of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The server answered with an error. `ERR This instance has cluster support disabled` is one.
    #[error("the server refused: {}", Untrusted(.0))]
    Refused(String),
    /// A part of the reply has the wrong type or too few elements.
    #[error("expected {wanted}, got {}", Untrusted(got))]
    Shape {
        /// What should have been there.
        wanted: &'static str,
        /// What was there.
        got: String,
    },
    /// Numbers that are not a range of slots.
    #[error("`{}` is not a range of slots", Untrusted(.0))]
    Slots(String),
    /// Two shards claim the same slot, so the reply contradicts itself.
    #[error("slot {slot} is claimed by two shards")]
    Overlap {
        /// The first slot claimed twice.
        slot: Slot,
    },
    /// More than [`SlotMap::MAX_NODES`](crate::SlotMap::MAX_NODES) nodes.
    #[error("{0} nodes are more than the {max} that a topology may have", max = MAX_NODES)]
    TooManyNodes(usize),
}
