//! rustis. TLS only with the feature `rustis-tls`, see `Cargo.toml`.

use bytes::Bytes;
use rustis::client::{BatchPreparedCommand as _, Client, ClusterConfig, Config, ServerConfig};
use rustis::commands::StringCommands as _;
use rustis::resp::BulkString;

use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// The client under test.
#[derive(Clone)]
pub(crate) struct Rustis(Client);

impl Subject for Rustis {
    async fn connect(target: &Target, settings: &Settings) -> Result<Self, Failure> {
        let mut config = Config::default();
        config.server = servers(target)?;
        #[cfg(feature = "rustis-tls")]
        {
            config.tls_config =
                target.rustls()?.map(|config| rustis::client::TlsConfig::new(std::sync::Arc::new(config)));
        }
        if let Some(deadline) = settings.deadline {
            config.command_timeout = deadline;
        }
        if let Some(connect) = settings.connect {
            config.connect_timeout = connect;
        }
        Ok(Self(Client::connect(config).await?))
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let value: BulkString = self.0.get(&*key.text).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        Ok(self.0.set(&*key.text, Raw(value)).await?)
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut pipeline = self.0.create_pipeline();
        for key in keys {
            pipeline.get::<()>(&*key.text).queue();
        }
        let values: Vec<BulkString> = pipeline.execute().await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let keys: Vec<_> = keys.iter().map(|key| &*key.text).collect();
        let values: Vec<BulkString> = self.0.mget(keys).await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn read(&mut self, key: &Key) -> Result<Option<String>, Failure> {
        Ok(self.0.get(&*key.text).await?)
    }

    async fn increment(&mut self, key: &Key) -> Result<u64, Failure> {
        let count: i64 = self.0.incr(&*key.text).await?;
        Ok(u64::try_from(count)?)
    }
}

/// Bytes as one argument; a plain slice would be taken for a list of numbers.
struct Raw<'a>(&'a [u8]);

impl serde::Serialize for Raw<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

fn servers(target: &Target) -> Result<ServerConfig, Failure> {
    if target.is_cluster {
        let mut cluster = ClusterConfig::default();
        cluster.nodes = target.seeds.clone();
        return Ok(ServerConfig::Cluster(cluster));
    }
    let (host, port) = target.seeds.first().ok_or_else(|| Failure::new("no seed"))?;
    Ok(ServerConfig::Standalone { host: host.clone(), port: *port })
}
