//! The snapshot that callers route by: the slot map together with the nodes that it names. Immutable.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use truename_topology::{AnnouncedNode, Endpoint, NodeIx, Role, Slot, SlotMap};

use super::node::{Node, NodeFactory};
use crate::connect::Target;

/// How long a node that only an `ASK` named is kept.
const KEEP_ASKED: std::time::Duration = std::time::Duration::from_secs(60);

/// One state of the cluster, as the client sees it.
#[derive(Debug)]
pub(crate) struct Topology {
    map: Arc<SlotMap>,
    /// Parallel to the map's nodes.
    nodes: Vec<Arc<Node>>,
    /// Nodes that an `ASK` named and no view mentions yet, such as an importing node without slots.
    asked: HashMap<Endpoint, (Arc<Node>, Instant)>,
    /// The server is not a cluster.
    is_single: bool,
    /// Redirects moved slots, and no refresh has said yet what else changed: a shard may be in it twice, once with the primary
    /// that it had.
    is_patched: bool,
}

impl Topology {
    /// The first snapshot.
    pub(crate) fn new(map: SlotMap, factory: &NodeFactory, seed: &Endpoint) -> Self {
        let empty = Self {
            map: Arc::default(),
            nodes: Vec::new(),
            asked: HashMap::new(),
            is_single: false,
            is_patched: false,
        };
        empty.next(map, factory, seed)
    }

    /// A server that is not a cluster: every slot is served by the seed itself.
    pub(crate) fn single(factory: &NodeFactory, seed: &Endpoint) -> Self {
        let target = Target::seed(seed);
        let map = Arc::new(SlotMap::single_node(target.node.clone()));
        let nodes = vec![factory.spawn(target)];
        Self { map, nodes, asked: HashMap::new(), is_single: true, is_patched: false }
    }

    /// The snapshot after this one. Nodes that did not change keep their connections.
    pub(crate) fn next(&self, map: SlotMap, factory: &NodeFactory, seed: &Endpoint) -> Self {
        let known: HashMap<&Endpoint, &Arc<Node>> =
            self.nodes.iter().map(|node| (node.endpoint(), node)).collect();
        let nodes = map
            .nodes()
            .iter()
            .map(|announced| {
                let before = known
                    .get(&announced.endpoint)
                    .copied()
                    .or_else(|| self.asked.get(&announced.endpoint).map(|(node, _)| node));
                match before {
                    Some(node) if node.is(announced) => node.clone(),
                    Some(node) if node.target().node.may_be(announced) => {
                        node.described_anew(Target::announced(announced, seed))
                    }
                    _ => factory.spawn(Target::announced(announced, seed)),
                }
            })
            .collect();
        let asked = self
            .asked
            .iter()
            .filter(|(endpoint, (_, since))| map.node_at(endpoint).is_none() && since.elapsed() < KEEP_ASKED)
            .map(|(endpoint, entry)| (endpoint.clone(), entry.clone()))
            .collect();
        Self { map: Arc::new(map), nodes, asked, is_single: self.is_single, is_patched: false }
    }

    /// This snapshot with a node that an `ASK` named.
    pub(crate) fn with_asked(&self, endpoint: &Endpoint, factory: &NodeFactory, seed: &Endpoint) -> Self {
        let mut asked = self.asked.clone();
        let announced = AnnouncedNode::new(endpoint.clone(), Role::Primary);
        let node = factory.spawn(Target::announced(&announced, seed));
        asked.insert(endpoint.clone(), (node, Instant::now()));
        Self { map: self.map.clone(), nodes: self.nodes.clone(), asked, ..*self }
    }

    pub(crate) fn map(&self) -> &Arc<SlotMap> {
        &self.map
    }

    /// The same as the snapshot of a cluster.
    pub(crate) fn of_cluster(self) -> Self {
        Self { is_single: false, ..self }
    }

    /// The same, as redirects made it.
    pub(crate) fn patched(self) -> Self {
        Self { is_patched: true, ..self }
    }

    /// Whether redirects made it what it is, and no refresh has confirmed it yet.
    pub(crate) fn is_patched(&self) -> bool {
        self.is_patched
    }

    /// Whether the server is not a cluster.
    pub(crate) fn is_single(&self) -> bool {
        self.is_single
    }

    /// The map, if it is that of a cluster.
    pub(crate) fn cluster_map(&self) -> Option<&SlotMap> {
        (!self.is_single).then_some(&*self.map)
    }

    /// Whether there may be one more node that only a redirect named.
    pub(crate) fn has_room(&self) -> bool {
        self.nodes.len() + self.asked.len() < SlotMap::MAX_NODES
    }

    /// The primary of a slot.
    #[inline]
    pub(crate) fn primary(&self, slot: Slot) -> Option<&Arc<Node>> {
        self.map.shard(slot).and_then(|shard| self.nodes.get(shard.primary().index()))
    }

    /// A node by its index in the map.
    pub(crate) fn node(&self, index: NodeIx) -> Option<&Arc<Node>> {
        self.nodes.get(index.index())
    }

    /// All primaries, one per shard.
    pub(crate) fn primaries(&self) -> impl ExactSizeIterator<Item = &Arc<Node>> {
        self.map.shards().iter().map(|shard| &self.nodes[shard.primary().index()])
    }

    /// Asks for connections to those that calls go to before they are needed.
    pub(super) fn warm_up(&self, uses_replicas: bool) {
        if uses_replicas {
            self.nodes.iter().for_each(|node| node.warm_up());
        } else {
            self.primaries().for_each(|node| node.warm_up());
        }
    }

    /// All nodes of the map.
    pub(crate) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// These, and those that an `ASK` named.
    pub(crate) fn all_nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().chain(self.asked.values().map(|(node, _)| node))
    }

    /// The node at a raw announced address, as redirects name it.
    pub(crate) fn node_at(&self, endpoint: &Endpoint) -> Option<&Arc<Node>> {
        match self.map.node_at(endpoint) {
            Some(index) => self.nodes.get(index.index()),
            None => self.asked.get(endpoint).map(|(node, _)| node),
        }
    }
}
