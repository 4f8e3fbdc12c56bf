//! What a pipeline checks from time to time: deadlines, room that is not taken up, and the server's silence.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::Pipeline;
use super::silence::{Concern, Outlook, Silence};
use crate::lane::failure::Failure;
use crate::lane::waiter::{RequestLimits, Waiter, WaiterState};

/// More unanswered bytes than these may fill the server's receive window, so that a paused server takes no more of them.
const WINDOW: u64 = 16 * 1024;

impl Pipeline {
    /// Fails what is past its deadline, and returns whether the server has been silent for too long.
    ///
    /// Scans all that is outstanding, so it runs at [`Self::next_check`] only: once per time-out period while
    /// the server keeps up, because a deadline that was met is noticed lazily.
    pub(crate) fn check(&mut self, now: Instant, open: bool, wake: &mut Vec<Waker>) -> Option<Concern> {
        // The time of the next check and the longest patience are computed again from what is still outstanding, so that
        // no reply has to correct them. An entry whose caller has left or timed out counts only for its patience.
        self.checked_at = Some(now);
        self.forget_check();
        self.longest_patience = Duration::ZERO;
        for position in 0..self.in_flight.len() + self.parked.len() {
            let queued = self.in_flight.at(position);
            let index = queued.unwrap_or_else(|| self.parked[position - self.in_flight.len()]);
            let waiter = self.waiters.at(index);
            let pending = matches!(waiter.state, WaiterState::Waiting(_) | WaiterState::Parked(_));
            let deadline = waiter.limits.deadline;
            if pending && deadline <= now {
                time_out(waiter, open, self.accepted, wake);
                // What it asked for beyond the usual goes with it.
                waiter.limits.patience = waiter.limits.patience.min(self.habit.stall);
            }
            self.longest_patience = self.longest_patience.max(waiter.limits.patience);
            if pending && deadline > now {
                self.check_by(deadline);
            }
        }
        // In this order, so that nobody who has timed out is invited or granted room.
        self.drop_settled_parked();
        self.check_invited(now, wake);
        self.pass_on_late_grants(now, wake);
        let concern = if open { self.check_silence(now) } else { None };
        self.accepted_at_check = self.accepted;
        self.grant(wake);
        concern
    }

    fn check_silence(&mut self, now: Instant) -> Option<Concern> {
        let head = self.in_flight.oldest()?;
        let Waiter { limits, end, .. } = *self.waiters.at(head);
        // A server that takes the rest of a long command is alive, though it owes no reply yet.
        let is_unfinished = end > self.accepted;
        if self.accepted > self.accepted_at_check && (is_unfinished || self.unfinished_at_check == Some(end))
        {
            self.last_heard = Some(now);
        }
        self.unfinished_at_check = is_unfinished.then_some(end);
        let silence = self.silence(limits);
        match silence.outlook(now) {
            Outlook::Bearable(until) => {
                self.check_by(until);
                None
            }
            Outlook::Ask { asked, until } => {
                self.asked = Some(asked);
                self.check_by(until);
                Some(Concern::Ask)
            }
            Outlook::Stalled(silence) => Some(Concern::Stalled(silence)),
            Outlook::Overdue(late) => Some(Concern::Overdue(late)),
        }
    }

    fn silence(&self, limits: RequestLimits) -> Silence {
        Silence {
            since: self.last_heard.map_or(limits.submitted, |heard| heard.max(limits.submitted)),
            answered: self.answered,
            asked: self.asked,
            patience: limits.patience,
            deadline: limits.deadline.max(limits.submitted + self.habit.usual),
            habit: self.habit,
        }
    }

    /// Notes that the server answered on another connection: it is paused or busy, not dead.
    pub(crate) fn answered_elsewhere(&mut self, now: Instant) {
        self.answered = Some(now);
        let Some(head) = self.in_flight.oldest() else { return };
        if self.accepted - self.waiters.at(head).start.min(self.accepted) < WINDOW {
            return;
        }
        // The system cannot tell a server that takes no more from a path that is dead, and must not give it up.
        for index in self.in_flight.iter() {
            let deadline = self.waiters.at(index).limits.deadline;
            self.longest_patience = self.longest_patience.max(deadline.saturating_duration_since(now));
        }
    }

    /// Whether the server still owes a reply, and was not heard since another connection was asked.
    pub(crate) fn is_silent(&self) -> bool {
        let asked = self.asked.or(self.answered);
        let unheard = asked.is_some_and(|at| self.last_heard.is_none_or(|heard| heard < at));
        unheard && !self.in_flight.is_empty()
    }

    /// How long the transport must tolerate a peer that acknowledges nothing, for the sake of what is outstanding; it always
    /// tolerates one for the usual patience.
    pub(crate) fn longest_patience(&self) -> Duration {
        self.longest_patience
    }

    /// A time that is not later than now, where it costs nothing to know one.
    pub(super) fn lately(&self, otherwise: Instant) -> Instant {
        self.last_heard.max(self.checked_at).unwrap_or(otherwise)
    }

    fn drop_settled_parked(&mut self) {
        let waiters = &mut self.waiters;
        self.parked.retain(|&index| {
            let waiter = waiters.at(index);
            let waits = matches!(waiter.state, WaiterState::Parked(_));
            if !waits && !waiter.held {
                waiters.reclaim(index);
            }
            waits
        });
    }
}

/// Ends a waiter whose time is up, and wakes its caller. `accepted`: the bytes of the stream that the transport accepted.
pub(super) fn time_out(waiter: &mut Waiter, open: bool, accepted: u64, wake: &mut Vec<Waker>) {
    let submitted = waiter.in_flight && open;
    let failed = WaiterState::Done(waiter.cut_short(Failure::TimedOut { submitted }, accepted, false));
    if let WaiterState::Waiting(waker) | WaiterState::Parked(waker) =
        std::mem::replace(&mut waiter.state, failed)
    {
        wake.push(waker);
    }
}
