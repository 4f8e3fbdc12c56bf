//! `CLUSTER SHARDS` (7.0): an array of maps with `slots` and `nodes`.
//!
//! Maps come as flat arrays in RESP2. A node has `port`, `tls-port` or both, and an `endpoint`
//! that is an empty string where the documentation says NULL (measured on 7.0, 7.2 and Valkey 8).

use truename_resp::Reply;

use super::{Said, array, checked, host_word, port_number, shape};
use crate::dropped::DropList;
use crate::{AnnouncedNode, Health, Role, ShardView, SlotRange, View, ViewError};

/// Reads a reply to `CLUSTER SHARDS`.
///
/// `answered_by` is the host of the node that answered; it stands for endpoints that are NULL,
/// empty or unspecified. `tls` chooses `tls-port` before `port`; the other one is taken where only
/// that is reported, because 7.0 knows a single port unless `tls-cluster` is on.
///
/// # Errors
/// [`ViewError`] for an error reply, for a reply of another shape, and for one that contradicts itself.
pub fn parse_shards(reply: &Reply, answered_by: &str, tls: bool) -> Result<View, ViewError> {
    let (mut view, mut dropped) = (View::default(), DropList::default());
    for shard in array(reply, "an array of shards")? {
        let slots = shard.lookup("slots").ok_or_else(|| shape("a shard with `slots`", shard.kind()))?;
        let nodes = shard.lookup("nodes").ok_or_else(|| shape("a shard with `nodes`", shard.kind()))?;
        let (mut primaries, mut replicas) = (Vec::new(), Vec::new());
        for node in array(nodes, "an array of nodes")? {
            let Some(said) = said(node, tls)? else { continue };
            match said.node(answered_by, &mut dropped) {
                Ok(node) if node.role == Role::Primary => primaries.push(node),
                Ok(node) => replicas.push(node),
                Err(skipped) => view.skipped.push(skipped),
            }
        }
        let (primary, former) = elect(primaries);
        view.shards.push(ShardView::new(ranges(slots)?, primary, replicas));
        let slotless = |node| ShardView::new(Vec::new(), Some(node), Vec::new());
        view.shards.extend(former.into_iter().map(slotless));
    }
    view.dropped = dropped.into_vec();
    checked(view)
}

/// The primary of a shard and whoever else still counts as one.
///
/// After a failover the failed primary stays listed as a primary until it comes back as a replica,
/// so the healthiest one speaks for the slots.
fn elect(mut primaries: Vec<AnnouncedNode>) -> (Option<AnnouncedNode>, Vec<AnnouncedNode>) {
    let unfitness = |node: &AnnouncedNode| match node.health {
        Health::Online => 0,
        Health::Unknown => 1,
        Health::Loading => 2,
        Health::Failed => 3,
    };
    let Some(best) = (0..primaries.len()).min_by_key(|&i| unfitness(&primaries[i])) else {
        return (None, primaries);
    };
    (Some(primaries.remove(best)), primaries)
}

/// Slots are a flat array: first, last, first, last.
fn ranges(slots: &Reply) -> Result<Vec<SlotRange>, ViewError> {
    let numbers = array(slots, "an array of slots")?;
    let (pairs, odd) = numbers.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(shape("pairs of slots", "an odd number of them"));
    }
    let number = |reply: &Reply| reply.as_integer().ok_or_else(|| shape("a slot number", reply.kind()));
    pairs
        .iter()
        .map(|[first, last]| {
            let (first, last) = (number(first)?, number(last)?);
            SlotRange::from_wire(first, last).ok_or_else(|| ViewError::Slots(format!("{first}-{last}")))
        })
        .collect()
}

/// What is said about a node; `None` for a node of a role that this crate does not know.
fn said(node: &Reply, tls: bool) -> Result<Option<Said<'_>>, ViewError> {
    let text = |key| node.lookup(key).and_then(Reply::as_str);
    let port = |key| node.lookup(key).and_then(port_number).filter(|&port| port != 0);
    let role = match text("role") {
        Some("master" | "primary") => Role::Primary,
        Some("replica" | "slave") => Role::Replica,
        Some(_) => return Ok(None),
        None => return Err(shape("a node with a `role`", node.kind())),
    };
    Ok(Some(Said {
        host: node.lookup("endpoint").map_or_else(|| text("ip"), host_word),
        port: if tls {
            port("tls-port").or_else(|| port("port"))
        } else {
            port("port").or_else(|| port("tls-port"))
        },
        id: text("id"),
        role,
        hostname: text("hostname"),
        ip: text("ip"),
        zone: text("availability-zone"),
        health: match text("health") {
            Some("online") => Health::Online,
            Some("fail" | "failed") => Health::Failed,
            Some("loading") => Health::Loading,
            _ => Health::Unknown,
        },
    }))
}
