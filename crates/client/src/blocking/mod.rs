//! The client without `async`: for scripts, tests and programs that have a thread for each piece of work.
//!
//! ```no_run
//! use truename::blocking::Client;
//! use truename::cmd;
//!
//! fn main() -> Result<(), truename::Error> {
//!     let client = Client::open("rediss://:password@my-redis.example.net:10000")?;
//!     client.run(cmd("SET").arg("city").arg("Oslo"))?;
//!     let city: String = client.execute(cmd("GET").arg("city"))?;
//!     println!("{city}");
//!     Ok(())
//! }
//! ```
//!
//! It is [`truename::Client`](crate::Client) with the same commands, routing, retries, deadlines and errors. What has no method
//! here is reached with [`Client::client`] and [`Client::block_on`].
//!
//! # Threads
//! Threads share one client, by reference or by clone. A thread that waits for a reply drives the connections itself, so nothing
//! is handed from thread to thread; of several that wait, one does it for all of them. Between calls a thread of the client's
//! own (`truename-keeper`) does: it keeps connections alive, notices those that are closed and makes new ones, and follows the
//! topology. It steps aside for any call, and steps in again once no call has waited for some milliseconds.
//!
//! So callers' threads do all work of the client, also that of others: handshakes, certificates, the user's own code in
//! [`Config::on_orphan`], address maps and resolvers. None of that should block, nor a conversion of a reply take long.
//!
//! # Inside of a runtime
//! A call blocks its thread, so it must not be made on one that polls tasks: there it is an error ([`Error::Config`]) and nothing
//! is sent. [`spawn_blocking`], [`block_in_place`] and threads of one's own are right; which runtime they belong to does not matter.
//!
//! | called | |
//! |---|---|
//! | on a thread without a runtime | works |
//! | in `spawn_blocking`, `block_in_place`, or with a runtime entered (`Handle::enter`) | works |
//! | in a task, or in the future of `block_on`: all of an `async fn` | is an error |
//!
//! # How it ends
//! When the last clone is dropped, connections are closed and the client's thread ends, at most a second later: it settles what
//! calls left behind, such as an element that was popped for nobody ([`Config::on_orphan`]). Dropping never waits for that, and
//! may be done anywhere; a program that ends right then should wait for [`Client::shutdown`] before. Clones of
//! [`Client::client`] get no replies once the client is gone.
//!
//! A process that forks connects after the fork: threads, which drive connections and deadlines, do not exist in the child.
//!
//! [`Error::Config`]: crate::Error::Config
//! [`Config::on_orphan`]: crate::Config::on_orphan
//! [`spawn_blocking`]: tokio::task::spawn_blocking
//! [`block_in_place`]: https://docs.rs/tokio/latest/tokio/task/fn.block_in_place.html

// | part | what it is |
// |---|---|
// | `polling` | whether this thread may block |
// | `driver` | who drives the connections, and when |
// | `client`, `batch` | the public types |

mod batch;
mod client;
mod driver;
mod polling;

pub use batch::Batch;
pub use client::Client;
