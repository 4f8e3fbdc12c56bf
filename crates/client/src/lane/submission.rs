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
    /// Its caller leaves. What became of it is decided at one moment: a reply that comes meanwhile is the outcome, or is the
    /// one that is still to come.
    pub(crate) fn leave(&mut self) -> Leaves {
        let Some(ticket) = self.ticket.take() else { return Leaves::Nothing };
        let mut state = self.shared.lock();
        if state.pipeline.is_settled(ticket) {
            return Leaves::Outcome(state.pipeline.redeem(ticket));
        }
        let is_queued = matches!(state.phase, LanePhase::Idle | LanePhase::Connecting);
        if !is_queued && state.pipeline.is_encoded(ticket) {
            let (shared, limits) = (self.shared.clone(), self.limits);
            return Leaves::Claim(Detached { shared, limits, ticket: Some(ticket) });
        }
        give_up(state, ticket);
        Leaves::Nothing
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

/// What a caller that leaves a submission has to see to.
#[derive(Debug)]
pub(crate) enum Leaves {
    /// Nothing was sent, nor will it be; or the outcome was had before.
    Nothing,
    /// It has come.
    Outcome(Result<Received, Failure>),
    /// It is still to come.
    Claim(Detached),
}

/// The claim on the reply to a submission whose caller has gone.
#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use truename_resp::Reply;

    use super::*;
    use crate::clock;
    use crate::lane::pipeline::{Habit, PipelineBounds};
    use crate::lane::received::Form;

    /// It was looked at twice: a reply that came in between was told as never sent.
    #[tokio::test]
    async fn who_leaves_is_told_of_the_same_moment_that_the_reply_is_had_from() {
        clock::start().expect("a thread");
        let far = Duration::from_secs(60);
        let (lane, shared) =
            Lane::new(PipelineBounds { commands: 100, bytes: 1 << 20 }, Habit { stall: far, usual: far });
        let submitted = || {
            let now = Instant::now();
            let limits = request_limits(now, now + far, far, Unit::command(Form::Decoded));
            let mut submission = lane.submit(limits, |out| out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n"));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut submission).poll(&mut cx).is_pending());
            submission
        };
        assert!(matches!(submitted().leave(), Leaves::Nothing), "it waited for a connection");
        shared.enter_open(Instant::now());
        assert!(lane.is_idle());
        let (mut answered, mut under_way) = (submitted(), submitted());
        {
            let mut state = shared.lock();
            let mut taken = BytesMut::new();
            state.pipeline.take_output(&mut taken);
            state.pipeline.accept(taken.len());
            let pong = Received::Reply(Reply::Simple("PONG".into()));
            state.pipeline.complete(pong, &mut Vec::new()).expect("it was asked for");
        }
        let Leaves::Claim(claim) = under_way.leave() else { panic!("it is still to come") };
        {
            let mut state = shared.lock();
            state.pipeline.complete(Received::Reply(Reply::Nil), &mut Vec::new()).expect("it was asked for");
        }
        assert!(matches!(claim.await, Ok(Received::Reply(Reply::Nil))));
        // Nothing is outstanding, but its caller has not looked yet.
        assert!(!lane.is_idle());
        assert!(matches!(answered.leave(), Leaves::Outcome(Ok(Received::Reply(Reply::Simple(_))))));
        assert!(matches!(answered.leave(), Leaves::Nothing));
        assert!(lane.is_idle());
    }
}
