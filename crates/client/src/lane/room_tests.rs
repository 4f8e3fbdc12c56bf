//! Callers that wait for room, some of which are never polled again: no other may wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::time::Instant;
use truename_resp::Reply;

use super::pipeline::{GRANT_TIME, Habit, Pipeline, PipelineBounds, Progress};
use super::received::{Form, Received, Unit};
use super::waiter::{RequestLimits, Ticket};

const HABIT: Habit = Habit { stall: Duration::from_secs(2), usual: Duration::from_secs(5) };

fn limits(now: Instant) -> RequestLimits {
    RequestLimits {
        submitted: now,
        deadline: now + HABIT.usual,
        patience: HABIT.stall,
        unit: Unit::command(Form::Decoded),
    }
}

/// Whether its future is to be polled.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Caller {
    ticket: Option<Ticket>,
    woken: Arc<Woken>,
    sleeps: bool,
    calls_left: usize,
}

/// Callers of one pipeline, and a server that answers everything at once.
struct Scene {
    pipeline: Pipeline,
    now: Instant,
    callers: Vec<Caller>,
}

impl Scene {
    fn new(commands: usize, callers: &[(bool, usize)]) -> Self {
        let mut pipeline = Pipeline::new(PipelineBounds { commands, bytes: 1 << 20 }, HABIT);
        let now = Instant::now();
        pipeline.open(now, &mut Vec::new());
        let callers = callers
            .iter()
            .map(|&(sleeps, calls_left)| Caller { ticket: None, woken: Arc::default(), sleeps, calls_left })
            .collect();
        Self { pipeline, now, callers }
    }

    fn submit(&mut self, position: usize) {
        let caller = &mut self.callers[position];
        let waker = Waker::from(caller.woken.clone());
        caller.calls_left -= 1;
        caller.ticket =
            Some(self.pipeline.submit(limits(self.now), &waker, |out| out.extend_from_slice(b"command")));
    }

    /// Polls a caller if it was woken and does not sleep.
    fn poll(&mut self, position: usize) -> bool {
        let caller = &mut self.callers[position];
        let Some(ticket) = caller.ticket.filter(|_| !caller.sleeps) else { return false };
        if !caller.woken.0.swap(false, Ordering::Relaxed) {
            return false;
        }
        let waker = Waker::from(caller.woken.clone());
        match self.pipeline.poll_reply(ticket, &waker) {
            Poll::Pending => {}
            Poll::Ready(Progress::Encode) => {
                self.pipeline.submit_granted(ticket, &waker, |out| out.extend_from_slice(b"command"));
            }
            Poll::Ready(Progress::Done(outcome)) => {
                outcome.expect("a reply");
                caller.ticket = None;
                if caller.calls_left > 0 {
                    self.submit(position);
                }
            }
        }
        true
    }

    fn serve(&mut self) -> bool {
        let mut wake = Vec::new();
        let mut out = BytesMut::new();
        self.pipeline.take_output(&mut out);
        self.pipeline.accept(out.len());
        self.pipeline.note_read(self.now);
        while self.pipeline.outstanding() > 0 {
            self.pipeline.complete(Received::Reply(Reply::Nil), &mut wake).expect("outstanding");
        }
        self.pipeline.grant(&mut wake);
        let served = !wake.is_empty();
        wake.into_iter().for_each(Waker::wake);
        served
    }

    /// Runs until no caller that is awake waits; returns how much time that took.
    fn run(&mut self) -> Duration {
        let started = self.now;
        (0..self.callers.len()).for_each(|position| self.submit(position));
        loop {
            let mut goes_on = self.serve();
            for position in 0..self.callers.len() {
                goes_on |= self.poll(position);
            }
            if goes_on {
                continue;
            }
            if self.callers.iter().all(|caller| caller.sleeps || caller.ticket.is_none()) {
                return self.now - started;
            }
            let check = self.pipeline.next_check().expect("somebody waits");
            self.now = self.now.max(check);
            assert!(self.now - started < HABIT.usual, "nobody comes by before the deadline");
            let mut wake = Vec::new();
            self.pipeline.check(self.now, true, &mut wake);
            wake.into_iter().for_each(Waker::wake);
        }
    }
}

#[test]
fn room_that_a_sleeper_holds_passes_on() {
    // The first is answered; the room goes to a sleeper; another sleeper and a caller that is awake wait after it.
    let mut scene = Scene::new(1, &[(false, 1), (true, 1), (true, 1), (false, 3)]);
    assert!(scene.run() <= GRANT_TIME);
    // A caller that wakes up is served all the same.
    for position in [1, 2] {
        scene.callers[position].sleeps = false;
        scene.callers[position].woken.0.store(true, Ordering::Relaxed);
    }
    while scene.callers.iter().any(|caller| caller.ticket.is_some()) {
        (0..4).for_each(|position| {
            scene.poll(position);
        });
        scene.serve();
    }
    assert_eq!(scene.pipeline.in_use(), 0);
}

#[test]
fn a_newcomer_gets_the_room_that_a_sleeper_holds() {
    let mut scene = Scene::new(1, &[(false, 2), (true, 1)]);
    assert!(scene.run() <= GRANT_TIME);
}

proptest! {
    #[test]
    fn nobody_waits_for_a_sleeper(
        commands in 1usize..6,
        callers in proptest::collection::vec((any::<bool>(), 1usize..4), 1..40),
    ) {
        let mut scene = Scene::new(commands, &callers);
        let took = scene.run();
        prop_assert!(took <= GRANT_TIME * 2, "{took:?}");
    }
}
