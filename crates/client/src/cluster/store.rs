//! The current snapshot of the topology, and who may replace it.
//!
//! What must stay true: only the owner of the [`Pen`] replaces the snapshot, until the client is closed; nothing follows
//! the empty snapshot of a closed client; readers never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Topology;

/// There is only one node, as the snapshot says.
const SINGLE: u8 = 1;
/// No more calls are taken.
const ENDING: u8 = 1 << 1;

/// What a caller has to know before it looks at the snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode(u8);

impl Mode {
    #[inline]
    pub(crate) fn is_single(self) -> bool {
        self.0 & SINGLE != 0
    }

    #[inline]
    pub(crate) fn is_ending(self) -> bool {
        self.0 & ENDING != 0
    }
}

/// Holds the current snapshot.
#[derive(Debug)]
pub(super) struct TopologyStore {
    current: ArcSwap<Topology>,
    /// See [`Mode`].
    mode: AtomicU8,
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
            mode: AtomicU8::new(if first.is_single() { SINGLE } else { 0 }),
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
    pub(super) fn mode(&self) -> Mode {
        Mode(self.mode.load(Ordering::Relaxed))
    }

    /// Takes no more calls.
    pub(super) fn end(&self) {
        self.mode.fetch_or(ENDING, Ordering::AcqRel);
    }

    /// Whether no more calls are taken.
    pub(super) fn is_ending(&self) -> bool {
        Mode(self.mode.load(Ordering::Acquire)).is_ending()
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
        match topology.is_single() {
            true => self.mode.fetch_or(SINGLE, Ordering::Relaxed),
            false => self.mode.fetch_and(!SINGLE, Ordering::Relaxed),
        };
        self.current.store(Arc::new(topology));
        self.version.send_modify(|version| *version += 1);
    }
}
