//! Which tokio runtimes may be used, what the client needs of them, and how a program ends.
//!
//! # Where connections live
//!
//! [`Client::connect`] has to be called within a tokio runtime that has its I/O and timers enabled. All connections of the
//! client live on that runtime, whoever needs them first. Calls may come from anywhere: from that runtime, from another one,
//! or from an executor that is not tokio's.
//!
//! | the client's runtime | replies come |
//! |---|---|
//! | multi-thread | at any time |
//! | current-thread | while something is in its `block_on` |
//! | shut down | no more: calls fail with an error that says so |
//!
//! A call ends within its deadline in any case, even while nothing drives the client's runtime, or while all of its workers
//! are blocked: deadlines are then kept by a thread of the process, `truename-clock`, which sleeps while nothing is due.
//!
//! # Multi-thread and current-thread
//!
//! On a multi-thread runtime the tasks of the connections run on any worker. On a current-thread one they take turns with
//! the program's own tasks on one thread, which costs less per command and scales to one core.
//!
//! Do not block in a task: a computation of a second in an `async` function keeps the connections of a current-thread runtime
//! from being read for a second, and may do the same on a worker of a multi-thread one. [`tokio::task::spawn_blocking`] is for
//! that. A client that was kept from running finds the replies that came meanwhile.
//!
//! # Synchronous programs
//!
//! [`blocking::Client`] is the client without `async`. It needs no runtime of the program's:
//!
//! ```no_run
//! use truename::blocking::Client;
//! use truename::cmd;
//!
//! # fn example() -> Result<(), truename::Error> {
//! let client = Client::open("rediss://:password@redis.example.net")?;
//! client.run(cmd("SET").arg("city").arg("Oslo"))?;
//! let city: Option<String> = client.execute(cmd("GET").arg("city"))?;
//! # Ok(())
//! # }
//! ```
//!
//! Whoever waits for a reply drives the connections: a call in a thread costs no switch to another one. Between calls a thread of
//! the client's own keeps them alive, replaces those that are closed and follows the topology. Threads share one client. Only
//! one of them can drive it at a time: of several that wait, one does, and wakes the others.
//!
//! A call is an [`Error::Config`](crate::Error::Config) on a thread that is polling tasks, because it would hold them up; nothing
//! is sent then. In a program that has a runtime, call it in [`tokio::task::spawn_blocking`], in `block_in_place`, or on a thread
//! of its own, whether or not the runtime is entered there:
//!
//! ```no_run
//! use truename::blocking::Client;
//! use truename::cmd;
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let visits = tokio::task::spawn_blocking(move || client.execute::<i64>(cmd("INCR").arg("visits")));
//! println!("{}", visits.await??);
//! # Ok(())
//! # }
//! ```
//!
//! # Other event loops
//!
//! A program whose loop is not tokio's, such as one in another language, starts a [`HostedClient`]: a client with a
//! current-thread runtime on a thread of its own. It takes commands in batches, from any thread. A callback says that there are
//! completions to take, and is called once for all that are there.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::mpsc::sync_channel;
//! use truename::hosted::{HostedClient, Request};
//! use truename::{Config, cmd};
//!
//! let (bell, rung) = sync_channel(1);
//! let config = Config::from_url("rediss://:password@redis.example.net")?;
//! let (hosted, completions) = HostedClient::start::<i64>(&config, move || drop(bell.try_send(())))?;
//!
//! // A thousand commands wake the client's thread once.
//! hosted.submit((0..1000).map(|token| Request::new(token, cmd("INCR").arg(format!("visits:{token}")))))?;
//!
//! let mut batch = Vec::new();
//! while hosted.outstanding() > 0 {
//!     rung.recv()?;
//!     completions.take(&mut batch);
//!     println!("{} more are done", batch.drain(..).count());
//! }
//! hosted.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! [`hosted`](crate::hosted) says what holds, and how it ends. A batch costs one wake-up in each direction, so it pays to
//! collect what one turn of the loop wants and to submit that at once. A hosted client does all of its work on one thread: on one, a
//! `GET` of 64 bytes took 0.45 µs of processor time with 1,024 callers (README, `make bench`, 2026-11-24).
//!
//! # Tests
//!
//! Each `#[tokio::test]` has a runtime of its own, which ends with the test. A client in a `static` lives on the runtime of
//! the test that made it and is of no use to the others: make one in each test, or make it on a runtime that is kept in the
//! `static` as well. Do not pause tokio's clock (`start_paused`): it jumps ahead whenever the client waits for a server, and
//! so past the client's deadlines.
//!
//! # How a program ends
//!
//! A hosted client ends [by itself](crate::hosted#how-it-ends), and so does a [blocking one](crate::blocking#how-it-ends). With a
//! runtime of your own:
//!
//! 1. Stop making calls, and drop those that wait without a limit, such as `BLPOP queue 0`, by a `select!` with your stop signal:
//!    nothing else wakes them. What such a call popped goes to [`Config::on_orphan`](crate::Config::on_orphan).
//! 2. [`Client::shutdown`] waits for those that are under way, no longer than you say, and closes the client. It also waits for
//!    what dropped calls of `BLPOP` and the like left behind; see [`Config::on_orphan`](crate::Config::on_orphan).
//! 3. Let the runtime end. If it ends first, every call that still waits gets an error; none hangs.
//!
//! [`Client::close`] does not wait: a connection ends once everything on it is answered. Dropping the last clone does the same.
//! So without a shutdown, await your calls first:
//!
//! ```no_run
//! # async fn example(client: truename::Client) {
//! use tokio::task::JoinSet;
//! use truename::cmd;
//!
//! let mut calls = JoinSet::new();
//! for n in 0..100 {
//!     let client = client.clone();
//!     calls.spawn(async move { client.run(cmd("SET").arg(format!("key:{n}")).arg(n)).await });
//! }
//! // Everything that was begun is finished before the client is closed.
//! for outcome in calls.join_all().await {
//!     if let Err(error) = outcome {
//!         eprintln!("{error}");
//!     }
//! }
//! client.close();
//! # }
//! ```
//!
//! # Panics
//!
//! A panic in the program's code that the client calls, such as a [`Resolve`](crate::Resolve) or a
//! [`NodeAddressMap`](crate::NodeAddressMap), is a failed attempt with the cause
//! [`Panicked`](crate::error::Cause::Panicked), and the next attempt is made all the same. This needs unwinding: with
//! `panic = "abort"` the process ends.
//!
//! [`blocking::Client`]: crate::blocking::Client
//! [`Client::close`]: crate::Client::close
//! [`Client::connect`]: crate::Client::connect
//! [`Client::shutdown`]: crate::Client::shutdown
//! [`HostedClient`]: crate::hosted::HostedClient
