//! The types of redis-rs 1 on one side, the engine on the other.
//!
//! | file | what it has |
//! |---|---|
//! | `value` | replies as values |
//! | `error` | errors as errors |
//! | `command` | commands as commands |
//! | `routing` | what a caller says about where to send |
//! | `connection` | `ClusterConnection` |
//! | `synchronous` | the same without async |
//! | `client` | `ClusterClient` |
//! | `builder`, `options` | its builder |
//! | `pool` | `bb8` |
//!
//! Other versions of redis-rs compile the same files again, with their own `version`, which is where they differ.

pub(crate) mod builder;
pub(crate) mod client;
mod command;
pub(crate) mod connection;
pub(crate) mod error;
mod options;
#[cfg(feature = "bb8")]
mod pool;
mod routing;
pub(crate) mod synchronous;
mod value;

use crate::versions::v1 as version;
