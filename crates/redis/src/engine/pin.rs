//! What is watched on behalf of a handle and of the clones that are made of it afterwards: on a connection of its own, until a
//! transaction, `UNWATCH`, or a limit of time.
//!
//! What must stay true: where a `WATCH` is lost, the transaction that depends on it executes nothing: it is told what a lost race
//! is told, or that the time was over. A transaction ends it, whatever comes of it; then it is as if the handle had never watched
//! anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use truename::error::RouteError;
use truename::{Command, Error, Reply, Watch};

use super::failure::{Failure, discarded};

/// For how long keys are watched unless the builder says otherwise.
pub(super) const WATCH_LIMIT: Duration = Duration::from_secs(30);

pub(super) const EXPIRED: Failure = Failure::Misused(
    "the keys are not watched any more: neither a transaction nor UNWATCH came within the time for it (watch_limit), or a clone's \
     transaction was faster; nothing was executed, begin anew with WATCH; clones are told as well until the handle that it was \
     sent on is",
);

/// What is watched on behalf of a handle, if anything.
pub(crate) type Pinned = Option<Arc<Pin>>;

/// Keys that are watched on behalf of a handle and its clones.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(super) watch: Watch,
    /// It ended as a `WATCH` should.
    is_done: AtomicBool,
    /// It ended because keys of another slot were to be watched: the next `WATCH` begins anew, and no transaction is executed
    /// before that.
    is_given_up: AtomicBool,
}

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Exec {
    /// It was executed.
    Done(Vec<Reply>),
    /// A watched key was changed, or nobody can say that none was.
    Nothing,
}

impl Pin {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, is_done: AtomicBool::new(false), is_given_up: AtomicBool::new(false) }
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Relaxed)
    }

    /// Nothing is watched any more, and a transaction that relies on it fails.
    pub(super) async fn give_up(&self) {
        self.is_given_up.store(true, Relaxed);
        self.watch.unwatch().await;
    }

    /// It ends without a transaction.
    pub(super) async fn release(&self) {
        self.is_done.store(true, Relaxed);
        self.watch.unwatch().await;
    }

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
pub(super) fn live(pinned: &mut Pinned) -> Option<&Pin> {
    if pinned.as_ref().is_some_and(|pin| pin.is_done.load(Relaxed)) {
        *pinned = None;
    }
    pinned.as_deref()
}

/// What the next transaction of a handle depends on, which ends with it.
pub(crate) fn take_live(pinned: &mut Pinned) -> Pinned {
    live(pinned).is_some().then(|| pinned.take()).flatten()
}

pub(super) fn has_ended(error: &Error) -> bool {
    matches!(error, Error::Route(error) if **error == RouteError::TransactionEnded)
}
