//! Labs and connections to them, as a user of redis-rs makes them.

use std::time::{Duration, Instant};

use redis::aio::transaction_async;
use redis::{AsyncCommands, ProtocolVersion, RedisResult, TlsCertificates};
use truename::topology::DialRule;
use truename_lab::{Lab, LabProfile};
use truename_redis::ClusterClient;
use truename_redis::cluster::ClusterClientBuilder;
use truename_redis::cluster_async::ClusterConnection;

pub(crate) const PROTOCOLS: [ProtocolVersion; 2] = [ProtocolVersion::RESP2, ProtocolVersion::RESP3];

/// Three primaries, no replica.
pub(crate) async fn lab(profile: LabProfile) -> Lab {
    Lab::builder(profile).shards(3).replicas(0).start().await.expect("the lab starts")
}

/// Three primaries with a replica each, which take over soon.
pub(crate) async fn replicated() -> Lab {
    let lab = Lab::builder(LabProfile::Azure).server_arg("cluster-require-full-coverage", "no");
    lab.node_timeout(Duration::from_secs(1)).start().await.expect("the lab starts")
}

/// Waits until something holds, and fails once that took longer than `limit`.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> F,
) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How often a node has executed a command.
pub(crate) async fn calls(lab: &Lab, node: usize, command: &str) -> u64 {
    let stats = lab.command(node, &["INFO", "commandstats"]).await.expect("told");
    let prefix = format!("cmdstat_{command}:calls=");
    let text = stats.as_str().expect("text").to_owned();
    let calls = text.lines().find_map(|line| line.strip_prefix(&prefix)?.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

/// The nodes of a lab as URLs.
pub(crate) fn urls(lab: &Lab) -> Vec<String> {
    let scheme = if lab.ca_pem().is_some() { "rediss" } else { "redis" };
    let password = lab.password().map(|password| format!(":{password}@")).unwrap_or_default();
    lab.seeds().into_iter().map(|(host, port)| format!("{scheme}://{password}{host}:{port}")).collect()
}

/// What a user of a lab has to say, beyond which the defaults will do.
pub(crate) fn builder(lab: &Lab) -> ClusterClientBuilder {
    let mut builder = ClusterClient::builder(urls(lab));
    if let Some(pem) = lab.ca_pem() {
        builder =
            builder.certs(TlsCertificates { client_tls: None, root_cert: Some(pem.as_bytes().to_vec()) });
    }
    let resolved = lab.resolve();
    let rules: Vec<DialRule> = lab.map_rules().iter().map(|rule| rule.parse().expect("a rule")).collect();
    builder.configure(move |config| {
        let config =
            resolved.iter().fold(config, |config, (host, port, ip)| config.resolve(host.clone(), *port, *ip));
        rules.iter().cloned().fold(config, truename::Config::dial_rule)
    })
}

/// A connection to a lab.
pub(crate) async fn connect(lab: &Lab, protocol: ProtocolVersion) -> ClusterConnection {
    let client = builder(lab).use_protocol(protocol).build().expect("usable options");
    client.get_async_connection().await.unwrap_or_else(|error| panic!("{error}"))
}

/// Adds one, the hard way.
pub(crate) async fn count(connection: &ClusterConnection, key: &str) -> RedisResult<u64> {
    let (counted,): (u64,) = transaction_async(connection.clone(), &[key], |mut c, mut pipe| async move {
        let count: Option<u64> = c.get(key).await?;
        pipe.set(key, count.unwrap_or(0) + 1).ignore().get(key).query_async(&mut c).await
    })
    .await?;
    Ok(counted)
}

/// Keys of as many different slots, spread over all shards.
pub(crate) fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}:{n}")).collect()
}
