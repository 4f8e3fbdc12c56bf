//! Whether the vote of the start is still open: which cluster is meant, where addresses lead to several.

use std::time::Duration;

use tokio::time::Instant;

/// How long the vote stays open while it is not decided.
const OPEN_FOR: Duration = Duration::from_secs(60);

/// Whether the seeds are asked which cluster is meant.
#[derive(Debug)]
pub(super) struct StartVote {
    open: Option<Open>,
    is_due: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    until: Instant,
    pub(super) was_held: bool,
}

impl StartVote {
    /// One of this many seeds said where its cluster is, which is looked into at once. There is nobody to ask besides an
    /// only seed.
    pub(super) fn among(seeds: usize) -> Self {
        let open = Open { until: Instant::now() + OPEN_FOR, was_held: false };
        Self { open: (seeds > 1).then_some(open), is_due: true }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_now().is_some()
    }

    /// True once: the next refresh is due at once.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    pub(super) fn open_now(&self) -> Option<Open> {
        self.open.filter(|open| Instant::now() < open.until)
    }

    /// It was held once more.
    pub(super) fn record(&mut self, is_decided: bool) {
        self.open = self.open.filter(|_| !is_decided).map(|open| Open { was_held: true, ..open });
    }
}
