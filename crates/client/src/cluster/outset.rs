//! Whether a client has found its cluster. One that was made by `Client::lazy` looks for it when it is first used; calls wait
//! for that within their own time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::NodeFailure;

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has used it.
    Ahead,
    /// It looks for its cluster.
    Looking,
    /// It has found it.
    Over,
}

/// The stage, and why the latest search failed.
#[derive(Debug)]
pub(super) struct Outset {
    stage: watch::Sender<Stage>,
    /// As the stage says; here for callers, who all ask.
    is_over: AtomicBool,
    failures: Mutex<Arc<Vec<NodeFailure>>>,
}

impl Outset {
    pub(super) fn ahead() -> Self {
        Self::at(Stage::Ahead)
    }

    pub(super) fn over() -> Self {
        Self::at(Stage::Over)
    }

    fn at(stage: Stage) -> Self {
        let is_over = AtomicBool::new(stage == Stage::Over);
        Self { stage: watch::Sender::new(stage), is_over, failures: Mutex::default() }
    }

    /// Changes when the cluster is wanted.
    pub(super) fn wanted(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn found(&self) {
        self.is_over.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Over);
    }

    pub(super) fn failed(&self, failures: Vec<NodeFailure>) {
        *self.failures.lock() = Arc::new(failures);
    }

    /// Why the latest search failed.
    pub(super) fn failures(&self) -> Arc<Vec<NodeFailure>> {
        self.failures.lock().clone()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Waits until the cluster is found; from now on it is wanted.
    pub(super) async fn wait(&self) {
        let mut stage = self.stage.subscribe();
        self.stage.send_if_modified(|stage| {
            let is_first = *stage == Stage::Ahead;
            if is_first {
                *stage = Stage::Looking;
            }
            is_first
        });
        // The sender lives as long as this does.
        let _ = stage.wait_for(|stage| *stage == Stage::Over).await;
    }
}
