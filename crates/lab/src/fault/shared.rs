//! What the handle of a proxy and its tasks share.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::orders::{Admission, Handle};
use super::rewrite::{Rewriter, Rule};
use super::traffic::Counters;
use super::{Cut, Fault};

/// What the handle and the tasks of a proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) fault: watch::Sender<Fault>,
    pub(super) counters: Counters,
    plan: Mutex<Plan>,
    open: Mutex<OpenConnections>,
}

/// What holds for connections to come.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) target: SocketAddr,
    pub(super) next_cuts: VecDeque<Cut>,
    pub(super) every_cut: Option<Cut>,
    pub(super) rewrite: Option<Rule>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    handles: BTreeMap<u64, Handle>,
}

impl Shared {
    /// Of a proxy in front of `target`, without a fault.
    pub(super) fn new(target: SocketAddr) -> Self {
        let plan = Plan { target, next_cuts: VecDeque::new(), every_cut: None, rewrite: None };
        Self {
            fault: watch::Sender::new(Fault::Pass),
            counters: Counters::default(),
            plan: Mutex::new(plan),
            open: Mutex::default(),
        }
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handles(&self) -> Vec<Handle> {
        self.open().handles.values().cloned().collect()
    }

    pub(super) fn target(&self) -> SocketAddr {
        self.plan().target
    }

    /// Decides what holds for a connection that was accepted now.
    pub(super) fn admit(&self) -> Admission {
        let mut plan = self.plan();
        let cut = plan.next_cuts.pop_front().or(plan.every_cut);
        Admission { cut, rewriter: plan.rewrite.clone().map(Rewriter::new) }
    }

    /// Makes a connection reachable for orders until the result is dropped.
    pub(super) fn register(&self, handle: Handle) -> Registered<'_> {
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        open.handles.insert(id, handle);
        Registered { shared: self, id }
    }
}

/// A connection's entry among the open ones.
pub(super) struct Registered<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shared.open().handles.remove(&self.id);
    }
}
