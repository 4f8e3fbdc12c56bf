//! [`Case`]: all that is known about an attempt to connect that failed. Its report is made of this, and so is the advice.

use std::net::SocketAddr;
use std::sync::Arc;

use truename_topology::{AnnouncedNode, DialAddress, DialPlan, Endpoint, NodePlan};

use super::phase::Phase;
use crate::certificate::Certificate;

/// An attempt that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    /// The node as announced, or the seed as configured.
    pub(crate) node: &'a AnnouncedNode,
    /// The configured seed whose answer led to the node; the node itself when it is one.
    pub(crate) seed: &'a Endpoint,
    pub(crate) is_seed: bool,
    /// Whether the id that must answer is known: only then is the node tried at the seed's host, too.
    pub(crate) has_id: bool,
    /// Where to dial and which names will do; `None` where there is no plan, so that nothing was dialled.
    pub(crate) plan: Option<&'a NodePlan>,
    pub(crate) dialled: Option<&'a DialAddress>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) certificate: Option<&'a Arc<Certificate>>,
    pub(crate) phase: Phase,
}

impl<'a> Case<'a> {
    /// A node about which nothing more is known.
    #[cfg(test)]
    pub(crate) fn of(node: &'a AnnouncedNode, phase: Phase) -> Self {
        Self {
            node,
            seed: &node.endpoint,
            is_seed: false,
            has_id: false,
            plan: None,
            dialled: None,
            peer: None,
            certificate: None,
            phase,
        }
    }

    pub(super) fn host(&self) -> &'a str {
        self.node.endpoint.host()
    }

    /// The host that was looked up.
    pub(super) fn dialled_host(&self) -> &'a str {
        self.dialled.map_or_else(|| self.host(), DialAddress::host)
    }

    /// Whether a rule leads to an address other than the announced one, or, for a seed, the configured one. A rule may also
    /// name the announced address, which is then the only way to the node.
    pub(super) fn is_ruled_elsewhere(&self) -> bool {
        match self.plan.map(|plan| &plan.dial) {
            Some(DialPlan::Ruled(address)) => !self.is_seed || *address != self.node.endpoint,
            _ => false,
        }
    }

    /// Whether the announced name is out of scope, so that only the seed's host was dialled in its place.
    pub(super) fn is_detour(&self) -> bool {
        self.plan.is_some_and(|plan| matches!(plan.dial, DialPlan::Detour(_)))
    }

    /// Whether the node may be at the seed's host with its announced port, and was not looked for there.
    pub(super) fn may_be_at_seed(&self) -> bool {
        !self.has_id && self.plan.is_some_and(|plan| plan.dial.fallback().is_some())
    }

    /// Whether the attempt was only the guess that the node is at the seed's host.
    pub(super) fn is_guess(&self) -> bool {
        self.dialled.is_some() && self.plan.and_then(|plan| plan.dial.fallback()) == self.dialled
    }
}
