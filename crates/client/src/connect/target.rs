//! A node to connect to.

use truename_topology::{AnnouncedNode, DialAddress, Endpoint, NodeId, Role};

/// A node to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) node: AnnouncedNode,
    /// The configured seed whose answer led to the node; the node itself when it is one.
    pub(crate) seed: Endpoint,
    pub(crate) is_seed: bool,
    /// The node id that must answer.
    pub(crate) expected: Option<NodeId>,
}

impl Target {
    /// A configured seed.
    pub(crate) fn seed(seed: &Endpoint) -> Self {
        let node = AnnouncedNode::new(seed.clone(), Role::Primary);
        Self { node, seed: seed.clone(), is_seed: true, expected: None }
    }

    /// Every name that the node has when it is dialled at `address`.
    pub(crate) fn hosts<'a>(&'a self, address: &'a DialAddress) -> impl Iterator<Item = &'a str> {
        let announced = [Some(self.node.endpoint.host()), self.node.hostname.as_deref()];
        announced.into_iter().flatten().chain([self.seed.host(), address.host()])
    }

    /// Whether this is an address other than the announced one.
    pub(crate) fn is_elsewhere(&self, dialled: &DialAddress) -> bool {
        *dialled != self.node.endpoint
    }

    /// A node that a view announced.
    pub(crate) fn announced(node: &AnnouncedNode, seed: &Endpoint) -> Self {
        Self { expected: node.id.clone(), node: node.clone(), seed: seed.clone(), is_seed: false }
    }
}
