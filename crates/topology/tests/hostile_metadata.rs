//! What a reply says about nodes costs no more than it should: it is kept, and compared slot by slot.

use std::time::{Duration, Instant};

use bytes::Bytes;
use truename_resp::Reply;
use truename_topology::{SlotMap, parse_slots, reconcile};

fn bulk(text: &str) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

/// A node of `CLUSTER SLOTS`: host, id and metadata.
fn node(host: &str, id: &str, metadata: &[(&str, &str)]) -> Reply {
    let metadata = metadata.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]).collect();
    Reply::Array(vec![bulk(host), Reply::Integer(6379), bulk(id), Reply::Array(metadata)])
}

fn slots(ranges: Vec<(i64, i64, Reply)>) -> Reply {
    let range = |(first, last, node)| Reply::Array(vec![Reply::Integer(first), Reply::Integer(last), node]);
    Reply::Array(ranges.into_iter().map(range).collect())
}

/// A node id of 1 MB was compared for every slot of every view: two minutes in which a worker of the runtime did nothing
/// else. The first seed alone could cause it.
#[test]
fn a_reply_of_megabytes_of_metadata_costs_no_processor_time() {
    let long = "a".repeat(1 << 20);
    for (what, told) in [
        ("a node id", node("10.0.0.4", &long, &[])),
        ("a host", node(&long, "id", &[])),
        ("a host name", node("10.0.0.4", "id", &[("hostname", &long)])),
        ("a zone", node("10.0.0.4", "id", &[("availability-zone", &long)])),
    ] {
        // The first word about a node counts; its further ranges only name the address.
        let host = if what == "a host" { &long } else { "10.0.0.4" };
        let further = |slot: i64| match slot % 2 {
            0 => (slot, slot, node(if host.len() > 99 { "10.0.0.6" } else { host }, "id", &[])),
            _ => (slot, slot, node("10.0.0.5", "other", &[])),
        };
        let reply = slots(std::iter::once((0, 0, told)).chain((1..16_384).map(further)).collect());
        let first = parse_slots(&reply, "seed").expect("a view");
        let started = Instant::now();
        let map = SlotMap::from_view(&first);
        let again = [(); 3].map(|()| parse_slots(&reply, "seed").expect("a view"));
        let reconciled = reconcile(&again, Some(&map));
        assert!(started.elapsed() < Duration::from_secs(8), "{what}: {:?}", started.elapsed());
        for node in reconciled.map.nodes() {
            assert!(format!("{node:?}").len() < 1000, "{what}");
        }
    }
}
