//! Deadlines of callers whose lane's task does not keep them, because nothing drives its runtime.
//!
//! A lane's deadlines are kept by its own task, with one timer for all ([`super::alarm`]). That task stands still when
//! its runtime does: a current-thread runtime outside of `block_on`. So a lane also sets an alarm of the process's clock,
//! one for the earliest deadline. When the clock finds
//! that the task is late, it wakes the callers that are past their deadline, and a caller that is not of the lane's own runtime
//! gives up by itself. Callers of the same runtime are left to the task for a while: when that comes late, so did they, and
//! the reply that is in the socket by then is still theirs. But a runtime with workers may run callers while the worker
//! that the task waits for is blocked; and what is polled in a runtime may be polled by another executor's `block_on`,
//! which does not drive the runtime. There, callers give up too, a little later.
//!
//! Per command this costs one comparison.

use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use parking_lot::MutexGuard;
use tokio::time::Instant;

use super::failure::Failure;
use super::handle::{LanePhase, LaneState, Shared};
use super::received::Received;
use super::waiter::{RequestLimits, Ticket};
use crate::clock::{self, LATE, Watched};
use crate::panics;

/// How late the lane's task may do its checks before it counts as standing still.
const GRACE: Duration = Duration::from_millis(20);
/// How long callers of the lane's own runtime go on waiting for its task: after their deadline where it has workers, else
/// after one of them was polled first while the task was late.
const STARVED: Duration = Duration::from_millis(200);
/// The longest time until the next look, so that a lane that is gone is forgotten.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

impl Shared {
    /// Sets the alarm for a command's deadline.
    #[cold]
    pub(super) fn watch(self: &Arc<Self>, deadline: Instant) {
        let mut state = self.lock();
        if state.watch.misses(deadline) {
            self.watch_from(&mut state, deadline);
        }
    }

    fn watch_from(self: &Arc<Self>, state: &mut LaneState, deadline: Instant) {
        let at = deadline.min(Instant::now() + LOOK_AT_LEAST);
        let this: Weak<Self> = Arc::downgrade(self);
        state.watch.from = Some((at, clock::look_at(at + GRACE, this)));
    }

    /// The outcome of a command that is still without a reply while the lane's task is late.
    #[cold]
    pub(super) fn poll_overdue(
        &self,
        mut state: MutexGuard<'_, LaneState>,
        ticket: Ticket,
        limits: &RequestLimits,
    ) -> Poll<Result<Received, Failure>> {
        let now = Instant::now();
        let gives_up = match (self.home().is_here(), self.home().has_workers) {
            (false, _) => now >= limits.deadline,
            (true, true) => now >= limits.deadline + STARVED,
            (true, false) => now >= limits.deadline && state.is_driven_by_nobody(now),
        };
        if !gives_up {
            return Poll::Pending;
        }
        let open = matches!(state.phase, LanePhase::Open);
        let mut wake = Vec::new();
        let outcome = state.pipeline.time_out(ticket, open, &mut wake);
        drop(state);
        panics::wake_all(wake);
        Poll::Ready(outcome)
    }
}

impl LaneState {
    /// Whether callers of the runtime that runs one task at a time were polled for a while, and the lane's task was not.
    fn is_driven_by_nobody(&mut self, now: Instant) -> bool {
        let Some(check) = self.pipeline.next_check().filter(|check| *check + GRACE <= now) else {
            return false;
        };
        match self.watch.polled {
            Some((behind_with, since)) if behind_with == check => now >= since + STARVED,
            _ => {
                self.watch.polled = Some((check, now));
                false
            }
        }
    }
}

impl Watched for Shared {
    fn look(self: Arc<Self>, late: Duration) {
        let now = Instant::now();
        let mut wake = Vec::new();
        let mut state = self.lock();
        state.watch.from = None;
        let Some(check) = state.pipeline.next_check() else {
            state.watch.is_overdue = false;
            return;
        };
        let is_behind = check + GRACE <= now;
        // A clock that is late was stopped with the whole process: the lane's task gets as long to do its checks.
        state.watch.is_overdue = is_behind && late < LATE;
        if state.watch.is_overdue {
            let next = state.pipeline.rouse(now, &mut wake);
            let again = (!wake.is_empty()).then_some(now + STARVED);
            if let Some(next) = next.into_iter().chain(again).min() {
                self.watch_from(&mut state, next);
            }
        } else {
            self.watch_from(&mut state, if is_behind { now + LATE } else { check });
        }
        drop(state);
        panics::wake_all(wake);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::lane::alarm::Alarm;
    use crate::lane::handle::Lane;
    use crate::lane::pipeline::{Habit, PipelineBounds};
    use crate::lane::received::{Form, Unit};
    use crate::lane::submission::request_limits;

    /// Each call with an earlier deadline than those before it left one more alarm with the clock, which set itself anew for
    /// as long as the lane was busy: an hour of some short calls among long ones left a hundred thousand.
    #[tokio::test]
    async fn a_lane_has_one_alarm_with_the_clock() {
        clock::start().expect("a thread");
        let far = Duration::from_secs(3600);
        let (lane, shared) =
            Lane::new(PipelineBounds { commands: 100, bytes: 1 << 20 }, Habit { stall: far, usual: far });
        let of_task = shared.clone();
        let task = tokio::spawn(async move {
            let (mut alarm, mut wake) = (Alarm::new(), Vec::new());
            poll_fn(|cx| {
                alarm.poll_checks(cx, &of_task, &mut wake);
                of_task.lock().park_task(cx.waker());
                Poll::<()>::Pending
            })
            .await;
        });
        let call = |millis| {
            let now = Instant::now();
            lane.submit(
                request_limits(now, now + Duration::from_millis(millis), far, Unit::command(Form::Decoded)),
                |out| out.extend_from_slice(b"x"),
            )
        };
        let long = async {
            let _ = call(20_000).await;
        };
        let short = async {
            for _ in 0..20 {
                assert!(call(1).await.is_err());
                tokio::time::sleep(GRACE * 2).await;
            }
        };
        tokio::select! {
            () = long => panic!("it takes longer"),
            () = short => {}
        }
        let watched: Weak<dyn Watched> = Arc::downgrade(&shared) as Weak<dyn Watched>;
        assert!(clock::looks_of(&watched) <= 1, "{} alarms", clock::looks_of(&watched));
        task.abort();
    }
}
