//! What was counted: operations, failures by kind, wrong answers, latencies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use truename::Error;

/// Latencies are counted as this at most, in microseconds: no call takes longer than a minute.
const LONGEST: u64 = 60_000_000;
/// Two digits are precise enough for people, and small.
const DIGITS: u8 = 2;

/// Failures of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u64,
    pub(super) may_have_executed: u64,
}

/// Counts since the start.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) operations: u64,
    pub(super) failures: BTreeMap<String, Failures>,
    pub(super) wrong_answers: u64,
    pub(super) last_failure: Option<Instant>,
    pub(super) slowest: Duration,
    /// Microseconds.
    pub(super) latencies: Histogram<u64>,
    /// Operations by key, in the order of the writer's keys.
    pub(super) by_key: Vec<u64>,
}

impl Tally {
    pub(super) fn new(keys: usize) -> Self {
        Self {
            operations: 0,
            failures: BTreeMap::new(),
            wrong_answers: 0,
            last_failure: None,
            slowest: Duration::ZERO,
            latencies: Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are valid"),
            by_key: vec![0; keys],
        }
    }

    /// Counts one operation on one key.
    pub(super) fn note<T>(&mut self, key: usize, took: Duration, outcome: &Result<T, Error>) {
        self.operations += 1;
        self.by_key[key] += 1;
        self.slowest = self.slowest.max(took);
        self.latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Err(error) = outcome {
            let failures = self.failures.entry(kind(error)).or_default();
            failures.count += 1;
            failures.may_have_executed += u64::from(error.may_have_executed());
            self.last_failure = Some(Instant::now());
        }
    }

    /// Adds another writer's counts; those by key are put after ours.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.wrong_answers += other.wrong_answers;
        for (kind, failures) in &other.failures {
            let sum = self.failures.entry(kind.clone()).or_default();
            sum.count += failures.count;
            sum.may_have_executed += failures.may_have_executed;
        }
        self.last_failure = self.last_failure.max(other.last_failure);
        self.slowest = self.slowest.max(other.slowest);
        self.latencies.add(&other.latencies).expect("all have the same bounds");
        self.by_key.extend(&other.by_key);
    }

    /// All failures.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().map(|failures| failures.count).sum()
    }

    /// The latency that 99 of 100 operations since `before` did not exceed.
    pub(super) fn p99_since(&self, before: &Self) -> Duration {
        let mut latencies = self.latencies.clone();
        // What was counted before is contained in what is counted now.
        let _ = latencies.subtract(&before.latencies);
        Duration::from_micros(latencies.value_at_quantile(0.99))
    }
}

/// The kind of an error as the summary counts it: the stage, and the code where a server gave one.
fn kind(error: &Error) -> String {
    match error {
        Error::Server(server) => format!("server {}", server.code()),
        other => crate::render::json::error_kind(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut one = Tally::new(2);
        one.note(0, Duration::from_millis(1), &Ok(()));
        one.note(1, Duration::from_millis(9), &Err::<(), _>(Error::Closed));
        let mut other = Tally::new(1);
        other.note(0, Duration::from_millis(2), &Ok(()));
        let mut sum = Tally::new(0);
        sum.add(&one);
        sum.add(&other);
        assert_eq!((sum.operations, sum.failed(), &sum.by_key[..]), (3, 1, &[1, 1, 1][..]));
        assert_eq!(sum.failures["closed"], Failures { count: 1, may_have_executed: 0 });
        assert_eq!(sum.slowest, Duration::from_millis(9));
        assert!(sum.p99_since(&one) < Duration::from_millis(3), "only the other writer's 2 ms are new");
    }
}
