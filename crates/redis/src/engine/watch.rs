//! `WATCH` and `UNWATCH`, and what a handle that watches reads.
//!
//! What must stay true: reads of the watched slot go to the connection that watches, and so never to a replica; all other
//! commands go where they always go.

use std::sync::Arc;

use truename::command::{Arguments, Flags, keys, lookup};
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Command, Error, ReadFrom, Reply};

use super::calls::Engine;
use super::failure::Failure;
use super::pin::{EXPIRED, Pin, Pinned, has_ended, live};

const NO_KEY: Failure = Failure::Misused("WATCH: it needs a key");

fn is_of_another_slot(error: &Error) -> bool {
    matches!(error, Error::Route(error) if matches!(**error, RouteError::CrossSlot { .. }))
}

impl Engine {
    /// `WATCH`. A second one of the same handle adds to the first.
    pub(super) async fn watch(&self, pinned: &mut Pinned, command: &Command<'_>) -> Result<Reply, Failure> {
        let keys: Vec<&[u8]> = (1..command.len()).filter_map(|index| command.at(index)).collect();
        if keys.is_empty() {
            return Err(NO_KEY);
        }
        if let Some(pin) = live(pinned).filter(|pin| !pin.is_given_up()) {
            let Err(error) = pin.watch.also(keys).await else { return Ok(ok()) };
            if has_ended(&error) {
                *pinned = None;
                return Err(EXPIRED);
            }
            if is_of_another_slot(&error) {
                // Whoever begins anew elsewhere, as after a transaction that was given up, succeeds the next time.
                pin.give_up().await;
            }
            return Err(error.into());
        }
        let watch = self.client.watch(self.watch_limit, keys).await?;
        *pinned = Some(Arc::new(Pin::new(watch)));
        Ok(ok())
    }

    /// `UNWATCH`.
    pub(super) async fn unwatch(&self, pinned: &mut Pinned) -> Reply {
        if let Some(pin) = pinned.take() {
            pin.release().await;
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
        // What is read beside it may be the watched slot's in part: a replica's older value would be taken for the watched one.
        let command = match live(pinned) {
            Some(_) => command.read_from(ReadFrom::Primary),
            None => command,
        };
        Ok(self.client.execute(command).await?)
    }
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
