//! What applications call: the client, batches of commands, commands on many nodes, scripts, scans, and what the client reports about its nodes.

mod batch;
mod client;
mod on_nodes;
pub mod scan;
mod script;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
pub use script::{Script, ScriptCall};
