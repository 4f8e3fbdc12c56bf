//! A lane: one multiplexed, pipelined connection to one node, as its callers see it.
//!
//! Invariants:
//! - The lock is held for an encode or a hand-over, never across an await, a system call or a wake-up.
//! - A lane that is down refuses at once; a lane that is connecting queues, and what it queued is `Unsent`
//!   when the attempt fails.
//! - Dropping a [`Submission`] at any point never changes the result of another one.
//! - A caller's deadline is kept whether or not anything drives the lane's task ([`super::overdue`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use truename_resp::Reply;

use super::closed::CloseCause;
use super::pipeline::{Habit, Pipeline, Progress, Room};
use super::waiter::{Failure, RequestLimits, Ticket};
use super::watch::{Home, Watch};
use crate::connect::Driven;
use crate::panics;

/// Where a lane is in its life.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
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
    pub(crate) phase: Phase,
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

    /// Enters a phase, unless the lane is retired; returns those who waited for the lane to settle.
    fn settle(&mut self, phase: Phase) -> Vec<Waker> {
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
        matches!(self.phase, Phase::Retired)
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
    fn hand_over(self: &Arc<Self>, mut state: MutexGuard<'_, LaneState>, deadline: Instant) {
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
            state.phase = Phase::Connecting;
        }
    }

    /// See [`Lane::renew`].
    pub(super) fn renew(&self) {
        let task = {
            let mut state = self.lock();
            if !matches!(state.phase, Phase::Open) {
                return;
            }
            state.renewing = true;
            state.unpark_task()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// A connection is up: it begins with what was queued.
    pub(crate) fn enter_open(&self, now: Instant) {
        let mut state = self.lock();
        let mut wake = state.settle(Phase::Open);
        state.pipeline.open(now, &mut wake);
        drop(state);
        panics::wake_all(wake);
    }

    /// There is no connection: fails everything outstanding with the cause, and refuses what comes.
    pub(crate) fn enter_down(&self, cause: Arc<CloseCause>) {
        let mut state = self.lock();
        let mut wake = state.settle(Phase::Down(cause.clone()));
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
    shared: Arc<Shared>,
}

impl Lane {
    /// A lane without a connection, and what its task needs. The current runtime is the one that the task will run on.
    pub(crate) fn new(room: Room, habit: Habit) -> (Self, Arc<Shared>) {
        let shared = Arc::new(Shared {
            state: Mutex::new(LaneState {
                pipeline: Pipeline::new(room, habit),
                phase: Phase::Idle,
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
            if !matches!(state.phase, Phase::Idle) {
                return;
            }
            state.phase = Phase::Connecting;
            state.unpark_task()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The phase as of now.
    pub(crate) fn phase(&self) -> Phase {
        self.shared.lock().phase.clone()
    }

    /// Waits until the lane is connected or has failed to.
    pub(crate) async fn settled(&self) -> Phase {
        std::future::poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.phase {
                Phase::Idle | Phase::Connecting => {
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
            if !matches!(state.phase, Phase::Connecting) {
                return;
            }
            state.pipeline.close(&Arc::new(CloseCause::Recalled), &mut wake);
        }
        panics::wake_all(wake);
    }

    /// Submits one command: `encode` appends exactly its bytes, and may be called later than now but only once.
    ///
    /// The command is handed over at the first poll. Dropping the future leaves the command in the stream; its
    /// reply is discarded in order.
    pub(crate) fn submit<E: Fn(&mut BytesMut)>(&self, limits: RequestLimits, encode: E) -> Submission<'_, E> {
        Submission { lane: self, limits, encode, ticket: None }
    }

    fn retire(&self) {
        let (task, settled) = {
            let mut state = self.shared.lock();
            state.phase = Phase::Retired;
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

/// The reply to a submitted command.
#[must_use = "a command is submitted when its future is first polled"]
pub(crate) struct Submission<'a, E> {
    lane: &'a Lane,
    limits: RequestLimits,
    encode: E,
    ticket: Option<Ticket>,
}

// Nothing in it is pinned: the closure is only ever called by reference.
impl<E> Unpin for Submission<'_, E> {}

impl<E: Fn(&mut BytesMut)> Future for Submission<'_, E> {
    type Output = Result<Reply, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut state = this.lane.shared.lock();
        let Some(ticket) = this.ticket else {
            match &state.phase {
                Phase::Down(cause) => return Poll::Ready(Err(Failure::Unsent(cause.clone()))),
                Phase::Retired => {
                    return Poll::Ready(Err(Failure::Unsent(Arc::new(CloseCause::Retired))));
                }
                Phase::Idle => state.phase = Phase::Connecting,
                Phase::Connecting | Phase::Open => {}
            }
            this.ticket = Some(state.pipeline.submit(this.limits, cx.waker(), &this.encode));
            this.lane.shared.hand_over(state, this.limits.deadline);
            return Poll::Pending;
        };
        match state.pipeline.poll_reply(ticket, cx.waker()) {
            Poll::Pending if state.watch.is_overdue() => {
                let outcome = ready!(this.lane.shared.poll_overdue(state, ticket, &this.limits));
                this.ticket = None;
                Poll::Ready(outcome)
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Progress::Done(outcome)) => {
                this.ticket = None;
                Poll::Ready(outcome)
            }
            // A task that was not polled in all that time must not send what its caller no longer waits for.
            Poll::Ready(Progress::Encode) if this.limits.deadline <= Instant::now() => {
                drop(state);
                this.give_up();
                Poll::Ready(Err(Failure::TimedOut { submitted: false }))
            }
            Poll::Ready(Progress::Encode) => {
                state.pipeline.submit_granted(ticket, cx.waker(), &this.encode);
                this.lane.shared.hand_over(state, this.limits.deadline);
                Poll::Pending
            }
        }
    }
}

impl<E> Submission<'_, E> {
    fn give_up(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut wake = Vec::new();
            let task = {
                let mut state = self.lane.shared.lock();
                let is_due_sooner = state.pipeline.abandon(ticket, &mut wake);
                if is_due_sooner { state.unpark_task() } else { None }
            };
            panics::wake_all(task.into_iter().chain(wake));
        }
    }
}

impl<E> Drop for Submission<'_, E> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The limits of a command submitted now.
pub(crate) fn request_limits(
    now: Instant,
    deadline: Instant,
    patience: std::time::Duration,
    preamble: u8,
) -> RequestLimits {
    RequestLimits { submitted: now, deadline, patience, preamble }
}
