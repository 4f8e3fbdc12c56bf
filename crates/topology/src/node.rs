//! [`AnnouncedNode`]: one node as some member of the cluster described it.
//!
//! Everything here is what was *said* about a node; nothing was checked. What may be dialled and
//! which name the node has to prove is decided by [`address`](crate::address).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use truename_resp::Untrusted;

use crate::Endpoint;

/// A node's id: 40 hexadecimal digits on open-source servers, opaque here.
///
/// # Examples
/// ```
/// use truename_topology::NodeId;
///
/// let id = NodeId::new("07c37dfeb235213a872192d90877d0cd55635b91");
/// assert_eq!(id.as_str().len(), 40);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// An id from its text. See the [example](NodeId#examples).
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as announced. See the [example](NodeId#examples).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Untrusted(&self.0).fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Untrusted(&self.0).fmt(f)
    }
}

impl From<&str> for NodeId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// What a node is to its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Owns the shard's slots and takes writes.
    Primary,
    /// Follows a primary.
    Replica,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}

/// A node's state in the eyes of the node that described it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Health {
    /// Reported as serving.
    Online,
    /// Declared failed by the cluster.
    Failed,
    /// Loading its data set; not serving yet.
    Loading,
    /// Not said: `CLUSTER SLOTS` has no health, and `fail?` is one node's suspicion.
    #[default]
    Unknown,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Failed => "failed",
            Self::Loading => "loading",
            Self::Unknown => "unknown",
        })
    }
}

/// One node of the cluster, as announced.
///
/// # Examples
/// ```
/// use truename_topology::{AnnouncedNode, Endpoint, Health, NodeId, Role};
///
/// let node = AnnouncedNode::new(Endpoint::new("10.0.0.4", 8501), Role::Primary)
///     .with_id(NodeId::new("07c37dfeb235213a872192d90877d0cd55635b91"))
///     .with_hostname("node-1.example.net")
///     .with_ip("192.0.2.7".parse()?)
///     .with_availability_zone("eu-west-1a")
///     .with_health(Health::Online)
///     .with_assumed_host(false);
/// assert_eq!(node.hostname.as_deref(), Some("node-1.example.net"));
///
/// // A node that only a redirect named has no id: it may be this one.
/// assert!(node.may_be(&AnnouncedNode::new(node.endpoint.clone(), Role::Primary)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnouncedNode {
    /// The raw announced address: the node's key.
    pub endpoint: Endpoint,
    /// The node's id. Servers before 4.0 do not send it.
    pub id: Option<NodeId>,
    /// A host name in addition to the endpoint (`hostname` metadata, 7.0). Never empty, never the endpoint's host.
    pub hostname: Option<Arc<str>>,
    /// An IP address in addition to the endpoint (`ip` metadata, 7.0). Never the endpoint's host.
    pub ip: Option<IpAddr>,
    /// Primary or replica.
    pub role: Role,
    /// The availability zone, where the server is configured to report it (Valkey).
    pub availability_zone: Option<Arc<str>>,
    /// Health in the eyes of the node that answered.
    pub health: Health,
    /// The endpoint's host is that of the node that answered, because none was announced (NULL, empty, unspecified).
    /// Views that were asked for under different names then differ in the host and mean the same.
    pub assumed_host: bool,
}

impl AnnouncedNode {
    /// A node of which only the address and the role are known. See the [example](AnnouncedNode#examples).
    pub fn new(endpoint: Endpoint, role: Role) -> Self {
        Self {
            endpoint,
            id: None,
            hostname: None,
            ip: None,
            role,
            availability_zone: None,
            health: Health::Unknown,
            assumed_host: false,
        }
    }

    /// Whether both may be one server: the same address, and not two different ids. A node that only a redirect named has
    /// no id yet. See the [example](AnnouncedNode#examples).
    pub fn may_be(&self, other: &Self) -> bool {
        let is_another = matches!((&self.id, &other.id), (Some(one), Some(two)) if one != two);
        self.endpoint == other.endpoint && !is_another
    }

    /// Sets whether the endpoint's host was put in for one that was not announced. See the
    /// [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_assumed_host(mut self, assumed: bool) -> Self {
        self.assumed_host = assumed;
        self
    }

    /// Sets the node id. See the [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the host name reported in addition to the endpoint. Nothing said (`""`), unknown (`?`) and a repetition
    /// of the endpoint's host all mean that there is none. See the [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_hostname(mut self, hostname: &str) -> Self {
        let says_nothing = matches!(hostname, "" | "?") || hostname == self.endpoint.host();
        self.hostname = (!says_nothing).then(|| hostname.into());
        self
    }

    /// Sets the IP address reported in addition to the endpoint, unless it is the endpoint's host. See the
    /// [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_ip(mut self, ip: IpAddr) -> Self {
        self.ip = (self.endpoint.ip() != Some(ip)).then_some(ip);
        self
    }

    /// Sets the availability zone; an empty one means that there is none. See the [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_availability_zone(mut self, zone: &str) -> Self {
        self.availability_zone = (!zone.is_empty()).then(|| zone.into());
        self
    }

    /// Sets the health. See the [example](AnnouncedNode#examples).
    #[must_use]
    pub fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }
}

impl fmt::Display for AnnouncedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.endpoint)?;
        self.hostname.iter().try_for_each(|hostname| write!(f, " ({})", Untrusted(hostname)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_says_nothing_new_is_left_out() {
        let node = AnnouncedNode::new(Endpoint::new("10.0.0.4", 8501), Role::Primary);
        for hostname in ["", "?", "10.0.0.4"] {
            assert_eq!(node.clone().with_hostname(hostname).hostname, None, "{hostname:?}");
        }
        assert_eq!(node.clone().with_hostname("a.example.net").hostname.as_deref(), Some("a.example.net"));
        assert_eq!(node.clone().with_ip(IpAddr::from([10, 0, 0, 4])).ip, None);
        assert_eq!(node.clone().with_ip(IpAddr::from([10, 0, 0, 5])).ip, Some(IpAddr::from([10, 0, 0, 5])));
        assert_eq!(node.with_availability_zone("").availability_zone, None);
    }
}
