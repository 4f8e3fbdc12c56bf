//! A batch that ends with `WAIT` or `WAITAOF`: all of it as one unit on a connection of its own, since these are about the writes of
//! their own connection.
//!
//! What must stay true:
//! - Nothing is sent unless all commands go to one node, and each may share a connection.
//! - What is sent is sent once, and again as a whole only if none of it was executed: a command that went on by itself after a
//!   redirect would be a write of another connection.
//! - The connection is given back only after a reply to everything, and without an open transaction.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::Slot;

use super::attempts::Attempts;
use super::batch::turns::is_others_turn;
use super::exec::{EXEC, Exec, MULTI, judge_exec};
use super::for_replicas::refuse_replica;
use super::held::{Held, explain};
use super::judge::{Setback, is_refusal};
use super::one_slot::FirstKeys;
use super::request::{blocking_time, is_compound};
use super::state::Router;
use crate::command::{Affinity, Command, Route, first_key};
use crate::error::{Error, Execution, RouteError};
use crate::lane::{CloseCause, CutShort, Failure, Form, Received, Unit, request_limits};

type Outcome = Result<Reply, Error>;

/// Whether the last command of a batch waits for those before it.
pub(crate) fn is_confirmed(commands: &[Command<'_>]) -> bool {
    let waits = |command: &Command<'_>| {
        command.spec().is_some_and(|spec| spec.affinity(command) == Affinity::EarlierWrites)
    };
    commands.len() > 1 && commands.last().is_some_and(waits)
}

/// What came back for a unit.
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
        let (waits, patience) = self.times(timeout.or(wait.own_timeout()), blocks);
        // The longest of theirs, as of all that goes out together.
        let others = writes.iter().map(|command| self.times(timeout.or(command.own_timeout()), None).0);
        let timeout = others.fold(waits, Duration::max);
        let keys = self.slots_of(writes, wait, started, timeout).await?;
        let Some((_, slot)) = keys.first() else {
            return Err(not_before(
                wait,
                "no command before it has a key, which would say whose writes are meant",
            ));
        };
        if is_atomic && !self.cluster.is_single() && keys.iter().any(|(_, other)| other != slot) {
            let mut found = FirstKeys::default();
            keys.iter().for_each(|(key, slot)| found.note(key, *slot));
            return Err(found.cross_slot("the atomic batch"));
        }
        let mut attempts = Attempts::new(started, timeout, Route::Slot(*slot));
        loop {
            self.refuse_several_nodes(wait, &keys)?;
            // As long as any command waits for a connection, however long the server is asked to wait.
            let held = self.hold(*slot, &mut attempts, self.cluster.timing.command).await?;
            let topology = self.cluster.topology().clone();
            if keys
                .iter()
                .any(|(_, slot)| topology.primary(*slot).is_none_or(|node| !Arc::ptr_eq(node, &held.node)))
            {
                attempts.back_off().await?;
                continue;
            }
            let limits = |unit| request_limits(Instant::now(), attempts.deadline(), patience, unit);
            if is_atomic && let Err(setback) = self.make_sure_of_multi(&held.node, Some(*slot), limits).await
            {
                self.start_over(setback, &held, &mut attempts).await?;
                continue;
            }
            let (mut encoded, mut ends) = (BytesMut::new(), Vec::with_capacity(commands.len() + 2));
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
            put(&|out| wait.encode(out));
            let unit = Unit::commands(ends.len() as u32, Form::Decoded);
            let outcome = held.lane.submit(limits(unit), |out| out.extend_from_slice(&encoded)).await;
            let came = match Came::of(outcome) {
                Ok(came) => came,
                Err(failure) => {
                    self.start_over(Setback::Failure(failure), &held, &mut attempts).await?;
                    continue;
                }
            };
            let done = match is_atomic {
                true => self.transaction_of(came, &ends, writes, &held, &mut attempts).await?,
                false => self.each_of(&came, &ends, writes, &held, &mut attempts).await?,
            };
            let Some((mut outcomes, waited, is_clean)) = done else { continue };
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
    ) -> Result<Option<(Vec<Outcome>, Result<Reply, Setback>, bool)>, Error> {
        let outcomes: Vec<_> = (0..writes.len()).map(|place| came.outcome(place, ends[place])).collect();
        if let Some(setback) = refusal_of_all(&outcomes, writes) {
            self.start_over(setback, held, attempts).await?;
            return Ok(None);
        }
        if outcomes.iter().any(Result::is_err) {
            self.cluster.hints.refresh();
        }
        let outcomes = outcomes.into_iter().zip(writes).map(|(outcome, command)| {
            outcome.map_err(|setback| explain(setback, held, command, command.spec(), attempts))
        });
        let outcomes = outcomes.collect();
        Ok(Some((outcomes, came.outcome(writes.len(), ends[writes.len()]), came.cut_short.is_none())))
    }

    /// The outcomes of a transaction's commands; `None` if none of them was executed and all may be done again.
    async fn transaction_of(
        &self,
        mut came: Came,
        ends: &[u64],
        writes: &[Command<'_>],
        held: &Held,
        attempts: &mut Attempts,
    ) -> Result<Option<(Vec<Outcome>, Result<Reply, Setback>, bool)>, Error> {
        let (exec, last) = (writes.len() + 1, writes.len() + 2);
        let waited = came.outcome(last, ends[last]);
        came.replies.truncate(last);
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
                Ok(Some((outcomes.collect(), waited, came.cut_short.is_none())))
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
            let (mut request, mut attempts) = self.prepare(command, Form::Decoded, now, Some(timeout))?;
            if request.spec.is_none() && !self.recall(&mut request, &mut attempts)? {
                self.ask_about(&mut request, &mut attempts).await?;
            }
            refuse_replica(command, "it is executed where a batch with WAIT is, which is a primary")?;
            if request.blocks.is_some() {
                return Err(not_before(wait, "a command before it waits on the server itself"));
            }
            if attempts.route == Route::NamedNode {
                return Err(not_before(wait, "a command before it names a node"));
            }
            if let Some(slot) = attempts.slot() {
                let key = request.spec.and_then(|spec| first_key(spec, command));
                found.push((key.filter(|key| Slot::of_key(key) == slot).unwrap_or_default(), slot));
            }
        }
        Ok(found)
    }

    /// Refuses commands of several nodes, as far as it is known which they are.
    fn refuse_several_nodes(&self, wait: &Command<'_>, keys: &[(&[u8], Slot)]) -> Result<(), Error> {
        let topology = self.cluster.topology();
        let (mut nodes, mut found) = (Vec::new(), FirstKeys::default());
        for (key, slot) in keys {
            let Some(node) = topology.primary(*slot).map(Arc::as_ptr) else { continue };
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
            false => Ok(()),
        }
    }
}

/// Why none of them was executed, if that can be another time.
fn refusal_of_all(outcomes: &[Result<Reply, Setback>], writes: &[Command<'_>]) -> Option<Setback> {
    let is_refused = |(outcome, command): (&Result<Reply, Setback>, &Command<'_>)| match outcome {
        Ok(_) => false,
        Err(Setback::Failure(failure)) => matches!(failure, Failure::Unsent(_)),
        Err(Setback::Error(_)) if is_compound(command.spec()) => false,
        Err(Setback::Error(error)) => is_refusal(error.code()),
    };
    let all = outcomes.iter().zip(writes).all(is_refused);
    outcomes.first().filter(|_| all)?.as_ref().err().cloned()
}

fn not_before(wait: &Command<'_>, why: &str) -> Error {
    Error::Route(Box::new(RouteError::NotConfirmed { command: wait.name().to_owned(), why: why.to_owned() }))
}
