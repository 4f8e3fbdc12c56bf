//! How many requests are between their submission and the taking of their completion.
//!
//! Invariant: never more than the limit, so neither those who submit too much nor those who take nothing fill the memory.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many requests a hosted client may have outstanding: submitted, and their completions not taken. One that is under way
/// costs about a kibibyte and its arguments. Whoever wants fewer looks at
/// [`HostedClient::outstanding`](super::HostedClient::outstanding) before submitting more.
pub const CAPACITY: usize = 1 << 20;

/// The count. It guards nothing else, so its order among other accesses does not matter.
#[derive(Debug)]
pub(super) struct Outstanding {
    count: AtomicUsize,
    limit: usize,
}

impl Outstanding {
    pub(super) fn up_to(limit: usize) -> Self {
        Self { count: AtomicUsize::new(0), limit }
    }

    /// Counts as many of the `wanted` as there is room for; returns how many.
    pub(super) fn admit(&self, wanted: usize) -> usize {
        let admitted = |count: usize| wanted.min(self.limit - count);
        let before = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count + admitted(count)))
            .expect("the closure always gives a value");
        admitted(before)
    }

    /// So many were taken back.
    pub(super) fn settle(&self, count: usize) {
        self.count.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_is_room_for() {
        let outstanding = Outstanding::up_to(10);
        assert_eq!([6, 6, 6].map(|wanted| outstanding.admit(wanted)), [6, 4, 0]);
        outstanding.settle(3);
        assert_eq!((outstanding.admit(9), outstanding.count()), (3, 10));
    }
}
