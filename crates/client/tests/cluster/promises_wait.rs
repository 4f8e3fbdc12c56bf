//! Batches that end with `WAIT`: it counts the replicas that have the writes of its own connection, so these go there, too.

use std::time::Duration;

use crate::support::info::{all_command_counts, all_executions, executions, info};
use crate::support::{config, connect, eventually, key_of, keys_of, lab, one_node, refusal, tell};
use tokio::time::{Instant, sleep, timeout};
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Client, Command, Error, Reply, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

fn wait<'a>(replicas: u32, millis: u32) -> Command<'a> {
    cmd("WAIT").arg(replicas).arg(millis)
}

fn set(key: &str) -> Command<'_> {
    cmd("SET").arg(key).arg(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_ends_with_wait_counts_replicas() {
    let lab =
        Lab::builder(LabProfile::Azure).replicas(1).node_timeout(SECOND).start().await.expect("the lab");
    // The wait has no room while the writes are under way.
    let few = config(&lab).max_exclusive_connections(1).max_in_flight(2);
    let client = Client::connect(&few).await.expect("connected");
    // Several slots of one node; others use the client meanwhile.
    let [first, second]: [String; 2] = keys_of(0, "key").take(2).collect::<Vec<_>>().try_into().expect("two");
    for round in 1..=3u64 {
        let batch = client.batch().with(set(&first)).with(cmd("RPUSH").arg(&first).arg(1)).with(set(&second));
        let outcomes = batch.with(wait(1, 5000)).execute::<Reply>().await;
        assert_eq!(outcomes.len(), 4, "{outcomes:?}");
        assert!(
            matches!(&outcomes[1], Err(Error::Server(error)) if error.code() == "WRONGTYPE"),
            "{outcomes:?}"
        );
        assert_eq!(outcomes[3].as_ref().expect("a count").as_integer(), Some(1));
        assert_eq!(executions(&lab, 0, "wait").await, round);
    }
    let batch = client.batch().with(set(&first)).with(cmd("GET").arg(&first)).with(wait(1, 5000)).atomic();
    let (ok, one, replicas): (String, u64, u64) = batch.all().await.expect("all values");
    assert_eq!((ok.as_str(), one, replicas), ("OK", 1, 1));
    assert_eq!(executions(&lab, 0, "exec").await, 2, "and the question whether it takes transactions");
    // Nobody confirms: the time that it has on the server is not that of the call.
    lab.replicas().iter().for_each(|replica| replica.stop());
    let quick = config(&lab).command_timeout(SECOND);
    let quick = Client::connect(&quick).await.expect("connected");
    let started = Instant::now();
    let (_, none): (String, u64) =
        quick.batch().with(set(&first)).with(wait(1, 1500)).all().await.expect("both");
    assert!(none == 0 && started.elapsed() >= Duration::from_millis(1500), "{none} {:?}", started.elapsed());
    let late = quick.batch().with(set(&first)).with(wait(1, 0)).timeout(SECOND).execute::<Reply>().await;
    lab.replicas().iter().for_each(|replica| replica.cont());
    assert_eq!(late[0].as_ref().expect("it was executed").as_str(), Some("OK"));
    assert!(
        matches!(&late[1], Err(Error::Timeout(error)) if error.execution.may_have_happened()),
        "{late:?}"
    );
    let quiet = || async { info(&lab, 0, "clients", "blocked_clients").await == 0 };
    eventually("nobody waits any more", 5 * SECOND, quiet).await;
}

/// A wait without end gave the search for a connection no end either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_wait_does_not_wait_for_a_connection_without_end() {
    let lab = lab(LabProfile::Plain).await;
    let few = config(&lab).max_exclusive_connections(1).command_timeout(SECOND);
    let client = Client::connect(&few).await.expect("connected");
    let key = key_of(0);
    let pops = client.clone();
    let list = format!("{{{key}}}list");
    let popping = cmd("BLPOP").arg(&list).arg(0).into_owned();
    let popping = tokio::spawn(async move { pops.run(popping).await });
    let waits = || async { info(&lab, 0, "clients", "blocked_clients").await == 1 };
    eventually("the only connection is in use", 5 * SECOND, waits).await;
    let batch = client.batch().with(set(&key)).with(wait(1, 0)).execute::<Reply>();
    let mut outcomes = timeout(5 * SECOND, batch).await.expect("it ends");
    let refused = refusal(outcomes.swap_remove(0).expect_err("there is no room"));
    assert!(matches!(refused, RouteError::NoExclusiveConnection { limit: 1, .. }), "{refused}");
    assert_eq!(all_executions(&lab, "set").await, 0);
    client.run(cmd("RPUSH").arg(&list).arg(1)).await.expect("pushed");
    popping.await.expect("it ran").expect("it ended");
}

/// `WAITAOF` came with Redis 7.2.
#[tokio::test]
async fn waitaof_is_sent_likewise() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab");
    let client = connect(&lab).await;
    let batch = client.batch().with(set("k")).with(cmd("WAITAOF").arg(0).arg(0).arg(1000));
    match &batch.execute::<Reply>().await[..] {
        [Ok(_), Ok(Reply::Array(counts))] => assert_eq!(counts.len(), 2),
        [Ok(_), Err(Error::Server(error))] => {
            assert!(error.to_string().contains("unknown command"), "{error}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_goes_to_several_nodes_is_not_sent_before_wait() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let [here, there] = [key_of(0), key_of(1)];
    let node = client.nodes()[0].node.clone();
    let refused = async |batch: truename::Batch<'_>| {
        let mut outcomes = batch.execute::<Reply>().await;
        refusal(outcomes.swap_remove(0).expect_err("nothing is sent"))
    };
    let two = || client.batch().with(set(&here)).with(set(&there)).with(wait(1, 10));
    let RouteError::NotOneNode { command, keys } = refused(two()).await else { panic!("another error") };
    assert_eq!(
        (command.as_str(), keys[0].0.as_ref(), keys[1].0.as_ref()),
        ("WAIT", here.as_bytes(), there.as_bytes())
    );
    assert!(matches!(refused(two().atomic()).await, RouteError::CrossSlot { .. }));
    for command in [cmd("BLPOP").arg(&here).arg(1), cmd("PING").route_to(&node)] {
        let batch = client.batch().with(set(&here)).with(command).with(wait(1, 10));
        assert!(matches!(refused(batch).await, RouteError::NotConfirmed { .. }));
    }
    let batch = client.batch().with(cmd("PING")).with(wait(1, 10));
    assert!(matches!(refused(batch).await, RouteError::NotConfirmed { .. }));
    // It sends all at once, which is not what an ordered one says.
    let ordered = client.batch().with(set(&here)).with(wait(1, 10)).ordered();
    assert!(matches!(refused(ordered).await, RouteError::NotConfirmed { .. }));
    assert_eq!(all_executions(&lab, "set").await, 0);
    // Anywhere else it is refused, and the others are not.
    let outcomes = client.batch().with(wait(1, 10)).with(set(&here)).execute::<Reply>().await;
    assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
    assert_eq!(all_executions(&lab, "wait").await, 0);
}

/// Every refusal said that a plain call cannot run it, which the caller knew: it was in a batch.
#[tokio::test]
async fn a_refused_wait_names_the_rule_that_is_broken() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let [here, there] = [key_of(0), key_of(1)];
    let both = || cmd("MSET").arg(&here).arg(1).arg(&there).arg(1);
    let alone = || client.batch().with(wait(1, 10));
    for (batch, rule, is_all) in [
        (alone(), "alone in its batch", true),
        (alone().atomic(), "alone in its batch", true),
        (alone().with(set(&here)), "not the last command", false),
        (alone().with(set(&here)).ordered(), "not the last command", false),
        (alone().with(set(&here)).atomic(), "not the last command", true),
        (alone().with(wait(1, 10)), "not the last command", true),
        (client.batch().with(cmd("PING")).with(wait(1, 10)), "no write before it; nothing was sent", true),
        (
            client.batch().with(both()).with(wait(1, 10)),
            "MSET before it has keys of several slots, and is sent in parts; nothing was sent",
            true,
        ),
        (
            client.batch().with(both()).with(wait(1, 10)).atomic(),
            "MSET before it has keys of several slots",
            true,
        ),
        (
            client.batch().with(cmd("DBSIZE")).with(wait(1, 10)),
            "DBSIZE before it concerns several nodes",
            true,
        ),
        (client.batch().with(set(&here)).with(wait(1, 10)).ordered(), "the batch is ordered", true),
    ] {
        let mut outcomes = batch.execute::<Reply>().await.into_iter();
        let error = refusal(outcomes.next().expect("one").expect_err("it is refused"));
        assert!(matches!(error, RouteError::NotConfirmed { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("WAIT waits for the writes") && text.contains(rule), "{text}");
        assert!(text.contains("Client::batch") && text.contains("Client::dedicated"), "{text}");
        assert!(outcomes.all(|outcome| outcome.is_err() == is_all), "{text}");
    }
    assert_eq!((all_executions(&lab, "wait").await, all_executions(&lab, "mset").await), (0, 0));
}

/// All of it follows its slot, and only as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_wait_follows_its_slot_as_a_whole() {
    let lab =
        Lab::builder(LabProfile::Plain).replicas(1).node_timeout(SECOND).start().await.expect("the lab");
    let client = connect(&lab).await;
    let (key, slot) = (key_of(0), Slot::of_key(key_of(0).as_bytes()).value());
    for is_atomic in [false, true] {
        let batch = || {
            let batch =
                client.batch().with(cmd("INCR").arg(&key)).with(cmd("INCR").arg(&key)).with(wait(1, 5000));
            if is_atomic { batch.atomic() } else { batch }
        };
        client.run(cmd("SET").arg(&key).arg(0)).await.expect("OK");
        for (step, from, to) in [(2, 0, 1), (4, 1, 0)] {
            lab.migrate_slots(&[slot], from, to).await.expect("moved");
            let counts: (u64, u64, u64) = batch().all().await.expect("executed at the new owner");
            assert_eq!(counts, (step - 1, step, 1));
        }
        // The connections are gone: nothing was sent on them.
        tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        let counts: (u64, u64, u64) = batch().all().await.expect("executed");
        assert_eq!(counts, (5, 6, 1));
    }
}

/// What became of the writes was looked at only when `WAIT` had ended, which on a node without a replica it never did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_writes_do_not_wait() {
    let lab = Lab::builder(LabProfile::Plain).replicas(1).start().await.expect("the lab");
    let key = key_of(0);
    let slot = Slot::of_key(key.as_bytes()).value();
    lab.replicas().iter().find(|replica| replica.shard == 0).expect("a replica").kill();
    let alone = || async { info(&lab, 0, "replication", "connected_slaves").await == 0 };
    eventually("nobody confirms at the old owner", 10 * SECOND, alone).await;
    let mut executed = 0;
    for is_atomic in [false, true] {
        // A client may hear of the move before it is redirected.
        let mut was_redirected = false;
        for _ in 0..10 {
            let client = connect(&lab).await;
            lab.migrate_slots(&[slot], 0, 1).await.expect("moved");
            let before = all_command_counts(&lab, "incr", "rejected_calls").await;
            let batch = client.batch().with(cmd("INCR").arg(&key)).with(wait(1, 0));
            let batch = if is_atomic { batch.atomic() } else { batch };
            let counts = timeout(5 * SECOND, batch.all::<(u64, u64)>()).await.expect("it ends");
            executed += 1;
            assert_eq!(counts.expect("executed at the new owner"), (executed, 1));
            was_redirected = all_command_counts(&lab, "incr", "rejected_calls").await > before;
            lab.migrate_slots(&[slot], 1, 0).await.expect("moved back");
            if was_redirected {
                break;
            }
        }
        assert!(was_redirected, "of ten, none met a redirect");
    }
    let gone = || async { info(&lab, 0, "clients", "blocked_clients").await == 0 };
    eventually("nobody waits at the old owner any more", 5 * SECOND, gone).await;
}

/// `WAIT n 0` on a node that froze never ended, whoever had the slot by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_when_its_node_loses_the_slot() {
    let lab =
        Lab::builder(LabProfile::Plain).replicas(1).node_timeout(SECOND).start().await.expect("the lab");
    let quick = config(&lab).stall_timeout(SECOND / 2).keepalive(SECOND / 3);
    let client = Client::connect(&quick).await.expect("connected");
    let key = key_of(0);
    let waiting = tokio::spawn({
        let (client, key) = (client.clone(), key.clone());
        async move { client.batch().with(set(&key)).with(wait(3, 0)).execute::<Reply>().await }
    });
    let waits = || async { info(&lab, 0, "clients", "blocked_clients").await == 1 };
    eventually("it waits", 10 * SECOND, waits).await;
    // The count may be told in the very turn in which the write's reply is still to be sent.
    tell(&lab, 0, &["PING"]).await;
    lab.node(0).stop();
    let outcomes = timeout(20 * SECOND, waiting).await.expect("it ends").expect("no panic");
    assert_eq!(outcomes[0].as_ref().expect("it was executed").as_str(), Some("OK"));
    let error = outcomes[1].as_ref().expect_err("nobody confirms any more");
    assert!(matches!(error, Error::Interrupted(_)) && error.to_string().contains("slot moved"), "{error}");
    let (_, replicas): (String, u64) =
        client.batch().with(set(&key)).with(wait(0, 10)).all().await.expect("at the new owner");
    assert_eq!(replicas, 0);
    lab.node(0).cont();
}

/// How long `WAIT` may take was how long the server could be silent about the writes: too short for those that have a longer
/// time of their own, and for ever with `WAIT n 0`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_a_server_may_be_silent_is_what_the_writes_say() {
    let lab = one_node(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).stall_timeout(SECOND)).await.expect("connected");
    client.batch().with(set("k")).with(wait(0, 10)).all::<(String, u64)>().await.expect("connected");
    for is_atomic in [false, true] {
        let slow = client.batch().with(set("k").timeout(20 * SECOND)).with(wait(0, 100));
        let slow = if is_atomic { slow.atomic() } else { slow };
        lab.node(0).stop();
        let cont = async {
            sleep(5 * SECOND / 2).await;
            lab.node(0).cont();
        };
        let (outcomes, ()) = tokio::join!(slow.execute::<Reply>(), cont);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    lab.node(0).stop();
    let batch = client.batch().with(set("k")).with(wait(0, 0));
    let outcomes = timeout(10 * SECOND, batch.execute::<Reply>()).await;
    lab.node(0).cont();
    let outcomes = outcomes.expect("it ends");
    let error = outcomes[0].as_ref().expect_err("no answer");
    assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
}

/// A server that was demoted refuses writes and serves reads. The connection to it was used again by every later batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_a_server_that_was_demoted_is_not_used_again() {
    let server = || {
        let lab = Lab::builder(LabProfile::Plain).no_cluster().fault_proxies(true).password(Some("same"));
        async { lab.start().await.expect("the lab") }
    };
    let (old, new) = (server().await, server().await);
    let client = connect(&old).await;
    let batch =
        || client.batch().with(cmd("GET").arg("k")).with(set("k")).with(wait(0, 10)).execute::<Reply>();
    assert!(batch().await.iter().all(Result::is_ok));
    old.proxy(0).retarget(new.node(0).socket_addr());
    tell(&old, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let outcomes = batch().await;
    let is_refused = |outcome: &Result<_, Error>| matches!(outcome, Err(Error::Server(error)) if error.code() == "READONLY");
    assert!(outcomes[0].is_ok() && is_refused(&outcomes[1]), "{outcomes:?}");
    let outcomes = batch().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(executions(&new, 0, "set").await, 1);
    // Nothing but reads: only `WAIT` is refused.
    let reads = || client.batch().with(cmd("GET").arg("k")).with(wait(0, 10)).execute::<Reply>();
    old.proxy(0).retarget(old.node(0).socket_addr());
    tell(&new, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
    tell(&old, 0, &["REPLICAOF", "NO", "ONE"]).await;
    let outcomes = reads().await;
    assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{outcomes:?}");
    let outcomes = reads().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

/// `TRYAGAIN` in the servers' own words proves that a script did not run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_waits_while_its_keys_are_on_their_way() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let tag = key_of(0);
    let [here, there] = [format!("{{{tag}}}:1"), format!("{{{tag}}}:2")];
    let slot = Slot::of_key(tag.as_bytes()).value();
    client.batch().with(set(&here)).with(set(&there)).all::<()>().await.expect("OK");
    lab.begin_migration(slot, 0, 1).await.expect("begun");
    assert_eq!(lab.migrate_keys(slot, 0, 1, 1).await.expect("moved"), 1);
    let calling = tokio::spawn({
        let client = client.clone();
        async move {
            let script = cmd("EVAL").arg("return redis.call('EXISTS', KEYS[1], KEYS[2])").arg(2);
            client.batch().with(script.arg(&here).arg(&there)).with(wait(0, 10)).all::<(u64, u64)>().await
        }
    });
    let refused = || async { all_command_counts(&lab, "eval", "rejected_calls").await > 1 };
    eventually("it is refused", 5 * SECOND, refused).await;
    for node in [0, 1] {
        tell(&lab, node, &["CLUSTER", "SETSLOT", &slot.to_string(), "STABLE"]).await;
    }
    assert_eq!(calling.await.expect("no panic").expect("executed"), (1, 0));
}

/// A batch whose second slot had no owner dialled anew each time that it looked, and did not ask who has it by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_owner_asks_and_dials_nobody() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).server_arg("cluster-require-full-coverage", "no");
    let lab = lab.start().await.expect("the lab");
    let client = connect(&lab).await;
    let [here, lost]: [String; 2] = keys_of(0, "key").take(2).collect::<Vec<_>>().try_into().expect("two");
    let slot = Slot::of_key(lost.as_bytes());
    for node in 0..3 {
        tell(&lab, node, &["CLUSTER", "DELSLOTS", &slot.value().to_string()]).await;
    }
    client.run(set(&lost).timeout(SECOND / 5)).await.expect_err("nobody serves it");
    let unknown = || async { client.topology().primary(slot).is_none() };
    eventually("the slot has no owner", 10 * SECOND, unknown).await;
    let batch = |time| client.batch().with(set(&here)).with(set(&lost)).with(wait(0, 10)).timeout(time);
    let connections = || info(&lab, 0, "stats", "total_connections_received");
    let before = connections().await;
    let error = batch(SECOND).execute::<Reply>().await.swap_remove(0).expect_err("nobody serves it");
    assert!(matches!(refusal(error), RouteError::Unassigned { slot: unassigned } if unassigned == slot));
    let dialled = connections().await - before;
    assert!(dialled <= 3, "{dialled} connections");
    let waiting = batch(10 * SECOND).all::<()>();
    let number = slot.value().to_string();
    let give = ["CLUSTER", "ADDSLOTS", &number];
    let (values, _) = tokio::join!(waiting, tell(&lab, 0, &give));
    values.expect("served");
}
