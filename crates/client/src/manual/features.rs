//! Cargo features, and how to see what a client does: metrics, events, log lines, facts about nodes.
//!
//! # Cargo features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `metrics` | off | counters and latency histograms through the facade [`metrics`](https://docs.rs/metrics) |
//! | `json` | off | `Json<T>`: replies and arguments that are JSON, with `serde` and `serde_json` |
//!
//! A feature adds and never changes behaviour. TLS is always included: rustls with ring. Of tokio the crate needs `net`, `rt`,
//! `time`, `sync`, `macros` and `io-util`; whether there is a multi-thread runtime (`rt-multi-thread`) is the program's
//! choice. The crates [`truename::resp`](crate::resp) and [`truename::topology`](crate::topology) are re-exported.
//!
//! # Metrics
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `truename_command_seconds` | histogram | `node` |
//! | `truename_connections_total` | counter | `node` |
//! | `truename_disconnections_total` | counter | `node` |
//! | `truename_orphans_total` | counter | `fate`: `taken` or `unknown`; see [`Config::on_orphan`](crate::Config::on_orphan) |
//! | `truename_redirects_total` | counter | `kind`: `moved` or `ask` |
//! | `truename_resends_total` | counter | `reason`: `refused`; `unanswered`, including for want of a connection; `raced` for a transaction |
//! | `truename_topology_refreshes_total` | counter | `outcome`: `changed`, `unchanged` or `failed` |
//!
//! `node` is the announced address. A command's time runs from when it was submitted to the read that held its reply: one
//! attempt, without pauses and attempts before it. What a client sends by itself on these connections, such as its `PING`s,
//! counts as well. Connections that only ask for the topology do not.
//!
//! Install the recorder before the client connects: the handles of a node are made once, when the node becomes known.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use metrics_util::debugging::DebuggingRecorder;
//! use truename::{Client, cmd};
//!
//! // Any recorder will do. This one keeps everything in memory.
//! let recorder = DebuggingRecorder::new();
//! let snapshotter = recorder.snapshotter();
//! recorder.install().map_err(|_| "there is another recorder")?;
//!
//! let client = Client::open("rediss://:password@redis.example.net").await?;
//! client.run(cmd("PING")).await?;
//! for (key, _, _, value) in snapshotter.snapshot().into_vec() {
//!     println!("{} {value:?}", key.key());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Events
//!
//! [`Client::events`] is a stream of [`Event`]s: connections that came up, or ended and why, topologies, redirects, disagreements
//! between nodes, elements popped for nobody, certificates and revocation lists that run out. Without a receiver they cost
//! nothing, and a receiver cannot slow the client down: one that lags behind by more than [`EVENT_CAPACITY`] gets a
//! [`Notice::Missed`](crate::Notice::Missed) with the number. [`Events`](crate::Events) has an example.
//!
//! # Log lines
//!
//! Log lines go through the facade [`tracing`](https://docs.rs/tracing), with targets that begin with `truename`. None is
//! written per command, and none contains a password, a key or an argument.
//!
//! | level | what |
//! |---|---|
//! | `warn` | a key file that everybody can read, an outdated revocation list, a waker of the program's that panicked |
//! | `debug` | connections made, lost and replaced, topologies, disagreements, refreshes that failed, silent servers |
//! | `trace` | what servers push |
//!
//! # Facts about nodes
//!
//! [`Client::nodes`] lists every node: whether it is connected and, for its latest connection, where it was dialled, which
//! name its certificate proved, the TLS version, and what the server says about itself
//! ([`ConnectionFacts`](crate::ConnectionFacts)). [`Config::warnings`](crate::Config::warnings) is for the start of a
//! program, [`probe::examine`](crate::probe::examine) for a look without a client. `CLIENT LIST` shows the connections with
//! the name of [`Config::client_name`](crate::Config::client_name) and the library `truename` (servers from 7.2 on).
//!
//! [`Client::events`]: crate::Client::events
//! [`Client::nodes`]: crate::Client::nodes
//! [`EVENT_CAPACITY`]: crate::EVENT_CAPACITY
//! [`Event`]: crate::Event
