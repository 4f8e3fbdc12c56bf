//! A history checker: writers whose every value names its key, writer and sequence, and what became of each call.
//!
//! Each key has one writer, which writes, reads back and increments in turn. A read must give what was acknowledged
//! or read last, or a later write that was sent and whose fate is unknown. A counter must stay between its
//! acknowledged increments and those plus the unknown ones. Going back is not wrong but lost: a primary that dies
//! takes writes along that it acknowledged and did not replicate. Anything else is wrong whatever the servers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use truename::{Client, Error, cmd};

/// What happened to all calls of a history.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Failures that said the command may have been executed.
    pub(crate) unknown: u64,
    /// Replies that no correct history can contain.
    pub(crate) wrong: Vec<String>,
    /// Increments that were executed more often than they were asked for.
    pub(crate) duplicates: u64,
    /// Acknowledged writes that are gone.
    pub(crate) lost: u64,
    pub(crate) slowest: Duration,
    /// When the last call failed.
    pub(crate) last_failure: Option<Instant>,
    /// One text of every kind of failure.
    pub(crate) failures: Vec<String>,
}

/// Writers at work.
pub(crate) struct History {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Outcome>>,
}

impl History {
    /// Starts one writer per key.
    pub(crate) fn start(client: &Client, keys: Vec<String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicU64::new(0));
        let failures = Arc::new(AtomicU64::new(0));
        let writers = keys
            .into_iter()
            .map(|key| {
                let writer = Writer {
                    client: client.clone(),
                    value_key: format!("{{{key}}}value"),
                    counter_key: format!("{{{key}}}counter"),
                    outcome: Outcome::default(),
                    calls: calls.clone(),
                    failures: failures.clone(),
                };
                tokio::spawn(writer.run(stop.clone()))
            })
            .collect();
        Self { stop, calls, failures, writers }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Waits until that many further calls were made with no failure among them.
    pub(crate) async fn healthy_for(&self, calls: u64, limit: Duration) {
        let deadline = Instant::now() + limit;
        let (mut since, mut failures) = (self.calls(), self.failures());
        while self.calls() < since + calls {
            assert!(Instant::now() < deadline, "still failing after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self.failures() != failures {
                (since, failures) = (self.calls(), self.failures());
            }
        }
    }

    /// Stops the writers and checks the counters.
    pub(crate) async fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Outcome::default();
        for writer in self.writers {
            let part = writer.await.expect("a writer does not panic");
            sum.calls += part.calls;
            sum.failed += part.failed;
            sum.unknown += part.unknown;
            sum.wrong.extend(part.wrong);
            sum.duplicates += part.duplicates;
            sum.lost += part.lost;
            sum.slowest = sum.slowest.max(part.slowest);
            sum.last_failure = sum.last_failure.max(part.last_failure);
            sum.failures.extend(part.failures);
        }
        sum.failures.sort();
        sum.failures.dedup();
        sum
    }
}

impl Outcome {
    /// One line for the log.
    pub(crate) fn summary(&self) -> String {
        let Self { calls, failed, unknown, slowest, failures, .. } = self;
        format!(
            "{failed} of {calls} calls failed, {unknown} of them unknown, slowest {slowest:?}: {failures:?}"
        )
    }

    /// Nothing happened that no server could excuse.
    pub(crate) fn assert_sound(&self) {
        assert!(self.calls > 0, "nothing was called");
        assert_eq!(self.wrong, Vec::<String>::new(), "wrong replies: {self:?}");
        assert_eq!((self.duplicates, self.lost), (0, 0), "{self:?}");
    }
}

struct Writer {
    client: Client,
    value_key: String,
    counter_key: String,
    outcome: Outcome,
    calls: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Outcome {
        let client = self.client.clone();
        let (value_key, counter_key) = (self.value_key.clone(), self.counter_key.clone());
        let (mut acknowledged, mut sent) = (0u64, 0u64);
        let (mut increments, mut unknown_increments) = (0u64, 0u64);
        while !stop.load(Ordering::Relaxed) {
            // At random, or writers that share a batch would do the same thing at the same time for ever.
            match fastrand::u8(..3) {
                0 => {
                    sent += 1;
                    let value = format!("{value_key}#{sent}");
                    let written = client.execute::<()>(cmd("SET").arg(&value_key).arg(&value));
                    if self.timed(written).await.is_some() {
                        acknowledged = sent;
                    }
                }
                1 => {
                    let read = client.execute::<Option<String>>(cmd("GET").arg(&value_key));
                    if let Some(read) = self.timed(read).await {
                        self.check_read(read, &mut acknowledged, sent);
                    }
                }
                _ => {
                    let before = self.outcome.unknown;
                    let incremented = client.execute::<u64>(cmd("INCR").arg(&counter_key));
                    match self.timed(incremented).await {
                        Some(count) => {
                            increments += 1;
                            self.check_count(count, &mut increments, unknown_increments);
                        }
                        None => unknown_increments += self.outcome.unknown - before,
                    }
                }
            }
        }
        self.check_counter(increments, unknown_increments).await;
        self.outcome
    }

    async fn timed<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let started = Instant::now();
        let result = call.await;
        self.outcome.calls += 1;
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.outcome.slowest = self.outcome.slowest.max(started.elapsed());
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.outcome.failed += 1;
                self.outcome.unknown += u64::from(error.may_have_executed());
                self.outcome.last_failure = Some(Instant::now());
                let text = error.to_string();
                if self.outcome.failures.len() < 5 && !self.outcome.failures.contains(&text) {
                    self.outcome.failures.push(text);
                }
                None
            }
        }
    }

    fn check_read(&mut self, read: Option<String>, acknowledged: &mut u64, sent: u64) {
        let sequence: Option<u64> = match &read {
            None => Some(0),
            Some(value) => value
                .strip_prefix(&self.value_key)
                .and_then(|rest| rest.strip_prefix('#'))
                .and_then(|sequence| sequence.parse().ok()),
        };
        match sequence.filter(|sequence| *sequence <= sent) {
            Some(sequence) => {
                self.outcome.lost += acknowledged.saturating_sub(sequence);
                *acknowledged = sequence;
            }
            None => self.outcome.wrong.push(format!("{}: {read:?} of {sent}", self.value_key)),
        }
    }

    fn check_count(&mut self, count: u64, increments: &mut u64, unknown: u64) {
        let most = *increments + unknown;
        if count > most {
            self.outcome.wrong.push(format!("{}: {count} of {most}", self.counter_key));
        }
        self.outcome.lost += increments.saturating_sub(count);
        *increments = (*increments).min(count);
    }

    async fn check_counter(&mut self, acknowledged: u64, unknown: u64) {
        let count = self.client.execute::<Option<u64>>(cmd("GET").arg(&self.counter_key)).await;
        let count = count.expect("the cluster is healthy at the end").unwrap_or(0);
        self.outcome.lost += acknowledged.saturating_sub(count);
        self.outcome.duplicates += count.saturating_sub(acknowledged + unknown);
    }
}
