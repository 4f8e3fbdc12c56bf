//! The one timer of a lane: deadlines of its commands, and silence of its server.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::handle::{LanePhase, Shared};
use super::pipeline::Concern;
use crate::clock::LATE;
use crate::panics;

/// Wakes the lane's task when a deadline passes or the server has been silent for too long.
#[derive(Debug)]
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    /// A check is due as soon as the sockets have had their turn.
    postponed: bool,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), armed: None, postponed: false }
    }

    /// Runs the pipeline's checks whenever they are due.
    pub(super) fn poll_checks(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        wake: &mut Vec<Waker>,
    ) -> Option<Concern> {
        while self.poll_due(cx, shared).is_ready() {
            let concern = {
                let mut state = shared.lock();
                let open = matches!(state.phase, LanePhase::Open);
                state.pipeline.check(Instant::now(), open, wake)
            };
            panics::wake_all(wake.drain(..));
            if concern.is_some() {
                return concern;
            }
        }
        None
    }

    fn poll_due(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<()> {
        if std::mem::take(&mut self.postponed) {
            return Poll::Ready(());
        }
        let Some(at) = shared.lock().pipeline.next_check() else { return Poll::Pending };
        self.set(at);
        ready!(self.poll_rung(cx));
        if at.elapsed() < LATE {
            return Poll::Ready(());
        }
        // Replies may have come meanwhile, and the runtime looks at timers before it looks at sockets: let it do
        // that first, or everything that was outstanding would fail at once. What had not even left yet could not
        // be answered: the silence that counts begins now.
        shared.lock().pipeline.note_read(Instant::now());
        self.postponed = true;
        let _ = pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    /// Makes sure the task is woken no later than `at`. An alarm set for earlier stays as it is.
    fn set(&mut self, at: Instant) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.sleep.as_mut().reset(at);
            self.armed = Some(at);
        }
    }

    fn poll_rung(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.sleep.as_mut().poll(cx));
        self.armed = None;
        Poll::Ready(())
    }
}
