//! One connection, from the dial attempt to the pipelined lane.
//!
//! | part | what it is |
//! |---|---|
//! | [`attempt`] | one dial attempt: resolve, TCP, TLS, greeting, node id |
//! | [`facts`] | what is known about a connection |
//! | [`tcp`], [`sni`], [`identity`] | an attempt's steps: the socket, the name to ask for, the announced node or another |
//! | [`secured`] | the TLS handshake, and sessions that are resumed |
//! | [`trust`] | live connections, judged again when the TLS options change |
//! | [`probing`] | what else a port speaks |
//! | [`permits`] | how many connections are brought up at a time |
//! | [`addresses`] | a host with several addresses: when to go on to the next one |
//! | [`way`], [`known`] | the ways to a node; what is remembered of it between connections |
//! | [`step`], [`failure`] | the result of a step; from one that failed to the report of its attempt |
//! | [`target`], [`environment`] | a node to connect to; what every attempt of a client shares |
//! | [`connector`] | chooses where to dial a node and races the choices |
//! | [`greeting`] | the first exchange: `HELLO`, login, names, `CLUSTER MYID`, `CLIENT INFO` |
//! | [`fence`] | makes sure that a connection that was given up executes nothing any more |
//! | [`budget`] | what a reply may cost before commands are sent |
//! | [`wire`] | request and reply on a connection that is not yet shared |
//! | [`pipeline`], [`waiter`] | sans-IO: bytes out, replies in, who waits for which |
//! | [`lane`] | the callers' side of a pipeline |
//! | [`driver`] | the one future that reads and writes the socket |
//! | [`inbound`] | the driver's read buffer |
//! | [`coalesce`] | when the driver writes: whom it waits for |
//! | [`alarm`] | the one timer of a lane |
//! | [`inquiry`] | whether a node that is silent on a lane answers on another connection |
//! | [`overdue`] | deadlines while nothing drives the lane's runtime |
//! | [`task`] | a lane's life: connect, drive, back off, again |
//! | [`backoff`], [`closed`] | how long to wait before trying again; why there is no connection |
//! | [`transport`], [`io_cause`] | the stream under it all; what its errors say |
//! | [`remedy`] | what would fix a failed attempt |
//!
//! Invariants: nothing is sent before the peer's certificate was checked; a handshake that meets anything
//! unexpected ends its connection; a plaintext byte is never sent on a connection of a TLS client.

mod addresses;
mod alarm;
mod attempt;
mod backoff;
pub(crate) mod budget;
mod closed;
mod coalesce;
mod connector;
mod driver;
#[cfg(test)]
mod driver_tests;
mod environment;
mod facts;
mod failure;
mod fence;
mod greeting;
mod identity;
mod inbound;
mod inquiry;
mod io_cause;
mod known;
mod lane;
mod overdue;
mod permits;
mod pipeline;
#[cfg(test)]
mod pipeline_tests;
mod probing;
mod remedy;
#[cfg(test)]
mod room_tests;
mod secured;
#[cfg(test)]
mod silence_tests;
mod sni;
mod step;
mod target;
mod task;
mod tcp;
mod transport;
mod trust;
mod waiter;
mod way;
mod wire;
#[cfg(test)]
mod write_tests;

pub(crate) use attempt::Explain;
pub(crate) use backoff::Backoff;
pub(crate) use closed::CloseCause;
pub(crate) use connector::Connector;
pub(crate) use environment::Environment;
pub use facts::ConnectionFacts;
pub use greeting::Greeting;
pub(crate) use known::KnownNode;
pub(crate) use lane::{Lane, Phase as LanePhase, terms};
pub(crate) use pipeline::{Habit, Room};
pub(crate) use target::Target;
pub(crate) use task::{BACKOFF as RECONNECT, STABLE_AFTER};
pub(crate) use task::{LaneContext, LaneObserver, LaneOptions, spawn_connection, spawn_lane};
pub(crate) use transport::Transport;
pub(crate) use waiter::Failure;
pub(crate) use wire::Wire;

pub(crate) use greeting::{broken, refusal};
