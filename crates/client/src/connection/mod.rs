//! One connection, from the dial attempt to the pipelined lane.
//!
//! | part | what it is |
//! |---|---|
//! | [`attempt`] | one dial attempt: resolve, TCP, TLS, greeting, node id |
//! | [`connector`] | chooses where to dial a node and races the choices |
//! | [`greeting`] | the first exchange: `HELLO`, login, names, `CLUSTER MYID`, `CLIENT INFO` |
//! | [`fence`] | makes sure that a connection that was given up executes nothing any more |
//! | [`wire`] | request and reply on a connection that is not yet shared |
//! | [`pipeline`], [`waiter`] | sans-IO: bytes out, replies in, who waits for which |
//! | [`lane`] | the callers' side of a pipeline |
//! | [`driver`] | the one future that reads and writes the socket |
//! | [`coalesce`] | when the driver writes: whom it waits for |
//! | [`alarm`] | the one timer of a lane |
//! | [`task`] | a lane's life: connect, drive, back off, again |
//! | [`remedy`] | what would fix a failed attempt |
//!
//! Invariants: nothing is sent before the peer's certificate was checked; a handshake that meets anything
//! unexpected ends its connection; a plaintext byte is never sent on a connection of a TLS client.

mod alarm;
mod attempt;
mod backoff;
mod closed;
mod coalesce;
mod connector;
mod driver;
#[cfg(test)]
mod driver_tests;
mod fence;
mod greeting;
mod lane;
mod pipeline;
#[cfg(test)]
mod pipeline_tests;
mod remedy;
mod task;
mod transport;
mod waiter;
mod wire;
#[cfg(test)]
mod write_tests;

pub use attempt::ConnectionFacts;
pub(crate) use attempt::Explain;
pub(crate) use backoff::Backoff;
pub(crate) use closed::CloseCause;
pub(crate) use connector::{Connector, Environment, Target};
pub use greeting::Greeting;
pub(crate) use lane::{Lane, Phase as LanePhase, terms};
pub(crate) use pipeline::Room;
pub(crate) use task::{LaneObserver, LaneOptions, spawn_lane};
pub(crate) use transport::Transport;
pub(crate) use waiter::Failure;
pub(crate) use wire::Wire;

pub(crate) use greeting::{broken, refusal};
