//! A host with several addresses: when to go on to the next one, while the ones before may still answer.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{Cause, NodeFailure, Phase};

/// Time between starting to dial one address of a host and starting the next, while none of them accepts.
const ADDRESS_STAGGER: Duration = Duration::from_millis(250);

/// One address at a time is in its handshake, unless that is silent for too long.
#[derive(Debug)]
pub(super) struct Turns {
    patience: Duration,
    since: Mutex<Option<Instant>>,
    ended: Notify,
}

impl Turns {
    /// `patience` is how long one handshake may take before another one starts in parallel.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: Mutex::new(None), ended: Notify::new() }
    }

    /// Waits until no other handshake is running, or only a slow one, and begins.
    pub(super) async fn claim(&self) {
        self.wait(true).await;
    }

    async fn wait(&self, claim: bool) {
        loop {
            let ended = self.ended.notified();
            let until = {
                let mut since = self.since.lock();
                let now = Instant::now();
                match *since {
                    Some(begun) if begun + self.patience > now => begun + self.patience,
                    _ => {
                        if claim {
                            *since = Some(now);
                        }
                        return;
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = ended => {}
            }
        }
    }

    fn end(&self) {
        *self.since.lock() = None;
        self.ended.notify_waiters();
    }
}

/// Tries the addresses, each a little after the one before, or when that failed in a way that another may not share.
/// The first that succeeds wins; otherwise the failure that got furthest is returned.
pub(super) async fn first_of<T, F: Future<Output = Result<T, NodeFailure>>>(
    addresses: &[SocketAddr],
    turns: &Turns,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, NodeFailure> {
    let mut rest = addresses.iter();
    let mut open: FuturesUnordered<F> = rest.next().map(|&address| attempt(address)).into_iter().collect();
    let pause = async || {
        tokio::time::sleep(ADDRESS_STAGGER).await;
        turns.wait(false).await;
    };
    let mut paused = pin!(pause());
    let mut furthest: Option<NodeFailure> = None;
    loop {
        let is_next = tokio::select! {
            Some(ended) = open.next() => match ended {
                Ok(done) => return Ok(done),
                Err(failure) => {
                    let goes_on = others_may_succeed(failure.phase, &failure.cause);
                    turns.end();
                    if furthest.as_ref().is_none_or(|known| known.phase < failure.phase) {
                        furthest = Some(failure);
                    }
                    if !goes_on {
                        break;
                    }
                    true
                }
            },
            () = &mut paused, if rest.len() > 0 => true,
            else => break,
        };
        if is_next && let Some(&address) = rest.next() {
            open.push(attempt(address));
            paused.set(pause());
        }
        if open.is_empty() {
            break;
        }
    }
    Err(furthest.expect("a host has an address, and a loop without success ends with a failure"))
}

/// Whether another address of the host is worth trying. What a server says after the login holds for all of them,
/// and credentials that were refused are not sent to further addresses.
fn others_may_succeed(phase: Phase, cause: &Cause) -> bool {
    match phase {
        Phase::Tcp | Phase::Tls => *cause != Cause::TooManyDials,
        Phase::Hello => matches!(cause, Cause::TimedOut | Cause::ClosedByPeer | Cause::Io(_)),
        _ => false,
    }
}
