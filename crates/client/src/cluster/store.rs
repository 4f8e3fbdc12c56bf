//! The current snapshot of the topology, and who may replace it.
//!
//! What must stay true: only the owner of the [`Pen`] replaces the snapshot, until the client is closed; nothing follows
//! the empty snapshot of a closed client; readers never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Topology;

/// Holds the current snapshot.
#[derive(Debug)]
pub(super) struct TopologyStore {
    current: ArcSwap<Topology>,
    /// As the snapshot says; here for callers who need nothing else from it.
    is_single: AtomicBool,
    /// Held while a snapshot is replaced: nothing follows the empty one of a closed client.
    replacing: Mutex<()>,
    version: watch::Sender<u64>,
    closed: watch::Sender<bool>,
}

/// The right to replace the snapshot. There is one per store, and the topology worker has it.
#[derive(Debug)]
pub(super) struct Pen(());

impl TopologyStore {
    /// A store with its first snapshot, and the right to replace that.
    pub(super) fn new(first: Topology) -> (Self, Pen) {
        let store = Self {
            is_single: AtomicBool::new(first.is_single()),
            current: ArcSwap::from_pointee(first),
            replacing: Mutex::new(()),
            version: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        };
        (store, Pen(()))
    }

    /// The current snapshot. The guard must not be held across an await.
    #[inline]
    pub(super) fn load(&self) -> Guard<Arc<Topology>> {
        self.current.load()
    }

    /// The current snapshot, to be kept for a while.
    pub(super) fn load_full(&self) -> Arc<Topology> {
        self.current.load_full()
    }

    #[inline]
    pub(super) fn is_single(&self) -> bool {
        self.is_single.load(Ordering::Relaxed)
    }

    /// Changes whenever the snapshot does.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Replaces the snapshot, unless the client was closed.
    pub(super) fn replace(&self, _: &mut Pen, next: Topology) {
        let _replacing = self.replacing.lock();
        if !self.is_closed() {
            self.put(next);
        }
    }

    /// Replaces the snapshot by the last one, which has no nodes.
    pub(super) fn close(&self, nothing: Topology) {
        let _replacing = self.replacing.lock();
        self.closed.send_replace(true);
        self.put(nothing);
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// True once the client was closed; its sender goes with the store.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    fn put(&self, topology: Topology) {
        self.is_single.store(topology.is_single(), Ordering::Relaxed);
        self.current.store(Arc::new(topology));
        self.version.send_modify(|version| *version += 1);
    }
}
