//! Who listens where and says what: the addresses, names and certificates of one deployment, by profile.
//!
//! A lab's network 127.A.B.0/24 is divided once and for all: nodes at .10 to .99 (three bands of thirty, so that a
//! redeployed cluster never shares an address with the one it replaces), the front door at .100, addresses that
//! are announced but no server has at .110 to .199 (nobody's behind NAT, the fault proxies' where there are some), those
//! for servers that are no part of the lab at .200 to .253, the lock at .254. Nodes beyond thirty, which only the profile `plain` has, share addresses and differ in their ports.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use truename_topology::Role;

use crate::config::{LabConfig, MOST_ADDRESSES};
use crate::nodes_conf::BUS_OFFSET;
use crate::subnet::{Subnet, is_free};
use crate::{Announce, CertificateSpec, LabError, LabProfile};

const FIRST_NODE: u8 = 10;
const FRONT_DOOR: u8 = 100;
const FIRST_SPARE: u8 = 200;
/// How many spare addresses there are.
const SPARES: u8 = 54;
const BANDS: usize = 3;
/// From a node's address to the one it announces in its place, behind NAT or a fault proxy.
const STAND_IN_OFFSET: u8 = 100;
/// From a node's port to the one it is reached at behind NAT.
pub(crate) const NAT_PORT_OFFSET: u16 = 1000;

/// What servers tell clients of a node without the host name that it should have.
const NO_HOST: &str = "?";
const AWS_DOMAIN: &str = "lab.abc123.use1.cache.amazonaws.test";
const AZURE_DOMAIN: &str = "westus3.redisenterprise.cache.azure.test";
const NAT_SEED: &str = "cache.truename.test";
const UNKNOWN_SEED: &str = "cluster.truename.test";
const PER_NODE_DOMAIN: &str = "lab.truename.test";

/// The place of a lab: its network and what the provider fixes for the lab's whole life.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) profile: LabProfile,
    shards: usize,
    nodes: usize,
    subnet: Subnet,
    azure_seed: String,
    fault_proxies: bool,
    announces: BTreeMap<usize, Announce>,
}

/// What one node will be.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) index: usize,
    pub(crate) generation: usize,
    pub(crate) shard: usize,
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    /// A second address it listens on.
    pub(crate) also_at: Option<Ipv4Addr>,
    pub(crate) hostname: Option<String>,
    pub(crate) announced: (String, u16),
    pub(crate) certificate: CertificateSpec,
    /// Where its fault proxy listens; empty without one.
    pub(crate) proxied_at: Vec<SocketAddr>,
}

impl Site {
    pub(crate) fn new(config: &LabConfig) -> Result<Self, LabError> {
        let azure_seed = format!("my-redis-{:06x}.{AZURE_DOMAIN}", fastrand::u32(..1 << 24));
        let subnet = Subnet::claim()?;
        Ok(Self {
            profile: config.profile,
            shards: config.shards,
            nodes: config.node_count(),
            subnet,
            azure_seed,
            fault_proxies: config.fault_proxies,
            announces: config.announces.clone(),
        })
    }

    /// Where the front door listens, and the port it has for users; `None` where nodes are reached directly.
    pub(crate) fn front_door(&self) -> Option<SocketAddr> {
        let port = match self.profile {
            LabProfile::Azure | LabProfile::Nat => 10_000,
            LabProfile::Aws | LabProfile::Gcp | LabProfile::UnknownEndpoint => 6379,
            LabProfile::PerNodeCerts | LabProfile::Plain => return None,
        };
        Some(SocketAddr::from((self.front_address(), port)))
    }

    fn front_address(&self) -> Ipv4Addr {
        self.subnet.address(FRONT_DOOR)
    }

    /// An address that nothing of the lab has.
    pub(crate) fn spare_address(&self, n: u8) -> Ipv4Addr {
        assert!(n < SPARES, "there are {SPARES} spare addresses, and no number {n}");
        self.subnet.address(FIRST_SPARE + n)
    }

    /// What the user types, where there is a front door.
    pub(crate) fn seed_host(&self) -> String {
        match self.profile {
            LabProfile::Azure => self.azure_seed.clone(),
            LabProfile::Aws => format!("clustercfg.{AWS_DOMAIN}"),
            LabProfile::Nat => NAT_SEED.to_owned(),
            LabProfile::UnknownEndpoint => UNKNOWN_SEED.to_owned(),
            LabProfile::Gcp | LabProfile::PerNodeCerts | LabProfile::Plain => {
                self.front_address().to_string()
            }
        }
    }

    /// `cluster-preferred-endpoint-type`.
    pub(crate) fn endpoint_type(&self) -> &'static str {
        match self.profile {
            // The proxy's address is announced in place of a host name.
            _ if self.fault_proxies || self.announces_hosts() => "hostname",
            LabProfile::Azure | LabProfile::Gcp | LabProfile::Plain => "ip",
            LabProfile::Aws | LabProfile::Nat | LabProfile::PerNodeCerts => "hostname",
            LabProfile::UnknownEndpoint => "unknown-endpoint",
        }
    }

    /// Whether a node is to announce another host than the profile says.
    fn announces_hosts(&self) -> bool {
        self.announces.values().any(Announce::is_about_the_host)
    }

    /// The names clients must resolve in this deployment, with their addresses.
    pub(crate) fn names(&self, generation: usize) -> Vec<(String, IpAddr)> {
        if !matches!(self.profile, LabProfile::Aws | LabProfile::PerNodeCerts) {
            return Vec::new();
        }
        (0..self.nodes)
            .filter_map(|index| {
                Some((self.hostname(generation, index)?, self.address(generation, index).into()))
            })
            .collect()
    }

    /// The nodes of a deployment: primaries first, then the replicas in rounds over the shards. `taken` are the ports of
    /// the deployment it will replace.
    pub(crate) fn plan(&self, generation: usize, taken: &[u16]) -> Result<Vec<NodePlan>, LabError> {
        let mut taken = taken.to_vec();
        let mut plans = Vec::with_capacity(self.nodes);
        for index in 0..self.nodes {
            let plan = self.node(generation, index, &taken)?;
            taken.push(plan.port);
            plans.push(plan);
        }
        Ok(plans)
    }

    fn node(&self, generation: usize, index: usize, taken: &[u16]) -> Result<NodePlan, LabError> {
        let address = self.address(generation, index);
        let at_front = matches!(self.profile, LabProfile::Azure | LabProfile::UnknownEndpoint);
        let also_at = at_front.then(|| self.front_address());
        let port = self.port(generation, index, taken, address, also_at)?;
        let of_profile = self.hostname(generation, index);
        let certificate = self.certificate(of_profile.as_deref(), address);
        let announce = self.announces.get(&index).cloned().unwrap_or_default();
        let hostname = announce.hostname(of_profile);
        let (also_at, proxied_at) = if self.fault_proxies {
            let at = std::iter::once(self.stand_in(generation, index)).chain(also_at);
            (None, at.map(|ip| SocketAddr::from((ip, port))).collect())
        } else {
            (also_at, Vec::new())
        };
        let host = match self.profile {
            LabProfile::UnknownEndpoint => String::new(),
            _ if announce.is_about_the_host() => hostname.clone().unwrap_or_else(|| NO_HOST.to_owned()),
            _ => hostname.clone().unwrap_or_else(|| address.to_string()),
        };
        Ok(NodePlan {
            index,
            generation,
            shard: index % self.shards,
            role: if index < self.shards { Role::Primary } else { Role::Replica },
            id: (0..5).map(|_| format!("{:08x}", fastrand::u32(..))).collect(),
            certificate,
            announced: (host, announce.port_or(port)),
            address,
            port,
            also_at,
            hostname,
            proxied_at,
        })
    }

    fn address(&self, generation: usize, index: usize) -> Ipv4Addr {
        let host = usize::from(FIRST_NODE) + generation % BANDS * MOST_ADDRESSES + index % MOST_ADDRESSES;
        self.subnet.address(u8::try_from(host).unwrap_or(u8::MAX))
    }

    fn hostname(&self, generation: usize, index: usize) -> Option<String> {
        let serial = generation * self.nodes + index;
        match self.profile {
            LabProfile::Aws => {
                let (shard, member) = (serial % self.shards + 1, serial / self.shards + 1);
                Some(format!("lab-{shard:04}-{member:03}.{AWS_DOMAIN}"))
            }
            LabProfile::PerNodeCerts => Some(format!("node{}.{PER_NODE_DOMAIN}", serial + 1)),
            // The bus needs the true address; a host name that looks like one is shown to clients in its place.
            LabProfile::Nat => Some(self.stand_in(generation, index).to_string()),
            _ if self.fault_proxies => Some(self.stand_in(generation, index).to_string()),
            _ if self.announces_hosts() => Some(self.address(generation, index).to_string()),
            LabProfile::Azure | LabProfile::Gcp | LabProfile::UnknownEndpoint | LabProfile::Plain => None,
        }
    }

    fn stand_in(&self, generation: usize, index: usize) -> Ipv4Addr {
        let [a, b, c, host] = self.address(generation, index).octets();
        Ipv4Addr::new(a, b, c, host + STAND_IN_OFFSET)
    }

    fn certificate(&self, hostname: Option<&str>, address: Ipv4Addr) -> CertificateSpec {
        let name = match self.profile {
            LabProfile::Azure => format!("*.{AZURE_DOMAIN}"),
            LabProfile::Aws => format!("*.{AWS_DOMAIN}"),
            LabProfile::Gcp | LabProfile::Nat | LabProfile::UnknownEndpoint => self.seed_host(),
            LabProfile::PerNodeCerts | LabProfile::Plain => {
                hostname.map_or_else(|| address.to_string(), str::to_owned)
            }
        };
        CertificateSpec::new([name])
    }

    fn port(
        &self,
        generation: usize,
        index: usize,
        taken: &[u16],
        address: Ipv4Addr,
        also_at: Option<Ipv4Addr>,
    ) -> Result<u16, LabError> {
        let free = |port: u16| {
            let here = [Some(address), also_at].into_iter().flatten();
            here.flat_map(|ip| [port, port + BUS_OFFSET].map(|port| SocketAddr::from((ip, port))))
                .all(is_free)
        };
        let mut candidates: Vec<u16> = match self.profile {
            LabProfile::Azure => (8500..8600).collect(),
            LabProfile::Nat | LabProfile::UnknownEndpoint => (7000..7100).collect(),
            LabProfile::Plain => (7000..7400).collect(),
            // Ports the provider fixes; each node has an address of its own.
            LabProfile::Aws | LabProfile::PerNodeCerts => vec![6379],
            LabProfile::Gcp => {
                let offset = (generation * MOST_ADDRESSES + index) % 2000;
                vec![11_000 + u16::try_from(offset).unwrap_or(0)]
            }
        };
        if candidates.len() == 1 {
            let fixed = candidates[0];
            let address = SocketAddr::from((address, fixed));
            return if free(fixed) { Ok(fixed) } else { Err(LabError::AddressInUse { address }) };
        }
        fastrand::shuffle(&mut candidates);
        let first = SocketAddr::from((address, candidates[0]));
        candidates
            .into_iter()
            .find(|port| !taken.contains(port) && free(*port))
            .ok_or(LabError::AddressInUse { address: first })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Lab;

    #[test]
    fn no_two_nodes_meet_within_or_across_a_redeploy() {
        for profile in LabProfile::ALL {
            let site = Site::new(&Lab::builder(profile).shards(10).replicas(2)).unwrap();
            let old = site.plan(0, &[]).unwrap();
            let ports: Vec<_> = old.iter().map(|plan| plan.port).collect();
            let new = site.plan(1, &ports).unwrap();
            let addresses: HashSet<_> = old.iter().chain(&new).map(|plan| plan.address).collect();
            assert_eq!(addresses.len(), 60, "{profile}");
            if old[0].also_at.is_some() || profile == LabProfile::Nat {
                let shared: HashSet<_> = old.iter().chain(&new).map(|plan| plan.port).collect();
                assert_eq!(shared.len(), 60, "{profile} shares the front door's address");
            }
            let ids: HashSet<_> = old.iter().chain(&new).map(|plan| plan.id.as_str()).collect();
            assert_eq!(ids.len(), 60, "{profile}");
            assert!(ids.iter().all(|id| id.len() == 40));
        }
    }

    #[test]
    fn a_wide_lab_shares_addresses_and_no_port() {
        let config = Lab::builder(LabProfile::Plain).shards(100).replicas(0);
        config.check().unwrap();
        assert!(Lab::builder(LabProfile::Azure).shards(31).replicas(0).check().is_err());
        let site = Site::new(&config).unwrap();
        let old = site.plan(0, &[]).unwrap();
        let new = site.plan(1, &old.iter().map(|plan| plan.port).collect::<Vec<_>>()).unwrap();
        let ports: HashSet<_> = old.iter().chain(&new).map(|plan| plan.port).collect();
        assert_eq!(ports.len(), 200);
        let addresses = |plans: &[NodePlan]| plans.iter().map(|plan| plan.address).collect::<HashSet<_>>();
        assert!(addresses(&old).is_disjoint(&addresses(&new)));
    }

    #[test]
    fn primaries_come_first_and_replicas_follow_their_shards() {
        let site = Site::new(&Lab::builder(LabProfile::Plain).shards(3).replicas(2)).unwrap();
        let plan = site.plan(0, &[]).unwrap();
        let shards: Vec<_> = plan.iter().map(|node| node.shard).collect();
        assert_eq!(shards, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert!(plan[..3].iter().all(|node| node.role == Role::Primary));
        assert!(plan[3..].iter().all(|node| node.role == Role::Replica));
    }

    #[test]
    fn what_is_announced_matches_the_provider() {
        let first = |profile| {
            let site = Site::new(&Lab::builder(profile)).unwrap();
            let node = site.plan(0, &[]).unwrap().swap_remove(0);
            (site.seed_host(), node)
        };
        let (_, node) = first(LabProfile::Azure);
        assert_eq!(node.announced, (node.address.to_string(), node.port));
        assert!((8500..8600).contains(&node.port) && node.also_at.is_some());
        let (seed, node) = first(LabProfile::Aws);
        assert_eq!(node.announced, (format!("lab-0001-001.{AWS_DOMAIN}"), 6379));
        assert!(seed.starts_with("clustercfg."));
        let (seed, node) = first(LabProfile::Gcp);
        assert_eq!((node.port, node.certificate.names), (11_000, vec![seed]));
        let (_, node) = first(LabProfile::Nat);
        assert_ne!(node.announced.0, node.address.to_string());
        assert!(node.announced.0.parse::<IpAddr>().unwrap().is_loopback());
        let (_, node) = first(LabProfile::UnknownEndpoint);
        assert_eq!(node.announced.0, "");
        let (_, node) = first(LabProfile::PerNodeCerts);
        assert_eq!(node.certificate.names, vec![node.announced.0]);
    }

    #[test]
    fn a_node_may_announce_something_else_and_the_others_stay() {
        let plan = |profile, announce: Announce| {
            let site = Site::new(&Lab::builder(profile).announce(1, announce)).unwrap();
            (site.endpoint_type(), site.plan(0, &[]).unwrap())
        };
        let (kind, nodes) = plan(LabProfile::Plain, Announce::new().host("10.1.2.3").port(7));
        assert_eq!((kind, &nodes[1].announced), ("hostname", &("10.1.2.3".to_owned(), 7)));
        assert_eq!(nodes[1].certificate.names, [nodes[1].address.to_string()]);
        for node in [&nodes[0], &nodes[2]] {
            assert_eq!(node.announced, (node.address.to_string(), node.port));
            assert_eq!(node.hostname, Some(node.address.to_string()));
        }
        let (kind, nodes) = plan(LabProfile::PerNodeCerts, Announce::new().no_host());
        assert_eq!((kind, &nodes[1].announced), ("hostname", &("?".to_owned(), 6379)));
        assert_eq!((&nodes[1].hostname, nodes[1].certificate.names.len()), (&None, 1));
        let (kind, nodes) = plan(LabProfile::Plain, Announce::new().port(7));
        assert_eq!((kind, &nodes[1].announced), ("ip", &(nodes[1].address.to_string(), 7)));
        assert_eq!((nodes[0].hostname.as_ref(), nodes[0].announced.1), (None, nodes[0].port));
    }

    #[test]
    fn names_end_in_a_top_level_domain_that_can_never_exist() {
        for profile in LabProfile::ALL {
            let site = Site::new(&Lab::builder(profile)).unwrap();
            let mut names: Vec<_> = site.names(3).into_iter().map(|(name, _)| name).collect();
            names.push(site.seed_host());
            assert!(
                names.iter().all(|name| name.ends_with(".test") || name.starts_with("127.")),
                "{names:?}"
            );
        }
    }
}
