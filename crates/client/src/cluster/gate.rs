//! When a node may be dialled for one more exclusive connection.
//!
//! A connection that failed, or ended within its first second before anything was answered on it, closes the gate. Then
//! callers are refused at once with what went wrong, as a lane that is down refuses them, and one connection at a time
//! is tried, after pauses that grow as a lane's do. The gate opens when such a connection has lived for a second or had
//! its command answered. So a node that resets whatever connects is dialled about once a second, however many callers
//! want it.
//!
//! Pure: time is an argument.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::lane::{Backoff, CloseCause, RECONNECT, STABLE_AFTER};

#[derive(Debug)]
pub(super) struct DialGate(Mutex<GateState>);

#[derive(Debug)]
struct GateState {
    backoff: Backoff,
    /// Why the gate is closed, if it is.
    closed: Option<Closed>,
}

#[derive(Debug)]
struct Closed {
    cause: Arc<CloseCause>,
    not_before: Instant,
    trial: Trial,
}

/// The one connection that is tried while the gate is closed.
#[derive(Debug, Clone, Copy)]
enum Trial {
    None,
    Dialling,
    Up(Instant),
}

/// How a connection came through the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Open,
    Trial,
}

impl DialGate {
    pub(super) fn new() -> Self {
        Self(Mutex::new(GateState { backoff: Backoff::new(RECONNECT.0, RECONNECT.1), closed: None }))
    }

    /// Asks for permission to dial.
    pub(super) fn enter(&self, now: Instant) -> Result<Pass, Arc<CloseCause>> {
        let mut state = self.0.lock();
        let Some(closed) = &mut state.closed else { return Ok(Pass::Open) };
        match closed.trial {
            Trial::Up(since) if now.saturating_duration_since(since) >= STABLE_AFTER => {
                state.open();
                Ok(Pass::Open)
            }
            Trial::None if now >= closed.not_before => {
                closed.trial = Trial::Dialling;
                Ok(Pass::Trial)
            }
            _ => Err(closed.cause.clone()),
        }
    }

    /// A connection is up.
    pub(super) fn connected(&self, pass: Pass, now: Instant) {
        if let (Pass::Trial, Some(closed)) = (pass, &mut self.0.lock().closed) {
            closed.trial = Trial::Up(now);
        }
    }

    /// A command was answered.
    pub(super) fn answered(&self) {
        self.0.lock().open();
    }

    /// A connection failed, or ended too early.
    pub(super) fn failed(&self, pass: Pass, now: Instant, cause: &Arc<CloseCause>) {
        let mut state = self.0.lock();
        match &mut state.closed {
            // One of many that were dialled while the gate was open: that is one failure of the node.
            Some(closed) if pass == Pass::Open => closed.cause = cause.clone(),
            _ => {
                let not_before = now + state.backoff.next_delay();
                state.closed = Some(Closed { cause: cause.clone(), not_before, trial: Trial::None });
            }
        }
    }

    /// The connection is gone without having failed: its caller went away, or it had lived long enough.
    pub(super) fn left(&self, pass: Pass, now: Instant) {
        let mut state = self.0.lock();
        let mut pace = state.backoff.clone();
        let (Pass::Trial, Some(closed)) = (pass, &mut state.closed) else { return };
        match closed.trial {
            Trial::Up(since) if now.saturating_duration_since(since) >= STABLE_AFTER => state.open(),
            Trial::Up(_) | Trial::Dialling => {
                closed.trial = Trial::None;
                closed.not_before = now + pace.next_delay();
            }
            Trial::None => {}
        }
    }
}

impl GateState {
    fn open(&mut self) {
        self.backoff.reset();
        self.closed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: std::time::Duration = RECONNECT.1;

    #[test]
    fn one_at_a_time_after_a_failure_until_one_holds() {
        let gate = DialGate::new();
        let mut now = Instant::now();
        let reset = Arc::new(CloseCause::PeerClosed);
        assert_eq!(gate.enter(now).expect("open"), Pass::Open);
        assert_eq!(gate.enter(now).expect("open"), Pass::Open);
        gate.failed(Pass::Open, now, &reset);
        assert!(gate.enter(now).is_err(), "a pause comes first");
        for _ in 0..20 {
            now += LONGEST;
            assert_eq!(gate.enter(now).expect("the pause is over"), Pass::Trial);
            assert!(gate.enter(now).is_err(), "one at a time");
            gate.failed(Pass::Open, now, &reset);
            assert!(gate.enter(now).is_err(), "a straggler of the first wave changes nothing");
            gate.connected(Pass::Trial, now);
            assert!(gate.enter(now + STABLE_AFTER / 2).is_err(), "it may end yet");
            gate.failed(Pass::Trial, now, &reset);
        }
        now += LONGEST;
        assert_eq!(gate.enter(now).expect("again"), Pass::Trial);
        gate.connected(Pass::Trial, now);
        now += STABLE_AFTER;
        assert_eq!(gate.enter(now).expect("it holds"), Pass::Open);
        assert_eq!(gate.enter(now).expect("open"), Pass::Open);
    }

    #[test]
    fn an_answer_opens_and_a_caller_that_leaves_makes_way() {
        let gate = DialGate::new();
        let mut now = Instant::now();
        gate.failed(Pass::Open, now, &Arc::new(CloseCause::PeerClosed));
        now += LONGEST;
        assert_eq!(gate.enter(now).expect("the pause is over"), Pass::Trial);
        gate.left(Pass::Trial, now);
        assert!(
            gate.enter(now).is_err(),
            "not at once: callers that leave again and again do not justify more dials"
        );
        now += LONGEST;
        assert_eq!(gate.enter(now).expect("somebody else's turn"), Pass::Trial);
        gate.connected(Pass::Trial, now);
        gate.left(Pass::Trial, now + STABLE_AFTER);
        assert_eq!(gate.enter(now).expect("it held, though nobody looked"), Pass::Open);
        gate.failed(Pass::Open, now, &Arc::new(CloseCause::PeerClosed));
        gate.answered();
        gate.left(Pass::Trial, now);
        assert_eq!(gate.enter(now).expect("open"), Pass::Open);
    }
}
