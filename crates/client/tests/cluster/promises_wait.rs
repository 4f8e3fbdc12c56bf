//! Batches that end with `WAIT`: it counts the replicas that have the writes of its own connection, so these go there, too.

use std::time::Duration;

use crate::support::info::{all_executions, executions, info};
use crate::support::{config, connect, eventually, key_of, keys_of, lab, refusal, tell};
use tokio::time::Instant;
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
    let few = config(&lab).max_exclusive_connections(1);
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
    for kind in [false, true] {
        let batch = client.batch().with(set(&first)).with(cmd("GET").arg(&first)).with(wait(1, 5000));
        let batch = if kind { batch.atomic() } else { batch.ordered() };
        let (ok, one, replicas): (String, u64, u64) = batch.all().await.expect("all values");
        assert_eq!((ok.as_str(), one, replicas), ("OK", 1, 1));
    }
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
    let mut outcomes = tokio::time::timeout(5 * SECOND, batch).await.expect("it ends");
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
    // Alone, or anywhere else, it is refused, and the others are not.
    let alone = client.batch().with(wait(1, 10));
    assert!(matches!(refused(alone).await, RouteError::ConnectionState { .. }));
    assert_eq!(all_executions(&lab, "set").await, 0);
    let outcomes = client.batch().with(wait(1, 10)).with(set(&here)).execute::<Reply>().await;
    assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
    assert_eq!(all_executions(&lab, "wait").await, 0);
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
