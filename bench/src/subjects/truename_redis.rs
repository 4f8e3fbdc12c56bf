//! truename in the place of redis-rs's cluster connection: the same calls, through the same traits.

use bytes::Bytes;
use redis::AsyncCommands;
use truename_redis::ClusterClient;
use truename_redis::cluster_async::ClusterConnection;

use super::redis_rs::{certificates, urls};
use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// The adapter under test.
#[derive(Clone)]
pub(crate) struct TruenameRedis(ClusterConnection);

impl Subject for TruenameRedis {
    async fn connect(target: &Target, settings: &Settings) -> Result<Self, Failure> {
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
        Ok(Self(builder.build()?.get_async_connection().await?))
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let value: Vec<u8> = self.0.get(&*key.text).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        Ok(redis::cmd("SET").arg(&*key.text).arg(&value[..]).query_async(&mut self.0).await?)
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("GET").arg(&*key.text);
        }
        let values: Vec<Vec<u8>> = pipeline.query_async(&mut self.0).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut mget = redis::cmd("MGET");
        for key in keys {
            mget.arg(&*key.text);
        }
        let values: Vec<Vec<u8>> = mget.query_async(&mut self.0).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn read(&mut self, key: &Key) -> Result<Option<String>, Failure> {
        Ok(self.0.get(&*key.text).await?)
    }

    async fn increment(&mut self, key: &Key) -> Result<u64, Failure> {
        Ok(self.0.incr(&*key.text, 1).await?)
    }
}
