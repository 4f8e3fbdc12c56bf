//! Whose view counts how often, and what follows from several.

use truename_topology::{AnnouncedNode, Role, ShardView, Slot, SlotRange};

use super::*;
use crate::cluster::vote::may_replace;

fn view() -> View {
    let node = AnnouncedNode::new(Endpoint::new("a", 1), Role::Primary);
    View::new(vec![ShardView::new(vec![SlotRange::ALL], Some(node), Vec::new())])
}

fn said(seed: &str, answer: SourceAnswer) -> NodeView {
    NodeView { answer, source: Target::seed(&Endpoint::new(seed, 1)), node_id: None, peer: None }
}

#[test]
fn a_server_is_used_alone_only_if_every_seed_says_so() {
    let seeds = ["a", "b"].map(|host| Endpoint::new(host, 1));
    let rows: [(Vec<NodeView>, Option<&Endpoint>); 4] = [
        (vec![said("a", SourceAnswer::NotACluster), said("b", SourceAnswer::NotACluster)], Some(&seeds[0])),
        // The other one did not answer, or gave a view.
        (vec![said("a", SourceAnswer::NotACluster)], None),
        (vec![said("a", SourceAnswer::NotACluster), said("b", SourceAnswer::View(Box::new(view())))], None),
        (vec![], None),
    ];
    for (answers, single) in rows {
        let mut views = Views::default();
        views.add_all(&answers);
        assert_eq!(views.single_server(&seeds), single, "{answers:?}");
    }
}

#[test]
fn a_node_has_one_vote_and_as_a_seed_it_speaks_louder() {
    let id = Some("id".to_owned());
    let node =
        Target::announced(&AnnouncedNode::new(Endpoint::new("a", 1), Role::Primary), &Endpoint::new("a", 1));
    let as_node = NodeView {
        answer: SourceAnswer::View(Box::new(view())),
        source: node,
        node_id: id.clone(),
        peer: None,
    };
    let as_seed = NodeView { node_id: id, ..said("a", SourceAnswer::View(Box::new(view()))) };
    let mut views = Views::default();
    views.add_all(&[as_node, as_seed]);
    assert_eq!(views.views.iter().map(|view| view.origin).collect::<Vec<_>>(), [Origin::Seed]);
}

/// Three shards; according to a rogue, the second one is elsewhere.
fn three(is_rogue: bool) -> View {
    let third = |n: usize| {
        let first = Slot::all().nth(n * 5000).expect("in range");
        let last = Slot::all().nth(if n == 2 { 16_383 } else { n * 5000 + 4999 }).expect("in range");
        SlotRange::new(first, last).expect("a range")
    };
    let shard = |n: usize| {
        let host = if is_rogue && n == 1 { "evil".to_owned() } else { format!("10.0.0.{n}") };
        let node = AnnouncedNode::new(Endpoint::new(host, 1), Role::Primary);
        let node = node.with_id(NodeId::new(n.to_string()));
        ShardView::new(vec![third(n)], Some(node), Vec::new())
    };
    View::new((0..3).map(shard).collect())
}

/// What node `n` of the three says, asked as itself.
fn as_node(n: usize, told: Option<&str>, is_rogue: bool) -> NodeView {
    let map = SlotMap::from_view(&three(false));
    let source = Target::announced(&map.nodes()[n], &Endpoint::new("seed", 1));
    let peer = Some(SocketAddr::from(([10, 0, 0, n as u8], 1)));
    NodeView {
        answer: SourceAnswer::View(Box::new(three(is_rogue))),
        source,
        node_id: told.map(str::to_owned),
        peer,
    }
}

/// What node 0, which is the rogue, says when it is asked as a seed at `peer`.
fn as_seed(told: Option<&str>, peer: [u8; 4]) -> NodeView {
    let peer = Some(SocketAddr::from((peer, 1)));
    NodeView {
        node_id: told.map(str::to_owned),
        peer,
        ..said(&format!("seed-{peer:?}"), SourceAnswer::View(Box::new(three(true))))
    }
}

/// A seed that reported no id, or another one, had a vote besides that of the node that it is, or took another node's: with
/// the seed's word in a tie, one rogue of three then said where the others are.
#[test]
fn a_node_that_is_a_seed_gains_no_vote_by_what_it_says_of_its_id() {
    let known = SlotMap::from_view(&three(false));
    let (here, behind_a_name) = ([10, 0, 0, 0], [10, 0, 0, 99]);
    for at in [here, behind_a_name] {
        for claimed in [Some("0"), Some("1"), Some("2"), Some("made-up"), None] {
            for seed_first in [false, true] {
                let mut said: Vec<NodeView> =
                    (0..3).map(|n| as_node(n, Some(&n.to_string()), n == 0)).collect();
                said.insert(if seed_first { 0 } else { 3 }, as_seed(claimed, at));
                let mut views = Views::default();
                views.add_all(&said);
                let map = views.reconcile(Some(&known)).map;
                assert!(map.nodes().iter().all(|node| node.endpoint.host() != "evil"), "{at:?} {claimed:?}");
            }
        }
    }
}

/// At the start only seeds are asked, and each is taken for the node that it says it is: one that reported the id
/// of another took that one's vote, if it answered first.
#[test]
fn a_seed_takes_no_other_ones_vote_by_what_it_says_of_its_id() {
    for claimed in [Some("0"), Some("1"), Some("2"), Some("made-up"), None] {
        let views = Views::of(&[as_seed(claimed, [10, 0, 0, 99]), honest(1), honest(2)]);
        let elected = views.elect(&SlotMap::from_view(&three(true)), 3).expect("a vote");
        assert_eq!(elected.counted, 3, "{claimed:?}");
        let adopted = elected.map;
        assert!(adopted.nodes().iter().all(|node| node.endpoint.host() != "evil"), "{claimed:?}");
    }
    // Two addresses of one node.
    assert_eq!(Views::of(&[honest(1), as_seed_elsewhere(honest(1))]).views.len(), 1);
}

/// One that lies about addresses and one that does not are half of three seeds, and say nothing in common.
#[test]
fn seeds_that_contradict_each_other_have_not_decided() {
    let views = [as_seed(Some("0"), [10, 0, 0, 0]), honest(1), honest(2)];
    let is_decided = |heard: &[NodeView]| Views::of(heard).is_decided(3);
    assert!(!is_decided(&views[..1]) && !is_decided(&views[..2]) && is_decided(&views[1..]));
    assert!(!is_decided(&[]));
}

/// How many seeds there are, which of them were heard - of the known cluster or of another - and which one is used.
#[test]
fn the_known_cluster_is_left_for_one_that_more_than_half_of_the_seeds_mean() {
    let known = SlotMap::from_view(&three(false));
    for (seeds, heard, is_left) in [
        (3, "o", None),
        (3, "tt", Some(true)),
        (5, "tt", None),
        (4, "tto", None),
        (4, "ttt", Some(true)),
        (3, "to", Some(false)),
        (5, "oo", Some(false)),
    ] {
        let said: Vec<NodeView> =
            heard.bytes().enumerate().map(|(n, whose)| whose_seed(n, whose == b't')).collect();
        let elected = Views::of(&said).elect(&known, seeds);
        let is_other = |elected: Reconciled| elected.map.node_at(&Endpoint::new("a", 1)).is_some();
        assert_eq!(elected.map(is_other), is_left, "{heard} of {seeds}");
    }
}

/// Once one of this many seeds describes another cluster: whether it replaces the known one, or may if the others do, too.
#[test]
fn a_seed_elsewhere_is_looked_into_only_if_it_can_replace_the_cluster() {
    let known = SlotMap::from_view(&three(false));
    for (seeds, nodes, heard, may) in [
        (1, 0, "t", true),
        (1, 1, "t", false),
        (3, 2, "t", true),
        (3, 3, "t", false),
        (3, 1, "to", false),
        (3, 1, "tt", true),
        (3, 1, "o", false),
        (3, 1, "", false),
    ] {
        let of_nodes = (0..nodes).map(|n| as_node(n, None, false));
        let of_seeds = heard.bytes().enumerate().map(|(n, whose)| whose_seed(n + 5, whose == b't'));
        let views = Views::of(&of_nodes.chain(of_seeds).collect::<Vec<_>>());
        let reconciled = views.reconcile(Some(&known));
        assert_eq!(may_replace(&reconciled, seeds), may, "{nodes} nodes, {heard} of {seeds}");
    }
}

/// Asked again on a new connection, the one seed led to another node, and had two votes.
#[test]
fn a_seed_has_one_vote_however_often_it_is_asked() {
    let again = |n: u8| NodeView {
        peer: Some(SocketAddr::from(([10, 0, 0, n], 1))),
        ..said("seed", SourceAnswer::View(Box::new(view())))
    };
    assert_eq!(Views::of(&[again(1), again(2)]).views.len(), 1);
}

/// The view of a seed of the three, or of another cluster.
fn whose_seed(n: usize, is_other: bool) -> NodeView {
    let answer = if is_other { view() } else { three(false) };
    NodeView { answer: SourceAnswer::View(Box::new(answer)), node_id: None, ..honest(n) }
}

fn honest(n: usize) -> NodeView {
    let said = as_seed(Some(&n.to_string()), [10, 0, 0, n as u8]);
    NodeView { answer: SourceAnswer::View(Box::new(three(false))), ..said }
}

fn as_seed_elsewhere(said: NodeView) -> NodeView {
    let source = Target::seed(&Endpoint::new("another-name", 1));
    NodeView { source, peer: Some(SocketAddr::from(([10, 0, 1, 1], 1))), ..said }
}

/// A seed's view still decides where only it answers, whatever id it reports, and where no node reports any.
#[test]
fn a_seed_that_tells_no_id_is_heard() {
    let known = SlotMap::from_view(&three(false));
    let has_moved = |said: Vec<NodeView>| {
        let mut views = Views::default();
        views.add_all(&said);
        views.reconcile(Some(&known)).map.nodes().iter().any(|node| node.endpoint.host() == "evil")
    };
    for told in [None, Some("new"), Some("0")] {
        assert!(has_moved(vec![as_seed(told, [10, 0, 0, 99])]), "{told:?}");
    }
    assert!(has_moved(vec![as_seed(None, [10, 0, 0, 99]), as_node(1, None, false)]));
}
