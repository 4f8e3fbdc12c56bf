//! What applications call: the client and what it says of its nodes.

mod client;

pub use client::{Client, NodeStatus};
