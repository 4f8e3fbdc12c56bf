//! The closed loop of clients without `async`: every thread calls again as soon as it has its reply, or, with a pause, that long after.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::board::{Board, Phase};
use super::caller::Tally;
use super::measurement::Measurement;
use super::plan::Window;
use super::seen::Open;
use crate::cell::Workload;
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::latency::Samples;
use crate::subjects::{Settings, Synchronous};
use crate::target::Target;

/// What the runs of one client after the other share.
pub(crate) struct Threads {
    pub(crate) target: Target,
    pub(crate) keyspace: Keyspace,
    /// One of those that `Synchronous` has calls for: GET, or a pipeline of GETs.
    pub(crate) workload: Workload,
    pub(crate) window: Window,
    pub(crate) threads: usize,
    /// Between a reply and the thread's next call.
    pub(crate) pause: Duration,
    pub(crate) servers: Vec<u32>,
}

#[expect(clippy::disallowed_methods, reason = "a window is a time, and so is a pause")]
impl Threads {
    /// One run.
    pub(crate) fn run<S: Synchronous>(&self) -> Result<Measurement, Failure> {
        let subjects = S::connect(&self.target, &Settings::default(), self.threads)?;
        let board = Board::new(self.threads, self.window.edges);
        thread::scope(|scope| {
            let work = |(thread, subject)| {
                let board = Arc::clone(&board);
                scope.spawn(move || self.work(subject, thread, &board))
            };
            let threads: Vec<_> = subjects.into_iter().enumerate().map(work).collect();
            thread::sleep(self.window.warm_up);
            let window = Open::now(&board, self.threads, &self.servers);
            thread::sleep(self.window.length);
            let seen = window.close();
            let mut tally = Tally::default();
            for thread in threads {
                let part = thread.join().map_err(|_| Failure::new("a calling thread panicked"))?;
                tally.add(part);
            }
            Ok(Measurement::of(seen, tally, self.workload.batch() as u64, true))
        })
    }

    fn work<S: Synchronous>(&self, mut subject: S, thread: usize, board: &Board) -> Tally {
        let mut tally = Tally::default();
        let mut samples = Samples::for_one_of(self.threads);
        let mut random = fastrand::Rng::with_seed(thread as u64);
        let Keyspace { keys, value } = &self.keyspace;
        let batch = self.workload.batch();
        let wanted = value.len() * batch;
        let mut began = Instant::now();
        while !board.is_in(Phase::Done) {
            let at = random.usize(..keys.len() / batch) * batch;
            let outcome = match batch {
                1 => subject.get(&keys[at]),
                _ => subject.get_all(&keys[at..at + batch]),
            };
            let mut ended = Instant::now();
            match outcome {
                Ok(length) if length == wanted => {
                    board.count(thread);
                    if board.keeps_latency() {
                        samples.record(ended - began);
                    }
                }
                Ok(length) => tally.fail(&Failure::new(format!("{length} bytes in place of {wanted}"))),
                Err(failure) => tally.fail(&failure),
            }
            if !self.pause.is_zero() {
                thread::sleep(self.pause);
                ended = Instant::now();
            }
            began = ended;
        }
        tally.samples.push(samples);
        tally
    }
}
