//! From redis-rs: the same programs before and after. The crate `truename-redis` is the other way: redis-rs's own types over this
//! client, for which only a `use` line changes.
//!
//! What is marked as redis-rs is for comparison and not compiled.
//!
//! # Connecting
//!
//! ```ignore (redis-rs)
//! use redis::cluster::{ClusterClient, ClusterClientBuilder};
//!
//! let client = ClusterClientBuilder::new(["rediss://redis-1.example.net:6379", "rediss://redis-2.example.net:6379"])
//!     .password("secret".into())
//!     .read_from_replicas()
//!     .response_timeout(Duration::from_secs(2))
//!     .build()?;
//! let mut connection = client.get_async_connection().await?;
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), truename::Error> {
//! use std::time::Duration;
//! use truename::{Client, Config, ReadFrom};
//!
//! let config = Config::new()
//!     .root_nodes(["redis-1.example.net:6379", "redis-2.example.net:6379"])
//!     .password("secret")
//!     .read_from(ReadFrom::PreferReplica)
//!     .command_timeout(Duration::from_secs(2));
//! let client = Client::connect(&config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `command_timeout` is for the whole call, attempts and pauses included; redis-rs's `response_timeout` is for one attempt, and
//! `retries` and its waits come on top.
//!
//! # Commands
//!
//! There is no method per command, so `AsyncCommands` becomes [`cmd`](crate::cmd). Types are converted along the same lines
//! ([`ToArg`](crate::ToArg), [`FromReply`](crate::FromReply)): `None` is no argument, `true` is `1`, a map is its keys and
//! values.
//!
//! ```ignore (redis-rs)
//! let _: () = connection.set_ex("city", "Oslo", 60).await?;
//! let city: Option<String> = connection.get("city").await?;
//! let _: () = connection.hset_multiple("user:42", &[("name", "Ada"), ("city", "London")]).await?;
//! let user: HashMap<String, String> = connection.hgetall("user:42").await?;
//! let won: bool = redis::cmd("SET").arg("lock").arg(token).arg("NX").arg("PX").arg(5000).query_async(&mut connection).await?;
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client, token: &str) -> Result<(), truename::Error> {
//! use std::collections::HashMap;
//! use truename::cmd;
//!
//! client.run(cmd("SET").arg("city").arg("Oslo").arg(("EX", 60))).await?;
//! let city: Option<String> = client.execute(cmd("GET").arg("city")).await?;
//! client.run(cmd("HSET").arg("user:42").args([("name", "Ada"), ("city", "London")])).await?;
//! let user: HashMap<String, String> = client.execute(cmd("HGETALL").arg("user:42")).await?;
//! let won: bool = client.execute(cmd("SET").arg("lock").arg(token).arg("NX").arg(("PX", 5000))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `()` accepts everything in redis-rs, even the nil of a lock that somebody else has. Here it refuses nil.
//!
//! # Pipelines and transactions
//!
//! ```ignore (redis-rs)
//! let (a, b): (i64, i64) = redis::pipe().atomic().incr("{shop}a", 1).incr("{shop}b", 1).query_async(&mut connection).await?;
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! let both = client.batch().with(cmd("INCR").arg("{shop}a")).with(cmd("INCR").arg("{shop}b"));
//! let (a, b): (i64, i64) = both.atomic().all().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Without [`atomic`](crate::Batch::atomic) the keys may be of any slots. `transaction_async` is
//! [`Client::transaction`](crate::Client::transaction).
//!
//! # Routing
//!
//! ```ignore (redis-rs)
//! let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::ReplicaRequired)));
//! let value = connection.route_command(redis::cmd("GET").arg("city"), route).await?;
//! let sizes = connection.route_command(redis::cmd("DBSIZE"), RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None))).await?;
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::{ReadFrom, cmd};
//!
//! let city: Option<String> = client.execute(cmd("GET").arg("city").read_from(ReadFrom::Replica)).await?;
//! for (node, size) in client.on_primaries::<u64>(cmd("DBSIZE")).await? {
//!     println!("{node}: {}", size?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! redis-rs repeats a command whose connection broke, writes too. Here a write of unknown fate is an error, which says so:
//!
//! ```ignore (redis-rs)
//! match connection.incr::<_, _, i64>("orders", 1).await {
//!     Err(error) if error.is_io_error() => { /* counted, or counted twice, or not */ }
//!     other => other?,
//! }
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! match client.execute::<i64>(cmd("INCR").arg("orders")).await {
//!     Err(error) if error.may_have_executed() => println!("look whether it was counted: {error}"),
//!     other => println!("{}", other?),
//! }
//! # Ok(())
//! # }
//! ```
