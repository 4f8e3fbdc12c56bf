//! Whom to ask for a view, and for how long to wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::discover::{NodeView, Source, TopologyConnections, ask_several};
use super::views::Views;
use super::{Cluster, Node, Topology};

/// How many nodes to ask at a time, besides a seed.
pub(super) const SOURCES: usize = 3;

impl Cluster {
    /// The nodes to ask: some connected ones, drawn at random, and a seed.
    pub(super) fn sources(&self, topology: &Topology) -> Vec<Source> {
        let up = shuffled(topology).into_iter().filter(|node| node.is_up()).take(SOURCES);
        let seed = fastrand::choice(&self.seeds).map(Source::seed);
        up.map(|node| node.source()).chain(seed).collect()
    }

    /// Some nodes that are not connected, drawn at random.
    pub(super) fn unconnected(&self, topology: &Topology) -> Vec<Source> {
        if topology.is_single() {
            return Vec::new();
        }
        let others = shuffled(topology).into_iter().filter(|node| !node.is_up()).take(SOURCES);
        others.map(|node| node.source()).collect()
    }

    pub(super) fn all_seeds(&self) -> Vec<Source> {
        self.seeds.iter().map(Source::seed).collect()
    }

    /// Asks these, and waits for more while what they say is not enough to go on.
    pub(super) async fn ask(
        &self,
        sources: &[Source],
        current: &Topology,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) {
        let is_enough = |said: &[NodeView]| Views::of(said).is_enough(current.cluster_map());
        self.ask_until(is_enough, self.timing.node_connect, sources, views, connections).await;
    }

    /// Asks these, and waits for more until it is enough or time is up. Returns how many answered.
    pub(super) async fn ask_until(
        &self,
        is_enough: impl Fn(&[NodeView]) -> bool,
        within: Duration,
        sources: &[Source],
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) -> usize {
        let deadline = Instant::now() + within.min(self.timing.node_connect);
        let connector = &self.factory.connector;
        let (said, failures) = ask_several(connector, sources, connections, deadline, is_enough).await;
        views.failures.extend(failures);
        views.add_all(&said);
        said.len()
    }
}

/// All nodes, in random order.
pub(super) fn shuffled(topology: &Topology) -> Vec<&Arc<Node>> {
    let mut nodes: Vec<&Arc<Node>> = topology.nodes().iter().collect();
    fastrand::shuffle(&mut nodes);
    nodes
}
