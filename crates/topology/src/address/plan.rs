//! [`NodePlan`]: everything needed to open a connection to a node and to trust what answers.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use truename_resp::Untrusted;

use super::{Boundary, DialAddress, Identity, IdentityName, Pin};
use crate::{Endpoint, Typed};

/// Where to dial, what to send as SNI, and who must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodePlan {
    /// The address or addresses to dial.
    pub dial: DialPlan,
    /// The server name to send in the TLS handshake; `None` only where no DNS name is known.
    pub sni: Option<Arc<str>>,
    /// The names of which at least one has to be proved, in order of preference. Never empty.
    pub identities: Vec<Identity>,
    /// The pins of the rule that says where to dial: the public key must be one of them, unless there are none.
    pub pins: Vec<Pin>,
    /// What the node announces and would be an identity if it were in [scope](super::Scope).
    pub out_of_scope: Vec<IdentityName>,
    /// What said where to dial; `None` where nothing did, and the plan is to try the announced address.
    pub ruled_by: Option<RuledBy>,
    /// What bounded announced names when the plan was made. It is not valid for a connection with another boundary.
    pub boundary: Boundary,
}

/// What said where a node is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuledBy {
    /// The user's closure or table.
    Map,
    /// This rule of the user's, as text.
    Rule(String),
    /// The provider's profile.
    Profile,
}

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialPlan {
    /// A rule or the user's closure gave this address; there is no other.
    Ruled(DialAddress),
    /// No rule applies: the announced address first.
    Auto {
        /// The announced address.
        announced: DialAddress,
        /// The seed's host with the announced port, unless that is the same. Equal ports behind one address
        /// are what private endpoints, published container ports and tunnels have. It may lead to another
        /// node, so it counts only if the node's id is confirmed.
        fallback: Option<DialAddress>,
    },
    /// No rule applies, and the announced name is out of [scope](super::Scope), so that it is not dialled: only the
    /// seed's host with the announced port is. Like any such detour it counts only if the node's id is confirmed.
    Detour(DialAddress),
}

impl DialPlan {
    /// The address to try first.
    pub fn first(&self) -> &DialAddress {
        match self {
            Self::Ruled(address) | Self::Auto { announced: address, .. } | Self::Detour(address) => address,
        }
    }

    /// The address to try in addition to the first one, if that does not answer.
    pub fn fallback(&self) -> Option<&DialAddress> {
        match self {
            Self::Ruled(_) | Self::Detour(_) => None,
            Self::Auto { fallback, .. } => fallback.as_ref(),
        }
    }
}

impl fmt::Display for DialPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first().fmt(f)?;
        self.fallback().map_or(Ok(()), |address| write!(f, ", else {address}"))
    }
}

/// Why there is no plan for a node.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A rule shifts the port below 1 or above 65535, or sets it to 0.
    #[error("rule `{}` gives no valid port for {endpoint}", Untrusted(rule))]
    PortOutOfRange {
        /// The announced endpoint.
        endpoint: Endpoint,
        /// The rule.
        rule: String,
    },
    /// A template, once filled in, is not an address.
    #[error("template {} gives no address for {endpoint}", Typed(template))]
    Template {
        /// The announced endpoint.
        endpoint: Endpoint,
        /// The template.
        template: Arc<str>,
    },
    /// What the node announces is out of [scope](super::Scope), and no rule, map or detour leads to it: it is not dialled,
    /// or there is no name in scope that it could prove.
    #[error(
        "{endpoint} is out of scope: neither a seed, nor under a seed's parent domain, nor trusted; public \
         authorities issue certificates for such names to whoever owns them"
    )]
    OutOfScope {
        /// The announced endpoint.
        endpoint: Endpoint,
    },
    /// There is no name that the node could prove, so nothing that answers could be trusted.
    #[error("no name is known that {endpoint} could prove; set one, for example the name in its certificate")]
    NoIdentity {
        /// The announced endpoint.
        endpoint: Endpoint,
    },
}
