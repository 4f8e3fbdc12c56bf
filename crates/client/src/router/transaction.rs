//! Transactions: `WATCH`, what the caller's closure reads and queues, `EXEC`, and all of it again when somebody else was
//! faster.
//!
//! What must stay true:
//! - Everything happens on one connection and inside one deadline. No `WATCH` outlives its connection or follows a redirect:
//!   where the slot went elsewhere, everything is done again there.
//! - Nothing but `EXEC` changes anything, so everything before it can be done again. `EXEC` is sent once: if its fate is
//!   unknown, the caller is told.
//! - The connection goes back to the pool only after a reply that leaves it without `WATCH` and `MULTI`.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::Slot;

use super::attempts::{Attempts, Refused};
use super::draft::{Draft, Ended, Queue, Watched, give_back};
use super::exec::{EXEC, Exec, MULTI, judge_exec, replies_of};
use super::held::Held;
use super::judge::{RetryTraits, Setback, Verdict, judge};
use super::state::Router;
use crate::clock;
use crate::command::{Command, Flags, Repeat, Route};
use crate::error::{Error, Execution, RouteError};
use crate::lane::{CloseCause, Failure, Form, Received, RequestLimits, Unit, request_limits};
use crate::observe;

const UNWATCH: &[u8] = b"*1\r\n$7\r\nUNWATCH\r\n";
/// Why a transaction is done again, in the words of an error.
const RACED: &str = "a watched key was changed by somebody else";
/// What a transaction waited for when its time was over.
const UNFINISHED: &str = "the transaction's closure had not ended";

/// What became of commands that were to be executed together.
pub(crate) enum Commit {
    Done(Vec<Reply>),
    /// A watched key was changed.
    Raced,
    /// None was executed, for this reason, which may pass.
    Refused(Error),
}

impl Router {
    /// Runs a transaction to its end: the closure's value and what `EXEC` answered. `within` replaces the usual time.
    pub(crate) async fn transact<R, Fut: Future<Output = Result<R, Error>>>(
        &self,
        watched: Watched,
        within: Option<Duration>,
        mut closure: impl FnMut(Arc<Draft>) -> Fut,
    ) -> Result<(R, Vec<Reply>), Error> {
        let started = Instant::now();
        let _under_way = self.begin_call(within).await?;
        let is_single = self.cluster.is_single();
        let place = watched.place(is_single)?;
        let (timeout, _) = self.times(within, None);
        let mut attempts = Attempts::new(started, timeout, Route::Slot(place.1));
        loop {
            let until = attempts.deadline();
            let draft = self.watch(&watched, &place, is_single, until, &mut attempts).await?;
            let returned = clock::timeout_at(attempts.deadline(), closure(draft.clone())).await;
            if let Some(done) = self.conclude(returned, &draft, &mut attempts).await? {
                return Ok(done);
            }
        }
    }

    /// `WATCH`, at the owner of the slot, until one accepts it. What is then read ends by `deadline`.
    pub(super) async fn watch(
        &self,
        watched: &Watched,
        (key, slot): &(Bytes, Slot),
        is_single: bool,
        deadline: Instant,
        attempts: &mut Attempts,
    ) -> Result<Arc<Draft>, Error> {
        loop {
            let room_within = attempts.timeout();
            let held = self.hold(*slot, attempts, room_within).await?;
            let limits = self.limits_of(attempts, Unit::command(Form::Decoded));
            let outcome = held.lane.submit(limits, |out| out.put_slice(&watched.command)).await;
            match Setback::or_value(outcome) {
                Ok(_) => {
                    return Ok(Draft::new(key.clone(), *slot, is_single, deadline, held));
                }
                Err(setback) => self.start_over(setback, &held, attempts).await?,
            }
        }
    }

    /// Runs a command of the closure's at once.
    pub(crate) async fn read_in(&self, draft: &Draft, command: &Command<'_>) -> Result<Received, Error> {
        draft.admit(command)?;
        if let Some(spec) = command.spec().filter(|spec| spec.flags.contains(Flags::WRITE)) {
            return Err(Error::Route(Box::new(RouteError::NotQueued { command: spec.name.to_owned() })));
        }
        draft.attempt(self, command).await.map_err(|no_value| no_value.error)
    }

    /// The closure has ended, or its time is over: commits what it queued. `None` if all has to be done again.
    async fn conclude<R>(
        &self,
        returned: Option<Result<R, Error>>,
        draft: &Draft,
        attempts: &mut Attempts,
    ) -> Result<Option<(R, Vec<Reply>)>, Error> {
        let (held, queue, refused, setback) = draft.end();
        let ended = held.ok_or(Error::Closed)?;
        let Some(result) = returned else {
            return Err(unfinished(&ended.held, attempts));
        };
        if let Some(setback) = setback {
            // Whatever the closure made of it: what it read is worth nothing.
            self.start_over(setback, &ended.held, attempts).await?;
            return Ok(None);
        }
        let value = match (result, refused) {
            (Ok(value), None) if queue.count > 0 => value,
            (result, refused) => {
                self.let_go(ended, attempts).await;
                return refused.map_or(result, Err).map(|value| Some((value, Vec::new())));
            }
        };
        let node = ended.held.node.clone();
        let Commit::Done(replies) = self.commit(ended, queue, attempts).await? else { return Ok(None) };
        match replies.iter().find_map(Reply::as_error).cloned() {
            Some(error) => Err(attempts.answer(error, Execution::Possible, &node)),
            None => Ok(Some((value, replies))),
        }
    }

    /// Sends the transaction, once. Unless it is done, nothing of it was executed, and all can be done again.
    pub(super) async fn commit(
        &self,
        ended: Ended,
        queue: Queue,
        attempts: &mut Attempts,
    ) -> Result<Commit, Error> {
        let held = &ended.held;
        let unit = Unit::commands(queue.count + 2, Form::Decoded);
        let outcome = held.lane.submit(self.limits_of(attempts, unit), |out| {
            out.reserve(MULTI.len() + queue.bytes.len() + EXEC.len());
            out.put_slice(MULTI);
            out.put_slice(&queue.bytes);
            out.put_slice(EXEC);
        });
        let end = (MULTI.len() + queue.bytes.len() + EXEC.len()) as u64;
        let (replies, failure) = replies_of(outcome.await, || end);
        let node = held.node.clone();
        match judge_exec(replies, failure) {
            Exec::Done(replies) => {
                give_back(ended);
                Ok(Commit::Done(replies))
            }
            Exec::Raced => {
                give_back(ended);
                observe::resent("raced");
                attempts.note_refused(&node, RACED);
                attempts.back_off().await?;
                Ok(Commit::Raced)
            }
            // The next attempt takes another connection: this one may lead to the wrong server.
            Exec::Refused(error) => self.refused(Setback::Error(error), held, attempts).await,
            Exec::Unsent(cause) => {
                self.refused(Setback::Failure(Failure::Unsent(cause)), held, attempts).await
            }
            Exec::Loose(error) => Err(attempts.answer(error, Execution::Possible, &node)),
            Exec::Unknown(Failure::TimedOut { submitted }) => {
                attempts.note_node(&node);
                Err(attempts.timed_out(submitted))
            }
            Exec::Unknown(Failure::Unsent(cause) | Failure::Lost(cause) | Failure::LostAtHead(cause)) => {
                Err(attempts.interrupted(&cause, &node))
            }
            Exec::Strange => {
                let cause = CloseCause::Protocol("a reply that is none to EXEC".to_owned());
                Err(attempts.interrupted(&cause, &node))
            }
        }
    }

    /// As [`start_over`](Self::start_over); says what was met.
    pub(super) async fn refused(
        &self,
        setback: Setback,
        held: &Held,
        attempts: &mut Attempts,
    ) -> Result<Commit, Error> {
        let said = match &setback {
            Setback::Error(error) => Some(error.clone()),
            Setback::Failure(_) => None,
        };
        self.start_over(setback, held, attempts).await?;
        Ok(Commit::Refused(match said {
            Some(error) => attempts.answer(error, Execution::Refused, &held.node),
            None => attempts.timed_out(false),
        }))
    }

    /// Nothing was executed: waits a little and lets everything be done again, at the slot's owner, or says why that is no
    /// use.
    pub(super) async fn start_over(
        &self,
        setback: Setback,
        held: &Held,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        let node = &held.node;
        let refused: Refused = match judge(setback, traits(held.slot), node.endpoint()) {
            Verdict::Moved(redirect) => {
                observe::redirected("moved");
                if self.cluster.refuses_to_dial(redirect.to()).is_none() {
                    self.cluster.hints.moved(redirect.slot(), redirect.to());
                }
                (&redirect).into()
            }
            // Keys of a slot that is on its way are watched where it arrives.
            Verdict::Ask(redirect) => (&redirect).into(),
            Verdict::Reconnect(error) => {
                node.reconnect_after_drain();
                error.into()
            }
            Verdict::Wait(error) => {
                self.note_demotion(node, &error);
                error.into()
            }
            Verdict::Answer { error, .. } | Verdict::Retry(error) | Verdict::Doubt { error, .. } => {
                return Err(attempts.answer(error, Execution::Refused, node));
            }
            // However the connection ended, and whatever brought it down: `EXEC` was not sent.
            Verdict::Resend { cause, .. } | Verdict::Interrupted(cause) => {
                return self.pause(&cause, false, node, attempts).await;
            }
            Verdict::TimedOut { .. } => {
                attempts.note_node(node);
                return Err(attempts.timed_out(false));
            }
        };
        observe::resent("refused");
        attempts.note_refused(node, refused);
        self.cluster.hints.refresh();
        attempts.back_off().await
    }

    /// Nothing is to be executed: somebody else may have the connection once it watches nothing.
    pub(super) async fn let_go(&self, ended: Ended, attempts: &Attempts) {
        let limits = self.limits_of(attempts, Unit::command(Form::Decoded));
        let outcome = ended.held.lane.submit(limits, |out| out.put_slice(UNWATCH)).await;
        if Setback::or_value(outcome).is_ok() {
            give_back(ended);
        }
    }

    fn limits_of(&self, attempts: &Attempts, unit: Unit) -> RequestLimits {
        let (_, patience) = self.times(None, None);
        request_limits(Instant::now(), attempts.deadline(), patience, unit)
    }
}

/// How the judge sees what comes before `EXEC`, all of which may be done again.
fn traits(slot: Slot) -> RetryTraits {
    RetryTraits { repeat: Repeat::Always, ..RetryTraits::once(Some(slot)) }
}

fn unfinished(held: &Held, attempts: &mut Attempts) -> Error {
    attempts.note_node(&held.node);
    let mut error = attempts.timed_out(false);
    if let Error::Timeout(timeout) = &mut error {
        timeout.last_cause.get_or_insert_with(|| UNFINISHED.to_owned());
    }
    error
}
