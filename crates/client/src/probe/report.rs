//! What was found out about one node.

use std::time::Duration;

use truename_topology::{AnnouncedNode, View};

use crate::connect::ConnectionFacts;
use crate::error::NodeFailure;

/// What was found out about a node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeReport {
    /// The node as announced, or the seed as configured.
    pub node: AnnouncedNode,
    /// Whether it is a configured seed.
    pub is_seed: bool,
    /// What was learnt, when a connection came up.
    pub facts: Option<ConnectionFacts>,
    /// How long `PING` took on that connection.
    pub ping: Option<Duration>,
    /// Every attempt that failed, including those before one that succeeded.
    pub failures: Vec<NodeFailure>,
    /// The topology as the node sees it.
    pub(super) view: Option<View>,
}

impl NodeReport {
    /// Whether the node can be used: a connection came up, and `PING` was answered on it. See the
    /// [example](super::examine#examples).
    pub fn is_healthy(&self) -> bool {
        self.facts.is_some() && self.ping.is_some()
    }
}
