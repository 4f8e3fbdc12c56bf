//! How much may be in flight, how much memory is used, which time-outs there are, and what happens at each limit.
//!
//! # Time
//!
//! | how long | default | set by | what happens then |
//! |---|---|---|---|
//! | a call, in total | 5 s | [`Config::command_timeout`], [`Command::timeout`] | [`Error::Timeout`], or the error that stood in the way all the time |
//! | [`Client::connect`] | 10 s | [`Config::connect_timeout`] | [`Error::Connect`] |
//! | one attempt to connect to a node | 3 s | [`Config::node_connect_timeout`] | another attempt, after a pause |
//! | a server may be silent while it owes a reply | 2 s | [`Config::stall_timeout`] | it is asked on another connection, and given up if it does not answer there |
//! | a connection may be idle | 10 s | [`Config::keepalive`] | it is probed with `PING` |
//! | the topology may be old | 60 s | [`Config::refresh_interval`] | it is [asked for](super::redirects#when-the-topology-is-asked-for) |
//!
//! A call's time covers everything: waiting for room, connecting, redirects, pauses between attempts, and the reply. A
//! command that waits on the server, such as `BLPOP`, gets the time that it may wait on top, without limit if it may wait
//! without limit. [`Command::timeout`] is an upper bound, which includes that time
//! ([more](super::cancellation#commands-that-wait-on-the-server)). A transaction has the time of one call for all of it.
//!
//! A command time-out above 2 s raises the stall time-out with it. For one slow command set [`Command::timeout`] instead.
//!
//! # Commands in flight
//!
//! | how much | default | set by | what happens beyond it |
//! |---|---|---|---|
//! | connections per node that calls share | 1 | [`Config::lanes_per_node`] | |
//! | commands without a reply, on each of them | 16,384 | [`Config::max_in_flight`] | calls wait for room |
//! | bytes not yet written, on each of them | 32 MiB | [`Config::max_queued_bytes`] | calls wait for room |
//! | connections per node for one user at a time: a command that waits on the server, a transaction, a [`Watch`](crate::Watch), a [`Dedicated`](crate::Dedicated) | 64 | [`Config::max_exclusive_connections`] | calls wait, for [`Config::command_timeout`] at most, then [`RouteError::NoExclusiveConnection`] |
//! | requests of a [hosted client](crate::hosted) whose completions were not taken | 1,048,576 | [`CAPACITY`](crate::hosted::CAPACITY), fixed | more are handed back |
//!
//! Waiting for room counts against the call's own deadline. A full connection delays calls to its own node and no others.
//! When the connection to a node fails, the calls that waited for it pause, and are routed again by the latest topology.
//!
//! So back pressure is built in: a call that has to wait is a future that is pending. To bound what a
//! program has under way, bound its calls:
//!
//! ```no_run
//! # async fn example(client: truename::Client, rows: Vec<(String, String)>) -> Result<(), Box<dyn std::error::Error>> {
//! use tokio::task::JoinSet;
//! use truename::cmd;
//!
//! let mut calls = JoinSet::new();
//! for (key, value) in rows {
//!     // No more than a thousand at a time.
//!     if calls.len() >= 1000 {
//!         if let Some(outcome) = calls.join_next().await {
//!             outcome??;
//!         }
//!     }
//!     let client = client.clone();
//!     calls.spawn(async move { client.run(cmd("SET").arg(key).arg(value)).await });
//! }
//! for outcome in calls.join_all().await {
//!     outcome?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Memory
//!
//! - A [`Command`] borrows its arguments where it can, and is encoded when there is room for it: a call that waits costs its
//!   future, 400 bytes at most for a `GET` that returns a [`Reply`] (a test keeps it so), and what you gave it.
//! - Replies are slices of what was read. A [`Reply`], or [`Bytes`](bytes::Bytes) of 256 bytes and more, keeps the buffer
//!   that it came in (64 KiB or more) in memory for as long as you keep it; `String`, `Vec<u8>` and short `Bytes` are
//!   copies. See [`FromReply`].
//! - The memory of a large reply is given back when the reply is dropped.
//! - Nothing is allocated because a server announces a length: memory follows what arrived, up to [`Config::reply_limits`],
//!   and nesting does not multiply it. A reply beyond the limits is an [`Error::Protocol`] of its own call, and ends the
//!   connection: reads of others are sent again, their writes are reported.
//! - A topology has 2,000 nodes at most. Larger ones are refused as a whole.
//! - A [scan](crate::scan) keeps two pages of each node at most, of about [`Scan::count`](crate::scan::Scan::count) keys.
//! - Events wait in a ring of [`EVENT_CAPACITY`]; a slow receiver is told how many it missed.
//!
//! # Connections that are being made
//!
//! A client brings up a bounded number of connections at a time, whatever the size of the cluster. Every client has its own
//! share, so a silent cluster does not hold up the client of another cluster. A node that cannot be reached is dialled after
//! pauses that grow to about a second, however many calls need it.
//!
//! [`Client::connect`]: crate::Client::connect
//! [`Command::timeout`]: crate::Command::timeout
//! [`Command`]: crate::Command
//! [`Config::command_timeout`]: crate::Config::command_timeout
//! [`Config::connect_timeout`]: crate::Config::connect_timeout
//! [`Config::keepalive`]: crate::Config::keepalive
//! [`Config::lanes_per_node`]: crate::Config::lanes_per_node
//! [`Config::max_exclusive_connections`]: crate::Config::max_exclusive_connections
//! [`Config::max_in_flight`]: crate::Config::max_in_flight
//! [`Config::max_queued_bytes`]: crate::Config::max_queued_bytes
//! [`Config::node_connect_timeout`]: crate::Config::node_connect_timeout
//! [`Config::refresh_interval`]: crate::Config::refresh_interval
//! [`Config::reply_limits`]: crate::Config::reply_limits
//! [`Config::stall_timeout`]: crate::Config::stall_timeout
//! [`EVENT_CAPACITY`]: crate::EVENT_CAPACITY
//! [`Error::Connect`]: crate::Error::Connect
//! [`Error::Protocol`]: crate::Error::Protocol
//! [`Error::Timeout`]: crate::Error::Timeout
//! [`FromReply`]: crate::FromReply
//! [`Reply`]: crate::Reply
//! [`RouteError::NoExclusiveConnection`]: crate::error::RouteError::NoExclusiveConnection
