//! The same for redis-rs 0.32. The [crate's documentation](crate) says what holds; what 0.32 does not have is not here either.

#[path = "v1/builder.rs"]
mod builder;
#[path = "v1/client.rs"]
mod client;
#[path = "v1/command.rs"]
mod command;
#[path = "v1/connection.rs"]
mod connection;
#[path = "v1/error.rs"]
mod error;
#[path = "v1/options.rs"]
mod options;
#[cfg(feature = "bb8")]
#[path = "v1/pool.rs"]
mod pool;
#[path = "v1/routing.rs"]
mod routing;
#[path = "v1/synchronous.rs"]
mod synchronous;
#[path = "v1/value.rs"]
mod value;

use crate::versions::v0_32 as version;

pub use self::client::ClusterClient;
pub use self::error::{may_have_executed, native_error, to_redis_error};
pub use ::redis_0_32 as redis;

/// Clients, as `redis::cluster` has them.
pub mod cluster {
    pub use super::builder::ClusterClientBuilder;
    pub use super::client::{ClusterClient, ClusterConfig};
    pub use super::synchronous::ClusterConnection;
    // Here a pipeline may have keys of any slots.
    pub use ::redis_0_32::{Pipeline as ClusterPipeline, pipe as cluster_pipe};
}

/// Connections, as `redis::cluster_async` has them.
pub mod cluster_async {
    pub use super::connection::ClusterConnection;
}
