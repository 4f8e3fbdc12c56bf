//! What a proxy has counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Direction;

/// Counts since the proxy exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes read from clients.
    pub from_clients: u64,
    /// Bytes that the server was given.
    pub to_server: u64,
    /// Bytes read from the server.
    pub from_server: u64,
    /// Bytes that clients were given.
    pub to_clients: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    read: [AtomicU64; 2],
    written: [AtomicU64; 2],
}

impl Counters {
    pub(super) fn read(&self, direction: Direction, bytes: usize) {
        self.read[direction as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn written(&self, direction: Direction, bytes: usize) {
        self.written[direction as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Traffic {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            accepted: load(&self.accepted),
            open: load(&self.open),
            from_clients: load(&self.read[Direction::Requests as usize]),
            to_server: load(&self.written[Direction::Requests as usize]),
            from_server: load(&self.read[Direction::Replies as usize]),
            to_clients: load(&self.written[Direction::Replies as usize]),
        }
    }
}

/// Counts a connection for as long as it lives, even when its task is aborted.
pub(super) struct OpenConnection<'a>(&'a Counters);

impl<'a> OpenConnection<'a> {
    pub(super) fn count(counters: &'a Counters) -> Self {
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        counters.open.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
