//! Faults on the way between a client and a node, by a TCP proxy that is controlled while it runs.
//!
//! - `vocabulary`: what can be asked for: [`Fault`], [`Cut`] and their parts
//! - `proxy`: the handle, [`FaultProxy`]
//! - `shared`, `orders`: what its tasks share with it, and what they are told
//! - `accept`: the listeners
//! - `connection`: one connection and how it ends
//! - `pump`: one direction of a connection
//! - `replies`: where replies end in the stream
//! - `rewrite`: other endpoints in `CLUSTER SLOTS`, `MOVED` and `ASK`
//! - `traffic`: what has been counted
//!
//! What stays true: bytes keep their order and none is invented, lost or changed unless that very fault was asked
//! for; what was forwarded to the server is executed, because the server always sees an orderly end; everything
//! ends when the proxy is dropped.

mod accept;
mod connection;
mod orders;
mod proxy;
mod pump;
mod replies;
mod rewrite;
mod shared;
#[cfg(test)]
mod tests;
mod traffic;
mod vocabulary;

pub use proxy::FaultProxy;
pub use rewrite::Announced;
pub use traffic::Traffic;
pub use vocabulary::{Cut, CutPoint, Direction, Ending, Fault};
