//! What applications call: the client, batches of commands, connections for one caller, transactions, and what the client reports about its nodes.

mod batch;
mod client;
mod dedicated;
mod transaction;

pub use batch::Batch;
pub use client::{Client, NodeStatus};
pub use dedicated::Dedicated;
pub use transaction::{Committed, Transaction};
