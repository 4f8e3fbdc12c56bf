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
use std::time::Duration;

use tokio::time::Instant;
use truename_resp::Reply;

use super::attempts::Attempts;
use super::destination::Destination;
use super::request::Request;
use super::state::Router;
use super::submit::submit;
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
            Some(Ok(lane)) => lane,
            Some(Err(ExclusiveRefusal::Down(cause))) => return Ok(Err(Failure::Unsent(cause))),
            Some(Err(ExclusiveRefusal::Full { limit })) => {
                let node = node.endpoint().clone();
                return Err(Error::Route(Box::new(RouteError::NoExclusiveConnection { node, limit })));
            }
        };
        let unit = Unit::command(request.form);
        let limits = request_limits(Instant::now(), attempts.deadline(), request.patience, unit);
        let outcome = {
            let mut reply = pin!(submit(&lane, request.command, *asking, limits));
            // What a command outside of the table does before and while it waits is unknown.
            let is_known = request.spec.is_some();
            match first_of(reply.as_mut(), lost).await {
                Some(outcome) if is_known => refused_by_demotion(outcome),
                Some(outcome) => outcome,
                None => self.leave(node, &lane, is_known, reply).await,
            }
        };
        if outcome.is_ok() {
            lane.give_back();
        }
        Ok(outcome)
    }

    /// The slot is another node's now: finds out whether the command was executed, if the old one answers in time.
    async fn leave(
        &self,
        node: &Node,
        lane: &ExclusiveLane,
        is_known: bool,
        reply: impl Future<Output = Outcome>,
    ) -> Outcome {
        // What waits for a connection was not sent.
        lane.recall();
        let stall = self.cluster.timing.stall;
        let now = Instant::now();
        let client = lane.client().filter(|_| is_known);
        let mut is_asked = client.is_some();
        let unblocked_by_us = async {
            let (id, address) = client?;
            unblock(node, id, &address, stall).await
        };
        let (mut reply, mut unblocked_by_us) = (pin!(reply), pin!(unblocked_by_us));
        let settled = poll_fn(|cx| {
            if let Poll::Ready(outcome) = reply.as_mut().poll(cx) {
                return Poll::Ready(refused_if_unblocked(outcome, |_| is_known));
            }
            if is_asked && let Poll::Ready(answer) = unblocked_by_us.as_mut().poll(cx) {
                is_asked = false;
                // It was blocked until now, and by nothing but this command: nothing was popped.
                if matches!(answer, Some(Reply::Integer(1))) {
                    return Poll::Ready(Err(unblocked("by CLIENT UNBLOCK, as its slot moved")));
                }
            }
            Poll::Pending
        });
        let settled = clock::timeout_at(now + stall, settled).await;
        settled.unwrap_or_else(|| Err(Failure::Lost(Arc::new(CloseCause::SlotMoved))))
    }
}

/// Has a node end the wait of a connection. Ids start again when a server restarts, so first it is asked whose the id is:
/// no other connection's wait may end. `None` if it is not this connection's, or the node does not say.
async fn unblock(node: &Node, id: u64, address: &str, within: Duration) -> Option<Reply> {
    let id = id.to_string();
    let listed = node.ask(&[b"CLIENT", b"LIST", b"ID", id.as_bytes()], within).await.ok()?;
    if !lists(&listed, &id, address) {
        return None;
    }
    node.ask(&[b"CLIENT", b"UNBLOCK", id.as_bytes(), b"ERROR"], within).await.ok()
}

/// Whether a reply to `CLIENT LIST` has the connection with this id, and it comes from this address.
fn lists(reply: &Reply, id: &str, address: &str) -> bool {
    reply.as_str().unwrap_or_default().lines().any(|line| {
        let has =
            |name, value| line.split_ascii_whitespace().any(|field| field.strip_prefix(name) == Some(value));
        has("id=", id) && has("addr=", address)
    })
}

/// The first future's output, unless the second one ends before.
async fn first_of<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> Option<T> {
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
    use truename_resp::ErrorReply;

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

    #[test]
    fn a_connection_is_known_by_its_id_and_its_address() {
        let reply =
            Reply::Bulk("id=7 addr=10.0.0.1:5 laddr=10.0.0.2:6 cmd=blpop\nid=70 addr=10.0.0.1:9\n".into());
        let rows = [
            ("7", "10.0.0.1:5", true),
            ("7", "10.0.0.1:9", false),
            ("7", "10.0.0.2:6", false),
            ("8", "", false),
        ];
        for (id, address, is_listed) in rows {
            assert_eq!(lists(&reply, id, address), is_listed, "{id} {address}");
        }
    }
}
