//! What happens when a future is dropped: by `select!`, by a time-out, or with the task that owns it.
//!
//! # A call
//!
//! | the future of [`Client::execute`] is dropped | what becomes of the command |
//! |---|---|
//! | before its first poll | it is not sent |
//! | while it waits for room, for a connection, or for the next attempt | it is not sent (again) |
//! | after it was handed to a connection that is up | it is executed, unless the connection ends before it has left; its reply is read and thrown away |
//! | while it waits on the server (`BLPOP`) | its wait is [ended there](#commands-that-wait-on-the-server); what was popped at that moment is not lost |
//!
//! In every case **no other call is affected**: replies stay with their calls, and the room that was taken is given to
//! others. A dropped call does not keep a connection alive either: the longer silence that its [`Command::timeout`] allowed
//! the server ends with it.
//!
//! What is lost is the answer to "was it executed?". So prefer the client's own deadline, which ends the call in time and
//! says so:
//!
//! ```no_run
//! # async fn example(client: truename::Client) {
//! use std::time::Duration;
//! use truename::cmd;
//!
//! let limit = Duration::from_millis(200);
//! // The error says whether the order may have been counted.
//! let counted = client.execute::<i64>(cmd("INCR").arg("orders").timeout(limit)).await;
//!
//! // Here nobody knows, unless the call ended in time.
//! let counted = tokio::time::timeout(limit, client.execute::<i64>(cmd("INCR").arg("orders"))).await;
//! # }
//! ```
//!
//! A write that has to be finished belongs in a task of its own, which nobody drops:
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use truename::cmd;
//!
//! let saved = tokio::spawn(async move { client.run(cmd("SET").arg("city").arg("Oslo")).await });
//! // Dropping the handle does not drop the call.
//! saved.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Commands that wait on the server
//!
//! `BLPOP queue 6` may wait for six seconds, and a call has five by default. Both hold, because the time that the server may
//! wait comes on top of the call's:
//!
//! | call | ends within |
//! |---|---|
//! | `GET key` | 5 s: [`Config::command_timeout`] |
//! | `BLPOP queue 6` | 11 s, with nil after six if nobody pushes |
//! | `BLPOP queue 0` | no limit: an element, the end of the connection, or the loss of the slot ends it |
//! | either of them with a [`Command::timeout`] of 2 s | 2 s, whatever the server was asked for |
//! | any of them while all [exclusive connections](crate::Config::max_exclusive_connections) are in use | 5 s, with [`RouteError::NoExclusiveConnection`], for those that get none |
//!
//! So let the server's time run out first where you can: its nil is certain, and nothing has to be found out.
//!
//! A call that ends before, because its future is dropped or its own deadline passes, may have popped an element at that very
//! moment. The client then ends the wait (`CLIENT UNBLOCK`, on another connection to the node), reads the reply, and uses
//! the connection again:
//!
//! | what comes back | what becomes of it |
//! |---|---|
//! | that nothing was popped, which is nearly always so | |
//! | an element | [`Config::on_orphan`] gets it, with the command's keys; [`Event::Orphaned`] and a [counter](super::features#metrics) say that there was one |
//! | nothing, since the connection was lost | the same, with an error: nobody knows |
//!
//! Where the server refuses `CLIENT UNBLOCK`, as some managed ones do, it depends on [`Config::on_orphan`]. With it, the
//! connection goes on waiting, and what comes in the end goes there. Without it, the connection is closed, which counts as
//! "nobody knows": going on would be sure to take an element that nobody gets. A [`Dedicated`](crate::Dedicated) connection is
//! closed either way.
//!
//! The same holds in a batch, even for what was answered before the batch was dropped, or before [`Batch::all`] met another
//! command's error.
//!
//! # A call that is not dropped and not polled
//!
//! A future in a `buffered` stream may be left alone for a while, since its consumer awaits something else. Room that it was
//! offered passes on to others after a moment, and so does the place for a connection of its own. Its deadline keeps running.
//!
//! # Everything else
//!
//! | dropped | what happens |
//! |---|---|
//! | [`Client::connect`], [`Client::open`] | nothing is left behind |
//! | [`Client::lazy`] | nothing is left behind |
//! | [`Client::transaction`] while its closure runs | nothing is executed, and the connection is closed |
//! | the same, once `EXEC` was sent | the commands are executed together, or not |
//! | a [`Dedicated`](crate::Dedicated), a [`Watch`](crate::Watch) | its connection is closed |
//! | [`Client::shutdown`] after its first poll | no more calls are taken; call it again, or [`Client::close`] |
//! | [`Client::replace_tls`] after its first poll | the new options may apply or not; call it again |
//! | [`Events::next`](crate::Events::next) | no event is lost |
//! | [`Keys::next`](crate::scan::Keys::next), [`Elements::next`](crate::scan::Elements::next) | no key and no element is lost |
//! | [`probe::examine`](crate::probe::examine) | its connections end |
//! | the last clone of a [`Client`] | its connections and tasks end; [`Client::close`] does that while clones remain |
//!
//! [`Client::close`]: crate::Client::close
//! [`Client::connect`]: crate::Client::connect
//! [`Client::execute`]: crate::Client::execute
//! [`Client::open`]: crate::Client::open
//! [`Client::lazy`]: crate::Client::lazy
//! [`Client::replace_tls`]: crate::Client::replace_tls
//! [`Client::shutdown`]: crate::Client::shutdown
//! [`Client::transaction`]: crate::Client::transaction
//! [`Client`]: crate::Client
//! [`Batch::all`]: crate::Batch::all
//! [`Command::timeout`]: crate::Command::timeout
//! [`Config::command_timeout`]: crate::Config::command_timeout
//! [`Config::on_orphan`]: crate::Config::on_orphan
//! [`Event::Orphaned`]: crate::Event::Orphaned
//! [`RouteError::NoExclusiveConnection`]: crate::error::RouteError::NoExclusiveConnection
