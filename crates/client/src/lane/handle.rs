//! A lane: one multiplexed, pipelined connection to one node, as its callers see it.
//!
//! Invariants:
//! - The lock is held for an encode or a hand-over, never across an await, a system call or a wake-up.
//! - A lane that is down refuses at once; a lane that is connecting queues, and what it queued is `Unsent`
//!   when the attempt fails.
//! - A caller's deadline is kept whether or not anything drives the lane's task ([`super::overdue`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::closed::CloseCause;
use super::failure::Failure;
use super::pipeline::{Habit, Pipeline, PipelineBounds};
use super::watch::{Home, Watch};
use crate::connect::Driven;
use crate::panics;

/// The number of the next connection, of all lanes.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(0);

/// Where a lane is in its life.
#[derive(Debug, Clone)]
pub(crate) enum LanePhase {
    /// Not connected and nobody asked for it yet.
    Idle,
    /// A connection is being made; commands queue.
    Connecting,
    /// Connected.
    Open,
    /// The last attempt or connection failed; commands are refused until the next attempt starts.
    Down(Arc<CloseCause>),
    /// Never to be used again.
    Retired,
}

/// What the lane's lock protects.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) pipeline: Pipeline,
    pub(crate) phase: LanePhase,
    /// The number of the latest connection that was up.
    connection: u64,
    /// Whether the latest connection was told to read from replicas (`READONLY`) when it was made.
    is_readonly: bool,
    /// The connection is to be replaced once it has nothing in flight; what is submitted meanwhile waits for the next.
    renewing: bool,
    /// The lane's task, while it has nothing to do.
    task: Option<Waker>,
    /// Tasks that wait for the phase to leave `Idle` and `Connecting`.
    settled: Vec<Waker>,
    pub(super) watch: Watch,
}

impl LaneState {
    /// Leaves the lane's task to be woken by the next caller.
    pub(crate) fn park_task(&mut self, waker: &Waker) {
        match &mut self.task {
            Some(current) => current.clone_from(waker),
            None => self.task = Some(waker.clone()),
        }
    }

    /// The task runs: nobody needs to wake it.
    pub(crate) fn unpark_task(&mut self) -> Option<Waker> {
        self.task.take()
    }

    /// A command is about to be submitted while there is no connection: one is wanted, if there will be one.
    #[cold]
    pub(super) fn want_connection(&mut self) -> Result<(), Failure> {
        match &self.phase {
            LanePhase::Down(cause) => return Err(Failure::Unsent(cause.clone())),
            LanePhase::Retired => return Err(Failure::Unsent(Arc::new(CloseCause::Retired))),
            LanePhase::Idle => self.phase = LanePhase::Connecting,
            LanePhase::Connecting | LanePhase::Open => {}
        }
        Ok(())
    }

    /// Enters a phase, unless the lane is retired; returns those who waited for the lane to settle.
    fn settle(&mut self, phase: LanePhase) -> Vec<Waker> {
        if !self.is_retired() {
            self.phase = phase;
        }
        std::mem::take(&mut self.settled)
    }

    /// Whether the connection has something to write, or can be replaced now.
    pub(crate) fn has_work(&mut self) -> bool {
        if self.renewing { self.pipeline.is_drained() } else { self.pipeline.has_output() }
    }

    /// Whether the connection is to be replaced once it has nothing in flight.
    pub(crate) fn is_renewing(&self) -> bool {
        self.renewing
    }

    /// Whether the lane's handle is gone or gave it up.
    pub(crate) fn is_retired(&self) -> bool {
        matches!(self.phase, LanePhase::Retired)
    }
}

/// The part of a lane that its callers and its task share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<LaneState>,
    home: Home,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock()
    }

    /// A command was put into the pipeline: its task runs, and its deadline is watched.
    #[inline]
    pub(super) fn hand_over(self: &Arc<Self>, mut state: MutexGuard<'_, LaneState>, deadline: Instant) {
        let is_unwatched = state.watch.misses(deadline);
        let task = state.unpark_task();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        if is_unwatched {
            self.watch(deadline);
        }
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// Wakes the lane's task, if it waits: something other than a caller has work for it.
    pub(crate) fn wake_task(&self) {
        let task = self.lock().unpark_task();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// A connection is about to be made.
    pub(crate) fn enter_connecting(&self) {
        let mut state = self.lock();
        state.renewing = false;
        if !state.is_retired() {
            state.phase = LanePhase::Connecting;
        }
    }

    /// See [`Lane::renew`].
    pub(super) fn renew(&self) {
        let task = {
            let mut state = self.lock();
            if !matches!(state.phase, LanePhase::Open) {
                return;
            }
            state.renewing = true;
            state.unpark_task()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// What the connection that is about to be up was told when it was made.
    pub(super) fn note_mode(&self, is_readonly: bool) {
        self.lock().is_readonly = is_readonly;
    }

    /// A connection is up: it begins with what was queued.
    pub(crate) fn enter_open(&self, now: Instant) {
        let mut state = self.lock();
        let mut wake = state.settle(LanePhase::Open);
        state.connection = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
        state.pipeline.open(now, &mut wake);
        drop(state);
        panics::wake_all(wake);
    }

    /// There is no connection: fails everything outstanding with the cause, and refuses what comes.
    pub(crate) fn enter_down(&self, cause: Arc<CloseCause>) {
        let mut state = self.lock();
        let mut wake = state.settle(LanePhase::Down(cause.clone()));
        state.pipeline.close(&cause, &mut wake);
        drop(state);
        panics::wake_all(wake);
    }
}

impl Driven for Shared {
    fn wake(&self) {
        self.wake_task();
    }
}

/// A handle to a lane. Dropping it retires the lane: its task ends.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) shared: Arc<Shared>,
}

impl Lane {
    /// A lane without a connection, and what its task needs. The current runtime is the one that the task will run on.
    pub(crate) fn new(bounds: PipelineBounds, habit: Habit) -> (Self, Arc<Shared>) {
        let shared = Arc::new(Shared {
            state: Mutex::new(LaneState {
                pipeline: Pipeline::new(bounds, habit),
                phase: LanePhase::Idle,
                connection: 0,
                is_readonly: false,
                renewing: false,
                task: None,
                settled: Vec::new(),
                watch: Watch::default(),
            }),
            home: Home::here(),
        });
        (Self { shared: shared.clone() }, shared)
    }

    /// Asks for a connection now rather than at the first command.
    pub(crate) fn warm_up(&self) {
        let task = {
            let mut state = self.shared.lock();
            if !matches!(state.phase, LanePhase::Idle) {
                return;
            }
            state.phase = LanePhase::Connecting;
            state.unpark_task()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Whether nothing is outstanding and nobody waits for room.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.lock().pipeline.is_idle()
    }

    /// Whether its connection is being made.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.phase(), LanePhase::Connecting)
    }

    /// The phase as of now.
    pub(crate) fn phase(&self) -> LanePhase {
        self.shared.lock().phase.clone()
    }

    /// Which connection is up: a number that no other connection of this process has. What is submitted and answered while it
    /// stays the same was answered on that connection.
    pub(crate) fn connection(&self) -> Option<u64> {
        let state = self.shared.lock();
        matches!(state.phase, LanePhase::Open).then_some(state.connection)
    }

    /// Whether what is submitted now goes on a connection that was told to read from replicas; unknown while it would wait for
    /// another connection.
    pub(crate) fn is_readonly(&self) -> Option<bool> {
        let state = self.shared.lock();
        (matches!(state.phase, LanePhase::Open) && !state.renewing).then_some(state.is_readonly)
    }

    /// Waits until the lane is connected or has failed to.
    pub(crate) async fn settled(&self) -> LanePhase {
        std::future::poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.phase {
                LanePhase::Idle | LanePhase::Connecting => {
                    state.settled.push(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(state.phase.clone()),
            }
        })
        .await
    }

    /// Closes the connection once everything that was sent on it is answered, and makes another one, for which the
    /// node's name is looked up again. What is submitted meanwhile waits for it, in order. Nothing fails.
    pub(crate) fn renew(&self) {
        self.shared.renew();
    }

    /// Gives back what waits for a connection, to be routed by a newer topology.
    pub(crate) fn recall(&self) {
        let mut wake = Vec::new();
        {
            let mut state = self.shared.lock();
            // Under the same lock: a connection that comes up in between would find its pipeline emptied.
            if !matches!(state.phase, LanePhase::Connecting) {
                return;
            }
            state.pipeline.close(&Arc::new(CloseCause::Recalled), &mut wake);
        }
        panics::wake_all(wake);
    }

    /// Ends the lane for good, whoever still holds it.
    pub(crate) fn retire(&self) {
        let (task, settled) = {
            let mut state = self.shared.lock();
            state.phase = LanePhase::Retired;
            (state.unpark_task(), std::mem::take(&mut state.settled))
        };
        panics::wake_all(task.into_iter().chain(settled));
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.retire();
    }
}
