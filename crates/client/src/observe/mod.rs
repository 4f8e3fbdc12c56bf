//! Counters and latency histograms per node, behind the `metrics` facade.
//!
//! With the cargo feature `metrics` they go to whatever recorder the application installed; without it every
//! method is empty and compiles to nothing. `recorded` is the one form, `silent` the other. [The manual] lists them.
//!
//! [The manual]: crate::manual::features

#[cfg(feature = "metrics")]
mod recorded;
#[cfg(feature = "metrics")]
pub(crate) use recorded::{NodeMeter, orphaned, redirected, refreshed, resent};

#[cfg(not(feature = "metrics"))]
mod silent;
#[cfg(not(feature = "metrics"))]
pub(crate) use silent::{NodeMeter, orphaned, redirected, refreshed, resent};
