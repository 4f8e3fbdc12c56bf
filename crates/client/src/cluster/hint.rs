//! Hints to the topology worker: merged in place, so that a storm of them is one piece of work.

use parking_lot::Mutex;
use tokio::sync::Notify;
use truename_topology::{Endpoint, Slot};

/// How many patches may wait. A refresh takes care of the rest.
const MAX_PATCHES: usize = 256;

/// What was noticed since the worker last looked.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// Slots that a node said are elsewhere, to patch at once.
    pub(crate) moved: Vec<(Slot, Endpoint)>,
    /// Nodes that an `ASK` named and nobody knew.
    pub(crate) asked: Vec<Endpoint>,
    /// Something suggests that the topology changed.
    pub(crate) refresh: bool,
}

impl Hints {
    fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.asked.is_empty() && !self.refresh
    }
}

/// The way from the engine to its topology worker, which cannot block it.
#[derive(Debug, Default)]
pub(crate) struct HintQueue {
    hints: Mutex<Hints>,
    pending: Notify,
}

impl HintQueue {
    /// A node answered `MOVED`.
    pub(crate) fn moved(&self, slot: Slot, to: &Endpoint) {
        self.merge(|hints| {
            hints.refresh = true;
            hints.moved.retain(|(known, _)| *known != slot);
            if hints.moved.len() < MAX_PATCHES {
                hints.moved.push((slot, to.clone()));
            }
        });
    }

    /// A node answered `ASK` with a node that is not part of the topology.
    pub(crate) fn asked(&self, to: &Endpoint) {
        self.merge(|hints| {
            if !hints.asked.contains(to) && hints.asked.len() < MAX_PATCHES {
                hints.asked.push(to.clone());
            }
        });
    }

    /// Something suggests that the topology changed.
    pub(crate) fn refresh(&self) {
        self.merge(|hints| hints.refresh = true);
    }

    fn merge(&self, change: impl FnOnce(&mut Hints)) {
        change(&mut self.hints.lock());
        self.pending.notify_one();
    }

    /// Waits until there is something to do and takes all of it.
    pub(crate) async fn next(&self) -> Hints {
        loop {
            let hints = std::mem::take(&mut *self.hints.lock());
            if !hints.is_empty() {
                return hints;
            }
            self.pending.notified().await;
        }
    }
}
