//! The TLS state that all connections of one client share.
//!
//! One `rustls::ClientConfig` per set of identities and pins, made on first use: its verifier knows exactly the names of
//! the nodes that use it, and its session store is shared by exactly those nodes.
//!
//! rustls does not ask the verifier when a session is resumed, nor while a connection lives. So the certificates that were
//! presented originally are checked again on resumption, and by [`Client::replace_tls`](crate::Client::replace_tls) on
//! all connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, PeerIncompatible, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use truename_topology::{Boundary, Identity, IdentityName, NodePlan, Pin};

use super::options::Tls;
use super::pins::Pins;
use super::presented::Presented;
use super::revocation::Outdated;
use super::roots::{are_private, load_roots};
use super::verifier::{IdentityVerifier, Rejection, first_valid_name};
use super::version::TlsVersion;
use crate::certificate::now_utc;
use crate::error::Error;

/// Sets of identities to remember. More nodes than this make the store start over, which costs full handshakes.
const REMEMBERED_SETS: usize = 1024;
/// Sessions to remember per set: enough for a few lanes of one node to resume at once.
const SESSIONS_PER_SET: usize = 16;

/// Every context has a number of its own.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// What nodes with the same configuration have in common: the names of which one must be proved, and their rule's pins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Demand {
    names: Vec<ServerName<'static>>,
    pins: Vec<Pin>,
}

/// Makes `rustls` configurations for nodes. Cheap to share, expensive to build.
#[derive(Debug)]
pub(crate) struct TlsContext {
    id: u64,
    options: Tls,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    roots_are_private: bool,
    configs: Mutex<HashMap<Demand, Arc<ClientConfig>>>,
}

impl TlsContext {
    /// Loads roots and keys. Reads the system's certificate store where that is asked for, so it may block.
    pub(crate) fn build(options: Tls) -> Result<Self, Error> {
        let roots = Arc::new(load_roots(&options.roots)?);
        let context = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            roots_are_private: are_private(&options.roots),
            options,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            roots,
            configs: Mutex::new(HashMap::new()),
        };
        for warning in context.options.outdated_lists() {
            tracing::warn!("{warning}");
        }
        // A broken client certificate must fail here, not at the first connection.
        context.make_config(Demand::default())?;
        Ok(context)
    }

    /// Whether the user gave the roots and none of them is a public authority: then the user's own authority is the
    /// boundary.
    pub(crate) fn roots_are_private(&self) -> bool {
        self.roots_are_private
    }

    /// What bounds the names that a cluster announces under these options.
    pub(crate) fn boundary(&self) -> Boundary {
        match self.roots_are_private() || self.options.is_weakened() {
            true => Boundary::Lifted,
            false => Boundary::Scope,
        }
    }

    /// Distinguishes these options from any others in the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The configuration for nodes with this plan's identities and pins.
    pub(crate) fn config_for(&self, plan: &NodePlan) -> Result<Arc<ClientConfig>, Error> {
        let demand = Demand::of(plan);
        if let Some(config) = self.configs.lock().get(&demand) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make_config(demand.clone())?);
        let mut configs = self.configs.lock();
        if configs.len() >= REMEMBERED_SETS {
            configs.clear();
        }
        Ok(configs.entry(demand).or_insert(config).clone())
    }

    /// The same without any session to resume; those of such nodes are forgotten.
    pub(crate) fn fresh_config_for(&self, plan: &NodePlan) -> Result<Arc<ClientConfig>, Error> {
        self.configs.lock().remove(&Demand::of(plan));
        let mut config = ClientConfig::clone(&*self.config_for(plan)?);
        // Another connection may have stored a session meanwhile: this one does a full handshake.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// What the peer of a connection presented, in this handshake or in the one whose session it resumes.
    pub(crate) fn presented(&self, session: &ClientConnection) -> Presented {
        Presented::on(session, self.id)
    }

    /// Whether a node with this plan may go on with what it presented: chain, dates, revocation, names, pins and version, as
    /// of now.
    pub(crate) fn judge(&self, plan: &NodePlan, presented: &Presented) -> Result<(), Rejection> {
        let [leaf, intermediates @ ..] = &presented.chain()[..] else {
            return Err(rustls::Error::NoCertificatesPresented.into());
        };
        let version = presented.version.and_then(TlsVersion::of);
        if version.is_none_or(|version| version < self.options.least_version()) {
            return Err(rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            .into());
        }
        self.verifier_for(Demand::of(plan)).judge(leaf, intermediates, UnixTime::now())
    }

    /// Whether two plans ask a peer to prove the same.
    pub(crate) fn asks_the_same(&self, one: &NodePlan, other: &NodePlan) -> bool {
        Demand::of(one) == Demand::of(other)
    }

    /// Revocation lists that have become outdated, each reported once.
    pub(crate) fn newly_outdated(&self) -> Vec<Outdated> {
        let now = now_utc();
        self.options.revocation.iter().filter_map(|list| list.newly_outdated(now)).collect()
    }

    fn verifier_for(&self, demand: Demand) -> IdentityVerifier {
        IdentityVerifier {
            roots: self.roots.clone(),
            algorithms: self.provider.signature_verification_algorithms,
            identities: demand.names,
            checks: self.options.checks,
            revocation: self.options.revocation.clone(),
            pins: Pins { of_client: self.options.pins.as_slice().into(), of_rule: demand.pins },
        }
    }

    fn make_config(&self, demand: Demand) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(self.options.least_version().and_newer())
            .map_err(|error| Error::config(format!("TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier_for(demand)));
        let mut config = match &self.options.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
                .map_err(|error| Error::config(format!("the client certificate cannot be used: {error}")))?,
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_SET);
        Ok(config)
    }

    /// Which identity a verified peer proved.
    pub(crate) fn proven<'a>(
        &self,
        chain: &[CertificateDer<'_>],
        identities: &'a [Identity],
    ) -> Option<&'a Identity> {
        let names = server_names(identities);
        first_valid_name(chain.first()?, &names).map(|index| &identities[index])
    }
}

impl Demand {
    fn of(plan: &NodePlan) -> Self {
        Self { names: server_names(&plan.identities), pins: plan.pins.clone() }
    }
}

/// The names as the TLS library wants them.
fn server_names(identities: &[Identity]) -> Vec<ServerName<'static>> {
    identities.iter().filter_map(|identity| server_name(&identity.name)).collect()
}

/// A name as the TLS library wants it. `IdentityName` admits only what is valid there.
pub(crate) fn server_name(name: &IdentityName) -> Option<ServerName<'static>> {
    match name {
        IdentityName::Dns(name) => ServerName::try_from(name.to_string()).ok(),
        IdentityName::Ip(address) => Some(ServerName::IpAddress((*address).into())),
    }
}
