//! What every part of the router works on.

use std::sync::Arc;

use super::directory::Directory;
use crate::cluster::Cluster;

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

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}
