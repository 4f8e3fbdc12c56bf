//! Making one connection to one node: from where to dial it to the end of the greeting.
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
//! | [`adopt`] | whether a connection made for one target will do for another |
//! | [`connector`] | chooses where to dial a node and races the choices |
//! | [`examine`] | the choices one after the other, each reported |
//! | [`greeting`] | the first exchange: `HELLO`, login, names, `CLUSTER MYID`, `CLIENT INFO` |
//! | [`budget`] | what a reply may cost before commands are sent |
//! | [`wire`] | request and reply on a connection that is not yet shared |
//! | [`transport`], [`io_cause`] | the stream under it all; what its errors say |
//!
//! Invariants: nothing is sent before the peer's certificate was checked; a handshake that meets anything
//! unexpected ends its connection; a plaintext byte is never sent on a connection of a TLS client.

mod addresses;
mod adopt;
mod attempt;
pub(crate) mod budget;
mod connector;
mod environment;
mod examine;
mod facts;
mod failure;
mod greeting;
mod identity;
mod io_cause;
mod known;
mod permits;
mod probing;
mod secured;
mod sni;
mod step;
mod target;
mod tcp;
mod transport;
mod trust;
mod way;
mod wire;

pub(crate) use attempt::{Connected, Explain};
pub(crate) use connector::Connector;
pub(crate) use environment::Environment;
pub use facts::ConnectionFacts;
pub use greeting::Greeting;
pub(crate) use greeting::{handshake_cause, hide_secret, refusal, without_secret};
pub(crate) use io_cause::is_closed;
pub(crate) use known::KnownNode;
pub(crate) use target::Target;
pub(crate) use transport::{Carrier, Transport};
#[cfg(test)]
pub(crate) use trust::LiveConnections;
pub(crate) use trust::{Driven, PeerTrust};
pub(crate) use wire::{Wire, WireError};
