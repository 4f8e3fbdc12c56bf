//! The target `topology`: replies in which a node says what it thinks the cluster looks like.

use std::collections::{HashMap, HashSet};

use bytes::BytesMut;
use truename_resp::{Decoder, Frame, Limits};
use truename_topology::{
    AnnouncedNode, Metadata, Slot, SlotMap, View, ViewError, parse_node_lines, parse_nodes, parse_shards,
    parse_slots, reconcile,
};

use crate::harmless::assert_harmless;
use crate::plan::{SEED, assert_in_scope};

/// How many replies of an input are read. One map takes 32 KiB, and the smallest reply that gives one four bytes.
const MOST_REPLIES: usize = 3;

/// Checks a stream of RESP whose replies may be answers to any of the `CLUSTER` commands; and the input itself as the text
/// of `CLUSTER NODES`.
///
/// # Panics
/// If it shows a fault.
pub fn topology(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        check_text(text);
    }
    let mut decoder = Decoder::new(Limits::default());
    let mut read = BytesMut::from(input);
    for _ in 0..MOST_REPLIES {
        let Ok(Some(Frame::Reply(reply))) = decoder.decode(&mut read) else { return };
        check(parse_slots(&reply, SEED));
        check(parse_shards(&reply, SEED, true));
        check(parse_shards(&reply, SEED, false));
        if let Some(text) = reply.as_str() {
            check_text(text);
        }
    }
}

/// The text of `CLUSTER NODES`: its lines, and the view that is made of them.
fn check_text(text: &str) {
    let view = parse_nodes(text, SEED);
    match parse_node_lines(text) {
        Ok(lines) => {
            assert!(lines.len() <= SlotMap::MAX_NODES, "more lines than a topology may have nodes");
            let open = view.iter().map(|view| view.open_slots.len()).sum::<usize>();
            assert!(open <= lines.iter().map(|line| line.open.len()).sum(), "a move that no line tells");
        }
        Err(error) => assert_eq!(view.as_ref().err(), Some(&error), "a view of lines that cannot be read"),
    }
    check(view);
}

fn check(parsed: Result<View, ViewError>) {
    let view = match parsed {
        Ok(view) => view,
        Err(error) => return assert_harmless(error),
    };
    view.nodes().chain(&view.myself).for_each(check_node);
    view.skipped.iter().for_each(assert_harmless);
    view.dropped.iter().for_each(assert_harmless);
    assert!(view.nodes().count() <= SlotMap::MAX_NODES, "more nodes than a topology may have");
    assert!(view.assigned_slots() <= Slot::COUNT, "a slot is claimed twice");
    check_map(&view);
}

fn check_node(node: &AnnouncedNode) {
    assert!(node.endpoint.port() != 0 && !node.endpoint.host().is_empty(), "{node} cannot be addressed");
    let parts = [
        (Metadata::NodeId, node.id.as_ref().map(|id| id.as_str())),
        (Metadata::Hostname, node.hostname.as_deref()),
        (Metadata::AvailabilityZone, node.availability_zone.as_deref()),
    ];
    for (part, text) in parts {
        assert!(text.is_none_or(|text| part.allows(text)), "{node}: {text:?} is not a valid {part:?}");
    }
    assert_harmless(node);
    assert_in_scope(node);
}

/// What a client routes by if this view is all that it has, and if three nodes say the same.
fn check_map(view: &View) {
    let map = SlotMap::from_view(view);
    let addresses: HashSet<_> = map.nodes().iter().map(|node| &node.endpoint).collect();
    assert_eq!(addresses.len(), map.nodes().len(), "a node is in the map twice");
    let owned = Slot::all().filter(|&slot| map.primary(slot).is_some()).count();
    assert_eq!(owned, map.assigned());
    assert!(map.assigned() <= view.assigned_slots(), "a slot has an owner that the view does not name");
    assert!(map.diff(&map).is_empty(), "a map differs from itself");
    let says_anything = view.assigned_slots() > 0 && tells_nodes_apart(view);
    for views in [vec![view.clone()], vec![view.clone(); 3]] {
        let merged = reconcile(&views, None);
        assert!(
            !says_anything || merged.map == map,
            "{} equal views make {:?} of {map:?}",
            views.len(),
            merged.map
        );
        merged.disagreements.iter().for_each(assert_harmless);
    }
}

/// Whether every id is that of one address, and the other way round. Nodes are told apart by their ids when views are merged,
/// so a view in which two have the same comes out different.
fn tells_nodes_apart(view: &View) -> bool {
    let (mut addresses, mut ids) = (HashMap::new(), HashMap::new());
    view.nodes().all(|node| {
        let id = node.id.as_ref();
        *ids.entry(&node.endpoint).or_insert(id) == id
            && id.is_none_or(|id| *addresses.entry(id).or_insert(&node.endpoint) == &node.endpoint)
    })
}
