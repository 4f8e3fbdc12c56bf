//! Room in a pipeline: callers that wait for it, that were granted some, and that do not take it up.
//!
//! Room is granted to one future at a time, oldest first, and held for it until its next poll. A future may go without
//! a poll for a long time, such as those in a `buffered` stream whose consumer awaits something else. So a grant that
//! was not taken up for [`GRANT_TIME`] is void, and all waiting callers are invited: woken, to take room at the next
//! poll or to queue again. Callers that are not polled are passed over that way, the others get room at once; no grant
//! has a timer of its own.

use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::checks::time_out;
use super::{Pipeline, Progress};
use crate::lane::waiter::{RequestLimits, Ticket, WaiterState};

/// How long room is held for a future that does not come for it while others wait.
pub(crate) const GRANT_TIME: Duration = Duration::from_millis(50);

impl Pipeline {
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        // A value larger than the byte bound passes when nothing else is queued.
        self.in_flight.commands() + self.granted.commands < self.bounds.commands
            && (self.out.is_empty()
                || self.out.len() + self.granted.callers * self.latest_bytes < self.bounds.bytes)
    }

    /// Whether nothing is outstanding, and nobody waits for room or has yet to look at an outcome.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiters.in_use() == 0
    }

    #[cold]
    pub(super) fn park(&mut self, limits: RequestLimits, waker: &Waker) -> Ticket {
        let ticket = self.waiters.allocate(limits, WaiterState::Parked(waker.clone()), None);
        self.parked.push_back(ticket.index);
        if self.granted.callers > 0 {
            self.check_by(limits.submitted + GRANT_TIME);
        }
        ticket
    }

    /// Encodes a command whose ticket got [`Progress::Encode`].
    pub(crate) fn submit_granted(
        &mut self,
        ticket: Ticket,
        waker: &Waker,
        encode: impl FnOnce(&mut BytesMut),
    ) {
        debug_assert!(matches!(self.waiters.of(ticket).state, WaiterState::Granted(_)));
        let waiting = WaiterState::Waiting(waker.clone());
        self.granted.remove(self.waiters.of(ticket).limits.unit);
        let (start, end) = self.append(encode);
        let waiter = self.waiters.at(ticket.index);
        waiter.start = start;
        waiter.end = end;
        waiter.in_flight = true;
        waiter.state = waiting;
        let limits = waiter.limits;
        self.check_by(limits.deadline);
        self.await_reply(ticket.index, limits);
    }

    /// A ticket with granted room, or one that was invited to take some, is polled.
    #[cold]
    pub(super) fn poll_room(&mut self, ticket: Ticket, waker: &Waker) -> Poll<Progress> {
        let waiter = self.waiters.of(ticket);
        if let WaiterState::Invited = waiter.state {
            self.invited -= 1;
            if self.has_room() {
                let waiter = self.waiters.of(ticket);
                waiter.state = WaiterState::Granted(waiter.limits.submitted);
                self.granted.add(waiter.limits.unit);
                return Poll::Ready(Progress::Encode);
            }
            self.waiters.of(ticket).state = WaiterState::Parked(waker.clone());
            self.parked.push_back(ticket.index);
            return Poll::Pending;
        }
        // Others who were granted room with it may have filled it.
        if self.out.len() >= self.bounds.bytes {
            waiter.state = WaiterState::Parked(waker.clone());
            let unit = waiter.limits.unit;
            self.granted.remove(unit);
            self.parked.push_front(ticket.index);
            return Poll::Pending;
        }
        Poll::Ready(Progress::Encode)
    }

    /// Hands freed room to parked callers, oldest first.
    #[inline]
    pub(crate) fn grant(&mut self, wake: &mut Vec<Waker>) {
        if !self.parked.is_empty() {
            self.grant_parked(wake);
        }
    }

    #[cold]
    fn grant_parked(&mut self, wake: &mut Vec<Waker>) {
        // An empty buffer has room for a command of any size, and stays empty while this loop runs: those who are
        // granted room encode when they are polled. So what they will probably encode is counted here, or an empty
        // buffer would let everybody in at once. The first of them is let in whatever its size, or it might wait for
        // ever.
        let granted_before = self.granted.callers;
        while self.has_room() {
            let spoken_for = self.out.len() + (self.granted.callers - granted_before) * self.latest_bytes;
            if self.granted.callers > granted_before && spoken_for >= self.bounds.bytes {
                break;
            }
            let Some(index) = self.parked.pop_front() else { break };
            let submitted = self.waiters.at(index).limits.submitted;
            let at = self.lately(submitted);
            let waiter = self.waiters.at(index);
            match std::mem::replace(&mut waiter.state, WaiterState::Granted(at)) {
                WaiterState::Parked(waker) => {
                    wake.push(waker);
                    let unit = waiter.limits.unit;
                    self.granted.add(unit);
                }
                // Its caller left the line by dropping the ticket: its entry had stayed in the queue until now.
                _ => {
                    waiter.state = WaiterState::Settled;
                    self.waiters.reclaim(index);
                }
            }
        }
        // Somebody still waits after these grants: look after a while whether they were taken up.
        if let (true, Some(&next)) = (self.granted.callers > 0, self.parked.front()) {
            let submitted = self.waiters.at(next).limits.submitted;
            self.check_by(self.lately(submitted) + GRANT_TIME);
        }
    }

    /// Takes room back from callers that do not use it while others wait, and invites all that wait.
    pub(super) fn pass_on_late_grants(&mut self, now: Instant, wake: &mut Vec<Waker>) {
        if self.granted.callers == 0 || self.parked.is_empty() {
            return;
        }
        let granted_before = self.granted.callers;
        for waiter in self.waiters.all() {
            if matches!(waiter.state, WaiterState::Granted(at) if at + GRANT_TIME <= now) {
                waiter.state = WaiterState::Invited;
                self.granted.remove(waiter.limits.unit);
                self.invited += 1;
            }
        }
        if self.granted.callers == granted_before {
            self.check_by(now + GRANT_TIME);
            return;
        }
        for index in std::mem::take(&mut self.parked) {
            let deadline = self.waiters.at(index).limits.deadline;
            self.check_by(deadline);
            let waiter = self.waiters.at(index);
            match std::mem::replace(&mut waiter.state, WaiterState::Invited) {
                WaiterState::Parked(waker) => {
                    wake.push(waker);
                    self.invited += 1;
                }
                _ => {
                    waiter.state = WaiterState::Settled;
                    self.waiters.reclaim(index);
                }
            }
        }
    }

    /// The deadlines of those who were invited hold as well: they are in no queue.
    pub(super) fn check_invited(&mut self, now: Instant, wake: &mut Vec<Waker>) {
        if self.invited == 0 {
            return;
        }
        let mut earliest = None;
        for waiter in self.waiters.all().filter(|waiter| matches!(waiter.state, WaiterState::Invited)) {
            let deadline = waiter.limits.deadline;
            if deadline <= now {
                time_out(waiter, false, 0, wake);
                self.invited -= 1;
            } else {
                earliest = Some(earliest.map_or(deadline, |known: Instant| known.min(deadline)));
            }
        }
        if let Some(earliest) = earliest {
            self.check_by(earliest);
        }
    }

    /// Whether a caller waits for room that is there, no other is about to use it, and no output is about to be taken.
    #[cfg(test)]
    pub(crate) fn is_wedged(&mut self) -> bool {
        let waits =
            self.parked.iter().any(|index| matches!(self.waiters.at(*index).state, WaiterState::Parked(_)));
        waits && self.granted.callers == 0 && self.out.is_empty() && self.has_room()
    }
}
