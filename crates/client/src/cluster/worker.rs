//! The topology worker: the only writer of the snapshot.
//!
//! It patches at once what a `MOVED` said, and confirms it by asking several nodes, one refresh at a time, no
//! more often than a token bucket allows. Nothing on the request path waits for it, except a caller whose
//! redirect names a node that nobody knew.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;
use truename_topology::{Disagreement, Endpoint, Origin, SlotMap, View, reconcile};

use super::discover::{Answer, Kept, Opinion, ask_several};
use super::hint::{Hints, Signals};
use super::{Cluster, Topology};
use crate::connection::{Backoff, Target};
use crate::error::NodeFailure;
use crate::event::Event;
use crate::observe;
use crate::panics;

/// Hints that come within this time of the first one share its refresh.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// The pauses between refreshes that change nothing: the first one and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// The least pause between two refreshes.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// Nodes to ask at a time, besides a seed.
const SOURCES: usize = 3;
/// How long the connections that a refresh used are kept for the next one.
const KEEP_CONNECTIONS: Duration = Duration::from_secs(2);

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
    let mut kept = Kept::default();
    loop {
        let tick = interval.mul_f64(0.9 + 0.2 * fastrand::f64());
        let hints = next_hints(signals, tick, &mut kept).await;
        let Some(cluster) = cluster.upgrade() else { return };
        cluster.patch(&hints);
        if !hints.refresh || cluster.is_single() {
            continue;
        }
        let wait = (Instant::now() + DEBOUNCE).max(not_before);
        cluster.patch_until(wait).await;
        let changed = cluster.refresh(&mut kept).await;
        if changed {
            backoff.reset();
        }
        not_before = Instant::now() + LEAST_PAUSE.max(backoff.next_pace());
    }
}

/// What was noticed; after a tick without anything it is time for a refresh all the same. When nothing is going on, no
/// connection is kept for it.
async fn next_hints(signals: &Signals, tick: Duration, kept: &mut Kept) -> Hints {
    let busy = tick.min(KEEP_CONNECTIONS);
    if let Ok(hints) = tokio::time::timeout(busy, signals.next()).await {
        return hints;
    }
    kept.clear();
    let hints = tokio::time::timeout(tick - busy, signals.next()).await;
    hints.unwrap_or_else(|_| Hints { refresh: true, ..Hints::default() })
}

/// What several nodes think, each with whom it came from.
#[derive(Default)]
struct Views {
    views: Vec<View>,
    /// Parallel to the views.
    sources: Vec<Target>,
    /// Their node ids, where they tell; parallel to the views.
    voters: Vec<Option<String>>,
    failures: Vec<NodeFailure>,
}

impl Views {
    fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Counts an opinion, but a node's only once, whether it was asked as a node or as a seed: else a seed that is
    /// cut off from the majority would have two votes.
    fn add(&mut self, opinion: Opinion) {
        let Answer::View(view) = opinion.answer else { return };
        let origin = if opinion.source.is_seed { Origin::Seed } else { Origin::Node };
        let view = view.with_origin(origin);
        let known = self.voters.iter().position(|voter| voter.is_some() && *voter == opinion.node_id);
        match known {
            // What a seed says may replace a cluster; what a node says may not.
            Some(at) if origin == Origin::Seed => {
                self.views[at] = view;
                self.sources[at] = opinion.source;
            }
            Some(_) => {}
            None => {
                self.views.push(view);
                self.sources.push(opinion.source);
                self.voters.push(opinion.node_id);
            }
        }
    }
}

impl Cluster {
    /// Applies what redirects said, at once.
    fn patch(&self, hints: &Hints) {
        if !hints.moved.is_empty() {
            let current = self.topology.load_full();
            let mut map = current.map().clone();
            for (slot, to) in &hints.moved {
                map = map.with_moved(*slot, to);
            }
            let seed = self.authority();
            self.publish(&current, map, &seed);
        }
        for endpoint in &hints.asked {
            let current = self.topology.load_full();
            if current.node_at(endpoint).is_none() {
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

    /// Asks several nodes and adopts what they agree on. True when something changed.
    async fn refresh(&self, kept: &mut Kept) -> bool {
        self.signals.tell_of_outdated_lists(&self.factory.connector);
        let current = self.topology.load_full();
        let mut views = Views::default();
        self.ask(&self.sources(&current), &mut views, kept).await;
        if views.is_empty() {
            self.ask(&self.all_seeds(), &mut views, kept).await;
        }
        if views.is_empty() {
            return self.give_up(&views);
        }
        let mut reconciled = reconcile(&views.views, Some(current.map()));
        if reconciled.disagreements.contains(&Disagreement::Replaced) {
            // A seed speaks of another cluster. That is believed only if no other seed contradicts it: one of
            // several addresses may have been given to a stranger.
            self.ask(&self.all_seeds(), &mut views, kept).await;
            reconciled = reconcile(&views.views, Some(current.map()));
        }
        for disagreement in &reconciled.disagreements {
            tracing::debug!(%disagreement, "views disagree");
            self.signals.emit(|| Event::Disagreement { what: disagreement.to_string() });
        }
        let seed =
            reconciled.chosen.map_or_else(|| self.authority(), |chosen| views.sources[chosen].seed.clone());
        let changed = self.publish(&current, reconciled.map, &seed);
        observe::refreshed(if changed { "changed" } else { "unchanged" });
        changed
    }

    /// Whom to ask: some nodes that are connected, drawn at random, and a seed.
    fn sources(&self, topology: &Topology) -> Vec<Target> {
        let mut up: Vec<&Target> =
            topology.nodes().iter().filter(|node| node.is_up()).map(|node| node.target()).collect();
        fastrand::shuffle(&mut up);
        let seed = fastrand::choice(&self.seeds).map(Target::seed);
        up.into_iter().take(SOURCES).cloned().chain(seed).collect()
    }

    fn all_seeds(&self) -> Vec<Target> {
        self.seeds.iter().map(Target::seed).collect()
    }

    async fn ask(&self, sources: &[Target], views: &mut Views, kept: &mut Kept) {
        let deadline = Instant::now() + self.timing.node_connect;
        let (opinions, failures) = ask_several(&self.factory.connector, sources, kept, deadline).await;
        views.failures.extend(failures);
        for opinion in opinions {
            views.add(opinion);
        }
    }

    fn give_up(&self, views: &Views) -> bool {
        let cause = views.failures.last().map_or_else(|| "nobody answered".to_owned(), NodeFailure::summary);
        tracing::debug!(%cause, "refresh failed");
        observe::refreshed("failed");
        self.signals.emit(|| Event::RefreshFailed { cause });
        false
    }

    /// Puts a map in force. True when it differs from the one before.
    fn publish(&self, current: &Topology, map: SlotMap, seed: &Endpoint) -> bool {
        let diff = current.map().diff(&map);
        let is_news = !diff.is_empty();
        let next = current.succeed(map, &self.factory, seed);
        let unchanged = !is_news
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
        self.store(next);
        if is_news {
            tracing::debug!(%diff, "topology changed");
            self.signals.emit(|| Event::TopologyChanged { diff: std::sync::Arc::new(diff) });
        }
        // What waits for a connection to a node that may no longer own its slot is routed again.
        for node in current.nodes() {
            node.recall();
        }
        is_news
    }
}
