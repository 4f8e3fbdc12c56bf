//! Callers whose lane's task is late with its checks: woken here, settled by themselves.

use std::task::Waker;

use tokio::time::Instant;

use super::Pipeline;
use crate::lane::waiter::{State, Ticket, Waiter};

impl Pipeline {
    /// Wakes callers past their deadline, without settling anything; returns the earliest deadline yet to come.
    pub(crate) fn rouse(&mut self, now: Instant, wake: &mut Vec<Waker>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for &index in self.in_flight.iter().chain(&self.parked) {
            let Waiter { state, limits, .. } = self.waiters.at(index);
            if let State::Waiting(waker) | State::Parked(waker) = state {
                if limits.deadline <= now {
                    wake.push(waker.clone());
                } else {
                    next = Some(next.map_or(limits.deadline, |known| known.min(limits.deadline)));
                }
            }
        }
        next
    }

    /// Whether a ticket's command was encoded and its reply is outstanding.
    pub(crate) fn is_in_flight(&mut self, ticket: Ticket) -> bool {
        self.waiters.of(ticket).in_flight
    }
}
