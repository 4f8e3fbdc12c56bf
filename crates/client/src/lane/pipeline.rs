//! The sans-IO heart of a lane: what was submitted, in which order, and who waits for which reply.
//!
//! Invariants:
//! - Bytes and in-flight entry are appended by one call, so byte order *is* reply order.
//! - A waiter is freed only when neither the FIFO nor a ticket refers to it; a generation guards the index.
//! - Callers that wait for room get it as soon as there is some, and none waits for long while room is held for a future
//!   that is not polled ([`room`]).
//! - A reply completes the head of the FIFO and nothing else. A reply with an empty FIFO is a protocol error, and so is
//!   one to a command of which the transport has taken nothing yet; within a unit of several, as far as its bytes tell.
//! - On close a waiter fails as [`Failure::Unsent`] exactly when the transport has not taken its last byte:
//!   a server that holds an incomplete command cannot have run it.
//!
//! No socket, task or clock lives here; time is an argument. Deadlines and silence are looked at in [`checks`], by the
//! rule of [`silence`]; [`rouse`] wakes callers whose lane's task is late with these checks.

mod checks;
mod granted;
mod in_flight;
mod room;
mod rouse;
mod silence;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::closed::CloseCause;
use super::failure::Failure;
use super::received::Received;
use super::waiter::{RequestLimits, Ticket, Waiter, WaiterState, Waiters};
use bytes::BytesMut;
use granted::Granted;
use in_flight::InFlight;
pub(crate) use in_flight::NextForm;
#[cfg(test)]
pub(crate) use room::GRANT_TIME;
pub(crate) use silence::{Concern, Habit};
use tokio::time::Instant;

/// Bytes that a small output buffer has room for.
const SPARE: usize = 2048;

/// Bounds of what may be outstanding at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipelineBounds {
    /// One unit of several may pass it.
    pub(crate) commands: usize,
    /// One that is larger may pass it when nothing else is queued.
    pub(crate) bytes: usize,
}

/// A reply for which nobody can be waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsolicited;

/// What a polled ticket is told.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The reply, or why there is none. The ticket is spent.
    Done(Result<Received, Failure>),
    /// Room was granted: encode now with [`Pipeline::submit_granted`].
    Encode,
}

/// Commands between submission and reply. See the module documentation.
pub(crate) struct Pipeline {
    out: BytesMut,
    /// Stream offset of the first byte in `out`: bytes the driver has taken so far.
    taken: u64,
    /// Stream offset up to which the transport accepted bytes.
    accepted: u64,
    in_flight: InFlight,
    parked: VecDeque<u32>,
    granted: Granted,
    invited: usize,
    /// Bytes of the latest command: an estimate for those that were granted room and are not encoded yet.
    latest_bytes: usize,
    waiters: Waiters,
    bounds: PipelineBounds,
    habit: Habit,
    /// [`Habit::lead`] of that.
    lead: Duration,
    last_heard: Option<Instant>,
    /// When another connection to the node was asked because of this silence, and when it last answered.
    asked: Option<Instant>,
    answered: Option<Instant>,
    /// The longest patience of what is outstanding, or a longer one of what was outstanding since the latest check. The
    /// usual one need not be in it.
    longest_patience: Duration,
    /// What the transport had accepted at the latest check, and the end of a command that it had accepted in part.
    accepted_at_check: u64,
    unfinished_at_check: Option<u64>,
    checked_at: Option<Instant>,
    next_check: Option<Instant>,
    /// What has the usual patience and is submitted no earlier than this does not bring the next check forward.
    bears_from: Option<Instant>,
}

/// Arguments and replies may be secrets: there are numbers only.
impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("in_flight", &self.in_flight.len())
            .field("parked", &self.parked.len())
            .field("queued_bytes", &self.out.len())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    pub(crate) fn new(bounds: PipelineBounds, habit: Habit) -> Self {
        Self {
            out: BytesMut::new(),
            taken: 0,
            accepted: 0,
            in_flight: InFlight::default(),
            parked: VecDeque::new(),
            granted: Granted::default(),
            invited: 0,
            latest_bytes: 0,
            waiters: Waiters::default(),
            bounds,
            habit,
            lead: habit.lead(),
            last_heard: None,
            asked: None,
            answered: None,
            longest_patience: Duration::ZERO,
            accepted_at_check: 0,
            unfinished_at_check: None,
            checked_at: None,
            next_check: None,
            bears_from: None,
        }
    }

    /// Submissions that are not answered.
    pub(crate) fn outstanding(&self) -> usize {
        self.in_flight.len()
    }

    /// Bytes that the driver has not taken yet.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.out.len()
    }

    /// Whether the driver has bytes to take.
    pub(crate) fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether everything that the driver took was sent and answered; the rest can go to another connection.
    pub(crate) fn is_drained(&mut self) -> bool {
        let taken = self.taken;
        let is_untaken = |index: u32| self.waiters.at(index).start >= taken;
        self.accepted == taken && self.in_flight.oldest().is_none_or(is_untaken)
    }

    /// Whether a reply may come: the transport took something that is not answered.
    pub(crate) fn is_owed(&mut self) -> bool {
        let accepted = self.accepted;
        self.in_flight.oldest().is_some_and(|index| self.waiters.at(index).start < accepted)
    }

    /// [`Self::check`] must run again no later than this.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.next_check
    }

    /// Encodes a command, or parks the caller until there is room.
    #[inline]
    pub(crate) fn submit(
        &mut self,
        limits: RequestLimits,
        waker: &Waker,
        encode: impl FnOnce(&mut BytesMut),
    ) -> Ticket {
        self.check_by(limits.deadline);
        if !self.parked.is_empty() || !self.has_room() {
            return self.park(limits, waker);
        }
        // Cloning runs the executor's code, which may panic: so it comes before the bytes, which must never lack a
        // waiter.
        let waker = waker.clone();
        let encoded = self.append(encode);
        let ticket = self.waiters.await_reply(limits, waker, encoded);
        self.await_reply(ticket.index, limits);
        ticket
    }

    /// Encodes a command; returns the stream offsets of its first byte and of the byte after its last. The caller queues
    /// its waiter at once.
    #[inline]
    fn append(&mut self, encode: impl FnOnce(&mut BytesMut)) -> (u64, u64) {
        let start = self.taken + self.out.len() as u64;
        encode(&mut self.out);
        let end = self.taken + self.out.len() as u64;
        self.latest_bytes = (end - start) as usize;
        (start, end)
    }

    #[inline(always)]
    fn await_reply(&mut self, index: u32, limits: RequestLimits) {
        self.in_flight.push(index, limits.unit);
        let is_usual = limits.patience == self.habit.stall;
        if !(is_usual && self.bears_from.is_some_and(|from| from <= limits.submitted)) {
            self.bear(limits);
        }
    }

    /// Sees to it that the server's silence is looked at in time for what was submitted.
    #[inline(never)]
    fn bear(&mut self, limits: RequestLimits) {
        if limits.patience > self.longest_patience {
            self.longest_patience = limits.patience;
        }
        self.check_by(limits.submitted + limits.patience.saturating_sub(self.lead));
    }

    /// Whether it is known what became of a ticket.
    #[inline(always)]
    pub(crate) fn is_settled(&mut self, ticket: Ticket) -> bool {
        self.waiters.is_settled(ticket)
    }

    /// Whether a ticket's bytes are in the stream, and its reply is outstanding.
    pub(crate) fn is_encoded(&mut self, ticket: Ticket) -> bool {
        self.waiters.of(ticket).in_flight
    }

    /// The outcome of a ticket that [`Self::is_settled`], which is then spent.
    #[inline(always)]
    pub(crate) fn redeem(&mut self, ticket: Ticket) -> Result<Received, Failure> {
        self.waiters.redeem(ticket)
    }

    /// Asks what became of a ticket; leaves the waker when nothing is decided yet.
    pub(crate) fn poll_reply(&mut self, ticket: Ticket, waker: &Waker) -> Poll<Progress> {
        if self.is_settled(ticket) {
            return Poll::Ready(Progress::Done(self.redeem(ticket)));
        }
        match &mut self.waiters.of(ticket).state {
            WaiterState::Parked(current) | WaiterState::Waiting(current) => {
                current.clone_from(waker);
                Poll::Pending
            }
            WaiterState::Granted(_) | WaiterState::Invited => self.poll_room(ticket, waker),
            WaiterState::Free | WaiterState::Settled | WaiterState::Done(_) => {
                unreachable!("a spent ticket is never polled")
            }
        }
    }

    /// Gives a ticket up. An outstanding reply is read and discarded in its turn, with no more than the usual patience.
    /// True when [`Self::next_check`] is earlier than it was.
    pub(crate) fn abandon(&mut self, ticket: Ticket, wake: &mut Vec<Waker>) -> bool {
        let index = ticket.index;
        let checked_by = self.next_check;
        let waiter = self.waiters.of(ticket);
        match std::mem::replace(&mut waiter.state, WaiterState::Settled) {
            WaiterState::Granted(_) => {
                let unit = waiter.limits.unit;
                self.granted.remove(unit);
                self.waiters.release(index);
                self.grant(wake);
            }
            WaiterState::Invited => {
                self.invited -= 1;
                self.waiters.release(index);
            }
            WaiterState::Waiting(_) if waiter.limits.patience > self.habit.stall => {
                waiter.limits.patience = self.habit.stall;
                let submitted = waiter.limits.submitted;
                self.waiters.release(index);
                let by = self.lately(submitted) + self.lead;
                self.check_by(by);
            }
            // It is passed over when its turn comes: a search for it would take longer the more callers wait.
            WaiterState::Parked(_) => waiter.held = false,
            _ => self.waiters.release(index),
        }
        self.next_check != checked_by
    }

    /// Moves everything encoded so far into `into`, which must be empty: the two buffers swap places.
    pub(crate) fn take_output(&mut self, into: &mut BytesMut) {
        debug_assert!(into.is_empty());
        self.taken += self.out.len() as u64;
        std::mem::swap(&mut self.out, into);
        // Once for many commands, not by the little that each of them needs.
        if self.out.capacity() < SPARE / 4 {
            self.out.reserve(SPARE);
        }
    }

    /// Notes that the transport accepted `bytes` more bytes of what was taken.
    pub(crate) fn accept(&mut self, bytes: usize) {
        self.accepted += bytes as u64;
    }

    /// Notes that bytes arrived: the server is alive.
    pub(crate) fn note_read(&mut self, now: Instant) {
        self.last_heard = Some(now);
    }

    /// In which form the next replies are to be handed over.
    #[inline]
    pub(crate) fn next_form(&mut self) -> NextForm {
        self.in_flight.next_form(|index| self.waiters.at(index).limits.unit.form)
    }

    /// Gives one reply to the oldest submission; returns when that was made, unless the reply is dropped.
    #[inline]
    pub(crate) fn complete(
        &mut self,
        mut reply: Received,
        wake: &mut Vec<Waker>,
    ) -> Result<Option<Instant>, Unsolicited> {
        let index = self.in_flight.oldest().ok_or(Unsolicited)?;
        let waiter = self.waiters.at(index);
        if waiter.start >= self.accepted {
            return Err(Unsolicited);
        }
        if !waiter.limits.unit.is_last() {
            if waiter.is_answered_as_far_as_sent(self.accepted) {
                return Err(Unsolicited);
            }
            let collected_before = waiter.limits.unit.collected;
            match waiter.collect(reply) {
                Some(outcome) => reply = outcome,
                None if waiter.limits.unit.collected < collected_before => {
                    self.in_flight.answered();
                    return Ok(Some(waiter.limits.submitted));
                }
                None => return Ok(None),
            }
        }
        let submitted = waiter.limits.submitted;
        self.in_flight.pop(waiter.limits.unit);
        waiter.in_flight = false;
        if let Some(waker) = waiter.state.take_waker() {
            waiter.state.leave(WaiterState::Done(Ok(reply)));
            wake.push(waker);
        } else if !waiter.held {
            self.waiters.reclaim(index);
        }
        Ok(Some(submitted))
    }

    /// A transport is about to take over: drops the bytes of commands that nobody waits for any more, and grants the
    /// room that they took.
    pub(crate) fn open(&mut self, now: Instant, wake: &mut Vec<Waker>) {
        debug_assert_eq!(self.taken, self.accepted, "opened while bytes are under way");
        (self.last_heard, self.asked, self.answered) = (Some(now), None, None);
        let queued = std::mem::take(&mut self.out);
        let base = self.taken;
        let entries = std::mem::take(&mut self.in_flight);
        for index in entries.iter() {
            let waiter = self.waiters.at(index);
            if matches!(waiter.state, WaiterState::Waiting(_)) {
                let range = (waiter.start - base) as usize..(waiter.end - base) as usize;
                waiter.start = base + self.out.len() as u64;
                self.out.extend_from_slice(&queued[range]);
                waiter.end = base + self.out.len() as u64;
                self.in_flight.push(index, waiter.limits.unit);
                let ask_at = now + waiter.limits.patience.saturating_sub(self.lead);
                self.check_by(ask_at);
            } else {
                waiter.in_flight = false;
                if !waiter.held {
                    self.waiters.reclaim(index);
                }
            }
        }
        (self.accepted_at_check, self.unfinished_at_check) = (self.accepted, None);
        self.grant(wake);
    }

    /// Fails everything outstanding and parked, each as what it is, and starts over with an empty stream.
    pub(crate) fn close(&mut self, cause: &Arc<CloseCause>, wake: &mut Vec<Waker>) {
        let in_flight = std::mem::take(&mut self.in_flight);
        for (position, index) in in_flight.iter().enumerate() {
            let failure = match (self.accepted < self.waiters.at(index).end, position) {
                (true, _) => Failure::Unsent(cause.clone()),
                (false, 0) => Failure::LostAtHead(cause.clone()),
                (false, _) => Failure::Lost(cause.clone()),
            };
            self.fail(index, failure, position == 0, wake);
        }
        while let Some(index) = self.parked.pop_front() {
            self.fail(index, Failure::Unsent(cause.clone()), false, wake);
        }
        if self.granted.callers + self.invited > 0 {
            // They were woken to encode and are in no queue; when they look they are told.
            let were_woken =
                |waiter: &&mut Waiter| matches!(waiter.state, WaiterState::Granted(_) | WaiterState::Invited);
            for waiter in self.waiters.all().filter(were_woken) {
                let unsent = waiter.cut_short(Failure::Unsent(cause.clone()), 0, false);
                waiter.state = WaiterState::Done(unsent);
            }
            (self.granted, self.invited) = (Granted::default(), 0);
        }
        self.out.clear();
        self.accepted = self.taken;
        self.last_heard = None;
        self.forget_check();
    }

    fn fail(&mut self, index: u32, failure: Failure, is_oldest: bool, wake: &mut Vec<Waker>) {
        let waiter = self.waiters.at(index);
        if let WaiterState::Waiting(_) | WaiterState::Parked(_) = waiter.state {
            let failed = waiter.cut_short(failure, self.accepted, is_oldest);
            if let WaiterState::Waiting(waker) | WaiterState::Parked(waker) =
                std::mem::replace(&mut waiter.state, WaiterState::Done(failed))
            {
                wake.push(waker);
            }
            waiter.in_flight = false;
            return;
        }
        waiter.in_flight = false;
        if !waiter.held {
            self.waiters.reclaim(index);
        }
    }

    #[inline]
    fn check_by(&mut self, at: Instant) {
        if self.next_check.is_none_or(|known| at < known) {
            self.next_check = Some(at);
            self.bears_from = at.checked_sub(self.habit.stall.saturating_sub(self.lead));
        }
    }

    fn forget_check(&mut self) {
        (self.next_check, self.bears_from) = (None, None);
    }

    /// Waiters in use; returns to zero when every ticket is spent and every reply has come.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.waiters.in_use()
    }
}
