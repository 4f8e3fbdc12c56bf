//! Reading from replicas: which server executed the commands, as the servers count them.

use std::time::Duration;

use crate::support::info::executions;
use crate::support::{config, eventually, spread_keys};
use truename::topology::Role;
use truename::{Client, ReadFrom, cmd};
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
