//! Calls at fixed times, measured from the time they were meant to start: a stall of the client counts for every call
//! that it delayed, not for one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use truename::{Client, cmd};

use super::control::Control;

/// Latencies below this say more about the machine's scheduler than about the client.
const NOISE: Duration = Duration::from_millis(25);

/// One caller per key that writes and reads it in turn. They end when this is dropped.
pub(crate) struct Pace {
    log: Arc<Mutex<Log>>,
    control: Control,
    _callers: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    samples: Vec<Sample>,
    wrong: Vec<String>,
}

struct Sample {
    latency: Duration,
    ok: bool,
}

/// What happened to the calls of one span of time.
#[derive(Debug)]
pub(crate) struct Lap {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) slowest: Duration,
    /// What two round trips over loopback took at the same time, without client and servers: the 99th percentile.
    pub(crate) machine: Duration,
}

impl Pace {
    /// Starts one caller per key with that much time between its calls.
    pub(crate) fn start(client: &Client, keys: &[String], interval: Duration) -> Self {
        let log = Arc::new(Mutex::new(Log::default()));
        let mut callers = JoinSet::new();
        for key in keys {
            callers.spawn(call(client.clone(), format!("{{{key}}}pace"), interval, log.clone()));
        }
        Self { log, control: Control::start(interval), _callers: callers }
    }

    /// The calls that ended since the last time. Panics if one of them got a value other than the one it wrote.
    pub(crate) fn lap(&self) -> Lap {
        let Log { mut samples, wrong } = std::mem::take(&mut *self.log.lock());
        assert_eq!(wrong, Vec::<String>::new());
        samples.sort_unstable_by_key(|sample| sample.latency);
        let at = |share: f64| {
            let index = (samples.len() as f64 * share) as usize;
            samples.get(index).or(samples.last()).map_or(Duration::ZERO, |sample| sample.latency)
        };
        Lap {
            calls: samples.len(),
            failed: samples.iter().filter(|sample| !sample.ok).count(),
            p50: at(0.5),
            p99: at(0.99),
            slowest: at(1.0),
            machine: self.control.lap(),
        }
    }
}

impl Lap {
    /// At least 99 % succeeded, and the 99th percentile is at most three times that of `baseline`, or of what the machine
    /// itself needed meanwhile.
    pub(crate) fn assert_untouched(&self, baseline: &Self) {
        assert!(self.calls > 100, "too few calls to tell: {self:?}");
        assert!(self.failed * 100 <= self.calls, "healthy shards failed: {self:?}");
        let usual = baseline.p99.max(self.machine);
        assert!(self.p99 <= (3 * usual).max(NOISE), "{self:?}, and before {baseline:?}");
    }
}

async fn call(client: Client, key: String, interval: Duration, log: Arc<Mutex<Log>>) {
    let mut due = Instant::now();
    for sequence in 0u64.. {
        sleep_until(due).await;
        let value = format!("{key}#{sequence}");
        let ok = match client.execute::<()>(cmd("SET").arg(&key).arg(&value)).await {
            Ok(()) => {
                let read = client.execute::<String>(cmd("GET").arg(&key)).await;
                if let Ok(read) = &read
                    && *read != value
                {
                    log.lock().wrong.push(format!("{read} is not {value}"));
                }
                read.is_ok()
            }
            Err(_) => false,
        };
        log.lock().samples.push(Sample { latency: due.elapsed(), ok });
        due += interval;
    }
}
