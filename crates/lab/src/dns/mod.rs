//! A name server that tells what it is told to tell: addresses, aliases, failures, or nothing at all.
//!
//! - `records`: what is known, and the reply to a question; no socket
//! - `server`: the handle, [`DnsServer`], and its UDP and TCP sockets
//!
//! What stays true: it asks no other server, and a name that it was not told about does not exist.

mod records;
mod server;

pub use records::{DnsAnswer, DnsQuestion};
pub use server::DnsServer;
