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

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::Instant;
use truename_resp::{Reply, encode};
use truename_topology::Slot;

use super::attempts::Attempts;
use super::exec::{EXEC, Exec, MULTI, judge_exec, replies_of};
use super::held::{Held, NoValue};
use super::judge::{RetryTraits, Setback, Verdict, judge};
use super::one_slot::FirstKeys;
use super::state::Router;
use crate::clock;
use crate::command::{Affinity, Arguments, Command, Flags, Repeat, Route, first_key};
use crate::error::{Error, Execution, RouteError};
use crate::lane::{CloseCause, Failure, Form, Received, RequestLimits, Unit, request_limits};
use crate::observe;

const UNWATCH: &[u8] = b"*1\r\n$7\r\nUNWATCH\r\n";
/// What errors call it.
const THE_TRANSACTION: &str = "the transaction";
/// Why a transaction is done again, in the words of an error.
const RACED: &str = "a watched key was changed by somebody else";
/// What a transaction waited for when its time was over.
const UNFINISHED: &str = "the transaction's closure had not ended";

/// The keys of a transaction.
pub(crate) struct Watched {
    /// `WATCH` and the keys, encoded.
    command: BytesMut,
    keys: FirstKeys,
}

impl Watched {
    pub(crate) fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Self {
        let (mut words, mut first_keys) = (vec![b"WATCH".to_vec()], FirstKeys::default());
        for key in keys {
            first_keys.note(key.as_ref(), Slot::of_key(key.as_ref()));
            words.push(key.as_ref().to_vec());
        }
        let mut command = BytesMut::new();
        encode::put_command(&mut command, words.iter().map(Vec::as_slice));
        Self { command, keys: first_keys }
    }

    /// A key, and the slot of all keys. Where there is one node, any will do.
    pub(super) fn place(&self, is_single: bool) -> Result<(Bytes, Slot), Error> {
        let Some(first) = self.keys.first() else { return Err(Error::Route(Box::new(RouteError::NoKey))) };
        if self.keys.are_of_several_slots() && !is_single {
            return Err(self.keys.clone().cross_slot(THE_TRANSACTION));
        }
        Ok(first.clone())
    }
}

/// One attempt of a transaction, from `WATCH` until `EXEC`: what its closure reads by and queues in.
pub(crate) struct Draft {
    /// One of the watched keys.
    key: Bytes,
    slot: Slot,
    is_single: bool,
    deadline: Instant,
    state: Mutex<DraftState>,
}

struct DraftState {
    /// Until the closure has ended.
    held: Option<Arc<Held>>,
    queue: Queue,
    /// Something was queued that cannot be.
    refused: Option<Error>,
    /// What a read met that leaves nothing of the `WATCH`, or shows that it was made at the wrong node.
    setback: Option<Setback>,
}

/// What became of commands that were to be executed together.
pub(crate) enum Commit {
    Done(Vec<Reply>),
    /// A watched key was changed.
    Raced,
    /// None was executed, for this reason, which may pass.
    Refused(Error),
}

/// Commands, encoded.
#[derive(Default)]
pub(super) struct Queue {
    bytes: BytesMut,
    count: u32,
}

impl Draft {
    /// Adds a command, or notes why it cannot be part of a transaction.
    pub(crate) fn queue(&self, command: &Command<'_>) {
        let admitted = self.admit(command);
        let mut state = self.state.lock();
        match admitted {
            Ok(()) => {
                command.encode(&mut state.queue.bytes);
                state.queue.count += 1;
            }
            Err(error) => {
                state.refused.get_or_insert(error);
            }
        }
    }

    /// Refuses what depends on the state of the connection, which is the transaction's, and keys of other slots.
    fn admit(&self, command: &Command<'_>) -> Result<(), Error> {
        let refuse = |error| Err(Error::Route(Box::new(error)));
        if command.at(0).is_none_or(<[u8]>::is_empty) {
            return refuse(RouteError::EmptyCommand);
        }
        let Some(spec) = command.spec() else { return Ok(()) };
        if !matches!(spec.affinity(command), Affinity::Shared | Affinity::Blocking) {
            return refuse(RouteError::ConnectionState { command: spec.name.to_owned() });
        }
        match command.own_slot(spec) {
            Some(slot) => self.admit_key(first_key(spec, command).unwrap_or_default(), slot),
            None => Ok(()),
        }
    }

    /// Refuses a key of another slot.
    fn admit_key(&self, key: &[u8], slot: Slot) -> Result<(), Error> {
        if slot == self.slot || self.is_single {
            return Ok(());
        }
        let mut keys = FirstKeys::default();
        keys.note(&self.key, self.slot);
        keys.note(key, slot);
        Err(keys.cross_slot(THE_TRANSACTION))
    }

    /// Refuses to watch keys of another slot as well.
    pub(super) fn admit_watched(&self, watched: &Watched) -> Result<(), Error> {
        let (key, slot) = watched.place(self.is_single)?;
        self.admit_key(&key, slot)
    }

    /// The slot of its keys.
    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// Whether nothing can be added any more.
    pub(super) fn is_over(&self) -> bool {
        self.state.lock().held.is_none()
    }

    /// Whether the keys are still watched, and where they should be, as far as is known.
    pub(crate) fn is_intact(&self) -> bool {
        let state = self.state.lock();
        state.setback.is_none() && state.held.as_ref().is_some_and(|held| held.is_up())
    }

    /// Runs a command on the connection; notes what shows that its `WATCH` is worth nothing any more.
    pub(super) async fn attempt(&self, router: &Router, command: &Command<'_>) -> Result<Received, NoValue> {
        let held = self.state.lock().held.clone().ok_or_else(has_ended)?;
        let executed = router.attempt_on(&held, command, Some(self.deadline)).await;
        executed.map_err(|NoValue { error, setback }| {
            if let Some(setback) = &setback {
                self.state.lock().setback.get_or_insert_with(|| setback.clone());
            }
            NoValue { error, setback }
        })
    }

    /// Ends access to it.
    pub(super) fn end(&self) -> (Option<Arc<Held>>, Queue, Option<Error>, Option<Setback>) {
        let mut state = self.state.lock();
        (state.held.take(), std::mem::take(&mut state.queue), state.refused.take(), state.setback.take())
    }
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
            let held = self.hold(*slot, attempts).await?;
            let limits = self.limits_of(attempts, Unit::command(Form::Decoded));
            let outcome = held.lane.submit(limits, |out| out.put_slice(&watched.command)).await;
            match Setback::or_value(outcome) {
                Ok(_) => {
                    let held = Some(Arc::new(held));
                    let state = DraftState { held, queue: Queue::default(), refused: None, setback: None };
                    let state = Mutex::new(state);
                    return Ok(Arc::new(Draft { key: key.clone(), slot: *slot, is_single, deadline, state }));
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
        let held = held.ok_or(Error::Closed)?;
        let Some(result) = returned else {
            return Err(unfinished(&held, attempts));
        };
        if let Some(setback) = setback {
            // Whatever the closure made of it: what it read is worth nothing.
            self.start_over(setback, &held, attempts).await?;
            return Ok(None);
        }
        let value = match (result, refused) {
            (Ok(value), None) if queue.count > 0 => value,
            (result, refused) => {
                self.let_go(held, attempts).await;
                return refused.map_or(result, Err).map(|value| Some((value, Vec::new())));
            }
        };
        let node = held.node.clone();
        let Commit::Done(replies) = self.commit(held, queue, attempts).await? else { return Ok(None) };
        match replies.iter().find_map(Reply::as_error).cloned() {
            Some(error) => Err(attempts.answer(error, Execution::Possible, &node)),
            None => Ok(Some((value, replies))),
        }
    }

    /// Sends the transaction, once. Unless it is done, nothing of it was executed, and all can be done again.
    pub(super) async fn commit(
        &self,
        held: Arc<Held>,
        queue: Queue,
        attempts: &mut Attempts,
    ) -> Result<Commit, Error> {
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
                give_back(held);
                Ok(Commit::Done(replies))
            }
            Exec::Raced => {
                give_back(held);
                observe::resent("raced");
                attempts.note_refused(&node, RACED);
                attempts.back_off().await?;
                Ok(Commit::Raced)
            }
            // The next attempt takes another connection: this one may lead to the wrong server.
            Exec::Refused(error) => self.refused(Setback::Error(error), &held, attempts).await,
            Exec::Unsent(cause) => {
                self.refused(Setback::Failure(Failure::Unsent(cause)), &held, attempts).await
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
        let text = match judge(setback, traits(held.slot), node.endpoint()) {
            Verdict::Moved(redirect) => {
                observe::redirected("moved");
                if self.cluster.refuses_to_dial(redirect.to()).is_none() {
                    self.cluster.hints.moved(redirect.slot(), redirect.to());
                }
                redirect.to_string()
            }
            // Keys of a slot that is on its way are watched where it arrives.
            Verdict::Ask(redirect) => redirect.to_string(),
            Verdict::Reconnect(error) => {
                node.reconnect_after_drain();
                error.message().to_owned()
            }
            Verdict::Wait(error) => {
                self.note_demotion(node, &error);
                error.message().to_owned()
            }
            Verdict::Answer { error, .. } | Verdict::Doubt { error, .. } => {
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
        attempts.note_refused(node, text.as_str());
        self.cluster.hints.refresh();
        attempts.back_off().await
    }

    /// Nothing is to be executed: somebody else may have the connection once it watches nothing.
    pub(super) async fn let_go(&self, held: Arc<Held>, attempts: &Attempts) {
        let limits = self.limits_of(attempts, Unit::command(Form::Decoded));
        let outcome = held.lane.submit(limits, |out| out.put_slice(UNWATCH)).await;
        if Setback::or_value(outcome).is_ok() {
            give_back(held);
        }
    }

    fn limits_of(&self, attempts: &Attempts, unit: Unit) -> RequestLimits {
        let (_, patience) = self.times(None, None);
        request_limits(Instant::now(), attempts.deadline(), patience, unit)
    }
}

/// The connection watches nothing and queues nothing: others may have it, unless something of the closure still uses it.
fn give_back(held: Arc<Held>) {
    if let Some(lane) = Arc::into_inner(held).and_then(|held| Arc::into_inner(held.lane)) {
        lane.give_back();
    }
}

/// The refusal of what comes after the end of a transaction.
pub(super) fn has_ended() -> Error {
    Error::Route(Box::new(RouteError::TransactionEnded))
}

/// How the judge sees what comes before `EXEC`, all of which may be done again.
fn traits(slot: Slot) -> RetryTraits {
    RetryTraits {
        repeat: Repeat::Always,
        compound: false,
        names_script: false,
        slot: Some(slot),
        slot_is_guessed: false,
        is_for_one_node: false,
        was_bystander: false,
        times_oldest: 0,
    }
}

fn unfinished(held: &Held, attempts: &mut Attempts) -> Error {
    attempts.note_node(&held.node);
    let mut error = attempts.timed_out(false);
    if let Error::Timeout(timeout) = &mut error {
        timeout.last_cause.get_or_insert_with(|| UNFINISHED.to_owned());
    }
    error
}
