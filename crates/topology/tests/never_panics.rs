//! Parsers and everything after them accept whatever a peer sends.

mod common;

use common::{bulk, int};
use proptest::prelude::*;
use truename_resp::{Attributed, ErrorReply, Reply, Verbatim};
use truename_topology::{
    Slot, SlotMap, View, parse_node_lines, parse_nodes, parse_shards, parse_slots, reconcile,
};

/// Replies with a bias to words and numbers that mean something to the parsers.
fn reply() -> impl Strategy<Value = Reply> {
    let word = prop::sample::select(vec![
        "",
        "?",
        "slots",
        "nodes",
        "role",
        "master",
        "replica",
        "port",
        "tls-port",
        "endpoint",
        "ip",
        "hostname",
        "10.0.0.4",
        "::1",
        "::",
        "node-1.example.net",
        "id",
        "health",
        "fail",
        "a/b",
    ]);
    let leaf = prop_oneof![
        4 => word.prop_map(bulk),
        4 => (-1i64..16_386).prop_map(int),
        1 => any::<i64>().prop_map(int),
        1 => Just(Reply::Nil),
        1 => any::<bool>().prop_map(Reply::Boolean),
        1 => any::<f64>().prop_map(Reply::Double),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Reply::Bulk(bytes.into())),
        1 => ".{0,8}".prop_map(|text| Reply::Simple(text.into())),
        1 => ".{0,8}".prop_map(|text| Reply::Error(ErrorReply::new(text))),
        1 => ".{0,8}".prop_map(|text| Reply::Verbatim(Verbatim { format: *b"txt", text: text.into() })),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            6 => prop::collection::vec(inner.clone(), 0..6).prop_map(Reply::Array),
            2 => prop::collection::vec((inner.clone(), inner.clone()), 0..6).prop_map(Reply::Map),
            1 => prop::collection::vec(inner.clone(), 0..6).prop_map(Reply::Set),
            1 => inner.prop_map(|reply| Reply::Attributed(Box::new(Attributed { attributes: vec![], reply }))),
        ]
    })
}

/// Replies of the right shape with arbitrary parts, so that the deeper code is reached.
fn slots_like() -> impl Strategy<Value = Reply> {
    let node = (reply(), -1i64..70_000, reply(), reply())
        .prop_map(|(host, port, id, metadata)| Reply::Array(vec![host, int(port), id, metadata]));
    let entry =
        (0i64..16_400, 0i64..50, prop::collection::vec(node, 0..4)).prop_map(|(first, length, nodes)| {
            Reply::Array([int(first), int(first + length)].into_iter().chain(nodes).collect())
        });
    prop::collection::vec(entry, 0..6).prop_map(Reply::Array)
}

fn shards_like() -> impl Strategy<Value = Reply> {
    let field = prop::sample::select(vec!["port", "tls-port", "endpoint", "ip", "hostname", "health", "id"]);
    let node =
        (prop::collection::vec((field, reply()), 0..6), prop::bool::ANY).prop_map(|(fields, primary)| {
            let role = (bulk("role"), bulk(if primary { "master" } else { "replica" }));
            Reply::Map(fields.into_iter().map(|(key, value)| (bulk(key), value)).chain([role]).collect())
        });
    let slots = prop::collection::vec(0i64..16_400, 0..4).prop_map(|mut numbers| {
        numbers.sort_unstable();
        Reply::Array(numbers.into_iter().map(int).collect())
    });
    let shard = (slots, prop::collection::vec(node, 0..4)).prop_map(|(slots, nodes)| {
        Reply::Map(vec![(bulk("slots"), slots), (bulk("nodes"), Reply::Array(nodes))])
    });
    prop::collection::vec(shard, 0..5).prop_map(Reply::Array)
}

/// What holds for any view that a parser lets through.
fn check(view: View) -> Result<(), TestCaseError> {
    let map = SlotMap::from_view(&view);
    prop_assert!(map.assigned() <= view.assigned_slots());
    prop_assert_eq!(Slot::all().filter(|&slot| map.shard(slot).is_some()).count(), map.assigned());
    prop_assert!(view.nodes().all(|node| node.endpoint.port() != 0 && !node.endpoint.host().is_empty()));
    let merged = reconcile(std::slice::from_ref(&view), None);
    prop_assert!(view.assigned_slots() == 0 || merged.map == map);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_replies(reply in reply(), tls: bool) {
        let parsed = [parse_slots(&reply, "seed"), parse_shards(&reply, "seed", tls)];
        for view in parsed.into_iter().flatten() {
            check(view)?;
        }
    }

    #[test]
    fn replies_like_slots(reply in slots_like()) {
        if let Ok(view) = parse_slots(&reply, "seed") {
            check(view)?;
        }
    }

    #[test]
    fn replies_like_shards(reply in shards_like(), tls: bool) {
        if let Ok(view) = parse_shards(&reply, "seed", tls) {
            check(view)?;
        }
    }

    #[test]
    fn arbitrary_nodes_text(text in "([a-f0-9]{1,3} [a-z0-9:@,.?]{0,12} (myself,)?(master|slave|noaddr)(,fail)? (-|[a-f0-9]{1,3}) 0 0 [0-9]{1,3} (connected|x)( [0-9]{1,3}(-[0-9]{1,5})?)?( \\[[0-9]{1,2}-[<>]-a\\])?\n){0,4}.{0,20}") {
        let lines = parse_node_lines(&text).map(|lines| lines.len());
        if let Ok(view) = parse_nodes(&text, "seed") {
            prop_assert!(view.nodes().count() + view.skipped.len() <= lines.unwrap_or_default());
            check(view)?;
        }
    }
}
