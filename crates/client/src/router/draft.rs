//! One attempt of a transaction, from `WATCH` until `EXEC`: its keys, what is read on its connection, and what is queued.
//!
//! What must stay true: whoever takes the connection out has it alone, and nothing is begun on it afterwards. It goes back to the
//! pool only if no `WATCH` of this draft can be executed after what ends it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::Instant;
use truename_resp::encode;
use truename_topology::Slot;

use super::held::{Held, NoValue};
use super::judge::Setback;
use super::one_slot::FirstKeys;
use super::state::Router;
use crate::command::{Affinity, Arguments, Command, first_key};
use crate::error::{Error, RouteError};
use crate::lane::Received;

/// What errors call it.
const THE_TRANSACTION: &str = "the transaction";

/// The keys of a transaction.
pub(crate) struct Watched {
    /// `WATCH` and the keys, encoded.
    pub(super) command: BytesMut,
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
    /// More keys are being watched, so many times, and it may not have been executed yet. Of a call that was dropped it stays
    /// unknown.
    unsettled: u32,
}

/// A connection whose draft has ended.
pub(super) struct Ended {
    pub(super) held: Arc<Held>,
    /// Whether it watches nothing once what is sent on it now was executed.
    is_last: bool,
}

/// Commands, encoded.
#[derive(Default)]
pub(crate) struct Queue {
    pub(super) bytes: BytesMut,
    pub(super) count: u32,
}

impl Queue {
    fn add(&mut self, command: &Command<'_>) {
        command.encode(&mut self.bytes);
        self.count += 1;
    }
}

impl Draft {
    /// Keys of this slot are watched on this connection; what is read there ends by `deadline`.
    pub(super) fn new(key: Bytes, slot: Slot, is_single: bool, deadline: Instant, held: Held) -> Arc<Self> {
        let (held, queue) = (Some(Arc::new(held)), Queue::default());
        let state = DraftState { held, queue, refused: None, setback: None, unsettled: 0 };
        Arc::new(Self { key, slot, is_single, deadline, state: Mutex::new(state) })
    }

    /// Adds a command, or notes why it cannot be part of a transaction.
    pub(crate) fn queue(&self, command: &Command<'_>) {
        let admitted = self.admit(command);
        let mut state = self.state.lock();
        match admitted {
            Ok(()) => state.queue.add(command),
            Err(error) => {
                state.refused.get_or_insert(error);
            }
        }
    }

    /// Commands that are to be executed together; or why one of them cannot be.
    pub(crate) fn queue_of<'c>(
        &self,
        commands: impl IntoIterator<Item = Command<'c>>,
    ) -> Result<Queue, Error> {
        let mut queue = Queue::default();
        for command in commands {
            self.admit(&command)?;
            queue.add(&command);
        }
        Ok(queue)
    }

    /// Refuses what depends on the state of the connection, which is the transaction's, and keys of other slots.
    pub(super) fn admit(&self, command: &Command<'_>) -> Result<(), Error> {
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
        self.attempt_on(held, router, command).await
    }

    /// Runs a `WATCH` on the connection. Whoever ends the draft meanwhile knows that it may be executed later.
    pub(super) async fn attempt_watch(
        &self,
        router: &Router,
        command: &Command<'_>,
    ) -> Result<Received, NoValue> {
        let held = {
            let mut state = self.state.lock();
            let held = state.held.clone().ok_or_else(has_ended)?;
            state.unsettled += 1;
            held
        };
        let executed = self.attempt_on(held, router, command).await;
        let is_unknown = matches!(
            &executed,
            Err(NoValue { error, .. }) if error.may_have_executed()
        );
        if !is_unknown {
            self.state.lock().unsettled -= 1;
        }
        executed
    }

    async fn attempt_on(
        &self,
        held: Arc<Held>,
        router: &Router,
        command: &Command<'_>,
    ) -> Result<Received, NoValue> {
        let executed = router.attempt_on(&held, command, Some(self.deadline)).await;
        executed.map_err(|NoValue { error, setback }| {
            if let Some(setback) = &setback {
                self.state.lock().setback.get_or_insert_with(|| setback.clone());
            }
            NoValue { error, setback }
        })
    }

    /// Ends access to it.
    pub(super) fn end(&self) -> (Option<Ended>, Queue, Option<Error>, Option<Setback>) {
        let mut state = self.state.lock();
        let is_last = state.unsettled == 0;
        let ended = state.held.take().map(|held| Ended { held, is_last });
        (ended, std::mem::take(&mut state.queue), state.refused.take(), state.setback.take())
    }

    /// Time is over: the connection is closed, whatever is still under way on it.
    pub(crate) fn expire(&self) {
        if let (Some(ended), ..) = self.end() {
            ended.held.lane.retire();
        }
    }
}

/// The connection watches nothing and queues nothing: others may have it, unless something of the closure still uses it, or
/// watches keys after all.
pub(super) fn give_back(ended: Ended) {
    let held = Some(ended.held).filter(|_| ended.is_last);
    if let Some(lane) = held.and_then(Arc::into_inner).and_then(|held| Arc::into_inner(held.lane)) {
        lane.give_back();
    }
}

/// The refusal of what comes after the end of a transaction.
pub(super) fn has_ended() -> Error {
    Error::Route(Box::new(RouteError::TransactionEnded))
}
