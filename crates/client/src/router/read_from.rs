//! Which node of a shard a read-only command goes to.
//!
//! Replicas lag: whoever reads from one may get an older value than was written. Commands that write always go to
//! the primary, whatever the preference.

use std::str::FromStr;
use std::sync::Arc;

use truename_topology::Shard;

use crate::cluster::{Node, Topology};
use crate::error::Error;

/// Where read-only commands are sent. Set it with [`Config::read_from`](crate::Config::read_from).
///
/// With anything but `Primary` every connection sends `READONLY` in its greeting; a node that rejects the command
/// (Redis Enterprise does) is not read from while it is a replica. A node that is not connected is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The primary: what was written is read.
    #[default]
    Primary,
    /// A replica, drawn at random, and nothing else: without a usable one the command waits for it.
    Replica,
    /// A replica, drawn at random; the primary if no replica is usable.
    PreferReplica,
    /// The node that answered its greeting fastest, primary or replica.
    Nearest,
    /// A node of this availability zone, replicas first; otherwise a replica elsewhere, otherwise the primary.
    ///
    /// Zones are known where the server tells them: Valkey 8.1 and later in `HELLO`, and in `CLUSTER SLOTS`.
    Zone(Arc<str>),
}

impl ReadFrom {
    /// Whether connections need `READONLY`.
    pub(crate) fn uses_replicas(&self) -> bool {
        *self != Self::Primary
    }

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

impl FromStr for ReadFrom {
    type Err = Error;

    /// Reads `primary`, `replica`, `prefer-replica`, `nearest` or `zone:NAME`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match (text, text.strip_prefix("zone:")) {
            ("primary", _) => Ok(Self::Primary),
            ("replica", _) => Ok(Self::Replica),
            ("prefer-replica", _) => Ok(Self::PreferReplica),
            ("nearest", _) => Ok(Self::Nearest),
            (_, Some(zone)) if !zone.is_empty() => Ok(Self::Zone(zone.into())),
            _ => Err(Error::config_with_remedy(
                format!("`{text}` is not a read preference"),
                "write primary, replica, prefer-replica, nearest or zone:NAME",
            )),
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
