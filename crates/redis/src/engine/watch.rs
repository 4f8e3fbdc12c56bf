//! `WATCH`: the keys are watched on a connection of their own, which belongs to a handle and to the clones that are made of it
//! afterwards, until a transaction, `UNWATCH`, or a limit of time.
//!
//! What must stay true:
//! - Where a `WATCH` is lost, the transaction that depends on it executes nothing: it is told what a lost race is told, or that the
//!   time was over.
//! - Reads of the watched slot go to the connection that watches, and so never to a replica.
//! - A transaction ends it, whatever comes of it. Then it is as if the handle had never watched anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use truename::command::{Arguments, Flags, keys, lookup};
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Command, Error, Reply, Watch};

use super::calls::Engine;
use super::failure::{Failure, discarded};

/// For how long keys are watched unless the builder says otherwise.
pub(super) const WATCH_LIMIT: Duration = Duration::from_secs(30);

const NO_KEY: Failure = Failure::Misused("WATCH: it needs a key");
const EXPIRED: Failure = Failure::Misused(
    "the keys are not watched any more: neither a transaction nor UNWATCH came within the time for it (watch_limit), or a clone's \
     transaction was faster; nothing was executed, begin anew with WATCH; clones are told as well until the handle that it was \
     sent on is",
);

/// What is watched on behalf of a handle, if anything.
pub(crate) type Pinned = Option<Arc<Pin>>;

/// Keys that are watched on behalf of a handle and its clones.
#[derive(Debug)]
pub(crate) struct Pin {
    watch: Watch,
    /// It ended as a `WATCH` should.
    is_done: AtomicBool,
}

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Exec {
    /// It was executed.
    Done(Vec<Reply>),
    /// A watched key was changed, or nobody can say that none was.
    Nothing,
}

impl Engine {
    /// `WATCH`. A second one of the same handle adds to the first.
    pub(super) async fn watch(&self, pinned: &mut Pinned, command: &Command<'_>) -> Result<Reply, Failure> {
        let keys: Vec<&[u8]> = (1..command.len()).filter_map(|index| command.at(index)).collect();
        if keys.is_empty() {
            return Err(NO_KEY);
        }
        if let Some(pin) = live(pinned) {
            let Err(error) = pin.watch.also(keys).await else { return Ok(ok()) };
            if !has_ended(&error) {
                return Err(error.into());
            }
            *pinned = None;
            return Err(EXPIRED);
        }
        let watch = self.client.watch(self.watch_limit, keys).await?;
        *pinned = Some(Arc::new(Pin { watch, is_done: AtomicBool::new(false) }));
        Ok(ok())
    }

    /// `UNWATCH`.
    pub(super) async fn unwatch(&self, pinned: &mut Pinned) -> Reply {
        if let Some(pin) = pinned.take() {
            pin.is_done.store(true, Relaxed);
            pin.watch.unwatch().await;
        }
        ok()
    }

    /// Runs a command that is not special, on behalf of a handle that may watch something.
    pub(crate) async fn run_plain(
        &self,
        pinned: &mut Pinned,
        command: Command<'_>,
    ) -> Result<Reply, Failure> {
        if let Some(pin) = live(pinned)
            && pin.watch.is_intact()
            && is_read_of(&command, pin.watch.slot())
        {
            match pin.watch.execute(command.clone()).await {
                Ok(reply) => return Ok(reply),
                // Nothing comes of the transaction. What there is to read is read where it is now.
                Err(_) if !pin.watch.is_intact() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.client.execute(command).await?)
    }
}

impl Pin {
    /// `MULTI`, the commands, `EXEC`.
    pub(super) async fn exec<'c>(
        &self,
        commands: impl IntoIterator<Item = Command<'c>>,
    ) -> Result<Exec, Failure> {
        let outcome = match self.watch.exec(commands).await {
            Ok(replies) => Ok(replies.map_or(Exec::Nothing, Exec::Done)),
            Err(error) if has_ended(&error) => return Err(EXPIRED),
            Err(error) => Err(discarded(error)),
        };
        self.is_done.store(true, Relaxed);
        outcome
    }
}

/// What is watched on behalf of a handle. What ended as it should is forgotten.
fn live(pinned: &mut Pinned) -> Option<&Pin> {
    if pinned.as_ref().is_some_and(|pin| pin.is_done.load(Relaxed)) {
        *pinned = None;
    }
    pinned.as_deref()
}

/// What the next transaction of a handle depends on, which ends with it.
pub(crate) fn take_live(pinned: &mut Pinned) -> Pinned {
    live(pinned).is_some().then(|| pinned.take()).flatten()
}

fn has_ended(error: &Error) -> bool {
    matches!(error, Error::Route(error) if **error == RouteError::TransactionEnded)
}

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

/// Whether a command only reads, and only what is of this slot.
fn is_read_of(command: &Command<'_>, slot: Slot) -> bool {
    let Some(spec) = command.at(0).and_then(|name| lookup(name, command.at(1))) else { return false };
    let (mut count, mut is_of_slot) = (0, true);
    keys(spec, command, &mut |index| {
        count += 1;
        is_of_slot &= command.at(index).map(Slot::of_key) == Some(slot);
    });
    count > 0 && is_of_slot && spec.flags.contains(Flags::READONLY)
}
