//! What applications call: the client, batches of commands, and what the client reports about its nodes.

mod batch;
mod client;
mod on_nodes;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
