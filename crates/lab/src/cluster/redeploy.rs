//! A new set of servers behind the same seed: with the data, as a provider's maintenance does it, or without, as when
//! an infrastructure tool destroys a cluster and creates it again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::nodes_conf;
use crate::plan::NodePlan;
use crate::view::View;
use crate::{Lab, LabError, LabNode, Role};

use super::start::{entry, open_proxies, targets};
use super::wait::{Lack, everywhere};

/// How long followers have to follow a new primary of themselves.
const FOLLOW_WITHIN: Duration = Duration::from_secs(8);

/// Tells followers whom to follow. One whose primary lost its slots may go on following it for ever (Redis 8.0.2, rarely).
async fn order_to_follow<'n>(
    followers: impl Iterator<Item = &'n LabNode>,
    heir: &LabNode,
) -> Result<(), LabError> {
    for node in followers {
        let mut connection = node.admin().connect(node.socket_addr()).await?;
        let view = View::of(&mut connection).await?;
        if view
            .peer(&node.id)
            .is_some_and(|own| !own.is_primary() && own.primary.as_deref() != Some(&*heir.id))
        {
            // Refused where it does not know the new primary as one yet; whoever waits for the followers says so.
            connection.command(&["CLUSTER", "REPLICATE", &heir.id]).await?;
        }
    }
    Ok(())
}

impl Lab {
    /// Replaces every server by a new one with a new node id, at a new address and port; returns how long it took.
    /// The seed stays, and so does every acknowledged write: the new servers join as replicas, take over by coordinated
    /// failover one shard after the other, and then the old ones are killed.
    ///
    /// Profiles without a front door get new [`seeds`](Self::seeds), and those with host names new names.
    ///
    /// # Errors
    /// When the lab is not a cluster, a shard has no running primary, or a step takes too long. The old servers keep
    /// running unless it was the last step that failed.
    pub async fn redeploy(&mut self) -> Result<Duration, LabError> {
        let started = Instant::now();
        if !self.config.cluster {
            return Err(LabError::invalid("only a cluster can be redeployed with its data"));
        }
        let plans = self.site.plan(self.generation + 1, &self.ports())?;
        let new = self.join(&plans).await?;
        let new_doors = self.open_node_doors(&new).await?;
        let new_proxies = open_proxies(&new).await?;
        self.hand_over(&new).await?;
        if let Some(door) = &self.front_door {
            door.retarget(targets(&new));
        }
        self.generation += 1;
        self.node_doors = new_doors;
        self.proxies = new_proxies;
        let old = std::mem::replace(&mut self.nodes, new);
        old.iter().for_each(LabNode::begin_kill);
        self.forget(&old).await?;
        drop(old);
        self.wait_ready().await?;
        Ok(started.elapsed())
    }

    /// Kills every server at once and starts an empty cluster (or server) at new addresses behind the same seed; returns
    /// how long it took.
    ///
    /// # Errors
    /// When the new servers do not come up; the old ones are gone in any case.
    pub async fn redeploy_abrupt(&mut self) -> Result<Duration, LabError> {
        let started = Instant::now();
        let plans = self.site.plan(self.generation + 1, &self.ports())?;
        self.nodes.iter().for_each(LabNode::begin_kill);
        self.nodes.iter().for_each(LabNode::kill);
        self.generation += 1;
        self.nodes = self.found(&plans)?;
        self.open_doors().await?;
        self.wait_ready().await?;
        Ok(started.elapsed())
    }

    fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    /// Starts the new servers as replicas of the present primaries, and waits until they have the data and all know them.
    async fn join(&self, plans: &[NodePlan]) -> Result<Vec<LabNode>, LabError> {
        let view = self.any_view().await?;
        let primaries = self.present_primaries(&view)?;
        let entries: Vec<_> =
            plans.iter().map(|plan| entry(plan, Some(primaries[&plan.shard].id.as_str()), 0, None)).collect();
        let new =
            self.launch(plans, |myself| nodes_conf::join(&view.text, &entries, myself, view.current_epoch))?;
        for node in &new {
            node.answering().await?;
        }
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).collect();
        self.introduce(&running, &new).await?;
        let all: Vec<_> = running.into_iter().chain(&new).collect();
        self.agree("the new servers to follow the old ones", &all, |views| {
            everywhere(views, "every new server is a replica with data", |view| {
                new.iter().all(|node| {
                    view.is_replica_of(&node.id, &primaries[&node.shard].id) && view.listed.contains(&node.id)
                })
            })
        })
        .await?;
        Ok(new)
    }

    /// The node that is the primary of each shard now.
    fn present_primaries(&self, view: &View) -> Result<BTreeMap<usize, &LabNode>, LabError> {
        let primaries: BTreeMap<_, _> = self
            .nodes
            .iter()
            .filter(|node| node.is_responsive() && view.is_primary(&node.id))
            .map(|node| (node.shard, node))
            .collect();
        match (0..self.config.shards).find(|shard| !primaries.contains_key(shard)) {
            Some(shard) => {
                Err(LabError::invalid(format!("shard {shard} has no running primary to copy from")))
            }
            None => Ok(primaries),
        }
    }

    /// The new servers know the old ones from their `nodes.conf`; these accept strangers only after a MEET.
    async fn introduce(&self, old: &[&LabNode], new: &[LabNode]) -> Result<(), LabError> {
        for node in old {
            let mut connection = node.admin().connect(node.socket_addr()).await?;
            for stranger in new {
                let (host, port) = (stranger.address.to_string(), stranger.port.to_string());
                connection.expect(&["CLUSTER", "MEET", &host, &port]).await?;
            }
        }
        Ok(())
    }

    /// One shard after the other: elections at the same time would compete for the same epoch. A promotion is announced
    /// to all at once, but only gossip spreads who follows whom, so each follower itself is asked for that.
    async fn hand_over(&self, new: &[LabNode]) -> Result<(), LabError> {
        let all: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).chain(new).collect();
        for heir in new.iter().filter(|node| node.role == Role::Primary) {
            heir.expect(&["CLUSTER", "FAILOVER"]).await?;
            let wanted = format!("the new server of shard {} to take over", heir.shard);
            let follows = |node: &LabNode, view: &View| {
                node.shard != heir.shard || node.id == heir.id || view.is_replica_of(&node.id, &heir.id)
            };
            let took_over = |views: &[View]| {
                everywhere(views, &wanted, |view| view.is_primary(&heir.id))?;
                match all.iter().zip(views).position(|(node, view)| !follows(node, view)) {
                    Some(at) => Err(Lack::new(at, format!("node {} follows another primary", all[at].index))),
                    None => Ok(()),
                }
            };
            if let Err(LabError::NotReached { .. }) =
                self.agree_within(FOLLOW_WITHIN, &wanted, &all, took_over).await
            {
                let followers = all.iter().filter(|node| node.shard == heir.shard && node.id != heir.id);
                order_to_follow(followers.copied(), heir).await?;
            }
            self.agree(&wanted, &all, took_over).await?;
        }
        Ok(())
    }

    async fn forget(&self, old: &[LabNode]) -> Result<(), LabError> {
        for node in &self.nodes {
            let mut connection = node.admin().connect(node.socket_addr()).await?;
            for gone in old {
                // Unknown already when another node's gossip was quicker; nothing to forget then.
                connection.command(&["CLUSTER", "FORGET", &gone.id]).await?;
            }
        }
        Ok(())
    }
}
