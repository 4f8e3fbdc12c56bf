//! The feature is on: handles are made once per node, so that recording looks nothing up.

use std::fmt;

use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::Instant;
use truename_topology::Endpoint;

/// What is measured of one node.
pub(crate) struct NodeMeter {
    command_seconds: Histogram,
    connections: Counter,
    disconnections: Counter,
}

impl NodeMeter {
    pub(crate) fn new(node: &Endpoint) -> Self {
        let node = node.to_string();
        Self {
            command_seconds: histogram!("truename_command_seconds", "node" => node.clone()),
            connections: counter!("truename_connections_total", "node" => node.clone()),
            disconnections: counter!("truename_disconnections_total", "node" => node),
        }
    }

    pub(crate) fn replied(&self, submitted: Instant, heard: Instant) {
        self.command_seconds.record(heard - submitted);
    }

    pub(crate) fn connected(&self) {
        self.connections.increment(1);
    }

    pub(crate) fn disconnected(&self) {
        self.disconnections.increment(1);
    }
}

impl fmt::Debug for NodeMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeMeter")
    }
}

pub(crate) fn redirected(kind: &'static str) {
    counter!("truename_redirects_total", "kind" => kind).increment(1);
}

pub(crate) fn resent(reason: &'static str) {
    counter!("truename_resends_total", "reason" => reason).increment(1);
}

pub(crate) fn refreshed(outcome: &'static str) {
    counter!("truename_topology_refreshes_total", "outcome" => outcome).increment(1);
}

pub(crate) fn orphaned(fate: &'static str) {
    counter!("truename_orphans_total", "fate" => fate).increment(1);
}
