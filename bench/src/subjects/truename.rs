//! truename, with its defaults.

use bytes::Bytes;
use truename::{Client, Config, Reply, Tls, cmd};

use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// The client under test.
#[derive(Debug, Clone)]
pub(crate) struct Truename(Client);

pub(crate) async fn client(target: &Target, settings: &Settings) -> Result<Client, Failure> {
    Ok(Client::connect(&config(target, settings)?).await?)
}

pub(super) fn config(target: &Target, settings: &Settings) -> Result<Config, Failure> {
    let config = Config::new().seeds(target.seeds.clone());
    let mut config = match &target.ca_pem {
        Some(pem) => config.tls(Tls::new().ca_pem(pem)?),
        None => config.plaintext(),
    };
    if let Some(deadline) = settings.deadline {
        config = config.command_timeout(deadline);
    }
    if let Some(connect) = settings.connect {
        config = config.node_connect_timeout(connect);
    }
    Ok(config)
}

impl Subject for Truename {
    async fn connect(target: &Target, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self(client(target, settings).await?))
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let reply: Reply = self.0.execute(cmd("GET").arg(&*key.text)).await?;
        length(&reply)
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        Ok(self.0.execute(cmd("SET").arg(&*key.text).arg(value)).await?)
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut batch = self.0.batch();
        batch.extend(keys.iter().map(|key| cmd("GET").arg(&*key.text)));
        batch.execute::<Reply>().await.into_iter().map(|value| length(&value?)).sum()
    }

    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let reply: Reply = self.0.execute(cmd("MGET").args(keys.iter().map(|key| &*key.text))).await?;
        let values = reply.as_array().ok_or_else(|| Failure::new(format!("{reply:?} is not an array")))?;
        values.iter().map(length).sum()
    }

    async fn read(&mut self, key: &Key) -> Result<Option<String>, Failure> {
        Ok(self.0.execute(cmd("GET").arg(&*key.text)).await?)
    }

    async fn increment(&mut self, key: &Key) -> Result<u64, Failure> {
        Ok(self.0.execute(cmd("INCR").arg(&*key.text)).await?)
    }
}

pub(super) fn length(reply: &Reply) -> Result<usize, Failure> {
    reply.as_bytes().map(<[u8]>::len).ok_or_else(|| Failure::new(format!("{reply:?} is not a value")))
}
