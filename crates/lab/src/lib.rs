//! Real Redis and Valkey clusters on loopback that announce their addresses as the cloud providers do.
//!
//! A client that works against `localhost` may still fail against a managed cluster: there the nodes announce
//! addresses that no certificate carries, that nobody listens on, or that change while the client runs. A lab
//! brings up real servers that do the same, without containers, root or a cloud account:
//!
//! ```no_run
//! # async fn example() -> Result<(), truename_lab::LabError> {
//! use truename_lab::{Lab, LabProfile};
//!
//! let mut lab = Lab::builder(LabProfile::Azure).start().await?;
//! let (host, port) = lab.seed(); // what a user would type
//! let trusted = lab.ca_pem_path(); // what a client should trust
//! let names = lab.resolve(); // where its names lead: the lab needs no DNS
//! # let _ = (host, port, trusted, names);
//! lab.node(0).kill(); // a crash
//! lab.wait_ready().await?; // its replica has taken over
//! lab.node(0).restart().await?;
//! lab.redeploy().await?; // all servers move to new addresses, with the data
//! # Ok(())
//! # }
//! ```
//!
//! Inventory: [`LabProfile`] says whom to imitate, [`LabConfig`] describes a lab, [`Lab`] is a running one with its
//! [`LabNode`]s. Inside, `subnet` finds a free loopback network, `plan` decides who listens where, `certificates`,
//! `nodes_conf` and `server_conf` write what servers read, `server` runs one process, `reaper` cleans up after a
//! process that died, `forward` is the front door, `fault` a proxy that does harm on demand, `admin` talks to the
//! servers, and `view` reads what they believe. Beside the servers may stand a [`DnsServer`], a [`SniFront`] and a
//! [`Silent`] address. [`LabError`] is whatever can go wrong. [`history`] judges what a client under test was answered.
//!
//! What stays true: every address is in 127.0.0.0/8 and every name ends in `.test`; labs side by side share nothing;
//! no process and no file outlives the lab, however its owner ends. Linux only: other systems have no loopback range.

mod accepting;
mod admin;
mod announce;
mod certificates;
mod cluster;
mod config;
mod dns;
mod error;
mod fault;
mod forward;
pub mod history;
mod node;
mod nodes_conf;
mod plan;
mod profile;
mod reaper;
mod server;
mod server_conf;
mod silent;
mod sni;
mod subnet;
mod user;
mod view;

pub use announce::Announce;
pub use certificates::{CertificateSpec, Issuer};
pub use cluster::Lab;
pub use cluster::failover::FailoverKind;
pub use config::LabConfig;
pub use dns::{DnsAnswer, DnsQuestion, DnsServer};
pub use error::LabError;
pub use fault::{Announced, Cut, CutPoint, Direction, Ending, Fault, FaultProxy, Traffic};
pub use forward::Forwarder;
pub use node::LabNode;
pub use profile::LabProfile;
pub use silent::Silent;
pub use sni::SniFront;
pub use truename_topology::Role;
