//! A Redis and Valkey Cluster client that verifies every node, whatever address the cluster announces for it.
//!
//! ```no_run
//! use truename::{Client, cmd};
//!
//! # async fn example() -> Result<(), truename::Error> {
//! let client = Client::open("rediss://:password@my-redis.example.net:10000").await?;
//! client.run(cmd("SET").arg("city").arg("Oslo")).await?;
//! let city: String = client.execute(cmd("GET").arg("city")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A cluster tells its clients where its nodes are. Managed and private ones announce IP addresses that no certificate
//! carries, addresses that cannot be reached from outside, or ports that change. This client keeps two questions
//! apart, *where do I dial?* and *who must answer?*, and answers both by default: a node may prove
//! the name of the seed that led to it, or what it announced, if that is in scope ([`topology::Scope`]); and an
//! announced address that does not answer is tried at the seed's host, unless a rule or the provider's profile says where
//! to dial. See [`Config`] for rules and [`topology::address`] for what exactly is accepted.
//!
//! Start with [`Client`], [`Config`] (or [`Config::from_env`]) and [`Error`]; [`blocking`] is the client without `async`, and [`hosted`] is for programs
//! without a tokio runtime. The [`manual`] explains behaviour in chapters:
//!
//! - [redirects and the topology](manual::redirects)
//! - [retries, and what an error says about execution](manual::retries)
//! - [identity: TLS behind NAT, private endpoints, tunnels, in Docker and Kubernetes](manual::identity)
//! - [keys of several slots, and commands for all nodes](manual::several_nodes)
//! - [locks, and what they cannot promise](manual::locks)
//! - [the order of commands](manual::ordering)
//! - [dropped futures](manual::cancellation)
//! - [runtimes, and how a program ends](manual::runtimes)
//! - [limits, memory and time-outs](manual::bounds)
//! - [cargo features, metrics, events and log lines](manual::features)
//! - [coming from redis-rs, fred or node-redis](manual::migrating)

mod api;
pub mod blocking;
mod certificate;
mod clock;
mod cluster;
pub mod command;
mod config;
mod connect;
pub mod error;
mod event;
mod from_reply;
pub mod hosted;
#[cfg(feature = "json")]
mod json;
mod lane;
pub mod manual;
mod observe;
mod panics;
pub mod probe;
mod router;
mod runtime;
mod tls;

// The public interface is:
pub use api::{
    Batch, Client, Committed, Dedicated, EachNode, Monitor, NodeStatus, Script, ScriptCall, Transaction,
    Watch, scan,
};
pub use certificate::{Certificate, UtcMinute};
pub use command::{Command, ToArg, ToArgs, cmd};
pub use config::settings::Settings;
pub use config::{
    Config, Credentials, Lookup, NodeAddressMap, Orphan, Protocol, ReadFrom, Resolve, environment, url,
};
pub use connect::{ConnectionFacts, Greeting};
pub use error::Error;
pub use event::{CAPACITY as EVENT_CAPACITY, CERTIFICATE_NOTICE_DAYS, Event, Events, Notice};
pub use from_reply::FromReply;
#[cfg(feature = "json")]
pub use json::Json;
pub use tls::{Tls, TlsVersion, warn_if_exposed};
pub use truename_resp as resp;
pub use truename_resp::{RawFrame, Reply, Untrusted};
pub use truename_topology as topology;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
