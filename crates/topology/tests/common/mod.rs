//! Replies as servers send them, in both versions of the protocol.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate of its own and uses a part")]
#![allow(
    clippy::allow_attributes,
    reason = "what is unused differs from file to file, so it cannot be expected"
)]

use bytes::Bytes;
use truename_resp::Reply;
use truename_topology::{AnnouncedNode, Endpoint, Role, ShardView, Slot, SlotRange};

/// The version of the protocol a reply is written in.
#[derive(Debug, Clone, Copy)]
pub enum Proto {
    Resp2,
    Resp3,
}

pub const PROTOS: [Proto; 2] = [Proto::Resp2, Proto::Resp3];

pub fn bulk(text: &str) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

pub fn int(value: i64) -> Reply {
    Reply::Integer(value)
}

pub fn array(items: impl IntoIterator<Item = Reply>) -> Reply {
    Reply::Array(items.into_iter().collect())
}

/// A map, which RESP2 writes as a flat array.
pub fn map(proto: Proto, pairs: impl IntoIterator<Item = (&'static str, Reply)>) -> Reply {
    let pairs = pairs.into_iter().map(|(key, value)| (bulk(key), value));
    match proto {
        Proto::Resp2 => array(pairs.flat_map(|(key, value)| [key, value])),
        Proto::Resp3 => Reply::Map(pairs.collect()),
    }
}

pub fn range(first: u16, last: u16) -> SlotRange {
    SlotRange::new(slot(first), slot(last)).expect("ranges in tests are in order")
}

pub fn slot(value: u16) -> Slot {
    Slot::new(value).expect("slots in tests are below 16384")
}

pub fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("endpoints in tests are host:port")
}

/// A node whose id is its address.
pub fn node(address: &str, role: Role) -> AnnouncedNode {
    AnnouncedNode::new(endpoint(address), role).with_id(address.into())
}

pub fn shard(ranges: &[(u16, u16)], primary: &str, replicas: &[&str]) -> ShardView {
    ShardView::new(
        ranges.iter().map(|&(first, last)| range(first, last)).collect(),
        Some(node(primary, Role::Primary)),
        replicas.iter().map(|address| node(address, Role::Replica)).collect(),
    )
}
