//! A command that waits on the server, and what becomes of it when its caller is gone: the future was dropped, or its time
//! was over.
//!
//! To close the connection would lose what the server popped for it at that moment. So the wait is ended by `CLIENT UNBLOCK`,
//! on another connection, and the reply is read. Where the server refuses that, the reply is read whenever it comes, if
//! somebody takes it ([`Config::on_orphan`](crate::Config::on_orphan)); otherwise the connection is closed, also one that a
//! caller keeps: to read on would take an element for sure that nobody gets.
//!
//! What must stay true: what was taken for a caller that is gone is handed over or counted, and so is what nobody knows. The
//! event and the counter hold no part of a reply.

use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, FutureExt, select};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;
use truename_resp::{Frame, Limits, Reply};
use truename_topology::{Endpoint, Slot};

use super::request::blocking_time;
use super::state::Router;
use super::unblock::{Unblocked, unblock};
use crate::clock;
use crate::cluster::{Cluster, Counted, ExclusiveLane, Node};
use crate::command::{Command, Flags, Spec};
use crate::config::Orphan;
use crate::error::{Error, InterruptedError};
use crate::event::Event;
use crate::lane::{Backoff, Detached, Failure, Leaves, Received, Submission};
use crate::observe;

/// The pauses between requests to end a wait that the server says is none.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How long the reply to a command that `blocks` may take. The caller's own deadline is kept apart from that, so that the
/// reply can be read after it.
pub(super) fn reply_deadline(callers: Instant, blocks: Option<Duration>, stall: Duration) -> Instant {
    callers.max(Instant::now() + blocks.unwrap_or_default()) + stall
}

/// Whose wait it is.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'w, 'a> {
    pub(super) cluster: &'w Arc<Cluster>,
    pub(super) node: &'w Arc<Node>,
    pub(super) lane: &'w Arc<ExclusiveLane>,
    pub(super) slot: Option<Slot>,
    pub(super) waits_for: WaitsFor<'w, 'a>,
    /// What keeps the caller's next commands back until this one is settled, on a connection that the caller keeps. Without
    /// it the connection is one of a pool, which others may use then.
    pub(super) settling: Option<&'w Settling>,
}

/// Held while it is found out what became of a wait.
pub(super) type Settling = Arc<Mutex<()>>;

/// What it waits for. Nothing is read out of the command before its caller is gone.
#[derive(Clone, Copy)]
pub(super) struct WaitsFor<'w, 'a> {
    command: &'w Command<'a>,
    spec: Option<&'static Spec>,
}

impl<'w, 'a> WaitsFor<'w, 'a> {
    pub(super) fn the(command: &'w Command<'a>, spec: Option<&'static Spec>) -> Self {
        Self { command, spec }
    }

    /// Whether it may take something.
    fn takes(&self) -> bool {
        let takes = |spec: &Spec| spec.flags.contains(Flags::WRITE) && !spec.changes_nothing(self.command);
        self.spec.is_none_or(takes)
    }

    fn named(&self) -> Named {
        let command =
            self.spec.map_or_else(|| self.command.name().to_ascii_uppercase(), |spec| spec.name.to_owned());
        Named { command, keys: self.spec.map(|spec| self.command.own_keys(spec)).unwrap_or_default() }
    }
}

/// What an orphan says of its command.
struct Named {
    /// The command's name.
    command: String,
    /// Its keys, as far as they are known.
    keys: Vec<Bytes>,
}

/// The reply to a command that waits on the server. Dropped before it came, it leaves an orphan.
pub(super) struct Wait<'w, 'a, E: Fn(&mut BytesMut)> {
    submission: Submission<'w, E>,
    waiting: Option<Waiting<'w, 'a>>,
}

impl<'w, 'a, E: Fn(&mut BytesMut)> Wait<'w, 'a, E> {
    pub(super) fn new(submission: Submission<'w, E>, waiting: Waiting<'w, 'a>) -> Self {
        Self { submission, waiting: Some(waiting) }
    }

    /// The caller's time is over: how it ends. What was sent and has no outcome yet is left as an orphan.
    pub(super) fn timed_out(&mut self) -> Result<Received, Failure> {
        match self.submission.leave() {
            Leaves::Outcome(outcome) => outcome,
            Leaves::Claim(reply) => {
                if let Some(waiting) = self.waiting.take() {
                    waiting.leave(Either::Right(reply));
                }
                Err(Failure::TimedOut { submitted: true })
            }
            Leaves::Nothing => Err(Failure::TimedOut { submitted: false }),
        }
    }

    /// The caller has been told what is known: nothing is left to be found out.
    pub(super) fn forget(&mut self) {
        self.waiting = None;
    }
}

impl<E: Fn(&mut BytesMut)> Future for Wait<'_, '_, E> {
    type Output = Result<Received, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().submission).poll(cx)
    }
}

impl<E: Fn(&mut BytesMut)> Drop for Wait<'_, '_, E> {
    fn drop(&mut self) {
        let Some(waiting) = self.waiting else { return };
        match self.submission.leave() {
            Leaves::Outcome(outcome) => waiting.leave(Either::Left(ready(outcome))),
            Leaves::Claim(reply) => waiting.leave(Either::Right(reply)),
            Leaves::Nothing if waiting.settling.is_none() && waiting.lane.is_connecting() => {
                let lane = waiting.lane.clone();
                waiting.cluster.spawn(async move {
                    // By then the caller has let go of it.
                    lane.settled().await;
                    if let Some(lane) = Arc::into_inner(lane) {
                        lane.give_back_unused().await;
                    }
                });
            }
            Leaves::Nothing => {}
        }
    }
}

/// The outcome of a wait whose caller is gone, or the claim on it.
type LeftReply = Either<Ready<Result<Received, Failure>>, Detached>;

impl Waiting<'_, '_> {
    /// The caller is gone, or is told that nobody knows.
    fn leave(&self, reply: LeftReply) {
        let left = Left {
            reply,
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            lane: self.lane.clone(),
            slot: self.slot,
            named: self.waits_for.named(),
            takes: self.waits_for.takes(),
            is_pooled: self.settling.is_none(),
            _turn: self.settling.and_then(|settling| settling.clone().try_lock_owned().ok()),
            _under_way: self.cluster.go_on(),
        };
        self.cluster.spawn(left.settle());
    }
}

/// What a caller left behind.
struct Left {
    reply: LeftReply,
    cluster: Arc<Cluster>,
    node: Arc<Node>,
    lane: Arc<ExclusiveLane>,
    slot: Option<Slot>,
    named: Named,
    /// Whether it may have taken something.
    takes: bool,
    is_pooled: bool,
    _turn: Option<OwnedMutexGuard<()>>,
    _under_way: Counted,
}

impl Left {
    async fn settle(self) {
        let Self { reply, cluster, node, lane, slot, named, takes, is_pooled, _turn, _under_way } = self;
        let reads_on = takes && cluster.on_orphan.is_some();
        let (outcome, is_quiet) = {
            let reply = pin!(reply);
            end_wait(reply, &cluster, &node, &lane, reads_on).await
        };
        if !matches!(outcome, Some(Ok(_))) {
            // The server may wait on, for nobody.
            lane.retire();
        } else if let (true, Some(lane)) = (is_pooled && is_quiet, Arc::into_inner(lane)) {
            lane.give_back();
        }
        let taken = match outcome {
            _ if !takes => None,
            Some(Ok(received)) => something(received).map(Ok),
            Some(Err(Failure::Unsent(_) | Failure::TimedOut { submitted: false })) => None,
            Some(Err(Failure::Lost(cause) | Failure::LostAtHead(cause))) => Some(Err(cause.no_reply())),
            Some(Err(Failure::TimedOut { .. })) | None => Some(Err(GIVEN_UP.to_owned())),
        };
        if let Some(reply) = taken {
            hand_over(&cluster, node.endpoint().clone(), slot, named, reply);
        }
    }
}

/// Tells of an orphan: what was taken, or why nobody knows.
fn hand_over(
    cluster: &Cluster,
    node: Endpoint,
    slot: Option<Slot>,
    Named { command, keys }: Named,
    reply: Result<Reply, String>,
) {
    observe::orphaned(if reply.is_ok() { "taken" } else { "unknown" });
    let is_certain = reply.is_ok();
    cluster.bus.emit(|| Event::Orphaned { node: node.clone(), command: command.clone(), is_certain });
    let Some(on_orphan) = &cluster.on_orphan else { return };
    let unknown = |cause| Error::Interrupted(Box::new(InterruptedError::new(node.clone(), slot, cause, 1)));
    let reply = reply.map_err(unknown);
    on_orphan.take(Orphan { command, keys, node, slot, reply });
}

impl Router {
    /// A command of a batch has a value that its caller will not get: an orphan, if it waited on the server and took something.
    pub(crate) fn leave_value(&self, command: &Command<'_>, value: Received) {
        let spec = command.spec();
        let waited_for = WaitsFor::the(command, spec);
        if blocking_time(command, spec).is_none() || !waited_for.takes() {
            return;
        }
        let slot = spec.and_then(|spec| command.own_slot(spec));
        let topology = self.cluster.topology();
        // Whoever executed it is not noted for each command; it is the owner, unless the slot has just moved.
        let node = slot.and_then(|slot| topology.primary(slot)).or(topology.nodes().first());
        if let (Some(node), Some(reply)) = (node, something(value)) {
            let (node, named, cluster) = (node.endpoint().clone(), waited_for.named(), self.cluster.clone());
            let under_way = cluster.go_on();
            self.cluster.spawn(async move {
                hand_over(&cluster, node, slot, named, Ok(reply));
                drop(under_way);
            });
        }
    }
}

/// Outcomes of a batch that its caller does not have yet. Dropped, they leave orphans.
pub(super) struct Unread<'r, 'a> {
    router: &'r Router,
    outcomes: Vec<(&'r Command<'a>, Option<Result<Received, Error>>)>,
}

impl<'r, 'a> Unread<'r, 'a> {
    pub(super) fn with_room(router: &'r Router, count: usize) -> Self {
        Self { router, outcomes: Vec::with_capacity(count) }
    }

    /// One for each command, none of them known.
    pub(super) fn of(router: &'r Router, commands: &'r [Command<'a>]) -> Self {
        Self { router, outcomes: commands.iter().map(|command| (command, None)).collect() }
    }

    pub(super) fn push(&mut self, command: &'r Command<'a>, outcome: Result<Received, Error>) {
        self.outcomes.push((command, Some(outcome)));
    }

    pub(super) fn set(&mut self, position: usize, outcome: Result<Received, Error>) {
        self.outcomes[position].1 = Some(outcome);
    }

    /// The caller gets them now.
    pub(super) fn read(mut self) -> impl Iterator<Item = Option<Result<Received, Error>>> {
        std::mem::take(&mut self.outcomes).into_iter().map(|(_, outcome)| outcome)
    }
}

impl Drop for Unread<'_, '_> {
    fn drop(&mut self) {
        for (command, outcome) in self.outcomes.drain(..) {
            if let Some(Ok(value)) = outcome {
                self.router.leave_value(command, value);
            }
        }
    }
}

/// Why nobody knows what became of a wait.
const GIVEN_UP: &str = "its caller was gone, and the server did not say what became of the wait";

/// Ends a wait on the server and returns the reply to it. `None` if it can be had only by waiting for something to be taken,
/// and not even then unless it `reads_on`. Also whether no request to end a wait is under way any more: it would end the next
/// one on this connection.
async fn end_wait(
    mut reply: Pin<&mut LeftReply>,
    cluster: &Cluster,
    node: &Node,
    lane: &ExclusiveLane,
    reads_on: bool,
) -> (Option<Result<Received, Failure>>, bool) {
    if let Some(outcome) = reply.as_mut().now_or_never() {
        return (Some(outcome), true);
    }
    let stall = cluster.timing.stall;
    if let Some((id, address)) = lane.client() {
        let (mut pauses, since) = (Backoff::new(ASK_AGAIN.0, ASK_AGAIN.1), Instant::now());
        // A closed client does not wait for ever for a server that is paused.
        while !(cluster.is_closed() && since.elapsed() > stall) {
            let unblocked = match select(reply.as_mut(), pin!(unblock(node, id, &address, stall))).await {
                Either::Left((outcome, unblocking)) => {
                    return (Some(outcome), unblocking.await != Unblocked::Silent);
                }
                Either::Right((unblocked, _)) => unblocked,
            };
            let patience = match unblocked {
                Unblocked::Now => stall,
                Unblocked::NotWaiting => pauses.next_delay(),
                Unblocked::Refused => break,
                Unblocked::Silent => return (None, false),
            };
            if let Some(outcome) = clock::timeout_at(Instant::now() + patience, reply.as_mut()).await {
                return (Some(outcome), true);
            }
        }
    }
    if !reads_on {
        return (None, true);
    }
    match select(reply, pin!(cluster.closed())).await {
        Either::Left((outcome, _)) => (Some(outcome), true),
        Either::Right(_) => (None, true),
    }
}

/// What a reply has in it, if it is neither nil nor an error, nor says that the command is part of a transaction.
fn something(received: Received) -> Option<Reply> {
    let reply = match received {
        Received::Reply(reply) => reply,
        Received::Raw(frame) => match frame.decode(Limits::default()) {
            Ok(Frame::Reply(reply)) => reply,
            _ => return None,
        },
        Received::Replies(_) => return None,
    };
    Some(reply.without_attributes()).filter(|reply| match reply {
        Reply::Nil | Reply::Error(_) => false,
        Reply::Simple(_) => reply.as_str() != Some("QUEUED"),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use truename_resp::ErrorReply;

    use super::*;
    use crate::cmd;

    #[test]
    fn only_what_was_taken_is_an_orphan() {
        let popped = || Reply::Array(vec![Reply::Bulk("queue".into()), Reply::Bulk("item".into())]);
        let unblocked = Reply::Error(ErrorReply::new("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
        let queued = Reply::Simple("QUEUED".into());
        for (reply, expected) in
            [(popped(), Some(popped())), (Reply::Nil, None), (unblocked, None), (queued, None)]
        {
            assert_eq!(something(Received::Reply(reply)), expected);
        }
    }

    #[test]
    fn what_writes_may_take_something() {
        for (command, takes) in [
            (cmd("BLPOP").arg("queue").arg(0), true),
            (cmd("XREADGROUP").arg("GROUP").arg("g").arg("c").arg("STREAMS").arg("s").arg(">"), true),
            (cmd("XREAD").arg("BLOCK").arg(0).arg("STREAMS").arg("s").arg("$"), false),
            (cmd("WAIT").arg(1).arg(0), false),
            (cmd("WAITAOF").arg(1).arg(0).arg(0), false),
            // Nobody knows what it does.
            (cmd("NEW.POP").arg("queue"), true),
        ] {
            assert_eq!(WaitsFor::the(&command, command.spec()).takes(), takes, "{command:?}");
        }
    }

    #[test]
    fn an_orphan_has_the_keys_of_its_command_as_far_as_they_are_known() {
        let rows: [(Command<'_>, &str, &[&str]); 4] = [
            (cmd("blpop").args(["a", "b", "0"]), "BLPOP", &["a", "b"]),
            (cmd("BLMOVE").args(["from", "to", "LEFT", "RIGHT", "0"]), "BLMOVE", &["from", "to"]),
            (cmd("BLMPOP").args(["0", "2", "a", "b", "LEFT"]), "BLMPOP", &["a", "b"]),
            (cmd("new.pop").arg("queue"), "NEW.POP", &[]),
        ];
        for (command, name, keys) in rows {
            let named = WaitsFor::the(&command, command.spec()).named();
            assert_eq!(
                (named.command.as_str(), named.keys),
                (name, keys.iter().map(|&key| key.into()).collect())
            );
        }
    }
}
