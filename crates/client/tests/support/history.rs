//! A load with a history: writers on keys of their own, each of which sets, reads and increments at random.
//! `truename_lab::history` judges the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use truename::{Client, Command, Error, FromReply, cmd};
use truename_lab::history::{Counter, Defect, Fate, Findings, Register};

/// What happened to all calls of a history.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Failures that said the command may have been executed.
    pub(crate) unknown: u64,
    /// What was wrong with the answers.
    pub(crate) findings: Findings,
    pub(crate) slowest: Duration,
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
                    value: Register::new(format!("{{{key}}}value")),
                    counter: Counter::new(format!("{{{key}}}counter")),
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

    /// Stops the writers, which read everything once more.
    pub(crate) async fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Outcome::default();
        for writer in self.writers {
            let part = writer.await.expect("a writer does not panic");
            sum.calls += part.calls;
            sum.failed += part.failed;
            sum.unknown += part.unknown;
            sum.findings.add(part.findings);
            sum.slowest = sum.slowest.max(part.slowest);
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

    /// Nothing is wrong.
    pub(crate) fn assert_sound(&self) {
        assert!(self.calls > 0, "nothing was called");
        assert!(self.findings.is_clean(), "{self:?}");
    }

    /// Nothing is wrong that servers cannot do to any client: a primary that dies, or that nobody waits for, takes along
    /// writes that it acknowledged and did not replicate.
    pub(crate) fn assert_sound_but_for_losses(&self) {
        assert!(self.calls > 0, "nothing was called");
        assert!(self.findings.clone().without(Defect::Lost).is_clean(), "{self:?}");
    }
}

struct Writer {
    client: Client,
    value: Register,
    counter: Counter,
    outcome: Outcome,
    calls: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Outcome {
        let client = self.client.clone();
        let keys = (self.value.key().to_owned(), self.counter.key().to_owned());
        while !stop.load(Ordering::Relaxed) {
            // At random, or writers that share a batch would do the same thing at the same time for ever.
            let findings = match fastrand::u8(..3) {
                0 => {
                    let value = self.value.write();
                    let fate = self.timed::<String>(&client, cmd("SET").arg(&keys.0).arg(&value)).await;
                    self.value.wrote(fate.ok())
                }
                1 => {
                    let fate = self.timed(&client, cmd("GET").arg(&keys.0)).await;
                    self.value.read(fate)
                }
                _ => {
                    self.counter.increment();
                    let fate = self.timed(&client, cmd("INCR").arg(&keys.1)).await;
                    self.counter.incremented(fate)
                }
            };
            self.outcome.findings.add(findings);
        }
        let (value, count) = (last(&client, &keys.0).await, last(&client, &keys.1).await);
        self.outcome.findings.add(self.value.read(value));
        self.outcome.findings.add(self.counter.read(count));
        self.outcome
    }

    async fn timed<T: FromReply>(&mut self, client: &Client, command: Command<'_>) -> Fate<T> {
        let started = Instant::now();
        let result = client.execute(command).await;
        self.outcome.calls += 1;
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.outcome.slowest = self.outcome.slowest.max(started.elapsed());
        if let Err(error) = &result {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.outcome.failed += 1;
            self.outcome.unknown += u64::from(error.may_have_executed());
            let text = error.to_string();
            if self.outcome.failures.len() < 5 && !self.outcome.failures.contains(&text) {
                self.outcome.failures.push(text);
            }
        }
        fate(result)
    }
}

/// What is there at the end.
async fn last(client: &Client, key: &str) -> Fate<Option<String>> {
    let found = client.execute(cmd("GET").arg(key)).await;
    Fate::Acknowledged(found.expect("the cluster is healthy at the end"))
}

fn fate<T>(result: Result<T, Error>) -> Fate<T> {
    match result {
        Ok(reply) => Fate::Acknowledged(reply),
        Err(error @ Error::Type(_)) => Fate::Foreign(error.to_string()),
        Err(error) if error.may_have_executed() => Fate::Unknown,
        Err(_) => Fate::Refused,
    }
}
