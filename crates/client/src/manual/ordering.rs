//! In which order commands are executed: what is promised between the calls of a task, of several tasks, and across slots.
//!
//! # What is promised
//!
//! - **A call that has succeeded comes before a call that is made afterwards**, by any task and for any key: a reply means
//!   that the command was executed. Await one call before you make the next, and their order is certain.
//! - **Commands of one slot share a connection** to their primary, in the order in which they are submitted, and a server
//!   executes the commands of a connection in their order. A command is submitted when its future is first polled.
//! - A node whose description changes, to another host name for example, keeps that order: its connections are replaced when
//!   everything on them is answered, and what is submitted meanwhile waits.
//! - Every call gets the reply to its own command, however many share the connection and however many were dropped.
//!
//! # What is not
//!
//! The second promise holds for commands that are under way at the same time, as long as none of them
//!
//! - is redirected, refused for now, or sent again: the others do not wait for it;
//! - waits for room, because [`Config::max_in_flight`] or [`Config::max_queued_bytes`] is reached;
//! - has a connection of its own because it waits on the server, such as `BLPOP`;
//! - goes to another node on request: [`ReadFrom`] with replicas, for all commands or for one, [`Command::route_to`];
//! - is one that the client has to ask a server about first, see [`Command`].
//!
//! No order is promised between commands of different slots, nor between commands without a key, unless one call succeeds
//! before the other is made. With [`Config::lanes_per_node`] above 1, two slots of one node may be on different connections.
//!
//! Nothing is atomic across calls: commands of others may come in between. `MULTI` is refused, since connections are shared; an
//! [atomic batch](crate::Batch::atomic) is a transaction, and a script (`EVAL`) is executed in one piece.
//!
//! # Tasks and clones
//!
//! Clones of a [`Client`] are the same client, and use the same connections. Calls of different tasks have the order in
//! which their futures are first polled, which programs usually do not know. Where it matters, let one task send a message
//! once its call has succeeded, and the other one wait for it: then the first promise holds.
//!
//! # Pipelines
//!
//! There is no pipeline to fill: calls that are polled together are written together. Replies are awaited separately, and
//! one error is the error of one call. For many commands at once, a [batch](crate::Batch) costs less than as many calls. Each
//! has an outcome of its own, too, and the [order](crate::Batch#order) of one slot's commands holds even while they wait for
//! room or for their node; in an [ordered](crate::Batch::ordered) one it also holds when some are redirected or refused.
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! // Three commands under way at the same time. The first two are of one slot; the third one may be on another node.
//! let (name, visits, total) = tokio::try_join!(
//!     client.execute::<Option<String>>(cmd("GET").arg("{user:42}:name")),
//!     client.execute::<i64>(cmd("INCR").arg("{user:42}:visits")),
//!     client.execute::<i64>(cmd("INCR").arg("visits")),
//! )?;
//!
//! // Whoever finds the user in the list finds the hash as well: the first call has succeeded.
//! client.run(cmd("HSET").arg("user:42").arg("name").arg("Ada")).await?;
//! client.run(cmd("RPUSH").arg("users").arg("user:42")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # After an error
//!
//! A command whose fate is unknown ([`Error::may_have_executed`](crate::Error::may_have_executed)) may still be executed
//! while its connection lives, in its place among the commands there. If the client gave the connection up, see
//! [`retries`](super::retries#writes).
//!
//! All of this is the order at the primaries. A replica follows later, so a read from it may not find what a call has
//! written; and a primary that fails may lose what it had not replicated. That is the servers' part.
//!
//! [`Client`]: crate::Client
//! [`Command::route_to`]: crate::Command::route_to
//! [`Command`]: crate::Command
//! [`Config::lanes_per_node`]: crate::Config::lanes_per_node
//! [`Config::max_in_flight`]: crate::Config::max_in_flight
//! [`Config::max_queued_bytes`]: crate::Config::max_queued_bytes
//! [`ReadFrom`]: crate::ReadFrom
