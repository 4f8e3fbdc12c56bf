//! Where the next attempt goes: by the command's route and the current snapshot.

use std::sync::Arc;

use super::attempts::Attempts;
use super::request::Request;
use super::state::Router;
use crate::cluster::{Node, Topology};
use crate::command::{Command, Route};
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
    pub(super) fn choose(&self, request: &Request<'_, '_>, attempts: &Attempts) -> Option<Arc<Node>> {
        let is_read = || request.is_read();
        self.choose_by(attempts.route, request.command, is_read, !attempts.was_refused())
    }

    /// [`Self::choose`], from what decides it.
    #[inline(always)]
    pub(super) fn choose_by(
        &self,
        route: Route,
        command: &Command<'_>,
        is_read: impl FnOnce() -> bool,
        replicas_serve: bool,
    ) -> Option<Arc<Node>> {
        self.choose_in(&self.cluster.topology(), route, command, is_read, replicas_serve)
    }

    /// [`Self::choose_by`], from this snapshot.
    #[inline(always)]
    pub(super) fn choose_in(
        &self,
        topology: &Topology,
        route: Route,
        command: &Command<'_>,
        is_read: impl FnOnce() -> bool,
        replicas_serve: bool,
    ) -> Option<Arc<Node>> {
        match route {
            Route::Slot(slot) | Route::GuessedSlot(slot) => {
                let read_from = self.read_from(command);
                self.server_of(read_from, topology, slot, is_read, replicas_serve).cloned()
            }
            Route::NamedNode => topology.node_at(command.named_node()?).cloned(),
            Route::AnyPrimary => any_primary(topology),
        }
    }

    /// Whether replicas may be asked, which have no order with the slot's primary.
    pub(super) fn may_go_to_replicas(&self, request: &Request<'_, '_>) -> bool {
        *self.read_from(request.command) != ReadFrom::Primary && request.is_read()
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
