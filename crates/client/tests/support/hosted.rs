//! A hosted client, the bell that its callback rings, and its completions so far.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};
use truename::hosted::{Completions, HostedClient, Request};
use truename::{Command, Config, Error, FromReply, RawFrame};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A runtime that works by itself: for the lab, whose client has one of its own.
pub(crate) fn with_a_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Counts how often it was rung, and wakes who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rings.lock() += 1;
        self.rung.notify_all();
    }

    pub(crate) fn rings(&self) -> u64 {
        *self.rings.lock()
    }

    /// Waits until it was rung more often than that; returns how often by now.
    pub(crate) fn wait(&self, more_than: u64) -> u64 {
        let until = Instant::now() + LIMIT;
        let mut rings = self.rings.lock();
        while *rings <= more_than {
            assert!(!self.rung.wait_until(&mut rings, until).timed_out(), "rung {rings} times in {LIMIT:?}");
        }
        *rings
    }
}

/// Takes completions and checks that each comes once.
pub(crate) struct Taker<T> {
    pub(crate) completions: Completions<T>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) outcomes: HashMap<u64, Result<T, Error>>,
    /// How often there was something to take.
    pub(crate) takes: u64,
}

impl<T> Taker<T> {
    /// Takes what is there.
    pub(crate) fn take(&mut self) {
        let mut batch = Vec::new();
        let count = self.completions.take(&mut batch);
        assert_eq!(count, batch.len());
        self.takes += u64::from(count > 0);
        for completion in batch {
            match self.outcomes.entry(completion.token) {
                Entry::Vacant(none) => none.insert(completion.outcome),
                Entry::Occupied(_) => panic!("{} was completed twice", completion.token),
            };
        }
    }

    /// Takes, each time that the bell was rung, until that many requests are completed.
    pub(crate) fn until(&mut self, completed: usize) {
        self.while_not(|taker| taker.outcomes.len() >= completed);
        assert_eq!(self.outcomes.len(), completed);
    }

    /// The same until nothing comes any more.
    pub(crate) fn until_the_end(&mut self) {
        self.while_not(|taker| taker.completions.is_over());
    }

    fn while_not(&mut self, is_reached: impl Fn(&Self) -> bool) {
        // Whatever came before the bell was looked at is taken now; what comes later rings it again.
        let mut rings = self.bell.rings();
        self.take();
        while !is_reached(self) {
            rings = self.bell.wait(rings);
            self.take();
        }
    }
}

/// Starts a client whose callback rings a bell.
pub(crate) fn start<T: FromReply + Send + 'static>(config: &Config) -> (HostedClient, Taker<T>) {
    start_with(config, |_| {})
}

/// The same, and the callback does something else after that. It is told how often it was called.
pub(crate) fn start_with<T: FromReply + Send + 'static>(
    config: &Config,
    then: impl FnMut(u64) + Send + 'static,
) -> (HostedClient, Taker<T>) {
    let (bell, callback) = ringing(then);
    let started = HostedClient::start(config, callback);
    let (hosted, completions) = started.unwrap_or_else(|error| panic!("{error}"));
    (hosted, Taker { completions, bell, outcomes: HashMap::new(), takes: 0 })
}

/// The same with replies as they came.
pub(crate) fn start_raw(config: &Config) -> (HostedClient, Taker<RawFrame>) {
    let (bell, callback) = ringing(|_| {});
    let started = HostedClient::start_raw(config, callback);
    let (hosted, completions) = started.unwrap_or_else(|error| panic!("{error}"));
    (hosted, Taker { completions, bell, outcomes: HashMap::new(), takes: 0 })
}

fn ringing(mut then: impl FnMut(u64) + Send + 'static) -> (Arc<Bell>, impl FnMut() + Send + 'static) {
    let bell = Arc::new(Bell::default());
    let ring = bell.clone();
    let callback = move || {
        ring.ring();
        then(ring.rings());
    };
    (bell, callback)
}

/// Requests with these commands, numbered from a token on.
pub(crate) fn numbered<'a>(from: u64, commands: impl IntoIterator<Item = Command<'a>>) -> Vec<Request> {
    (from..).zip(commands).map(|(token, command)| Request::new(token, command)).collect()
}
