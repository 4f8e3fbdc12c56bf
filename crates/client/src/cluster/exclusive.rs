//! A node's exclusive connections: each has one user at a time. Commands that wait on the server (`BLPOP` and its like)
//! need one.
//!
//! Invariants:
//! - There are never more than [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections) in use.
//!   Later callers wait, first come first served ([`super::room`]).
//! - A connection goes back to the pool only when its command is answered, or when none was sent on it.
//! - A connection that ended does not reconnect by itself: what its user had on it is gone with it. The [`DialGate`]
//!   decides when a new one may be dialled.
//! - Idle connections are few, and closed after a while.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::gate::{DialGate, Pass};
use super::room::{Place, Room};
use crate::clock;
use crate::connect::ConnectionFacts;
use crate::lane::{CloseCause, Lane, LaneObserver, LanePhase, STABLE_AFTER};

/// How many idle connections a node keeps.
const KEPT: usize = 8;

/// A node's exclusive connections.
#[derive(Debug)]
pub(super) struct ExclusivePool {
    room: Arc<Room>,
    limit: usize,
    gate: Arc<DialGate>,
    idle: Mutex<IdleConnections>,
    /// How long a connection may be idle.
    idle_time: Duration,
    runtime: Handle,
}

#[derive(Debug, Default)]
struct IdleConnections {
    /// The one that was used most recently is last.
    connections: Vec<(Connection, Instant)>,
    /// A task looks after them.
    is_tended: bool,
    /// How often all were closed. What was borrowed before is not kept.
    generation: u64,
}

#[derive(Debug)]
struct Connection {
    lane: Lane,
    record: Arc<Record>,
    /// The pool's when it was dialled.
    generation: u64,
}

/// What is known about one connection.
#[derive(Debug, Default)]
struct Record {
    facts: OnceLock<Arc<ConnectionFacts>>,
    was_answered: AtomicBool,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ExclusiveRefusal {
    /// All that are allowed are in use, and none became free in time.
    Full {
        /// The limit.
        limit: usize,
    },
    /// The node must not be dialled yet after it failed.
    Down(Arc<CloseCause>),
}

impl ExclusivePool {
    pub(super) fn new(limit: usize, idle_time: Duration, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            room: Room::new(limit),
            limit,
            gate: Arc::new(DialGate::new()),
            idle: Mutex::default(),
            idle_time,
            runtime,
        })
    }

    /// An idle connection, or a new one; waits for room no later than `until`. Cancel safe.
    ///
    /// `dial` makes the connection, and notifies the observer that it is given.
    pub(super) async fn borrow(
        self: &Arc<Self>,
        until: tokio::time::Instant,
        dial: impl FnOnce(ConnectionReport) -> Result<Lane, Arc<CloseCause>>,
    ) -> Result<ExclusiveLane, ExclusiveRefusal> {
        let place = clock::timeout_at(until, self.room.enter()).await;
        let place = place.ok_or(ExclusiveRefusal::Full { limit: self.limit })?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.dial(dial).map_err(ExclusiveRefusal::Down)?,
        };
        Ok(ExclusiveLane { pool: self.clone(), connection: Some(connection), _place: place })
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut ended = Vec::new();
        let mut idle = self.idle.lock();
        loop {
            let (connection, _) = idle.connections.pop()?;
            if matches!(connection.lane.phase(), LanePhase::Open) {
                return Some(connection);
            }
            ended.push(connection);
        }
    }

    fn dial(
        &self,
        dial: impl FnOnce(ConnectionReport) -> Result<Lane, Arc<CloseCause>>,
    ) -> Result<Connection, Arc<CloseCause>> {
        let record = Arc::<Record>::default();
        let pass = self.gate.enter(Instant::now())?;
        let generation = self.idle.lock().generation;
        let report = ConnectionReport {
            gate: self.gate.clone(),
            pass,
            record: record.clone(),
            up: OnceLock::new(),
            has_failed: AtomicBool::new(false),
        };
        Ok(Connection { lane: dial(report)?, record, generation })
    }

    fn answered(&self, connection: &Connection) {
        connection.record.was_answered.store(true, Ordering::Relaxed);
        self.gate.answered();
    }

    fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.connections.len() >= KEPT || connection.generation != idle.generation {
            return;
        }
        idle.connections.push((connection, Instant::now()));
        if !std::mem::replace(&mut idle.is_tended, true) {
            self.runtime.spawn(tend(Arc::downgrade(self), self.idle_time));
        }
    }

    /// Closes the idle connections, and those in use once they are given back: they may lead to the wrong server.
    pub(super) fn clear(&self) {
        let mut idle = self.idle.lock();
        idle.generation += 1;
        let connections = std::mem::take(&mut idle.connections);
        drop(idle);
        drop(connections);
    }

    /// Closes what has been idle for too long; returns when to look next, if anything is left.
    fn prune(&self, now: Instant) -> Option<Instant> {
        let mut idle = self.idle.lock();
        let is_fresh = |since: Instant| now.saturating_duration_since(since) < self.idle_time;
        let stale = idle.connections.iter().take_while(|(_, since)| !is_fresh(*since)).count();
        let closed: Vec<_> = idle.connections.drain(..stale).collect();
        let next = idle.connections.first().map(|(_, since)| *since + self.idle_time);
        idle.is_tended = next.is_some();
        drop(idle);
        drop(closed);
        next
    }
}

/// Closes idle connections when their time is over; ends when none is left.
async fn tend(pool: Weak<ExclusivePool>, first: Duration) {
    let mut next = Instant::now() + first;
    loop {
        tokio::time::sleep_until(next.into()).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.prune(Instant::now()) {
            Some(at) => next = at,
            None => return,
        }
    }
}

/// A connection that one user has for itself. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct ExclusiveLane {
    pool: Arc<ExclusivePool>,
    connection: Option<Connection>,
    /// Dropped last: by then the connection is back in the pool, or closed.
    _place: Place,
}

impl ExclusiveLane {
    /// The command was answered: somebody else may have the connection.
    pub(crate) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.answered(&connection);
            self.pool.keep(connection);
        }
    }

    /// Once it is connected, somebody else may have the connection: nothing was sent on it. A caller that leaves while it is
    /// being made would otherwise make the next one wait as long.
    pub(crate) async fn give_back_unused(mut self) {
        if let (LanePhase::Open, Some(connection)) = (self.settled().await, self.connection.take()) {
            self.pool.keep(connection);
        }
    }

    /// The connection's id with the server and its address as the server sees it, once it is connected and if the server
    /// reported them.
    pub(crate) fn client(&self) -> Option<(u64, String)> {
        let greeting = &self.connection.as_ref()?.record.facts.get()?.greeting;
        Some((greeting.client_id?, greeting.client_address.clone()?))
    }
}

impl Deref for ExclusiveLane {
    type Target = Lane;

    fn deref(&self) -> &Lane {
        &self.connection.as_ref().expect("present until it is given back").lane
    }
}

/// Reports to pool and gate what becomes of a connection.
#[derive(Debug)]
pub(super) struct ConnectionReport {
    gate: Arc<DialGate>,
    pass: Pass,
    record: Arc<Record>,
    up: OnceLock<Instant>,
    has_failed: AtomicBool,
}

impl LaneObserver for ConnectionReport {
    fn connected(&self, facts: &Arc<ConnectionFacts>) {
        let now = Instant::now();
        // An exclusive connection comes up once.
        let _ = (self.record.facts.set(facts.clone()), self.up.set(now));
        self.gate.connected(self.pass, now);
    }

    fn disconnected(&self, cause: &Arc<CloseCause>) {
        let held = self.up.get().is_some_and(|since| since.elapsed() >= STABLE_AFTER);
        if !held && !self.record.was_answered.load(Ordering::Relaxed) {
            self.has_failed.store(true, Ordering::Relaxed);
            self.gate.failed(self.pass, Instant::now(), cause);
        }
    }
}

impl Drop for ConnectionReport {
    fn drop(&mut self) {
        if !self.has_failed.load(Ordering::Relaxed) {
            self.gate.left(self.pass, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::lane::{Habit, PipelineBounds};

    /// A connection that was in use while the node's connections were replaced came back to the pool, and the next user met
    /// the wrong server again.
    #[tokio::test]
    async fn what_was_borrowed_before_all_were_closed_is_not_kept() {
        clock::start().expect("a thread");
        let far = Duration::from_secs(60);
        let pool = ExclusivePool::new(2, far, Handle::current());
        let dialled = Cell::new(0);
        let borrow = async || {
            let dial = |_| {
                dialled.set(dialled.get() + 1);
                let bounds = PipelineBounds { commands: 1, bytes: 1 };
                let (lane, shared) = Lane::new(bounds, Habit { stall: far, usual: far });
                shared.enter_open(tokio::time::Instant::now());
                Ok(lane)
            };
            pool.borrow(tokio::time::Instant::now() + far, dial).await.expect("a connection")
        };
        borrow().await.give_back();
        let used_again = borrow().await;
        assert_eq!(dialled.get(), 1);
        pool.clear();
        used_again.give_back();
        borrow().await.give_back();
        assert_eq!(dialled.get(), 2);
    }
}
