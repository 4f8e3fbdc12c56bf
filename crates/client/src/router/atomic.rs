//! Commands as one transaction: `MULTI`, the commands and `EXEC`, as one unit on the lane of their slot.
//!
//! A lane is shared, and a unit is contiguous in its stream: nobody else's command gets between `MULTI` and `EXEC`.
//!
//! What must stay true:
//! - Nothing is sent unless all commands are of one slot, and each may be sent on a shared connection.
//! - `ASKING` stands immediately before `MULTI`: the server keeps it until `EXEC` (`resetClient` in `networking.c`, 7.0).
//! - It is executed by a primary. On a connection that reads from replicas, one that writes nothing, as far as is known, stands
//!   between `READWRITE` and `READONLY`: a primary that has become a replica would execute it.
//! - The unit is sent again as a whole, and only if none of it was executed, or all of it only reads. No error says that none
//!   was unless `EXEC`'s reply does, or was not asked for.
//! - Without a transaction the commands would be executed one by one, and without `READWRITE` by a replica: so a node is asked
//!   once whether it takes these words. Refused in the unit all the same, they stop nothing of what follows.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::{ErrorReply, Reply};
use truename_topology::Slot;

use super::attempts::Attempts;
use super::batch::turns::is_others_turn;
use super::exec::{EXEC, Exec, MULTI, judge_exec, replies_of};
use super::for_replicas::refuse_replica;
use super::judge::{Setback, Verdict, judge};
use super::mode::{READONLY, READWRITE, Words, needs_readwrite, unsent, without_mode};
use super::one_slot::FirstKeys;
use super::request::Request;
use super::state::Router;
use super::submit::ASKING;
use crate::cluster::Node;
use crate::command::{Command, Flags, Repeat, Route, cmd, lookup};
use crate::error::{Error, Execution, RouteError, TypeError};
use crate::lane::{Failure, Form, Received, RequestLimits, Unit, request_limits};

/// Why a transaction has no values.
#[derive(Debug)]
enum Stop {
    /// None of it was executed, or nobody knows, as the setback says.
    Setback(Setback),
    /// What came back is not what a transaction returns.
    Broken(Error),
    /// A word before the commands was refused, and they may have been executed all the same: one by one, or by a replica.
    Unguarded(ErrorReply),
}

impl Router {
    /// Runs commands as one transaction. An error means that none was executed, unless it says otherwise; the commands' own
    /// errors are among the outcomes.
    pub(crate) async fn atomic(
        &self,
        commands: &[Command<'_>],
        now: Instant,
        timeout: Option<Duration>,
    ) -> Result<Vec<Result<Reply, Error>>, Error> {
        let Some(spec) = lookup(b"EXEC", None).filter(|_| !commands.is_empty()) else {
            return Ok(Vec::new());
        };
        let own = match commands.iter().any(|command| command.own_timeout().is_some()) {
            true => commands.iter().map(|command| self.times(command.own_timeout(), None).0).max(),
            false => None,
        };
        let (timeout, patience) = self.times(timeout.or(own), None);
        let route = self.one_slot(commands, now, timeout).await?.map_or(Route::AnyPrimary, Route::Slot);
        let exec = cmd("EXEC").repeatable(only_reads(commands));
        let request = Request::known(&exec, spec, Form::Decoded, patience, self.cluster.is_single());
        let mut attempts = Attempts::new(now, timeout, route);
        let mut destination = self.resolve(&request, &mut attempts).await?;
        loop {
            let begun = attempts.begin();
            if begun >= attempts.deadline() {
                return Err(attempts.admit(attempts.timed_out(false)));
            }
            let node = destination.node;
            let stop = match self.run_unit(&node, commands, destination.asking, &request, &attempts).await {
                Ok(replies) => return Ok(each_of(replies, &attempts, &node)),
                Err(stop) => stop,
            };
            let setback = match stop {
                Stop::Setback(setback) => setback,
                Stop::Broken(error) => return Err(attempts.admit(error)),
                Stop::Unguarded(error) => return Err(attempts.answer(error, Execution::Possible, &node)),
            };
            if let Setback::Error(error) = &setback {
                let traits = request.traits(false, &attempts);
                if let Verdict::Answer { .. } = judge(setback.clone(), traits, node.endpoint()) {
                    // Queued commands that were refused, or discarded: none was executed.
                    let answer = attempts.answer(error.clone(), Execution::Refused, &node);
                    return Err(attempts.admit(answer));
                }
            }
            destination = self.follow(setback, node, &request, &mut attempts).await?;
        }
    }

    /// The slot of all commands; none if they have no keys. Each of them must be one that may share a connection.
    async fn one_slot(
        &self,
        commands: &[Command<'_>],
        now: Instant,
        timeout: Duration,
    ) -> Result<Option<Slot>, Error> {
        let mut found = FirstKeys::default();
        for (count, command) in commands.iter().enumerate() {
            if is_others_turn(count) {
                tokio::task::yield_now().await;
            }
            let (_, attempts, place) = self.prepare_known(command, now, timeout).await?;
            refuse_replica(command, "it is part of a transaction")?;
            if attempts.route == Route::NamedNode {
                return Err(Error::Route(Box::new(RouteError::NamedInTransaction {
                    command: command.name().to_owned(),
                })));
            }
            if let Some((key, slot)) = place {
                found.note(key, slot);
            }
        }
        if found.are_of_several_slots() && !self.cluster.is_single() {
            return Err(found.cross_slot("the atomic batch"));
        }
        Ok(found.first().map(|(_, slot)| *slot))
    }

    /// Whether a replica would execute all of them on a connection of this client's: they write nothing, as far as is known.
    fn could_run_on_a_replica(&self, commands: &[Command<'_>]) -> bool {
        let writes =
            |command: &Command<'_>| command.spec().is_some_and(|spec| spec.flags.contains(Flags::WRITE));
        self.is_readonly() && !self.cluster.is_single() && !commands.iter().any(writes)
    }

    /// Asks a node whether it takes `MULTI`, once after each connection.
    pub(super) async fn make_sure_of_multi(
        &self,
        node: &Node,
        slot: Option<Slot>,
        limits: impl Fn(Unit) -> RequestLimits,
    ) -> Result<(), Setback> {
        if node.found_out().takes_transactions() {
            return Ok(());
        }
        if let Some(refusal) = node.found_out().stays_queueing() {
            return Err(Setback::Error(refusal));
        }
        let unit = limits(Unit::commands(2, Form::Decoded));
        let probe = node.lane(slot).submit(unit, |out: &mut BytesMut| {
            out.extend_from_slice(MULTI);
            out.extend_from_slice(EXEC);
        });
        let outcome = probe.await;
        leave_if_queueing(node, slot, &outcome);
        probed(outcome)?;
        node.found_out().note_transactions();
        Ok(())
    }

    async fn run_unit(
        &self,
        node: &Node,
        commands: &[Command<'_>],
        asking: bool,
        request: &Request<'_, '_>,
        attempts: &Attempts,
    ) -> Result<Vec<Reply>, Stop> {
        let slot = attempts.slot();
        let limits = |unit| request_limits(Instant::now(), attempts.deadline(), request.patience, unit);
        self.make_sure_of_multi(node, slot, limits).await.map_err(Stop::Setback)?;
        let in_mode = !asking
            && self.could_run_on_a_replica(commands)
            && needs_readwrite(node, slot, limits).await.map_err(Stop::Setback)?;
        let count = commands.len() as u32 + 2 + 2 * u32::from(in_mode);
        let unit = Unit::commands(count, Form::Decoded).after(asking.into());
        let encode = |out: &mut BytesMut| {
            if asking {
                out.extend_from_slice(ASKING);
            }
            if in_mode {
                out.extend_from_slice(READWRITE);
            }
            out.extend_from_slice(MULTI);
            commands.iter().for_each(|command| command.encode(out));
            out.extend_from_slice(EXEC);
        };
        let encode_all = |out: &mut BytesMut| {
            encode(out);
            out.extend_from_slice(if in_mode { READONLY } else { b"" });
        };
        let mut outcome = node.lane(slot).submit(limits(unit), encode_all).await;
        let mut refused = Words::default();
        if in_mode {
            (outcome, refused) = without_mode(count, outcome);
        }
        if let Words { readwrite: None, readonly: Some(refusal) } = &refused {
            node.leave_mode(slot, refusal.clone());
        }
        leave_if_queueing(node, slot, &outcome);
        let length = || {
            let mut all = BytesMut::new();
            encode(&mut all);
            all.len() as u64
        };
        let mut values = values(outcome, commands.len(), length);
        if refused.readwrite.is_some() || matches!(values, Err(Stop::Unguarded(_))) {
            node.found_out().forget_taken();
        }
        if let Some(refusal) = refused.readwrite {
            values = Err(perhaps_by_a_replica(refusal, values, only_reads(commands)));
        }
        values
    }
}

fn only_reads(commands: &[Command<'_>]) -> bool {
    commands.iter().all(|command| command.repeat(command.spec(), false) == Repeat::Always)
}

/// What becomes of a transaction that was executed without its `READWRITE`, if it was: its values may be a replica's.
fn perhaps_by_a_replica(refusal: ErrorReply, values: Result<Vec<Reply>, Stop>, only_reads: bool) -> Stop {
    match values {
        Err(Stop::Setback(Setback::Error(_) | Setback::Failure(Failure::Unsent(_)))) => {
            Stop::Setback(Setback::Error(refusal))
        }
        _ if only_reads => Stop::Setback(Setback::Error(refusal)),
        _ => Stop::Unguarded(refusal),
    }
}

/// What is submitted from now on waits for another connection, if this one may not have left the transaction.
fn leave_if_queueing(node: &Node, slot: Option<Slot>, outcome: &Result<Received, Failure>) {
    if let Ok(Received::Replies(replies)) = outcome
        && replies.cut_short.is_none()
        && let Some(refusal) = may_be_queueing(&replies.received)
    {
        node.leave_transaction(slot, refusal);
    }
}

/// Whether the connection may still queue what is sent on it: `MULTI` was taken, and `EXEC` was not even looked at, as where it
/// has another name. A rejected `EXEC` ends the transaction, and says so by its code (`rejectCommand`, `execCommandAbort` and
/// `processCommand` in `server.c` and `multi.c`, 7.0).
fn may_be_queueing(replies: &[Received]) -> Option<ErrorReply> {
    let is_taken = replies.first().is_some_and(|multi| multi.error().is_none());
    let ends = ["EXECABORT", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT"];
    let exec = replies.last().filter(|_| replies.len() > 1).and_then(Received::error);
    exec.filter(|error| is_taken && !ends.contains(&error.code()))
}

/// Each command's outcome. An error among them is its own; the others were executed.
fn each_of(replies: Vec<Reply>, attempts: &Attempts, node: &Node) -> Vec<Result<Reply, Error>> {
    let outcomes = replies.into_iter().map(|reply| match reply.as_error() {
        Some(error) => Err(attempts.answer(error.clone(), Execution::Possible, node)),
        None => Ok(reply),
    });
    outcomes.collect()
}

/// Whether `MULTI` and `EXEC` were taken. Nothing was executed in between.
fn probed(outcome: Result<Received, Failure>) -> Result<(), Setback> {
    let (replies, end) = replies_of(outcome, || u64::MAX);
    match replies.iter().find_map(Reply::as_error) {
        Some(error) => Err(Setback::Error(error.clone())),
        None => end.map_or(Ok(()), |failure| Err(Setback::Failure(unsent(failure)))),
    }
}

/// The values of a transaction of so many commands. `length`: that of the unit in bytes.
fn values(
    outcome: Result<Received, Failure>,
    commands: usize,
    length: impl FnOnce() -> u64,
) -> Result<Vec<Reply>, Stop> {
    let (replies, failure) = replies_of(outcome, length);
    match judge_exec(replies, failure) {
        Exec::Done(values) if values.len() == commands => Ok(values),
        Exec::Done(_) => Err(unexpected("another number of them")),
        // Nothing is watched on a connection that is shared.
        Exec::Raced => Err(unexpected("nil")),
        Exec::Strange => Err(unexpected("no array")),
        Exec::Refused(error) => Err(Stop::Setback(Setback::Error(error))),
        Exec::Loose(error) => Err(Stop::Unguarded(error)),
        Exec::Unsent(cause) => Err(Stop::Setback(Setback::Failure(Failure::Unsent(cause)))),
        Exec::Unknown(failure) => Err(Stop::Setback(Setback::Failure(failure))),
    }
}

fn unexpected(got: &'static str) -> Stop {
    let wanted = "an array with a value for each command of the transaction";
    Stop::Broken(Error::from(TypeError::new(wanted, got)).in_reply_to("EXEC", None, None))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lane::{CloseCause, CutShort, Replies};

    fn said(texts: &[&'static str]) -> Result<Received, Failure> {
        let reply = |text: &&'static str| match text.strip_prefix('-') {
            Some(error) => Reply::Error(ErrorReply::new(error)),
            None if *text == "[2]" => Reply::Array(vec![Reply::Integer(1), Reply::Integer(2)]),
            None if *text == "nil" => Reply::Nil,
            None => Reply::Simple((*text).into()),
        };
        let received = texts.iter().map(reply).map(Received::Reply).collect();
        Ok(Received::Replies(Box::new(Replies { received, cut_short: None })))
    }

    /// What a transaction of two commands came to.
    fn outcome(texts: &[&'static str]) -> String {
        match values(said(texts), 2, || 100) {
            Ok(values) => format!("{} values", values.len()),
            Err(Stop::Setback(Setback::Error(error))) => format!("none executed: {}", error.code()),
            Err(Stop::Setback(Setback::Failure(failure))) => format!("{failure:?}"),
            Err(Stop::Unguarded(error)) => format!("unguarded: {}", error.code()),
            Err(Stop::Broken(error)) => format!("broken: {}", error.may_have_executed()),
        }
    }

    #[test]
    fn what_a_transaction_came_to() {
        for (texts, expected) in [
            (&["OK", "QUEUED", "QUEUED", "[2]"][..], "2 values"),
            (&["OK", "QUEUED", "-MOVED 1 a:1", "-EXECABORT Transaction discarded"], "none executed: MOVED"),
            (&["OK", "-ERR unknown command", "-MOVED 1 a:1", "-EXECABORT x"], "none executed: ERR"),
            (&["OK", "QUEUED", "QUEUED", "-MOVED 1 a:1"], "none executed: MOVED"),
            (&["OK", "QUEUED", "QUEUED", "-EXECABORT x"], "none executed: EXECABORT"),
            (&["-NOPERM x", "OK", "OK", "-ERR EXEC without MULTI"], "unguarded: NOPERM"),
            // Not what any server says; whatever it means, it may have been executed.
            (&["OK", "QUEUED", "QUEUED", "nil"], "broken: true"),
            (&["OK", "QUEUED", "QUEUED", "OK"], "broken: true"),
        ] {
            assert_eq!(outcome(texts), expected, "{texts:?}");
        }
    }

    /// The array of `EXEC` was dropped if the connection ended before the reply to `READONLY`.
    #[test]
    fn what_a_transaction_between_two_modes_came_to() {
        let all = ["OK", "OK", "QUEUED", "QUEUED", "[2]", "OK"];
        for (came, expected) in [(6, "values"), (5, "values"), (4, "unknown"), (1, "unknown"), (0, "unknown")]
        {
            let Ok(Received::Replies(mut replies)) = said(&all[..came]) else { panic!("replies") };
            if came < all.len() {
                replies.cut_short = Some(CutShort::lost(Arc::new(CloseCause::PeerClosed), 100));
            }
            let (outcome, refused) = without_mode(6, Ok(Received::Replies(replies)));
            assert!(refused.readwrite.is_none() && refused.readonly.is_none());
            let found = match values(outcome, 2, || 80) {
                Ok(_) => "values",
                Err(Stop::Setback(Setback::Failure(Failure::Lost(_) | Failure::LostAtHead(_)))) => "unknown",
                Err(stop) => panic!("{came}: {stop:?}"),
            };
            assert_eq!(found, expected, "{came} replies");
        }
        let refused = [&all[..5], &["-NOPERM x"][..]].concat();
        let (_, refused) = without_mode(6, said(&refused));
        assert!(refused.readwrite.is_none() && refused.readonly.is_some());
    }

    /// What was executed between a refused `READWRITE` and `READONLY` counted as refused, too.
    #[test]
    fn a_refusal_of_readwrite_says_nothing_about_what_follows() {
        let queued = ["OK", "QUEUED", "QUEUED"];
        for (end, is_lost, expected, of_reads) in [
            (&["[2]", "OK"][..], false, "unguarded", "none executed"),
            (&["nil", "OK"], false, "unguarded", "none executed"),
            (&[], true, "unguarded", "none executed"),
            (&["[2]"], true, "unguarded", "none executed"),
            (&["-MOVED 1 a:1", "OK"], false, "none executed", "none executed"),
            (&["-EXECABORT x", "-NOPERM x"], false, "none executed", "none executed"),
        ] {
            for (only_reads, expected) in [(false, expected), (true, of_reads)] {
                let texts = [&["-LOADING x"][..], &queued[..], end].concat();
                let Ok(Received::Replies(mut replies)) = said(&texts) else { panic!("replies") };
                replies.cut_short = is_lost.then(|| CutShort::lost(Arc::new(CloseCause::PeerClosed), 100));
                let (outcome, refused) = without_mode(6, Ok(Received::Replies(replies)));
                let refusal = refused.readwrite.expect("it was refused");
                let found = match perhaps_by_a_replica(refusal, values(outcome, 2, || 80), only_reads) {
                    Stop::Setback(Setback::Error(error)) if error.code() == "LOADING" => "none executed",
                    Stop::Unguarded(error) if error.code() == "LOADING" => "unguarded",
                    stop => panic!("{stop:?}"),
                };
                assert_eq!(found, expected, "{texts:?} {only_reads}");
            }
        }
        // EXEC was not sent.
        let Ok(Received::Replies(mut replies)) = said(&["-LOADING x", "OK"]) else { panic!("replies") };
        replies.cut_short = Some(CutShort::lost(Arc::new(CloseCause::PeerClosed), 70));
        let (outcome, refused) = without_mode(6, Ok(Received::Replies(replies)));
        let stop = perhaps_by_a_replica(refused.readwrite.expect("it"), values(outcome, 2, || 80), false);
        assert!(matches!(stop, Stop::Setback(Setback::Error(_))), "{stop:?}");
    }

    #[test]
    fn a_connection_that_may_still_queue_is_left() {
        for (texts, may_queue) in [
            (&["OK", "OK"][..], false),
            (&["OK", "QUEUED", "-EXECABORT x"], false),
            (&["OK", "QUEUED", "-MOVED 1 a:1"], false),
            (&["OK", "-ERR unknown command 'EXEC'"], true),
            (&["OK", "QUEUED", "-NOPERM x"], true),
            (&["-NOPERM x", "-ERR EXEC without MULTI"], false),
        ] {
            let Ok(Received::Replies(replies)) = said(texts) else { panic!("replies") };
            assert_eq!(may_be_queueing(&replies.received).is_some(), may_queue, "{texts:?}");
        }
    }

    #[test]
    fn a_node_that_does_not_take_multi_is_found_out_without_a_command() {
        assert!(probed(said(&["OK", "OK"])).is_ok());
        let refused = probed(said(&["-NOPERM x", "-ERR EXEC without MULTI"]));
        assert!(matches!(refused, Err(Setback::Error(error)) if error.code() == "NOPERM"));
    }
}
