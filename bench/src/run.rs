//! One run: one client, one cell, one window of time in which everything is counted.
//!
//! The window begins when all tasks have been at work for a while, so connecting and warming up are outside. Processor
//! time, allocations and completed calls are those of the window; latencies are those of all calls that were under way
//! in it, however early they began and however late they ended: a window that forgot its slowest calls would flatter
//! whoever lets some calls starve. Beside clients of other languages, which keep what ends in the window, so does truename
//! (`Edges`). `closed` and `open` are the two loops that calls are made in, `threads` that of
//! clients without `async`; `plan` is what the runs of a cell share, `caller` and `board` what a run's tasks do and tell,
//! `seen` what its window shows, `measurement` what becomes of that.

mod board;
mod caller;
mod closed;
mod measurement;
mod open;
mod plan;
mod seen;
pub(crate) mod threads;

use std::time::Duration;

use redis::cluster::ClusterConnection;
use tokio::task::JoinHandle;

use self::board::Board;
pub(crate) use self::caller::Caller;
use self::caller::Tally;
pub(crate) use self::measurement::Measurement;
pub(crate) use self::plan::{Edges, Plan, Window};
use self::seen::Open;
use self::threads::Threads;
use crate::cell::Runtime;
use crate::failure::Failure;
use crate::subjects::{Fred, Kind, Raw, RedisRs, Rustis, Subject, Truename, TruenameRedis};

/// How long connecting may take, and calls that were under way when the window ended.
const PATIENCE: Duration = Duration::from_secs(15);

impl Plan {
    /// One run, on a runtime of its own.
    pub(crate) fn run(&self, client: Kind) -> Result<Measurement, Failure> {
        match client {
            Kind::Truename => self.run_as::<Truename>(),
            Kind::TruenameRedis => self.run_as::<TruenameRedis>(),
            Kind::Redis => self.run_as::<RedisRs>(),
            Kind::RedisSync => self.threads().run::<ClusterConnection>(),
            Kind::Fred => self.run_as::<Fred>(),
            Kind::Rustis => self.run_as::<Rustis>(),
            Kind::Raw => self.run_as::<Raw>(),
        }
    }

    /// The same plan with a thread for each task.
    fn threads(&self) -> Threads {
        Threads {
            target: self.target.clone(),
            keyspace: self.keyspace.clone(),
            workload: self.cell.workload,
            window: self.window,
            threads: self.cell.tasks,
            pause: Duration::ZERO,
            servers: self.servers.clone(),
        }
    }

    /// The same for a client that has no name.
    pub(crate) fn run_as<S: Subject>(&self) -> Result<Measurement, Failure> {
        let runtime = build(self.cell.runtime)?;
        let outcome = runtime.block_on(self.measure::<S>());
        // Tasks of the client end with the runtime, so that none of it burdens the next run.
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome
    }

    async fn measure<S: Subject>(&self) -> Result<Measurement, Failure> {
        let connecting = S::connect(&self.target, &self.settings);
        let subject = tokio::time::timeout(PATIENCE, connecting).await??;
        let board = Board::new(self.cell.tasks, self.window.edges);
        let tasks = match self.cell.rate {
            None => closed::start(self, &subject, &board),
            Some(rate) => open::start(self, &subject, &board, rate)?,
        };
        self.observe(&board, tasks).await
    }

    async fn observe(&self, board: &Board, tasks: Vec<JoinHandle<Tally>>) -> Result<Measurement, Failure> {
        if self.window.edges == Edges::Closed {
            let tasks = u32::try_from(self.cell.tasks)?;
            tokio::time::timeout(PATIENCE, board.begun.acquire_many(tasks)).await??.forget();
        }
        tokio::time::sleep(self.window.warm_up).await;
        let window = Open::now(board, self.cell.tasks, &self.servers);
        tokio::time::sleep(self.window.length).await;
        let seen = window.close();
        let tally = gather(tasks, PATIENCE).await;
        Ok(Measurement::of(seen, tally, self.cell.workload.batch() as u64, self.cell.rate.is_none()))
    }
}

pub(crate) fn build(runtime: Runtime) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(2).enable_all().build()?)
}

/// Waits for all tasks; those that do not come home in time have failed.
async fn gather(tasks: Vec<JoinHandle<Tally>>, patience: Duration) -> Tally {
    let deadline = tokio::time::Instant::now() + patience;
    let mut sum = Tally::default();
    for mut task in tasks {
        match tokio::time::timeout_at(deadline, &mut task).await {
            Ok(Ok(part)) => {
                sum.add(part);
            }
            Ok(Err(panic)) => sum.fail(&panic.into()),
            Err(_) => {
                task.abort();
                sum.stuck += 1;
                sum.fail(&Failure::new(format!("a call did not end within {patience:?}")));
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::cell;
    use crate::compare;
    use crate::target::Servers;

    const SHORT: Duration = Duration::from_millis(100);

    fn plan(name: &str, servers: &Servers) -> Plan {
        let cell = cell::all().into_iter().find(|cell| cell.to_string() == name).unwrap();
        compare::plan(&cell, servers, SHORT, false).unwrap()
    }

    #[test]
    fn every_client_runs_every_workload() {
        for tls in [false, true] {
            let servers = Servers::start(cell::Site { shards: 3, tls }).unwrap();
            for workload in ["get64", "set64", "get1k", "get16k", "pipeline100", "spread100", "mget100"] {
                let transport = if tls { "tls" } else { "tcp" };
                let plan = plan(&format!("{workload} 3-shards {transport} mt c=64"), &servers);
                let able = |client: &Kind| (!tls || client.speaks_tls()) && client.does(plan.cell.workload);
                for client in Kind::ALL.into_iter().filter(able) {
                    let run = plan.run(client).unwrap();
                    assert_eq!((run.failed, &run.first_failure), (0, &None), "{client:?} {}", plan.cell);
                    assert!(
                        run.latency.samples > 0 && run.client_us > 0.0,
                        "{client:?} {}: {run:?}",
                        plan.cell
                    );
                    assert!(run.latency.p50 <= run.latency.p99, "{:?}", run.latency);
                }
            }
        }
    }

    #[test]
    fn a_call_that_never_ends_is_stuck_and_one_that_failed_is_not() {
        let runtime = build(Runtime::CurrentThread).unwrap();
        let tally = runtime.block_on(async {
            let ended = tokio::spawn(async {
                let mut tally = Tally::default();
                tally.fail(&Failure::new("refused"));
                tally
            });
            gather(vec![ended, tokio::spawn(std::future::pending())], SHORT).await
        });
        assert_eq!((tally.failed, tally.stuck, tally.first_failure.as_deref()), (2, 1, Some("refused")));
    }

    #[test]
    fn an_open_loop_charges_a_stall_with_every_call_that_fell_into_it() {
        let servers = Servers::start(cell::Site { shards: 1, tls: false }).unwrap();
        let open = plan("get64 1-node tcp mt rate=10000", &servers);
        assert!(open.run(Kind::Raw).unwrap().latency.p50 < 50_000.0);
        // The server stands still for more than half of the window.
        let window = Window::open(SHORT * 2, SHORT * 8);
        let stalled = Plan { window, ..open };
        let stalled = thread::scope(|scope| {
            scope.spawn(|| {
                thread::park_timeout(SHORT * 4);
                servers.lab.node(0).stop();
                thread::park_timeout(SHORT * 5);
                servers.lab.node(0).cont();
            });
            stalled.run(Kind::Raw).unwrap()
        });
        // A closed loop would have had one slow call per task, 256 of 8,000.
        assert!(stalled.latency.p50 > 20_000.0, "{:?}", stalled.latency);
        assert!(stalled.latency.max > 300_000.0, "{:?}", stalled.latency);
    }
}
