//! What the integration tests share: labs, configurations for them, and a way to wait for a state.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::allow_attributes, reason = "which part is unused differs by test binary")]

pub(crate) mod history;

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;
use truename::topology::{DialRule, Slot};
use truename::{Client, Config, Tls};
use truename_lab::{Lab, Profile};

/// Three primaries, no replica.
pub(crate) async fn lab(profile: Profile) -> Lab {
    Lab::builder(profile).shards(3).replicas(0).start().await.expect("the lab starts")
}

/// What a user of the lab has to type: seed, CA and password, the resolver entries that stand in for DNS, and for
/// `nat` its one rule.
pub(crate) fn config(lab: &Lab) -> Config {
    let mut config = Config::new().root_nodes(lab.seeds());
    if let Some(pem) = lab.ca_pem() {
        config = config.tls(Tls::new().ca_pem(pem).expect("the lab's CA"));
    }
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
