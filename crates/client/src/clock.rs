//! A clock that needs no runtime: one thread per process, for callers whose own runtime cannot help them.
//!
//! A call may be polled by any executor: by the runtime that drives the client's connections, by another one, or by
//! none at all. Its pauses and its deadline must end all the same, even while nothing drives the client's runtime. So
//! callers pause on this clock, and a lane sets an alarm here for its callers' deadlines.
//!
//! Invariants: nothing here is done per command; an alarm ends with its owner; a panic in a waker, which is a foreign
//! executor's code, stops no other alarm; while nothing is set, the thread sleeps.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant as SystemInstant};

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

/// An alarm that rings this much too late shows that the process was not running: stopped, suspended, starved.
pub(crate) const LATE: Duration = Duration::from_millis(100);

static CLOCK: Clock =
    Clock { set: Mutex::new(Alarms { by_time: BTreeMap::new(), count: 0 }), changed: Condvar::new() };
static IS_RUNNING: Mutex<bool> = Mutex::new(false);

/// Called when the time that it asked for has come.
pub(crate) trait Watched: Send + Sync {
    /// `late` is how much later this is than was asked for: more than a little when the process was stopped.
    fn look(self: Arc<Self>, late: Duration);
}

enum ClockAlarm {
    Wake(Waker),
    Look(Weak<dyn Watched>),
}

/// When an alarm rings, and a number that no other alarm has.
type Key = (SystemInstant, u64);

struct Alarms {
    by_time: BTreeMap<Key, ClockAlarm>,
    count: u64,
}

struct Clock {
    set: Mutex<Alarms>,
    changed: Condvar,
}

/// Starts the clock, unless it runs. Nothing rings before.
pub(crate) fn start() -> io::Result<()> {
    let mut is_running = IS_RUNNING.lock();
    if !*is_running {
        std::thread::Builder::new().name("truename-clock".to_owned()).spawn(|| CLOCK.run())?;
        *is_running = true;
    }
    Ok(())
}

/// Calls `watched` when the time comes, if it still exists by then and the returned alarm was not dropped.
pub(crate) fn look_at(at: Instant, watched: Weak<dyn Watched>) -> Reminder {
    Reminder(CLOCK.set(at, ClockAlarm::Look(watched)))
}

/// Keeps an alarm set. Dropped, it unsets the alarm.
#[derive(Debug)]
#[must_use = "dropped, it reminds nobody"]
pub(crate) struct Reminder(Key);

impl Drop for Reminder {
    fn drop(&mut self) {
        CLOCK.unset(self.0);
    }
}

/// Waits, on whatever polls it.
pub(crate) fn sleep_until(at: Instant) -> Pause {
    Pause { at, key: None }
}

/// Runs a future until a deadline; `None` when that passed first.
pub(crate) async fn timeout_at<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut pause) = (pin!(future), sleep_until(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        ready!(Pin::new(&mut pause).poll(cx));
        Poll::Ready(None)
    })
    .await
}

/// See [`sleep_until`]. Cancel safe.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub(crate) struct Pause {
    at: Instant,
    key: Option<Key>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.unset();
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        self.key = Some(CLOCK.set(self.at, ClockAlarm::Wake(cx.waker().clone())));
        Poll::Pending
    }
}

impl Pause {
    fn unset(&mut self) {
        if let Some(key) = self.key.take() {
            CLOCK.unset(key);
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.unset();
    }
}

impl Clock {
    fn set(&self, at: Instant, alarm: ClockAlarm) -> Key {
        // The caller's clock may be a paused one: what counts is how long it wants to wait.
        let at = SystemInstant::now() + at.saturating_duration_since(Instant::now());
        let mut set = self.set.lock();
        set.count += 1;
        let key = (at, set.count);
        set.by_time.insert(key, alarm);
        let is_first = set.by_time.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(set);
        if is_first {
            self.changed.notify_one();
        }
        key
    }

    fn unset(&self, key: Key) {
        let alarm = self.set.lock().by_time.remove(&key);
        // A waker may hold the last reference to a task whose future has a pause of its own: not while the lock is
        // held.
        drop(alarm);
    }

    fn run(&self) {
        let mut due = Vec::new();
        loop {
            self.wait(&mut due);
            for (at, alarm) in due.drain(..) {
                if catch_unwind(AssertUnwindSafe(|| alarm.ring(at))).is_err() {
                    tracing::warn!("a waker panicked in the timer thread");
                }
            }
        }
    }

    /// Waits until an alarm is due, and takes all that are.
    fn wait(&self, due: &mut Vec<(SystemInstant, ClockAlarm)>) {
        let mut set = self.set.lock();
        loop {
            let now = SystemInstant::now();
            while let Some(first) = set.by_time.first_entry().filter(|first| first.key().0 <= now) {
                let ((at, _), alarm) = first.remove_entry();
                due.push((at, alarm));
            }
            if !due.is_empty() {
                return;
            }
            match set.by_time.first_key_value() {
                Some((&(at, _), _)) => {
                    self.changed.wait_until(&mut set, at);
                }
                None => self.changed.wait(&mut set),
            }
        }
    }
}

impl ClockAlarm {
    fn ring(self, at: SystemInstant) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Look(watched) => {
                if let Some(watched) = watched.upgrade() {
                    watched.look(at.elapsed());
                }
            }
        }
    }
}

/// How often the clock is to look at this.
#[cfg(test)]
pub(crate) fn looks_of(watched: &Weak<dyn Watched>) -> usize {
    let is = |alarm: &&ClockAlarm| matches!(alarm, ClockAlarm::Look(other) if std::ptr::addr_eq(other.as_ptr(), watched.as_ptr()));
    CLOCK.set.lock().by_time.values().filter(is).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Further away than what the other tests of this program wait for, which set the same clock.
    const FAR: Duration = Duration::from_secs(10 * 24 * 3600);

    #[test]
    fn pauses_end_without_a_runtime_and_leave_nothing_behind() {
        start().expect("a thread");
        let started = Instant::now();
        let at = started + Duration::from_millis(30);
        let both = async {
            let never = timeout_at(at, std::future::pending::<()>()).await;
            let soon = timeout_at(at + FAR, sleep_until(at)).await;
            (never, soon)
        };
        let mut both = pin!(both);
        let thread = std::thread::current();
        let waker = Waker::from(Arc::new(Unpark(thread)));
        let mut cx = Context::from_waker(&waker);
        let outcome = loop {
            match both.as_mut().poll(&mut cx) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => std::thread::park_timeout(Duration::from_secs(5)),
            }
        };
        assert_eq!(outcome, (None, Some(())));
        assert!(started.elapsed() < Duration::from_secs(4), "nobody was woken");
        let far = SystemInstant::now() + FAR / 2;
        assert!(CLOCK.set.lock().by_time.range((far, 0)..).next().is_none(), "a dropped pause is unset");
    }

    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn a_panic_of_what_is_woken_stops_nobody_else() {
        struct Panics;
        impl Watched for Panics {
            fn look(self: Arc<Self>, _: Duration) {
                panic!("a test's own panic");
            }
        }
        struct Tells(std::sync::mpsc::Sender<Duration>);
        impl Watched for Tells {
            fn look(self: Arc<Self>, late: Duration) {
                let _ = self.0.send(late);
            }
        }
        start().expect("a thread");
        let panics: Arc<dyn Watched> = Arc::new(Panics);
        let _panics = look_at(Instant::now(), Arc::downgrade(&panics));
        let (sender, receiver) = std::sync::mpsc::channel();
        let tells: Arc<dyn Watched> = Arc::new(Tells(sender));
        let _tells = look_at(Instant::now() + Duration::from_millis(20), Arc::downgrade(&tells));
        receiver.recv_timeout(Duration::from_secs(5)).expect("the clock goes on");
    }
}
