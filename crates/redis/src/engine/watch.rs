//! `WATCH` and `UNWATCH`, and what a handle that watches reads.
//!
//! What must stay true: while a handle watches, nothing that it reads comes from a replica: what is of the watched slot alone is
//! read on the connection that watches, all else at primaries. Nothing waits on that connection.

use std::time::Duration;

use truename::command::{Arg, Arguments, Flags, keys, lookup};
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Command, Error, ReadFrom, Reply};

use super::calls::{Engine, with_body};
use super::failure::Failure;
use super::pin::{Pin, Pinned, has_ended};

const NO_KEY: Failure = Failure::Misused("WATCH: it needs a key");
const LATE: Failure = Failure::Misused("WATCH: the pipeline's time was over before the keys were watched");

fn is_of_another_slot(error: &Error) -> bool {
    matches!(error, Error::Route(error) if matches!(**error, RouteError::CrossSlot { .. }))
}

impl Engine {
    /// `WATCH`. A second one of the same handle adds to the first. `limit`: the time for it, if that is less than the usual one.
    pub(super) async fn watch(
        &self,
        pinned: &mut Pinned,
        command: &Command<'_>,
        limit: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let keys: Vec<&[u8]> = (1..command.len()).filter_map(|index| command.at(index)).collect();
        if keys.is_empty() {
            return Err(NO_KEY);
        }
        if let Some(pin) = pinned.live().filter(|pin| !pin.is_given_up()) {
            let Some(added) = self.in_time(limit, pin.watch.also(keys)).await else {
                // Nobody knows whether they are watched. Its connection is closed.
                self.in_time(Some(Duration::ZERO), pin.give_up()).await;
                return Err(LATE);
            };
            let Err(error) = added else { return Ok(ok()) };
            if has_ended(&error) {
                return Err(pinned.tell());
            }
            if is_of_another_slot(&error) {
                // Whoever begins anew elsewhere, as after a transaction that was given up, succeeds the next time.
                self.in_time(limit, pin.give_up()).await;
            }
            return Err(error.into());
        }
        let watch = self.in_time(limit, self.client.watch(self.watch_limit, keys)).await.ok_or(LATE)??;
        pinned.begin(watch);
        Ok(ok())
    }

    /// `UNWATCH`.
    pub(super) async fn unwatch(&self, pinned: &mut Pinned, limit: Option<Duration>) -> Reply {
        if let Some(pin) = pinned.take() {
            // Without an answer its connection is closed, which ends it, too.
            self.in_time(limit, pin.release()).await;
        }
        ok()
    }

    /// Awaits something, for as long as there is time.
    async fn in_time<T>(&self, limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
        match limit {
            Some(limit) => self.client.within(limit, future).await,
            None => Some(future.await),
        }
    }

    /// Runs a command that goes where its keys are, on behalf of a handle that may watch something.
    pub(crate) async fn run_plain(
        &self,
        pinned: &mut Pinned,
        command: Command<'_>,
    ) -> Result<Reply, Failure> {
        let Some(pin) = pinned.live() else { return Ok(self.client.execute(command).await?) };
        if let Some(reply) = read_on(pin, &command).await {
            return Ok(reply?);
        }
        // What is read beside it may be the watched slot's in part: a replica's older value would be taken for the watched one.
        Ok(self.client.execute(command.read_from(ReadFrom::Primary)).await?)
    }

    /// `EVALSHA`, and `EVAL` on the same node if that does not have the script and we do; as [`run_plain`](Self::run_plain) runs
    /// other commands.
    pub(super) async fn run_script(
        &self,
        pinned: &mut Pinned,
        command: Command<'_>,
    ) -> Result<Reply, Failure> {
        let whole = self.script_of(&command).map(|body| with_body(&command, body, Arg::borrowed));
        let Some(pin) = pinned.live() else {
            return self.run_known(command.clone(), whole).await;
        };
        match read_on(pin, &command).await {
            Some(Err(error)) if is_unknown_script(&error) => {}
            Some(reply) => return Ok(reply?),
            None => {}
        }
        if let Some(whole) = &whole
            && let Some(reply) = read_on(pin, whole).await
        {
            return Ok(reply?);
        }
        let whole = whole.map(|whole| whole.read_from(ReadFrom::Primary));
        self.run_known(command.clone().read_from(ReadFrom::Primary), whole).await
    }

    async fn run_known(&self, command: Command<'_>, whole: Option<Command<'_>>) -> Result<Reply, Failure> {
        Ok(match whole {
            Some(whole) => self.client.execute_by_digest(&command, &whole).await?,
            None => self.client.execute(command).await?,
        })
    }
}

/// Reads on the connection that watches, if the command is a read of its slot, and does not wait there: whatever the handle does
/// next would wait behind it. `None`: it is to be read where it is now.
async fn read_on(pin: &Pin, command: &Command<'_>) -> Option<Result<Reply, Error>> {
    if !pin.watch.is_intact() || !is_read_of(command, pin.watch.slot()) {
        return None;
    }
    match pin.watch.execute(command.clone()).await {
        // Nothing comes of the transaction.
        Err(_) if !pin.watch.is_intact() => None,
        reply => Some(reply),
    }
}

fn is_unknown_script(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code() == "NOSCRIPT")
}

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

/// Whether a command only reads, only what is of this slot, and does not wait.
fn is_read_of(command: &Command<'_>, slot: Slot) -> bool {
    let Some(spec) = command.at(0).and_then(|name| lookup(name, command.at(1))) else { return false };
    let (mut count, mut is_of_slot) = (0, true);
    keys(spec, command, &mut |index| {
        count += 1;
        is_of_slot &= command.at(index).map(Slot::of_key) == Some(slot);
    });
    count > 0 && is_of_slot && spec.flags.contains(Flags::READONLY) && !spec.blocks(command)
}
