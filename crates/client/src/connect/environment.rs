//! What every attempt of a client shares.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ClientConfig;

use super::greeting::Login;
use super::known::ProvedIds;
use super::permits::Permits;
use crate::config::plaintext::PlaintextGuard;
use crate::config::{Resolver, Timing};
use crate::tls::TlsContext;

/// What every attempt of a client shares.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `None` for a plaintext client, for its whole life. What it holds may be replaced.
    pub(crate) tls: Option<ArcSwap<TlsContext>>,
    /// For a plaintext client: finds out whether a port speaks TLS. Nothing is ever sent over it.
    pub(crate) probe_tls: Option<Arc<ClientConfig>>,
    pub(crate) resolver: Resolver,
    pub(crate) login: Login,
    pub(crate) timing: Timing,
    /// Keeps the credentials of a plaintext client from providers that speak TLS.
    pub(crate) guard: PlaintextGuard,
    pub(crate) permits: Permits,
    /// Nodes that reported their ids.
    pub(crate) proved: ProvedIds,
}
