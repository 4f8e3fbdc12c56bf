//! Failover by command.

use std::time::{Duration, Instant};

use crate::{Lab, LabError};

use super::wait::everywhere;

/// How a replica takes over (`CLUSTER FAILOVER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailoverKind {
    /// The primary pauses writes and hands over: no acknowledged write is lost. Needs the primary.
    #[default]
    Coordinated,
    /// Elected by the other primaries, without the old one; it may be dead.
    Force,
    /// Without asking anyone, even without a majority.
    Takeover,
}

impl Lab {
    /// Makes a replica the primary of its shard and waits until every running node says so; returns how long it took.
    ///
    /// # Errors
    /// When the node is not a replica, its primary is dead (see [`FailoverKind::Force`]), or it is not promoted in time.
    pub async fn failover(&self, replica: usize) -> Result<Duration, LabError> {
        self.failover_as(replica, FailoverKind::Coordinated).await
    }

    /// Like [`failover`](Self::failover), in a given way.
    ///
    /// # Errors
    /// When the node is not a replica, or is not promoted in time.
    pub async fn failover_as(&self, replica: usize, kind: FailoverKind) -> Result<Duration, LabError> {
        let started = Instant::now();
        let node = self.existing(replica)?;
        let option: &[&str] = match kind {
            FailoverKind::Coordinated => &[],
            FailoverKind::Force => &["FORCE"],
            FailoverKind::Takeover => &["TAKEOVER"],
        };
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).collect();
        // Right after another failover its primary may not know it yet, and ignores what strangers ask (server 7.0).
        let wanted = format!("everybody to know whom node {replica} follows");
        self.agree(&wanted, &running, |views| {
            let own = running.iter().position(|other| other.id == node.id).map(|at| &views[at]);
            match own.and_then(|view| view.peer(&node.id)?.primary.as_deref()) {
                Some(primary) => everywhere(views, &wanted, |view| view.is_replica_of(&node.id, primary)),
                None => Ok(()),
            }
        })
        .await?;
        node.expect(&[&["CLUSTER", "FAILOVER"], option].concat()).await?;
        let wanted = format!("node {replica} to become a primary");
        self.agree(&wanted, &running, |views| everywhere(views, &wanted, |view| view.is_primary(&node.id)))
            .await?;
        Ok(started.elapsed())
    }
}
