//! The slot map: lookups, patches by redirects, and differences.

mod common;

use common::{endpoint, node, range, shard, slot};
use proptest::prelude::*;
use truename_topology::{
    AnnouncedNode, Endpoint, NodeId, Role, ShardView, Slot, SlotMap, TopologyDiff, View,
};

fn three_shards() -> SlotMap {
    SlotMap::from_view(&View::new(vec![
        shard(&[(0, 5460)], "a:1", &["a:2"]),
        shard(&[(5461, 10922)], "b:1", &["b:2", "b:3"]),
        shard(&[(10923, 16383)], "c:1", &["c:2"]),
    ]))
}

fn owner(map: &SlotMap, value: u16) -> Option<String> {
    map.primary(slot(value)).map(|node| node.endpoint.to_string())
}

/// The invariants that the module promises.
fn check(map: &SlotMap) {
    for (position, node) in map.nodes().iter().enumerate() {
        assert_eq!(map.node_at(&node.endpoint).map(|ix| ix.index()), Some(position));
        let leads = map.shards().iter().filter(|shard| shard.primary().index() == position).count();
        assert_eq!(leads, usize::from(node.role == Role::Primary), "{node}");
    }
    for shard in map.shards() {
        assert!(!shard.replicas().contains(&shard.primary()));
    }
    assert_eq!(Slot::all().filter(|&slot| map.shard(slot).is_some()).count(), map.assigned());
    assert_eq!(map.ranges().iter().map(|(range, _)| range.count()).sum::<usize>(), Slot::COUNT);
}

#[test]
fn lookups() {
    let map = three_shards();
    check(&map);
    assert_eq!((map.assigned(), map.shards().len(), map.nodes().len()), (16384, 3, 7));
    assert_eq!(owner(&map, 5460).as_deref(), Some("a:1"));
    assert_eq!(owner(&map, 5461).as_deref(), Some("b:1"));
    let replicas = map.shard(slot(5461)).unwrap().replicas().iter();
    assert!(replicas.map(|ix| map.nodes()[ix.index()].endpoint.to_string()).eq(["b:2", "b:3"]));
    assert_eq!(map.node_at(&endpoint("z:1")), None);
    let ranges: Vec<_> =
        map.ranges().iter().map(|(range, owner)| (range.to_string(), owner.map(|ix| ix.index()))).collect();
    assert_eq!(
        ranges,
        [("0-5460".into(), Some(0)), ("5461-10922".into(), Some(1)), ("10923-16383".into(), Some(2))]
    );
}

#[test]
fn an_empty_map_and_a_single_node() {
    check(&SlotMap::empty());
    assert_eq!((SlotMap::empty().assigned(), SlotMap::empty().shard(slot(0))), (0, None));
    let map = SlotMap::single_node(AnnouncedNode::new(endpoint("solo:6379"), Role::Replica));
    check(&map);
    assert_eq!((map.assigned(), owner(&map, 9999).as_deref()), (16384, Some("solo:6379")));
}

#[test]
fn contradictory_views_keep_the_invariants() {
    // A primary that another shard lists as a replica, a primary that is its own replica, overlaps, repetitions.
    let map = SlotMap::from_view(&View::new(vec![
        shard(&[(0, 9)], "a:1", &["b:1", "a:1", "c:1", "c:1"]),
        shard(&[(5, 19)], "b:1", &[]),
        shard(&[(30, 39)], "a:1", &[]),
        ShardView::new(vec![range(50, 59)], None, vec![node("d:1", Role::Replica)]),
        ShardView::new(vec![], Some(node("e:1", Role::Replica)), vec![node("f:1", Role::Primary)]),
    ]));
    check(&map);
    assert_eq!(owner(&map, 7).as_deref(), Some("a:1"), "the first claim counts");
    assert_eq!(owner(&map, 15).as_deref(), Some("b:1"));
    assert_eq!(owner(&map, 30).as_deref(), Some("a:1"));
    assert_eq!((map.shards().len(), map.assigned(), map.node_at(&endpoint("d:1"))), (3, 30, None));
}

/// Case, the redirect's target, owners of slots 100 and 101 afterwards, shards, nodes.
type Case = (&'static str, &'static str, [&'static str; 2], usize, usize);

#[test]
fn moved() {
    let cases: [Case; 5] = [
        ("stale hint", "a:1", ["a:1", "a:1"], 3, 7),
        ("migration", "b:1", ["b:1", "a:1"], 3, 7),
        ("a replica", "a:2", ["a:2", "a:1"], 4, 7),
        ("a replica of another shard", "b:2", ["b:2", "a:1"], 4, 7),
        ("new node", "new:1", ["new:1", "a:1"], 4, 8),
    ];
    let map = three_shards();
    for (case, to, owners, shards, nodes) in cases {
        let patched = map.with_moved(slot(100), &endpoint(to));
        check(&patched);
        assert_eq!([100, 101].map(|value| owner(&patched, value).unwrap()), owners, "{case}");
        assert_eq!((patched.shards().len(), patched.nodes().len()), (shards, nodes), "{case}");
        assert_eq!(patched.assigned(), 16384, "{case}");
        for (position, node) in map.nodes().iter().enumerate() {
            assert_eq!(patched.nodes()[position].endpoint, node.endpoint, "{case}: indexes stay valid");
        }
    }
    assert_eq!(map.with_moved(slot(100), &endpoint("a:1")), map);
}

#[test]
fn a_replica_that_a_redirect_names_gets_one_slot_and_stays_a_replica() {
    let map = three_shards().with_moved(slot(5461), &endpoint("b:3"));
    check(&map);
    assert_eq!([5461, 5462, 10922].map(|value| owner(&map, value).unwrap()), ["b:3", "b:1", "b:1"]);
    let shard = map.shard(slot(10922)).unwrap();
    let name = |ix: &truename_topology::NodeIx| map.nodes()[ix.index()].endpoint.to_string();
    assert_eq!(name(&shard.primary()), "b:1");
    assert_eq!(shard.replicas().iter().map(name).collect::<Vec<_>>(), ["b:2", "b:3"]);
    let back = map.with_moved(slot(5461), &endpoint("b:1"));
    assert_eq!(owner(&back, 5461).as_deref(), Some("b:1"), "and back again");
    check(&back);
}

#[test]
fn redirects_add_nodes_up_to_a_bound() {
    let ports = 1..=u16::try_from(SlotMap::MAX_NODES).unwrap() + 10;
    let targets: Vec<(Slot, Endpoint)> =
        ports.map(|port| (slot(port), Endpoint::new("many", port))).collect();
    let map = three_shards().with_all_moved(targets.iter().map(|(slot, to)| (*slot, to)));
    check(&map);
    assert_eq!(map.nodes().len(), SlotMap::MAX_NODES);
    assert_eq!(owner(&map, 1).as_deref(), Some("many:1"));
    assert_eq!(
        owner(&map, 2010).as_deref(),
        Some("a:1"),
        "a slot stays where it was if there is no room for its owner"
    );
}

#[test]
fn an_unassigned_slot_gets_an_owner() {
    let map = SlotMap::empty().with_moved(slot(7), &endpoint("a:1"));
    check(&map);
    assert_eq!((map.assigned(), owner(&map, 7).as_deref()), (1, Some("a:1")));
}

#[test]
fn diff_in_words() {
    let before = three_shards();
    assert_eq!(before.diff(&before).to_string(), "no change");
    for (after, words) in [
        (before.with_moved(slot(100), &endpoint("b:1")), "slot 100: a:1 -> b:1"),
        (before.with_moved(slot(100), &endpoint("a:2")), "a:2 is now primary; slot 100: a:1 -> a:2"),
        (before.with_moved(slot(0), &endpoint("d:1")), "+ primary d:1; slot 0: a:1 -> d:1"),
    ] {
        assert_eq!(before.diff(&after).to_string(), words);
    }
    let shrunk = SlotMap::from_view(&View::new(vec![shard(&[(0, 5460)], "a:1", &["a:2"])]));
    assert_eq!(
        before.diff(&shrunk).to_string(),
        "- primary b:1; - primary c:1; - replica b:2; - replica b:3; - replica c:2; \
         slots 5461-10922 lost by b:1; slots 10923-16383 lost by c:1"
    );
    let first = SlotMap::empty().diff(&shrunk).to_string();
    assert_eq!(first, "+ primary a:1; + replica a:2; slots 0-5460 assigned to a:1");
}

#[test]
fn another_node_at_the_same_address() {
    let with_id = |id: &str| {
        let primary = AnnouncedNode::new(endpoint("a:1"), Role::Primary).with_id(NodeId::from(id));
        SlotMap::from_view(&View::new(vec![ShardView::new(vec![range(0, 9)], Some(primary), vec![])]))
    };
    let diff = with_id("old").diff(&with_id("new"));
    assert_eq!((diff.added.len(), diff.removed.len(), diff.moved_slots.len()), (1, 1, 0));
    assert!(!diff.is_empty());
}

/// Maps over few nodes, so that two of them have much in common.
fn slot_map() -> impl Strategy<Value = SlotMap> {
    let cuts = prop::collection::vec((0u16..16384, 0usize..5, 0usize..5), 0..12);
    cuts.prop_map(|mut cuts| {
        cuts.sort_unstable();
        let ends = cuts.iter().skip(1).map(|cut| cut.0).chain([16384]);
        let shards =
            cuts.iter().zip(ends).filter(|(cut, end)| cut.0 < *end && cut.1 > 0).map(|(cut, end)| {
                shard(&[(cut.0, end - 1)], &format!("node:{}", cut.1), &[&format!("node:{}", cut.2 + 1)])
            });
        SlotMap::from_view(&View::new(shards.collect()))
    })
}

fn table(map: &SlotMap) -> Vec<Option<Endpoint>> {
    Slot::all().map(|slot| map.primary(slot).map(|node| node.endpoint.clone())).collect()
}

proptest! {
    #[test]
    fn a_map_does_not_differ_from_itself(map in slot_map()) {
        check(&map);
        prop_assert_eq!(map.diff(&map), TopologyDiff::default());
        prop_assert!(map.diff(&map).is_empty());
    }

    #[test]
    fn moved_slots_lead_from_one_map_to_the_other(a in slot_map(), b in slot_map()) {
        let mut applied = table(&a);
        for moved in a.diff(&b).moved_slots {
            prop_assert!(moved.from != moved.to);
            for slot in moved.range.slots() {
                prop_assert_eq!(&applied[slot.index()], &moved.from);
                applied[slot.index()] = moved.to.clone();
            }
        }
        prop_assert_eq!(applied, table(&b));
        let (there, back) = (a.diff(&b), b.diff(&a));
        prop_assert_eq!(there.added.len(), back.removed.len());
        prop_assert_eq!(there.role_changes.len(), back.role_changes.len());
    }

    #[test]
    fn redirects_keep_the_invariants(map in slot_map(), moves in prop::collection::vec((0u16..16384, 1u16..8), 0..20)) {
        let mut map = map;
        for (value, port) in moves {
            let to = Endpoint::new("node", port);
            map = map.with_moved(slot(value), &to);
            check(&map);
            prop_assert_eq!(map.primary(slot(value)).map(|node| &node.endpoint), Some(&to));
        }
    }
}
