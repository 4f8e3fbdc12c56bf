//! What the integration tests share: labs, configurations for them, and a way to wait for a state.
//!
//! What must stay true: `cluster` uses all of it, so what no test uses any more is noticed there. What it has no use for is in
//! `measure`.

pub(crate) mod history;
pub(crate) mod hosted;
pub(crate) mod info;
pub(crate) mod recorder;
pub(crate) mod scripted;

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;
use truename::error::RouteError;
use truename::topology::{DialRule, Slot};
use truename::{Client, Config, Error, Tls, cmd};
use truename_lab::{Lab, LabProfile};

/// Three primaries, no replica.
pub(crate) async fn lab(profile: LabProfile) -> Lab {
    Lab::builder(profile).shards(3).replicas(0).start().await.expect("the lab starts")
}

/// A single primary.
pub(crate) async fn one_node(profile: LabProfile) -> Lab {
    Lab::builder(profile).shards(1).replicas(0).start().await.expect("the lab starts")
}

/// A command of the lab's own that must succeed.
pub(crate) async fn tell(lab: &Lab, node: usize, args: &[&str]) -> truename::Reply {
    let reply = lab.command(node, args).await.expect("the node answers");
    assert!(reply.as_error().is_none(), "{args:?}: {reply:?}");
    reply
}

/// Three primaries without replicas, each reached through its fault proxy alone.
pub(crate) async fn proxied_lab(profile: LabProfile) -> Lab {
    let lab = Lab::builder(profile).shards(3).replicas(0).fault_proxies(true);
    lab.start().await.expect("the lab starts")
}

/// One server without cluster support behind a fault proxy.
pub(crate) async fn proxied_server() -> Lab {
    Lab::builder(LabProfile::Plain).no_cluster().fault_proxies(true).start().await.expect("the lab starts")
}

/// Which of a lab's three shards serves a key at its start.
pub(crate) fn shard_of(key: &str) -> usize {
    shard_of_slot(Slot::of_key(key.as_bytes()).index())
}

/// Which of a lab's three shards serves a slot at its start: shard n from slot n * 16384 / 3 on, rounded down.
pub(crate) fn shard_of_slot(slot: usize) -> usize {
    (slot * 3 + 2) / Slot::COUNT
}

/// A key that a shard of three serves at its start.
pub(crate) fn key_of(shard: usize) -> String {
    keys_of(shard, "key").next().expect("some key")
}

/// The keys `prefix:0`, `prefix:1` and so on that a shard of three serves at its start.
pub(crate) fn keys_of(shard: usize, prefix: &str) -> impl Iterator<Item = String> {
    (0u64..).map(move |n| format!("{prefix}:{n}")).filter(move |key| shard_of(key) == shard)
}

/// Three primaries that know a command by another name, for which no table has a row: `"EVAL MYEVAL"`.
pub(crate) async fn renamed_lab(profile: LabProfile, names: &str) -> Lab {
    let lab = Lab::builder(profile).replicas(0).server_arg("rename-command", names);
    lab.start().await.expect("the lab starts")
}

/// What a user of the lab has to type: seed, CA and password, the resolver entries that stand in for DNS, and for
/// `nat` its one rule.
pub(crate) fn config(lab: &Lab) -> Config {
    let config = Config::new().seeds(lab.seeds());
    let mut config = match lab.ca_pem() {
        Some(pem) => config.tls(Tls::new().ca_pem(pem).expect("the lab's CA")),
        None => config.plaintext(),
    };
    if let Some(password) = lab.password() {
        config = config.password(password);
    }
    for (host, port, address) in lab.resolve() {
        config = config.resolve(host, port, address);
    }
    for rule in lab.map_rules() {
        config = config.dial_rule(DialRule::from_str(&rule).expect("the lab's rule"));
    }
    config
}

/// A client of the lab.
pub(crate) async fn connect(lab: &Lab) -> Client {
    Client::connect(&config(lab)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A client whose connection is open: it was used.
pub(crate) async fn warm_client(config: &Config) -> Client {
    let client = Client::connect(config).await.unwrap_or_else(|error| panic!("{error}"));
    client.execute::<i64>(cmd("INCR").arg("warm")).await.expect("the lane is open");
    client
}

/// The ids of the nodes that a client knows, sorted.
pub(crate) fn known_ids(client: &Client) -> Vec<String> {
    let nodes = client.nodes().into_iter();
    let mut ids: Vec<_> = nodes.filter_map(|node| Some(node.id?.as_str().to_owned())).collect();
    ids.sort();
    ids
}

/// The ids of a lab's nodes, sorted.
pub(crate) fn ids_of(lab: &Lab) -> Vec<String> {
    let mut ids: Vec<_> = lab.nodes().iter().map(|node| node.id.clone()).collect();
    ids.sort();
    ids
}

/// A write to a shard of three.
pub(crate) async fn set(client: &Client, shard: usize) -> Result<(), Error> {
    client.execute(cmd("SET").arg(key_of(shard)).arg("value")).await
}

/// One key for each of `count` slots that are spread evenly over all slots, so that every shard has its share.
pub(crate) fn spread_keys(prefix: &str, count: usize) -> Vec<String> {
    let wanted: Vec<usize> = (0..count).map(|n| n * Slot::COUNT / count).collect();
    let width = Slot::COUNT / count;
    wanted
        .into_iter()
        .map(|low| {
            (0u64..)
                .map(|n| format!("{prefix}:{n}"))
                .find(|key| (low..low + width).contains(&Slot::of_key(key.as_bytes()).index()))
                .expect("some key falls into the range")
        })
        .collect()
}

/// Polls until `reached` holds; panics with `what` after `limit`.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut reached: impl FnMut() -> F,
) {
    let deadline = Instant::now() + limit;
    while !reached().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Why a call was refused before anything was sent.
pub(crate) fn refusal(error: Error) -> RouteError {
    assert!(!error.may_have_executed(), "{error}");
    match error {
        Error::Route(error) => *error,
        other => panic!("{other}"),
    }
}
