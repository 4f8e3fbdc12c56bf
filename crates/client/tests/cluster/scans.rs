//! Scans of the whole cluster and of single keys, on servers that do as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use truename::scan::{Keys, MissingCause, ScanCursor, ScanError};
use truename::{Client, Protocol, cmd};
use truename_lab::{Lab, LabProfile};

use crate::support::{config, connect, eventually, key_of, lab, one_node, shard_of, tell};

const SECOND: Duration = Duration::from_secs(1);

async fn fill(client: &Client, prefix: &str, count: usize) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..count).map(|n| format!("{prefix}:{n}")).collect();
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg("v")));
    assert!(batch.execute::<()>().await.into_iter().all(|outcome| outcome.is_ok()));
    keys
}

fn text(key: Bytes) -> String {
    String::from_utf8(key.to_vec()).expect("text")
}

/// All keys, with duplicates, of a scan that must be complete.
async fn all(mut keys: Keys) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(key) = keys.next().await {
        found.push(text(key.expect("nothing is missing")));
    }
    assert!(keys.is_complete() && keys.cursor().is_none());
    found
}

async fn clients(lab: &Lab) -> [Client; 2] {
    let client = |protocol| async move {
        Client::connect(&config(lab).protocol(protocol)).await.unwrap_or_else(|error| panic!("{error}"))
    };
    [client(Protocol::Resp2).await, client(Protocol::Auto).await]
}

#[tokio::test]
async fn every_key_of_all_nodes_is_returned_and_only_those_that_are_asked_for() {
    for lab in [lab(LabProfile::Azure).await, lab(LabProfile::Plain).await, one_node(LabProfile::Plain).await]
    {
        for client in clients(&lab).await {
            client.run(cmd("DEL").arg("{other}hash")).await.expect("a number");
            let keys = fill(&client, "scan", 3000).await;
            client.run(cmd("HSET").arg("{other}hash").arg("f").arg("v")).await.expect("a number");

            let found = all(client.scan().keys()).await;
            assert_eq!(found.len(), 3001, "in peace no key comes twice");
            let found: BTreeSet<String> = found.into_iter().collect();
            assert!(keys.is_subset(&found) && found.contains("{other}hash"));

            let matching = all(client.scan().matching("scan:1??").count(10).keys()).await;
            assert_eq!(matching.len(), 100, "{matching:?}");
            assert!(matching.iter().all(|key| key.len() == 8 && keys.contains(key)));
            assert_eq!(all(client.scan().of_type("hash").parallelism(1).keys()).await, ["{other}hash"]);
            assert!(all(client.scan().matching("nothing").keys()).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_server_without_cluster_support_is_scanned_too() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let keys = fill(&client, "alone", 2500).await;
    assert_eq!(all(client.scan().keys()).await.into_iter().collect::<BTreeSet<_>>(), keys);
}

#[tokio::test]
async fn a_scan_that_was_dropped_goes_on_in_another_client() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let keys = fill(&client, "resumed", 5000).await;
    let (mut found, mut handed_out, mut saved) = (BTreeSet::new(), 0, None::<String>);
    for stop in 0.. {
        assert!(stop < 100, "it ends");
        let client = connect(&lab).await;
        let mut scan = client.scan().matching("resumed:*").count(100);
        if let Some(saved) = &saved {
            scan = scan.resume(saved.parse().expect("our own cursor"));
        }
        let mut part = scan.keys();
        // In the middle of a page.
        for _ in 0..777 {
            let Some(key) = part.next().await else { break };
            found.insert(text(key.expect("a key")));
            handed_out += 1;
        }
        match part.cursor() {
            Some(cursor) => saved = Some(cursor.to_string()),
            None => break,
        }
        assert!(saved.as_ref().is_some_and(|saved| saved.len() < 400), "{saved:?}");
    }
    assert_eq!(found, keys);
    // What was read ahead and not handed out is read again, and what was handed out of a page.
    assert!(handed_out < 8000, "{handed_out}");
}

#[tokio::test]
async fn a_cursor_of_another_scan_is_refused() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    fill(&client, "key", 10).await;
    let cursor = client.scan().matching("a*").keys().cursor().expect("all is to do");
    assert_eq!(cursor.to_string().parse::<ScanCursor>().as_ref(), Ok(&cursor));
    for other in [client.scan(), client.scan().matching("b*"), client.scan().matching("a*").of_type("set")] {
        let mut keys = other.resume(cursor.clone()).keys();
        assert!(matches!(keys.next().await, Some(Err(ScanError::OtherScan))));
        assert!(keys.next().await.is_none() && !keys.is_complete());
        assert_eq!(keys.cursor().as_ref(), Some(&cursor), "nothing is lost");
    }
    assert!(all(client.scan().matching("a*").count(7).resume(cursor).keys()).await.is_empty());
}

/// Requests, and with them memory, stop with the reader.
#[tokio::test]
async fn a_reader_that_takes_nothing_stops_the_requests() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    fill(&client, "slow", 9000).await;
    let scans = async || {
        let mut calls = 0;
        for node in 0..3 {
            let stats = tell(&lab, node, &["INFO", "commandstats"]).await;
            let stats = stats.as_str().unwrap_or_default();
            let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_scan:calls="));
            calls += line.map_or(0, |line| line.split(',').next().and_then(|n| n.parse().ok()).unwrap_or(0));
        }
        calls
    };
    let mut keys = client.scan().count(100).keys();
    assert!(keys.next().await.is_some_and(|key| key.is_ok()));
    // Long enough for all of it, if anything drove it.
    for _ in 0..100 {
        client.run(cmd("PING").route_by_key(key_of(0))).await.expect("PONG");
    }
    let asked: usize = scans().await;
    assert!((1..=9).contains(&asked), "three nodes, two pages each and one on its way: {asked}");
    // Taking without end drives all of it.
    let mut count = 1;
    while let Some(key) = keys.next().await {
        count += usize::from(key.is_ok());
    }
    assert_eq!(count, 9000);
    assert!(scans().await >= 80);
}

/// What is on its way is answered while nobody looks, however long that takes.
#[tokio::test]
async fn a_reader_may_take_longer_than_a_call() {
    let lab = lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND / 4)).await.expect("connected");
    let written = fill(&client, "pause", 2000).await;
    let mut keys = client.scan().count(100).patience(SECOND / 4).keys();
    let mut found = BTreeSet::new();
    while let Some(key) = keys.next().await {
        found.insert(text(key.expect("nothing is missing")));
        if matches!(found.len(), 1 | 1000) {
            tokio::time::sleep(SECOND).await;
        }
    }
    assert!(keys.is_complete());
    assert_eq!(found, written);
}

#[tokio::test]
async fn a_node_that_is_gone_is_named_and_the_others_are_scanned() {
    let lab = lab(LabProfile::Plain).await;
    let patience = config(&lab).command_timeout(SECOND);
    let client = Client::connect(&patience).await.expect("connected");
    let keys = fill(&client, "gap", 3000).await;
    lab.node(1).kill();
    let mut scan = client.scan().patience(2 * SECOND).keys();
    let (mut found, mut missing) = (BTreeSet::new(), Vec::new());
    while let Some(key) = scan.next().await {
        match key {
            Ok(key) => drop(found.insert(text(key))),
            Err(ScanError::Missing(slots)) => missing.push(slots),
            Err(other) => panic!("{other}"),
        }
    }
    let there: BTreeSet<String> = keys.iter().filter(|key| shard_of(key) != 1).cloned().collect();
    assert_eq!(found, there);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].node.as_ref().map(|node| node.port()), Some(lab.node(1).port));
    assert!(matches!(missing[0].cause, MissingCause::Failed(_)), "{}", missing[0]);
    let slots: usize = missing[0].slots.iter().map(|range| range.count()).sum();
    assert!((5461..=5462).contains(&slots), "{slots}");
    assert!(!scan.is_complete());

    // The rest, once it is there again. It had saved nothing, so it is empty, which is not for a scan to say.
    lab.node(1).restart().await.expect("it starts");
    let rest = scan.cursor().expect("a shard is left");
    eventually("the shard is served again", 20 * SECOND, || async {
        client.run(cmd("SET").arg(key_of(1)).arg("v")).await.is_ok()
    })
    .await;
    assert_eq!(all(client.scan().resume(rest).keys()).await, [key_of(1)]);
}

#[tokio::test]
async fn a_scan_that_servers_refuse_says_so_at_once() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    tell(&lab, 0, &["ACL", "SETUSER", "default", "-scan"]).await;
    let mut keys = client.scan().keys();
    match keys.next().await {
        Some(Err(ScanError::Missing(missing))) => {
            assert!(missing.to_string().contains("NOPERM"), "{missing}");
            assert_eq!(missing.slots.len(), 1);
        }
        other => panic!("{other:?}"),
    }
    assert!(keys.next().await.is_none() && !keys.is_complete());

    client.close();
    let mut keys = client.scan().keys();
    assert!(matches!(keys.next().await, Some(Err(ScanError::Missing(_)))));
    assert!(!keys.is_complete());
}

#[tokio::test]
async fn elements_of_large_and_small_values_are_streamed() {
    let lab = lab(LabProfile::Plain).await;
    for client in clients(&lab).await {
        for count in [3usize, 5000] {
            let name = |kind: &str| format!("{kind}:{count}");
            let numbers: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let pairs = |first: &'static str, second: &'static str| {
                (0..count).flat_map(move |n| [format!("{first}{n}"), format!("{second}{n}")])
            };
            client.run(cmd("HSET").arg(name("hash")).args(pairs("f", "v"))).await.expect("a number");
            client
                .run(cmd("SADD").arg(name("set")).args(numbers.iter().map(|n| format!("m{n}"))))
                .await
                .expect("a number");
            client.run(cmd("ZADD").arg(name("zset")).args(pairs("", "m"))).await.expect("a number");

            let mut fields = client.hscan(name("hash")).count(100).elements();
            let mut found = BTreeMap::new();
            while let Some(field) = fields.next().await {
                let (field, value) = field.expect("a pair");
                found.insert(text(field), text(value));
            }
            assert_eq!(found.len(), count);
            assert!(found.iter().all(|(field, value)| field[1..] == value[1..]));

            let mut members = client.sscan(name("set")).matching("m1*").elements();
            let mut found = BTreeSet::new();
            while let Some(member) = members.next().await {
                found.insert(text(member.expect("a member")));
            }
            assert_eq!(found.len(), numbers.iter().filter(|n| n.starts_with('1')).count());

            let mut scores = client.zscan(name("zset")).elements();
            let mut found = BTreeMap::new();
            while let Some(scored) = scores.next().await {
                let (member, score) = scored.expect("a member");
                found.insert(text(member), score);
            }
            assert_eq!(found.len(), count);
            assert!(found.iter().all(|(member, score)| member[1..] == score.to_string()));
        }
        assert!(client.hscan("nobody").elements().next().await.is_none());
        let mut wrong = client.sscan("hash:3").elements();
        let error = wrong.next().await.expect("an error").expect_err("a hash is no set");
        assert!(error.to_string().contains("WRONGTYPE"), "{error}");
        assert!(wrong.next().await.is_none());
    }
}
