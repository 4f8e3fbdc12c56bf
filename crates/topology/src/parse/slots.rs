//! `CLUSTER SLOTS`: an array of `[first, last, primary, replica...]`.
//!
//! A node is `[host, port]` on the oldest servers, then `[host, port, id]`, and since 7.0
//! `[host, port, id, metadata]`, where the metadata is a flat array in RESP2 and a map in RESP3.

use std::collections::{HashMap, HashSet};

use truename_resp::Reply;

use super::{Said, array, checked, host_word, port_number, shape};
use crate::dropped::DropList;
use crate::view::Skipped;
use crate::{AnnouncedNode, Endpoint, Health, NodeId, Role, ShardView, SlotRange, View, ViewError};

/// Reads a reply to `CLUSTER SLOTS`.
///
/// `answered_by` is the host of the node that answered. It stands for hosts that are NULL, empty
/// or unspecified (`0.0.0.0`, `::`). All ranges of one primary make one shard.
///
/// # Errors
/// [`ViewError`] for an error reply, for a reply of another shape, and for one that contradicts itself.
pub fn parse_slots(reply: &Reply, answered_by: &str) -> Result<View, ViewError> {
    let mut shards = Shards::default();
    for entry in array(reply, "an array of slot ranges")? {
        let [first, last, nodes @ ..] = array(entry, "a slot range")? else {
            return Err(shape("first slot, last slot and nodes", "a shorter array"));
        };
        let range = range(first, last)?;
        let Some((primary, replicas)) = nodes.split_first() else { continue };
        let primary = said(primary, Role::Primary)?.node(answered_by, &mut shards.dropped);
        let shard = shards.of_primary(primary);
        shards.views[shard].ranges.push(range);
        // An element that is not an array is something newer than this parser.
        for replica in replicas.iter().filter(|element| element.as_array().is_some()) {
            let replica = said(replica, Role::Replica)?.node(answered_by, &mut shards.dropped);
            shards.add_replica(shard, replica);
        }
    }
    let (skipped, dropped) = (shards.skipped, shards.dropped.into_vec());
    checked(View { skipped, dropped, ..View::new(shards.views) })
}

fn range(first: &Reply, last: &Reply) -> Result<SlotRange, ViewError> {
    let number = |reply: &Reply| reply.as_integer().ok_or_else(|| shape("a slot number", reply.kind()));
    let (first, last) = (number(first)?, number(last)?);
    SlotRange::from_wire(first, last).ok_or_else(|| ViewError::Slots(format!("{first}-{last}")))
}

fn said(node: &Reply, role: Role) -> Result<Said<'_>, ViewError> {
    let [host, port, rest @ ..] = array(node, "a node")? else {
        return Err(shape("host and port of a node", "a shorter array"));
    };
    let metadata = |key| rest.get(1).and_then(|metadata| metadata.lookup(key)?.as_str());
    Ok(Said {
        host: host_word(host),
        port: port_number(port),
        id: rest.first().and_then(Reply::as_str),
        role,
        hostname: metadata("hostname"),
        ip: metadata("ip"),
        zone: metadata("availability-zone"),
        health: Health::Unknown,
    })
}

/// The shards found so far. A primary has one entry in the reply for each of its ranges.
#[derive(Default)]
struct Shards {
    views: Vec<ShardView>,
    skipped: Vec<Skipped>,
    by_endpoint: HashMap<Endpoint, usize>,
    /// Shards whose primary cannot be addressed.
    by_id: HashMap<NodeId, usize>,
    known_replicas: HashSet<(usize, Endpoint)>,
    known_skipped: HashSet<Skipped>,
    dropped: DropList,
}

impl Shards {
    /// The index of the shard with this primary.
    fn of_primary(&mut self, primary: Result<AnnouncedNode, Skipped>) -> usize {
        let next = self.views.len();
        let shard = match &primary {
            Ok(node) => *self.by_endpoint.entry(node.endpoint.clone()).or_insert(next),
            Err(Skipped { id: Some(id), .. }) => *self.by_id.entry(id.clone()).or_insert(next),
            Err(_) => next,
        };
        let primary = primary.map_err(|skipped| self.skip(skipped)).ok();
        if shard == next {
            self.views.push(ShardView::new(Vec::new(), primary, Vec::new()));
        }
        shard
    }

    fn add_replica(&mut self, shard: usize, replica: Result<AnnouncedNode, Skipped>) {
        match replica {
            Ok(node) => {
                if self.known_replicas.insert((shard, node.endpoint.clone())) {
                    self.views[shard].replicas.push(node);
                }
            }
            Err(skipped) => self.skip(skipped),
        }
    }

    fn skip(&mut self, skipped: Skipped) {
        if self.known_skipped.insert(skipped.clone()) {
            self.skipped.push(skipped);
        }
    }
}
