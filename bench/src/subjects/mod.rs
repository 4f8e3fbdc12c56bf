//! The clients under test, each behind the same few calls.
//!
//! Every client is used as its documentation says, with the cheapest types that it offers for keys and values: what
//! is compared is the clients, not conversions around them. All tasks of a run share one client. One file per client;
//! `raw` is the floor, no client at all.

mod fred;
pub(crate) mod raw;
mod redis_rs;
mod rustis;
pub(crate) mod truename;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use self::fred::Fred;
pub(crate) use self::raw::Raw;
pub(crate) use self::redis_rs::RedisRs;
pub(crate) use self::rustis::Rustis;
pub(crate) use self::truename::Truename;

use crate::failure::Failure;
use crate::target::{Key, Target};

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// This project's client.
    Truename,
    /// redis-rs.
    Redis,
    /// fred.
    Fred,
    /// rustis.
    Rustis,
    /// No client: hand-encoded commands on one socket per node, the floor.
    Raw,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Truename, Self::Redis, Self::Fred, Self::Rustis, Self::Raw];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Truename => "truename",
            Self::Redis => "redis",
            Self::Fred => "fred",
            Self::Rustis => "rustis",
            Self::Raw => "raw",
        }
    }

    /// Whether this build of the client speaks TLS.
    pub(crate) const fn speaks_tls(self) -> bool {
        !matches!(self, Self::Rustis) || cfg!(feature = "rustis-tls")
    }
}

/// What a client is given besides the servers; `None` leaves the client's own default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    /// How long a call may take in total.
    pub(crate) deadline: Option<Duration>,
    /// How long connecting to one node may take.
    pub(crate) connect: Option<Duration>,
}

/// A connected client under test. A clone is what one task uses.
pub(crate) trait Subject: Clone + Send + Sync + 'static {
    /// Connects.
    fn connect(target: &Target, settings: &Settings) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// GET; the length of the value.
    fn get(&mut self, key: &Key) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// SET.
    fn set(&mut self, key: &Key, value: &Bytes) -> impl Future<Output = Result<(), Failure>> + Send;

    /// GET of several keys of one slot by the client's pipeline; the length of all values.
    fn get_all(&mut self, keys: &[Key]) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// GET of a text.
    fn read(&mut self, key: &Key) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// INCR.
    fn increment(&mut self, key: &Key) -> impl Future<Output = Result<u64, Failure>> + Send;
}
