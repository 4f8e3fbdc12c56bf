//! The feature is off: the same names, and nothing behind them.

use tokio::time::Instant;
use truename_topology::Endpoint;

/// Measures nothing.
#[derive(Debug)]
pub(crate) struct NodeMeter;

impl NodeMeter {
    pub(crate) fn new(_: &Endpoint) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn replied(&self, _: Instant, _: Instant) {}

    pub(crate) fn connected(&self) {}

    pub(crate) fn disconnected(&self) {}
}

pub(crate) fn redirected(_: &'static str) {}

pub(crate) fn resent(_: &'static str) {}

pub(crate) fn refreshed(_: &'static str) {}

pub(crate) fn orphaned(_: &'static str) {}
