//! What applications call: the client, batches of commands, scans, and what the client reports about its nodes.

mod batch;
mod client;
pub mod scan;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
