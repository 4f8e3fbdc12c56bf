//! [`ClusterClient`]: what connections are made with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use truename::{Client, Config, blocking};

use super::connection::ClusterConnection;
use super::error::to_redis_error;
use super::options::{refuse_push_sender, resolve_with, unusable};
use super::synchronous;
use super::version::redis::RedisResult;
use super::version::redis::aio::AsyncPushSender;
use super::version::redis::io::AsyncDNSResolver;
use crate::engine::{Engine, Memory, Seed, Settings};

/// A cluster to connect to, as redis-rs's `cluster::ClusterClient`. It has no connections of its own.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use truename_redis::ClusterClient;
///
/// let nodes = ["rediss://:secret@redis-1.example.net:6379", "rediss://:secret@redis-2.example.net:6379"];
/// let client = ClusterClient::builder(nodes).response_timeout(Duration::from_secs(2)).build()?;
/// # Ok::<(), redis::RedisError>(())
/// ```
#[derive(Clone)]
pub struct ClusterClient {
    settings: Settings,
    seeds: Vec<Seed>,
    config: Config,
    memory: Arc<Memory>,
}

impl fmt::Debug for ClusterClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterClient").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ClusterClient {
    pub(super) fn of(settings: Settings, seeds: Vec<Seed>) -> RedisResult<Self> {
        let config = settings.config(&seeds).map_err(unusable)?;
        Ok(Self { settings, seeds, config, memory: Arc::default() })
    }

    /// What was configured, in the client's own terms.
    ///
    /// # Examples
    /// ```
    /// use truename_redis::ClusterClient;
    ///
    /// let client = ClusterClient::new(["rediss://redis-1.example.net"])?;
    /// assert!(client.config().settings().tls().is_some());
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Connects; each call makes connections of its own. A clone of the connection shares them.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename_redis::ClusterClient) -> redis::RedisResult<()> {
    /// let connection = client.get_async_connection().await?;
    /// let for_a_task = connection.clone();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect`], in the form that [`to_redis_error`] gives it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn get_async_connection(&self) -> RedisResult<ClusterConnection> {
        let client = Client::connect(&self.config).await.map_err(to_redis_error)?;
        Ok(self.connection(client))
    }

    /// [`get_async_connection`](Self::get_async_connection) with other options for this connection.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename_redis::ClusterClient) -> redis::RedisResult<()> {
    /// use std::time::Duration;
    /// use truename_redis::cluster::ClusterConfig;
    ///
    /// let hurried = ClusterConfig::new().set_response_timeout(Duration::from_millis(200));
    /// let connection = client.get_async_connection_with_config(hurried).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_async_connection`](Self::get_async_connection) and [`ClusterClientBuilder::build`](super::builder::ClusterClientBuilder::build).
    ///
    /// # Cancel safety
    /// As [`get_async_connection`](Self::get_async_connection).
    pub async fn get_async_connection_with_config(
        &self,
        config: ClusterConfig,
    ) -> RedisResult<ClusterConnection> {
        self.with(config)?.get_async_connection().await
    }

    /// A connection that is made when it is first used, and tried for in the background from then on: for a service that is to
    /// start while its cluster is down. Commands wait within their own time; an error of one that could not is an I/O error.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename_redis::ClusterClient) -> redis::RedisResult<()> {
    /// // Nothing is dialled yet.
    /// let mut connection = client.get_lazy_async_connection()?;
    /// let pong: String = redis::cmd("PING").query_async(&mut connection).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::lazy`]: what cannot work whatever the cluster says, and a place outside of a tokio runtime.
    pub fn get_lazy_async_connection(&self) -> RedisResult<ClusterConnection> {
        Ok(self.connection(Client::lazy_here(&self.config).map_err(to_redis_error)?))
    }

    /// [`get_lazy_async_connection`](Self::get_lazy_async_connection) by redis-rs's name and with other options.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename_redis::ClusterClient) {
    /// use truename_redis::cluster::ClusterConfig;
    ///
    /// let connection = client.get_pending_async_connection_with_config(ClusterConfig::new());
    /// # }
    /// ```
    ///
    /// # Panics
    /// Where [`get_lazy_async_connection`](Self::get_lazy_async_connection) is an error, and where these options are not supported:
    /// there is no other way to say so.
    pub fn get_pending_async_connection_with_config(&self, config: ClusterConfig) -> ClusterConnection {
        let connection = self.with(config).and_then(|client| client.get_lazy_async_connection());
        connection.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Connects, for code that is not asynchronous. Each call makes connections of its own; clones share them.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename_redis::ClusterClient) -> redis::RedisResult<()> {
    /// use redis::Commands;
    ///
    /// let mut connection = client.get_connection()?;
    /// let visits: i64 = connection.incr("visits", 1)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_async_connection`](Self::get_async_connection), and `InvalidClientConfig` on a thread that polls tasks.
    pub fn get_connection(&self) -> RedisResult<synchronous::ClusterConnection> {
        let client = blocking::Client::connect(&self.config).map_err(to_redis_error)?;
        let connection = self.connection(client.client().clone());
        Ok(synchronous::ClusterConnection::new(client, connection))
    }

    /// [`get_connection`](Self::get_connection) with other options for this connection.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename_redis::ClusterClient) -> redis::RedisResult<()> {
    /// use std::time::Duration;
    /// use truename_redis::cluster::ClusterConfig;
    ///
    /// let hurried = ClusterConfig::new().set_response_timeout(Duration::from_millis(200));
    /// let connection = client.get_connection_with_config(hurried)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_connection`](Self::get_connection) and [`ClusterClientBuilder::build`](super::builder::ClusterClientBuilder::build).
    pub fn get_connection_with_config(
        &self,
        config: ClusterConfig,
    ) -> RedisResult<synchronous::ClusterConnection> {
        self.with(config)?.get_connection()
    }

    /// The same with options of one connection.
    fn with(&self, config: ClusterConfig) -> RedisResult<Self> {
        let mut settings = self.settings.clone();
        settings.replace_times(config.connection_timeout, config.response_timeout);
        if config.has_push_sender {
            refuse_push_sender(&mut settings);
        }
        settings.resolver = config.resolver.or(settings.resolver);
        Ok(Self { memory: self.memory.clone(), ..Self::of(settings, self.seeds.clone())? })
    }

    fn connection(&self, client: Client) -> ClusterConnection {
        let engine = Engine::of(client, &self.config, self.memory.clone());
        ClusterConnection::new(engine.with_watch_limit(self.settings.watch_limit))
    }
}

/// Options of one connection, as redis-rs's `cluster::ClusterConfig`. See the
/// [example](ClusterClient::get_async_connection_with_config).
#[derive(Clone, Default)]
pub struct ClusterConfig {
    connection_timeout: Option<Duration>,
    response_timeout: Option<Duration>,
    has_push_sender: bool,
    resolver: Option<Arc<dyn truename::Resolve>>,
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("connection_timeout", &self.connection_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

impl ClusterConfig {
    /// Nothing but what the client has. See the [example](ClusterClient::get_async_connection_with_config).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`ClusterClientBuilder::connection_timeout`](super::builder::ClusterClientBuilder::connection_timeout). See the
    /// [example](ClusterClient::get_async_connection_with_config).
    #[must_use]
    pub fn set_connection_timeout(mut self, timeout: Duration) -> Self {
        self.connection_timeout = Some(timeout);
        self
    }

    /// As [`ClusterClientBuilder::response_timeout`](super::builder::ClusterClientBuilder::response_timeout). See the
    /// [example](ClusterClient::get_async_connection_with_config).
    #[must_use]
    pub fn set_response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// Refused when the connection is made, as [`ClusterClientBuilder::push_sender`](super::builder::ClusterClientBuilder::push_sender). See the
    /// [example](ClusterClient::get_async_connection_with_config).
    #[must_use]
    pub fn set_push_sender(mut self, _sender: impl AsyncPushSender) -> Self {
        self.has_push_sender = true;
        self
    }

    /// As [`ClusterClientBuilder::async_dns_resolver`](super::builder::ClusterClientBuilder::async_dns_resolver). See the
    /// [example](ClusterClient::get_async_connection_with_config).
    #[must_use]
    pub fn set_dns_resolver(mut self, resolver: impl AsyncDNSResolver) -> Self {
        self.resolver = Some(resolve_with(resolver));
        self
    }
}
