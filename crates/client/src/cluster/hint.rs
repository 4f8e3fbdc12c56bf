//! Hints to the topology worker: merged in place, so that a storm of them is one piece of work.

use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, watch};
use truename_topology::{Endpoint, Slot};

use crate::event::Event;

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

/// The way from the engine to its topology worker and to the listeners of events. Neither can block it.
#[derive(Debug)]
pub(crate) struct Signals {
    hints: Mutex<Hints>,
    pending: Notify,
    events: broadcast::Sender<Event>,
    closed: watch::Sender<bool>,
}

impl Signals {
    pub(crate) fn new() -> Self {
        let (events, _) = broadcast::channel(crate::event::CAPACITY);
        let closed = watch::Sender::new(false);
        Self { hints: Mutex::new(Hints::default()), pending: Notify::new(), events, closed }
    }

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

    /// The client was closed.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until the client is closed.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as this does.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Tells the listeners; free when there are none.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        self.emit_all(|| [event()]);
    }

    /// Sends several events, which are not even computed when there is no receiver.
    pub(crate) fn emit_all<E: IntoIterator<Item = Event>>(&self, events: impl FnOnce() -> E) {
        if self.events.receiver_count() > 0 {
            for event in events() {
                // A send fails only when the last receiver left meanwhile.
                let _ = self.events.send(event);
            }
        }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
