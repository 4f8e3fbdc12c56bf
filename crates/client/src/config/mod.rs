//! Configuration: one set of options for every node of a cluster.
//!
//! - [`Config`] is the builder, with its bounds in `bounds`; [`url`] is its text form, which [`environment`] reads from variables;
//!   [`settings::Settings`] reads what is set.
//! - [`Credentials`], [`Resolve`] (`resolver`), [`NodeAddressMap`] (`address_map`) and [`ReadFrom`] are its parts; `dialling`
//!   says where nodes are dialled, `identity` who must answer, `plaintext` where a plaintext client may log in, `timing` what the
//!   durations are, `durations` how they are set, `orphan` and `on_orphan` who takes replies that nobody waits for, `validate`
//!   which configurations cannot work.
//!
//! Whatever is set here holds for all nodes, seeds and discovered ones alike: there is no second place to put
//! the password or the TLS options.

mod address_map;
mod bounds;
mod credentials;
mod dialling;
mod durations;
pub mod environment;
mod identity;
mod on_orphan;
mod orphan;
pub(crate) mod plaintext;
mod read_from;
mod resolver;
pub(crate) mod settings;
mod timing;
pub mod url;
mod validate;

use std::net::IpAddr;
use std::sync::Arc;

use truename_resp::Limits;
use truename_topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Profile, Trust};

pub use address_map::NodeAddressMap;
pub use credentials::Credentials;
pub(crate) use orphan::OnOrphan;
pub use orphan::Orphan;
pub use read_from::ReadFrom;
pub use resolver::{Lookup, Resolve};
pub(crate) use resolver::{Pinned, Resolver};
pub(crate) use timing::{FOREVER, Timing};

use crate::error::Error;
use crate::tls::Tls;

/// Which version of the protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// RESP3 where the server knows it, RESP2 otherwise.
    #[default]
    Auto,
    /// RESP2 without asking.
    Resp2,
    /// RESP3 and nothing else: a server without it is not used, and connecting fails with
    /// [`Cause::NoResp3`](crate::error::Cause::NoResp3).
    Resp3,
}

/// Everything a client needs to know. What is wrong with it is reported by [`Client::connect`](crate::Client::connect).
///
/// # Examples
/// What most clients set:
///
/// ```
/// use std::time::Duration;
/// use truename::{Config, Credentials};
///
/// let config = Config::new()
///     .seed("my-redis.westus3.redisenterprise.cache.azure.net", 10000)
///     .credentials(Credentials::password("secret"))
///     .client_name("checkout")
///     .command_timeout(Duration::from_secs(2));
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
///
/// Times and bounds for one that is in a hurry and has little memory:
///
/// ```
/// # use std::time::Duration;
/// # use truename::{Config, Protocol};
/// let config = Config::new()
///     .seeds([("redis-1.example.net", 6379), ("redis-2.example.net", 6379)])
///     .password("secret")
///     .protocol(Protocol::Auto)
///     .connect_timeout(Duration::from_secs(4))
///     .node_connect_timeout(Duration::from_secs(1))
///     .command_timeout(Duration::from_millis(500))
///     .stall_timeout(Duration::from_millis(800))
///     .keepalive(Duration::from_secs(5))
///     .refresh_interval(Duration::from_secs(30))
///     .lanes_per_node(2)
///     .max_in_flight(1024)
///     .max_queued_bytes(4 << 20)
///     .max_exclusive_connections(8);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) seeds: Vec<Endpoint>,
    pub(crate) tls: Option<Tls>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) rules: Vec<DialRule>,
    pub(crate) map: Option<NodeAddressMap>,
    pub(crate) maps_seeds: bool,
    pub(crate) identity: Option<IdentityPolicy>,
    pub(crate) verify_as: Option<IdentityName>,
    pub(crate) trust: Vec<Trust>,
    pub(crate) profile: Option<&'static Profile>,
    pub(crate) resolver: Resolver,
    pub(crate) protocol: Protocol,
    pub(crate) client_name: Option<String>,
    pub(crate) database: u32,
    pub(crate) timing: Timing,
    pub(crate) lanes_per_node: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) max_exclusive_connections: usize,
    pub(crate) read_from: ReadFrom,
    pub(crate) plaintext_credentials_allowed: bool,
    pub(crate) repeats_writes: bool,
    pub(crate) reply_limits: Limits,
    pub(crate) on_orphan: Option<OnOrphan>,
    /// What was given as text and is not what it should be: said when the client connects.
    pub(crate) misspelt: Vec<Error>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// No seed yet, no credentials; TLS with the system's roots. See the [example](Config#examples).
    pub fn new() -> Self {
        Self {
            seeds: Vec::new(),
            tls: Some(Tls::new()),
            credentials: None,
            rules: Vec::new(),
            map: None,
            maps_seeds: false,
            identity: None,
            verify_as: None,
            trust: Vec::new(),
            profile: None,
            resolver: Resolver::default(),
            protocol: Protocol::default(),
            client_name: None,
            database: 0,
            timing: Timing::default(),
            lanes_per_node: 1,
            max_in_flight: 16 * 1024,
            max_queued_bytes: 32 * 1024 * 1024,
            max_exclusive_connections: 64,
            read_from: ReadFrom::Primary,
            plaintext_credentials_allowed: false,
            repeats_writes: false,
            reply_limits: Limits::default(),
            on_orphan: None,
            misspelt: Vec::new(),
        }
    }

    /// Adds a seed: a node, or the cluster's front door, to ask for the topology.
    ///
    /// Seeds are kept for ever and resolved again whenever they are needed. See the [example](Config#examples).
    #[must_use]
    pub fn seed(mut self, host: impl Into<Arc<str>>, port: u16) -> Self {
        self.seeds.push(Endpoint::new(host, port));
        self
    }

    /// Several seeds at once. The same as [`Config::seed`] for each. See the [example](Config#examples).
    #[must_use]
    pub fn seeds<H: Into<Arc<str>>>(mut self, seeds: impl IntoIterator<Item = (H, u16)>) -> Self {
        self.seeds.extend(seeds.into_iter().map(|(host, port)| Endpoint::new(host, port)));
        self
    }

    /// How TLS is spoken, on every connection. The default is [`Tls::new`]: the system's roots, every check.
    /// [`Tls`] has [examples](Tls#examples).
    ///
    /// Looking for `rejectUnauthorized: false`? You do not need it here: see
    /// [`Config::reject_unauthorized`].
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Speaks plaintext on every connection: anybody on the path can read and change everything.
    ///
    /// Credentials are still not sent to a provider that speaks TLS (see
    /// [`danger_plaintext_credentials`](Self::danger_plaintext_credentials)).
    ///
    /// ```
    /// // A server on one's own machine.
    /// let config = truename::Config::new().seed("127.0.0.1", 6379).plaintext();
    /// ```
    #[must_use]
    pub fn plaintext(mut self) -> Self {
        self.tls = None;
        self
    }

    /// Lets a plaintext client log in at a provider whose [profile](Profile::tls_default) says TLS.
    ///
    /// Without it such a seed is refused as a configuration error, and such an announced node is not
    /// dialled. ElastiCache and MemoryDB clusters can run without TLS, and their names do not show it; if they have no
    /// password either, plaintext works without this.
    ///
    /// # Danger
    /// Anybody on the path to the servers, or answering in their place, can read the password.
    ///
    /// ```
    /// // A cluster without encryption in transit, in a network where that will do.
    /// let config = truename::Config::new()
    ///     .seed("clustercfg.orders.abc123.use1.cache.amazonaws.com", 6379)
    ///     .password("secret")
    ///     .plaintext()
    ///     .danger_plaintext_credentials();
    /// ```
    #[must_use]
    pub fn danger_plaintext_credentials(mut self) -> Self {
        self.plaintext_credentials_allowed = true;
        self
    }

    /// `true` is what this client does anyway: every certificate is checked, chain and name.
    ///
    /// There is no `false`. A certificate that names the cluster's host but not the announced address is
    /// accepted without any option; for other names set [`Config::verify_as`] or [`Config::trust`]. If you must, the ways to
    /// check less are [`Tls::danger_accept_invalid_hostnames`] and [`Tls::danger_accept_invalid_certificates`].
    ///
    /// ```
    /// use truename::Config;
    ///
    /// assert!(Config::new().reject_unauthorized(true).is_ok());
    /// let refused = Config::new().reject_unauthorized(false).expect_err("it would accept any server");
    /// assert!(refused.to_string().contains("leave it out"));
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for `false`.
    pub fn reject_unauthorized(self, reject: bool) -> Result<Self, Error> {
        if reject {
            return Ok(self);
        }
        Err(Error::config_with_remedy(
            "reject_unauthorized(false) would accept any server",
            "leave it out: names are checked against what the cluster announced and the seed; or call \
             Tls::danger_accept_invalid_hostnames or Tls::danger_accept_invalid_certificates",
        ))
    }

    /// Logs in on every connection. See the [example](Config#examples).
    #[must_use]
    #[doc(alias = "username")]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Logs the default user in on every connection. See the [example](Config#examples).
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        self.credentials(Credentials::password(password))
    }

    /// The provider profile to use, instead of the one that the first seed's name suggests. See the
    /// [example](Self::effective_profile).
    #[must_use]
    pub fn profile(mut self, profile: &'static Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Gives a host name an address, for one port or for all. May be called several times, even for the same name. Names
    /// that certificates prove are not affected.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    /// use truename::Config;
    ///
    /// // A tunnel ends here; the certificate has to be that of the real name all the same.
    /// let config = Config::new()
    ///     .seed("redis.example.net", 6379)
    ///     .resolve("redis.example.net", Some(6379), IpAddr::V4(Ipv4Addr::LOCALHOST));
    /// ```
    #[must_use]
    pub fn resolve(mut self, host: impl Into<String>, port: Option<u16>, address: IpAddr) -> Self {
        self.resolver.pinned.push(Pinned { host: host.into(), port, address });
        self
    }

    /// Looks names up with something other than the system's resolver. Names that [`Config::resolve`]
    /// gave an address are not looked up. [`Resolve`] has
    /// [examples](Resolve#examples).
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver.custom = Some(Arc::new(resolver));
        self
    }

    /// Which version of the protocol to speak. See the [example](Config#examples).
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The name that the connections carry in `CLIENT LIST`. Where a server refuses it (`CLIENT SETNAME`: no blanks, no line
    /// breaks), they have none. See the [example](Config#examples).
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// The database that every connection selects. The default is 0, the only one that every server has.
    ///
    /// Servers that are not part of a cluster have several. In a cluster only Valkey does, from 9.0 on, if its
    /// `cluster-databases` says so. A connection whose database the server refuses, or that it reports to be in another one
    /// (`CLIENT INFO`, 6.2 and later), is not used: [`Client::connect`](crate::Client::connect) fails with
    /// [`Cause::NoDatabase`](crate::error::Cause::NoDatabase) or
    /// [`Cause::OtherDatabase`](crate::error::Cause::OtherDatabase).
    ///
    /// ```
    /// let config = truename::Config::new().seed("cache.example.net", 6379).database(2);
    /// assert_eq!(config.settings().database(), 2);
    /// ```
    #[must_use]
    pub fn database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// Where read-only commands are sent. The default is the primary. [`ReadFrom`] has [examples](ReadFrom#examples).
    #[must_use]
    #[doc(alias = "read_from_replicas")]
    #[doc(alias = "useReplicas")]
    pub fn read_from(mut self, read_from: ReadFrom) -> Self {
        self.read_from = read_from;
        self
    }

    /// Sends writes of unknown fate again, where executing them twice leaves the same state and reply as once (`SET`,
    /// `EXPIRE`, `SUNIONSTORE` and the like), and only if the server ended the connection. Off by default.
    ///
    /// The risk: what others wrote between the two executions, and had acknowledged, is overwritten.
    /// [`Command::repeatable`](crate::Command::repeatable) decides for one command.
    ///
    /// ```
    /// // Every key has one writer, so there is nothing of others to overwrite.
    /// let config = truename::Config::new().seed("redis.example.net", 6379).repeat_writes_of_unknown_fate(true);
    /// ```
    #[must_use]
    #[doc(alias = "retries")]
    pub fn repeat_writes_of_unknown_fate(mut self, repeat: bool) -> Self {
        self.repeats_writes = repeat;
        self
    }

    /// The provider profile that applies: the chosen one, or the one that the first seed's name suggests.
    ///
    /// # Examples
    /// ```
    /// use truename::{Config, topology::Profile};
    ///
    /// let config = Config::new().seed("my-redis.westus3.redis.azure.net", 10000);
    /// assert_eq!(config.effective_profile().map(|profile| profile.name), Some("azure-managed"));
    ///
    /// // Behind a name of one's own the provider does not show: say which it is.
    /// let azure = Profile::named("azure-managed").expect("there is one");
    /// let config = Config::new().seed("cache.example.net", 10000).profile(azure);
    /// assert!(config.effective_profile().is_some_and(|profile| profile.narrows_scope));
    /// ```
    pub fn effective_profile(&self) -> Option<&'static Profile> {
        self.profile.or_else(|| self.seeds.first().and_then(|seed| Profile::detect(seed.host())))
    }

    /// Warnings about these options, for a person to read: see [`Tls::warnings`] and the [example](Tls#examples) there.
    pub fn warnings(&self) -> Vec<String> {
        self.tls.as_ref().map(Tls::warnings).unwrap_or_default()
    }
}
