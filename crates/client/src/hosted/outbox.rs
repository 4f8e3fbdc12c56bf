//! Completions on their way to whoever takes them.
//!
//! Invariants: each is handed out once, or thrown away once nobody can take it any more; the lock is held for moving them,
//! never while one is dropped, which may be the user's code, or while somebody is called.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use super::outstanding::Outstanding;
use super::request::Completion;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Outbox<T> {
    state: Mutex<State<T>>,
    outstanding: Arc<Outstanding>,
}

#[derive(Debug)]
struct State<T> {
    ready: Vec<Completion<T>>,
    /// Nothing comes any more.
    is_over: bool,
    /// Nobody takes anything any more.
    is_unwanted: bool,
}

impl<T> Outbox<T> {
    pub(super) fn new(outstanding: Arc<Outstanding>) -> Self {
        let state = State { ready: Vec::new(), is_over: false, is_unwanted: false };
        Self { state: Mutex::new(state), outstanding }
    }

    /// Moves what is done to where it can be taken. True if whoever takes it must be called: there was nothing before.
    pub(super) fn deliver(&self, done: &mut Vec<Completion<T>>) -> bool {
        self.put(done, false)
    }

    /// Delivers the last ones. True if whoever takes them must be called: there is somebody.
    pub(super) fn end(&self, done: &mut Vec<Completion<T>>) -> bool {
        self.put(done, true)
    }

    fn put(&self, done: &mut Vec<Completion<T>>, is_over: bool) -> bool {
        {
            let mut state = self.state.lock();
            state.is_over |= is_over;
            if !state.is_unwanted {
                let was_empty = state.ready.is_empty();
                let is_news = is_over || was_empty && !done.is_empty();
                if was_empty {
                    // The two take turns, so that neither grows from nothing each time.
                    mem::swap(&mut state.ready, done);
                } else {
                    state.ready.append(done);
                }
                return is_news;
            }
        }
        self.outstanding.settle(done.len());
        done.clear();
        false
    }

    /// Appends everything that is there; returns how many.
    pub(super) fn take(&self, into: &mut Vec<Completion<T>>) -> usize {
        let count = if into.is_empty() {
            let mut state = self.state.lock();
            mem::swap(&mut state.ready, into);
            into.len()
        } else {
            let mut ready = mem::take(&mut self.state.lock().ready);
            let count = ready.len();
            into.append(&mut ready);
            count
        };
        self.outstanding.settle(count);
        count
    }

    /// Whether everything was taken and nothing comes any more.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state.lock();
        state.is_over && state.ready.is_empty()
    }

    /// Nobody takes anything any more.
    pub(super) fn leave(&self) {
        let ready = {
            let mut state = self.state.lock();
            state.is_unwanted = true;
            mem::take(&mut state.ready)
        };
        self.outstanding.settle(ready.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(outstanding: &Arc<Outstanding>) -> Outbox<u64> {
        Outbox::new(outstanding.clone())
    }

    fn done(tokens: std::ops::Range<u64>) -> Vec<Completion<u64>> {
        tokens.map(|token| Completion { token, outcome: Ok(token) }).collect()
    }

    fn tokens(completions: &[Completion<u64>]) -> Vec<u64> {
        completions.iter().map(|completion| completion.token).collect()
    }

    #[test]
    fn the_taker_is_called_when_there_was_nothing_before_and_at_the_end() {
        let outstanding = Arc::new(Outstanding::up_to(100));
        outstanding.admit(10);
        let outbox = outbox(&outstanding);
        assert!(!outbox.deliver(&mut done(0..0)), "there is nothing to take");
        assert!(outbox.deliver(&mut done(0..3)));
        assert!(!outbox.deliver(&mut done(3..6)), "the taker was called");
        let mut taken = Vec::new();
        assert_eq!((outbox.take(&mut taken), outstanding.count()), (6, 4));
        assert!(outbox.deliver(&mut done(6..8)));
        assert_eq!(outbox.take(&mut taken), 2);
        assert_eq!(outbox.take(&mut taken), 0);
        assert!(outbox.deliver(&mut done(8..9)) && !outbox.is_over());
        assert!(outbox.end(&mut done(9..10)), "the end is news");
        assert!(!outbox.is_over(), "there is something to take");
        assert_eq!(outbox.take(&mut taken), 2);
        assert!(outbox.is_over());
        assert_eq!((tokens(&taken), outstanding.count()), ((0..10).collect(), 0));
    }

    #[test]
    fn what_nobody_takes_is_thrown_away_and_counts_no_longer() {
        let outstanding = Arc::new(Outstanding::up_to(100));
        outstanding.admit(9);
        let outbox = outbox(&outstanding);
        outbox.deliver(&mut done(0..3));
        outbox.leave();
        assert_eq!(outstanding.count(), 6);
        let mut late = done(3..6);
        assert!(!outbox.deliver(&mut late) && late.is_empty());
        assert!(!outbox.end(&mut done(6..9)), "nobody is there to be called");
        assert_eq!(outstanding.count(), 0);
    }
}
