//! The closed loop: every task calls again as soon as it has its reply.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::board::{Board, Phase};
use super::caller::{Caller, Tally};
use super::plan::Plan;
use crate::latency::Samples;
use crate::subjects::Subject;

pub(super) fn start<S: Subject>(plan: &Plan, subject: &S, board: &Arc<Board>) -> Vec<JoinHandle<Tally>> {
    let task = |task| tokio::spawn(work(Caller::new(plan, subject, task), task, Arc::clone(board)));
    (0..plan.cell.tasks).map(task).collect()
}

async fn work<S: Subject>(mut caller: Caller<S>, task: usize, board: Arc<Board>) -> Tally {
    let mut tally = Tally::default();
    let mut samples = Samples::for_one_of(board.completed.len());
    let mut has_begun = false;
    // One look at the clock per call: the end of one is the beginning of the next.
    let mut began = Instant::now();
    while !board.is_in(Phase::Done) {
        let outcome = caller.call().await;
        let ended = Instant::now();
        match outcome {
            Ok(()) => {
                board.count(task);
                if board.keeps_latency() {
                    samples.record(ended - began);
                }
            }
            Err(failure) => {
                tally.fail(&failure);
                // A client that fails at once must not keep the runtime from everything else.
                tokio::task::yield_now().await;
            }
        }
        if !std::mem::replace(&mut has_begun, true) {
            board.begun.add_permits(1);
        }
        began = ended;
    }
    tally.samples.push(samples);
    tally
}
