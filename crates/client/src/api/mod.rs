//! What applications call: the client and what it says about its nodes.

mod client;

pub use client::{Client, NodeStatus};
