//! Redeploying: everything moves, the seed stays, and acknowledged writes survive unless the cluster is new.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::{announced, ping};
use truename_lab::{Lab, LabNode, LabProfile};

fn identities(lab: &Lab) -> BTreeSet<String> {
    let of = |node: &LabNode| [node.id.clone(), node.address.to_string(), format!("{:?}", node.announced())];
    lab.nodes().iter().flat_map(of).collect()
}

async fn assert_moved(lab: &Lab, before: &BTreeSet<String>) {
    assert!(identities(lab).is_disjoint(before), "ids, addresses and announced endpoints are all new");
    let expected: BTreeSet<_> = lab.nodes().iter().map(LabNode::announced).collect();
    for node in lab.nodes() {
        assert_eq!(announced(lab, node.index).await, expected);
    }
    let known = lab.command(0, &["CLUSTER", "NODES"]).await.unwrap();
    assert_eq!(known.as_str().unwrap().lines().count(), 6, "the old servers are forgotten");
}

/// Writes `key{n}`, following redirects by asking every node, and returns whether the write was acknowledged.
async fn set_somewhere(lab: &Lab, key: &str, value: &str) -> bool {
    for node in lab.nodes() {
        let Ok(reply) = lab.command(node.index, &["SET", key, value]).await else { continue };
        if reply.as_str() == Some("OK") {
            return true;
        }
    }
    false
}

async fn value_of(lab: &Lab, key: &str) -> Option<String> {
    for node in lab.nodes() {
        let reply = lab.command(node.index, &["GET", key]).await.unwrap();
        if reply.as_error().is_none() {
            return reply.as_str().map(str::to_owned);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_survives_a_redeploy_twice() {
    let mut lab = Lab::builder(LabProfile::Azure).start().await.unwrap();
    let seed = lab.seed();
    for round in 0..2 {
        for n in 0..30 {
            assert!(set_somewhere(&lab, &format!("key{round}-{n}"), &n.to_string()).await);
        }
        let before = identities(&lab);
        let took = lab.redeploy().await.unwrap();
        println!("redeployed in {took:.2?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert_moved(&lab, &before).await;
        for n in 0..30 {
            assert_eq!(value_of(&lab, &format!("key{round}-{n}")).await, Some(n.to_string()));
        }
        assert_eq!(lab.seed(), seed, "the user's configuration still holds");
        let address = lab.front_door().unwrap().address();
        ping(&lab, address, &seed.0).await.unwrap();
    }
}

/// Increments a counter at the servers themselves while they are replaced: what was acknowledged must be counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_during_a_redeploy() {
    let mut lab = Lab::builder(LabProfile::Plain).password(None).start().await.unwrap();
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let nodes: Vec<_> = lab.nodes().iter().map(LabNode::socket_addr).collect();
    let writer = tokio::spawn(count_up(nodes, Arc::clone(&done), Arc::clone(&acknowledged)));
    support::eventually("writes flow", async || acknowledged.load(Ordering::SeqCst) > 100).await;
    lab.redeploy().await.unwrap();
    done.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    let counted: u64 = value_of(&lab, "counter").await.unwrap().parse().unwrap();
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    assert!(counted >= acknowledged, "{acknowledged} acknowledged, {counted} counted");
}

/// Asks the old nodes only: when the last of them is gone, there is nobody left to write to.
async fn count_up(nodes: Vec<SocketAddr>, done: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut streams = Vec::new();
    for node in nodes {
        streams.push(tokio::net::TcpStream::connect(node).await.unwrap());
    }
    let mut reply = [0; 512];
    while !done.load(Ordering::SeqCst) {
        let mut alive = false;
        for stream in &mut streams {
            let written = stream.write_all(b"INCR counter\r\n").await;
            if written.is_err() {
                continue;
            }
            let read = stream.read(&mut reply).await.unwrap_or(0);
            alive |= read > 0;
            if reply[..read].starts_with(b":") {
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
        if !alive {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abrupt_redeploy_is_a_new_and_empty_cluster() {
    let mut lab = Lab::builder(LabProfile::Nat).start().await.unwrap();
    assert!(set_somewhere(&lab, "key", "value").await);
    let (before, (seed, port)) = (identities(&lab), lab.seed());
    lab.redeploy_abrupt().await.unwrap();
    assert_moved(&lab, &before).await;
    assert_eq!(value_of(&lab, "key").await, None);
    let door = lab.front_door().unwrap().address();
    assert_eq!(door.port(), port);
    ping(&lab, door, &seed).await.unwrap();
    for node in lab.nodes() {
        ping(&lab, SocketAddr::new(door.ip(), node.port + 1000), &seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_names_are_known_before_the_redeploy_that_brings_them() {
    let mut lab = Lab::builder(LabProfile::Aws).start().await.unwrap();
    let known: BTreeSet<_> = lab.resolve().into_iter().collect();
    lab.redeploy().await.unwrap();
    for node in lab.nodes() {
        let (host, _) = node.announced();
        assert!(known.contains(&(host.clone(), None, node.address)), "{host}");
    }
}
