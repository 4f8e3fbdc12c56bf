//! After a pause, the socket is looked at before anything is written to it.
//!
//! A server closes idle connections, and the runtime tells of it when somebody drives it: between the calls of a
//! synchronous program nobody may have, on a busy machine nobody has yet. What is written to such a connection may have
//! been executed, for all that the client can know, so a write would fail that need not be lost. One system call per pause tells;
//! what is found then is left to the reader, so that one place decides what it means.
//!
//! What must stay true: nothing that is waiting is taken off the queue before the look; a connection whose end the runtime does
//! not notice is written to after a few turns all the same.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use crate::connect::Carrier;

/// How long nothing was heard when there is to be a look. Calls in a row are closer together.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// How often the reader is given another turn to find what the system holds.
const TURNS: u32 = 8;

/// When a socket was looked at.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// When it held nothing, or its reader had its turns.
    last: Option<Instant>,
    /// How many turns the reader had since this was heard.
    turns: u32,
    heard: Option<Instant>,
}

impl Looks {
    /// Whether the reader should have a turn before anything is written; [`after_sockets`] must follow.
    pub(super) fn should_read_first(
        &mut self,
        stream: &impl Carrier,
        last_heard: Instant,
    ) -> io::Result<bool> {
        let now = Instant::now();
        let last = self.last.map_or(last_heard, |last| last.max(last_heard));
        if now.saturating_duration_since(last) < PAUSE {
            return Ok(false);
        }
        if self.heard.replace(last_heard) != Some(last_heard) {
            self.turns = 0;
        }
        let reads = self.turns < TURNS && stream.holds_unread()?;
        self.turns = if reads { self.turns + 1 } else { 0 };
        if !reads {
            self.last = Some(now);
        }
        Ok(reads)
    }
}

/// Has the task polled again after the runtime has looked at its sockets: tokio does so for whoever yields this way.
pub(super) fn after_sockets(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}
