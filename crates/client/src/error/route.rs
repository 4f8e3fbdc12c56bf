//! Commands that have no node to go to.

use std::fmt;

use truename_resp::Untrusted;
use truename_topology::{Endpoint, Slot};

/// A command that cannot be routed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// No node serves the slot.
    Unassigned {
        /// The slot of the command's key.
        slot: Slot,
    },
    /// The topology has no nodes at all.
    NoNodes,
    /// Redirects went round in a circle or on and on.
    TooManyRedirects {
        /// The slot of the command's key.
        slot: Option<Slot>,
        /// How many were followed.
        redirects: u32,
    },
    /// The command changes the state of its connection, and this connection is shared.
    ConnectionState {
        /// The command's name.
        command: String,
    },
    /// The command concerns several nodes, and the call does not say which one of them is meant.
    SeveralNodes {
        /// The command's name.
        command: String,
    },
    /// The command has no name.
    EmptyCommand,
    /// The command acts on the node that executes it, and the call does not say which one is meant.
    Administrative {
        /// The command's name.
        command: String,
    },
    /// The command needs a connection of its own, all that are allowed to the node were in use, and none became free in
    /// time.
    NoExclusiveConnection {
        /// The node.
        node: Endpoint,
        /// How many are allowed: [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections).
        limit: usize,
    },
    /// The topology does not contain the node that the command is for.
    NoSuchNode {
        /// The node, as the command names it.
        node: Endpoint,
    },
}

impl RouteError {
    /// Whether the same call may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unassigned { .. } | Self::NoExclusiveConnection { .. })
    }

    pub(super) fn node(&self) -> Option<&Endpoint> {
        match self {
            Self::NoExclusiveConnection { node, .. } => Some(node),
            _ => None,
        }
    }

    pub(super) fn slot(&self) -> Option<Slot> {
        match self {
            Self::Unassigned { slot } => Some(*slot),
            Self::TooManyRedirects { slot, .. } => *slot,
            _ => None,
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unassigned { slot } => write!(f, "no node serves slot {slot}"),
            Self::NoNodes => write!(f, "the topology has no nodes"),
            Self::TooManyRedirects { slot: Some(slot), redirects } => {
                write!(f, "gave up after {redirects} redirects of slot {slot}")
            }
            Self::TooManyRedirects { slot: None, redirects } => {
                write!(f, "gave up after {redirects} redirects")
            }
            Self::ConnectionState { command } => {
                write!(
                    f,
                    "{} changes the state of its connection, or depends on that of earlier calls, and connections are \
                     shared: this client cannot run it",
                    Untrusted(command)
                )
            }
            Self::SeveralNodes { command } => write!(
                f,
                "{} concerns every node of a cluster, but a call goes to one; say which with \
                 Command::route_to, Command::route_by_key or Command::route_to_any",
                Untrusted(command)
            ),
            Self::Administrative { command } => write!(
                f,
                "{} acts on the node that executes it, and any primary could be the one; say which with \
                 Command::route_to, Command::route_by_key or Command::route_to_any",
                Untrusted(command)
            ),
            Self::NoSuchNode { node } => write!(
                f,
                "the topology has no node {node}; Command::route_to takes an address as Client::nodes shows it"
            ),
            Self::EmptyCommand => write!(f, "the command has no name"),
            Self::NoExclusiveConnection { node, limit } => write!(
                f,
                "the command needs a connection of its own, and all {limit} allowed to {node} are in use; \
                 raise Config::max_exclusive_connections (`max_exclusive=` in a URL)"
            ),
        }
    }
}
