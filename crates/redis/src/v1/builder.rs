//! [`ClusterClientBuilder`]: redis-rs's options by their names.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use truename::{Config, ReadFrom};

use super::client::ClusterClient;
use super::options::{refuse_push_sender, resolve_with};
use super::version::redis::aio::AsyncPushSender;
use super::version::redis::io::AsyncDNSResolver;
use super::version::redis::io::tcp::TcpSettings;
use super::version::redis::{
    ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisResult, TlsCertificates, TlsMode,
};
use super::version::{NodeAddress, endpoint, is_any_replica, seed};
use crate::engine::Settings;
use crate::versions::{TCP_SETTINGS, is_default_tcp};

/// The options of a [`ClusterClient`], by redis-rs's names. Each works or makes [`build`](Self::build) fail by its name; the
/// [crate's documentation](crate#options) has the table.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use truename_redis::ClusterClient;
///
/// let client = ClusterClient::builder(["rediss://redis-1.example.net:6379"])
///     .username("orders")
///     .password("secret")
///     .connection_timeout(Duration::from_secs(3))
///     .response_timeout(Duration::from_secs(2))
///     .read_from_replicas()
///     .build()?;
///
/// // What has no counterpart here is refused, and nothing is ignored.
/// let refused = ClusterClient::builder(["rediss://redis-1.example.net:6379"]).retries(3).build();
/// assert!(refused.is_err_and(|error| error.to_string().contains("retries")));
/// # Ok::<(), redis::RedisError>(())
/// ```
#[must_use = "nothing is built before `build` is called"]
pub struct ClusterClientBuilder {
    nodes: RedisResult<Vec<ConnectionInfo>>,
    settings: Settings,
}

/// Without the nodes: their URLs may hold a password.
impl fmt::Debug for ClusterClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterClientBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why no client can be built.
impl ClusterClient {
    /// With nothing but nodes, which are URLs or `ConnectionInfo`. See the [example](Self#examples).
    ///
    /// # Errors
    /// As [`ClusterClientBuilder::build`].
    pub fn new<T: IntoConnectionInfo>(nodes: impl IntoIterator<Item = T>) -> RedisResult<Self> {
        Self::builder(nodes).build()
    }

    /// With options. See the [example](Self#examples).
    pub fn builder<T: IntoConnectionInfo>(nodes: impl IntoIterator<Item = T>) -> ClusterClientBuilder {
        ClusterClientBuilder::new(nodes)
    }
}

impl ClusterClientBuilder {
    /// The same as [`ClusterClient::builder`]. See the [example](Self#examples).
    pub fn new<T: IntoConnectionInfo>(nodes: impl IntoIterator<Item = T>) -> Self {
        let nodes = nodes.into_iter().map(IntoConnectionInfo::into_connection_info).collect();
        Self { nodes, settings: Settings::default() }
    }

    /// The client. Nothing is connected yet. See the [example](Self#examples).
    ///
    /// # Errors
    /// `InvalidClientConfig` with the name of every option that is not supported, and what to do instead; or when the nodes'
    /// URLs contradict each other, or a certificate cannot be read.
    pub fn build(self) -> RedisResult<ClusterClient> {
        let seeds: Option<Vec<_>> = self.nodes?.iter().map(seed).collect();
        let Some(seeds) = seeds else {
            return Err((
                ErrorKind::InvalidClientConfig,
                "a node's address is of a kind that is not known here",
            )
                .into());
        };
        ClusterClient::of(self.settings, seeds)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn refuse(self, option: &'static str, advice: &'static str) -> Self {
        self.set(|settings| settings.refuse(option, advice))
    }

    /// Anything that redis-rs has no option for: names that certificates may carry, where to dial, `danger_*`. Applied last,
    /// so it counts for more than the other options.
    ///
    /// # Examples
    /// ```
    /// use truename_redis::ClusterClient;
    ///
    /// let client = ClusterClient::builder(["rediss://127.0.0.1:10000"])
    ///     .configure(|config| config.verify_as("redis.example.net".parse().expect("a name")).client_name("orders"))
    ///     .build()?;
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn configure(self, change: impl Fn(Config) -> Config + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.changes.push(Arc::new(change)))
    }

    /// The password, instead of the URLs'. See the [example](Self#examples).
    pub fn password(self, password: impl AsRef<str>) -> Self {
        self.set(|settings| settings.password = Some(password.as_ref().to_owned()))
    }

    /// The user name, instead of the URLs'. See the [example](Self#examples).
    pub fn username(self, username: impl AsRef<str>) -> Self {
        self.set(|settings| settings.user = Some(username.as_ref().to_owned()))
    }

    /// TLS or not, instead of what the URLs say; `Insecure` is refused. See the [example](Self#examples).
    pub fn tls(self, tls: TlsMode) -> Self {
        if tls == TlsMode::Secure {
            return self.set(|settings| settings.is_tls = Some(true));
        }
        self.refuse(
            "tls(Insecure)",
            "every certificate is checked; for other names than the nodes' there is `configure` with Config::verify_as or \
             Config::trust",
        )
    }

    /// Accepts certificates of other names. See the [example](Self#examples).
    pub fn danger_accept_invalid_hostnames(self, insecure: bool) -> Self {
        self.set(|settings| settings.accepts_invalid_hostnames = insecure)
    }

    /// Certificates to trust and to present; TLS unless something else is said. See the [example](Self#examples).
    pub fn certs(self, certificates: TlsCertificates) -> Self {
        self.set(|settings| {
            settings.is_tls.get_or_insert(true);
            settings.root_cert = certificates.root_cert;
            settings.client_cert = certificates.client_tls.map(|pair| (pair.client_cert, pair.client_key));
        })
    }

    /// Reads go to a replica, drawn at random; to the primary where there is none. See the [example](Self#examples).
    pub fn read_from_replicas(self) -> Self {
        self.set(|settings| settings.read_from = ReadFrom::PreferReplica)
    }

    /// `RandomReplicaStrategy` and `RoundRobinReplicaStrategy` are [`read_from_replicas`](Self::read_from_replicas); any
    /// other is refused. See the [example](Self#examples).
    pub fn read_routing_strategy<S: 'static>(self, _strategy: S) -> Self {
        match is_any_replica(TypeId::of::<S>()) {
            true => self.read_from_replicas(),
            false => self.refuse(
                "read_routing_strategy",
                "strategies of one's own are not known here; there is `configure` with Config::read_from",
            ),
        }
    }

    /// How long an attempt to connect to one node may take. See the [example](Self#examples).
    pub fn connection_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.connection_timeout = Some(timeout))
    }

    /// How long a call may take in total; with [`overall_response_timeout`](Self::overall_response_timeout), how long a node
    /// may be silent. See the [example](Self#examples).
    pub fn response_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.response_timeout = Some(timeout))
    }

    /// How long a call may take in total, with everything that happens on the way; `None` is refused. See the
    /// [example](Self#examples).
    pub fn overall_response_timeout(self, timeout: Option<Duration>) -> Self {
        match timeout {
            Some(timeout) => self.set(|settings| settings.overall_response_timeout = Some(timeout)),
            None => self.refuse("overall_response_timeout(None)", "every call ends within a time; say which"),
        }
    }

    /// RESP2 or RESP3, instead of what the URLs say. RESP3 is spoken where the server knows it. See the
    /// [example](Self#examples).
    pub fn use_protocol(self, protocol: ProtocolVersion) -> Self {
        self.set(|settings| settings.is_resp3 = Some(protocol != ProtocolVersion::RESP2))
    }

    /// The database, instead of the URLs'. See the [example](Self#examples).
    pub fn database_id(self, database: i64) -> Self {
        self.set(|settings| settings.database = Some(database))
    }

    /// Other addresses for nodes than they announce. A node then has to prove the name that it is dialled by; one
    /// that the map lacks, that of the seed. See the [example](Self#examples).
    pub fn node_address_map(self, map: HashMap<NodeAddress, NodeAddress>) -> Self {
        let map = map.iter().map(|(announced, dialled)| (endpoint(announced), endpoint(dialled))).collect();
        self.set(|settings| settings.address_map = Some(map))
    }

    /// Another resolver of names. See the [example](Self#examples).
    pub fn async_dns_resolver(self, resolver: impl AsyncDNSResolver) -> Self {
        self.set(|settings| settings.resolver = Some(resolve_with(resolver)))
    }

    /// How many commands may be under way to one node; others wait for room. See the [example](Self#examples).
    pub fn connection_concurrency_limit(self, limit: usize) -> Self {
        self.set(|settings| settings.max_in_flight = Some(limit))
    }

    /// For how long keys may be watched until a transaction or `UNWATCH`, 30 s if it is not set. Of this crate: the connection
    /// that watches is closed then, and a transaction that comes later is an error and executes nothing. See the
    /// [example](Self#examples).
    pub fn watch_limit(self, limit: Duration) -> Self {
        self.set(|settings| settings.watch_limit = Some(limit))
    }

    /// Nothing beyond `nodelay`, which is always on, can be set. See the [example](Self#examples).
    pub fn tcp_settings(self, tcp_settings: TcpSettings) -> Self {
        match is_default_tcp(&tcp_settings) {
            true => self,
            false => self.refuse(TCP_SETTINGS.0, TCP_SETTINGS.1),
        }
    }

    /// Refused. See the [example](Self#examples).
    pub fn push_sender(self, _sender: impl AsyncPushSender) -> Self {
        self.set(refuse_push_sender)
    }

    /// Refused. See the [example](Self#examples).
    pub fn retries(self, _retries: u32) -> Self {
        self.refuse(
            "retries",
            "what was not executed is sent again until the response time-out, and nothing else is; leave it out",
        )
    }

    /// Refused. See the [example](Self#examples).
    pub fn max_retry_wait(self, _max_wait: u64) -> Self {
        self.refuse("max_retry_wait", "pauses follow the response time-out; leave it out")
    }

    /// Refused. See the [example](Self#examples).
    pub fn min_retry_wait(self, _min_wait: u64) -> Self {
        self.refuse("min_retry_wait", "pauses follow the response time-out; leave it out")
    }

    /// Refused. See the [example](Self#examples).
    pub fn retry_wait_formula(self, _factor: u64, _exponent_base: u64) -> Self {
        self.refuse("retry_wait_formula", "pauses follow the response time-out; leave it out")
    }

    /// Refused. See the [example](Self#examples).
    pub fn cache_config<C>(self, _config: C) -> Self {
        self.refuse("cache_config", "there is no client-side cache in this version; leave it out")
    }

    /// Refused. See the [example](Self#examples).
    pub fn set_credentials_provider<P>(self, _provider: P) -> Self {
        self.refuse(
            "set_credentials_provider",
            "credentials are fixed in this version; give user name and password",
        )
    }

    /// Refused. See the [example](Self#examples).
    pub fn write_backpressure_boundary(self, _boundary: usize) -> Self {
        self.refuse(
            "write_backpressure_boundary",
            "what is ready is written at once; memory is bounded by `configure` with Config::max_queued_bytes",
        )
    }

    /// Refused. See the [example](Self#examples).
    pub fn max_connection_attempts(self, _attempts: NonZeroUsize) -> Self {
        self.refuse(
            "max_connection_attempts",
            "a node is given up when the cluster no longer has it; leave it out",
        )
    }
}
