//! The clients by name.

use clap::ValueEnum;
use serde::Serialize;

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
    /// fred.
    Fred,
    /// rustis.
    Rustis,
    /// No client: hand-encoded commands on one socket per node, the floor.
    Raw,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Truename, Self::TruenameRedis, Self::Redis, Self::Fred, Self::Rustis, Self::Raw];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Truename => "truename",
            Self::TruenameRedis => "truename-redis",
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
