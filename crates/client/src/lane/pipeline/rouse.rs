//! Callers whose lane's task is late with its checks: woken here, settled by themselves.

use std::task::Waker;

use tokio::time::Instant;

use super::Pipeline;
use crate::lane::failure::Failure;
use crate::lane::received::Received;
use crate::lane::waiter::{Ticket, Waiter, WaiterState};

impl Pipeline {
    /// Wakes callers past their deadline, without settling anything; returns the earliest deadline yet to come.
    pub(crate) fn rouse(&mut self, now: Instant, wake: &mut Vec<Waker>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for index in self.in_flight.iter().chain(self.parked.iter().copied()) {
            let Waiter { state, limits, .. } = self.waiters.at(index);
            if let WaiterState::Waiting(waker) | WaiterState::Parked(waker) = state {
                if limits.deadline <= now {
                    wake.push(waker.clone());
                } else {
                    next = Some(next.map_or(limits.deadline, |known| known.min(limits.deadline)));
                }
            }
        }
        next
    }

    /// Gives a ticket up for its caller, whose time is over; returns the outcome. `open`: there is a connection.
    pub(crate) fn time_out(
        &mut self,
        ticket: Ticket,
        open: bool,
        wake: &mut Vec<Waker>,
    ) -> Result<Received, Failure> {
        let accepted = self.accepted;
        let waiter = self.waiters.of(ticket);
        let submitted = waiter.in_flight && open;
        let outcome = waiter.cut_short(Failure::TimedOut { submitted }, accepted, false);
        self.abandon(ticket, wake);
        outcome
    }
}
