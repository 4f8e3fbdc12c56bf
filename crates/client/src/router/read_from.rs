//! Which node of a shard a read-only command goes to.
//!
//! Replicas lag: whoever reads from one may get an older value than was written. Commands that write always go to
//! the primary, whatever the preference.

use std::sync::Arc;

use truename_topology::{Shard, Slot};

use super::request::Request;
use super::state::Router;
use crate::cluster::{Node, Topology};
use crate::config::ReadFrom;
use crate::error::RouteError;

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

impl Router {
    /// Why a command of this slot has no node to go to.
    pub(super) fn unserved(&self, slot: Slot, request: &Request<'_, '_>) -> RouteError {
        let topology = self.cluster.topology();
        let needs_replica = self.cluster.read_from == ReadFrom::Replica && request.is_read();
        match topology.map().shard(slot).filter(|_| needs_replica) {
            Some(shard) => RouteError::NoReplica { slot, refusal: refusal(&topology, shard) },
            None => RouteError::Unassigned { slot },
        }
    }
}

/// What a replica said instead of taking `READONLY`, if all of the shard's refused it. They are not asked again on the same
/// connections, so that waiting is no use.
fn refusal(topology: &Topology, shard: &Shard) -> Option<String> {
    let mut refusals = shard.replicas().iter().map(|ix| {
        let node = topology.node(*ix).filter(|node| node.is_up())?;
        node.facts()?.greeting.readonly_refusal.clone()
    });
    let first = refusals.next()??;
    refusals.all(|refusal| refusal.is_some()).then_some(first)
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
