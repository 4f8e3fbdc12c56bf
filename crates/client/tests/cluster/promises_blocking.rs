//! Commands that wait on the server: how many connections they take, how often a node is dialled for them, and what
//! becomes of the wait when the node loses its slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::info::info;
use crate::support::scripted::{Scripted, bulk, node, slots};
use crate::support::{config, eventually, key_of, one_node, proxied_server, shard_of};
use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use truename::topology::Slot;
use truename::{Client, Config, Error, cmd};
use truename_lab::{Fault, Lab, LabProfile};

type Popped = Result<Option<(String, String)>, Error>;

/// `BLPOP` without an end, in a task of its own.
fn pop(client: &Client, queue: &str) -> JoinHandle<Popped> {
    let (client, queue) = (client.clone(), queue.to_owned());
    tokio::spawn(async move { client.execute(cmd("BLPOP").arg(&queue).arg(0)).await })
}

async fn eventually_blocked(lab: &Lab, node: usize, count: u64) {
    let reached = || async { info(lab, node, "clients", "blocked_clients").await == count };
    eventually(&format!("{count} clients are blocked"), Duration::from_secs(10), reached).await;
}

async fn end<T>(call: JoinHandle<T>, limit: Duration) -> T {
    tokio::time::timeout(limit, call).await.expect("it ends").expect("no panic")
}

/// 200 blocking callers had 200 connections, and what became idle stayed for good.
#[tokio::test]
async fn exclusive_connections_are_bounded_and_closed_when_idle() {
    let lab = one_node(LabProfile::Plain).await;
    let few = config(&lab)
        .max_exclusive_connections(3)
        .command_timeout(Duration::from_secs(3))
        .keepalive(Duration::from_millis(200));
    let client = Client::connect(&few).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect("OK");
    let before = info(&lab, 0, "clients", "connected_clients").await;
    let mut waiting: Vec<_> = (0..3).map(|n| pop(&client, &format!("queue:{n}"))).collect();
    eventually_blocked(&lab, 0, 3).await;

    // Those who come later wait in line. One of them leaves it again.
    let started = Instant::now();
    let leaves = pop(&client, "left");
    tokio::task::yield_now().await;
    let next = pop(&client, "next");
    let last = pop(&client, "last");
    leaves.abort();
    client.execute::<i64>(cmd("RPUSH").arg("queue:0").arg("x")).await.expect("pushed");
    assert!(end(waiting.remove(0), Duration::from_secs(2)).await.expect("popped").is_some());
    client.execute::<i64>(cmd("RPUSH").arg("next").arg("y")).await.expect("pushed");
    assert!(end(next, Duration::from_secs(2)).await.expect("the next in line").is_some());
    eventually_blocked(&lab, 0, 3).await;
    // There is no room for one more, and waiting for it ends although the command itself has no deadline.
    let error = end(pop(&client, "none"), Duration::from_secs(6)).await.expect_err("no room");
    assert!(error.to_string().contains("max_exclusive_connections"), "{error}");
    assert!(!error.may_have_executed() && error.is_retryable() && error.node().is_some(), "{error}");
    assert!(started.elapsed() >= Duration::from_secs(3), "{error}");
    assert_eq!(info(&lab, 0, "clients", "connected_clients").await, before + 3);

    // An operator's UNBLOCK is an error for the caller.
    let list = lab.command(0, &["CLIENT", "LIST"]).await.expect("a list");
    let blocked = list.as_str().expect("text").lines().find(|line| line.contains("cmd=blpop")).expect("one");
    let id = blocked.split_whitespace().find_map(|field| field.strip_prefix("id=")).expect("an id");
    lab.command(0, &["CLIENT", "UNBLOCK", id, "ERROR"]).await.expect("unblocked");
    eventually_blocked(&lab, 0, 2).await;
    let ended = waiting.iter().chain([&last]).filter(|call| call.is_finished()).count();
    assert_eq!(ended, 1, "the operator ended one of them");

    waiting.iter().chain([&last]).for_each(JoinHandle::abort);
    let gone = || async { info(&lab, 0, "clients", "connected_clients").await == before };
    eventually("idle connections are closed", Duration::from_secs(5), gone).await;
}

/// Each blocking caller dialled for itself, as fast as it could: 1,756 times a second.
#[tokio::test]
async fn a_node_that_resets_connections_is_dialled_at_a_lanes_pace() {
    let lab = proxied_server().await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect("OK");
    lab.proxy(0).set(Fault::Reset);
    let before = lab.proxy(0).traffic().accepted;
    let callers: Vec<_> = (0..50).map(|_| pop(&client, "queue")).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let dials = lab.proxy(0).traffic().accepted - before;
    // One each at most before it is known that the node is in trouble.
    assert!(dials <= 50 + 60, "{dials} dials in 2 s");
    lab.proxy(0).pass();
    eventually_blocked(&lab, 0, 50).await;
    callers.iter().for_each(JoinHandle::abort);
}

async fn replicated() -> Lab {
    let lab = Lab::builder(LabProfile::Plain).node_timeout(Duration::from_secs(1));
    lab.start().await.expect("the lab starts")
}

/// The node that serves a key, as the client sees it.
fn node_of(client: &Client, lab: &Lab, key: &str) -> Option<usize> {
    let map = client.topology();
    let primary = map.shard(Slot::of_key(key.as_bytes()))?.primary();
    let port = map.nodes().get(primary.index())?.endpoint.port();
    lab.nodes().iter().position(|node| node.announced().1 == port)
}

/// `BLPOP 0` on a primary that froze was still pending long after its replica had taken over.
#[tokio::test]
async fn a_wait_ends_when_its_frozen_node_loses_the_slot() {
    let lab = replicated().await;
    let quick = config(&lab).stall_timeout(Duration::from_millis(500)).keepalive(Duration::from_millis(300));
    let client = Client::connect(&quick).await.expect("connected");
    let key = key_of(0);
    let (popping, reading) = (pop(&client, &key), client.clone());
    let stream = format!("{{{key}}}:stream");
    let reading = tokio::spawn(async move {
        let read = cmd("XREAD").arg("BLOCK").arg(0).arg("STREAMS").arg(&stream).arg(0);
        reading.execute::<truename::Reply>(read).await
    });
    eventually_blocked(&lab, 0, 2).await;
    lab.node(0).stop();
    let error = end(popping, Duration::from_secs(20)).await.expect_err("nobody pushes there any more");
    assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
    assert!(error.to_string().contains("slot moved"), "{error}");
    // What changes nothing goes on waiting, where the slot is now.
    let owner = node_of(&client, &lab, &key).expect("an owner");
    assert_ne!(owner, 0);
    eventually_blocked(&lab, owner, 1).await;
    let added = cmd("XADD").arg(format!("{{{key}}}:stream")).arg("*").arg("f").arg("v");
    client.execute::<String>(added).await.expect("added");
    end(reading, Duration::from_secs(5)).await.expect("read");
    lab.node(0).cont();
}

/// A demoted primary tells its blocked clients that they were unblocked and nothing was popped: callers got that as an error.
#[tokio::test]
async fn a_wait_goes_on_at_the_new_primary_when_the_old_one_says_that_nothing_was_popped() {
    let lab = replicated().await;
    // The topology is news before the connection to the frozen node is given up.
    let patient = config(&lab)
        .stall_timeout(Duration::from_secs(20))
        .keepalive(Duration::from_secs(30))
        .refresh_interval(Duration::from_millis(300));
    let client = Client::connect(&patient).await.expect("connected");
    let [frozen, demoted] = [key_of(0), key_of(1)];
    assert_eq!((shard_of(&frozen), shard_of(&demoted)), (0, 1));
    let waiting = [pop(&client, &frozen), pop(&client, &demoted)];
    eventually_blocked(&lab, 0, 1).await;
    eventually_blocked(&lab, 1, 1).await;
    let replicas = lab.replicas();
    let replica = replicas.iter().find(|node| node.shard == 1).expect("a replica");
    lab.failover(replica.index).await.expect("failed over");
    lab.node(0).stop();
    let moved = || async { node_of(&client, &lab, &frozen).is_some_and(|owner| owner != 0) };
    eventually("the client sees the new primary", Duration::from_secs(20), moved).await;
    lab.node(0).cont();
    for (call, key) in waiting.into_iter().zip([frozen, demoted]) {
        assert!(!call.is_finished(), "the wait goes on");
        client.execute::<i64>(cmd("RPUSH").arg(&key).arg("item")).await.expect("pushed");
        let popped = end(call, Duration::from_secs(10)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(popped, Some((key, "item".to_owned())));
    }
}

/// Ids start anew when a server restarts: `CLIENT UNBLOCK` of an id that is another connection's by then ended a stranger's
/// wait, and was taken for proof that nothing was popped on ours.
#[tokio::test]
async fn only_the_own_connection_is_unblocked() {
    for (address, is_ours) in [("127.0.0.1:5", true), ("127.0.0.1:6", false)] {
        let unblocked = Arc::new(AtomicBool::new(false));
        let new = Scripted::listen("127.0.0.1:0", |words| match words[0].as_str() {
            "BLPOP" => Some(format!("*2\r\n{}{}", bulk(&words[1]), bulk("item"))),
            _ => Some(node(words, "new", &slots(&[]))),
        })
        .await;
        let seen = unblocked.clone();
        let old = Scripted::listen("127.0.0.1:0", |_| None).await;
        let answer =
            move |words: &[String], map: &str| match (words[0].as_str(), words.get(1).map(String::as_str)) {
                ("BLPOP", _) => Some(String::new()),
                ("CLIENT", Some("LIST")) => Some(bulk(&format!("id=7 addr={address} cmd=blpop"))),
                ("CLIENT", Some("UNBLOCK")) => {
                    seen.store(true, Ordering::SeqCst);
                    Some(":1\r\n".to_owned())
                }
                _ => Some(node(words, "old", map)),
            };
        let (before, answer_before) = (slots(&[(0, 16_383, old.address, "old")]), answer.clone());
        old.becomes(move |words| answer_before(words, &before));
        let config = Config::new().seed("127.0.0.1", old.address.port()).plaintext();
        let config =
            config.refresh_interval(Duration::from_millis(100)).stall_timeout(Duration::from_secs(1));
        let client = Client::connect(&config).await.expect("connected");
        let popping = pop(&client, "queue");
        let waits = || async { !old.times("BLPOP").is_empty() };
        eventually("it waits", Duration::from_secs(5), waits).await;
        let after = slots(&[(0, 16_383, new.address, "new")]);
        old.becomes(move |words| answer(words, &after));
        let popped = end(popping, Duration::from_secs(5)).await;
        assert_eq!(unblocked.load(Ordering::SeqCst), is_ours);
        match popped {
            Ok(popped) => assert_eq!((popped.expect("an item").1.as_str(), is_ours), ("item", true)),
            Err(error) => assert!(error.may_have_executed() && !is_ours, "{error}"),
        }
    }
}

/// A place that became free was given to the next in line, polled or not: all others failed after 5 s because all were in
/// use.
#[tokio::test]
async fn a_call_that_is_not_polled_takes_no_connection_from_others() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab).max_exclusive_connections(1)).await.expect("connected");
    let mut calls = [(); 2].map(|()| Box::pin(client.execute(cmd("BLPOP").arg("queue").arg("0.2"))));
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none(), "nobody pushes");
    }
    let [first, sleeper] = calls;
    let client = client.clone();
    let third = tokio::spawn(async move { client.execute(cmd("BLPOP").arg("queue").arg("0.2")).await });
    let popped: Popped = first.await;
    assert_eq!(popped.expect("nothing"), None);
    let popped: Popped = end(third, Duration::from_secs(2)).await;
    assert_eq!(popped.expect("nothing"), None);
    let popped: Popped = sleeper.await;
    assert_eq!(popped.expect("when it is polled"), None);
}
