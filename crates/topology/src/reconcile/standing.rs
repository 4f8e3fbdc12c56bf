//! [`Standing`]: what became of the known cluster.

/// What several views mean for the cluster that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// A view that counts as a seed's speaks of it, or there is no such view, or no cluster is known yet.
    Stays,
    /// Every view that counts as a seed's speaks of another cluster. But they are not more than the views that still speak of
    /// the known one, or do not agree with each other; so it stays, unless more views say otherwise.
    Contested,
    /// The map is that of another cluster.
    Replaced,
}
