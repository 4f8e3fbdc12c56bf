//! The servers as they are described to a client, and a key that is asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::Runtime;
use truename::topology::{Slot, SlotMap};
use truename_lab::{Lab, LabConfig, LabNode, LabProfile};

use crate::cell::Site;
use crate::failure::Failure;

/// A running lab and the runtime that it lives on, which idles while clients are measured.
pub(crate) struct Servers {
    pub(crate) lab: Lab,
    pub(crate) runtime: Runtime,
}

impl Servers {
    /// The servers of a benchmark: every node announces the address that it listens on, and with TLS its certificate
    /// carries that address, so that every client can verify it without help. No front door is between.
    pub(crate) fn start(site: Site) -> Result<Self, Failure> {
        let config = Lab::builder(LabProfile::Plain).tls(site.tls).password(None);
        Self::launch(match site.shards {
            1 => config.no_cluster(),
            shards => config.shards(shards).replicas(0),
        })
    }

    pub(crate) fn launch(config: LabConfig) -> Result<Self, Failure> {
        // With `rustis-tls` two providers are linked, and the clients that look for one need to know which.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let lab = runtime.block_on(config.start())?;
        Ok(Self { lab, runtime })
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        self.lab.nodes().iter().filter_map(|node| node.pid()).collect()
    }
}

/// What a client has to know to connect.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) seeds: Vec<(String, u16)>,
    pub(crate) is_cluster: bool,
    /// Where the primaries are, shard by shard: for the floor, which has no topology, and for telling shards apart.
    pub(crate) primaries: Vec<SocketAddr>,
    pub(crate) ca_pem: Option<String>,
}

impl Target {
    pub(crate) fn of(lab: &Lab, is_cluster: bool) -> Result<Self, Failure> {
        let address = |node: &LabNode| -> Result<SocketAddr, Failure> {
            let (host, port) = node.announced();
            Ok(SocketAddr::new(host.parse()?, port))
        };
        Ok(Self {
            seeds: lab.seeds(),
            is_cluster,
            primaries: lab.primaries().into_iter().map(address).collect::<Result<_, _>>()?,
            ca_pem: lab.ca_pem().map(str::to_owned),
        })
    }

    /// Where a client that is given one address begins.
    pub(crate) fn seed(&self) -> Result<&(String, u16), Failure> {
        self.seeds.first().ok_or_else(|| Failure::new("there is no seed"))
    }

    fn shard_of(&self, map: &SlotMap, key: &str) -> Result<usize, Failure> {
        if !self.is_cluster {
            return Ok(0);
        }
        let owner = map.primary(Slot::of_key(key.as_bytes())).map(|node| &node.endpoint);
        let serves = |at: &SocketAddr| {
            owner.is_some_and(|owner| owner.ip() == Some(at.ip()) && owner.port() == at.port())
        };
        let shard = self.primaries.iter().position(serves);
        shard.ok_or_else(|| Failure::new(format!("none of the primaries serves {key}")))
    }

    /// A rustls configuration that trusts the lab's authority, for the clients that take one.
    pub(crate) fn rustls(&self) -> Result<Option<rustls::ClientConfig>, Failure> {
        let Some(pem) = &self.ca_pem else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
        Ok(Some(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }
}

/// A key in the forms that clients take cheapest, and where it lives.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) text: Arc<str>,
    pub(crate) bytes: Bytes,
    /// Which of [`Target::primaries`] serves it.
    pub(crate) shard: usize,
}

impl Key {
    pub(crate) fn new(text: String, map: &SlotMap, target: &Target) -> Result<Self, Failure> {
        let shard = target.shard_of(map, &text)?;
        Ok(Self { bytes: Bytes::from(text.clone()), text: text.into(), shard })
    }
}
