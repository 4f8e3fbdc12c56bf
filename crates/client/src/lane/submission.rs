//! One submission, from its caller's side: encoded at the first poll, given up when it is dropped, or left to somebody
//! else ([`Detached`]).
//!
//! Dropping a [`Submission`] at any point never changes the result of another one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::MutexGuard;
use tokio::time::Instant;

use super::failure::Failure;
use super::handle::{Lane, LanePhase, LaneState, Shared};
use super::pipeline::Progress;
use super::received::{Received, Unit};
use super::waiter::{RequestLimits, Ticket};
use crate::panics;

/// What comes back for something that is submitted to a lane.
///
/// Dropping it leaves the bytes in the stream; the replies are discarded in order.
#[must_use = "a command is submitted when its future is first polled"]
pub(crate) struct Submission<'a, E> {
    shared: &'a Arc<Shared>,
    limits: RequestLimits,
    encode: E,
    ticket: Option<Ticket>,
}

impl Lane {
    /// Submits what is to be sent as one: `encode` appends exactly its bytes, and may be called later than now but only
    /// once. Handed over at the first poll.
    pub(crate) fn submit<E: Fn(&mut BytesMut)>(&self, limits: RequestLimits, encode: E) -> Submission<'_, E> {
        Submission { shared: &self.shared, limits, encode, ticket: None }
    }
}

// Nothing in it is pinned: the closure is only ever called by reference.
impl<E> Unpin for Submission<'_, E> {}

impl<E: Fn(&mut BytesMut)> Future for Submission<'_, E> {
    type Output = Result<Received, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        let Some(ticket) = this.ticket else {
            if !matches!(state.phase, LanePhase::Open) {
                state.want_connection()?;
            }
            this.ticket = Some(state.pipeline.submit(this.limits, cx.waker(), &this.encode));
            this.shared.hand_over(state, this.limits.deadline);
            return Poll::Pending;
        };
        if state.pipeline.is_settled(ticket) {
            this.ticket = None;
            return Poll::Ready(state.pipeline.redeem(ticket));
        }
        this.poll_undecided(state, ticket, cx)
    }
}

impl<E: Fn(&mut BytesMut)> Submission<'_, E> {
    /// The rest of `poll`, when there was no outcome yet.
    #[inline(never)]
    fn poll_undecided(
        &mut self,
        mut state: MutexGuard<'_, LaneState>,
        ticket: Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<Received, Failure>> {
        match state.pipeline.poll_reply(ticket, cx.waker()) {
            Poll::Pending if state.watch.is_overdue() => {
                let outcome = ready!(self.shared.poll_overdue(state, ticket, &self.limits));
                self.ticket = None;
                Poll::Ready(outcome)
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Progress::Done(outcome)) => {
                self.ticket = None;
                Poll::Ready(outcome)
            }
            // A task that was not polled in all that time must not send what its caller no longer waits for.
            Poll::Ready(Progress::Encode) if self.limits.deadline <= Instant::now() => {
                drop(state);
                self.give_up();
                Poll::Ready(Err(Failure::TimedOut { submitted: false }))
            }
            Poll::Ready(Progress::Encode) => {
                state.pipeline.submit_granted(ticket, cx.waker(), &self.encode);
                self.shared.hand_over(state, self.limits.deadline);
                Poll::Pending
            }
        }
    }
}

impl<E> Submission<'_, E> {
    /// Whether its bytes are on their way: the connection is up, and the reply has not come.
    pub(crate) fn is_under_way(&self) -> bool {
        let mut state = self.shared.lock();
        let is_open = matches!(state.phase, LanePhase::Open);
        is_open && self.ticket.is_some_and(|ticket| state.pipeline.is_encoded(ticket))
    }

    /// Leaves the claim on the reply to somebody else. `None` if there will be none: nothing was sent, nor will it be.
    pub(crate) fn detach(&mut self) -> Option<Detached> {
        let ticket = self.ticket.take()?;
        let mut state = self.shared.lock();
        let is_sent = matches!(state.phase, LanePhase::Open) && state.pipeline.is_encoded(ticket);
        if is_sent || state.pipeline.is_settled(ticket) {
            let (shared, limits) = (self.shared.clone(), self.limits);
            return Some(Detached { shared, limits, ticket: Some(ticket) });
        }
        give_up(state, ticket);
        None
    }

    fn give_up(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            give_up(self.shared.lock(), ticket);
        }
    }
}

fn give_up(mut state: MutexGuard<'_, LaneState>, ticket: Ticket) {
    let mut wake = Vec::new();
    let is_due_sooner = state.pipeline.abandon(ticket, &mut wake);
    let task = if is_due_sooner { state.unpark_task() } else { None };
    drop(state);
    panics::wake_all(task.into_iter().chain(wake));
}

/// The claim on the reply to a submission whose caller has gone.
#[must_use = "dropping it gives the reply up"]
pub(crate) struct Detached {
    shared: Arc<Shared>,
    limits: RequestLimits,
    ticket: Option<Ticket>,
}

impl Future for Detached {
    type Output = Result<Received, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(ticket) = this.ticket else { return Poll::Pending };
        let mut state = this.shared.lock();
        let outcome = match state.pipeline.poll_reply(ticket, cx.waker()) {
            Poll::Ready(Progress::Done(outcome)) => outcome,
            Poll::Pending if state.watch.is_overdue() => {
                ready!(this.shared.poll_overdue(state, ticket, &this.limits))
            }
            // It was encoded long ago.
            Poll::Pending | Poll::Ready(Progress::Encode) => return Poll::Pending,
        };
        this.ticket = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            give_up(self.shared.lock(), ticket);
        }
    }
}

impl<E> Drop for Submission<'_, E> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.give_up();
        }
    }
}

/// The limits of what is submitted now.
pub(crate) fn request_limits(
    now: Instant,
    deadline: Instant,
    patience: Duration,
    unit: Unit,
) -> RequestLimits {
    RequestLimits { submitted: now, deadline, patience, unit }
}
