//! Counters and latency histograms per node, behind the `metrics` facade.
//!
//! With the cargo feature `metrics` they go to whatever recorder the application installed; without it every
//! method is empty and compiles to nothing. `recorded` is the one form, `silent` the other.
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `truename_command_seconds` | histogram | `node` |
//! | `truename_connections_total` | counter | `node` |
//! | `truename_disconnections_total` | counter | `node` |
//! | `truename_redirects_total` | counter | `kind`: `moved` or `ask` |
//! | `truename_resends_total` | counter | `reason`: `refused` or `unanswered` |
//! | `truename_topology_refreshes_total` | counter | `outcome`: `changed`, `unchanged` or `failed` |
//!
//! `node` is the announced address. A command's time runs from its submission to the read that held its reply.

#[cfg(feature = "metrics")]
mod recorded;
#[cfg(feature = "metrics")]
pub(crate) use recorded::{NodeMeter, redirected, refreshed, resent};

#[cfg(not(feature = "metrics"))]
mod silent;
#[cfg(not(feature = "metrics"))]
pub(crate) use silent::{NodeMeter, redirected, refreshed, resent};
