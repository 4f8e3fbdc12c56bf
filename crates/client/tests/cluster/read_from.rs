//! Reading from replicas: which server executed the commands, as the servers count them. For all of a client's commands, and for
//! one.

use std::time::{Duration, Instant};

use crate::support::info::executions;
use crate::support::{config, eventually, spread_keys};
use truename::error::RouteError;
use truename::topology::{Role, Slot};
use truename::{Client, Error, ReadFrom, cmd};
use truename_lab::{Lab, LabProfile};

async fn replicated() -> Lab {
    Lab::builder(LabProfile::Azure)
        .node_timeout(Duration::from_secs(1))
        .start()
        .await
        .expect("the lab starts")
}

/// `GET`s executed by primaries and by replicas, as the lab started them.
async fn gets_by_role(lab: &Lab) -> (u64, u64) {
    let (mut primaries, mut replicas) = (0, 0);
    for node in lab.nodes().iter().filter(|node| node.is_running()) {
        let count = executions(lab, node.index, "get").await;
        if lab.primaries().iter().any(|primary| primary.index == node.index) {
            primaries += count
        } else {
            replicas += count
        }
    }
    (primaries, replicas)
}

async fn read_all(lab: &Lab, read_from: ReadFrom) -> Client {
    let replicas_too = read_from != ReadFrom::Primary;
    let client = Client::connect(&config(lab).read_from(read_from)).await.expect("connected");
    let is_wanted = |role: Role| replicas_too || role == Role::Primary;
    let up = || async { client.nodes().iter().all(|status| status.is_connected || !is_wanted(status.role)) };
    eventually("all nodes are connected", Duration::from_secs(5), up).await;
    let keys = spread_keys("read", 12);
    for key in &keys {
        client.execute::<()>(cmd("SET").arg(key).arg("value")).await.expect("OK");
    }
    for key in keys.iter().cycle().take(120) {
        let seen = || async {
            client.execute::<Option<String>>(cmd("GET").arg(key)).await.expect("a reply").is_some()
        };
        eventually("the write arrives", Duration::from_secs(5), seen).await;
    }
    client
}

#[tokio::test]
async fn reads_go_where_they_should() {
    let rows = [
        (ReadFrom::Primary, true, false),
        (ReadFrom::PreferReplica, false, true),
        (ReadFrom::Replica, false, true),
        // No server here reports its zone: a replica is next best.
        (ReadFrom::Zone("somewhere".into()), false, true),
    ];
    let lab = replicated().await;
    for (read_from, from_primaries, from_replicas) in rows {
        for node in lab.nodes() {
            lab.command(node.index, &["CONFIG", "RESETSTAT"]).await.expect("reset");
        }
        read_all(&lab, read_from.clone()).await;
        let (primaries, replicas) = gets_by_role(&lab).await;
        assert_eq!(
            (primaries > 0, replicas > 0),
            (from_primaries, from_replicas),
            "{read_from:?}: {primaries} {replicas}"
        );
    }
    read_all(&lab, ReadFrom::Nearest).await;
}

#[tokio::test]
async fn without_a_replica_the_primary_serves() {
    let lab = replicated().await;
    let client = read_all(&lab, ReadFrom::PreferReplica).await;
    for replica in lab.replicas() {
        replica.kill();
    }
    let gone = || async {
        client.nodes().iter().filter(|status| status.role == Role::Replica).all(|status| !status.is_connected)
    };
    eventually("the replicas are gone", Duration::from_secs(5), gone).await;
    for key in spread_keys("read", 12) {
        let value: Option<String> = client.execute(cmd("GET").arg(&key)).await.expect("the primary answers");
        assert_eq!(value.as_deref(), Some("value"));
    }
}

/// Redis Enterprise rejects `READONLY`. The reads waited until their deadlines, to be told that nobody served their slots.
#[tokio::test]
async fn reads_for_replicas_that_refuse_them_fail_with_the_reason() {
    let lab =
        Lab::builder(LabProfile::Azure).enterprise_commands(true).start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab).read_from(ReadFrom::PreferReplica)).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("k").arg("value")).await.expect("OK");
    assert_eq!(client.execute::<String>(cmd("GET").arg("k")).await.expect("from the primary"), "value");

    let client = Client::connect(&config(&lab).read_from(ReadFrom::Replica)).await.expect("connected");
    let up = || async { client.nodes().iter().all(|status| status.is_connected) };
    eventually("all nodes are connected", Duration::from_secs(5), up).await;
    client.execute::<()>(cmd("SET").arg("k").arg("new")).await.expect("writes go to the primary");
    let started = Instant::now();
    let error = client.execute::<String>(cmd("GET").arg("k")).await.expect_err("no replica may be read from");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let Error::Route(route) = &error else { panic!("{error:?}") };
    assert!(matches!(**route, RouteError::NoReplica { refusal: Some(_), .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("READONLY was refused: ") && text.contains("PreferReplica"), "{text}");
    assert!(!error.is_retryable() && !error.may_have_executed(), "{text}");
}

/// It was said that no node served the slot.
#[tokio::test]
async fn reads_for_replicas_that_are_gone_say_so() {
    let lab = Lab::builder(LabProfile::Azure).replicas(0).start().await.expect("the lab starts");
    let quick = config(&lab).read_from(ReadFrom::Replica).command_timeout(Duration::from_millis(300));
    let client = Client::connect(&quick).await.expect("connected");
    let error = client.execute::<Option<String>>(cmd("GET").arg("k")).await.expect_err("there is no replica");
    assert!(error.to_string().contains("no replica of slot") && error.is_retryable(), "{error}");
}

/// A key of each shard, written and there at its replica.
async fn written(client: &Client) -> Vec<String> {
    let keys = spread_keys("read", 12);
    for key in &keys {
        client.run(cmd("SET").arg(key).arg("value")).await.expect("OK");
    }
    for key in &keys {
        let read = || cmd("GET").arg(key).read_from(ReadFrom::Replica);
        let seen = || async { client.execute::<Option<String>>(read()).await.expect("a reply").is_some() };
        eventually("the write arrives", Duration::from_secs(5), seen).await;
    }
    keys
}

async fn reset(lab: &Lab) {
    for node in lab.nodes() {
        lab.command(node.index, &["CONFIG", "RESETSTAT"]).await.expect("reset");
    }
}

/// There was one preference for all commands of a client.
#[tokio::test]
async fn one_command_may_be_read_from_elsewhere() {
    let lab = replicated().await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let keys = written(&client).await;
    for (read_from, from_primaries, from_replicas) in [
        (None, true, false),
        (Some(ReadFrom::Primary), true, false),
        (Some(ReadFrom::Replica), false, true),
        (Some(ReadFrom::PreferReplica), false, true),
        (Some(ReadFrom::Zone("somewhere".into())), false, true),
    ] {
        reset(&lab).await;
        for key in &keys {
            let read = cmd("GET").arg(key);
            let read = match &read_from {
                Some(read_from) => read.read_from(read_from.clone()),
                None => read,
            };
            assert_eq!(client.execute::<String>(read.clone()).await.expect("a value"), "value");
            assert_eq!(client.execute_raw(read).await.expect("a value").as_bytes(), b"$5\r\nvalue\r\n");
        }
        let (primaries, replicas) = gets_by_role(&lab).await;
        assert_eq!((primaries > 0, replicas > 0), (from_primaries, from_replicas), "{read_from:?}");
    }
    // Its connections are as they were: a replica sends what it does not serve elsewhere.
    let nodes = client.nodes();
    let replica = nodes.iter().find(|status| status.role == Role::Replica).expect("a replica");
    for key in &keys {
        let read = cmd("GET").arg(key).route_to(&replica.node);
        let error = client.execute::<String>(read.clone()).await.expect_err("it belongs to a primary");
        assert!(error.to_string().contains("MOVED"), "{error}");
    }
    // Asked to read, it serves the keys of its shard.
    let mut served = 0;
    for key in &keys {
        let read = cmd("GET").arg(key).route_to(&replica.node).read_from(ReadFrom::Replica);
        served += usize::from(client.execute::<String>(read).await.is_ok());
    }
    assert!((1..keys.len()).contains(&served), "{served}");
}

#[tokio::test]
async fn one_command_may_be_read_from_the_primary() {
    let lab = replicated().await;
    let client = read_all(&lab, ReadFrom::PreferReplica).await;
    let keys = spread_keys("read", 12);
    for (read_from, from_primaries, from_replicas) in
        [(ReadFrom::Primary, true, false), (ReadFrom::PreferReplica, false, true)]
    {
        reset(&lab).await;
        for key in &keys {
            let read = cmd("GET").arg(key).read_from(read_from.clone());
            assert_eq!(client.execute::<String>(read).await.expect("a value"), "value");
        }
        let mut batch = client.batch();
        batch.extend(keys.iter().map(|key| cmd("GET").arg(key).read_from(read_from.clone())));
        assert!(batch.execute::<truename::Reply>().await.iter().all(Result::is_ok));
        let (primaries, replicas) = gets_by_role(&lab).await;
        assert_eq!((primaries > 0, replicas > 0), (from_primaries, from_replicas), "{read_from:?}");
    }
}

/// Such a batch was sorted again and again, without an end and without letting anybody else run.
#[tokio::test]
async fn writes_may_say_where_to_read_from_too() {
    let lab = replicated().await;
    let client = read_all(&lab, ReadFrom::PreferReplica).await;
    let keys = spread_keys("write", 12);
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg(1).read_from(ReadFrom::Primary)));
    batch.extend(keys.iter().map(|key| cmd("INCR").arg(key).route_to_primary(Slot::of_key(key.as_bytes()))));
    for outcome in batch.execute::<truename::Reply>().await {
        outcome.unwrap_or_else(|error| panic!("{error}"));
    }
    let pairs = keys.iter().flat_map(|key| [key.clone(), "3".to_owned()]);
    client.run(cmd("MSET").args(pairs).read_from(ReadFrom::Primary)).await.expect("OK");
    let read = cmd("MGET").args(&keys).read_from(ReadFrom::Primary);
    assert_eq!(client.execute::<Vec<u64>>(read).await.expect("values"), [3; 12]);
}

#[tokio::test]
async fn batches_and_commands_of_several_slots_are_read_from_where_they_say() {
    let lab = replicated().await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let keys = written(&client).await;
    reset(&lab).await;
    let mut batch = client.batch();
    batch.add(cmd("SET").arg("other").arg(1));
    batch.extend(keys.iter().map(|key| cmd("GET").arg(key).read_from(ReadFrom::Replica)));
    assert!(batch.execute::<truename::Reply>().await.iter().all(Result::is_ok));
    let mut ordered = client.batch();
    ordered.extend(keys.iter().map(|key| cmd("GET").arg(key).read_from(ReadFrom::Replica)));
    assert!(ordered.ordered().execute::<truename::Reply>().await.iter().all(Result::is_ok));
    let many = cmd("MGET").args(&keys).read_from(ReadFrom::Replica);
    assert_eq!(client.execute::<Vec<String>>(many).await.expect("values"), vec!["value"; keys.len()]);
    assert_eq!(gets_by_role(&lab).await.0, 0);
    for primary in lab.primaries() {
        assert_eq!(executions(&lab, primary.index, "mget").await, 0);
    }

    let replica = |command: truename::Command<'static>| command.read_from(ReadFrom::Replica);
    let get = || cmd("GET").arg("other");
    let refused = |outcome: Result<(), Error>| {
        let error = outcome.expect_err("no replica can");
        let Error::Route(route) = error.inner() else { panic!("{error:?}") };
        assert!(matches!(**route, RouteError::NotForReplicas { .. }), "{error}");
        assert!(!error.may_have_executed() && !error.is_retryable(), "{error}");
    };
    refused(client.run(replica(cmd("SET").arg("k").arg("v"))).await);
    refused(client.run(replica(cmd("DBSIZE"))).await);
    refused(client.run(replica(cmd("JSON.GET").arg("k"))).await);
    refused(client.batch().with(replica(cmd("INCR").arg("k"))).all().await);
    refused(client.batch().with(replica(get())).atomic().all().await);
    let dedicated = client.dedicated("other").await.expect("a connection");
    refused(dedicated.run(replica(get())).await);
    // The others allow for the primary.
    let dbsize = cmd("DBSIZE").read_from(ReadFrom::PreferReplica);
    assert_eq!(client.execute::<u64>(dbsize).await.expect("a sum"), 13);
}

/// `READONLY` is refused where it is sent, and the primary is not asked in a replica's place.
#[tokio::test]
async fn one_command_for_replicas_that_refuse_it_fails_with_the_reason() {
    let lab =
        Lab::builder(LabProfile::Azure).enterprise_commands(true).start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab)).await.expect("connected");
    client.run(cmd("SET").arg("k").arg("value")).await.expect("OK");
    let strict = || cmd("GET").arg("k").read_from(ReadFrom::Replica);
    let error = client.execute::<String>(strict()).await.expect_err("no replica may be read from");
    let Error::Route(route) = &error else { panic!("{error:?}") };
    assert!(matches!(**route, RouteError::NoReplica { refusal: Some(_), .. }), "{error:?}");
    let lenient = cmd("GET").arg("k").read_from(ReadFrom::PreferReplica);
    assert_eq!(client.execute::<String>(lenient).await.expect("from the primary"), "value");
}
