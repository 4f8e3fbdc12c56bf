//! Requests on their way to the client's thread.
//!
//! Invariants: what was taken in is handed to the thread, in its order; the thread is woken once when something comes while
//! it sleeps, and never while it is awake; nothing is taken in once the inbox was closed. The lock is held for moving a
//! batch, never across a wake-up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::vec;

use parking_lot::Mutex;

use super::outstanding::Outstanding;
use super::request::{Refused, Request};

/// What the client's thread is to do. It only ever moves on to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Whatever is asked of it.
    Open,
    /// Finish what was taken in, and end.
    Closing,
    /// End at once.
    Abandoned,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    outstanding: Arc<Outstanding>,
}

#[derive(Debug)]
struct State {
    batches: Vec<Vec<Request>>,
    phase: Phase,
    /// The thread's, while it sleeps.
    sleeper: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(outstanding: Arc<Outstanding>) -> Self {
        let state = State { batches: Vec::new(), phase: Phase::Open, sleeper: None };
        Self { state: Mutex::new(state), outstanding }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.count()
    }

    /// Takes in as many as there is room for.
    pub(super) fn submit(&self, mut requests: Vec<Request>) -> Result<(), Refused> {
        let mut rest = requests.split_off(self.outstanding.admit(requests.len()));
        let sleeper = {
            let mut state = self.state.lock();
            if state.phase != Phase::Open {
                drop(state);
                self.outstanding.settle(requests.len());
                requests.append(&mut rest);
                return Err(Refused::Closed(requests));
            }
            if requests.is_empty() {
                None
            } else {
                state.batches.push(requests);
                state.sleeper.take()
            }
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
        if rest.is_empty() { Ok(()) } else { Err(Refused::Full(rest)) }
    }

    /// Takes in nothing any more, and has the thread end in this way, unless it already ends in a quicker one.
    pub(super) fn close(&self, phase: Phase) {
        let sleeper = {
            let mut state = self.state.lock();
            state.phase = state.phase.max(phase);
            state.sleeper.take()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// For the thread, which is awake: hands over all that came since the last time.
    pub(super) fn take(&self, into: &mut Waiting) -> Phase {
        let mut state = self.state.lock();
        state.sleeper = None;
        into.batches.extend(state.batches.drain(..).map(Vec::into_iter));
        state.phase
    }

    /// For the thread, which wants to sleep: leaves its waker for whatever comes next. False if something came since the
    /// phase was `seen`.
    pub(super) fn sleep(&self, waker: &Waker, seen: Phase) -> bool {
        let mut state = self.state.lock();
        let may_sleep = state.batches.is_empty() && state.phase == seen;
        state.sleeper = may_sleep.then(|| waker.clone());
        may_sleep
    }
}

/// Requests that the thread has taken and not begun, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    batches: VecDeque<vec::IntoIter<Request>>,
}

impl Iterator for Waiting {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        loop {
            match self.batches.front_mut()?.next() {
                Some(request) => return Some(request),
                None => drop(self.batches.pop_front()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::command::cmd;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn inbox(limit: usize) -> Inbox {
        Inbox::new(Arc::new(Outstanding::up_to(limit)))
    }

    fn requests(tokens: std::ops::Range<u64>) -> Vec<Request> {
        tokens.map(|token| Request::new(token, cmd("PING"))).collect()
    }

    fn tokens(requests: impl IntoIterator<Item = Request>) -> Vec<u64> {
        requests.into_iter().map(|request| request.token).collect()
    }

    #[test]
    fn a_batch_wakes_a_thread_that_sleeps_once_and_one_that_is_awake_never() {
        let (inbox, counts) = (inbox(100_000), Arc::new(Counts::default()));
        let waker = Waker::from(counts.clone());
        let wakes = || counts.0.load(Ordering::Relaxed);
        let mut waiting = Waiting::default();
        // It has not slept yet, so it will look by itself.
        inbox.submit(requests(0..10)).expect("room");
        assert_eq!((inbox.take(&mut waiting), wakes()), (Phase::Open, 0));
        assert!(inbox.sleep(&waker, Phase::Open));
        inbox.submit(Vec::new()).expect("nothing to wake anybody for");
        assert_eq!(wakes(), 0);
        inbox.submit(requests(10..10_010)).expect("room");
        // Until it has looked, it is awake.
        inbox.submit(requests(10_010..10_020)).expect("room");
        assert_eq!(wakes(), 1);
        assert!(!inbox.sleep(&waker, Phase::Open), "something came");
        inbox.take(&mut waiting);
        inbox.submit(requests(10_020..10_030)).expect("room");
        inbox.take(&mut waiting);
        assert!(inbox.sleep(&waker, Phase::Open));
        // A thread that was woken by something else is awake, too.
        inbox.take(&mut waiting);
        inbox.submit(requests(10_030..10_040)).expect("room");
        assert_eq!(wakes(), 1);
        inbox.take(&mut waiting);
        assert_eq!(tokens(waiting), (0..10_040).collect::<Vec<_>>(), "all of them, in order");
    }

    #[test]
    fn what_there_is_no_room_for_comes_back_in_order() {
        let inbox = inbox(15);
        inbox.submit(requests(0..10)).expect("room");
        match inbox.submit(requests(10..20)) {
            Err(Refused::Full(rest)) => assert_eq!(tokens(rest), [15, 16, 17, 18, 19]),
            other => panic!("{other:?}"),
        }
        let mut waiting = Waiting::default();
        inbox.take(&mut waiting);
        assert_eq!(inbox.outstanding(), 15, "they count until their completions are taken");
        assert_eq!(tokens(waiting), (0..15).collect::<Vec<_>>());
    }

    #[test]
    fn a_closed_inbox_takes_nothing_and_wakes_the_thread() {
        let (inbox, counts) = (inbox(4), Arc::new(Counts::default()));
        let waker = Waker::from(counts.clone());
        inbox.submit(requests(0..3)).expect("room");
        let mut waiting = Waiting::default();
        inbox.take(&mut waiting);
        assert!(inbox.sleep(&waker, Phase::Open));
        inbox.close(Phase::Closing);
        assert_eq!(counts.0.load(Ordering::Relaxed), 1);
        assert!(!inbox.sleep(&waker, Phase::Open), "the phase is another one");
        match inbox.submit(requests(3..8)) {
            Err(Refused::Closed(batch)) => assert_eq!(tokens(batch), [3, 4, 5, 6, 7]),
            other => panic!("{other:?}"),
        }
        assert_eq!(inbox.outstanding(), 3);
        inbox.close(Phase::Abandoned);
        inbox.close(Phase::Closing);
        assert_eq!(inbox.take(&mut waiting), Phase::Abandoned, "the quicker end holds");
        assert_eq!(tokens(waiting), [0, 1, 2]);
    }
}
