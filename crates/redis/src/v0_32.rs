//! The same for redis-rs 0.32. The [crate's documentation](crate) says what holds; what 0.32 does not have is not here either.

#[path = "glue/mod.rs"]
mod glue;

use crate::versions::v0_32 as version;

pub use ::redis_0_32 as redis;
pub use glue::client::ClusterClient;
pub use glue::error::{may_have_executed, native_error, to_redis_error};

/// Clients, as `redis::cluster` has them.
pub mod cluster {
    pub use super::glue::builder::ClusterClientBuilder;
    pub use super::glue::client::{ClusterClient, ClusterConfig};
}

/// Connections, as `redis::cluster_async` has them.
pub mod cluster_async {
    pub use super::glue::connection::ClusterConnection;
}
