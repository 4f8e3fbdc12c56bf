//! Names to addresses: the system's resolver (`lookups`), pinned entries, or the user's own.

mod lookups;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use self::lookups::Lookups;
use crate::panics;

/// The future of a lookup.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks host names up. Asked for every new connection, so a change is noticed. A panic fails that connection only.
///
/// Closures `Fn(&str, u16) -> Lookup` implement it.
///
/// # Examples
/// ```
/// use std::net::SocketAddr;
/// use truename::{Config, Lookup, Resolve};
///
/// /// Whatever the name, a tunnel on this machine leads there.
/// struct Tunnel;
///
/// impl Resolve for Tunnel {
///     fn resolve(&self, _host: &str, port: u16) -> Lookup {
///         Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
///     }
/// }
///
/// let config = Config::new().seed("redis.example.net", 6379).resolver(Tunnel);
///
/// // A closure will do, too. The future may not borrow the name.
/// let config = config.resolver(|host: &str, port: u16| -> Lookup {
///     let name = format!("{host}.internal");
///     Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
/// });
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a host, in order of preference, with the port filled in. See the [example](Resolve#examples).
    ///
    /// # Errors
    /// Whatever kept the name from being looked up; it ends this attempt to connect, and the next one asks again. No
    /// address at all counts as an error.
    ///
    /// # Cancel safety
    /// The future is dropped when the time of the attempt is over.
    fn resolve(&self, host: &str, port: u16) -> Lookup;
}

impl<F> Resolve for F
where
    F: Fn(&str, u16) -> Lookup + Send + Sync + 'static,
{
    fn resolve(&self, host: &str, port: u16) -> Lookup {
        self(host, port)
    }
}

/// One pinned name, as in `--resolve HOST:ADDR` or `--resolve HOST:PORT:ADDR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) address: IpAddr,
}

/// Pinned names first, then the user's resolver, then the system's.
#[derive(Clone, Default)]
pub(crate) struct Resolver {
    pub(crate) pinned: Vec<Pinned>,
    pub(crate) custom: Option<Arc<dyn Resolve>>,
    system: Arc<Lookups>,
}

impl Resolver {
    /// The same, with lookups of its own: they live on the runtime of one client.
    pub(crate) fn for_client(&self) -> Self {
        Self { system: Arc::default(), ..self.clone() }
    }

    pub(crate) async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let pinned: Vec<SocketAddr> = self
            .pinned
            .iter()
            .filter(|entry| {
                entry.host.eq_ignore_ascii_case(host) && entry.port.is_none_or(|pinned| pinned == port)
            })
            .map(|entry| SocketAddr::new(entry.address, port))
            .collect();
        if !pinned.is_empty() {
            return Ok(pinned);
        }
        let found: Vec<SocketAddr> = match &self.custom {
            Some(custom) => {
                let lookup = async { custom.resolve(host, port).await };
                panics::catch_in("the resolver", lookup).await.map_err(io::Error::other)??
            }
            None => self.system.lookup(host, port).await?,
        };
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
        }
        Ok(found)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("pinned", &self.pinned)
            .field("custom", &self.custom.is_some())
            .finish()
    }
}
