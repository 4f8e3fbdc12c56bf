//! Coming from redis-rs, fred or node-redis: what their names are called here, and what does not exist yet.
//!
//! | from | chapter |
//! |---|---|
//! | redis-rs | [`redis_rs`]: connecting, commands, pipelines, routing, errors |
//! | fred | [`fred`](mod@fred): connecting, replicas, pipelines, scanning, errors |
//! | node-redis | [`node_redis`]: every option of `createCluster`, commands, transactions, events |
//!
//! # A program
//!
//! ```no_run
//! # async fn example() -> Result<(), truename::Error> {
//! use std::time::Duration;
//! use truename::{Client, Config, ReadFrom, cmd};
//!
//! let config = Config::new()
//!     .seeds([("redis-1.example.net", 6379), ("redis-2.example.net", 6379)])
//!     .password("secret")
//!     .command_timeout(Duration::from_secs(2))
//!     .read_from(ReadFrom::PreferReplica);
//! let client = Client::connect(&config).await?;
//! // Every task has a clone. There is no connection to borrow, and `execute` takes `&self`.
//! let counting = client.clone();
//! tokio::spawn(async move { counting.execute::<u64>(cmd("INCR").arg("visits")).await });
//! let city: Option<String> = client.execute(cmd("GET").arg("city")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Names
//!
//! | redis-rs | fred | node-redis | here |
//! |---|---|---|---|
//! | `ClusterClient`, `ClusterConnection` | `Client` | `createCluster` | [`Client`]: one for a program, cloned into tasks |
//! | `ConnectionManager`, pools of other crates | `Pool` | | not needed: calls share the connections, which the client keeps up |
//! | `ClusterClient::new(nodes)` | `ServerConfig::new_clustered` | `rootNodes` | [`Config::root_nodes`], [`Config::seeds`], or several hosts in a [URL](crate::url) |
//! | `username`, `password` | `username`, `password` | `defaults` | [`Config::credentials`], [`Config::password`] |
//! | `cmd("GET").arg(key).query_async(&mut connection)` | `custom` | `sendCommand` | `client.execute(cmd("GET").arg(key))`: [`Client::execute`] |
//! | `AsyncCommands`: `connection.get(key)` | `client.get(key)` | `cluster.get(key)` | the same: there is no method per command |
//! | `FromRedisValue`, `ToRedisArgs` | `FromValue` | | [`FromReply`], [`ToArg`], [`ToArgs`](crate::ToArgs); [`Json`](super::features#cargo-features) for serde |
//! | `response_timeout` | `default_command_timeout` | | [`Config::command_timeout`], which covers retries too, and [`Command::timeout`] |
//! | `connection_timeout` | `connection_timeout` | `connectTimeout` | [`Config::node_connect_timeout`] for one attempt, [`Config::connect_timeout`] for all of [`Client::connect`] |
//! | `retries`, `min_retry_wait`, `max_retry_wait` | `max_command_attempts`, `ReconnectPolicy` | `maxCommandRedirections` | nothing to set: what is safe to repeat is repeated until the call's deadline ([more](super::retries)) |
//! | | `unresponsive` | `pingInterval` | [`Config::stall_timeout`], [`Config::keepalive`] |
//! | `pipe()`, `ClusterPipeline` | `pipeline` | `multi` | [`Client::batch`], of any slots, with an outcome for each command; [`Batch::atomic`] for `MULTI` |
//! | `transaction_async`, `WATCH` | | `watch` | [`Client::transaction`]; step by step, [`Client::watch`] |
//! | crates such as `redlock`, `rslock` | | `redlock` | [`locks`](super::locks): one key in one cluster, and no quorum |
//! | `Script` | `Script`, `Function` | `defineScript` | [`Script`]; `FCALL` as a command |
//! | `read_from_replicas` | `replicas()` | `useReplicas` | [`Config::read_from`], [`Command::read_from`] for one command |
//! | `route_command` | `with_cluster_node` | | [`Command::route_to`], [`Command::route_by_key`], [`Command::route_to_any`] |
//! | `iter_async` for one node | `scan_cluster` | `scanIterator` for one node | [`Client::scan`], [`Client::hscan`] and its like |
//! | `node_address_map` | | `nodeAddressMap` | [`Config::node_address_map`], [`Config::map_node_addresses`], [`Config::dial_rule`]; often none is needed. redis-rs maps the seeds as well: [`Config::node_address_map_for_seeds`](crate::Config::node_address_map_for_seeds) |
//! | `certs` | `TlsConnector` | `tls`, `ca`, `cert`, `key` | [`Tls::ca_file`], [`Tls::client_certificate_files`] |
//! | | `TlsHostMapping` | `servername` | often not needed; [`Config::verify_as`], [`Config::identity`] |
//! | `rediss://host/#insecure`, `danger_accept_invalid_hostnames` | | `rejectUnauthorized: false` | [`Tls::ca_file`] for an authority of your own, [`Config::trust`] and [`Config::verify_as`] for other names; [`Tls::danger_accept_invalid_certificates`] checks nothing |
//! | `use_protocol` | `RespVersion` | `RESP` | [`Config::protocol`]; RESP3 where the server has it |
//! | `RedisError`, `ErrorKind` | `Error`, `ErrorKind` | `ErrorReply` | [`Error`], which knows whether the [command may have been executed](super::retries); of a batch, [`Error::inner`](crate::Error::inner) |
//!
//! A URL with `redis://` is plaintext, as it is elsewhere; [`Config::new`] speaks TLS until [`Config::plaintext`] is called.
//!
//! # What does not exist yet
//!
//! | what | what to do meanwhile |
//! |---|---|
//! | pub/sub | |
//! | client-side caching, Sentinel | |
//!
//! [`Batch::atomic`]: crate::Batch::atomic
//! [`Client::batch`]: crate::Client::batch
//! [`Client::connect`]: crate::Client::connect
//! [`Client::execute`]: crate::Client::execute
//! [`Client::hscan`]: crate::Client::hscan
//! [`Client::nodes`]: crate::Client::nodes
//! [`Client::scan`]: crate::Client::scan
//! [`Client::transaction`]: crate::Client::transaction
//! [`Client::watch`]: crate::Client::watch
//! [`Client`]: crate::Client
//! [`Command::route_by_key`]: crate::Command::route_by_key
//! [`Command::route_to_any`]: crate::Command::route_to_any
//! [`Command::route_to`]: crate::Command::route_to
//! [`Command::timeout`]: crate::Command::timeout
//! [`Config::command_timeout`]: crate::Config::command_timeout
//! [`Config::connect_timeout`]: crate::Config::connect_timeout
//! [`Config::credentials`]: crate::Config::credentials
//! [`Config::dial_rule`]: crate::Config::dial_rule
//! [`Config::identity`]: crate::Config::identity
//! [`Config::keepalive`]: crate::Config::keepalive
//! [`Config::new`]: crate::Config::new
//! [`Config::map_node_addresses`]: crate::Config::map_node_addresses
//! [`Config::root_nodes`]: crate::Config::root_nodes
//! [`Command::read_from`]: crate::Command::read_from
//! [`Config::node_address_map`]: crate::Config::node_address_map
//! [`Config::node_connect_timeout`]: crate::Config::node_connect_timeout
//! [`Config::password`]: crate::Config::password
//! [`Config::plaintext`]: crate::Config::plaintext
//! [`Config::protocol`]: crate::Config::protocol
//! [`Config::read_from`]: crate::Config::read_from
//! [`Config::seeds`]: crate::Config::seeds
//! [`Config::stall_timeout`]: crate::Config::stall_timeout
//! [`Config::trust`]: crate::Config::trust
//! [`Config::verify_as`]: crate::Config::verify_as
//! [`Error`]: crate::Error
//! [`FromReply`]: crate::FromReply
//! [`Tls::ca_file`]: crate::Tls::ca_file
//! [`Tls::client_certificate_files`]: crate::Tls::client_certificate_files
//! [`Tls::danger_accept_invalid_certificates`]: crate::Tls::danger_accept_invalid_certificates
//! [`ToArg`]: crate::ToArg
//! [`Script`]: crate::Script

pub mod fred;
pub mod node_redis;
pub mod redis_rs;
