//! The types of redis-rs on one side, the engine on the other. Compiled once for each version of redis-rs; `version` is where
//! they differ.
//!
//! | file | what it has |
//! |---|---|
//! | `value` | replies as values |
//! | `error` | errors as errors |
//! | `command` | commands as commands |
//! | `routing` | what a caller says about where to send |
//! | `connection` | `ClusterConnection` |
//! | `client` | `ClusterClient` |
//! | `builder` | its builder |
//! | `pool` | `bb8` |

pub(crate) mod builder;
pub(crate) mod client;
mod command;
pub(crate) mod connection;
pub(crate) mod error;
#[cfg(feature = "bb8")]
mod pool;
mod routing;
mod value;

use super::version;
