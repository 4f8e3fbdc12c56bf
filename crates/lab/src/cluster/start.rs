//! Bringing a deployment up: certificates and configuration on disk, processes, front door.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;

use super::files::{TlsMaterial, write};
use crate::admin::Admin;
use crate::config::{LabConfig, Password};
use crate::fault::FaultProxy;
use crate::forward::Forwarder;
use crate::nodes_conf::{self, BUS_OFFSET, Entry, slots_of};
use crate::plan::{NAT_PORT_OFFSET, NodePlan, Site};
use crate::reaper::Reaper;
use crate::server::{CONFIG_FILE, Server, find_program};
use crate::server_conf::render;
use crate::user::OPERATOR;
use crate::{Lab, LabError, LabNode, LabProfile, Role};

impl LabConfig {
    /// Lets the authority of another lab sign the certificates, so that clients trust both labs alike. Without effect
    /// when that lab or this one has no TLS.
    pub fn authority_of(mut self, lab: &Lab) -> Self {
        self.authority = lab.authority();
        self
    }

    /// Starts the lab and waits until it is ready. Needs a tokio runtime, which must live as long as the lab: the
    /// front door runs on it.
    ///
    /// # Errors
    /// When the configuration is impossible, there is no suitable server program, or the servers do not come up;
    /// then the error holds the end of a server's log. Nothing is left behind.
    pub async fn start(self) -> Result<Lab, LabError> {
        self.check()?;
        Lab::start(self).await
    }
}

impl Lab {
    async fn start(config: LabConfig) -> Result<Self, LabError> {
        let program = find_program(config.server_binary.as_deref())?;
        for program in config.node_binaries.values() {
            find_program(Some(program))?;
        }
        let site = Site::new(&config)?;
        let dir = tempfile::Builder::new()
            .prefix("truename-lab-")
            .tempdir()
            .map_err(LabError::io("create a directory for the lab"))?;
        let reaper =
            Arc::new(Reaper::start(dir.path()).map_err(LabError::io("start the lab's reaper (sh)"))?);
        let password = choose_password(&config.password)?;
        let (tls, admin) = if config.tls {
            let (tls, admin) =
                TlsMaterial::create(dir.path(), password.as_deref(), config.authority.clone())?;
            (Some(tls), admin)
        } else {
            (None, Admin::plain(password.as_deref()))
        };
        let admin = admin.with_user(config.enterprise_commands.then_some(OPERATOR));
        let mut lab = Self {
            nodes: Vec::new(),
            front_door: None,
            node_doors: Vec::new(),
            proxies: Vec::new(),
            generation: 0,
            config,
            password,
            program,
            tls,
            admin,
            site,
            reaper,
            dir,
        };
        let plans = lab.site.plan(0, &[])?;
        lab.nodes = lab.found(&plans)?;
        lab.open_doors().await?;
        lab.wait_ready().await?;
        Ok(lab)
    }

    /// Starts the nodes of a new cluster.
    pub(super) fn found(&self, plans: &[NodePlan]) -> Result<Vec<LabNode>, LabError> {
        let entries: Vec<_> = plans.iter().map(|plan| self.founding_entry(plan, plans)).collect();
        self.launch(plans, |myself| nodes_conf::found(&entries, myself))
    }

    fn founding_entry<'a>(&self, plan: &'a NodePlan, plans: &'a [NodePlan]) -> Entry<'a> {
        let primary = (plan.role == Role::Replica).then(|| plans[plan.shard].id.as_str());
        let slots = (plan.role == Role::Primary).then(|| slots_of(plan.shard, self.config.shards));
        // Each primary needs an epoch of its own, or the cluster spends its first seconds resolving the conflict.
        entry(plan, primary, plan.shard as u64 + 1, slots)
    }

    /// Writes the files of the planned nodes and starts their processes.
    pub(super) fn launch(
        &self,
        plans: &[NodePlan],
        nodes_conf: impl Fn(usize) -> String,
    ) -> Result<Vec<LabNode>, LabError> {
        let nodes: Vec<_> = plans
            .iter()
            .enumerate()
            .map(|(position, plan)| self.prepare(plan, &nodes_conf(position)))
            .collect::<Result<_, _>>()?;
        nodes.iter().try_for_each(LabNode::start)?;
        Ok(nodes)
    }

    fn prepare(&self, plan: &NodePlan, nodes_conf: &str) -> Result<LabNode, LabError> {
        let dir = self.dir.path().join(format!("node-{}-{}", plan.generation, plan.index));
        fs::create_dir_all(&dir).map_err(LabError::io(format!("create {}", dir.display())))?;
        let spec = self.config.certificates.get(&plan.index).unwrap_or(&plan.certificate);
        let (files, faulty) = match &self.tls {
            Some(tls) => {
                let (files, faulty) = tls.equip(&dir, spec)?;
                (Some(files), faulty)
            }
            None => (None, None),
        };
        let endpoint_type = self.site.endpoint_type();
        let password = self.password.as_deref();
        let directives = render(&self.config, plan, endpoint_type, &dir, password, files.as_ref());
        write(&dir.join(CONFIG_FILE), &directives)?;
        if self.config.cluster {
            write(&dir.join("nodes.conf"), nodes_conf)?;
        }
        let program = self.config.node_binaries.get(&plan.index).unwrap_or(&self.program);
        let server = Server::new(program.clone(), dir, Arc::clone(&self.reaper));
        Ok(LabNode::new(plan, server, self.admin.clone(), faulty))
    }

    /// Opens the front door, or points it at the present nodes.
    pub(super) async fn open_doors(&mut self) -> Result<(), LabError> {
        let targets = targets(&self.nodes);
        match (&self.front_door, self.site.front_door()) {
            (Some(door), _) => door.retarget(targets),
            (None, Some(address)) => self.front_door = Some(open_door(address, targets).await?),
            (None, None) => {}
        }
        self.node_doors = self.open_node_doors(&self.nodes).await?;
        self.proxies = open_proxies(&self.nodes).await?;
        Ok(())
    }

    /// Behind NAT each node has a door of its own at the seed's address.
    pub(super) async fn open_node_doors(&self, nodes: &[LabNode]) -> Result<Vec<Forwarder>, LabError> {
        let (LabProfile::Nat, Some(front)) = (self.profile(), self.site.front_door()) else {
            return Ok(Vec::new());
        };
        let mut doors = Vec::with_capacity(nodes.len());
        for node in nodes {
            let address = SocketAddr::new(front.ip(), node.port + NAT_PORT_OFFSET);
            doors.push(open_door(address, vec![node.socket_addr()]).await?);
        }
        Ok(doors)
    }
}

/// In the nodes' order, so the first primary is preferred.
pub(super) fn targets(nodes: &[LabNode]) -> Vec<SocketAddr> {
    nodes.iter().map(LabNode::reached_at).collect()
}

/// A line of `nodes.conf` for a planned node.
pub(super) fn entry<'a>(
    plan: &'a NodePlan,
    primary: Option<&'a str>,
    epoch: u64,
    slots: Option<std::ops::RangeInclusive<u16>>,
) -> Entry<'a> {
    Entry {
        id: &plan.id,
        address: plan.address,
        port: plan.announced.1,
        bus: plan.port + BUS_OFFSET,
        hostname: plan.hostname.as_deref(),
        primary,
        epoch,
        slots,
    }
}

/// One for each node that is to have one.
pub(super) async fn open_proxies(nodes: &[LabNode]) -> Result<Vec<FaultProxy>, LabError> {
    let mut proxies = Vec::new();
    for node in nodes.iter().filter(|node| !node.proxied_at().is_empty()) {
        let addresses = node.proxied_at();
        let proxy = FaultProxy::listen(addresses, node.socket_addr()).await;
        proxies.push(proxy.map_err(|error| LabError::cannot_listen(addresses[0], error))?);
    }
    Ok(proxies)
}

async fn open_door(address: SocketAddr, targets: Vec<SocketAddr>) -> Result<Forwarder, LabError> {
    Forwarder::listen(address, targets).await.map_err(|error| LabError::cannot_listen(address, error))
}

fn choose_password(wanted: &Password) -> Result<Option<String>, LabError> {
    match wanted {
        Password::None => Ok(None),
        Password::Given(password) => Ok(Some(password.clone())),
        Password::Random => {
            let mut bytes = [0; 16];
            let source = ring::default_provider().secure_random;
            source.fill(&mut bytes).map_err(|_| LabError::invalid("the system has no random bytes"))?;
            Ok(Some(format!("{:032x}", u128::from_ne_bytes(bytes))))
        }
    }
}
