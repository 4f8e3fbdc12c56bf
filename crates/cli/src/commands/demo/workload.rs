//! Tasks that write and read all the time, and check every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use truename::topology::Slot;
use truename::{Client, Error, cmd};

use super::ledger::{CounterHistory, Fate, KeyHistory, Stamp, Verdict};
use super::tally::Tally;

const WRITERS: usize = 16;
/// Keys of one writer that hold values; it has one more that is a counter.
const KEYS: usize = 8;
/// Pause of a writer between rounds: the demo is about answers, and leaves the machine room to move the servers.
const PAUSE: Duration = Duration::from_millis(2);
/// How often a final read is tried.
const FINAL_READS: u32 = 5;

/// Writers at work.
pub(super) struct Workload {
    writers: Vec<JoinHandle<Writer>>,
    tallies: Vec<Arc<Mutex<Tally>>>,
    slots: Vec<Slot>,
    stop: Arc<AtomicBool>,
}

/// What the final reads showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Acknowledged writes that are gone.
    pub(super) lost: u64,
    /// Increments that were executed more often than they were sent.
    pub(super) duplicates: u64,
    /// Keys that could not be read at the end.
    pub(super) unread: u64,
}

impl Workload {
    /// Lets all writers begin.
    pub(super) fn start(client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workload = Self { writers: Vec::new(), tallies: Vec::new(), slots: Vec::new(), stop };
        for number in 0..WRITERS {
            let writer = Writer::new(number, client.clone());
            workload.slots.extend(writer.names().map(|name| Slot::of_key(name.as_bytes())));
            workload.tallies.push(writer.tally.clone());
            workload.writers.push(tokio::spawn(writer.run(workload.stop.clone())));
        }
        workload
    }

    /// The counts of all writers until now.
    pub(super) fn tally(&self) -> Tally {
        sum(&self.tallies)
    }

    /// The tallies, for whoever watches.
    pub(super) fn tallies(&self) -> Vec<Arc<Mutex<Tally>>> {
        self.tallies.clone()
    }

    /// The slots of the keys, in the order of [`Tally::by_key`].
    pub(super) fn slots(&self) -> Vec<Slot> {
        self.slots.clone()
    }

    /// Stops all writers and reads every key one last time.
    pub(super) async fn finish(mut self, client: &Client) -> (Tally, Ledger) {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        for writer in std::mem::take(&mut self.writers) {
            match writer.await {
                Ok(mut writer) => writer.audit(client, &mut ledger).await,
                // A writer that is gone cannot vouch for its keys.
                Err(_) => ledger.unread += KEYS as u64 + 1,
            }
        }
        (self.tally(), ledger)
    }
}

/// Nobody waits for writers whose workload is given up.
impl Drop for Workload {
    fn drop(&mut self) {
        self.writers.iter().for_each(JoinHandle::abort);
    }
}

/// The counts of several writers together.
pub(super) fn sum(tallies: &[Arc<Mutex<Tally>>]) -> Tally {
    let mut all = Tally::new(0);
    tallies.iter().for_each(|tally| all.add(&tally.lock()));
    all
}

/// One task with keys of its own.
struct Writer {
    number: usize,
    client: Client,
    keys: Vec<(String, KeyHistory)>,
    counter: (String, CounterHistory),
    tally: Arc<Mutex<Tally>>,
}

impl Writer {
    fn new(number: usize, client: Client) -> Self {
        let keys = (0..KEYS).map(|key| (format!("demo:{number}:{key}"), KeyHistory::default())).collect();
        let counter = (format!("demo:{number}:count"), CounterHistory::default());
        Self { number, client, keys, counter, tally: Arc::new(Mutex::new(Tally::new(KEYS + 1))) }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str()).chain([self.counter.0.as_str()])
    }

    async fn run(mut self, stop: Arc<AtomicBool>) -> Self {
        for round in 0_usize.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = round % KEYS;
            self.write(key).await;
            self.read(key).await;
            if key == 0 {
                self.increment().await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self
    }

    async fn write(&mut self, key: usize) {
        let (name, history) = &mut self.keys[key];
        let stamp = Stamp { key: name.clone(), writer: self.number, sequence: history.next() };
        let started = Instant::now();
        let outcome: Result<(), Error> = self.client.execute(cmd("SET").arg(&*name).arg(stamp.text())).await;
        history.note(fate(&outcome));
        self.tally.lock().note(key, started.elapsed(), &outcome);
    }

    async fn read(&mut self, key: usize) {
        let started = Instant::now();
        let outcome = fetch(&self.client, &self.keys[key].0).await;
        let verdict = outcome.as_ref().ok().map(|found| self.judge(key, found.as_deref()));
        let mut tally = self.tally.lock();
        tally.note(key, started.elapsed(), &outcome);
        tally.wrong_answers += u64::from(verdict.is_some_and(|verdict| verdict != Verdict::Right));
    }

    fn judge(&mut self, key: usize, found: Option<&str>) -> Verdict {
        let (name, history) = &mut self.keys[key];
        match found {
            None => history.judge(None),
            Some(text) => match Stamp::sequence_of(text, name, self.number) {
                Some(sequence) => history.judge(Some(sequence)),
                None => Verdict::Foreign,
            },
        }
    }

    async fn increment(&mut self) {
        let started = Instant::now();
        let outcome: Result<u64, Error> = self.client.execute(cmd("INCR").arg(&self.counter.0)).await;
        let history = &mut self.counter.1;
        history.note(fate(&outcome));
        let is_wrong = outcome.as_ref().is_ok_and(|&value| !history.admits(value));
        let mut tally = self.tally.lock();
        tally.note(KEYS, started.elapsed(), &outcome);
        tally.wrong_answers += u64::from(is_wrong);
    }

    /// Reads everything one last time.
    async fn audit(&mut self, client: &Client, ledger: &mut Ledger) {
        for key in 0..KEYS {
            match fetch_patiently(client, &self.keys[key].0).await {
                None => ledger.unread += 1,
                Some(found) => match self.judge(key, found.as_deref()) {
                    Verdict::Right => {}
                    Verdict::Lost => ledger.lost += 1,
                    Verdict::Foreign => self.tally.lock().wrong_answers += 1,
                },
            }
        }
        let (name, history) = &self.counter;
        match fetch_patiently(client, name).await {
            None => ledger.unread += 1,
            Some(found) => {
                let value = found.and_then(|text| text.parse().ok()).unwrap_or(0);
                ledger.lost += history.lost(value);
                ledger.duplicates += history.duplicates(value);
            }
        }
    }
}

async fn fetch(client: &Client, key: &str) -> Result<Option<String>, Error> {
    client.execute(cmd("GET").arg(key)).await
}

/// Outer `None`: it could not be read.
async fn fetch_patiently(client: &Client, key: &str) -> Option<Option<String>> {
    for _ in 0..FINAL_READS {
        if let Ok(found) = fetch(client, key).await {
            return Some(found);
        }
    }
    None
}

fn fate<T>(outcome: &Result<T, Error>) -> Fate {
    match outcome {
        Ok(_) => Fate::Acknowledged,
        Err(error) if error.may_have_executed() => Fate::Unknown,
        Err(_) => Fate::Refused,
    }
}
