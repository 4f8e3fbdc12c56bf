//! Whether the vote of the start is still open: which cluster is meant, where addresses lead to several.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long the vote stays open while it is not decided.
const OPEN_FOR: Duration = Duration::from_secs(60);

/// Whether the seeds are asked which cluster is meant.
#[derive(Debug, Default)]
pub(super) struct StartVote(Mutex<Option<Open>>);

#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    until: Instant,
    pub(super) was_held: bool,
}

impl StartVote {
    /// One seed said where its cluster is, and there are others to ask.
    pub(super) fn open(&self) {
        *self.0.lock() = Some(Open { until: Instant::now() + OPEN_FOR, was_held: false });
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_now().is_some()
    }

    pub(super) fn open_now(&self) -> Option<Open> {
        self.0.lock().filter(|open| Instant::now() < open.until)
    }

    /// It was held once more.
    pub(super) fn record(&self, is_decided: bool) {
        let mut open = self.0.lock();
        *open = open.filter(|_| !is_decided).map(|open| Open { was_held: true, ..open });
    }
}
