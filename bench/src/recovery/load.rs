//! The load during a fault: workers that increment, write and read keys of their own, and remember when each call was
//! made and how long it took. What was answered is judged at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;
use truename_lab::history::{Counter, Fate, Findings, Register};

use crate::failure::Failure;
use crate::subjects::Subject;
use crate::target::Key;

/// Between two calls of one worker, so that the load does not depend on how quickly a client fails.
const PAUSE: Duration = Duration::from_millis(5);
/// A call that takes longer is given up on; every client was told to answer much sooner.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// A call that took longer does not count as served, whatever it ended with.
pub(super) const SERVED_WITHIN: Duration = Duration::from_millis(500);

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) shard: usize,
    /// Since the load began.
    pub(super) began: Duration,
    pub(super) took: Duration,
    pub(super) succeeded: bool,
}

impl Call {
    pub(super) fn was_served(&self) -> bool {
        self.succeeded && self.took <= SERVED_WITHIN
    }
}

/// What all workers saw.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) calls: Vec<Call>,
    pub(super) findings: Findings,
    /// Kinds of failures, each once.
    pub(super) failures: Vec<String>,
}

/// The keys of one worker, both in one slot.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) shard: usize,
    pub(super) counter: Key,
    pub(super) value: Key,
}

/// Workers at work.
pub(super) struct Load {
    began: Instant,
    stop: Arc<AtomicBool>,
    pulses: Vec<Arc<Pulse>>,
    workers: Vec<JoinHandle<History>>,
}

/// When a worker's last calls ended, in milliseconds since the load began.
#[derive(Default)]
struct Pulse {
    last: AtomicU64,
    last_bad: AtomicU64,
}

impl Load {
    /// One worker per place. Must be called within the runtime of the client under test.
    pub(super) fn start<S: Subject>(subject: &S, places: Vec<Place>) -> Self {
        let (began, stop) = (Instant::now(), Arc::<AtomicBool>::default());
        let (mut pulses, mut workers) = (Vec::new(), Vec::new());
        for place in places {
            let pulse = Arc::<Pulse>::default();
            pulses.push(Arc::clone(&pulse));
            let worker = Worker {
                subject: subject.clone(),
                counter: Counter::new(&*place.counter.text),
                value: Register::new(&*place.value.text),
                place,
                history: History::default(),
                began,
                pulse,
            };
            workers.push(tokio::spawn(worker.run(Arc::clone(&stop))));
        }
        Self { began, stop, pulses, workers }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether every call of every worker was served for this long.
    pub(super) fn is_well_for(&self, period: Duration) -> bool {
        let now = millis(self.elapsed());
        self.pulses.iter().all(|pulse| {
            let age = |at: &AtomicU64| now.saturating_sub(at.load(Ordering::Relaxed));
            age(&pulse.last) <= millis(SERVED_WITHIN) && age(&pulse.last_bad) >= millis(period)
        })
    }

    pub(super) async fn finish(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = History::default();
        for worker in self.workers {
            match worker.await {
                Ok(part) => sum.add(part),
                Err(panic) => sum.failures.push(panic.to_string()),
            }
        }
        sum
    }
}

impl History {
    fn add(&mut self, part: Self) {
        self.calls.extend(part.calls);
        self.findings.add(part.findings);
        part.failures.iter().for_each(|text| self.note(text));
    }

    /// Texts that differ only in numbers are of one kind.
    fn note(&mut self, text: &str) {
        let kind = |text: &str| text.chars().filter(|char| !char.is_ascii_digit()).collect::<String>();
        if !self.failures.iter().any(|known| kind(known) == kind(text)) {
            self.failures.push(text.to_owned());
        }
    }
}

struct Worker<S> {
    subject: S,
    place: Place,
    counter: Counter,
    value: Register,
    history: History,
    began: Instant,
    pulse: Arc<Pulse>,
}

impl<S: Subject> Worker<S> {
    async fn run(mut self, stop: Arc<AtomicBool>) -> History {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let began = self.began.elapsed();
            let outcome = match tokio::time::timeout(HANGS_AFTER, self.call(turn)).await {
                Ok(outcome) => outcome,
                // The end of that call is never reported.
                Err(_) => Err(Failure::new(format!("did not end within {HANGS_AFTER:?}"))),
            };
            self.remember(began, outcome);
            turn = (turn + 1) % 3;
            tokio::time::sleep(PAUSE).await;
        }
        self.history
    }

    async fn call(&mut self, turn: usize) -> Result<(), Failure> {
        let (findings, outcome) = match turn {
            0 => {
                self.counter.increment();
                let (fate, outcome) = ended(self.subject.increment(&self.place.counter).await);
                (self.counter.incremented(fate), outcome)
            }
            1 => {
                let value = Bytes::from(self.value.write());
                let (fate, outcome) = ended(self.subject.set(&self.place.value, &value).await);
                (self.value.wrote(fate), outcome)
            }
            _ => {
                let (fate, outcome) = ended(self.subject.read(&self.place.value).await);
                (self.value.read(fate), outcome)
            }
        };
        self.history.findings.add(findings);
        outcome
    }

    fn remember(&mut self, began: Duration, outcome: Result<(), Failure>) {
        let ended = self.began.elapsed();
        let call = Call { shard: self.place.shard, began, took: ended - began, succeeded: outcome.is_ok() };
        self.pulse.last.store(millis(ended), Ordering::Relaxed);
        if !call.was_served() {
            self.pulse.last_bad.store(millis(ended), Ordering::Relaxed);
        }
        if let Err(failure) = outcome {
            self.history.note(&failure.to_string());
        }
        self.history.calls.push(call);
    }
}

/// What an error says about execution differs from client to client, so none is believed: the call may have been executed.
fn ended<T>(outcome: Result<T, Failure>) -> (Fate<T>, Result<(), Failure>) {
    match outcome {
        Ok(reply) => (Fate::Acknowledged(reply), Ok(())),
        Err(failure) => (Fate::Unknown, Err(failure)),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
