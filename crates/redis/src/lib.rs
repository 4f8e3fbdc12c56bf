//! [redis-rs](https://docs.rs/redis)'s `ClusterClient` and `ClusterConnection` over [`truename`]: a service that was written for
//! redis-rs moves by changing one `use` line, and then verifies every node, knows what became of its writes, and is not held up
//! by one node's trouble.
//!
//! ```no_run
//! # async fn example() -> redis::RedisResult<()> {
//! use redis::AsyncCommands;
//! use truename_redis::ClusterClient; // was: use redis::cluster::ClusterClient;
//!
//! let client = ClusterClient::new(["rediss://:secret@my-redis.example.net:10000"])?;
//! let mut connection = client.get_async_connection().await?;
//! let () = connection.set("city", "Oslo").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Commands, pipelines, scripts and iterators stay redis-rs's own: [`ClusterConnection`](cluster_async::ClusterConnection) is a
//! `redis::aio::ConnectionLike`, and whatever takes one takes it. This is for redis-rs 1, which [`redis`] re-exports; with the feature
//! `v0_32`, the module `v0_32` has the same for redis-rs 0.32. With the feature `bb8`, clients can be pooled.
//!
//! # What is different
//!
//! - Plain pipelines may have keys of any slots. Each command has a result of its own and time limits of its own, and they are
//!   executed together as a [`Batch`](truename::Batch) is. What goes to several nodes (`DEL` or `MGET` of several slots, `DBSIZE`,
//!   `FLUSHALL`, `INFO` ...) is executed in its place: what stands before it first, then it alone, then the rest, so each such
//!   command adds a round trip, and `response_timeout` counts anew from there. A script whose body is known is sent with its body.
//! - An atomic pipeline is a transaction of one slot; keys of several slots are an error before anything is sent.
//! - A write is sent again only if it was certainly not executed. If nobody knows, the error's code is `MAYBEEXECUTED`, and
//!   [`may_have_executed`] tells that from what certainly was not executed. In a pipeline, one command's unknown fate is its own
//!   item's error; an item that was certainly not executed has the code `NOTEXECUTED`.
//! - `SCRIPT LOAD` goes to all primaries, and succeeds when all that can be reached have the script. Its body is remembered, and
//!   sent along where a server turns out to lack it.
//! - `PING` asks one primary, so that a shard that is down fails no health check.
//! - `SCAN` goes through the whole cluster. Its cursor is good for the client that issued it, for ten minutes; an unknown one is
//!   an error, never an end, and so is a slot that nobody serves. A node's own cursor is kept with the node's address: if a server
//!   is restarted meanwhile, keys that were there all the time may be missed. [`truename::scan`] is the client's own scan.
//! - Blocking commands such as `BLPOP` have connections of their own and hold nobody up.
//! - What changes the state of a connection (`WATCH`, and `transaction_async` with it; `SELECT`, `MULTI`), and subscriptions, are
//!   errors by name. So is what acts on one node that nobody named, such as `SHUTDOWN`, `CLUSTER FAILOVER` and `CLUSTER RESET`, and
//!   `RENAME`, `SINTER` and others with keys of several slots, as in redis-rs.
//! - An error at which redis-rs would repeat a command (`TRYAGAIN`, `LOADING`, `MOVED`, `NOSCRIPT` ...) has its code only where the
//!   command was certainly not executed. Where a script that may have run says so, the code is `MAYBEEXECUTED`.
//!
//! # Options
//!
//! Every option works, or makes `build()` fail by its name; none is ignored.
//!
//! | option | |
//! |---|---|
//! | `password`, `username`, `database_id` | as in redis-rs |
//! | `tls(Secure)`, `certs` | as in redis-rs; a node may also prove its seed's name |
//! | `tls(Insecure)`, `#insecure` in a URL | refused |
//! | `danger_accept_invalid_hostnames` | as in redis-rs |
//! | `read_from_replicas` | a replica, or the primary where there is none |
//! | `read_routing_strategy` | `RandomReplicaStrategy` and `RoundRobinReplicaStrategy` are `read_from_replicas`; others are refused |
//! | `connection_timeout` | of an attempt to connect to one node; connecting to the cluster may take as long, and at least 10 s |
//! | `response_timeout` | of a call in total; 5 s if it is not set |
//! | `overall_response_timeout` | of a call in total; `response_timeout` is then how long a node may be silent; `None` is refused |
//! | `use_protocol` | RESP2 unless RESP3 is set, which is spoken where the server knows it |
//! | `node_address_map` | as in redis-rs; a node that the map lacks has to prove its seed's name |
//! | `async_dns_resolver` | as in redis-rs |
//! | `connection_concurrency_limit` | as in redis-rs; 16,384 if it is not set |
//! | `tcp_settings` | `nodelay` is always on; anything else is refused |
//! | `configure` | of this crate: whatever [`Config`](truename::Config) has; applied last, save for the time-outs of a `ClusterConfig` |
//! | `retries`, `max_retry_wait`, `min_retry_wait`, `retry_wait_formula` | refused: time-outs decide |
//! | `push_sender` | refused: there are no subscriptions yet |
//! | `cache_config`, `set_credentials_provider` | refused: not yet |
//! | `write_backpressure_boundary`, `max_connection_attempts` | refused: nothing corresponds to them |

#![cfg_attr(
    feature = "v0_32",
    expect(
        clippy::duplicate_mod,
        reason = "`v1` is compiled for each version of redis-rs, against the types of that version"
    )
)]

mod engine;
#[cfg(feature = "v0_32")]
pub mod v0_32;
mod v1;
mod versions;

// The public interface is:
pub use ::redis;
pub use v1::client::ClusterClient;
pub use v1::error::{may_have_executed, native_error, to_redis_error};

/// Clients, as `redis::cluster` has them.
pub mod cluster {
    pub use crate::v1::builder::ClusterClientBuilder;
    pub use crate::v1::client::{ClusterClient, ClusterConfig};
    pub use crate::v1::synchronous::ClusterConnection;
    // Here a pipeline may have keys of any slots.
    pub use ::redis::{Pipeline as ClusterPipeline, pipe as cluster_pipe};
}

/// Connections, as `redis::cluster_async` has them.
pub mod cluster_async {
    pub use crate::v1::connection::ClusterConnection;
}
