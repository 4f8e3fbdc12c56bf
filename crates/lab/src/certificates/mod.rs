//! Certificates of a lab: an authority of its own, one leaf per node, and faulty leaves on demand.
//!
//! - `spec`: what a certificate should be like
//! - `authority`: issues what is asked for
//!
//! Leaves carry both extended key usages by default: on the cluster bus a node is client and server at once, and a
//! leaf without `clientAuth` keeps a TLS cluster from ever forming, even with `tls-auth-clients no`.

mod authority;
mod spec;

pub(crate) use authority::{Authority, Leaf};
pub use spec::{CertificateSpec, Issuer};
