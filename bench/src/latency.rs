//! Latencies, kept exactly: one number per call in a vector whose memory is set aside before the measurement.

use std::time::Duration;

use serde::Serialize;

/// How many latencies all tasks of a run keep together.
const BUDGET: usize = 4_000_000;
const LEAST_PER_TASK: usize = 2_000;

/// The latencies that one task saw, in steps of 0.1 µs.
#[derive(Debug)]
pub(crate) struct Samples {
    steps: Vec<u32>,
    /// How many did not fit.
    missed: u64,
}

impl Samples {
    pub(crate) fn for_one_of(tasks: usize) -> Self {
        Self { steps: Vec::with_capacity((BUDGET / tasks).max(LEAST_PER_TASK)), missed: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, latency: Duration) {
        if self.steps.len() == self.steps.capacity() {
            self.missed += 1;
            return;
        }
        self.steps.push(u32::try_from(latency.as_nanos() / 100).unwrap_or(u32::MAX));
    }
}

/// What the caller saw, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    pub(crate) samples: usize,
    pub(crate) missed: u64,
}

impl Percentiles {
    pub(crate) fn of(parts: impl IntoIterator<Item = Samples>) -> Self {
        let (mut steps, mut missed) = (Vec::new(), 0);
        for part in parts {
            steps.extend_from_slice(&part.steps);
            missed += part.missed;
        }
        steps.sort_unstable();
        // The smallest latency that at least this share of all calls stayed within.
        let at = |share: f64| {
            let rank = (share * steps.len() as f64).ceil() as usize;
            steps.get(rank.max(1) - 1).map_or(f64::NAN, |step| f64::from(*step) / 10.0)
        };
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0), samples: steps.len(), missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_over_all_tasks() {
        let parts = [1, 2].map(|part| {
            let mut samples = Samples::for_one_of(2);
            (0..500).for_each(|n| samples.record(Duration::from_micros(2 * n + part)));
            samples
        });
        let found = Percentiles::of(parts);
        assert_eq!((found.p50, found.p99, found.p999, found.max), (500.0, 990.0, 999.0, 1000.0));
        assert_eq!((found.samples, found.missed), (1000, 0));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_allocates_nothing() {
        let mut samples = Samples::for_one_of(BUDGET);
        let capacity = samples.steps.capacity();
        (0..capacity + 5).for_each(|_| samples.record(Duration::from_micros(1)));
        assert_eq!((samples.steps.capacity(), samples.missed), (capacity, 5));
    }
}
