//! Reading from replicas: which server executed the commands, as the servers count them.

use std::time::{Duration, Instant};

use crate::support::info::executions;
use crate::support::{config, eventually, spread_keys};
use truename::error::RouteError;
use truename::topology::Role;
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
