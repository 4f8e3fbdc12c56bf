//! The waiters of a pipeline: reusable entries, each one a command whose outcome somebody waits for.
//!
//! Invariant: an entry is reused only when neither the FIFO nor a ticket refers to it. Every reuse raises its
//! generation, so a ticket can never be mistaken for a later one of the same entry.

use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;
use truename_resp::Reply;

use super::failure::Failure;
use super::received::{CutShort, Received, Replies, Unit};

/// `*1`, and a name of one byte.
const SHORTEST_COMMAND: u64 = 11;

/// What one command asks of the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLimits {
    pub(crate) submitted: Instant,
    pub(crate) deadline: Instant,
    /// How long the server may be silent while this command is the oldest one.
    pub(crate) patience: Duration,
    /// Which replies belong to it.
    pub(crate) unit: Unit,
}

/// A claim on one reply. Redeemed by [`poll_reply`](super::pipeline::Pipeline::poll_reply) or given up by
/// [`abandon`](super::pipeline::Pipeline::abandon).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(super) index: u32,
    generation: u32,
}

#[derive(Debug)]
pub(super) enum WaiterState {
    /// In the free list.
    Free,
    /// Waiting for room; not encoded yet.
    Parked(Waker),
    /// Room is held since then; the caller encodes at its next poll.
    Granted(Instant),
    /// In no queue: it was woken to take room if there is some at its next poll.
    Invited,
    /// Encoded; the reply is outstanding.
    Waiting(Waker),
    /// Settled; the caller has not looked yet.
    Done(Result<Received, Failure>),
    /// The caller has its answer or has gone.
    Settled,
}

impl WaiterState {
    /// The waker of a caller that waits for a reply; another state must follow.
    #[inline(always)]
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        match self {
            Self::Waiting(waker) => Some(mem::replace(waker, Waker::noop().clone())),
            _ => None,
        }
    }

    /// Replaces a state that holds nothing, and so needs no dropping: what drops any state is a function of its own.
    #[inline(always)]
    pub(super) fn leave(&mut self, next: Self) {
        mem::forget(mem::replace(self, next));
    }
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) state: WaiterState,
    pub(super) limits: RequestLimits,
    /// Stream offsets of the first byte and of the byte after the last.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The replies so far, if several count.
    replies: Option<Box<Replies>>,
    generation: u32,
    /// Whether the FIFO refers to it.
    pub(super) in_flight: bool,
    /// Whether a ticket refers to it.
    pub(super) held: bool,
}

impl Waiter {
    /// Takes a reply to a unit that is more than one command; returns the outcome when it was the last one.
    #[cold]
    pub(super) fn collect(&mut self, reply: Received) -> Option<Received> {
        let unit = &mut self.limits.unit;
        if unit.preamble > 0 {
            unit.preamble -= 1;
            return None;
        }
        unit.collected -= 1;
        if !unit.is_plural {
            return Some(reply);
        }
        // Nobody reads them when the caller has gone.
        if matches!(self.state, WaiterState::Waiting(_)) {
            let to_come = unit.collected as usize;
            let replies = self.replies.get_or_insert_with(|| Replies::with_room(to_come + 1));
            replies.received.push(reply);
        }
        (unit.collected == 0).then(|| Received::Replies(self.replies.take().unwrap_or_default()))
    }

    /// Whether this many bytes of the stream can be no more commands than were answered.
    #[cold]
    pub(super) fn is_answered_as_far_as_sent(&self, accepted: u64) -> bool {
        let answered = self.replies.as_ref().map_or(0, |replies| replies.received.len() as u64);
        answered * SHORTEST_COMMAND >= accepted - self.start
    }

    /// The outcome when no more replies come. `accepted`: the bytes of the stream that the transport accepted.
    pub(super) fn cut_short(
        &mut self,
        failure: Failure,
        accepted: u64,
        is_oldest: bool,
    ) -> Result<Received, Failure> {
        if !self.limits.unit.is_plural {
            return Err(failure);
        }
        let accepted = if self.in_flight { accepted.clamp(self.start, self.end) - self.start } else { 0 };
        let mut replies = self.replies.take().unwrap_or_default();
        replies.cut_short = Some(CutShort { failure, accepted, is_oldest });
        Ok(Received::Replies(replies))
    }
}

/// All entries of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    entries: Vec<Waiter>,
    free: Vec<u32>,
}

impl Waiters {
    /// An entry for a command that is parked, or was just encoded to these stream offsets.
    #[inline(always)]
    pub(super) fn allocate(
        &mut self,
        limits: RequestLimits,
        state: WaiterState,
        encoded: Option<(u64, u64)>,
    ) -> Ticket {
        let (waiter, ticket) = self.take_free(limits, encoded);
        waiter.state.leave(state);
        ticket
    }

    /// An entry for a command that was just encoded to these stream offsets, and whose caller waits for the reply.
    #[inline(always)]
    pub(super) fn await_reply(&mut self, limits: RequestLimits, waker: Waker, encoded: (u64, u64)) -> Ticket {
        let (waiter, ticket) = self.take_free(limits, Some(encoded));
        // Made where it is kept: a state is six words, of which a waker is two.
        waiter.state.leave(WaiterState::Waiting(waker));
        ticket
    }

    #[inline(always)]
    fn take_free(&mut self, limits: RequestLimits, encoded: Option<(u64, u64)>) -> (&mut Waiter, Ticket) {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow(limits),
        };
        let waiter = self.at(index);
        debug_assert!(matches!(waiter.state, WaiterState::Free) && waiter.replies.is_none());
        waiter.limits = limits;
        waiter.held = true;
        waiter.in_flight = encoded.is_some();
        (waiter.start, waiter.end) = encoded.unwrap_or_default();
        let ticket = Ticket { index, generation: waiter.generation };
        (waiter, ticket)
    }

    #[cold]
    fn grow(&mut self, limits: RequestLimits) -> u32 {
        let index = self.entries.len() as u32;
        self.entries.push(Waiter {
            state: WaiterState::Free,
            limits,
            start: 0,
            end: 0,
            replies: None,
            generation: 0,
            in_flight: false,
            held: false,
        });
        index
    }

    /// Whether a ticket can be spent.
    #[inline(always)]
    pub(super) fn is_settled(&mut self, ticket: Ticket) -> bool {
        matches!(self.of(ticket).state, WaiterState::Done(_))
    }

    /// Spends a ticket whose entry is settled, in exchange for the outcome.
    #[inline(always)]
    pub(super) fn redeem(&mut self, ticket: Ticket) -> Result<Received, Failure> {
        let waiter = self.of(ticket);
        let WaiterState::Done(outcome) = &mut waiter.state else { unreachable!("it is not settled") };
        let outcome = mem::replace(outcome, Ok(Received::Reply(Reply::Nil)));
        waiter.held = false;
        if waiter.in_flight {
            waiter.state.leave(WaiterState::Settled);
        } else {
            waiter.state.leave(WaiterState::Free);
            waiter.generation = waiter.generation.wrapping_add(1);
            self.free.push(ticket.index);
        }
        outcome
    }

    /// The ticket is given up.
    pub(super) fn release(&mut self, index: u32) {
        let waiter = self.at(index);
        waiter.held = false;
        // Nobody reads what came so far.
        waiter.replies = None;
        if !waiter.in_flight {
            self.reclaim(index);
        }
    }

    /// Frees an entry that nothing refers to.
    #[inline]
    pub(super) fn reclaim(&mut self, index: u32) {
        let waiter = self.at(index);
        debug_assert!(!waiter.held && !waiter.in_flight);
        waiter.state = WaiterState::Free;
        waiter.generation = waiter.generation.wrapping_add(1);
        self.free.push(index);
    }

    #[inline]
    pub(super) fn of(&mut self, ticket: Ticket) -> &mut Waiter {
        let waiter = &mut self.entries[ticket.index as usize];
        assert_eq!(waiter.generation, ticket.generation, "a ticket outlived its waiter");
        waiter
    }

    #[inline]
    pub(super) fn at(&mut self, index: u32) -> &mut Waiter {
        &mut self.entries[index as usize]
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Waiter> {
        self.entries.iter_mut()
    }

    /// Entries in use; returns to zero when every ticket is spent and every reply has come.
    pub(super) fn in_use(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
