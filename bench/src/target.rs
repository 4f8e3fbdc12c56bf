//! The servers as they are described to a client, and the keys that are asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::Runtime;
use truename::topology::{Slot, SlotMap};
use truename::{Client, cmd};
use truename_lab::{Lab, LabConfig, LabNode, Profile};

use crate::cell::{Site, Workload};
use crate::failure::Failure;
use crate::subjects::Settings;

/// How many keys a workload reads; few enough for the values to stay in the servers' caches.
const KEYS: usize = 1024;
const LARGE_KEYS: usize = 128;
/// From here on values are large.
const LARGE: usize = 8 * 1024;

/// A running lab and the runtime that it lives on, which idles while clients are measured.
pub(crate) struct Servers {
    pub(crate) lab: Lab,
    pub(crate) runtime: Runtime,
}

impl Servers {
    /// The servers of a benchmark: every node announces the address that it listens on, and with TLS its certificate
    /// carries that address, so that every client can verify it without help. No front door is between.
    pub(crate) fn start(site: Site) -> Result<Self, Failure> {
        let config = Lab::builder(Profile::Plain).tls(site.tls).password(None);
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

/// What a workload reads and writes.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    pub(crate) keys: Arc<[Key]>,
    pub(crate) value: Bytes,
}

impl Keyspace {
    /// Writes the keys of a workload, so that every read finds one.
    pub(crate) async fn fill(target: &Target, workload: Workload) -> Result<Self, Failure> {
        let client = crate::subjects::truename::client(target, &Settings::default()).await?;
        let map = client.topology();
        let length = workload.value_length();
        let value = Bytes::from((0..length).map(|_| fastrand::alphanumeric() as u8).collect::<Vec<_>>());
        let mut keys = Vec::new();
        for text in names(workload) {
            client.execute::<()>(cmd("SET").arg(text.as_str()).arg(&value)).await?;
            keys.push(Key::new(text, &map, target)?);
        }
        client.close();
        Ok(Self { keys: keys.into(), value })
    }
}

/// 16 bytes each. The keys of one pipeline share a hash tag: some clients take no others.
fn names(workload: Workload) -> Vec<String> {
    let batch = workload.batch();
    if batch > 1 {
        return (0..KEYS / batch * batch).map(|n| format!("{{{:06}}}:{n:07}", n / batch)).collect();
    }
    let count = if workload.value_length() < LARGE { KEYS } else { LARGE_KEYS };
    (0..count).map(|n| format!("key:{n:012}")).collect()
}

/// A client for questions besides the measurement.
pub(crate) async fn bystander(target: &Target) -> Result<Client, Failure> {
    crate::subjects::truename::client(target, &Settings::default()).await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_pipeline_stays_in_one_slot() {
        let names = names(Workload::Pipeline100);
        assert!(names.len() >= 1000 && names.iter().all(|name| name.len() == 16));
        for batch in names.chunks(100) {
            let slots: HashSet<_> = batch.iter().map(|name| Slot::of_key(name.as_bytes())).collect();
            assert_eq!(slots.len(), 1);
        }
    }
}
