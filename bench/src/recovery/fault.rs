//! The faults: what is done to the servers, which shard it hurts, and when the servers are able to serve again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;
use truename::topology::Slot;
use truename_lab::{Lab, LabConfig, LabError, LabProfile};

/// The shard that is hurt; the others are bystanders.
const HURT: usize = 0;
/// Where slots of the hurt shard move to.
const HEIR: usize = 1;
const POLL: Duration = Duration::from_millis(20);
/// How long a black hole lasts before anybody does something about it.
const UNNOTICED: Duration = Duration::from_secs(2);
/// More bytes than a client exchanges when it only asks for the topology.
const SOME_TRAFFIC: u64 = 32 * 1024;
/// How long an election may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// A primary is killed (SIGKILL); its replica is elected.
    Kill,
    /// A primary freezes (SIGSTOP) with its connections open; its replica is elected.
    Freeze,
    /// Nothing passes between clients and a primary any more, in either direction and without a word; its replica takes
    /// over by agreement two seconds later.
    Blackhole,
    /// A replica takes over by agreement (CLUSTER FAILOVER).
    Failover,
    /// The slots of all keys of a shard move to another, one after the other.
    Migrate,
    /// All servers are gone at once; an empty cluster comes up elsewhere behind the same seed.
    Redeploy,
}

impl Fault {
    pub(super) const ALL: [Self; 6] =
        [Self::Kill, Self::Freeze, Self::Blackhole, Self::Failover, Self::Migrate, Self::Redeploy];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Blackhole => "blackhole",
            Self::Failover => "failover",
            Self::Migrate => "migrate",
            Self::Redeploy => "redeploy",
        }
    }

    /// The cluster to do it to. All nodes announce the addresses that they listen on, so no client needs a map; for a
    /// redeploy the seed is a front door, whose address stays.
    pub(super) fn lab(self) -> LabConfig {
        let profile = if self == Self::Redeploy { LabProfile::Gcp } else { LabProfile::Plain };
        Lab::builder(profile).tls(false).password(None).fault_proxies(self == Self::Blackhole)
    }

    /// Whether calls to this shard are expected to suffer.
    pub(super) fn hurts(self, shard: usize) -> bool {
        self == Self::Redeploy || shard == HURT
    }

    /// Whether it would meet a client that has been at work for a while. A client that dials addresses other than the
    /// announced ones goes past the proxy that is to be the black hole.
    pub(super) fn meets_client(self, lab: &Lab) -> bool {
        self != Self::Blackhole || lab.proxy(HURT).traffic().from_clients > SOME_TRAFFIC
    }

    /// Does it; returns once the servers could serve every key again. What is counted in between is not the client's
    /// fault, what is counted after it is.
    pub(super) async fn inflict(self, lab: &mut Lab, keys: &[String]) -> Result<(), LabError> {
        match self {
            Self::Kill => {
                lab.node(HURT).kill();
                replaced(lab, keys).await
            }
            Self::Freeze => {
                lab.node(HURT).stop();
                replaced(lab, keys).await
            }
            Self::Blackhole => {
                lab.proxy(HURT).set(truename_lab::Fault::Blackhole);
                tokio::time::sleep(UNNOTICED).await;
                hand_over(lab).await
            }
            Self::Failover => hand_over(lab).await,
            Self::Migrate => {
                let slots: BTreeSet<_> = keys.iter().map(|key| Slot::of_key(key.as_bytes())).collect();
                for slot in slots {
                    if lab.primary_of_slot(slot.value()).await? == HURT {
                        lab.migrate_slot(slot.value(), HURT, HEIR).await?;
                    }
                }
                Ok(())
            }
            Self::Redeploy => lab.redeploy_abrupt().await.map(drop),
        }
    }
}

/// The replica of the hurt shard takes over, and nothing is lost.
async fn hand_over(lab: &Lab) -> Result<(), LabError> {
    let replica = lab.replicas().iter().find(|node| node.shard == HURT).map(|node| node.index);
    lab.failover(replica.unwrap_or(HURT)).await.map(drop)
}

/// Waits until another node serves the keys of the hurt one and the cluster calls itself whole.
async fn replaced(lab: &Lab, keys: &[String]) -> Result<(), LabError> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let mut hurt = false;
        for key in keys {
            hurt |= lab.primary_of_key(key.as_bytes()).await? == HURT;
        }
        if !hurt && lab.cluster_ok().await? {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
