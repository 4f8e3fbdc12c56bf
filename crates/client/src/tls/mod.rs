//! TLS: what the user configures, and the shared state that every connection of a client uses.
//!
//! - [`Tls`] is the configuration: roots, client certificate, and the `danger_*` ways out.
//! - [`Certificate`] is what a peer presented, for reports.
//! - `TlsContext` turns the configuration into one `rustls::ClientConfig` per set of identities.
//! - `roots` loads them, and knows a user's own authority from a public one.
//! - `IdentityVerifier` checks the chain first, then the names.
//!
//! Invariants: a connection is verified for the identities of *its* node; sessions are resumed only by a node
//! with the same identities, so that a resumed session was verified for them; nothing secret is in `Debug`.

mod certificate;
mod context;
mod options;
mod roots;
mod verifier;

pub use certificate::{Certificate, UtcMinute};
pub(crate) use context::{TlsContext, classify_tls_error};
pub use options::Tls;
