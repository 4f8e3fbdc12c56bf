//! What applications call: the client, batches of commands, and what the client reports about its nodes.

mod batch;
mod client;
mod on_nodes;
mod script;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
pub use script::{Script, ScriptCall};
