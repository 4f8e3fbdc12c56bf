//! What a change of the topology may not do: reorder the commands of a slot, or open connections without end.

use std::str::FromStr;
use std::time::Duration;

use crate::support::scripted::{Scripted, node, slots};
use crate::support::{config, eventually, key_of, tell};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use truename::topology::DialRule;
use truename::{Client, Config, cmd};
use truename_lab::{FaultProxy, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

/// A node whose description changed (its id became known, its host name changed) was replaced, with a connection of its
/// own: what was sent on the old one could be overtaken. Here the old one is slow, and the list shows who came first.
#[tokio::test]
async fn a_node_that_is_described_anew_keeps_the_order_of_its_commands() {
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).node_timeout(SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let (node, any) = (lab.node(1).socket_addr(), "127.0.0.1:0".parse().expect("an address"));
    let proxy = FaultProxy::listen(&[any], node).await.expect("a port");
    let rule = format!("{node}={}", proxy.addresses()[0]);
    let config =
        config(&lab).dial_rule(DialRule::from_str(&rule).expect("a rule")).refresh_interval(SECOND / 10);
    let client = Client::connect(&config.stall_timeout(20 * SECOND)).await.expect("connected");
    let key = key_of(1);
    client.execute::<i64>(cmd("RPUSH").arg(&key).arg(0)).await.expect("pushed");

    let port = lab.node(1).announced().1;
    let is_renamed = || {
        let nodes = client.topology().nodes().to_vec();
        nodes.into_iter().any(|node| node.endpoint.port() == port && node.hostname.is_some())
    };
    proxy.hold_open(3 * SECOND);
    for node in 0..3 {
        tell(&lab, node, &["CONFIG", "SET", "cluster-preferred-endpoint-type", "ip"]).await;
        let name = format!("node-{node}.example.net");
        tell(&lab, node, &["CONFIG", "SET", "cluster-announce-hostname", &name]).await;
    }
    let started = Instant::now();
    let (mut calls, mut after) = (Vec::new(), 0);
    while after < 20 {
        assert!(started.elapsed() < 3 * SECOND, "nobody heard of the new name");
        let push = cmd("RPUSH").arg(key.clone()).arg(calls.len() + 1).timeout(15 * SECOND);
        let mut call = Box::pin(client.execute::<i64>(push));
        assert!(call.as_mut().now_or_never().is_none(), "its reply is held back");
        calls.push(call);
        after += usize::from(is_renamed());
        sleep(SECOND / 50).await;
    }
    let count = calls.len();
    for call in calls {
        call.await.unwrap_or_else(|error| panic!("{error}"));
    }
    let list = client.execute::<Vec<usize>>(cmd("LRANGE").arg(&key).arg(0).arg(-1)).await.expect("a list");
    assert_eq!(list, (0..=count).collect::<Vec<_>>(), "in the order in which they were submitted");
    // What has to be proved now is proved on the next connection, which is made at once.
    let all_up = || async { client.nodes().iter().all(|node| node.is_connected) };
    eventually("all are connected", 3 * SECOND, all_up).await;
}

/// Only seeds and connected nodes were asked for the topology. Where the only seed was the only primary, the client never
/// heard of the replica that took its place, though it knew the replica's address.
#[tokio::test]
async fn the_replica_of_the_only_primary_is_asked_when_that_is_gone() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab starts");
    let (host, port) = lab.node(0).announced();
    let config = Config::new().seed(host, port).plaintext().password(lab.password().expect("it has one"));
    let client = Client::connect(&config).await.expect("connected");
    let knows_both = || async { client.topology().nodes().len() == 2 };
    eventually("the replica is known", 5 * SECOND, knows_both).await;
    lab.node(0).kill();
    tell(&lab, 1, &["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
    let set = cmd("SET").arg("key").arg(1).timeout(10 * SECOND);
    client.execute::<()>(set).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Whoever asked a node about a command, or about a slot, and went away before it answered, left the question behind, and
/// with it the node: its connection stayed after it had left the topology, and was made again and again.
#[tokio::test]
async fn a_node_that_left_is_not_kept_by_a_question_that_nobody_waits_for() {
    let new = Scripted::listen("127.0.0.1:0", |words| Some(node(words, "new", &slots(&[])))).await;
    let old = Scripted::listen("127.0.0.1:0", |_| None).await;
    for question in ["COMMAND", "CLUSTER NODES"] {
        let before = slots(&[(0, 16_383, old.address, "old")]);
        let answer = move |words: &[String], map: &str| match words.join(" ").as_str() {
            asked if asked.starts_with(question) => Some(String::new()),
            asked if asked.starts_with("EVAL") => Some("-MOVED 12182 127.0.0.1:1\r\n".to_owned()),
            _ => Some(node(words, "old", map)),
        };
        old.becomes(move |words| answer(words, &before));
        let config = Config::new().seed("127.0.0.1", old.address.port()).plaintext();
        let config = config.keepalive(SECOND / 10).refresh_interval(SECOND / 5);
        let client = Client::connect(&config).await.expect("connected");
        let command = match question {
            "COMMAND" => cmd("UNKNOWN").arg("foo"),
            _ => cmd("EVAL").arg("return 1").arg(1).arg("foo"),
        };
        client.execute::<()>(command.timeout(SECOND / 5)).await.expect_err("no answer");
        let after = slots(&[(0, 16_383, new.address, "new")]);
        old.becomes(move |words| answer(words, &after));
        let has_left = || async {
            client.topology().nodes().iter().all(|node| node.endpoint.port() == new.address.port())
        };
        eventually("it has left", 5 * SECOND, has_left).await;
        sleep(SECOND / 2).await;
        let signs_of_life = old.times("PING").len();
        sleep(SECOND / 2).await;
        assert_eq!(old.times("PING").len(), signs_of_life, "after a question by {question}");
    }
}
