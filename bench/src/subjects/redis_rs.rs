//! redis-rs: its multiplexed connection, or its cluster connection.

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, FromRedisValue, TlsCertificates};

use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// The client under test.
#[derive(Clone)]
pub(crate) enum RedisRs {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Subject for RedisRs {
    async fn connect(target: &Target, settings: &Settings) -> Result<Self, Failure> {
        if target.is_cluster {
            return Ok(Self::Cluster(cluster(target, settings).await?));
        }
        Ok(Self::Node(node(target, settings).await?))
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let value: Vec<u8> = match self {
            Self::Node(connection) => connection.get(&*key.text).await?,
            Self::Cluster(connection) => connection.get(&*key.text).await?,
        };
        Ok(value.len())
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        self.query(redis::cmd("SET").arg(&*key.text).arg(&value[..])).await
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("GET").arg(&*key.text);
        }
        let values: Vec<Vec<u8>> = match self {
            Self::Node(connection) => pipeline.query_async(connection).await?,
            Self::Cluster(connection) => pipeline.query_async(connection).await?,
        };
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut mget = redis::cmd("MGET");
        for key in keys {
            mget.arg(&*key.text);
        }
        let values: Vec<Vec<u8>> = self.query(&mget).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn read(&mut self, key: &Key) -> Result<Option<String>, Failure> {
        self.query(redis::cmd("GET").arg(&*key.text)).await
    }

    async fn increment(&mut self, key: &Key) -> Result<u64, Failure> {
        self.query(redis::cmd("INCR").arg(&*key.text)).await
    }
}

impl RedisRs {
    async fn query<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, Failure> {
        Ok(match self {
            Self::Node(connection) => command.query_async(connection).await?,
            Self::Cluster(connection) => command.query_async(connection).await?,
        })
    }
}

async fn node(target: &Target, settings: &Settings) -> Result<MultiplexedConnection, Failure> {
    let url = urls(target).next().ok_or_else(|| Failure::new("no seed"))?;
    let client = match certificates(target) {
        Some(certificates) => redis::Client::build_with_tls(url, certificates)?,
        None => redis::Client::open(url)?,
    };
    let mut config = AsyncConnectionConfig::new();
    if let Some(deadline) = settings.deadline {
        config = config.set_response_timeout(Some(deadline));
    }
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

async fn cluster(target: &Target, settings: &Settings) -> Result<ClusterConnection, Failure> {
    Ok(builder(target, settings).build()?.get_async_connection().await?)
}

pub(super) fn builder(target: &Target, settings: &Settings) -> ClusterClientBuilder {
    let mut builder = ClusterClient::builder(urls(target));
    if let Some(certificates) = certificates(target) {
        builder = builder.certs(certificates);
    }
    if let Some(deadline) = settings.deadline {
        builder = builder.response_timeout(deadline);
    }
    if let Some(connect) = settings.connect {
        builder = builder.connection_timeout(connect);
    }
    builder
}

pub(super) fn urls(target: &Target) -> impl Iterator<Item = String> {
    let scheme = if target.ca_pem.is_some() { "rediss" } else { "redis" };
    target.seeds.iter().map(move |(host, port)| format!("{scheme}://{host}:{port}"))
}

pub(super) fn certificates(target: &Target) -> Option<TlsCertificates> {
    let root_cert = target.ca_pem.as_ref()?.clone().into_bytes();
    Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
}
