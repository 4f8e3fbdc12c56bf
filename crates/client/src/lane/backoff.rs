//! How long to wait before trying again: exponential with full jitter.

use std::time::Duration;

/// Delays that grow from `first` to `most`. Every delay is drawn evenly from zero to its bound, so that many
/// clients that failed together do not return together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0 }
    }

    /// The bound of the next delay.
    fn bound(&self) -> Duration {
        self.first.saturating_mul(1 << self.failures.min(20)).min(self.most)
    }

    /// The next delay. Never less than a hundredth of its bound, so that it is never a busy loop.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(fastrand::f64().max(0.01))
    }

    /// The next delay, from the upper half of its bound: for what is repeated at a pace, not retried.
    pub(crate) fn next_pace(&mut self) -> Duration {
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_most() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        let bounds: Vec<u128> = (0..7)
            .map(|_| {
                let bound = backoff.bound();
                let delay = backoff.next_delay();
                assert!(delay <= bound && delay >= bound / 101, "{delay:?} of {bound:?}");
                bound.as_millis()
            })
            .collect();
        assert_eq!(bounds, [50, 100, 200, 400, 800, 1000, 1000]);
        let pace = backoff.next_pace();
        assert!(pace >= Duration::from_millis(500) && pace <= Duration::from_secs(1), "{pace:?}");
        backoff.reset();
        assert_eq!(backoff.bound(), Duration::from_millis(50));
    }
}
