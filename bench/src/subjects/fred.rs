//! fred: one client, not a pool.

use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::{ClientLike as _, KeysInterface as _};
use fred::types::RespVersion;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, ServerConfig, TlsConfig, TlsConnector,
};

use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// The client under test.
#[derive(Clone)]
pub(crate) struct Fred(Client);

impl Subject for Fred {
    async fn connect(target: &Target, settings: &Settings) -> Result<Self, Failure> {
        let tls = target.rustls()?.map(|config| TlsConfig::from(TlsConnector::from(config)));
        let config =
            Config { server: servers(target)?, tls, version: RespVersion::RESP3, ..Config::default() };
        let mut performance = PerformanceConfig::default();
        let mut connection = ConnectionConfig::default();
        if let Some(deadline) = settings.deadline {
            performance.default_command_timeout = deadline;
            // Its own means against a silent peer, which is off by default.
            connection.unresponsive.max_timeout = Some(deadline);
            connection.unresponsive.interval = deadline / 4;
        }
        if let Some(connect) = settings.connect {
            connection.connection_timeout = connect;
            connection.internal_command_timeout = connect;
        }
        // Without a policy it never reconnects; this one is its documentation's.
        let policy = ReconnectPolicy::new_exponential(0, 100, 2000, 2);
        let client = Client::new(config, Some(performance), Some(connection), Some(policy));
        client.init().await?;
        Ok(Self(client))
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let value: Bytes = self.0.get(key.bytes.clone()).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        Ok(self.0.set(key.bytes.clone(), value.clone(), None, None, false).await?)
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let pipeline = self.0.pipeline();
        for key in keys {
            let () = pipeline.get(key.bytes.clone()).await?;
        }
        let values: Vec<Bytes> = pipeline.all().await?;
        Ok(values.iter().map(Bytes::len).sum())
    }

    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let keys: Vec<_> = keys.iter().map(|key| key.bytes.clone()).collect();
        let values: Vec<Bytes> = self.0.mget(keys).await?;
        Ok(values.iter().map(Bytes::len).sum())
    }

    async fn read(&mut self, key: &Key) -> Result<Option<String>, Failure> {
        Ok(self.0.get(key.bytes.clone()).await?)
    }

    async fn increment(&mut self, key: &Key) -> Result<u64, Failure> {
        Ok(self.0.incr(key.bytes.clone()).await?)
    }
}

fn servers(target: &Target) -> Result<ServerConfig, Failure> {
    if target.is_cluster {
        return Ok(ServerConfig::new_clustered(target.seeds.clone()));
    }
    let (host, port) = target.seeds.first().ok_or_else(|| Failure::new("no seed"))?;
    Ok(ServerConfig::new_centralized(host.clone(), *port))
}
