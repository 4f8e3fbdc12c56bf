//! The open loop: calls arrive at a fixed rate, whether or not the ones before have ended, and latency counts from the
//! moment at which a call was due. So a stall is charged with every call that fell into it, not with one per task.
//!
//! A thread of its own deals the arrivals out to the tasks in turn: the timers of a runtime are too coarse, and a
//! runtime that is busy with the client would let them slip.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::board::{Board, Phase};
use super::caller::{Caller, Tally};
use super::plan::Plan;
use crate::failure::Failure;
use crate::latency::Samples;
use crate::subjects::Subject;

/// Arrivals less than this apart are dealt out together, each with its own due time.
const GRAIN: Duration = Duration::from_micros(100);

pub(super) fn start<S: Subject>(
    plan: &Plan,
    subject: &S,
    board: &Arc<Board>,
    rate: u32,
) -> Result<Vec<JoinHandle<Tally>>, Failure> {
    let (mut doors, mut tasks) = (Vec::new(), Vec::new());
    for task in 0..plan.cell.tasks {
        let (door, arrivals) = unbounded_channel();
        doors.push(door);
        tasks.push(tokio::spawn(work(Caller::new(plan, subject, task), task, Arc::clone(board), arrivals)));
    }
    let board = Arc::clone(board);
    thread::Builder::new().name("arrivals".to_owned()).spawn(move || deal(&board, &doors, rate))?;
    Ok(tasks)
}

/// Until the run is over; then the tasks find their doors closed.
fn deal(board: &Board, doors: &[UnboundedSender<Instant>], rate: u32) {
    let began = Instant::now();
    let due = |arrival: u64| began + Duration::from_nanos(arrival * 1_000_000_000 / u64::from(rate));
    let mut arrival = 0;
    while !board.is_in(Phase::Done) {
        let now = Instant::now();
        while due(arrival) <= now {
            let at = (arrival % doors.len() as u64) as usize;
            // A task that panicked is missed when the run is over.
            let _ = doors[at].send(due(arrival));
            arrival += 1;
        }
        thread::park_timeout(GRAIN.max(due(arrival).saturating_duration_since(now)));
    }
}

async fn work<S: Subject>(
    mut caller: Caller<S>,
    task: usize,
    board: Arc<Board>,
    mut arrivals: UnboundedReceiver<Instant>,
) -> Tally {
    let mut tally = Tally::default();
    let mut samples = Samples::for_one_of(board.completed.len());
    while let Some(due) = arrivals.recv().await {
        // Arrivals end with the window, so whatever is left in the queue then was due in it.
        let counts = !board.is_in(Phase::Warming);
        match caller.call().await {
            Ok(()) => {
                board.count(task);
                if counts {
                    samples.record(due.elapsed());
                }
            }
            Err(failure) => tally.fail(&failure),
        }
    }
    tally.samples.push(samples);
    tally
}
