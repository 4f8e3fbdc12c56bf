//! Tasks that write and read all the time, and have every answer judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use truename::topology::Slot;
use truename::{Client, Error, cmd};
use truename_lab::history::{Counter, Defect, Fate, Findings, Register};

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

/// What the history of all keys says at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Acknowledged writes that were found missing.
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
    client: Client,
    keys: Vec<Register>,
    counter: Counter,
    findings: Findings,
    tally: Arc<Mutex<Tally>>,
}

impl Writer {
    fn new(number: usize, client: Client) -> Self {
        Self {
            client,
            keys: (0..KEYS).map(|key| Register::new(format!("demo:{number}:{key}"))).collect(),
            counter: Counter::new(format!("demo:{number}:count")),
            findings: Findings::default(),
            tally: Arc::new(Mutex::new(Tally::new(KEYS + 1))),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(Register::key).chain([self.counter.key()])
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
        let register = &mut self.keys[key];
        let value = register.write();
        let started = Instant::now();
        let outcome = self.client.execute::<String>(cmd("SET").arg(register.key()).arg(&value)).await;
        self.tally.lock().note(key, started.elapsed(), &outcome);
        let findings = register.wrote(fate(outcome).ok());
        self.note(findings);
    }

    async fn read(&mut self, key: usize) {
        let register = &mut self.keys[key];
        let started = Instant::now();
        let outcome = fetch(&self.client, register.key()).await;
        self.tally.lock().note(key, started.elapsed(), &outcome);
        let findings = register.read(fate(outcome));
        self.note(findings);
    }

    async fn increment(&mut self) {
        self.counter.increment();
        let started = Instant::now();
        let outcome = self.client.execute::<u64>(cmd("INCR").arg(self.counter.key())).await;
        self.tally.lock().note(KEYS, started.elapsed(), &outcome);
        let findings = self.counter.incremented(fate(outcome));
        self.note(findings);
    }

    /// An answer is wrong, whatever is wrong with it.
    fn note(&mut self, findings: Findings) {
        self.tally.lock().wrong_answers += u64::from(!findings.is_clean());
        self.findings.add(findings);
    }

    /// Reads everything one last time.
    async fn audit(&mut self, client: &Client, ledger: &mut Ledger) {
        for key in 0..KEYS {
            match fetch_patiently(client, self.keys[key].key()).await {
                None => ledger.unread += 1,
                Some(fate) => {
                    let findings = self.keys[key].read(fate);
                    self.note_last(findings);
                }
            }
        }
        match fetch_patiently(client, self.counter.key()).await {
            None => ledger.unread += 1,
            Some(fate) => {
                let findings = self.counter.read(fate);
                self.note_last(findings);
            }
        }
        ledger.lost += self.findings.count(Defect::Lost);
        ledger.duplicates += self.findings.count(Defect::Twice);
    }

    /// What the last answers show to be lost or doubled is counted as that alone.
    fn note_last(&mut self, findings: Findings) {
        let others = findings.clone().without(Defect::Lost).without(Defect::Twice);
        self.tally.lock().wrong_answers += u64::from(!others.is_clean());
        self.findings.add(findings);
    }
}

async fn fetch(client: &Client, key: &str) -> Result<Option<String>, Error> {
    client.execute(cmd("GET").arg(key)).await
}

/// `None`: it could not be read.
async fn fetch_patiently(client: &Client, key: &str) -> Option<Fate<Option<String>>> {
    for _ in 0..FINAL_READS {
        match fate(fetch(client, key).await) {
            Fate::Refused | Fate::Unknown => {}
            answered => return Some(answered),
        }
    }
    None
}

fn fate<T>(outcome: Result<T, Error>) -> Fate<T> {
    match outcome {
        Ok(reply) => Fate::Acknowledged(reply),
        Err(error @ Error::Type(_)) => Fate::Foreign(error.to_string()),
        Err(error) if error.may_have_executed() => Fate::Unknown,
        Err(_) => Fate::Refused,
    }
}
