//! Connections for commands that wait on the server (`BLPOP` and its like): one command at a time, never shared.
//!
//! Invariant: a connection goes back to the pool only when its command is answered. Otherwise it is closed, so
//! that a server never hands an element to a caller who has gone.

use std::ops::Deref;

use parking_lot::Mutex;

use crate::connection::Lane;

/// Idle connections that a node keeps.
const KEPT: usize = 8;

/// A node's idle connections.
#[derive(Debug, Default)]
pub(super) struct ExclusivePool {
    idle: Mutex<Vec<Lane>>,
}

impl ExclusivePool {
    /// An idle connection, or a new one.
    pub(super) fn borrow(&self, spawn: impl FnOnce() -> Lane) -> ExclusiveLane<'_> {
        let idle = self.idle.lock().pop();
        ExclusiveLane { pool: self, lane: Some(idle.unwrap_or_else(spawn)) }
    }

    /// Closes the idle connections.
    pub(super) fn clear(&self) {
        self.idle.lock().clear();
    }
}

/// A connection that one caller has for itself.
#[derive(Debug)]
pub(crate) struct ExclusiveLane<'a> {
    pool: &'a ExclusivePool,
    lane: Option<Lane>,
}

impl ExclusiveLane<'_> {
    /// The command was answered: somebody else may have the connection.
    pub(crate) fn give_back(mut self) {
        let mut idle = self.pool.idle.lock();
        if idle.len() < KEPT {
            idle.extend(self.lane.take());
        }
    }
}

impl Deref for ExclusiveLane<'_> {
    type Target = Lane;

    fn deref(&self) -> &Lane {
        self.lane.as_ref().expect("present until it is given back")
    }
}
