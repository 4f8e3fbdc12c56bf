//! What the tasks of a run and its observer tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::plan::Edges;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Warming,
    Measuring,
    Done,
}

/// What the tasks of a run and its observer tell each other.
pub(super) struct Board {
    phase: AtomicU8,
    edges: Edges,
    /// A permit for every task that has had its first reply.
    pub(super) begun: Semaphore,
    pub(super) completed: Box<[Completed]>,
}

/// Calls that one task completed, on a cache line of its own.
#[repr(align(64))]
#[derive(Default)]
pub(super) struct Completed(AtomicU64);

impl Board {
    pub(super) fn new(tasks: usize, edges: Edges) -> Arc<Self> {
        let completed = (0..tasks).map(|_| Completed::default()).collect();
        let phase = AtomicU8::new(Phase::Warming as u8);
        Arc::new(Self { phase, edges, begun: Semaphore::new(0), completed })
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    /// Whether the latency of a call that ends now counts.
    #[inline]
    pub(super) fn keeps_latency(&self) -> bool {
        match self.edges {
            Edges::Open => !self.is_in(Phase::Warming),
            Edges::Closed => self.is_in(Phase::Measuring),
        }
    }

    /// Only the task itself writes its count.
    #[inline]
    pub(super) fn count(&self, task: usize) {
        let completed = &self.completed[task].0;
        completed.store(completed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, counts: &mut [u64]) {
        for (count, completed) in counts.iter_mut().zip(&self.completed) {
            *count = completed.0.load(Ordering::Relaxed);
        }
    }

    pub(super) fn subtract_from(&self, counts: &mut [u64]) {
        for (count, completed) in counts.iter_mut().zip(&self.completed) {
            *count = completed.0.load(Ordering::Relaxed) - *count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_latency_counts_is_decided_by_the_edges_of_the_window() {
        let counts = |edges| {
            let board = Board::new(1, edges);
            [Phase::Warming, Phase::Measuring, Phase::Done].map(|phase| {
                board.enter(phase);
                board.keeps_latency()
            })
        };
        assert_eq!((counts(Edges::Open), counts(Edges::Closed)), ([false, true, true], [false, true, false]));
    }
}
