//! One attempt of a command that waits on the server: on a connection of its own, for as long as its node has the slot.
//!
//! When the slot goes to another node, the wait ends: what is pushed from then on is pushed there. Whether the old node
//! popped something before is known only if it says so, by `UNBLOCKED`: of its own accord when it becomes a replica, or
//! because we ask it to (`CLIENT UNBLOCK` of the connection that has our id and address, on another one). Then the command
//! was not executed and may be sent again; if it says nothing, the fate is unknown.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::attempts::Attempts;
use super::destination::Destination;
use super::orphans::{Wait, Waiting, WaitsFor, reply_deadline};
use super::request::Request;
use super::state::Router;
use super::submit::submit;
use super::unblock::{Unblocked, unblock};
use crate::clock;
use crate::cluster::{ExclusiveLane, ExclusiveRefusal, Node};
use crate::error::{Error, RouteError};
use crate::lane::{CloseCause, Failure, Received, Unit, request_limits};

type Outcome = Result<Received, Failure>;

impl Router {
    /// Waits for a connection, sends the command on it and waits for the reply.
    pub(super) async fn attempt_blocking(
        &self,
        destination: &Destination,
        request: &Request<'_, '_>,
        attempts: &Attempts,
    ) -> Result<Outcome, Error> {
        let Destination { node, asking } = destination;
        let mut lost = pin!(self.cluster.loses(node, attempts.slot()));
        if !asking && !attempts.was_refused() && !self.cluster.is_owner(node, attempts.slot()) {
            return Ok(Err(recalled()));
        }
        let until = attempts.deadline().min(Instant::now() + self.cluster.timing.command);
        let lane = match first_of(node.exclusive(until), lost.as_mut()).await {
            None => return Ok(Err(recalled())),
            Some(Ok(lane)) => Arc::new(lane),
            Some(Err(ExclusiveRefusal::Down(cause))) => return Ok(Err(Failure::Unsent(cause))),
            Some(Err(ExclusiveRefusal::Full { limit })) => return Err(no_room(node, limit)),
        };
        let Request { command, spec, form, blocks, .. } = *request;
        let (cluster, slot, until) = (&self.cluster, attempts.slot(), attempts.deadline());
        let last = reply_deadline(until, blocks, cluster.timing.stall);
        let limits = request_limits(Instant::now(), last, request.patience, Unit::command(form));
        let waits_for = WaitsFor::the(command, spec);
        let waiting = Waiting { cluster, node, lane: &lane, slot, waits_for, settling: None };
        let mut is_left = false;
        let outcome = {
            let mut wait = pin!(Wait::new(submit(&lane, command, *asking, limits), waiting));
            // What a command outside of the table does before and while it waits is unknown.
            let is_known = spec.is_some();
            let answered = |outcome| if is_known { refused_by_demotion(outcome) } else { outcome };
            match clock::timeout_at(until, first_of(wait.as_mut(), lost)).await {
                Some(Some(outcome)) => answered(outcome),
                Some(None) => {
                    // A request to end its wait may be under way, and would end the next one on this connection.
                    is_left = true;
                    let outcome = self.leave(node, &lane, is_known, until, wait.as_mut()).await;
                    wait.forget();
                    outcome
                }
                None => answered(wait.timed_out()),
            }
        };
        if let (Ok(_), false, Some(lane)) = (&outcome, is_left, Arc::into_inner(lane)) {
            lane.give_back();
        }
        Ok(outcome)
    }

    /// The slot is another node's now: finds out whether the command was executed, if the old one answers in time, no later
    /// than `until`.
    async fn leave(
        &self,
        node: &Node,
        lane: &ExclusiveLane,
        is_known: bool,
        until: Instant,
        reply: impl Future<Output = Outcome>,
    ) -> Outcome {
        // What waits for a connection was not sent.
        lane.recall();
        let stall = self.cluster.timing.stall;
        let until = until.min(Instant::now() + stall);
        let client = lane.client().filter(|_| is_known);
        let mut is_asked = client.is_some();
        let unblocked_by_us = async {
            match client {
                Some((id, address)) => unblock(node, id, &address, stall).await,
                None => Unblocked::Refused,
            }
        };
        let (mut reply, mut unblocked_by_us) = (pin!(reply), pin!(unblocked_by_us));
        let settled = poll_fn(|cx| {
            if let Poll::Ready(outcome) = reply.as_mut().poll(cx) {
                return Poll::Ready(refused_if_unblocked(outcome, |_| is_known));
            }
            if is_asked && let Poll::Ready(answer) = unblocked_by_us.as_mut().poll(cx) {
                is_asked = false;
                // It was blocked until now, and by nothing but this command: nothing was popped.
                if answer == Unblocked::Now {
                    return Poll::Ready(Err(unblocked("by CLIENT UNBLOCK, as its slot moved")));
                }
            }
            Poll::Pending
        });
        let settled = clock::timeout_at(until, settled).await;
        settled.unwrap_or_else(|| Err(Failure::Lost(Arc::new(CloseCause::SlotMoved))))
    }
}

/// All connections that are allowed are in use.
pub(super) fn no_room(node: &Node, limit: usize) -> Error {
    let node = node.endpoint().clone();
    Error::Route(Box::new(RouteError::NoExclusiveConnection { node, limit }))
}

/// The first future's output, unless the second one ends before.
pub(super) async fn first_of<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = ()>,
) -> Option<T> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => second.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// `-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)`: the server's own
/// words (source of 7.0 and of valkey 8). Other texts of the code are an operator's `CLIENT UNBLOCK`, for the caller.
fn refused_by_demotion(outcome: Outcome) -> Outcome {
    refused_if_unblocked(outcome, |text| text.contains("instance state changed"))
}

fn refused_if_unblocked(outcome: Outcome, is_ours: impl Fn(&str) -> bool) -> Outcome {
    let error = outcome.as_ref().ok().and_then(Received::error);
    match error.filter(|error| error.code() == "UNBLOCKED" && is_ours(error.message())) {
        Some(error) => Err(unblocked(error.message())),
        None => outcome,
    }
}

fn unblocked(how: &str) -> Failure {
    Failure::Unsent(Arc::new(CloseCause::Unblocked(how.to_owned())))
}

fn recalled() -> Failure {
    Failure::Unsent(Arc::new(CloseCause::Recalled))
}

#[cfg(test)]
mod tests {
    use truename_resp::{ErrorReply, Reply};

    use super::*;

    #[test]
    fn what_proves_that_nothing_was_popped() {
        let demoted =
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
        let operator = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
        // Each row: the error, whether it is a refusal by itself, and whether it is one after we asked for it.
        let rows = [
            (demoted, true, true),
            (operator, false, true),
            ("MOVED 7 10.0.0.4:1", false, false),
            ("WRONGTYPE Operation against a key", false, false),
        ];
        for (text, by_itself, when_asked) in rows {
            let reply = || Ok(Received::Reply(Reply::Error(ErrorReply::new(text))));
            let is_refusal = |outcome| matches!(outcome, Err(Failure::Unsent(_)));
            assert_eq!(is_refusal(refused_by_demotion(reply())), by_itself, "{text}");
            assert_eq!(is_refusal(refused_if_unblocked(reply(), |_| true)), when_asked, "{text}");
        }
        assert!(refused_by_demotion(Ok(Received::Reply(Reply::Nil))).is_ok());
    }
}
