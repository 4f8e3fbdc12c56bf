//! What happens when a future is dropped: by `select!`, by a time-out, or with the task that owns it.
//!
//! # A call
//!
//! | the future of [`Client::execute`] is dropped | what becomes of the command |
//! |---|---|
//! | before its first poll | it is not sent |
//! | while it waits for room, for a connection, or for the next attempt | it is not sent (again) |
//! | after it was handed to a connection that is up | it is executed, unless the connection ends before it has left; its reply is read and thrown away |
//! | while it waits on the server (`BLPOP`) | its connection is closed; once the server has noticed that, no element goes to it any more |
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
//! // To drop the handle is not to drop the call.
//! saved.await??;
//! # Ok(())
//! # }
//! ```
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
//! [`Client::replace_tls`]: crate::Client::replace_tls
//! [`Client`]: crate::Client
//! [`Command::timeout`]: crate::Command::timeout
