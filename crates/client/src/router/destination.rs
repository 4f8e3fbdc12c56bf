//! Where the next attempt goes: by the command's route and the current snapshot.

use std::sync::Arc;

use truename_topology::Slot;

use super::attempts::Attempts;
use super::request::Request;
use super::state::Router;
use crate::cluster::{Node, Topology};
use crate::command::Route;
use crate::config::ReadFrom;
use crate::error::{Error, RouteError};

/// Where the next attempt goes.
pub(super) struct Destination {
    pub(super) node: Arc<Node>,
    pub(super) asking: bool,
}

impl Router {
    /// Chooses the node from the current snapshot; `None` while the slot has no owner. Once a replica refused, as it
    /// does while it loads or lost its primary, preferences that allow for the primary mean the primary.
    #[inline(always)]
    pub(super) fn choose(&self, request: &Request<'_, '_>, attempts: &Attempts) -> Option<Arc<Node>> {
        let topology = self.cluster.topology();
        match attempts.route {
            Route::Slot(slot) | Route::GuessedSlot(slot) => {
                self.node_of(&topology, slot, request, !attempts.was_refused()).cloned()
            }
            Route::NamedNode => topology.node_at(request.command.named_node()?).cloned(),
            Route::AnyPrimary => any_primary(&topology),
        }
    }

    /// Chooses the node, and waits while the slot has no owner.
    pub(super) async fn resolve(
        &self,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        loop {
            if let Some(node) = self.choose(request, attempts) {
                return Ok(Destination { node, asking: false });
            }
            if self.cluster.is_closed() {
                return Err(Error::Closed);
            }
            if self.cluster.topology().nodes().is_empty() {
                return Err(Error::Route(Box::new(RouteError::NoNodes)));
            }
            let unserved = |slot| Error::Route(Box::new(self.unserved(slot, request)));
            if let Some(error) = attempts.slot().map(unserved).filter(|error| !error.is_retryable()) {
                return Err(error);
            }
            self.cluster.hints.refresh();
            if let Err(error) = attempts.back_off().await {
                return Err(match (attempts.slot(), request.command.named_node()) {
                    (Some(slot), _) => unserved(slot),
                    (None, Some(node)) => {
                        Error::Route(Box::new(RouteError::NoSuchNode { node: node.clone() }))
                    }
                    (None, None) => error,
                });
            }
        }
    }

    fn node_of<'t>(
        &self,
        topology: &'t Topology,
        slot: Slot,
        request: &Request<'_, '_>,
        replicas_serve: bool,
    ) -> Option<&'t Arc<Node>> {
        let read_from = &self.cluster.read_from;
        let wants_replica = *read_from == ReadFrom::Replica || replicas_serve;
        if *read_from == ReadFrom::Primary || !wants_replica || !request.is_read() {
            return topology.primary(slot);
        }
        read_from.choose(topology, topology.map().shard(slot)?)
    }
}

/// A primary drawn at random: a connected one if there is any.
pub(super) fn any_primary(topology: &Topology) -> Option<Arc<Node>> {
    let count = topology.primaries().len();
    let drawn = topology.primaries().nth(fastrand::usize(..count.max(1)))?;
    if drawn.is_up() {
        return Some(drawn.clone());
    }
    Some(topology.primaries().find(|node| node.is_up()).unwrap_or(drawn).clone())
}
