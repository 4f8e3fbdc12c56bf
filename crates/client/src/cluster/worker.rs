//! The topology worker: the only writer of the snapshot.
//!
//! It patches at once what a `MOVED` said, and confirms it by a refresh, one at a time and with growing pauses while they
//! change nothing. Nothing on the request path waits for it, except a caller whose redirect names a node that nobody knew.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;
use truename_topology::Endpoint;

use super::discover::TopologyConnections;
use super::hint::{Hints, Signals};
use super::{Cluster, Topology};
use crate::connection::Backoff;
use crate::event::Event;
use crate::observe;
use crate::panics;

/// Hints that come within this time of the first one share its refresh.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// The pauses between refreshes that change nothing: the first one and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// The least pause between two refreshes.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// How long the connections that a refresh used are kept for the next one.
const KEEP_CONNECTIONS: Duration = Duration::from_secs(2);

/// How often in a row the views are asked for again because they did not agree: for about a minute.
const DISPUTES: u32 = 60;

/// Runs until the client is closed or dropped.
pub(super) async fn run(cluster: Weak<Cluster>) {
    let Some(strong) = cluster.upgrade() else { return };
    let signals = strong.signals.clone();
    let interval = strong.timing.refresh;
    drop(strong);
    tokio::select! {
        () = signals.closed() => {}
        () = work_on(cluster, &signals, interval) => {}
    }
}

/// Works, and goes on working after a panic: a client without its worker would follow no failover any more.
async fn work_on(cluster: Weak<Cluster>, signals: &Signals, interval: Duration) {
    while let Err(panicked) =
        panics::catch_in("the topology worker", work(cluster.clone(), signals, interval)).await
    {
        observe::refreshed("failed");
        signals.emit(|| Event::RefreshFailed { cause: panicked.to_string() });
        tokio::time::sleep(PAUSE.1).await;
    }
}

async fn work(cluster: Weak<Cluster>, signals: &Signals, interval: Duration) {
    let mut backoff = Backoff::new(PAUSE.0, PAUSE.1);
    let mut not_before = Instant::now();
    let mut disputes = 0;
    let mut connections = TopologyConnections::default();
    loop {
        let tick = interval.mul_f64(0.9 + 0.2 * fastrand::f64());
        let hints = next_hints(signals, tick, &mut connections).await;
        let Some(cluster) = cluster.upgrade() else { return };
        cluster.patch(&hints);
        if !hints.refresh {
            continue;
        }
        let wait = (Instant::now() + DEBOUNCE).max(not_before);
        cluster.patch_until(wait).await;
        let refreshed = cluster.refresh(&mut connections).await;
        if refreshed.changed {
            backoff.reset();
        }
        disputes = if refreshed.disputed { disputes + 1 } else { 0 };
        if refreshed.disputed && disputes < DISPUTES {
            // Part of what was adopted may be what a slower node still believed, and nothing else would notice: a
            // replica that is gone is missed by no connection.
            signals.refresh();
        }
        not_before = Instant::now() + LEAST_PAUSE.max(backoff.next_pace());
    }
}

/// What was noticed; after a tick without anything it is time for a refresh all the same. When nothing is going on, no
/// connection is kept for it.
async fn next_hints(signals: &Signals, tick: Duration, connections: &mut TopologyConnections) -> Hints {
    let busy = tick.min(KEEP_CONNECTIONS);
    if let Ok(hints) = tokio::time::timeout(busy, signals.next()).await {
        return hints;
    }
    connections.clear();
    let hints = tokio::time::timeout(tick - busy, signals.next()).await;
    hints.unwrap_or_else(|_| Hints { refresh: true, ..Hints::default() })
}

impl Cluster {
    /// Applies what redirects said, at once.
    fn patch(&self, hints: &Hints) {
        if !hints.moved.is_empty() {
            let current = self.topology.load_full();
            let map = current.map().with_all_moved(hints.moved.iter().map(|(slot, to)| (*slot, to)));
            let seed = self.authority();
            let next = current.next(map, &self.factory, &seed);
            self.publish(&current, next);
        }
        for endpoint in &hints.asked {
            let current = self.topology.load_full();
            if current.node_at(endpoint).is_none() && current.has_room() {
                let next = current.with_asked(endpoint, &self.factory, &self.authority());
                self.store(next);
            }
        }
    }

    /// Waits, and goes on patching meanwhile: a redirect to a new node must not wait for a pause to end.
    async fn patch_until(&self, until: Instant) {
        while let Ok(hints) = tokio::time::timeout_at(until, self.signals.next()).await {
            self.patch(&hints);
        }
    }

    /// Makes a snapshot the current one. True when its map differs from the one before.
    pub(super) fn publish(&self, current: &Topology, next: Topology) -> bool {
        let diff = current.map().diff(next.map());
        let is_news = !diff.is_empty();
        let unchanged = !is_news
            && next.is_single() == current.is_single()
            && next.nodes().len() == current.nodes().len()
            && next.nodes().iter().zip(current.nodes()).all(|(a, b)| std::sync::Arc::ptr_eq(a, b));
        if unchanged {
            return false;
        }
        if self.read_from.uses_replicas() {
            next.nodes().iter().for_each(|node| node.warm_up());
        } else {
            next.primaries().for_each(|node| node.warm_up());
        }
        let left = diff.removed.iter().map(|node| node.endpoint.clone());
        let lost: HashSet<Endpoint> =
            diff.moved_slots.iter().filter_map(|moved| moved.from.clone()).chain(left).collect();
        self.store(next);
        if is_news {
            tracing::debug!(%diff, "topology changed");
            self.signals.emit(|| Event::TopologyChanged { diff: std::sync::Arc::new(diff) });
        }
        // What waits for a connection to a node that lost slots is routed again. What waits for another one keeps its place.
        for node in current.nodes().iter().filter(|node| lost.contains(node.endpoint())) {
            node.recall();
        }
        is_news
    }
}
