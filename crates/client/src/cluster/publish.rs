//! Putting another snapshot in the place of the current one: what redirects said, and what a refresh found.

use std::collections::HashSet;

use tokio::time::Instant;
use truename_topology::Endpoint;

use super::hint::Hints;
use super::store::Pen;
use super::{Cluster, Topology};
use crate::event::Event;

impl Cluster {
    /// Applies what redirects said, at once.
    pub(super) fn patch(&self, hints: &Hints, pen: &mut Pen) {
        if !hints.moved.is_empty() {
            let current = self.store.load_full();
            let map = current.map().with_all_moved(hints.moved.iter().map(|(slot, to)| (*slot, to)));
            let seed = self.current_seed();
            let next = current.next(map, &self.factory, &seed).patched();
            self.publish(&current, next, pen);
        }
        for endpoint in &hints.asked {
            let current = self.store.load_full();
            if current.node_at(endpoint).is_none() && current.has_room() {
                let next = current.with_asked(endpoint, &self.factory, &self.current_seed());
                self.store.replace(pen, next);
            }
        }
    }

    /// Waits, and goes on patching meanwhile: a redirect to a new node must not wait for a pause to end. True if something
    /// was noticed.
    pub(super) async fn patch_until(&self, until: Instant, pen: &mut Pen) -> bool {
        let mut is_news = false;
        while let Ok(hints) = tokio::time::timeout_at(until, self.hints.next()).await {
            self.patch(&hints, pen);
            is_news = true;
        }
        is_news
    }

    /// Makes a snapshot the current one. True when its map differs from the one before.
    pub(super) fn publish(&self, current: &Topology, next: Topology, pen: &mut Pen) -> bool {
        let diff = current.map().diff(next.map());
        let is_news = !diff.is_empty();
        let unchanged = !is_news
            && next.is_single() == current.is_single()
            && next.is_patched() == current.is_patched()
            && next.nodes().len() == current.nodes().len()
            && next.nodes().iter().zip(current.nodes()).all(|(a, b)| std::sync::Arc::ptr_eq(a, b));
        if unchanged {
            return false;
        }
        next.warm_up(self.read_from.uses_replicas());
        let left = diff.removed.iter().map(|node| node.endpoint.clone());
        let lost: HashSet<Endpoint> =
            diff.moved_slots.iter().filter_map(|moved| moved.from.clone()).chain(left).collect();
        self.store.replace(pen, next);
        if is_news {
            tracing::debug!(%diff, "topology changed");
            self.bus.emit(|| Event::TopologyChanged { diff: std::sync::Arc::new(diff) });
        }
        // What waits for a connection to a node that lost slots is routed again. What waits for another one keeps its place.
        for node in current.nodes().iter().filter(|node| lost.contains(node.endpoint())) {
            node.recall();
        }
        is_news
    }
}
