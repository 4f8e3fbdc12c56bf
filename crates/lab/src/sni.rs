//! A front of TLS before one node that picks its certificate by the name a client asks for, as a load balancer for many
//! tenants does.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::accepting::{accept_each, on_loopback};
use crate::admin::Admin;
use crate::certificates::{Authority, Leaf};
use crate::{CertificateSpec, Lab, LabError};

/// Ends TLS in front of one node, with a certificate that depends on the name in SNI; dropping it ends it and what goes
/// through it. What is said in TLS goes on to the node over a connection of the lab's own. Clients are not asked for
/// certificates.
///
/// Clients come to it by its address, or by a fault proxy that is [retargeted](crate::FaultProxy::retarget) to it.
///
/// ```no_run
/// use truename_lab::{CertificateSpec, Lab, LabProfile, SniFront};
///
/// # async fn example() -> Result<(), truename_lab::LabError> {
/// let lab = Lab::builder(LabProfile::Azure).fault_proxies(true).start().await?;
/// let certificates = [
///     (Some("cache.example.test"), CertificateSpec::new(["cache.example.test"])),
///     (None, CertificateSpec::new(["front.example.test"])), // for whoever asks for another name, or none
/// ];
/// let front = SniFront::listen((lab.spare_address(0), 6379).into(), &lab, 1, certificates).await?;
/// lab.proxy(1).retarget(front.address());
/// # Ok(())
/// # }
/// ```
pub struct SniFront {
    address: SocketAddr,
    certificates: Arc<ByName>,
    accepting: AbortHandle,
}

impl SniFront {
    /// Listens on `address` in front of a node, with a certificate for each name, issued by the lab's authority. Needs a
    /// tokio runtime, and works as long as that does, and while the node is where it is now.
    ///
    /// The one for `None` is for whoever asks for another name or for none; without it their handshake is refused.
    ///
    /// # Errors
    /// When the lab has no TLS or no such node, or the address cannot be bound.
    pub async fn listen<'n>(
        address: SocketAddr,
        lab: &Lab,
        node: usize,
        certificates: impl IntoIterator<Item = (Option<&'n str>, CertificateSpec)>,
    ) -> Result<Self, LabError> {
        let authority =
            lab.authority().ok_or_else(|| LabError::invalid("without TLS there is no name to pick by"))?;
        let node = lab.existing(node)?;
        let certificates = Arc::new(ByName::issue(&authority, certificates)?);
        let acceptor = acceptor(Arc::clone(&certificates))?;
        let cannot_listen = |error| LabError::cannot_listen(address, error);
        on_loopback(address).map_err(cannot_listen)?;
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let (admin, server) = (node.admin().clone(), node.socket_addr());
        let accepting = accept_each(listener, move |client| {
            let (acceptor, admin) = (acceptor.clone(), admin.clone());
            async move {
                if let Err(error) = forward(client, acceptor, admin, server).await {
                    tracing::debug!(%error, %server, "a connection through the front ended");
                }
            }
        });
        Ok(Self { address, certificates, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names that were asked for so far, in small letters; `None` for a handshake without one.
    #[must_use]
    pub fn asked(&self) -> Vec<Option<String>> {
        self.certificates.asked().clone()
    }
}

impl fmt::Debug for SniFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SniFront").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for SniFront {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The certificates of a front.
#[derive(Debug)]
struct ByName {
    named: BTreeMap<String, Arc<CertifiedKey>>,
    otherwise: Option<Arc<CertifiedKey>>,
    asked: Mutex<Vec<Option<String>>>,
}

impl ByName {
    fn issue<'n>(
        authority: &Authority,
        certificates: impl IntoIterator<Item = (Option<&'n str>, CertificateSpec)>,
    ) -> Result<Self, LabError> {
        let mut issued = Self { named: BTreeMap::new(), otherwise: None, asked: Mutex::default() };
        for (name, spec) in certificates {
            let key = Arc::new(signer(&authority.issue(&spec)?)?);
            if let Some(name) = name {
                issued.named.insert(name.to_ascii_lowercase(), key);
            } else {
                issued.otherwise = Some(key);
            }
        }
        Ok(issued)
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let named = name.as_ref().and_then(|name| self.named.get(name));
        let chosen = named.or(self.otherwise.as_ref()).cloned();
        self.asked().push(name);
        chosen
    }
}

fn signer(leaf: &Leaf) -> Result<CertifiedKey, LabError> {
    let chain = CertificateDer::pem_slice_iter(leaf.pem.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).map_err(unusable)?;
    CertifiedKey::from_der(chain.map_err(unusable)?, key, &ring::default_provider()).map_err(unusable)
}

fn acceptor(certificates: Arc<ByName>) -> Result<TlsAcceptor, LabError> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(error: impl Error + Send + Sync + 'static) -> LabError {
    LabError::Certificate { names: "a front".to_owned(), source: Box::new(error) }
}

async fn forward(
    client: TcpStream,
    acceptor: TlsAcceptor,
    admin: Admin,
    server: SocketAddr,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut server = admin.open(server).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}
