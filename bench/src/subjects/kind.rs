//! The clients by name.

use clap::ValueEnum;
use serde::Serialize;

use crate::cell::Workload;

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// This project's client.
    Truename,
    /// This project's client in the place of redis-rs's cluster connection.
    TruenameRedis,
    /// redis-rs.
    Redis,
    /// redis-rs's cluster connection without `async`, one for each thread. It alone takes pipelines of several slots.
    RedisSync,
    /// fred.
    Fred,
    /// rustis.
    Rustis,
    /// No client: hand-encoded commands on one socket per node, the floor.
    Raw,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Truename,
        Self::TruenameRedis,
        Self::Redis,
        Self::RedisSync,
        Self::Fred,
        Self::Rustis,
        Self::Raw,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Truename => "truename",
            Self::TruenameRedis => "truename-redis",
            Self::Redis => "redis",
            Self::RedisSync => "redis-sync",
            Self::Fred => "fred",
            Self::Rustis => "rustis",
            Self::Raw => "raw",
        }
    }

    /// Whether the client can do this at all, on several shards. redis-rs's asynchronous connection refuses a pipeline of
    /// several slots, and fred's MGET is answered with CROSSSLOT.
    pub(crate) const fn does(self, workload: Workload) -> bool {
        match workload {
            Workload::Spread100 => !matches!(self, Self::Redis | Self::TruenameRedis),
            Workload::Mget100 => !matches!(self, Self::Fred | Self::RedisSync),
            _ => !matches!(self, Self::RedisSync),
        }
    }

    /// Whether this build of the client speaks TLS.
    pub(crate) const fn speaks_tls(self) -> bool {
        !matches!(self, Self::Rustis) || cfg!(feature = "rustis-tls")
    }
}
