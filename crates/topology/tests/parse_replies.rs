//! The shape of whole replies: grouping, roles, ports, and what is refused.

mod common;

use common::{PROTOS, array, bulk, endpoint, int, map, range};
use truename_resp::{Attributed, ErrorReply, Reply, Verbatim};
use truename_topology::view::{MigrationSide, SkipReason};
use truename_topology::{
    Health, NodeLine, Role, SlotMap, View, ViewError, parse_node_lines, parse_nodes, parse_shards,
    parse_slots,
};

fn hosts(view: &View) -> Vec<(usize, Option<String>, Vec<String>)> {
    let name = |node: &truename_topology::AnnouncedNode| node.endpoint.to_string();
    let shards = view.shards.iter();
    shards
        .map(|shard| {
            (shard.ranges.len(), shard.primary.as_ref().map(name), shard.replicas.iter().map(name).collect())
        })
        .collect()
}

fn plain(host: &str, port: i64) -> Reply {
    array([bulk(host), int(port), bulk(&format!("id-{port}"))])
}

#[test]
fn ranges_of_one_primary_are_one_shard() {
    let reply = array([
        array([int(0), int(10), plain("a", 1), plain("b", 2)]),
        array([int(11), int(20), plain("c", 3)]),
        array([int(21), int(30), plain("a", 1), plain("b", 2), plain("d", 4)]),
    ]);
    let view = parse_slots(&reply, "seed").unwrap();
    let expected = vec![
        (2, Some("a:1".to_owned()), vec!["b:2".to_owned(), "d:4".to_owned()]),
        (1, Some("c:3".to_owned()), vec![]),
    ];
    assert_eq!(hosts(&view), expected);
    assert_eq!(view.assigned_slots(), 31);
}

#[test]
fn old_and_future_elements() {
    let future = array([
        int(0),
        int(16383),
        array([bulk("a"), int(1), bulk("id"), Reply::Nil, bulk("later")]),
        array([bulk("b"), int(2)]),
        bulk("an element of the future"),
        map(common::Proto::Resp3, [("more", int(1))]),
    ]);
    let attributed = Reply::Attributed(Box::new(Attributed { attributes: vec![], reply: future }));
    let view = parse_slots(&array([attributed]), "seed").unwrap();
    assert_eq!(hosts(&view), vec![(1, Some("a:1".to_owned()), vec!["b:2".to_owned()])]);
    assert_eq!(view.shards[0].replicas[0].id, None);
}

#[test]
fn a_replica_beside_its_primary_on_one_host() {
    // ElastiCache Serverless: one host name, 6379 to write and 6380 to read.
    let host = "my-abc123.serverless.use1.cache.amazonaws.com";
    let view = parse_slots(&array([array([int(0), int(16383), plain(host, 6379), plain(host, 6380)])]), host)
        .unwrap();
    let map = SlotMap::from_view(&view);
    assert_eq!((map.nodes().len(), map.assigned()), (2, 16384));
    assert_eq!(map.nodes()[1].role, Role::Replica);
}

#[test]
fn unusable_nodes_are_skipped_and_reported_once() {
    let reply = array([
        array([int(0), int(1), plain("a", 1), plain("?", 2), plain("c", 0)]),
        array([int(2), int(3), plain("a", 1), plain("?", 2), array([int(7), int(3)])]),
        array([int(4), int(5), plain("?", 9), plain("d", 4)]),
        array([int(6), int(7), plain("?", 9)]),
        array([int(8), int(9), array([bulk("b/d"), int(1)])]),
        array([int(10), int(11)]),
    ]);
    let view = parse_slots(&reply, "seed").unwrap();
    let why: Vec<_> = view.skipped.iter().map(|skipped| (skipped.announced.as_str(), skipped.why)).collect();
    let expected = [
        ("?:2", SkipReason::UnknownEndpoint),
        ("c:0", SkipReason::BadPort),
        (":3", SkipReason::BadHost),
        ("?:9", SkipReason::UnknownEndpoint),
        ("b/d:1", SkipReason::BadHost),
    ];
    assert_eq!(why, expected);
    assert_eq!(view.shards.len(), 3);
    assert_eq!(view.shards[1].ranges, [range(4, 5), range(6, 7)]);
    let map = SlotMap::from_view(&view);
    assert_eq!(map.assigned(), 4, "slots of a primary that cannot be addressed have no owner");
}

#[test]
fn slots_refusals() {
    let disabled = "ERR This instance has cluster support disabled";
    let refused = parse_slots(&Reply::Error(ErrorReply::new(disabled)), "seed").unwrap_err();
    assert_eq!(refused, ViewError::Refused(disabled.to_owned()));
    let node = || plain("a", 1);
    for (reply, wanted) in [
        (Reply::Nil, "array of slot ranges"),
        (array([int(1)]), "expected a slot range, got integer"),
        (array([array([int(1)])]), "first slot, last slot"),
        (array([array([bulk("0"), int(1), node()])]), "expected a slot number, got bulk string"),
        (array([array([int(5), int(4), node()])]), "`5-4` is not a range"),
        (array([array([int(0), int(16384), node()])]), "`0-16384` is not a range"),
        (array([array([int(0), int(1), bulk("a:1")])]), "expected a node, got bulk string"),
        (array([array([int(0), int(1), array([bulk("a")])])]), "host and port"),
    ] {
        let error = parse_slots(&reply, "seed").unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let twice = array([array([int(0), int(9), node()]), array([int(9), int(12), plain("b", 2)])]);
    assert_eq!(parse_slots(&twice, "seed"), Err(ViewError::Overlap { slot: common::slot(9) }));
}

type Fields = Vec<(&'static str, Reply)>;

fn shard_node(port: i64, role: &'static str, health: &'static str) -> Fields {
    vec![
        ("id", bulk(&format!("id-{port}"))),
        ("port", int(port)),
        ("ip", bulk("10.0.0.4")),
        ("endpoint", bulk("10.0.0.4")),
        ("role", bulk(role)),
        ("health", bulk(health)),
    ]
}

#[test]
fn shards_roles_and_health() {
    for proto in PROTOS {
        let nodes = [
            shard_node(1, "master", "fail"),
            shard_node(2, "master", "online"),
            shard_node(3, "replica", "loading"),
            shard_node(4, "arbiter", "online"),
        ];
        let shard = |nodes: Vec<Fields>, slots: Vec<Reply>| {
            map(
                proto,
                [("slots", array(slots)), ("nodes", array(nodes.into_iter().map(|node| map(proto, node))))],
            )
        };
        let reply = array([
            shard(nodes.to_vec(), vec![int(0), int(99), int(200), int(299)]),
            shard(vec![shard_node(5, "master", "online")], vec![]),
        ]);
        let view = parse_shards(&reply, "seed", false).unwrap();
        let expected = vec![
            (2, Some("10.0.0.4:2".to_owned()), vec!["10.0.0.4:3".to_owned()]),
            (0, Some("10.0.0.4:1".to_owned()), vec![]),
            (0, Some("10.0.0.4:5".to_owned()), vec![]),
        ];
        assert_eq!(hosts(&view), expected, "the healthy primary speaks for the slots");
        let health: Vec<_> = view.nodes().map(|node| node.health).collect();
        assert_eq!(health, [Health::Online, Health::Loading, Health::Failed, Health::Online]);
        assert!(view.nodes().all(|node| node.ip.is_none()), "the ip is the endpoint already");
    }
}

#[test]
fn shards_ports() {
    for (ports, plain_port, tls_port) in [
        (vec![("port", int(6379)), ("tls-port", int(6380))], Some(6379), Some(6380)),
        (vec![("tls-port", int(6380))], Some(6380), Some(6380)),
        (vec![("port", int(6379))], Some(6379), Some(6379)),
        (vec![("port", int(0)), ("tls-port", int(6380))], Some(6380), Some(6380)),
        (vec![], None, None),
    ] {
        for (proto, (tls, expected)) in
            PROTOS.into_iter().flat_map(|p| [(p, (false, plain_port)), (p, (true, tls_port))])
        {
            let mut node = vec![("endpoint", Reply::Nil), ("role", bulk("master"))];
            node.extend(ports.clone());
            let shard = [("slots", array([int(0), int(1)])), ("nodes", array([map(proto, node)]))];
            let view = parse_shards(&array([map(proto, shard)]), "seed", tls).unwrap();
            assert_eq!(view.nodes().next().map(|node| node.endpoint.port()), expected, "{ports:?} tls {tls}");
            let skipped: Vec<_> = view.skipped.iter().map(|skipped| skipped.why).collect();
            assert_eq!(skipped, if expected.is_none() { vec![SkipReason::BadPort] } else { vec![] });
        }
    }
}

#[test]
fn shards_availability_zone() {
    let mut node = shard_node(1, "master", "online");
    node.push(("availability-zone", bulk("eu-1a")));
    let proto = common::Proto::Resp3;
    let shard = [("slots", array([int(0), int(1)])), ("nodes", array([map(proto, node)]))];
    let view = parse_shards(&array([map(proto, shard)]), "seed", false).unwrap();
    assert_eq!(view.nodes().next().unwrap().availability_zone.as_deref(), Some("eu-1a"));
}

#[test]
fn shards_refusals() {
    let unknown = "ERR Unknown subcommand or wrong number of arguments for 'shards'";
    let proto = common::Proto::Resp3;
    let shard = |slots: Reply, nodes: Reply| array([map(proto, [("slots", slots), ("nodes", nodes)])]);
    for (reply, wanted) in [
        (Reply::Error(ErrorReply::new(unknown)), "Unknown subcommand"),
        (Reply::Nil, "array of shards, got nil"),
        (array([int(1)]), "a shard with `slots`, got integer"),
        (array([map(proto, [("slots", array([]))])]), "a shard with `nodes`"),
        (shard(array([int(0)]), array([])), "an odd number"),
        (shard(array([int(3), int(2)]), array([])), "`3-2` is not a range"),
        (shard(array([]), array([map(proto, [("id", bulk("x"))])])), "a node with a `role`"),
    ] {
        let error = parse_shards(&reply, "seed", true).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

const NODES: &str = "\
07c3 127.0.0.1:30004@31004,host-4.example.net slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002,host-2.example.net master - 0 1426238316232 2 connected 5461-10922 11000
292f 127.0.0.1:30003@31003,,shard-id=abc master,fail - 0 1426238318243 3 disconnected 10923-10999 11001-16383
6ec2 127.0.0.1:30005@31005 slave,fail? 67ed 0 1426238316232 5 connected
824f :0@0 slave,noaddr 292f 0 1426238317741 6 disconnected
9999 10.0.0.9:30009@31009 master,handshake - 0 0 0 connected
e7d1 :30001@31001,host-1.example.net myself,master - 0 0 9 connected 0-5460 [93-<-292f] [77->-67ed]
vars currentEpoch 9 lastVoteEpoch 0
";

#[test]
fn nodes_text() {
    let view = parse_nodes(NODES, "seed").unwrap();
    let text = |text: &str| text.to_owned();
    let expected = vec![
        (1, Some(text("seed:30001")), vec![text("127.0.0.1:30004")]),
        (2, Some(text("127.0.0.1:30002")), vec![text("127.0.0.1:30005")]),
        (2, Some(text("127.0.0.1:30003")), vec![]),
    ];
    assert_eq!(hosts(&view), expected);
    assert_eq!((view.assigned_slots(), view.epoch), (16384, Some(9)));
    assert_eq!(view.myself.as_ref().map(|node| &node.endpoint), Some(&endpoint("seed:30001")));
    let skipped: Vec<_> = view.skipped.iter().map(|skipped| skipped.why).collect();
    assert_eq!(skipped, [SkipReason::NoAddress, SkipReason::Handshake]);
    let names: Vec<_> = view.nodes().map(|node| node.hostname.as_deref()).collect();
    let name =
        |number| Some(["", "host-1.example.net", "host-2.example.net", "", "host-4.example.net"][number]);
    assert_eq!(names, [name(1), name(4), name(2), None, None]);
    let health: Vec<_> = view.nodes().map(|node| node.health).collect();
    use Health::{Failed, Online, Unknown};
    assert_eq!(health, [Online, Online, Online, Unknown, Failed]);
    let open: Vec<_> =
        view.open_slots.iter().map(|open| (open.slot.value(), open.side, open.peer.as_str())).collect();
    assert_eq!(open, [(93, MigrationSide::Importing, "292f"), (77, MigrationSide::Migrating, "67ed")]);
}

/// A view folds a broken link and a suspicion into one, leaves out moves whose other end has no valid id, and has nodes
/// without an address apart from the others.
#[test]
fn node_lines_keep_what_a_view_folds() {
    let text =
        format!("{NODES}aaaa 10.0.0.8:x@x nofailover,myself,slave - 0 0 0 disconnected [7->-\u{1b}]\n");
    let lines = parse_node_lines(&text).unwrap();
    type Row<'a> =
        (&'a str, (&'a str, Option<u16>, Option<u16>), Option<&'a str>, &'a [&'a str], Option<&'a str>);
    let rows: [Row<'_>; 8] = [
        (
            "07c3",
            ("127.0.0.1", Some(30004), Some(31004)),
            Some("host-4.example.net"),
            &["slave"],
            Some("e7d1"),
        ),
        ("67ed", ("127.0.0.1", Some(30002), Some(31002)), Some("host-2.example.net"), &["master"], None),
        ("292f", ("127.0.0.1", Some(30003), Some(31003)), Some(""), &["master", "fail"], None),
        ("6ec2", ("127.0.0.1", Some(30005), Some(31005)), None, &["slave", "fail?"], Some("67ed")),
        ("824f", ("", Some(0), Some(0)), None, &["slave", "noaddr"], Some("292f")),
        ("9999", ("10.0.0.9", Some(30009), Some(31009)), None, &["master", "handshake"], None),
        ("e7d1", ("", Some(30001), Some(31001)), Some("host-1.example.net"), &["myself", "master"], None),
        ("aaaa", ("10.0.0.8", None, None), None, &["nofailover", "myself", "slave"], None),
    ];
    assert_eq!(lines.len(), rows.len());
    for (line, (id, address, hostname, flags, primary)) in lines.iter().zip(rows) {
        assert_eq!((line.id, (line.host, line.port, line.bus_port), line.hostname), (id, address, hostname));
        assert_eq!((line.flags.as_slice(), line.primary), (flags, primary), "{id}");
        assert!(flags.iter().all(|flag| line.has_flag(flag)) && !line.has_flag("mas"), "{id}");
    }
    let link = |line: &NodeLine<'_>| (line.config_epoch, line.link.to_owned());
    assert_eq!(link(&lines[3]), (5, "connected".to_owned()));
    assert_eq!(link(&lines[4]), (6, "disconnected".to_owned()));
    assert_eq!(lines[1].ranges, [range(5461, 10922), range(11000, 11000)]);
    let open = |line: &NodeLine<'_>| -> Vec<_> {
        line.open.iter().map(|open| (open.slot.value(), open.side, open.peer.to_owned())).collect()
    };
    let at = |slot, side, peer: &str| (slot, side, peer.to_owned());
    use MigrationSide::{Importing, Migrating};
    assert_eq!(open(&lines[6]), [at(93, Importing, "292f"), at(77, Migrating, "67ed")]);
    assert_eq!(open(&lines[7]), [at(7, Migrating, "\u{1b}")]);
    assert!(parse_nodes(&text, "seed").unwrap().open_slots.iter().all(|open| open.slot.value() != 7));
}

/// Each line of a text costs memory, whatever the nodes are called.
#[test]
fn more_lines_than_a_topology_has_nodes_are_refused() {
    let of = |count: usize| "id a:1@2 master - 0 0 1 connected\n".repeat(count);
    assert_eq!(parse_node_lines(&of(SlotMap::MAX_NODES)).unwrap().len(), SlotMap::MAX_NODES);
    let refused = ViewError::TooManyNodes(SlotMap::MAX_NODES + 1);
    assert_eq!(parse_node_lines(&of(SlotMap::MAX_NODES + 1)), Err(refused.clone()));
    assert_eq!(parse_nodes(&of(SlotMap::MAX_NODES + 1), "seed"), Err(refused));
    assert_eq!(parse_node_lines("").unwrap(), []);
}

#[test]
fn nodes_in_every_spelling_of_the_address() {
    for (address, expected) in [
        ("10.0.0.4:6379", "10.0.0.4:6379"),
        ("10.0.0.4:6379@16379", "10.0.0.4:6379"),
        ("2001:db8::7:6379@16379", "[2001:db8::7]:6379"),
        ("my.serverless.use1.cache.amazonaws.com:6379@16379", "my.serverless.use1.cache.amazonaws.com:6379"),
        ("0.0.0.0:6379@16379,", "seed:6379"),
    ] {
        let view =
            parse_nodes(&format!("id {address} myself,master - 0 0 1 connected 0-16383\n"), "seed").unwrap();
        assert_eq!(view.nodes().next().unwrap().endpoint.to_string(), expected);
    }
}

#[test]
fn nodes_come_as_verbatim_text_in_resp3() {
    let reply = Reply::Verbatim(Verbatim { format: *b"txt", text: NODES.into() });
    assert_eq!(parse_nodes(reply.as_str().unwrap(), "seed"), parse_nodes(NODES, "seed"));
}

#[test]
fn nodes_refusals() {
    for (line, wanted) in [
        ("garbage", "eight fields"),
        ("id a:1@2 master - 0 0 x connected", "config epoch"),
        ("id a:1@2 master - 0 0 1 connected 5-4", "`5-4` is not a range"),
        ("id a:1@2 master - 0 0 1 connected 0-16384", "`0-16384` is not a range"),
        ("id a:1@2 master - 0 0 1 connected [5->-x", "`[5->-x` is not a range"),
        ("id a:1@2 master - 0 0 1 connected [5-x]", "`[5-x]` is not a range"),
        ("id a:1@2 master - 0 0 1 connected 5 5", "slot 5 is claimed by two shards"),
    ] {
        let error = parse_nodes(line, "seed").unwrap_err();
        assert!(error.to_string().contains(wanted), "{line}: {error}");
        // The lines by themselves may contradict each other.
        let lines = parse_node_lines(line).map(drop);
        assert_eq!(lines, if wanted.contains("claimed") { Ok(()) } else { Err(error) }, "{line}");
    }
    assert_eq!(parse_nodes("", "seed").unwrap(), View::default());
}

/// Ids, host names and zones went from the wire to the terminal as they came.
#[test]
fn invalid_metadata_is_dropped_and_reported_and_the_node_stays() {
    let hostile = "\u{1b}[2Jall is well";
    let metadata =
        [("hostname", bulk(hostile)), ("availability-zone", bulk("a\nb")), ("ip", bulk("\u{202e}ip"))];
    let node = array([bulk("10.0.0.4"), int(7000), bulk(hostile), map(common::Proto::Resp2, metadata)]);
    let view = parse_slots(&array([array([int(0), int(16383), node])]), "seed").unwrap();
    let kept = view.nodes().next().unwrap();
    assert_eq!((&kept.id, &kept.hostname, &kept.availability_zone), (&None, &None, &None));
    assert_eq!(view.assigned_slots(), 16384);
    let told: Vec<String> = view.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0], "10.0.0.4:7000: `\\u{1b}[2Jall is well` is not a valid node id and was ignored");
    // A host that cannot be one means that the node cannot be addressed.
    let view = parse_slots(&array([array([int(0), int(1), plain("\u{202e}host", 1)])]), "seed").unwrap();
    assert_eq!(view.skipped[0].why, SkipReason::BadHost);
}

/// 16,384 announced primaries made the client open thousands of connections.
#[test]
fn a_topology_of_too_many_nodes_is_refused_as_a_whole() {
    let of = |count: i64| array((0..count).map(|n| array([int(n), int(n), plain("many", n + 1)])));
    assert_eq!(parse_slots(&of(2000), "seed").unwrap().nodes().count(), 2000);
    let refused = parse_slots(&of(2001), "seed").unwrap_err().to_string();
    assert_eq!(refused, "2001 nodes are more than the 2000 that a topology may have");
    // Nodes that cannot be addressed count, too.
    let unknown = array((0..2001).map(|n| array([int(n), int(n), plain("?", n + 1)])));
    assert!(parse_slots(&unknown, "seed").is_err());
}

/// A line was taken apart whole before anything in it was looked at: a hundred megabytes of `0 0 0` became eight hundred.
#[test]
fn a_line_has_so_many_words_and_no_more() {
    let line = |flags: &str, slots: &str| format!("id 10.0.0.4:1@2 {flags} - 0 0 1 connected {slots}");
    assert_eq!(parse_node_lines(&line("myself,master", "0-9 11")).expect("a line")[0].ranges.len(), 2);
    for (text, wanted) in [
        (line(&"master,".repeat(1000), "0"), "at most 32 flags"),
        (line("master", &"0 ".repeat(40_000)), "no more ranges"),
    ] {
        let error = parse_node_lines(&text).expect_err("too much").to_string();
        assert!(error.contains(wanted) && error.len() < 200, "{error}");
    }
}
