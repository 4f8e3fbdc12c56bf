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
//! Commands, pipelines, scripts, iterators and transactions stay redis-rs's own: [`ClusterConnection`](cluster_async::ClusterConnection)
//! is a `redis::aio::ConnectionLike`, [that without async](cluster::ClusterConnection) a `redis::ConnectionLike`, and whatever takes
//! one takes it. This is for redis-rs 1, which [`redis`] re-exports; with the feature `v0_32`, the module `v0_32` has the same for
//! redis-rs 0.32. With the feature `bb8`, clients can be pooled.
//!
//! A service that is to start while its cluster is down takes
//! [`get_lazy_async_connection`](ClusterClient::get_lazy_async_connection).
//!
//! # What is different
//!
//! - Plain pipelines may have keys of any slots, even without async. Each command has a result of its own, and they are executed
//!   together as a [`Batch`](truename::Batch) is, within one `response_timeout` and what `BLPOP` and its like may wait. What goes to
//!   several nodes (`DEL` or `MGET` of several slots, `DBSIZE`, `FLUSHALL`, `INFO` ...) is executed in its place: what stands before
//!   it first, then it alone, then the rest, so each such command adds a round trip. So is what waits (`BLPOP`). A script whose body
//!   is known is sent with its body.
//! - An atomic pipeline is a transaction of one slot; keys of several slots are an error before anything is sent.
//! - A write is sent again only if it was certainly not executed. If nobody knows, the error's code is `MAYBEEXECUTED`, and
//!   [`may_have_executed`] tells it apart from what was certainly not executed. In a pipeline, one command's unknown fate is its own
//!   item's error; an item that was certainly not executed has the code `NOTEXECUTED`. A read whose fate is unknown has the same
//!   code: it was repeated already, as long as there was time.
//! - `SCRIPT LOAD` goes to all primaries, and succeeds when all that can be reached have the script. Its body is remembered, and
//!   sent along where a server turns out to lack it.
//! - `PING` asks one primary, so that a shard that is down fails no health check.
//! - `SCAN` goes through the whole cluster. Its cursor is good for the client that issued it, for ten minutes; an unknown one is
//!   an error, never an end, and so are a slot that nobody serves and a circle of cursors. A node's own cursor is kept with the node's address: if a server
//!   is restarted meanwhile, keys that were there all the time may be missed. [`truename::scan`] is the client's own scan.
//! - Blocking commands such as `BLPOP` have connections of their own and hold nobody up.
//! - `WATCH` has a connection of its own, so concurrent transactions on clones of one connection are right. See
//!   [below](#transactions).
//! - What else changes the state of a connection (`SELECT`, `MULTI`), and subscriptions, are errors that name them. So is what acts on one node that nobody named, such as `SHUTDOWN`, `CLUSTER FAILOVER` and `CLUSTER RESET`, and
//!   `RENAME`, `SINTER` and others with keys of several slots, as in redis-rs.
//! - An error at which redis-rs would repeat a command (`TRYAGAIN`, `LOADING`, `MOVED`, `NOSCRIPT` ...) has its code only where the
//!   command was certainly not executed. Where a script that may have run says so, the code is `MAYBEEXECUTED`.
//!
//! # Transactions
//!
//! `redis::aio::transaction_async` and `redis::transaction` work as they are, with keys of one slot:
//!
//! ```no_run
//! # async fn example(connection: truename_redis::cluster_async::ClusterConnection) -> redis::RedisResult<()> {
//! use redis::AsyncCommands;
//! use redis::aio::transaction_async;
//!
//! let key = "visits";
//! let (visits,): (u64,) = transaction_async(connection, &[key], |mut connection, mut pipeline| async move {
//!     let visits: Option<u64> = connection.get(key).await?;
//!     pipeline.set(key, visits.unwrap_or(0) + 1).ignore().get(key).query_async(&mut connection).await
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! So does `WATCH` by hand. It belongs to the handle that it was sent on and to the clones that are made of that afterwards, until the
//! next atomic pipeline of one of them, or `UNWATCH`.
//!
//! - The keys are watched on a connection that nobody else uses, one of those that
//!   [`Config::max_exclusive_connections`](truename::Config::max_exclusive_connections) bounds (64 per node); others wait for it.
//! - What a handle reads while it watches, alone, in pipelines, by scripts or by a route that leaves the node open, comes from no
//!   replica. What waits (`XREAD BLOCK`) has a connection of its own as always, and holds up nothing that watches.
//! - A `WATCH` follows no redirect. If its slot goes to another node, or its connection is lost, the atomic pipeline executes nothing
//!   and its value is nil, as after a race: so `transaction_async` starts again, where the slot is now. The same happens when the
//!   server refuses for now (`CLUSTERDOWN`, `READONLY`). Once it has refused one transaction after the other of a handle's `WATCH`es for as
//!   long as a call may take, the next one ends with what the server said.
//! - A connection that is lost after `EXEC` was sent is the error `MAYBEEXECUTED`; it is never sent again.
//! - A `WATCH` that nothing ends is ended after 30 s ([`watch_limit`](cluster::ClusterClientBuilder::watch_limit)): its connection is
//!   closed. The atomic pipeline that comes later is an error and executes nothing; then it is over. The handle and each
//!   clone made before that get this error once, for they may rely on the `WATCH`; clones made later are not concerned.
//!
//! # Crates that take a connection
//!
//! | crate | |
//! |---|---|
//! | apalis-redis 1 | `RedisStorage::new(connection)`. Its script that registers a worker touches the key `core:apalis:queues:list`, which it does not declare, so that on any cluster the queue's keys have to be in that key's slot: `Config::queue("{core:apalis:queues:list}")`, or another queue with this hash tag. While that slot moves to another node, servers answer its scripts of several keys with `TRYAGAIN`, which is waited out within the time of a call; a move that takes longer ends a worker with an error: restart it. Give it an `idempotency_ttl` if jobs have idempotency keys: without one, those expire at once |
//! | poem 3 | `RedisStorage::new(connection)`, with the feature `v0_32` |
//! | bb8 | `bb8::Pool::builder().build(client)`, with the feature `bb8`. What a user of a pooled connection watched, the next one does not |
//!
//! # Options
//!
//! Every option works, or makes `build()` fail by its name; none is ignored.
//!
//! | option | |
//! |---|---|
//! | `password`, `username`, `database_id` | as in redis-rs |
//! | `tls(Secure)`, `certs` | as in redis-rs; a node may also prove its seed's name |
//! | other options in a URL, such as `?cacert=` or `?pin=` | dropped by redis-rs's own parser, as it does for its own clients, before this crate sees them: give them with [`certs`](cluster::ClusterClientBuilder::certs) or [`configure`](cluster::ClusterClientBuilder::configure) |
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
//! | `watch_limit` | of this crate: for how long keys may be watched; 30 s if it is not set |
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
