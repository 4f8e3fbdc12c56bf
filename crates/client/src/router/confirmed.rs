//! A batch that ends with `WAIT` or `WAITAOF`: all of it on a connection of its own, since these are about the writes of their own
//! connection. It goes out as two units at once, the writes and the wait, so that what became of the writes is known while
//! the server still waits.
//!
//! What must stay true:
//! - Nothing is sent unless all commands go to one node, and each may share a connection.
//! - What is sent is sent once, and again as a whole only if none of it was executed: a command that went on by itself after a
//!   redirect would be a write of another connection.
//! - Where all writes were refused, nobody waits: the connection ends, and its `WAIT` with it. The same goes for a node that loses
//!   the slot.
//! - The connection is given back only after a reply to everything, of which none says that the node does not serve it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::maybe_done;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use super::attempts::Attempts;
use super::batch::turns::is_others_turn;
use super::blocking::first_of;
use super::exec::{EXEC, Exec, MULTI, judge_exec};
use super::for_replicas::refuse_replica;
use super::held::{Held, explain};
use super::judge::{RetryTraits, Setback, Verdict, is_refusal, judge};
use super::one_slot::FirstKeys;
use super::request::{blocking_time, is_compound, names_script};
use super::state::Router;
use super::wait_rules::not_before;
use crate::cluster::Node;
use crate::command::{Command, Route, names_several_keys};
use crate::error::{Error, Execution, RouteError};
use crate::lane::{CloseCause, CutShort, Failure, Form, Received, Unit, request_limits};

type Outcome = Result<Reply, Error>;

/// What came back for the writes.
struct Came {
    replies: Vec<Reply>,
    cut_short: Option<CutShort>,
}

impl Came {
    /// Of what was not even submitted there is only why.
    fn of(outcome: Result<Received, Failure>) -> Result<Self, Failure> {
        match outcome? {
            Received::Replies(unit) => {
                let replies = unit.received.into_iter().map(Received::into_reply);
                let replies = replies.map(Reply::without_attributes).collect();
                Ok(Self { replies, cut_short: unit.cut_short })
            }
            _ => unreachable!("a unit was submitted"),
        }
    }

    /// The outcome of the unit's command at this place, which ends at this byte.
    fn outcome(&self, place: usize, end: u64) -> Result<Reply, Setback> {
        match (self.replies.get(place), &self.cut_short) {
            (Some(Reply::Error(error)), _) => Err(Setback::Error(error.clone())),
            (Some(reply), _) => Ok(reply.clone()),
            (None, Some(cut_short)) => {
                Err(Setback::Failure(cut_short.failure_of(end, place == self.replies.len())))
            }
            (None, None) => unreachable!("a unit has all of its replies, or says why not"),
        }
    }
}

/// What became of the writes, if some may have been executed.
struct Written {
    outcomes: Vec<Outcome>,
    /// The connection is as it was.
    is_clean: bool,
}

impl Router {
    /// Runs a batch that ends with `WAIT`. An error means that none of it was executed, unless it says otherwise.
    pub(crate) async fn run_confirmed(
        &self,
        commands: &[Command<'_>],
        started: Instant,
        timeout: Option<Duration>,
        is_atomic: bool,
    ) -> Result<Vec<Outcome>, Error> {
        let Some((wait, writes)) = commands.split_last() else { return Ok(Vec::new()) };
        let blocks = blocking_time(wait, wait.spec());
        let (waits, patience_with_wait) = self.times(timeout.or(wait.own_timeout()), blocks);
        // The longest of theirs, as of all that goes out together. How long `WAIT` may be silent says nothing about the writes.
        let theirs = writes.iter().map(|command| self.times(timeout.or(command.own_timeout()), None));
        let longest = |(time, patience): (Duration, Duration), (other_time, other_patience)| {
            (time.max(other_time), patience.max(other_patience))
        };
        let (timeout, patience) = theirs.fold((waits, Duration::ZERO), longest);
        let keys = self.slots_of(writes, wait, started, timeout).await?;
        let Some((_, slot)) = keys.first() else {
            return Err(not_before(wait, "no command before it has a key, so there is no write before it"));
        };
        if is_atomic && !self.cluster.is_single() && keys.iter().any(|(_, other)| other != slot) {
            let mut found = FirstKeys::default();
            keys.iter().for_each(|(key, slot)| found.note(key, *slot));
            return Err(found.cross_slot("the atomic batch"));
        }
        let mut attempts = Attempts::new(started, timeout, Route::Slot(*slot));
        let until = attempts.deadline();
        let limits = |patience, unit| request_limits(Instant::now(), until, patience, unit);
        let (encoded, ends) = encode(writes, is_atomic);
        loop {
            if let Some(unassigned) = self.refuse_several_nodes(wait, &keys)? {
                self.owner(unassigned, &mut attempts).await?;
                continue;
            }
            // As long as any command waits for a connection, however long the server is asked to wait.
            let held = self.hold(*slot, &mut attempts, self.cluster.timing.command).await?;
            let mut lost = pin!(self.cluster.loses(&held.node, Some(*slot)));
            if !self.has_all(&held.node, &keys) {
                // One of them went elsewhere in the meantime.
                self.cluster.hints.refresh();
                if let Some(lane) = Arc::into_inner(held.lane) {
                    lane.give_back_unused().await;
                }
                attempts.back_off().await?;
                continue;
            }
            let probe = |unit| limits(patience, unit);
            if is_atomic && let Err(setback) = self.make_sure_of_multi(&held.node, Some(*slot), probe).await {
                self.start_over(setback, &held, &mut attempts).await?;
                continue;
            }
            let (written, waited) = {
                let unit = limits(patience, Unit::commands(ends.len() as u32, Form::Decoded));
                let mut writing = pin!(held.lane.submit(unit, |out| out.extend_from_slice(&encoded)));
                let unit = limits(patience_with_wait, Unit::command(Form::Decoded));
                let mut waiting = pin!(maybe_done(held.lane.submit(unit, |out| wait.encode(out))));
                // Both are queued at the first poll, in this order.
                let outcome = poll_fn(|cx| {
                    let written = writing.as_mut().poll(cx);
                    let _ = waiting.as_mut().poll(cx);
                    written
                });
                let came = match Came::of(outcome.await) {
                    Ok(came) => came,
                    Err(failure) => {
                        self.start_over(Setback::Failure(failure), &held, &mut attempts).await?;
                        continue;
                    }
                };
                let written = match is_atomic {
                    true => self.transaction_of(came, &ends, writes, &held, &mut attempts).await?,
                    false => self.each_of(&came, &ends, writes, &held, &mut attempts).await?,
                };
                let Some(written) = written else { continue };
                let waited = match first_of(waiting.as_mut(), lost.as_mut()).await {
                    Some(()) => waiting.as_mut().take_output(),
                    None => None,
                };
                // Nobody confirms there what is another node's now.
                (written, waited.unwrap_or_else(|| Err(Failure::Lost(Arc::new(CloseCause::SlotMoved)))))
            };
            let Written { mut outcomes, is_clean } = written;
            let waited = Setback::or_value(waited).map(Received::into_reply);
            let is_clean = is_clean && waited.is_ok();
            outcomes
                .push(waited.map_err(|setback| explain(setback, &held, wait, wait.spec(), &mut attempts)));
            if let (true, Some(lane)) = (is_clean, Arc::into_inner(held.lane)) {
                lane.give_back();
            }
            return Ok(outcomes);
        }
    }

    /// The outcomes of commands one by one; `None` if none of them was executed and all may be done again.
    async fn each_of(
        &self,
        came: &Came,
        ends: &[u64],
        writes: &[Command<'_>],
        held: &Held,
        attempts: &mut Attempts,
    ) -> Result<Option<Written>, Error> {
        let outcomes: Vec<_> = (0..writes.len()).map(|place| came.outcome(place, ends[place])).collect();
        if let Some(setback) = refusal_of_all(&outcomes, writes, held.node()) {
            self.start_over(setback, held, attempts).await?;
            return Ok(None);
        }
        let mut is_clean = came.cut_short.is_none();
        for setback in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            self.cluster.hints.refresh();
            if let Setback::Error(error) = setback {
                self.note_demotion(&held.node, error);
                is_clean &= !is_refusal(error.code());
            }
        }
        let outcomes = outcomes.into_iter().zip(writes).map(|(outcome, command)| {
            outcome.map_err(|setback| explain(setback, held, command, command.spec(), attempts))
        });
        Ok(Some(Written { outcomes: outcomes.collect(), is_clean }))
    }

    /// The outcomes of a transaction's commands; `None` if none of them was executed and all may be done again.
    async fn transaction_of(
        &self,
        came: Came,
        ends: &[u64],
        writes: &[Command<'_>],
        held: &Held,
        attempts: &mut Attempts,
    ) -> Result<Option<Written>, Error> {
        let exec = writes.len() + 1;
        let failure = came.outcome(exec, ends[exec]).err().and_then(|setback| match setback {
            Setback::Failure(failure) => Some(failure),
            Setback::Error(_) => None,
        });
        let node = &held.node;
        match judge_exec(came.replies, failure) {
            Exec::Done(values) if values.len() == writes.len() => {
                let outcomes = values.into_iter().map(|reply| match reply.as_error() {
                    Some(error) => Err(attempts.answer(error.clone(), Execution::Possible, node)),
                    None => Ok(reply),
                });
                Ok(Some(Written { outcomes: outcomes.collect(), is_clean: true }))
            }
            Exec::Refused(error) => {
                self.start_over(Setback::Error(error), held, attempts).await?;
                Ok(None)
            }
            Exec::Unsent(cause) => {
                self.start_over(Setback::Failure(Failure::Unsent(cause)), held, attempts).await?;
                Ok(None)
            }
            Exec::Loose(error) => Err(attempts.answer(error, Execution::Possible, node)),
            Exec::Unknown(Failure::TimedOut { submitted }) => {
                attempts.note_node(node);
                Err(attempts.timed_out(submitted))
            }
            Exec::Unknown(Failure::Unsent(cause) | Failure::Lost(cause) | Failure::LostAtHead(cause)) => {
                Err(attempts.interrupted(&cause, node))
            }
            Exec::Done(_) | Exec::Raced | Exec::Strange => {
                let cause = CloseCause::Protocol("a reply that is none to EXEC".to_owned());
                Err(attempts.interrupted(&cause, node))
            }
        }
    }

    /// The slots of commands, each with a key of its own if it has one. Each must be one that may share a connection.
    async fn slots_of<'c>(
        &self,
        writes: &'c [Command<'_>],
        wait: &Command<'_>,
        now: Instant,
        timeout: Duration,
    ) -> Result<Vec<(&'c [u8], Slot)>, Error> {
        let mut found = Vec::new();
        for (count, command) in writes.iter().enumerate() {
            if is_others_turn(count) {
                tokio::task::yield_now().await;
            }
            let prepared = self.prepare_known(command, now, timeout).await;
            let (request, attempts, place) = prepared.map_err(|error| self.not_one(command, wait, error))?;
            refuse_replica(command, "it is executed where a batch with WAIT is, which is a primary")?;
            if request.blocks.is_some() {
                return Err(not_before(
                    wait,
                    &format!("{} before it waits on the server itself", command.name()),
                ));
            }
            if attempts.route == Route::NamedNode {
                return Err(not_before(wait, &format!("{} before it names a node", command.name())));
            }
            found.extend(place);
        }
        Ok(found)
    }

    /// Why a command cannot be sent as one: alone, it would go out in parts.
    #[cold]
    fn not_one(&self, command: &Command<'_>, wait: &Command<'_>, error: Error) -> Error {
        match self.fan(command) {
            Some(fan) => {
                let what = fan.why_in_parts();
                not_before(wait, &format!("{} before it {what}, and is sent in parts", command.name()))
            }
            None => error,
        }
    }

    /// Refuses commands of several nodes, as far as it is known which they are. A slot without an owner, if there is one.
    fn refuse_several_nodes(
        &self,
        wait: &Command<'_>,
        keys: &[(&[u8], Slot)],
    ) -> Result<Option<Slot>, Error> {
        let topology = self.cluster.topology();
        let (mut nodes, mut found, mut unassigned) = (Vec::new(), FirstKeys::default(), None);
        for (key, slot) in keys {
            let Some(node) = topology.primary(*slot).map(Arc::as_ptr) else {
                unassigned = Some(*slot);
                continue;
            };
            if !nodes.contains(&node) {
                nodes.push(node);
                found.note(key, *slot);
            }
        }
        match nodes.len() > 1 {
            true => Err(Error::Route(Box::new(RouteError::NotOneNode {
                command: wait.name().to_owned(),
                keys: found.into_keys(),
            }))),
            false => Ok(unassigned),
        }
    }

    /// Whether a node has the slots of all keys.
    fn has_all(&self, node: &Arc<Node>, keys: &[(&[u8], Slot)]) -> bool {
        let topology = self.cluster.topology();
        let owner = |slot| topology.primary(slot);
        keys.iter().all(|(_, slot)| owner(*slot).is_some_and(|owner| Arc::ptr_eq(owner, node)))
    }
}

/// The writes as they are sent, and where each command's last byte is.
fn encode(writes: &[Command<'_>], is_atomic: bool) -> (BytesMut, Vec<u64>) {
    let (mut encoded, mut ends) = (BytesMut::new(), Vec::with_capacity(writes.len() + 2));
    let mut put = |bytes: &dyn Fn(&mut BytesMut)| {
        bytes(&mut encoded);
        ends.push(encoded.len() as u64);
    };
    if is_atomic {
        put(&|out| out.extend_from_slice(MULTI));
    }
    writes.iter().for_each(|command| put(&|out| command.encode(out)));
    if is_atomic {
        put(&|out| out.extend_from_slice(EXEC));
    }
    (encoded, ends)
}

/// Why none of them was executed, if that can be another time. What may be a script's own words proves nothing.
fn refusal_of_all(
    outcomes: &[Result<Reply, Setback>],
    writes: &[Command<'_>],
    node: &Endpoint,
) -> Option<Setback> {
    let mut why = None;
    for (outcome, command) in outcomes.iter().zip(writes) {
        let setback = outcome.as_ref().err()?;
        match judge(setback.clone(), traits(command), node) {
            Verdict::Moved(_) | Verdict::Ask(_) | Verdict::Reconnect(_) | Verdict::Wait(_) => {}
            Verdict::Resend { is_lost: false, .. } => {}
            // Not executed either, but for good.
            Verdict::Answer { execution: Execution::Refused, .. } => continue,
            _ => return None,
        }
        why.get_or_insert(setback);
    }
    why.cloned()
}

/// How the judge sees a command that may go to another node with all others, and not by itself.
fn traits(command: &Command<'_>) -> RetryTraits {
    let spec = command.spec();
    RetryTraits {
        compound: is_compound(spec),
        names_script: names_script(spec),
        has_several_keys: spec.is_some_and(|spec| names_several_keys(spec, command)),
        ..RetryTraits::once(spec.and_then(|spec| command.own_slot(spec)))
    }
}

#[cfg(test)]
mod tests {
    use truename_resp::ErrorReply;

    use super::*;
    use crate::cmd;

    /// The commands, their outcomes, and whether all may be sent again.
    type Row<'c> = (Vec<Command<'c>>, Vec<Result<Reply, Setback>>, bool);

    #[test]
    fn when_none_of_them_was_executed() {
        let node = Endpoint::new("answerer", 1);
        let slot = Slot::of_key(b"k");
        let moved = format!("MOVED {slot} 10.0.0.5:2");
        let cause = || Arc::new(CloseCause::PeerClosed);
        let error = |text: &str| Err(Setback::Error(ErrorReply::new(text.to_owned())));
        let [set, script, of_two_keys, by_digest] = [
            || cmd("SET").arg("k").arg(1),
            || cmd("EVAL").arg("return 1").arg(1).arg("k"),
            || cmd("EVAL").arg("return 1").arg(2).arg("k").arg("{k}:2"),
            || cmd("EVALSHA").arg("0123").arg(1).arg("k"),
        ];
        let try_again = "TRYAGAIN Multiple keys request during rehashing of slot";
        let no_script = "NOSCRIPT No matching script.";
        let unsent = || Err(Setback::Failure(Failure::Unsent(cause())));
        let rows: Vec<Row<'_>> = vec![
            (vec![set(), set()], vec![error(&moved), error(&moved)], true),
            (vec![set(), set()], vec![error(&moved), Ok(Reply::Nil)], false),
            (vec![set(), set()], vec![error("READONLY x"), unsent()], true),
            (vec![set(), set()], vec![error(&moved), Err(Setback::Failure(Failure::Lost(cause())))], false),
            (vec![set()], vec![Err(Setback::Failure(Failure::TimedOut { submitted: true }))], false),
            (vec![set()], vec![error("WRONGTYPE x")], false),
            // The servers' own words, and what may be the script's.
            (vec![of_two_keys(), set()], vec![error(try_again), error(&moved)], true),
            (vec![script(), set()], vec![error(try_again), error(&moved)], false),
            (vec![script()], vec![error("TRYAGAIN later")], false),
            (vec![script()], vec![error(&moved)], false),
            (vec![script()], vec![error("READONLY x")], false),
            // For good, but another one was refused for now.
            (vec![by_digest()], vec![error(no_script)], false),
            (vec![by_digest(), set()], vec![error(no_script), error(&moved)], true),
            (vec![script(), set()], vec![error(no_script), error(&moved)], false),
        ];
        for (commands, outcomes, is_refusal) in rows {
            let found = refusal_of_all(&outcomes, &commands, &node);
            assert_eq!(found.is_some(), is_refusal, "{commands:?} {outcomes:?}");
            let passes = |setback| !matches!(setback, Setback::Error(error) if error.code() == "NOSCRIPT");
            assert!(found.is_none_or(passes), "{outcomes:?}");
        }
    }
}
