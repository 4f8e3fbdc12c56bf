//! Which node of a shard a read-only command goes to.
//!
//! Replicas lag: whoever reads from one may get an older value than was written. Commands that write always go to
//! the primary, whatever the preference.

use std::sync::Arc;

use truename_topology::Shard;

use crate::cluster::{Node, Topology};
use crate::config::ReadFrom;

impl ReadFrom {
    /// The node of a shard to read from; `None` if the preference allows none at the moment.
    pub(crate) fn choose<'t>(&self, topology: &'t Topology, shard: &Shard) -> Option<&'t Arc<Node>> {
        let primary = topology.node(shard.primary());
        match self {
            Self::Primary => primary,
            Self::Replica => replica(topology, shard, |_| true),
            Self::PreferReplica => replica(topology, shard, |_| true).or(primary),
            Self::Nearest => nearest(topology, shard).or(primary),
            Self::Zone(zone) => {
                let is_here = |node: &Node| node.zone().is_some_and(|other| other == *zone);
                replica(topology, shard, is_here)
                    .or_else(|| primary.filter(|node| node.is_up() && is_here(node)))
                    .or_else(|| replica(topology, shard, |_| true))
                    .or(primary)
            }
        }
    }
}

/// A usable replica, from a random start.
fn replica<'t>(
    topology: &'t Topology,
    shard: &Shard,
    wanted: impl Fn(&Node) -> bool,
) -> Option<&'t Arc<Node>> {
    let replicas = shard.replicas();
    let start = fastrand::usize(..replicas.len().max(1));
    let rotated = replicas[start.min(replicas.len())..].iter().chain(&replicas[..start.min(replicas.len())]);
    let mut usable = rotated.filter_map(|ix| topology.node(*ix)).filter(|node| node.is_readable_replica());
    usable.find(|node| wanted(node))
}

fn nearest<'t>(topology: &'t Topology, shard: &Shard) -> Option<&'t Arc<Node>> {
    let replicas = shard.replicas().iter().filter_map(|ix| topology.node(*ix));
    let primary = topology.node(shard.primary()).filter(|node| node.is_up());
    let usable = replicas.filter(|node| node.is_readable_replica()).chain(primary);
    usable.min_by_key(|node| node.round_trip())
}
