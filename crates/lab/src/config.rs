//! What a lab should be like: a builder with defaults by profile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::Authority;
use crate::user::User;
use crate::{Announce, CertificateSpec, LabError, LabProfile};

const DEFAULT_NODE_TIMEOUT: Duration = Duration::from_secs(2);
/// Below this, nodes of a busy machine count as failed when they only wait for a processor.
const LEAST_NODE_TIMEOUT: Duration = Duration::from_millis(500);
/// The address plan has an address of its own for this many nodes of one deployment.
pub(crate) const MOST_ADDRESSES: usize = 30;
/// Nodes of the profile `plain` share addresses from there on, with a port each.
const MOST_PLAIN_NODES: usize = 120;

/// Describes a lab; [`start`](Self::start) brings it up.
///
/// ```no_run
/// # async fn example() -> Result<(), truename_lab::LabError> {
/// use truename_lab::{Lab, LabProfile};
///
/// let lab = Lab::builder(LabProfile::Azure).shards(2).replicas(0).start().await?;
/// println!("connect to {:?}", lab.seed());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a lab starts with `start`"]
pub struct LabConfig {
    pub(crate) profile: LabProfile,
    pub(crate) shards: usize,
    pub(crate) replicas: usize,
    pub(crate) cluster: bool,
    pub(crate) password: Password,
    pub(crate) tls: bool,
    pub(crate) node_timeout: Duration,
    pub(crate) require_client_certificate: bool,
    pub(crate) certificates: BTreeMap<usize, CertificateSpec>,
    pub(crate) announces: BTreeMap<usize, Announce>,
    pub(crate) users: Vec<User>,
    pub(crate) server_args: Vec<(String, String)>,
    pub(crate) node_args: BTreeMap<usize, Vec<(String, String)>>,
    pub(crate) server_binary: Option<PathBuf>,
    pub(crate) node_binaries: BTreeMap<usize, PathBuf>,
    pub(crate) fault_proxies: bool,
    pub(crate) enterprise_commands: bool,
    /// `None` for one of its own.
    pub(crate) authority: Option<Arc<Authority>>,
}

/// The password that the servers require.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Password {
    Random,
    None,
    Given(String),
}

impl LabConfig {
    pub(crate) const fn new(profile: LabProfile) -> Self {
        Self {
            profile,
            shards: 3,
            replicas: 1,
            cluster: true,
            password: Password::Random,
            tls: profile.tls_by_default(),
            node_timeout: DEFAULT_NODE_TIMEOUT,
            require_client_certificate: false,
            certificates: BTreeMap::new(),
            announces: BTreeMap::new(),
            users: Vec::new(),
            server_args: Vec::new(),
            node_args: BTreeMap::new(),
            server_binary: None,
            node_binaries: BTreeMap::new(),
            fault_proxies: false,
            enterprise_commands: false,
            authority: None,
        }
    }

    /// Number of primaries; 3 by default. With fewer than three no replica can win an election on its own, so nothing
    /// fails over after a crash.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Replicas per primary; 1 by default.
    pub const fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The password servers require, or none; a random one by default.
    pub fn password(mut self, password: Option<&str>) -> Self {
        self.password = password.map_or(Password::None, |text| Password::Given(text.to_owned()));
        self
    }

    /// Whether servers speak TLS only, or no TLS at all; by default as the provider does.
    pub const fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// How long a node is silent before others suspect it (`cluster-node-timeout`); 2 s by default, at least 500 ms.
    pub const fn node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Whether clients must present a certificate of the lab's authority (`tls-auth-clients`).
    pub const fn require_client_certificate(mut self, required: bool) -> Self {
        self.require_client_certificate = required;
        self
    }

    /// The certificate of one node, instead of the profile's.
    ///
    /// One that the other nodes would refuse on the cluster bus (not valid now, not to be traced back to the lab's
    /// authority, not for servers) is put in place when the cluster is ready: connections made until then last, as
    /// with a certificate that expires under a running cluster. After [`restart`](crate::LabNode::restart) it is put in place by the next
    /// [`wait_ready`](crate::Lab::wait_ready).
    pub fn certificate(mut self, node_index: usize, spec: CertificateSpec) -> Self {
        self.certificates.insert(node_index, spec);
        self
    }

    /// What one node tells clients about itself, instead of what the profile says. Once a host is given, the servers of
    /// this lab tell clients host names; those whose profile has none announce their addresses as if they were names.
    pub fn announce(mut self, node_index: usize, announce: Announce) -> Self {
        self.announces.insert(node_index, announce);
        self
    }

    /// A further user on every node, with rules as `ACL SETUSER` takes them. Without a password any will do.
    ///
    /// ```
    /// use truename_lab::{Lab, LabProfile};
    ///
    /// let config = Lab::builder(LabProfile::Plain).user("app", Some("secret"), "~* &* +@all -watch -cluster|shards");
    /// ```
    pub fn user(mut self, name: &str, password: Option<&str>, rules: &str) -> Self {
        let password = password.map(str::to_owned);
        self.users.push(User { name: name.to_owned(), password, rules: rules.to_owned() });
        self
    }

    /// One server with cluster support disabled, in place of a cluster.
    pub const fn no_cluster(mut self) -> Self {
        self.cluster = false;
        self.shards = 1;
        self.replicas = 0;
        self
    }

    /// A further directive for every server's configuration; it wins over the lab's own.
    pub fn server_arg(mut self, directive: impl Into<String>, value: impl Into<String>) -> Self {
        self.server_args.push((directive.into(), value.into()));
        self
    }

    /// A further directive for one server's configuration; it wins over those for all.
    ///
    /// ```
    /// use truename_lab::{Lab, LabProfile};
    ///
    /// let config = Lab::builder(LabProfile::Azure).node_arg(1, "tls-protocols", "TLSv1.2");
    /// ```
    pub fn node_arg(
        mut self,
        node_index: usize,
        directive: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.node_args.entry(node_index).or_default().push((directive.into(), value.into()));
        self
    }

    /// The server program of one node, for a cluster of several versions. A replica that is older than its primary may
    /// not be able to read its copy of the data; then the lab does not become ready.
    ///
    /// ```
    /// use truename_lab::{Lab, LabProfile};
    ///
    /// let config = Lab::builder(LabProfile::Plain).node_binary(5, "/opt/valkey/bin/valkey-server");
    /// ```
    pub fn node_binary(mut self, node_index: usize, path: impl Into<PathBuf>) -> Self {
        self.node_binaries.insert(node_index, path.into());
        self
    }

    /// The server program; otherwise `$TRUENAME_SERVER`, `valkey-server` or `redis-server` on the path.
    pub fn server_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.server_binary = Some(path.into());
        self
    }

    /// Whether clients reach every node only through a [`FaultProxy`](crate::FaultProxy) of its own, whose address the
    /// node announces; the bus and replication do not pass through it. For [`LabProfile::Plain`] and [`LabProfile::Azure`].
    pub const fn fault_proxies(mut self, wanted: bool) -> Self {
        self.fault_proxies = wanted;
        self
    }

    /// Whether the default user meets the commands that Redis Enterprise leaves to clients of its OSS Cluster API:
    /// `READONLY`, `READWRITE` and `ASKING` are unknown, and of `CLUSTER` only `HELP`, `INFO`, `KEYSLOT`, `NODES`, `SHARDS`
    /// and `SLOTS` are permitted (Redis documentation, "Cluster management commands" of Redis Software). The lab's own
    /// commands, such as those of a failover, run as another user.
    pub const fn enterprise_commands(mut self, wanted: bool) -> Self {
        self.enterprise_commands = wanted;
        self
    }

    pub(crate) const fn node_count(&self) -> usize {
        self.shards * (1 + self.replicas)
    }

    const fn most_nodes(&self) -> usize {
        if matches!(self.profile, LabProfile::Plain) { MOST_PLAIN_NODES } else { MOST_ADDRESSES }
    }

    pub(crate) fn check(&self) -> Result<(), LabError> {
        if self.shards == 0 {
            return Err(LabError::invalid("a lab needs at least one shard"));
        }
        let (count, most) = (self.node_count(), self.most_nodes());
        if count > most {
            return Err(LabError::invalid(format!(
                "{count} nodes are too many; a lab of this profile has room for {most}"
            )));
        }
        if self.node_timeout < LEAST_NODE_TIMEOUT {
            let least = LEAST_NODE_TIMEOUT;
            return Err(LabError::invalid(format!("the node timeout must be at least {least:?}")));
        }
        if !self.cluster && self.node_count() > 1 {
            return Err(LabError::invalid("without cluster support a lab is a single server"));
        }
        if self.fault_proxies && !matches!(self.profile, LabProfile::Plain | LabProfile::Azure) {
            return Err(LabError::invalid(format!(
                "fault proxies announce addresses as `plain` and `azure` do, and {} does not",
                self.profile
            )));
        }
        if self.enterprise_commands && self.password == Password::None {
            return Err(LabError::invalid("with the commands of Redis Enterprise a lab needs a password"));
        }
        self.check_nodes()?;
        match self.users.iter().find_map(User::fault) {
            Some(fault) => Err(LabError::invalid(fault)),
            None => Ok(()),
        }
    }

    /// What is for single nodes.
    fn check_nodes(&self) -> Result<(), LabError> {
        let certificates = self.certificates.keys().chain(self.announces.keys());
        let mut indexes = certificates.chain(self.node_args.keys()).chain(self.node_binaries.keys());
        if let Some(index) = indexes.find(|index| **index >= self.node_count()) {
            let count = self.node_count();
            return Err(LabError::invalid(format!("there is no node {index}; the lab has {count}")));
        }
        if let Some(fault) = self.announces.values().find_map(Announce::fault) {
            return Err(LabError::invalid(fault));
        }
        if !self.announces.is_empty() && !self.cluster {
            return Err(LabError::invalid("a single server announces nothing"));
        }
        let unknown = matches!(self.profile, LabProfile::UnknownEndpoint);
        if unknown && self.announces.values().any(Announce::is_about_the_host) {
            return Err(LabError::invalid(format!("nodes of {} announce no host", self.profile)));
        }
        Ok(())
    }
}

/// Without the password.
impl std::fmt::Debug for LabConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabConfig")
            .field("profile", &self.profile)
            .field("shards", &self.shards)
            .field("replicas", &self.replicas)
            .field("tls", &self.tls)
            .field("node_timeout", &self.node_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lab;

    #[test]
    fn impossible_labs_are_refused_before_anything_starts() {
        let config = || Lab::builder(LabProfile::Plain);
        let unknown = || Lab::builder(LabProfile::UnknownEndpoint);
        let rows = [
            (config(), None),
            (config().shards(0), Some("at least one shard")),
            (config().shards(40).replicas(2), None),
            (config().shards(41).replicas(2), Some("123 nodes")),
            (Lab::builder(LabProfile::Azure).shards(10).replicas(2), None),
            (Lab::builder(LabProfile::Azure).shards(11).replicas(2), Some("33 nodes")),
            (config().node_timeout(Duration::from_millis(499)), Some("500ms")),
            (config().no_cluster(), None),
            (config().no_cluster().shards(2), Some("single server")),
            (config().fault_proxies(true), None),
            (Lab::builder(LabProfile::Aws).fault_proxies(true), Some("aws does not")),
            (config().enterprise_commands(true), None),
            (config().enterprise_commands(true).password(None), Some("needs a password")),
            (config().certificate(6, CertificateSpec::new(["a"])), Some("no node 6")),
            (config().announce(6, Announce::new()), Some("no node 6")),
            (config().node_arg(6, "maxmemory", "1"), Some("no node 6")),
            (config().node_binary(6, "valkey-server"), Some("no node 6; the lab has 6")),
            (config().announce(5, Announce::new().host("a b")), Some("cannot be announced")),
            (config().no_cluster().announce(0, Announce::new()), Some("announces nothing")),
            (unknown().announce(0, Announce::new().port(7)), None),
            (unknown().announce(0, Announce::new().no_host()), Some("announce no host")),
            (config().user("app", None, "+@all"), None),
            (config().user("default", None, "+@all"), Some("belongs to the lab")),
        ];
        for (config, expected) in rows {
            let error = config.check().err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(error, None, "{config:?}"),
                Some(text) => assert!(error.as_deref().unwrap_or("").contains(text), "{config:?}: {error:?}"),
            }
        }
    }

    #[test]
    fn debug_hides_passwords() {
        let config = Lab::builder(LabProfile::Plain).password(Some("hunter2"));
        let config = config.user("app", Some("hunter2"), "+@all");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
