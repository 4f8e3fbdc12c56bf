//! TLS: what the user configures, and the shared state that every connection of a client uses.
//!
//! - [`Tls`] (`options`) is the configuration: roots, pins, revocation lists, client certificate, and the `danger_*`
//!   ways out; [`TlsVersion`] is one of its values, and [`warn_if_exposed`] warns about secret files that others can
//!   read.
//! - `TlsContext` turns the configuration into one `rustls::ClientConfig` per set of identities.
//! - `causes` says what a failed handshake means.
//! - `roots` loads them, and tells a user's own authority from a public one; `pins` knows the acceptable keys,
//!   `revocation` the lists.
//! - `IdentityVerifier` checks the chain first, then revocation, then the names, then the pins.
//! - `Presented` is what a live connection's peer presented, to be judged again when the options change.
//!
//! Invariants: a connection is verified for the identities of *its* node; sessions are resumed only by a node
//! with the same identities and pins, and what was presented then is checked again each time; nothing secret is in `Debug`.

mod causes;
mod context;
mod exposed;
mod options;
mod pins;
mod presented;
mod revocation;
mod roots;
mod verifier;
mod version;

pub(crate) use causes::classify_tls_error;
pub(crate) use context::{TlsContext, server_name};
pub use exposed::warn_if_exposed;
pub use options::Tls;
pub(crate) use presented::Presented;
pub(crate) use revocation::Outdated;
pub use version::TlsVersion;
