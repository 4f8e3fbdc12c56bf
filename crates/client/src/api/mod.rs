//! What applications call: the client, batches of commands, commands on many nodes, connections for one caller, monitors,
//! transactions, scripts, scans, and what the client reports about its nodes.

mod batch;
mod client;
mod decode;
mod dedicated;
mod monitor;
mod on_nodes;
pub mod scan;
mod script;
mod transaction;
mod watch;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
pub use dedicated::Dedicated;
pub use monitor::Monitor;
pub use on_nodes::EachNode;
pub use script::{Script, ScriptCall};
pub use transaction::{Committed, Transaction};
pub use watch::Watch;
