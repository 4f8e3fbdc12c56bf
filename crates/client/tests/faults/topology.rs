//! The cluster itself changes or refuses: failovers, nodes that leave and come, refusals of every kind, and holes.
//! Slots that move are in `slots.rs`, other clusters at known addresses in `strangers.rs`.

use std::time::Duration;

use crate::measure::in_company;
use crate::measure::process::open_sockets;
use crate::measure::split_keys;
use crate::support::history::History;
use crate::support::{config, connect, eventually, key_of, proxied_lab, proxied_server, spread_keys, tell};
use tokio::time::{Instant, sleep};
use truename::topology::Slot;
use truename::{Client, Config, Error, Event, Notice, cmd};
use truename_lab::{FailoverKind, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

fn hasty(lab: &Lab) -> Config {
    config(lab).command_timeout(2 * SECOND).stall_timeout(SECOND).node_connect_timeout(SECOND)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_failovers_by_command_cost_no_call() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Azure).node_timeout(SECOND).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let history = History::start(&client, spread_keys("failover", 24));
    history.healthy_for(300, 5 * SECOND).await;
    for round in 0..6 {
        let (shard, back) = (round % 3, round / 3 == 1);
        lab.failover(if back { shard } else { shard + 3 }).await.expect("handed over");
        lab.wait_ready().await.expect("the others follow");
    }
    history.healthy_for(300, 5 * SECOND).await;
    let outcome = history.finish().await;
    eprintln!("F6: {}", outcome.summary());
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_forced_failovers_cost_at_most_what_was_under_way() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Azure).node_timeout(SECOND).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let history = History::start(&client, spread_keys("forced", 24));
    history.healthy_for(300, 5 * SECOND).await;
    for (replica, kind) in [(3, FailoverKind::Force), (4, FailoverKind::Takeover)] {
        lab.failover_as(replica, kind).await.expect("taken over");
        lab.wait_ready().await.expect("the others follow");
    }
    history.healthy_for(300, 5 * SECOND).await;
    let outcome = history.finish().await;
    eprintln!("F6 forced: {}", outcome.summary());
    // Nobody waited for the replica.
    outcome.assert_sound_but_for_losses();
    assert!(outcome.failed <= 48, "{outcome:?}");
}

/// The slots of a lab's shard of three, as the arguments of `ADDSLOTSRANGE`.
fn range(shard: usize) -> (String, String) {
    let first = |shard: usize| shard * Slot::COUNT / 3;
    (first(shard).to_string(), (first(shard + 1) - 1).to_string())
}

/// Waits until all `nodes` see that every slot is served.
async fn settle(lab: &Lab, nodes: &[usize]) {
    let covered = || async {
        for node in nodes {
            let info = lab.command(*node, &["CLUSTER", "INFO"]).await.expect("an answer");
            let text = info.as_str().unwrap_or_default().to_owned();
            if !text.contains("cluster_state:ok") || !text.contains("cluster_slots_assigned:16384") {
                return false;
            }
        }
        true
    };
    eventually("all slots are served", 15 * SECOND, covered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_a_node_that_left_is_let_go_and_found_again_when_it_returns() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = Client::connect(&hasty(&lab).refresh_interval(SECOND)).await.expect("connected");
    let key = key_of(2);
    client.execute::<()>(cmd("SET").arg(&key).arg("before")).await.expect("OK");
    let sockets = open_sockets();
    let (first, last) = range(2);
    for node in 0..3 {
        tell(&lab, node, &["CLUSTER", "DELSLOTSRANGE", &first, &last]).await;
    }
    tell(&lab, 0, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
    tell(&lab, 0, &["CLUSTER", "BUMPEPOCH"]).await;
    for node in [0, 1] {
        tell(&lab, node, &["CLUSTER", "FORGET", &lab.node(2).id]).await;
    }
    tell(&lab, 2, &["FLUSHALL"]).await;
    tell(&lab, 2, &["CLUSTER", "RESET", "HARD"]).await;
    settle(&lab, &[0, 1]).await;

    // The removed node now knows no slot and nobody; it is one of the seeds, and asked like the others.
    let two = || async { client.nodes().len() == 2 };
    eventually("the client knows two nodes", 5 * SECOND, two).await;
    client.execute::<()>(cmd("SET").arg(&key).arg("after")).await.expect("served by node 0");
    assert_eq!(tell(&lab, 0, &["GET", &key]).await.as_str(), Some("after"));
    eventually("it is dropped", 5 * SECOND, || async { lab.proxy(2).traffic().open == 0 }).await;
    let watched = Instant::now();
    while watched.elapsed() < 3 * SECOND {
        assert_eq!(client.nodes().len(), 2, "the view of a node that left was adopted");
        sleep(TICK / 5).await;
    }

    let ip = lab.node(0).address.to_string();
    tell(&lab, 2, &["CLUSTER", "MEET", &ip, &lab.node(0).port.to_string()]).await;
    let known = || async {
        let info = lab.command(2, &["CLUSTER", "INFO"]).await.expect("an answer");
        info.as_str().is_some_and(|text| text.contains("cluster_known_nodes:3"))
    };
    eventually("the node is back among them", 10 * SECOND, known).await;
    for node in [0, 1] {
        tell(&lab, node, &["CLUSTER", "DELSLOTSRANGE", &first, &last]).await;
    }
    // It may have heard of an owner meanwhile.
    lab.command(2, &["CLUSTER", "DELSLOTSRANGE", &first, &last]).await.expect("an answer");
    eventually("the slots are taken", 5 * SECOND, || async {
        let taken = lab.command(2, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await.expect("an answer");
        taken.as_error().is_none()
    })
    .await;
    tell(&lab, 2, &["CLUSTER", "BUMPEPOCH"]).await;
    settle(&lab, &[0, 1, 2]).await;
    let three = || async { client.nodes().len() == 3 };
    eventually("the client knows three nodes", 5 * SECOND, three).await;
    let works = || async { client.execute::<()>(cmd("SET").arg(&key).arg("again")).await.is_ok() };
    eventually("it is served by the node that came", 5 * SECOND, works).await;
    assert_eq!(tell(&lab, 2, &["GET", &key]).await.as_str(), Some("again"));
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets }).await;
}

#[tokio::test]
async fn f14_refusals_that_pass_are_waited_for() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("k").arg("v")).await.expect("OK");
    tell(&lab, 0, &["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    // A replica of nobody: READONLY to writes and MASTERDOWN to reads, until it is a primary again.
    for command in [cmd("SET").arg("k").arg("w"), cmd("INCR").arg("n"), cmd("GET").arg("k")] {
        tell(&lab, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
        let promote = async {
            sleep(TICK).await;
            tell(&lab, 0, &["REPLICAOF", "NO", "ONE"]).await;
        };
        let started = Instant::now();
        let (reply, _) = tokio::join!(client.execute::<truename::Reply>(command.clone()), promote);
        reply.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(started.elapsed() >= TICK && started.elapsed() <= 4 * TICK, "{:?}", started.elapsed());
    }
    assert_eq!(tell(&lab, 0, &["GET", "n"]).await.as_str(), Some("1"));
    tell(&lab, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = client.execute::<()>(cmd("INCR").arg("n").timeout(SECOND / 2)).await.expect_err("read only");
    assert!(!error.may_have_executed() && error.to_string().contains("READONLY"), "{error}");
}

#[tokio::test]
async fn f14_loading_is_waited_for() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    for n in 0..2000 {
        client.execute::<()>(cmd("SET").arg(format!("k{n}")).arg(n)).await.expect("OK");
    }
    // At least half a millisecond for each of 2000 keys (a busy machine sleeps longer, so the call has time), and a
    // look at the clients every kilobyte.
    for (name, value) in [("key-load-delay", "500"), ("loading-process-events-interval-bytes", "1024")] {
        tell(&lab, 0, &["CONFIG", "SET", name, value]).await;
    }
    let reload = lab.command(0, &["DEBUG", "RELOAD"]);
    let reads = async {
        sleep(TICK).await;
        let started = Instant::now();
        let value = client.execute::<i64>(cmd("GET").arg("k7").timeout(30 * SECOND)).await;
        (value, started.elapsed())
    };
    let (reloaded, (value, waited)) = tokio::join!(reload, reads);
    reloaded.expect("reloaded");
    assert_eq!(value.expect("loaded"), 7);
    eprintln!("F14: waited {waited:?} for the server to load");
    assert!(waited >= TICK, "{waited:?}");
}

#[tokio::test]
async fn f14_refusals_that_stay_are_told_as_they_are() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let set = || client.execute::<()>(cmd("SET").arg("k").arg("v"));
    let rows = [
        ("OOM", ["maxmemory", "1"], ["maxmemory", "0"]),
        ("NOREPLICAS", ["min-replicas-to-write", "1"], ["min-replicas-to-write", "0"]),
    ];
    for (code, on, off) in rows {
        tell(&lab, 0, &["CONFIG", "SET", on[0], on[1]]).await;
        match set().await {
            Err(Error::Server(error)) => assert_eq!(error.code(), code),
            other => panic!("{code}: {other:?}"),
        }
        tell(&lab, 0, &["CONFIG", "SET", off[0], off[1]]).await;
        set().await.expect("allowed again");
    }
    // A script that never ends keeps its connection, and the others are told after a moment.
    tell(&lab, 0, &["CONFIG", "SET", "busy-reply-threshold", "100"]).await;
    let busy = lab.command(0, &["EVAL", "while true do end", "0"]);
    let calls = async {
        sleep(TICK).await;
        match set().await {
            Err(Error::Server(error)) => assert_eq!(error.code(), "BUSY"),
            other => panic!("BUSY: {other:?}"),
        }
        client.execute::<()>(cmd("SCRIPT").arg("KILL").route_to_any()).await.expect("killed");
    };
    let (busy, ()) = tokio::join!(busy, calls);
    assert!(busy.is_ok_and(|reply| reply.as_error().is_some()), "the script was killed");
    set().await.expect("allowed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_a_server_that_cannot_save_refuses_writes_alone_and_at_once() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let key = key_of(1);
    client.execute::<()>(cmd("SET").arg(&key).arg("before")).await.expect("OK");
    let mut events = client.events();
    // A directory where the file belongs stops even root; the schedule is what makes servers refuse.
    let obstacle = lab.dir().join("node-0-1/dump.rdb");
    std::fs::create_dir(&obstacle).expect("a directory");
    for (name, value) in [("stop-writes-on-bgsave-error", "yes"), ("save", "3600 1000000")] {
        tell(&lab, 1, &["CONFIG", "SET", name, value]).await;
    }
    let saved = async |status: &str| {
        tell(&lab, 1, &["BGSAVE"]).await;
        eventually(status, 5 * SECOND, || async {
            let persistence = tell(&lab, 1, &["INFO", "persistence"]).await;
            let text = persistence.as_str().expect("text");
            text.contains("rdb_bgsave_in_progress:0") && text.contains(status)
        })
        .await;
    };
    saved("rdb_last_bgsave_status:err").await;

    let (_, healthy) = split_keys("healthy", 12, 1);
    let history = History::start(&client, healthy);
    for command in [cmd("SET").arg(&key).arg("refused"), cmd("INCR").arg(format!("{{{key}}}counter"))] {
        let started = Instant::now();
        match client.execute::<truename::Reply>(command.clone()).await {
            Err(Error::Server(error)) => {
                assert_eq!((error.code(), error.attempts), ("MISCONF", 1), "{error}");
                assert!(error.to_string().contains("unable to persist to disk"), "{error}");
                assert_eq!(error.node.port(), lab.node(1).port);
                assert_eq!(error.slot, Some(Slot::of_key(key.as_bytes())));
            }
            other => panic!("{command:?}: {other:?}"),
        }
        assert!(started.elapsed() < TICK, "waited {:?} for what does not pass", started.elapsed());
    }
    assert_eq!(client.execute::<String>(cmd("GET").arg(&key)).await.expect("reads go on"), "before");
    history.healthy_for(300, 5 * SECOND).await;
    let outcome = history.finish().await;
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "other shards: {:?}", outcome.failures);

    std::fs::remove_dir(&obstacle).expect("removed");
    saved("rdb_last_bgsave_status:ok").await;
    client.execute::<()>(cmd("SET").arg(&key).arg("after")).await.expect("allowed again");
    assert_eq!(
        client.execute::<i64>(cmd("INCR").arg(format!("{{{key}}}counter"))).await.expect("a number"),
        1
    );
    while let Ok(Some(notice)) = tokio::time::timeout(TICK / 10, events.next()).await {
        let is_loss = matches!(notice, Notice::Event(Event::Disconnected { .. }));
        assert!(!is_loss, "a connection was given up: {notice:?}");
    }
}

/// Takes a slot from everybody, looks, and gives it back.
async fn hole(full_coverage: &str) -> (Client, Lab, String) {
    let lab = Lab::builder(LabProfile::Plain)
        .replicas(0)
        .server_arg("cluster-require-full-coverage", full_coverage);
    let lab = lab.start().await.expect("the lab starts");
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let key = key_of(1);
    let slot = Slot::of_key(key.as_bytes()).value().to_string();
    for node in 0..3 {
        tell(&lab, node, &["CLUSTER", "DELSLOTS", &slot]).await;
    }
    (client, lab, key)
}

/// It is known that the command was not executed, unless the call's time was over while an attempt was under way, which happens
/// where the machine is slow.
fn is_known_or_under_way(error: &Error) -> bool {
    !error.may_have_executed() || matches!(error, Error::Timeout(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_hole_costs_its_own_slot_only() {
    let _company = in_company().await;
    let (client, lab, key) = hole("no").await;
    let slot = Slot::of_key(key.as_bytes());
    let set = |key: String| client.execute::<()>(cmd("SET").arg(key).arg(1).timeout(SECOND / 2));
    let started = Instant::now();
    let error = set(key.clone()).await.expect_err("nobody serves it");
    assert!(started.elapsed() <= SECOND / 2 + TICK && is_known_or_under_way(&error), "{error}");
    assert_eq!(error.slot(), Some(slot));
    for key in spread_keys("hole", 24).into_iter().filter(|key| Slot::of_key(key.as_bytes()) != slot) {
        set(key).await.expect("served");
    }
    tell(&lab, 1, &["CLUSTER", "ADDSLOTS", &slot.value().to_string()]).await;
    settle(&lab, &[0, 1, 2]).await;
    let started = Instant::now();
    // Refreshes that changed nothing pause for up to two seconds.
    eventually("the slot is served", 3 * SECOND, || async { set(key.clone()).await.is_ok() }).await;
    eprintln!("F15: served {:?} after the hole was closed", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_cluster_that_is_down_is_used_again_when_it_is_up() {
    let _company = in_company().await;
    let (client, lab, key) = hole("yes").await;
    let slot = Slot::of_key(key.as_bytes()).value();
    let set = |key: String| client.execute::<()>(cmd("SET").arg(key).arg(1).timeout(SECOND / 2));
    for shard in 0..3 {
        let down = || async { set(key_of(shard)).await.is_err() };
        eventually("the servers stop serving", 5 * SECOND, down).await;
        let error = set(key_of(shard)).await.expect_err("down");
        assert!(is_known_or_under_way(&error), "{error}");
    }
    tell(&lab, 1, &["CLUSTER", "ADDSLOTS", &slot.to_string()]).await;
    settle(&lab, &[0, 1, 2]).await;
    let started = Instant::now();
    for shard in 0..3 {
        eventually("served again", 2 * SECOND, || async { set(key_of(shard)).await.is_ok() }).await;
    }
    eprintln!("F15: served {:?} after the cluster was up", started.elapsed());
    assert!(started.elapsed() <= SECOND, "{:?}", started.elapsed());
}
