//! A client that owns its runtime: for event loops that are not Rust's, and for programs without any.
//!
//! [`HostedClient::start`] makes a [`Client`](crate::Client) on a thread of its own. Requests are submitted in batches from
//! any thread, and their completions are taken in batches on any thread. Nothing here is `async`: that there is something to
//! take is told by a callback, which rings whatever bell the program's own loop listens to: a condition variable, a byte
//! into a pipe, an `eventfd`, a thread-safe function of Node.
//!
//! # Examples
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::mpsc::sync_channel;
//! use truename::hosted::{HostedClient, Request};
//! use truename::{Config, Reply, cmd};
//!
//! // The bell: one signal is kept until somebody comes for it.
//! let (bell, rung) = sync_channel(1);
//! let ring = move || drop(bell.try_send(()));
//!
//! let config = Config::from_url("rediss://:password@redis.example.net")?;
//! let (hosted, completions) = HostedClient::start::<Reply>(&config, ring)?;
//!
//! let requests = (0..1000).map(|token| Request::new(token, cmd("INCR").arg(format!("key:{token}"))));
//! hosted.submit(requests)?;
//!
//! let mut batch = Vec::new();
//! while hosted.outstanding() > 0 {
//!     rung.recv()?;
//!     completions.take(&mut batch);
//!     for completion in batch.drain(..) {
//!         match completion.outcome {
//!             Ok(reply) => println!("{}: {reply:?}", completion.token),
//!             Err(error) => eprintln!("{}: {error}", completion.token),
//!         }
//!     }
//! }
//! hosted.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//! - **One completion for each request** that was submitted, whatever happens: an outcome, or an error that says truthfully
//!   whether the command may have been executed.
//! - **One wake-up per batch in each direction.** A batch wakes the client's thread at most once, and not at all while that
//!   is awake. The callback is called when there is something to take and there was nothing before, and once at the end.
//! - **Order.** Requests are submitted to the client in the order of their batch, and batches in the order in which
//!   [`HostedClient::submit`] took them: commands of one slot are executed in that order, on the
//!   [terms of every call](crate::manual::ordering).
//! - **Bounds.** At most [`CAPACITY`] requests are outstanding: submitted, and their completions not taken. What exceeds it
//!   is handed back. The limits of [`Config`](crate::Config) apply as they do to any call: what a connection has no room
//!   for waits within its own deadline.
//! - A request cannot be withdrawn. Whoever does not want its completion any more ignores it; to limit how long a command
//!   may take, set [`Command::timeout`](crate::Command::timeout), which counts from when the client's thread takes the
//!   request.
//!
//! # Threads
//! The client's thread (`truename-client`) runs the connections, the calls and the callback, so a callback that takes long
//! holds up all of them. It may do anything else: submit requests, take completions, drop the client. If it panics, the
//! panic is caught and logged.
//!
//! Name lookups and files are read on other threads (`truename-block`), which end when they have had nothing to do for a
//! while.
//!
//! # How it ends
//! | | requests that are outstanding | waits for the thread |
//! |---|---|---|
//! | [`HostedClient::close`] | get their outcome | no |
//! | [`HostedClient::shutdown`] | get their outcome | yes |
//! | drop | are completed at once, most of them with an error | no |
//!
//! In each case their completions can still be taken, the thread ends by itself after the last one, and the callback is
//! called a last time when that is there to be taken ([`Completions::is_over`]).

// | part | what it is |
// |---|---|
// | `request` | what goes in and what comes out |
// | `outstanding` | how many of them are between the two |
// | `inbox` | requests on their way to the thread |
// | `outbox`, `completions` | completions on their way back; the public end of it |
// | `call` | from a request to its completion: the only part that knows the kind of reply |
// | `turns` | what the thread does each time it is woken |
// | `thread` | its life |
// | `client` | the public type |

mod call;
mod client;
mod completions;
mod inbox;
mod outbox;
mod outstanding;
mod request;
mod thread;
mod turns;

pub use client::HostedClient;
pub use completions::Completions;
pub use outstanding::CAPACITY;
pub use request::{Completion, Refused, Request};
