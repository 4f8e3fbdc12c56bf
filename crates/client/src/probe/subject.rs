//! What is looked at: a seed, or a node that one announced.

use truename_topology::{AnnouncedNode, Endpoint};

use crate::connect::Target;

/// A seed or node to be reached. See the [example](super::Probe#examples).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A configured seed, which may lead to any node.
    Seed(Endpoint),
    /// A node that the cluster announced.
    Announced {
        /// The node as a view has it. With an id, no other node will do.
        node: AnnouncedNode,
        /// The seed that led to the view: the node may prove its name, and may be at its host.
        told_by: Endpoint,
    },
}

impl Subject {
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Seed(seed) => Target::seed(seed),
            Self::Announced { node, told_by } => Target::announced(node, told_by),
        }
    }
}
