//! Waiting: asks every node for its view until all of them have what is wanted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use truename_topology::Slot;

use crate::admin::AdminConnection;
use crate::nodes_conf::SLOTS;
use crate::view::View;
use crate::{Lab, LabError, LabNode};

const POLL: Duration = Duration::from_millis(20);
/// How long a cluster may take to form or to heal, on top of what its node timeout explains.
const PATIENCE: Duration = Duration::from_secs(20);
/// Detecting a failure, the election's delay and its possible repetition, in node timeouts.
const HEALING_TIMEOUTS: u32 = 5;

impl Lab {
    /// Waits until every node that runs (and is not stopped) is ready: it says `cluster_state:ok`, and its
    /// `CLUSTER SLOTS` lists all nodes that run and no other. Also after a fault: then this waits for the failover.
    ///
    /// # Errors
    /// When a server ended, or the state is not reached in time (20 s and five node timeouts).
    pub async fn wait_ready(&self) -> Result<(), LabError> {
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).collect();
        if self.config.cluster {
            self.agree("the cluster to be ready", &running, |views| complete(&running, views)).await?;
        } else {
            for node in &running {
                node.answering().await?;
            }
        }
        for node in running {
            node.present_certificate().await?;
        }
        Ok(())
    }

    /// Whether every node that runs says `cluster_state:ok` now.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn cluster_ok(&self) -> Result<bool, LabError> {
        for node in self.nodes.iter().filter(|node| node.is_responsive()) {
            let mut connection = node.admin().connect(node.socket_addr()).await?;
            if !View::of(&mut connection).await?.ok {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Index of the node that serves a slot, as the first running node sees it.
    ///
    /// # Errors
    /// When no node runs or the slot is served by none of the lab's nodes.
    pub async fn primary_of_slot(&self, slot: u16) -> Result<usize, LabError> {
        let view = self.any_view().await?;
        let owner = view.owner(slot).and_then(|peer| self.node_by_id(&peer.id));
        owner.map(|node| node.index).ok_or_else(|| LabError::invalid(format!("nobody serves slot {slot}")))
    }

    /// Index of the node that serves the slot of a key; see [`primary_of_slot`](Self::primary_of_slot).
    ///
    /// # Errors
    /// When no node runs or the slot is served by none of the lab's nodes.
    pub async fn primary_of_key(&self, key: &[u8]) -> Result<usize, LabError> {
        self.primary_of_slot(Slot::of_key(key).value()).await
    }

    /// The view of the first running node.
    pub(super) async fn any_view(&self) -> Result<View, LabError> {
        let node = self
            .nodes
            .iter()
            .find(|node| node.is_responsive())
            .ok_or_else(|| LabError::invalid("no node of the lab is running"))?;
        View::of(&mut node.admin().connect(node.socket_addr()).await?).await
    }

    /// Asks `nodes` for their views until `check` finds nothing lacking; it sees them in the order of `nodes`.
    pub(super) async fn agree(
        &self,
        wanted: &str,
        nodes: &[&LabNode],
        check: impl Fn(&[View]) -> Result<(), Lack>,
    ) -> Result<(), LabError> {
        self.agree_within(PATIENCE + HEALING_TIMEOUTS * self.config.node_timeout, wanted, nodes, check).await
    }

    /// [`agree`](Self::agree) with a patience of its own.
    pub(super) async fn agree_within(
        &self,
        within: Duration,
        wanted: &str,
        nodes: &[&LabNode],
        check: impl Fn(&[View]) -> Result<(), Lack>,
    ) -> Result<(), LabError> {
        let started = Instant::now();
        let mut connections: Vec<Option<AdminConnection>> = nodes.iter().map(|_| None).collect();
        loop {
            let lack = match views(nodes, &mut connections).await {
                Ok(views) => match check(&views) {
                    Ok(()) => return Ok(()),
                    Err(lack) => lack,
                },
                Err(lack) => lack,
            };
            let node = nodes[lack.at];
            if let Some(failure) = node.failure() {
                return Err(failure);
            }
            let waited = started.elapsed();
            if waited > within {
                let (wanted, log) = (wanted.to_owned(), node.log_tail());
                return Err(LabError::NotReached { wanted, waited, seen: lack.what, node: node.index, log });
            }
            sleep(POLL).await;
        }
    }
}

/// What is still missing, and at which of the nodes asked.
#[derive(Debug)]
pub(super) struct Lack {
    at: usize,
    what: String,
}

impl Lack {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

/// For a wait in which all views must satisfy the same condition.
pub(super) fn everywhere(views: &[View], what: &str, holds: impl Fn(&View) -> bool) -> Result<(), Lack> {
    match views.iter().position(|view| !holds(view)) {
        Some(at) => Err(Lack::new(at, format!("not yet: {what}"))),
        None => Ok(()),
    }
}

async fn views(nodes: &[&LabNode], connections: &mut [Option<AdminConnection>]) -> Result<Vec<View>, Lack> {
    let mut views = Vec::with_capacity(nodes.len());
    for (at, (node, slot)) in nodes.iter().zip(connections).enumerate() {
        let view = view(node, slot).await.map_err(|error| Lack::new(at, error.to_string()))?;
        views.push(view);
    }
    Ok(views)
}

/// Takes the connection out while it is in use: after an error it is not used again.
async fn view(node: &LabNode, slot: &mut Option<AdminConnection>) -> Result<View, LabError> {
    let mut connection = match slot.take() {
        Some(connection) => connection,
        None => node.admin().connect(node.socket_addr()).await?,
    };
    let view = View::of(&mut connection).await?;
    *slot = Some(connection);
    Ok(view)
}

fn complete(running: &[&LabNode], views: &[View]) -> Result<(), Lack> {
    for (at, view) in views.iter().enumerate() {
        if !view.ok {
            return Err(Lack::new(at, format!("node {} says cluster_state:fail", running[at].index)));
        }
        if view.owner(0).is_none() || view.owner(SLOTS - 1).is_none() {
            return Err(Lack::new(at, format!("node {} knows no owner for some slots", running[at].index)));
        }
        // A primary whose slots all moved away is a member, but clients do not hear of it.
        let with_slots =
            |node: &&&LabNode| view.peer(&node.id).is_some_and(|peer| !peer.is_primary() || peer.has_slots());
        let expected: BTreeSet<_> = running.iter().filter(with_slots).map(|node| node.id.clone()).collect();
        if view.listed != expected {
            let (listed, expected) = (view.listed.len(), expected.len());
            let what = format!(
                "node {} lists {listed} nodes to clients, not the {expected} running",
                running[at].index
            );
            return Err(Lack::new(at, what));
        }
    }
    Ok(())
}
