//! A running lab.
//!
//! - `start`: processes and the front door of a deployment; `files`: its certificates and configuration
//! - `wait`: when a state has arrived at every node
//! - `failover`, `migrate`: changes of the slot map, by the servers' own commands
//! - `redeploy`: a new set of servers behind the same seed
//!
//! Whatever way a lab ends, no process and no file of it stays behind: dropping it cleans up, and the reaper does so
//! when there is nobody left to drop it.

pub(crate) mod failover;
mod files;
mod migrate;
mod redeploy;
mod start;
mod wait;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;
use truename_resp::Reply;

use crate::admin::Admin;
use crate::certificates::Authority;
use crate::config::LabConfig;
use crate::fault::FaultProxy;
use crate::forward::Forwarder;
use crate::plan::{NAT_PORT_OFFSET, Site};
use crate::reaper::Reaper;
use crate::{LabError, LabNode, LabProfile, Role};
use files::TlsMaterial;

/// Real servers on loopback that announce their addresses as a cloud provider does. They end when this is dropped.
pub struct Lab {
    // Declared in the order in which they must end: servers before their reaper, the directory last.
    nodes: Vec<LabNode>,
    front_door: Option<Forwarder>,
    node_doors: Vec<Forwarder>,
    proxies: Vec<FaultProxy>,
    generation: usize,
    config: LabConfig,
    password: Option<String>,
    program: PathBuf,
    tls: Option<TlsMaterial>,
    admin: Admin,
    site: Site,
    reaper: Arc<Reaper>,
    dir: TempDir,
}

impl Lab {
    /// Begins the description of a lab.
    pub const fn builder(profile: LabProfile) -> LabConfig {
        LabConfig::new(profile)
    }

    /// Whose way of announcing nodes this lab imitates.
    #[must_use]
    pub const fn profile(&self) -> LabProfile {
        self.config.profile
    }

    /// The host and port a user types.
    #[must_use]
    pub fn seed(&self) -> (String, u16) {
        match &self.front_door {
            Some(door) => (self.site.seed_host(), door.address().port()),
            None => self.nodes[0].announced(),
        }
    }

    /// Every host and port a user might type: the [`seed`](Self::seed), or all nodes where there is no front door.
    #[must_use]
    pub fn seeds(&self) -> Vec<(String, u16)> {
        match &self.front_door {
            Some(_) => vec![self.seed()],
            None => self.nodes.iter().map(LabNode::announced).collect(),
        }
    }

    /// Whether servers speak TLS, and nothing else.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The password of the default user.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The PEM file of the authority that clients should trust.
    #[must_use]
    pub fn ca_pem_path(&self) -> Option<&Path> {
        self.tls.as_ref().map(|tls| tls.ca_path.as_path())
    }

    /// The authority that clients should trust, as PEM text.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// A revocation list of the lab's authority, as PEM text: it has the certificates of these nodes. An outdated list should
    /// have been replaced by a newer one yesterday. `None` without TLS.
    ///
    /// # Errors
    /// When the list cannot be made.
    pub fn revocation_list(&self, revoked: &[usize], outdated: bool) -> Result<Option<String>, LabError> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let directory = |index: &usize| self.dir.path().join(format!("node-{}-{index}", self.generation));
        let files =
            revoked.iter().map(directory).flat_map(|dir| [dir.join("node.crt"), dir.join("faulty.crt")]);
        let certificates = files.filter_map(|file| CertificateDer::from_pem_file(file).ok());
        tls.authority.revocation_list(certificates, outdated).map(Some)
    }

    /// The PEM files of a client certificate and its key, for servers that
    /// [require one](LabConfig::require_client_certificate).
    #[must_use]
    pub fn client_certificate(&self) -> Option<(PathBuf, PathBuf)> {
        self.tls.as_ref().map(|tls| (tls.client_certificate.clone(), tls.client_key.clone()))
    }

    /// The names a client must resolve, each for a port or for all: the seed, the nodes' host names, and those that the
    /// next [`redeploy`](Self::redeploy) will bring, so that a client set up now can follow it.
    #[must_use]
    pub fn resolve(&self) -> Vec<(String, Option<u16>, IpAddr)> {
        let seed = self.front_door.as_ref().map(|door| (self.site.seed_host(), door.address().ip()));
        let named_seed = seed.filter(|(host, _)| host.parse::<IpAddr>().is_err());
        let nodes = [self.generation, self.generation + 1].map(|generation| self.site.names(generation));
        named_seed.into_iter().chain(nodes.into_iter().flatten()).map(|(host, ip)| (host, None, ip)).collect()
    }

    /// One of 54 addresses of the lab's network that nothing of the lab has or announces: for a
    /// [`DnsServer`](crate::DnsServer) and whatever else stands beside it.
    ///
    /// # Panics
    /// With 54 and more.
    #[must_use]
    pub fn spare_address(&self, n: u8) -> IpAddr {
        self.site.spare_address(n).into()
    }

    /// The dial rules without which no client can reach the nodes; only [`LabProfile::Nat`] needs one.
    #[must_use]
    pub fn map_rules(&self) -> Vec<String> {
        match self.profile() {
            LabProfile::Nat => vec![format!("*=seed:+{NAT_PORT_OFFSET}")],
            _ => Vec::new(),
        }
    }

    /// All nodes: primaries first, then replicas in rounds over the shards.
    #[must_use]
    pub fn nodes(&self) -> &[LabNode] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// When there are not that many.
    #[must_use]
    pub fn node(&self, index: usize) -> &LabNode {
        &self.nodes[index]
    }

    /// The node with this id.
    #[must_use]
    pub fn node_by_id(&self, id: &str) -> Option<&LabNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The nodes that started as primaries; see [`primary_of_slot`](Self::primary_of_slot) for what is true now.
    #[must_use]
    pub fn primaries(&self) -> Vec<&LabNode> {
        self.nodes.iter().filter(|node| node.role == Role::Primary).collect()
    }

    /// The nodes that started as replicas.
    #[must_use]
    pub fn replicas(&self) -> Vec<&LabNode> {
        self.nodes.iter().filter(|node| node.role == Role::Replica).collect()
    }

    /// The front door, which counts connections; `None` where nodes are reached directly.
    #[must_use]
    pub const fn front_door(&self) -> Option<&Forwarder> {
        self.front_door.as_ref()
    }

    /// The fault proxy in front of a node.
    ///
    /// # Panics
    /// When there is no such node, or the lab was started without [`LabConfig::fault_proxies`].
    #[must_use]
    pub fn proxy(&self, node: usize) -> &FaultProxy {
        &self.proxies[node]
    }

    /// All fault proxies, in the order of the nodes; none without [`LabConfig::fault_proxies`].
    #[must_use]
    pub fn proxies(&self) -> &[FaultProxy] {
        &self.proxies
    }

    /// The lab's directory: certificates, and a directory with configuration and log for each node.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// One command to one node, over a verified admin connection of its own and past every front door. An error reply
    /// is returned as a reply.
    ///
    /// # Errors
    /// When there is no such node, it cannot be reached, or it does not answer within five seconds.
    pub async fn command(&self, node: usize, args: &[&str]) -> Result<Reply, LabError> {
        self.existing(node)?.command(args).await
    }

    /// Ends the lab without blocking the runtime; otherwise the same as dropping it.
    pub async fn shutdown(self) {
        // Joining fails only when the runtime shuts down, which drops the lab as well.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    pub(crate) fn authority(&self) -> Option<Arc<Authority>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.authority))
    }

    pub(crate) fn existing(&self, node: usize) -> Result<&LabNode, LabError> {
        self.nodes.get(node).ok_or_else(|| {
            LabError::invalid(format!("there is no node {node}; the lab has {}", self.nodes.len()))
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // All at once, so that collecting them one by one waits for one death and not for all in turn.
        self.nodes.iter().for_each(LabNode::begin_kill);
    }
}

/// Without the password.
impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab")
            .field("profile", &self.profile())
            .field("seed", &self.seed())
            .field("nodes", &self.nodes.len())
            .field("dir", &self.dir())
            .finish_non_exhaustive()
    }
}
