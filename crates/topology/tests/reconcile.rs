//! Which opinion is adopted: one case per rule.

mod common;

use common::{endpoint, node, range, shard, slot};
use proptest::prelude::*;
use truename_topology::{
    AnnouncedNode, Disagreement, Origin, Reconciled, Role, ShardView, SlotMap, Standing, View, reconcile,
    reconcile_seeds,
};

const HALF: u16 = 8191;

/// Two shards, `a` and `b`, the upper half owned by `upper`, which is one of three nodes that all views know.
fn view(upper: &str) -> View {
    let others = ["b:1", "b:2", "b:3"].into_iter().filter(|node| *node != upper);
    let replicas: Vec<&str> = others.collect();
    View::new(vec![shard(&[(0, HALF)], "a:1", &["a:2"]), shard(&[(HALF + 1, 16383)], upper, &replicas)])
}

fn foreign() -> View {
    View::new(vec![shard(&[(0, 16383)], "x:1", &["x:2"])])
}

fn map(view: &View) -> SlotMap {
    SlotMap::from_view(view)
}

fn upper(reconciled: &Reconciled) -> Option<String> {
    reconciled.map.primary(slot(16383)).map(|node| node.endpoint.to_string())
}

#[test]
fn unanimous_views_give_the_first_one() {
    let views = [view("b:1"), view("b:1"), view("b:1")];
    let reconciled = reconcile(&views, None);
    assert_eq!(reconciled.map, map(&views[0]));
    assert_eq!((reconciled.chosen, reconciled.disagreements), (Some(0), vec![]));
}

#[test]
fn the_majority_wins_and_the_dispute_is_reported() {
    let reconciled = reconcile(&[view("b:1"), view("b:2"), view("b:2")], Some(&map(&view("b:1"))));
    assert_eq!((upper(&reconciled).as_deref(), reconciled.chosen), (Some("b:2"), Some(1)));
    let disagreement = Disagreement::Owner {
        range: range(HALF + 1, 16383),
        adopted: Some(endpoint("b:2")),
        claims: vec![(Some(endpoint("b:1")), vec![0]), (Some(endpoint("b:2")), vec![1, 2])],
    };
    let words = "slots 8192-16383: b:2 adopted; claimed by b:1 (1 view), b:2 (2 views)";
    assert_eq!(disagreement.to_string(), words);
    assert_eq!(reconciled.disagreements, [disagreement]);
    // One slot was "slots 7".
    let single = Disagreement::Owner { range: range(7, 7), adopted: None, claims: vec![(None, vec![0])] };
    assert_eq!(single.to_string(), "slot 7: no node adopted; claimed by no node (1 view)");
}

#[test]
fn a_minority_is_not_adopted_even_with_a_higher_epoch() {
    let views = [view("b:2").with_epoch(9), view("b:1").with_epoch(5), view("b:1").with_epoch(5)];
    assert_eq!(upper(&reconcile(&views, None)).as_deref(), Some("b:1"));
}

#[test]
fn ties() {
    let cases: [(&str, [View; 2], Option<SlotMap>, &str); 6] = [
        (
            "higher epoch",
            [view("b:1").with_epoch(5), view("b:2").with_epoch(6)],
            Some(map(&view("b:1"))),
            "b:2",
        ),
        ("known epoch", [view("b:1"), view("b:2").with_epoch(0)], None, "b:2"),
        (
            "an owner rather than none",
            [View::new(vec![shard(&[(0, HALF)], "a:1", &["a:2"])]), view("b:1")],
            None,
            "b:1",
        ),
        (
            "current owner",
            [view("b:1"), view("b:2").with_origin(Origin::Seed)],
            Some(map(&view("b:1"))),
            "b:1",
        ),
        ("seed", [view("b:1"), view("b:2").with_origin(Origin::Seed)], None, "b:2"),
        ("first", [view("b:1"), view("b:2")], None, "b:1"),
    ];
    for (rule, views, current, owner) in cases {
        assert_eq!(upper(&reconcile(&views, current.as_ref())).as_deref(), Some(owner), "{rule}");
    }
}

#[test]
fn each_range_is_voted_on_by_itself() {
    let quarter = |first: &str, second: &str, third: &str| {
        View::new(vec![
            shard(&[(0, 99)], first, &[]),
            shard(&[(100, 199)], second, &[]),
            shard(&[(200, 299)], third, &[]),
        ])
    };
    // Every view is outvoted somewhere, so the result is none of them.
    let views = [quarter("a:1", "b:1", "c:2"), quarter("a:1", "b:2", "c:1"), quarter("a:2", "b:1", "c:1")];
    let reconciled = reconcile(&views, None);
    let owners = [0, 100, 200].map(|value| reconciled.map.primary(slot(value)).unwrap().endpoint.to_string());
    assert_eq!(owners, ["a:1", "b:1", "c:1"]);
    assert_eq!(
        (reconciled.chosen, reconciled.disagreements.len(), reconciled.map.assigned()),
        (Some(0), 3, 300)
    );
}

#[test]
fn owners_are_compared_by_id() {
    // The same node, asked over IPv4 and over IPv6.
    let at = |address: &str| {
        let primary = AnnouncedNode::new(endpoint(address), Role::Primary).with_id("id-1".into());
        View::new(vec![ShardView::new(vec![range(0, 16383)], Some(primary), vec![])])
    };
    let reconciled = reconcile(&[at("10.0.0.4:1"), at("[2001:db8::4]:1")], None);
    assert_eq!(reconciled.map.nodes().len(), 1);
    let told: Vec<String> = reconciled.disagreements.iter().map(Disagreement::to_string).collect();
    let words = "node id-1: 10.0.0.4:1 is used; announced as 10.0.0.4:1 (1 view), \
                 [2001:db8::4]:1 (1 view)";
    assert_eq!(told, [words]);
}

#[test]
fn what_views_leave_open_stays_as_it_is() {
    let views = [view("b:2"), view("b:3")];
    let reconciled = reconcile(&views, Some(&map(&view("b:1"))));
    assert_eq!(upper(&reconciled).as_deref(), Some("b:1"));
    assert_eq!(reconciled.disagreements.len(), 1);
}

#[test]
fn at_the_start_most_seeds_say_which_cluster_is_meant() {
    let (ours, theirs) = (|| view("b:1").with_origin(Origin::Seed), || foreign().with_origin(Origin::Seed));
    let before = [map(&ours()), map(&theirs())];
    // What the first seed to answer said, what is used then, and how many views were counted.
    let rows: [(Vec<View>, [bool; 2], usize); 6] = [
        (vec![theirs(), ours(), ours()], [true, true], 2),
        (vec![ours(), theirs(), theirs()], [false, false], 2),
        (vec![theirs(), theirs(), ours(), ours(), ours()], [true, true], 3),
        // Among equals the first seed to answer has decided.
        (vec![theirs(), ours()], [true, false], 1),
        (vec![ours(), theirs()], [true, false], 1),
        (vec![], [true, false], 0),
    ];
    for (views, expected, counted) in rows {
        for (known, is_ours) in before.iter().zip(expected) {
            let reconciled = reconcile_seeds(&views, Some(known));
            let owner = upper(&reconciled);
            assert_eq!(owner.as_deref() == Some("b:1"), is_ours, "{views:?}");
            assert_eq!(reconciled.counted, counted, "{views:?}");
            let is_left = known.node_at(&endpoint(owner.as_deref().expect("an owner"))).is_none();
            assert_eq!(reconciled.disagreements.contains(&Disagreement::Replaced), is_left, "{views:?}");
            assert_eq!(reconciled.standing == Standing::Replaced, is_left, "{views:?}");
        }
    }
}

#[test]
fn a_foreign_view_is_never_adopted() {
    let current = map(&view("b:1"));
    for views in [vec![foreign()], vec![foreign(), foreign(), view("b:1")]] {
        let reconciled = reconcile(&views, Some(&current));
        assert_eq!(upper(&reconciled).as_deref(), Some("b:1"));
        assert!(reconciled.disagreements.contains(&Disagreement::Foreign { view: 0 }));
    }
    let alone = reconcile(&[foreign()], Some(&current));
    assert_eq!((alone.map, alone.chosen), (current, None));
}

#[test]
fn a_foreign_view_is_adopted_if_the_seeds_agree_on_it_and_the_known_cluster_is_outvoted() {
    use Standing::{Contested, Replaced, Stays};
    let current = map(&view("b:1"));
    let seed = |view: View| view.with_origin(Origin::Seed);
    let elsewhere = View::new(vec![shard(&[(0, 16383)], "y:1", &[])]);
    let cases = [
        (vec![seed(foreign())], Replaced),
        (vec![view("b:1"), seed(foreign()), seed(foreign())], Replaced),
        (vec![view("b:1"), seed(foreign())], Contested),
        (vec![seed(foreign()), view("b:1"), view("b:1"), view("b:1")], Contested),
        (vec![view("b:1"), view("b:1"), seed(foreign()), seed(foreign())], Contested),
        (vec![foreign(), foreign(), seed(foreign()), view("b:1")], Contested),
        (vec![seed(foreign()), seed(view("b:1"))], Stays),
        (vec![seed(foreign()), seed(elsewhere)], Contested),
        (vec![foreign(), seed(view("b:1"))], Stays),
        (vec![foreign()], Stays),
        // A node that was reset knows nobody but itself: it does not speak of the known cluster, nor of a new one.
        (vec![seed(foreign()), View::new(vec![shard(&[], "a:1", &[])])], Replaced),
        (vec![seed(View::new(vec![shard(&[], "z:1", &[])]))], Contested),
    ];
    for (position, (views, standing)) in cases.into_iter().enumerate() {
        let reconciled = reconcile(&views, Some(&current));
        let adopted = standing == Replaced;
        assert_eq!(reconciled.standing, standing, "case {position}");
        assert_eq!(
            upper(&reconciled).as_deref(),
            Some(if adopted { "x:1" } else { "b:1" }),
            "case {position}"
        );
        assert_eq!(reconciled.disagreements.contains(&Disagreement::Replaced), adopted, "case {position}");
    }
}

#[test]
fn without_ids_addresses_tell_clusters_apart() {
    let old = |address: &str| {
        let primary = AnnouncedNode::new(endpoint(address), Role::Primary);
        View::new(vec![ShardView::new(vec![range(0, 16383)], Some(primary), vec![])])
    };
    let current = map(&old("a:1"));
    assert_eq!(reconcile(&[old("x:1")], Some(&current)).chosen, None);
    assert_eq!(reconcile(&[old("a:1")], Some(&current)).chosen, Some(0));
}

#[test]
fn a_reused_address_with_another_id_is_foreign() {
    let current = map(&view("b:1"));
    let impostor = AnnouncedNode::new(endpoint("a:1"), Role::Primary).with_id("someone else".into());
    let view = View::new(vec![ShardView::new(vec![range(0, 16383)], Some(impostor), vec![])]);
    assert_eq!(reconcile(&[view], Some(&current)).chosen, None);
}

#[test]
fn without_a_current_map_the_largest_family_is_believed() {
    let reconciled = reconcile(&[foreign(), view("b:1"), view("b:1")], None);
    assert_eq!((upper(&reconciled).as_deref(), reconciled.chosen), (Some("b:1"), Some(1)));
    assert_eq!(reconciled.disagreements, [Disagreement::Foreign { view: 0 }]);
    let by_seed = reconcile(&[foreign(), view("b:1").with_origin(Origin::Seed)], None);
    assert_eq!(upper(&by_seed).as_deref(), Some("b:1"));
    assert_eq!(upper(&reconcile(&[foreign(), view("b:1")], None)).as_deref(), Some("x:1"));
}

#[test]
fn a_view_without_slots_abstains() {
    let empty = || View::new(vec![shard(&[], "a:1", &[]), shard(&[], "b:1", &[])]);
    let reconciled = reconcile(&[empty(), empty(), view("b:1")], Some(&map(&view("b:1"))));
    assert_eq!((reconciled.map.assigned(), reconciled.chosen), (16384, Some(2)));
    assert_eq!(reconciled.disagreements, [Disagreement::Empty { view: 0 }, Disagreement::Empty { view: 1 }]);
}

#[test]
fn nothing_to_reconcile() {
    assert_eq!(reconcile(&[], None).map, SlotMap::empty());
    let current = map(&view("b:1"));
    assert_eq!(reconcile(&[], Some(&current)).map, current);
    assert_eq!(reconcile(&[view("b:1")], Some(&SlotMap::empty())).chosen, Some(0));
}

proptest! {
    #[test]
    fn a_strict_majority_for_an_owner_is_always_adopted(
        owners in prop::collection::vec((1u16..4, prop::option::of(0u64..4), any::<bool>()), 1..6),
        current in prop::option::of(1u16..4),
    ) {
        // All candidates are known as replicas.
        let of = |port: u16| View::new(vec![
            shard(&[(0, 16382)], "a:1", &["b:1", "b:2", "b:3"]),
            ShardView::new(vec![range(16383, 16383)], Some(node(&format!("b:{port}"), Role::Primary)), vec![]),
        ]);
        let views: Vec<View> = owners.iter().map(|&(port, epoch, seed)| {
            let mut view = of(port).with_origin(if seed { Origin::Seed } else { Origin::Node });
            view.epoch = epoch;
            view
        }).collect();
        let current = current.map(|port| map(&of(port)));
        let reconciled = reconcile(&views, current.as_ref());
        let adopted = reconciled.map.primary(slot(16383)).unwrap().endpoint.port();
        let votes = |port: u16| owners.iter().filter(|owner| owner.0 == port).count();
        let most = (1..4).map(votes).max().unwrap();
        if (1..4).filter(|&port| votes(port) == most).count() == 1 {
            prop_assert_eq!(votes(adopted), most, "no other owner has more votes");
        }
        prop_assert_eq!(reconciled.map.assigned(), 16384);
    }
}
