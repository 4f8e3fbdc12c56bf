//! The topology worker, the only one to replace the snapshot until the client is closed.
//!
//! It patches at once what a `MOVED` said, and confirms it by a refresh, one at a time and with growing pauses while they
//! change nothing. Nothing on the request path waits for it, except a caller whose redirect names a node that nobody knew.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Cluster;
use super::discover::TopologyConnections;
use super::hint::{HintQueue, Hints};
use super::refresh::{Refreshed, Upkeep};
use super::start_vote::StartVote;
use super::store::Pen;
use crate::event::{Event, EventBus};
use crate::lane::Backoff;
use crate::observe;
use crate::panics;

/// Hints that come within this time of the first one share its refresh.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// The pauses between refreshes that change nothing: the first one and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// The least pause between two refreshes.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// How long the connections that a refresh used are kept for the next one; a little longer than [`SETTLING`].
const KEEP_CONNECTIONS: Duration = Duration::from_millis(1500);
/// How soon after an event the views are asked for again. The pause doubles from then on, up to the refresh interval.
/// Nodes that are gone stay on every list until they have been silent for the cluster's node time-out, and by then no
/// connection is left whose loss would be noticed.
const SETTLING: Duration = Duration::from_secs(1);
/// How often the pause may be short because of what the views say, until something else is noticed: some never agree.
const MOST_SHORTENED: u32 = 60;

/// Runs until the client is closed or dropped.
pub(super) async fn run(cluster: Weak<Cluster>, pen: Pen) {
    let Some(strong) = cluster.upgrade() else { return };
    let closing = strong.store.closing();
    let worker = Worker {
        cluster,
        hints: strong.hints.clone(),
        bus: strong.bus.clone(),
        quiet: Quiet::new(strong.timing.refresh),
        upkeep: Upkeep {
            pen,
            vote: StartVote::among(strong.seeds.len()),
            connections: TopologyConnections::default(),
        },
    };
    drop(strong);
    tokio::select! {
        () = closed(closing) => {}
        () = worker.run() => {}
    }
}

/// Waits until the client is closed or dropped.
async fn closed(mut closing: watch::Receiver<bool>) {
    // An error says that the sender, and with it the client, was dropped.
    let _ = closing.wait_for(|is_closed| *is_closed).await;
}

struct Worker {
    cluster: Weak<Cluster>,
    hints: Arc<HintQueue>,
    bus: EventBus,
    quiet: Quiet,
    upkeep: Upkeep,
}

impl Worker {
    /// Works, and goes on working after a panic: a client without its worker would follow no failover any more.
    async fn run(mut self) {
        while let Err(panicked) = panics::catch_in("the topology worker", self.work()).await {
            observe::refreshed("failed");
            self.bus.emit(|| Event::RefreshFailed { cause: panicked.to_string() });
            // What panics every time is not repeated needlessly.
            self.quiet.wait = self.quiet.interval;
            self.upkeep.connections.clear();
            tokio::time::sleep(PAUSE.1).await;
        }
    }

    async fn work(&mut self) {
        let mut backoff = Backoff::new(PAUSE.0, PAUSE.1);
        let mut not_before = Instant::now();
        loop {
            let hinted = self.next_hints().await;
            let mut is_news = hinted.is_some();
            let hints = hinted.unwrap_or_else(|| Hints { refresh: true, ..Hints::default() });
            let Some(cluster) = self.cluster.upgrade() else { return };
            cluster.patch(&hints, &mut self.upkeep.pen);
            if !hints.refresh {
                continue;
            }
            let wait = (Instant::now() + DEBOUNCE).max(not_before);
            is_news |= cluster.patch_until(wait, &mut self.upkeep.pen).await;
            let refreshed = cluster.refresh(&mut self.upkeep).await;
            if refreshed.changed {
                backoff.reset();
            }
            self.quiet.after(refreshed, self.upkeep.vote.is_open(), is_news);
            if self.quiet.is_calm {
                self.upkeep.connections.clear();
            }
            not_before = Instant::now() + LEAST_PAUSE.max(backoff.next_pace());
        }
    }

    /// What is noticed before the next refresh is due, if anything. No connection to ask is kept unless that is soon.
    async fn next_hints(&mut self) -> Option<Hints> {
        let wait = if self.upkeep.vote.take_due() { Duration::ZERO } else { self.quiet.wait };
        let within = wait.mul_f64(0.9 + 0.2 * fastrand::f64());
        let soon = within.min(KEEP_CONNECTIONS);
        if let Ok(hints) = tokio::time::timeout(soon, self.hints.next()).await {
            return Some(hints);
        }
        if soon < within {
            self.upkeep.connections.clear();
        }
        tokio::time::timeout(within - soon, self.hints.next()).await.ok()
    }
}

/// How long to wait before the views are asked for again although nobody noticed anything.
#[derive(Debug)]
struct Quiet {
    wait: Duration,
    interval: Duration,
    /// Nothing happened, and the next refresh is the next regular one.
    is_calm: bool,
    /// Short pauses since somebody noticed something; every calm interval makes up for one.
    shortened: u32,
}

impl Quiet {
    /// What one seed said at the start is looked at again at once.
    fn new(interval: Duration) -> Self {
        Self { wait: Duration::ZERO, interval, is_calm: false, shortened: 0 }
    }

    /// Takes note of a refresh, of whether the seeds have yet to decide which cluster is meant, and of whether somebody
    /// had asked for it.
    fn after(&mut self, refreshed: Refreshed, is_undecided: bool, is_news: bool) {
        if is_news {
            self.shortened = 0;
        }
        let is_moving = (refreshed.changed || refreshed.disputed) && self.shortened < MOST_SHORTENED;
        if is_moving {
            self.shortened += 1;
        } else if self.wait == self.interval {
            self.shortened = self.shortened.saturating_sub(1);
        }
        let wait = match self.wait {
            _ if is_news || is_moving => SETTLING,
            Duration::ZERO if is_undecided => SETTLING,
            Duration::ZERO => self.interval,
            wait => wait.saturating_mul(2),
        };
        self.wait = wait.min(self.interval);
        self.is_calm = !is_news && !is_moving && self.wait == self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_looked_at_again_soon_and_then_less_and_less_often() {
        let waits = |interval: u64, refreshes: &[(bool, bool, bool)]| {
            let mut quiet = Quiet::new(Duration::from_secs(interval));
            let after = |&(is_news, changed, disputed): &(bool, bool, bool)| {
                quiet.after(Refreshed { changed, disputed }, false, is_news);
                quiet.wait.as_secs()
            };
            refreshes.iter().map(after).collect::<Vec<_>>()
        };
        let calm = (false, false, false);
        for event in [(true, false, false), (false, true, false), (false, false, true)] {
            let seen = waits(60, &[event, calm, calm, calm, calm, calm, calm, calm]);
            assert_eq!(seen, [1, 2, 4, 8, 16, 32, 60, 60], "{event:?}");
        }
        assert_eq!(waits(60, &[calm]), [60]);
        assert_eq!(waits(1, &[(true, true, true), calm]), [1, 1], "never less often than the interval says");
        for never_ends in [(false, false, true), (false, true, false)] {
            let open = waits(60, &[never_ends; 66]);
            assert!(open[..60].iter().all(|wait| *wait == 1));
            assert_eq!(open[60..], [2, 4, 8, 16, 32, 60], "some never agree: {never_ends:?}");
            let now_and_then = waits(60, &[never_ends, calm, calm].repeat(100));
            let mean = now_and_then[200..].iter().sum::<u64>() / 100;
            assert!(mean >= 15, "{never_ends:?}: {now_and_then:?}");
            let with_news = waits(60, &[&[never_ends; 66][..], &[(true, false, false), never_ends]].concat());
            assert_eq!(with_news[66..], [1, 1]);
        }
        let mut undecided = Quiet::new(Duration::from_secs(60));
        let pauses = [(); 5].map(|()| {
            undecided.after(Refreshed { changed: false, disputed: false }, true, false);
            undecided.wait.as_secs()
        });
        assert_eq!(pauses, [1, 2, 4, 8, 16]);
    }
}
