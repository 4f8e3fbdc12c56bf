//! What every part of the router works on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::directory::Directory;
use crate::cluster::{Cluster, Counted};
use crate::error::Error;

/// Runs commands against the cluster's current topology.
#[derive(Debug)]
pub(crate) struct Router {
    pub(super) cluster: Arc<Cluster>,
    pub(super) directory: Directory,
}

impl Router {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, directory: Directory::default() }
    }

    /// A call begins: it is under way until what this returns is dropped. Waits until the cluster is found, within the call's
    /// time; `own` replaces the usual one.
    pub(crate) async fn begin_call(&self, own: Option<Duration>) -> Result<Counted, Error> {
        let (under_way, started) = (self.cluster.begin()?, Instant::now());
        self.cluster.found(started, started + own.unwrap_or(self.cluster.timing.command)).await?;
        Ok(under_way)
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}
