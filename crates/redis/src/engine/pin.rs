//! What is watched on behalf of a handle and of the clones that are made of it afterwards: on a connection of its own, until a
//! transaction, `UNWATCH`, or a limit of time.
//!
//! What must stay true: where a `WATCH` is lost, the transaction that depends on it executes nothing: it is told what a lost race
//! is told, or that the time was over. A transaction ends it, whatever comes of it; then it is as if the handle had never watched
//! anything. Whoever does everything again after a lost race comes to an end where there was none: a server that refuses without
//! end is told of.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use truename::error::RouteError;
use truename::{Command, Error, Reply, Watch};

use super::failure::{Failure, discarded};

/// For how long keys are watched unless the builder says otherwise.
pub(super) const WATCH_LIMIT: Duration = Duration::from_secs(30);

pub(super) const EXPIRED: Failure = Failure::Misused(
    "the keys are not watched any more: neither a transaction nor UNWATCH came within the time for it (watch_limit), or a clone's \
     transaction was faster; nothing was executed, begin anew with WATCH; a clone that was made before somebody was told is told, \
     too",
);

/// What is watched on behalf of a handle, if anything, and how its last transactions ended.
#[derive(Default)]
pub(crate) struct Pinned {
    pin: Option<Arc<Pin>>,
    /// Of the transactions that follow this handle's own `WATCH`, whichever clone they are run on.
    refusals: Option<Arc<Refusals>>,
}

/// What was watched before a clone is made is watched on its behalf, too, except what is over, if somebody was told so.
impl Clone for Pinned {
    fn clone(&self) -> Self {
        let pin = self.pin.clone().filter(|pin| !(pin.is_done.load(Relaxed) || pin.is_told.load(Relaxed)));
        Self { pin, refusals: None }
    }
}

/// Transactions in a row, each of which the server refused, or could not be reached for: when the first one did, and the last.
/// Such a transaction executes nothing and may be done again. Whoever does so whenever it happens must be stopped at some time.
#[derive(Debug, Default)]
struct Refusals(Mutex<Option<(Instant, Instant)>>);

impl Refusals {
    /// Counts one; whether there were no others for as long as this.
    fn add(&self, limit: Duration, now: Instant) -> bool {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What was refused long ago was given up since.
        let first = row.filter(|(_, last)| now.duration_since(*last) < limit).map_or(now, |(first, _)| first);
        *row = Some((first, now));
        now.duration_since(first) >= limit
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Keys that are watched on behalf of a handle and its clones.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(super) watch: Watch,
    /// It ended as a `WATCH` should.
    is_done: AtomicBool,
    /// It ended otherwise, and somebody was told.
    is_told: AtomicBool,
    /// It ended because keys of another slot were to be watched: the next `WATCH` begins anew, and no transaction is executed
    /// before that.
    is_given_up: AtomicBool,
    refusals: Arc<Refusals>,
}

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Exec {
    /// It was executed.
    Done(Vec<Reply>),
    /// A watched key was changed, or nobody can say that none was.
    Nothing,
}

impl Pinned {
    /// Whether there may be something that is watched.
    pub(crate) fn is_some(&self) -> bool {
        self.pin.is_some()
    }

    /// Whether something is watched, as far as is known.
    pub(crate) fn is_watching(&mut self) -> bool {
        self.live().is_some()
    }

    /// What is watched. What ended as it should is forgotten.
    pub(super) fn live(&mut self) -> Option<&Pin> {
        self.pin.take_if(|pin| pin.is_done.load(Relaxed));
        self.pin.as_deref()
    }

    /// What the next transaction depends on, which ends with it.
    pub(crate) fn take_live(&mut self) -> Option<Arc<Pin>> {
        self.live()?;
        self.pin.take()
    }

    /// Keys are watched from now on.
    pub(super) fn begin(&mut self, watch: Watch) {
        let refusals = self.refusals.get_or_insert_default().clone();
        self.pin = Some(Arc::new(Pin {
            watch,
            is_done: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            refusals,
        }));
    }

    /// The `WATCH` has ended otherwise than it should: the handle is told.
    pub(super) fn tell(&mut self) -> Failure {
        self.pin.take().map_or(EXPIRED, |pin| pin.tell())
    }

    /// Nothing is watched any more. The next user of a pooled connection has nothing to do with what was.
    #[cfg(feature = "bb8")]
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take(&mut self) -> Option<Arc<Pin>> {
        self.pin.take()
    }
}

impl Pin {
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

    fn tell(&self) -> Failure {
        self.is_told.store(true, Relaxed);
        EXPIRED
    }

    /// `MULTI`, the commands, `EXEC`. `limit`: for how long refusals are what a lost race is, each time again.
    pub(super) async fn exec<'c>(
        &self,
        commands: impl IntoIterator<Item = Command<'c>>,
        limit: Duration,
    ) -> Result<Exec, Failure> {
        let executed = match self.watch.exec(commands).await {
            Err(error) if has_ended(&error) => return Err(self.tell()),
            executed => executed,
        };
        self.is_done.store(true, Relaxed);
        if let Some(refusal) = self.watch.refusal() {
            return match self.refusals.add(limit, Instant::now()) {
                true => Err(discarded(refusal.clone())),
                false => Ok(Exec::Nothing),
            };
        }
        self.refusals.clear();
        executed.map(|replies| replies.map_or(Exec::Nothing, Exec::Done)).map_err(discarded)
    }
}

pub(super) fn has_ended(error: &Error) -> bool {
    matches!(error, Error::Route(error) if **error == RouteError::TransactionEnded)
}
