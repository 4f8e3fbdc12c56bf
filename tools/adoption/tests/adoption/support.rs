//! A cluster with replicas, as a user of redis-rs connects to it, and what happens to it.

use std::time::{Duration, Instant};

use truename_lab::{Lab, LabProfile};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Three shards with a replica each, over TLS, announced as Azure does it.
pub(crate) async fn lab() -> Lab {
    let lab = Lab::builder(LabProfile::Azure).node_timeout(SECOND);
    lab.start().await.expect("the lab starts")
}

/// The nodes of a lab as URLs.
pub(crate) fn urls(lab: &Lab) -> Vec<String> {
    let password = lab.password().map(|password| format!(":{password}@")).unwrap_or_default();
    lab.seeds().into_iter().map(|(host, port)| format!("rediss://{password}{host}:{port}")).collect()
}

/// Builds a client of either version.
macro_rules! client {
    ($lab:expr, $redis:path, $client:path) => {{
        use $redis as redis;
        let lab: &truename_lab::Lab = $lab;
        let root_cert = lab.ca_pem().map(|pem| pem.as_bytes().to_vec());
        let resolved = lab.resolve();
        let builder = <$client>::builder($crate::support::urls(lab))
            .certs(redis::TlsCertificates { client_tls: None, root_cert })
            .configure(move |config| {
                resolved
                    .iter()
                    .fold(config, |config, (host, port, ip)| config.resolve(host.clone(), *port, *ip))
            });
        builder.build().expect("usable options")
    }};
}
pub(crate) use client;

/// Waits until something holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < 60 * SECOND, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A replica of the slot's shard takes over.
pub(crate) async fn fail_over(lab: &Lab, slot: u16) {
    let owner = lab.primary_of_slot(slot).await.expect("an owner");
    let is_other = |index: &usize| lab.node(*index).shard == lab.node(owner).shard && *index != owner;
    let replica = (0..lab.nodes().len()).find(is_other).expect("a replica");
    // Until then, servers hold up what writes.
    let is_linked = || async {
        let told = lab.command(replica, &["INFO", "replication"]).await.expect("told");
        told.as_str().expect("text").contains("master_link_status:up")
    };
    eventually("it replicates", is_linked).await;
    lab.failover(replica).await.expect("failed over");
}

/// The slot moves to another shard.
pub(crate) async fn reshard(lab: &Lab, slot: u16) {
    let owner = lab.primary_of_slot(slot).await.expect("an owner");
    let shard = lab.node(owner).shard;
    let other = lab.primaries().iter().find(|node| node.shard != shard).expect("another").index;
    lab.migrate_slots(&[slot], owner, other).await.expect("moved");
}
