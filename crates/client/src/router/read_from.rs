//! Which node of a shard a read-only command goes to.
//!
//! Replicas lag: whoever reads from one may get an older value than was written. Commands that write always go to
//! the primary, whatever the preference.

use std::sync::Arc;

use truename_topology::{Shard, Slot};

use super::request::Request;
use super::state::Router;
use crate::cluster::{Node, Topology};
use crate::command::Command;
use crate::config::ReadFrom;
use crate::error::RouteError;

impl ReadFrom {
    /// The node of a shard to read from; `None` if the preference allows none at the moment.
    /// `is_usable`: whether a replica can be read from.
    pub(crate) fn choose<'t>(
        &self,
        topology: &'t Topology,
        shard: &Shard,
        is_usable: fn(&Node) -> bool,
    ) -> Option<&'t Arc<Node>> {
        let primary = topology.node(shard.primary());
        let replica =
            |wanted: &dyn Fn(&Node) -> bool| replica(topology, shard, |node| is_usable(node) && wanted(node));
        match self {
            Self::Primary => primary,
            Self::Replica => replica(&|_| true),
            Self::PreferReplica => replica(&|_| true).or(primary),
            Self::Nearest => nearest(topology, shard, is_usable).or(primary),
            Self::Zone(zone) => {
                let is_here = |node: &Node| node.zone().is_some_and(|other| other == *zone);
                replica(&is_here)
                    .or_else(|| primary.filter(|node| node.is_up() && is_here(node)))
                    .or_else(|| replica(&|_| true))
                    .or(primary)
            }
        }
    }
}

/// For commands that go to a slot's primary whatever is preferred.
const PRIMARY: &ReadFrom = &ReadFrom::Primary;

/// Where the caller says that this one is read from.
pub(super) fn callers_preference<'r>(command: &'r Command<'_>) -> Option<&'r ReadFrom> {
    if command.is_for_primary() { Some(PRIMARY) } else { command.own_read_from() }
}

impl Router {
    /// Where a command is read from: the caller's preference, or else the client's.
    pub(super) fn read_from<'r>(&'r self, command: &'r Command<'_>) -> &'r ReadFrom {
        callers_preference(command).unwrap_or(&self.cluster.read_from)
    }

    /// Whether the client's connections ask to read from replicas (`READONLY`).
    pub(super) fn is_readonly(&self) -> bool {
        self.cluster.read_from.uses_replicas()
    }

    /// The node of a slot: by this preference for what only reads, or else its primary.
    #[inline(always)]
    pub(super) fn server_of<'t>(
        &self,
        read_from: &ReadFrom,
        topology: &'t Topology,
        slot: Slot,
        is_read: impl FnOnce() -> bool,
        replicas_serve: bool,
    ) -> Option<&'t Arc<Node>> {
        match read_from {
            ReadFrom::Primary => topology.primary(slot),
            read_from if is_read() => self.reader_of(read_from, topology, slot, replicas_serve),
            _ => topology.primary(slot),
        }
    }

    /// The node of a slot by a preference for reads.
    fn reader_of<'t>(
        &self,
        read_from: &ReadFrom,
        topology: &'t Topology,
        slot: Slot,
        replicas_serve: bool,
    ) -> Option<&'t Arc<Node>> {
        if !replicas_serve && *read_from != ReadFrom::Replica {
            return topology.primary(slot);
        }
        self.reader_in(read_from, topology, topology.map().shard(slot)?)
    }

    /// The node of a shard by a preference for reads.
    pub(super) fn reader_in<'t>(
        &self,
        read_from: &ReadFrom,
        topology: &'t Topology,
        shard: &Shard,
    ) -> Option<&'t Arc<Node>> {
        if self.is_readonly() {
            return read_from.choose(topology, shard, Node::is_readable_replica);
        }
        if read_from.uses_replicas() {
            // Nobody has needed these connections before.
            shard.replicas().iter().filter_map(|ix| topology.node(*ix)).for_each(|node| node.warm_up());
        }
        read_from.choose(topology, shard, Node::may_be_read_from)
    }

    /// Whether it may be served by replicas only.
    pub(super) fn is_for_replicas(&self, request: &Request<'_, '_>) -> bool {
        *self.read_from(request.command) == ReadFrom::Replica && request.is_read()
    }

    /// Why a command of this slot has no node to go to.
    pub(super) fn unserved(&self, slot: Slot, request: &Request<'_, '_>) -> RouteError {
        let topology = self.cluster.topology();
        match topology.map().shard(slot).filter(|_| self.is_for_replicas(request)) {
            Some(shard) => RouteError::NoReplica { slot, refusal: refusal(&topology, shard) },
            None => RouteError::Unassigned { slot },
        }
    }
}

/// What a replica said instead of taking `READONLY`, if all of the shard's refused it. They are not asked again on the same
/// connections, or for a while, so that waiting is no use.
fn refusal(topology: &Topology, shard: &Shard) -> Option<String> {
    let mut refusals = shard.replicas().iter().map(|ix| {
        let node = topology.node(*ix).filter(|node| node.is_up())?;
        node.readonly_refusal()
    });
    let first = refusals.next()??;
    refusals.all(|refusal| refusal.is_some()).then_some(first)
}

/// A usable replica, from a random start.
fn replica<'t>(
    topology: &'t Topology,
    shard: &Shard,
    is_wanted: impl Fn(&Node) -> bool,
) -> Option<&'t Arc<Node>> {
    let replicas = shard.replicas();
    let start = fastrand::usize(..replicas.len().max(1));
    let rotated = replicas[start.min(replicas.len())..].iter().chain(&replicas[..start.min(replicas.len())]);
    rotated.filter_map(|ix| topology.node(*ix)).find(|node| is_wanted(node))
}

fn nearest<'t>(topology: &'t Topology, shard: &Shard, is_usable: fn(&Node) -> bool) -> Option<&'t Arc<Node>> {
    let replicas = shard.replicas().iter().filter_map(|ix| topology.node(*ix));
    let primary = topology.node(shard.primary()).filter(|node| node.is_up());
    let usable = replicas.filter(|node| is_usable(node)).chain(primary);
    usable.min_by_key(|node| node.round_trip())
}
