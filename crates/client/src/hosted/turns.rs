//! What the client's thread does each time it is woken: it begins what was submitted, polls the calls that can go on, and
//! hands over what is done.
//!
//! Invariants:
//! - Calls are polled for the first time in the order of their requests: a new one joins the end of the line of those that
//!   are to be polled.
//! - A turn is bounded, so that the connections' tasks, which share the thread, get theirs.
//! - What a turn has completed is handed over under one lock, and then the callback is called at most once.
//! - Whatever it was in the middle of, [`Turns::finish`] completes every request that was taken in.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::inbox::{Inbox, Phase, Waiting};
use super::outbox::Outbox;
use super::request::{Completion, Request};
use crate::error::Error;
use crate::panics;

/// How many calls a turn begins at most.
const BEGINS: usize = 1024;
/// How many completions end a turn.
const COMPLETIONS: usize = 4096;

/// Called when there is something to take.
pub(super) type Callback = Box<dyn FnMut() + Send>;

/// The thread's side of a hosted client. `begin` makes a request's call, which ends in its completion.
pub(super) struct Turns<'a, T, B, F> {
    inbox: &'a Inbox,
    outbox: &'a Outbox<T>,
    callback: Callback,
    begin: B,
    waiting: Waiting,
    calls: FuturesUnordered<F>,
    done: Vec<Completion<T>>,
}

impl<'a, T, B, F> Turns<'a, T, B, F>
where
    B: Fn(Request) -> F,
    F: Future<Output = Completion<T>>,
{
    pub(super) fn new(inbox: &'a Inbox, outbox: &'a Outbox<T>, callback: Callback, begin: B) -> Self {
        let (waiting, calls, done) = (Waiting::default(), FuturesUnordered::new(), Vec::new());
        Self { inbox, outbox, callback, begin, waiting, calls, done }
    }

    /// Runs until the inbox was closed and there is nothing left to do, or nothing is to be done any more.
    pub(super) async fn run(&mut self) {
        poll_fn(|cx| self.poll_turn(cx)).await;
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.inbox.take(&mut self.waiting);
        if phase == Phase::Abandoned {
            return Poll::Ready(());
        }
        let has_begun_all = self.begin_calls();
        let is_idle = self.poll_calls(cx) && has_begun_all;
        self.deliver();
        if is_idle {
            if phase == Phase::Closing && self.calls.is_empty() {
                return Poll::Ready(());
            }
            if self.inbox.sleep(cx.waker(), phase) {
                return Poll::Pending;
            }
        }
        // Another turn follows, after those of the connections.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// False if more calls are to be begun.
    fn begin_calls(&mut self) -> bool {
        for _ in 0..BEGINS {
            let Some(request) = self.waiting.next() else { return true };
            self.calls.push((self.begin)(request));
        }
        false
    }

    /// False if more calls may be able to go on.
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        while self.done.len() < COMPLETIONS {
            match self.calls.poll_next_unpin(cx) {
                Poll::Ready(Some(completion)) => self.done.push(completion),
                Poll::Ready(None) | Poll::Pending => return true,
            }
        }
        false
    }

    fn deliver(&mut self) {
        if !self.done.is_empty() && self.outbox.deliver(&mut self.done) {
            self.call_back();
        }
    }

    fn call_back(&mut self) {
        if let Err(panicked) = panics::catch("a hosted client's callback", &mut self.callback) {
            tracing::warn!("{panicked}");
        }
    }

    /// Completes what is left, when the client is closed and its runtime is gone: calls that are under way find that out
    /// by themselves, and know what they know about their commands.
    pub(super) fn finish(mut self) {
        self.inbox.close(Phase::Abandoned);
        self.inbox.take(&mut self.waiting);
        let closed = |request: Request| Completion { token: request.token, outcome: Err(Error::Closed) };
        self.done.extend(self.waiting.by_ref().map(closed));
        without_a_runtime(poll_fn(|cx| {
            while !self.poll_calls(cx) {
                self.deliver();
            }
            self.deliver();
            if self.calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        }));
        if self.outbox.end(&mut self.done) {
            self.call_back();
        }
    }
}

/// Runs a future on this thread.
fn without_a_runtime<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::command::cmd;
    use crate::hosted::outstanding::Outstanding;

    fn ends() -> (Arc<Inbox>, Outbox<u64>) {
        let outstanding = Arc::new(Outstanding::up_to(100_000));
        (Arc::new(Inbox::new(outstanding.clone())), Outbox::new(outstanding))
    }

    fn requests(tokens: std::ops::Range<u64>) -> Vec<Request> {
        tokens.map(|token| Request::new(token, cmd("PING"))).collect()
    }

    fn taken(outbox: &Outbox<u64>) -> Vec<Completion<u64>> {
        let mut completions = Vec::new();
        outbox.take(&mut completions);
        completions.sort_by_key(|completion| completion.token);
        completions
    }

    fn tokens(completions: &[Completion<u64>]) -> Vec<u64> {
        completions.iter().map(|completion| completion.token).collect()
    }

    /// Ends at once, or at the second or third poll.
    async fn call(Request { token, .. }: Request, polled_first: &RefCell<Vec<u64>>) -> Completion<u64> {
        polled_first.borrow_mut().push(token);
        for _ in 0..token % 3 {
            tokio::task::yield_now().await;
        }
        Completion { token, outcome: Ok(token) }
    }

    /// More than a turn begins or completes, in batches of all sizes.
    #[test]
    fn calls_are_polled_first_in_the_order_of_their_requests() {
        let ((inbox, outbox), polled_first) = (ends(), RefCell::default());
        let rings = Arc::new(AtomicUsize::new(0));
        let ring = rings.clone();
        // What the callback submits, finds the thread awake.
        let (of_callback, mut more) = (inbox.clone(), Some(requests(20_000..20_010)));
        let callback = move || {
            ring.fetch_add(1, Ordering::Relaxed);
            if let Some(more) = more.take() {
                of_callback.submit(more).expect("open");
                of_callback.close(Phase::Closing);
            }
        };
        for batch in [0..1, 1..8, 8..9000, 9000..9001, 9001..20_000] {
            inbox.submit(requests(batch)).expect("room");
        }
        let mut turns =
            Turns::new(&inbox, &outbox, Box::new(callback), |request| call(request, &polled_first));
        without_a_runtime(turns.run());
        assert_eq!(rings.load(Ordering::Relaxed), 1, "nothing was taken since the first time");
        turns.finish();
        assert_eq!(rings.load(Ordering::Relaxed), 2, "the end is news");
        let all: Vec<u64> = (0..20_010).collect();
        assert_eq!(polled_first.into_inner(), all);
        assert_eq!(tokens(&taken(&outbox)), all);
        assert!(outbox.is_over());
    }

    #[test]
    fn a_callback_that_panics_stops_nothing() {
        let ((inbox, outbox), polled_first) = (ends(), RefCell::default());
        inbox.submit(requests(0..3)).expect("room");
        inbox.close(Phase::Closing);
        let callback = Box::new(|| panic!("a test's own panic"));
        let mut turns = Turns::new(&inbox, &outbox, callback, |request| call(request, &polled_first));
        without_a_runtime(turns.run());
        turns.finish();
        assert_eq!(tokens(&taken(&outbox)), [0, 1, 2]);
        assert!(outbox.is_over());
    }

    #[test]
    fn whatever_is_left_is_completed_once() {
        let (inbox, outbox) = ends();
        // These find out only when asked again that the client was closed.
        let is_closed = Cell::new(false);
        let call = |Request { token, .. }: Request| {
            let is_closed = &is_closed;
            async move {
                while !is_closed.get() {
                    tokio::task::yield_now().await;
                }
                Completion { token, outcome: Ok(token) }
            }
        };
        inbox.submit(requests(0..10)).expect("room");
        let mut turns = Turns::new(&inbox, &outbox, Box::new(|| {}), call);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(turns.poll_turn(&mut cx).is_pending());
        inbox.submit(requests(10..20)).expect("room");
        inbox.close(Phase::Abandoned);
        assert!(turns.poll_turn(&mut cx).is_ready());
        is_closed.set(true);
        turns.finish();
        let completions = taken(&outbox);
        assert_eq!(tokens(&completions), (0..20).collect::<Vec<_>>());
        for Completion { token, outcome } in completions {
            let as_expected =
                if token < 10 { outcome.is_ok() } else { matches!(outcome, Err(Error::Closed)) };
            assert!(as_expected, "{token}: {outcome:?}");
        }
    }
}
