//! One view of four may say whatever it wants: none of it is adopted, and what changed for real still is.

mod common;

use common::{endpoint, range, slot};
use proptest::prelude::*;
use truename_topology::{
    AnnouncedNode, Disagreement, NodeId, Origin, Reconciled, Role, ShardView, SlotMap, SlotRange, View,
    reconcile,
};

/// A node of a cluster: shard and number. Its id never changes, its address does.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    id: String,
    address: String,
    hostname: Option<String>,
    assumed: bool,
}

impl Member {
    fn new(id: String, network: &str, hostname: Option<String>, assumed: bool) -> Self {
        let port: u16 = 7000 + id.bytes().map(u16::from).sum::<u16>();
        Self { address: format!("{network}.{id}:{port}"), id, hostname, assumed }
    }

    fn node(&self, role: Role) -> AnnouncedNode {
        let node = AnnouncedNode::new(endpoint(&self.address), role).with_id(NodeId::from(self.id.as_str()));
        node.with_hostname(self.hostname.as_deref().unwrap_or_default()).with_assumed_host(self.assumed)
    }
}

/// A cluster: for each shard its slots, the primary and the replicas.
#[derive(Debug, Clone, PartialEq)]
struct Truth(Vec<TrueShard>);

/// The ranges of a shard and its members, the primary first.
type TrueShard = (Vec<(u16, u16)>, Vec<Member>);

impl Truth {
    /// Shards with this many replicas each, in a network of their own.
    fn new(replicas: &[usize], network: &str) -> Self {
        let count = replicas.len();
        let width = 16384 / count as u16;
        let shards = replicas.iter().enumerate().map(|(shard, &replicas)| {
            let first = shard as u16 * width;
            let last = if shard + 1 == count { 16383 } else { first + width - 1 };
            let members = (0..=replicas).map(|n| Member::new(format!("s{shard}n{n}"), network, None, false));
            (vec![(first, last)], members.collect())
        });
        Self(shards.collect())
    }

    fn view(&self) -> View {
        let shards = self.0.iter().map(|(ranges, members)| {
            ShardView::new(
                ranges.iter().map(|&(first, last)| range(first, last)).collect(),
                Some(members[0].node(Role::Primary)),
                members[1..].iter().map(|member| member.node(Role::Replica)).collect(),
            )
        });
        View::new(shards.collect())
    }

    fn map(&self) -> SlotMap {
        SlotMap::from_view(&self.view())
    }

    fn members(&mut self) -> impl Iterator<Item = &mut Member> {
        self.0.iter_mut().flat_map(|(_, members)| members)
    }

    /// The same nodes at other addresses.
    fn moved_to(&self, network: &str) -> Self {
        let mut moved = self.clone();
        moved.members().for_each(|member| {
            *member = Member::new(member.id.clone(), network, member.hostname.clone(), member.assumed);
        });
        moved
    }
}

/// What a map says, in an order of its own.
fn told(map: &SlotMap) -> Vec<String> {
    let name = |node: &AnnouncedNode| format!("{:?} {} {:?}", node.id, node.endpoint, node.hostname);
    let mut lines: Vec<String> = map.nodes().iter().map(name).collect();
    for shard in map.shards() {
        let node = |ix: truename_topology::NodeIx| name(&map.nodes()[ix.index()]);
        lines.extend(
            shard.replicas().iter().map(|&replica| format!("{} > {}", node(shard.primary()), node(replica))),
        );
    }
    let owned = |range: &SlotRange| map.primary(range.first()).and_then(|node| node.id.clone());
    lines.extend(map.ranges().iter().map(|(range, _)| format!("{range} {:?}", owned(range))));
    lines.sort();
    lines
}

/// What a rogue node can say: a true view with one or more lies.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Addresses,
    OneAddress,
    PutInHosts,
    Hostnames,
    ExtraReplica,
    NoReplicas,
    OwnSlots,
    SwappedSlots,
    SwappedIds,
    NewShard,
    OneNodeTwice,
    AnotherCluster,
}

const LIES: [Lie; 12] = [
    Lie::Addresses,
    Lie::OneAddress,
    Lie::PutInHosts,
    Lie::Hostnames,
    Lie::ExtraReplica,
    Lie::NoReplicas,
    Lie::OwnSlots,
    Lie::SwappedSlots,
    Lie::SwappedIds,
    Lie::NewShard,
    Lie::OneNodeTwice,
    Lie::AnotherCluster,
];

impl Lie {
    fn told_of(self, truth: &Truth) -> Truth {
        let mut lie = truth.clone();
        let evil = |id: &str| Member::new(id.to_owned(), "evil", None, false);
        let last = lie.0.len() - 1;
        match self {
            Self::Addresses => {
                lie = truth.moved_to("evil");
                lie.members().for_each(|member| member.assumed = false);
            }
            Self::OneAddress => lie.0[last].1[0].address = "evil:1".to_owned(),
            Self::PutInHosts => lie.members().for_each(|member| {
                member.address = "evil:1234".to_owned();
                member.assumed = true;
            }),
            Self::Hostnames => lie.members().for_each(|member| member.hostname = Some("evil".to_owned())),
            Self::ExtraReplica => lie.0[0].1.push(evil("x")),
            Self::NoReplicas => lie.0.iter_mut().for_each(|(_, members)| members.truncate(1)),
            Self::OwnSlots => lie.0[last].1[0] = evil("x"),
            Self::SwappedSlots => {
                let first = lie.0[0].0.clone();
                lie.0[0].0 = std::mem::replace(&mut lie.0[last].0, first);
            }
            Self::SwappedIds => {
                let first = lie.0[0].1[0].id.clone();
                lie.0[0].1[0].id = std::mem::replace(&mut lie.0[last].1[0].id, first);
            }
            Self::NewShard => lie.0.push((vec![], vec![evil("x"), evil("y")])),
            Self::OneNodeTwice => {
                let mut twin = lie.0[0].1[0].clone();
                twin.address = "evil:1".to_owned();
                lie.0[last].1.push(twin);
            }
            Self::AnotherCluster => {
                lie = truth.moved_to("evil");
                lie.members().for_each(|member| member.id = format!("other-{}", member.id));
            }
        }
        lie
    }
}

fn seed(truth: &Truth) -> View {
    truth.view().with_origin(Origin::Seed)
}

fn node(truth: &Truth) -> View {
    truth.view()
}

fn assert_is(reconciled: &Reconciled, truth: &Truth, case: &str) {
    assert_eq!(told(&reconciled.map), told(&truth.map()), "{case}");
}

/// Four views, one of them a lie. The last one is a seed's.
fn with_a_rogue(truth: &Truth, lie: &Truth, position: usize) -> Vec<View> {
    let mut views: Vec<View> =
        (0..4).map(|at| if at == position { lie.view() } else { truth.view() }).collect();
    views[3].origin = Origin::Seed;
    views
}

#[test]
fn of_four_views_one_may_lie() {
    let truth = Truth::new(&[1, 2, 0], "old");
    for lie in LIES {
        let told = lie.told_of(&truth);
        for position in 0..4 {
            let views = with_a_rogue(&truth, &told, position);
            let case = format!("{lie:?} at {position}");
            // Whatever was known: the truth, nothing, and the lie itself, as after a connect to the rogue node.
            let mut known = vec![("truth", Some(truth.map())), ("nothing", None)];
            // Nobody would ask these nodes if another cluster were known: the seeds alone decide that.
            if !matches!(lie, Lie::AnotherCluster) {
                known.push(("lie", Some(told.map())));
            }
            for (known, current) in known {
                let reconciled = reconcile(&views, current.as_ref());
                assert_is(&reconciled, &truth, &format!("{case}, known: {known}"));
                assert!(!reconciled.disagreements.is_empty(), "{case}, known: {known}");
            }
        }
    }
}

/// Before, after, the views, and whether what they say is adopted.
type Change = (&'static str, Truth, Truth, Vec<View>, bool);

#[test]
fn what_changed_is_adopted() {
    let before = Truth::new(&[1, 1, 0], "old");
    let moved = before.moved_to("new");
    let mut failover = before.clone();
    failover.0[1].1.swap(0, 1);
    let mut readdressed = before.clone();
    readdressed.0[1].1[0] = moved.0[1].1[0].clone();
    let mut scaled = before.clone();
    scaled.0[2].0 = vec![(10922, 15000)];
    scaled.0.push((vec![(15001, 16383)], vec![Member::new("s9n0".to_owned(), "new", None, false)]));
    let mut renamed = before.clone();
    renamed.members().for_each(|member| member.hostname = Some(format!("{}.example.net", member.id)));
    let mut others = moved.clone();
    others.members().for_each(|member| member.id = format!("other-{}", member.id));
    let (one, one_moved) = (Truth::new(&[0], "old"), Truth::new(&[0], "new"));
    let all = |truth: &Truth| vec![node(truth), node(truth), node(truth), seed(truth)];
    let changes: Vec<Change> = vec![
        ("failover", before.clone(), failover.clone(), all(&failover), true),
        ("failover, reported by one node", before.clone(), failover.clone(), vec![node(&failover)], true),
        ("scale-out", before.clone(), scaled.clone(), all(&scaled), true),
        (
            "scale-out, not known to one yet",
            before.clone(),
            scaled.clone(),
            vec![node(&before), node(&scaled), seed(&scaled)],
            true,
        ),
        ("scale-out, reported by one node", before.clone(), scaled.clone(), vec![node(&scaled)], false),
        ("scale-in", scaled.clone(), before.clone(), all(&before), true),
        ("a node at another address", before.clone(), readdressed.clone(), all(&readdressed), true),
        (
            "the same, half of them with the seed",
            before.clone(),
            readdressed.clone(),
            vec![node(&before), seed(&readdressed)],
            true,
        ),
        (
            "the same, half of them without",
            before.clone(),
            readdressed.clone(),
            vec![node(&before), node(&readdressed)],
            false,
        ),
        (
            "the same, reported by one node",
            before.clone(),
            readdressed.clone(),
            vec![node(&readdressed)],
            false,
        ),
        (
            "the same, reported by a minority with the seed",
            before.clone(),
            readdressed.clone(),
            vec![node(&before), node(&before), seed(&readdressed)],
            false,
        ),
        ("all nodes at other addresses", before.clone(), moved.clone(), all(&moved), true),
        ("the same, reported by the seed alone", before.clone(), moved.clone(), vec![seed(&moved)], true),
        (
            "the same, two old nodes are left",
            before.clone(),
            moved.clone(),
            vec![node(&before), node(&before), node(&moved), seed(&moved)],
            true,
        ),
        ("other nodes at other addresses", before.clone(), others.clone(), vec![seed(&others)], true),
        (
            "the same, old nodes are left",
            before.clone(),
            others.clone(),
            vec![node(&before), node(&before), seed(&others)],
            false,
        ),
        (
            "the same, one old node is left and two seeds agree",
            before.clone(),
            others.clone(),
            vec![node(&before), seed(&others), seed(&others)],
            true,
        ),
        (
            "other nodes, reported by a node",
            before.clone(),
            others.clone(),
            vec![node(&others), node(&others)],
            false,
        ),
        ("host names", before.clone(), renamed.clone(), all(&renamed), true),
        (
            "host names, reported by one node",
            before.clone(),
            renamed.clone(),
            vec![node(&renamed), node(&before), seed(&before)],
            false,
        ),
        (
            "one node at another address, reported by its seed",
            one.clone(),
            one_moved.clone(),
            vec![seed(&one_moved)],
            true,
        ),
        ("one node behind its seed", one, one_moved.clone(), vec![node(&one_moved), seed(&one_moved)], true),
    ];
    for (case, before, after, views, is_adopted) in changes {
        let reconciled = reconcile(&views, Some(&before.map()));
        if is_adopted {
            assert_is(&reconciled, &after, case);
        } else {
            assert_is(&reconciled, &before, case);
            assert!(!reconciled.disagreements.is_empty(), "{case}");
        }
    }
}

#[test]
fn one_view_that_names_unknown_addresses_is_not_enough_to_go_on() {
    let (before, moved) = (Truth::new(&[1, 1], "old"), Truth::new(&[1, 1], "new"));
    let rests = |views: &[View], known: &Truth| reconcile(views, Some(&known.map())).rests_on_one_view;
    assert!(rests(&[seed(&moved)], &before));
    assert!(rests(&[node(&moved)], &before));
    assert!(!rests(&[seed(&before)], &before));
    assert!(!rests(&[seed(&moved), node(&moved)], &before));
}

#[test]
fn a_host_that_was_put_in_is_compared_by_its_port() {
    let named = |host: &str| {
        let mut truth = Truth::new(&[1, 1], "x");
        truth.members().for_each(|member| {
            let port = member.address.rsplit_once(':').unwrap().1.to_owned();
            member.address = format!("{host}:{port}");
            member.assumed = true;
        });
        truth
    };
    let (first, second) = (named("seed-1.example"), named("seed-2.example"));
    for views in [
        vec![seed(&second)],
        vec![seed(&second), node(&first)],
        vec![node(&second), node(&second), seed(&second)],
    ] {
        let reconciled = reconcile(&views, Some(&first.map()));
        assert_is(&reconciled, &first, "the key that is known stays");
        assert_eq!(reconciled.disagreements, [], "{views:?}");
        assert!(!reconciled.rests_on_one_view);
    }
    // Another port is another address, whatever host it is on.
    let mut elsewhere = second;
    elsewhere.0[0].1[0].address = "seed-2.example:1".to_owned();
    let reconciled = reconcile(&[node(&first), node(&first), node(&elsewhere)], Some(&first.map()));
    assert_is(&reconciled, &first, "one of three");
    assert_eq!(reconciled.disagreements.len(), 1);
    let reconciled = reconcile(&[seed(&elsewhere)], Some(&first.map()));
    assert_eq!(reconciled.map.primary(slot(0)).unwrap().endpoint, endpoint("seed-2.example:1"));
}

#[test]
fn disputes_in_words() {
    let truth = Truth::new(&[1], "old");
    let words = |lie: Lie| {
        let views = [lie.told_of(&truth).view(), truth.view(), truth.view()];
        let told = reconcile(&views, Some(&truth.map())).disagreements;
        told.iter().map(Disagreement::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        words(Lie::OneAddress),
        ["node s0n0: old.s0n0:7321 is used; announced as evil:1 (1 view), old.s0n0:7321 (2 views)"]
    );
    assert_eq!(
        words(Lie::Hostnames)[0],
        "node s0n0: old.s0n0:7321 is used; announced as old.s0n0:7321 (evil) (1 view), \
         old.s0n0:7321 (2 views)"
    );
    assert_eq!(
        words(Lie::ExtraReplica),
        [
            "node x: not used yet; announced as evil.x:7120 (1 view)",
            "evil.x:7120 is not used as a replica of old.s0n0:7321; named by 1 of 3 views",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_of_a_rogue_view_is_adopted(
        replicas in prop::collection::vec(0usize..3, 1..4),
        lies in prop::collection::vec(prop::sample::select(LIES.to_vec()), 1..4),
        position in 0usize..4,
        change in 0usize..4,
    ) {
        let before = Truth::new(&replicas, "old");
        let truth = match change {
            0 => before.clone(),
            1 => before.moved_to("new"),
            2 => { let mut named = before.clone(); named.members().for_each(|member| member.hostname = Some("h".to_owned())); named }
            _ => { let mut failed = before.clone(); failed.0.iter_mut().for_each(|(_, members)| members.rotate_left(1)); failed }
        };
        let lie = lies.iter().fold(truth.clone(), |told, lie| lie.told_of(&told));
        let views = with_a_rogue(&truth, &lie, position);
        for current in [Some(before.map()), Some(truth.map()), None] {
            let reconciled = reconcile(&views, current.as_ref());
            prop_assert_eq!(told(&reconciled.map), told(&truth.map()));
            prop_assert!(lie == truth || told(&lie.map()) == told(&truth.map()) || !reconciled.disagreements.is_empty());
        }
    }
}
