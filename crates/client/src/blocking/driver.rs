//! Who drives the connections: whoever waits for a reply, and between calls the housekeeper.
//!
//! A caller enters, waits in the `block_on` of the client's current-thread runtime, and leaves. Of several callers one drives
//! and the others wait until they are answered or their turn has come, which is how tokio does it. When nobody has called
//! for [`QUIET`], the housekeeper's thread drives: so connections are kept alive, and closed ones are noticed and replaced.
//! A call that comes before it does finds a closed connection by itself: lanes look at their sockets after a pause.
//!
//! What must stay true: the housekeeper does not drive while a caller is inside; a caller makes no system call for its
//! sake, unless it drives or waits for the last of long calls to end; nobody waits for the housekeeper; however a call
//! ends, even by a panic, it leaves.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::thread::{Builder, Thread, park, park_timeout};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::runtime::{self, Runtime};
use tokio::task::yield_now;

use super::polling;
use crate::error::Error;

/// The housekeeper. Linux shows fifteen characters of a name.
const HOUSEKEEPER: &str = "truename-keeper";
/// The runtime's helpers for what blocks, such as name lookups.
const BLOCKING: &str = "truename-block";

/// For how long nobody has driven when the housekeeper begins to.
const QUIET: Duration = Duration::from_millis(5);

/// What the housekeeper sees to at last.
type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The turns of callers and housekeeper on one runtime. Dropped, it ends the housekeeper.
#[derive(Debug)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    housekeeper: Thread,
}

struct Shared {
    /// None once this is being dropped.
    runtime: Option<Runtime>,
    /// How many calls were begun, how many of them have ended, and how many had to wait, so that somebody drove.
    begun: AtomicU64,
    ended: AtomicU64,
    waited: AtomicU64,
    /// The housekeeper drives or is about to; it stops when this is woken.
    is_driving: AtomicBool,
    stop: AtomicWaker,
    /// The housekeeper waits for a caller to leave.
    is_waiting: AtomicBool,
    is_over: AtomicBool,
    farewell: Mutex<Option<Farewell>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("is_driving", &self.is_driving).finish_non_exhaustive()
    }
}

impl Driver {
    /// A runtime without a client so far, and its housekeeper.
    pub(super) fn start() -> Result<Self, Error> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name(BLOCKING)
            .build()
            .map_err(|error| Error::config(format!("no runtime for the client: {error}")))?;
        let shared = Arc::new(Shared {
            runtime: Some(runtime),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            is_driving: AtomicBool::new(false),
            stop: AtomicWaker::new(),
            is_waiting: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            farewell: Mutex::new(None),
        });
        let keeping = Arc::clone(&shared);
        let housekeeper = Builder::new()
            .name(HOUSEKEEPER.to_owned())
            .spawn(move || keeping.keep())
            .map_err(|error| Error::config(format!("no thread for the client: {error}")))?;
        Ok(Self { shared, housekeeper: housekeeper.thread().clone() })
    }

    /// Runs a future on this thread, and the connections too while nobody else does.
    #[inline]
    pub(super) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        let Some(runtime) = &self.shared.runtime else { return Err(Error::Closed) };
        polling::may_block(runtime)?;
        let _call = self.enter();
        let mut future = pin!(future);
        let mut has_waited = false;
        Ok(runtime.block_on(poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            // What is ready at once keeps the housekeeper from nothing: it would have driven nothing.
            if polled.is_pending() && !has_waited {
                has_waited = true;
                self.shared.waited.fetch_add(1, SeqCst);
            }
            polled
        })))
    }

    fn enter(&self) -> Call<'_> {
        self.shared.begun.fetch_add(1, SeqCst);
        let call = Call(self);
        if self.shared.is_driving.load(SeqCst) {
            self.shared.stop.wake();
        }
        call
    }

    /// What the housekeeper drives at last, once this is dropped; nobody waits for it.
    pub(super) fn at_last(&self, farewell: impl Future<Output = ()> + Send + 'static) {
        *self.shared.farewell.lock() = Some(Box::pin(farewell));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.shared.stop.wake();
        self.housekeeper.unpark();
    }
}

/// A caller that is inside. Dropped, it leaves.
struct Call<'a>(&'a Driver);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Driver { shared, housekeeper } = self.0;
        shared.ended.fetch_add(1, SeqCst);
        if shared.is_waiting.load(SeqCst) {
            housekeeper.unpark();
        }
    }
}

impl Shared {
    fn is_busy(&self) -> bool {
        // In this order: a call that begins and ends in between is seen as one that is under way.
        let ended = self.ended.load(SeqCst);
        self.begun.load(SeqCst) != ended
    }

    fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// The housekeeper's life.
    fn keep(&self) {
        while !self.is_over() {
            let waited = self.waited.load(SeqCst);
            park_timeout(QUIET);
            if self.waited.load(SeqCst) != waited {
                continue;
            }
            if self.is_busy() {
                self.wait();
            } else {
                self.drive();
            }
        }
        if let Some(runtime) = &self.runtime {
            let farewell = self.farewell.lock().take();
            runtime.block_on(async {
                if let Some(farewell) = farewell {
                    farewell.await;
                }
                // Connections that have nothing left to do say goodbye.
                yield_now().await;
            });
        }
    }

    /// Waits until a caller leaves: one is inside for long.
    fn wait(&self) {
        self.is_waiting.store(true, SeqCst);
        if self.is_busy() && !self.is_over() {
            park();
        }
        self.is_waiting.store(false, SeqCst);
    }

    /// Drives until a caller comes.
    fn drive(&self) {
        let Some(runtime) = &self.runtime else { return };
        self.is_driving.store(true, SeqCst);
        runtime.block_on(poll_fn(|cx| {
            self.stop.register(cx.waker());
            if self.is_busy() || self.is_over() { Poll::Ready(()) } else { Poll::Pending }
        }));
        self.is_driving.store(false, SeqCst);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops this may not be allowed to block, and a name lookup that hangs must not hold up anybody.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};
    use std::time::Instant;

    use tokio::runtime::Handle;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Which thread runs the tasks of the runtime that is current.
    async fn tasks_thread() -> (ThreadId, Option<String>) {
        let task = tokio::spawn(async {
            let thread = thread::current();
            (thread.id(), thread.name().map(str::to_owned))
        });
        task.await.expect("no panic")
    }

    /// Waits without a runtime until the housekeeper has the runtime's tasks to itself.
    fn until_kept(runtime: &Handle) {
        let started = Instant::now();
        loop {
            let (sender, told) = std::sync::mpsc::channel();
            runtime.spawn(async move { sender.send(tasks_thread().await.1) });
            if told.recv_timeout(LIMIT).expect("somebody drives").as_deref() == Some(HOUSEKEEPER) {
                return;
            }
            assert!(started.elapsed() < LIMIT);
        }
    }

    #[test]
    fn who_waits_drives_and_the_housekeeper_does_between_calls() {
        let driver = Driver::start().expect("a driver");
        let own = thread::current().id();
        for _ in 0..3 {
            let runtime = driver.block_on(async {
                // A housekeeper that drives gives up at once.
                let taken = async { while tasks_thread().await.0 != own {} };
                timeout(LIMIT, taken).await.expect("the caller drives");
                for _ in 0..4 {
                    sleep(2 * QUIET).await;
                    assert_eq!(tasks_thread().await.0, own, "the housekeeper steps in beside a caller");
                }
                Handle::current()
            });
            until_kept(&runtime.expect("this thread may block"));
        }
    }

    #[test]
    fn of_several_callers_one_drives_at_a_time_and_nobody_is_forgotten() {
        let driver = Driver::start().expect("a driver");
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n: u32| {
                    let driver = &driver;
                    scope.spawn(move || {
                        for call in 0..500 {
                            let called = async move { tokio::spawn(async move { (n, call) }).await };
                            let answer = driver.block_on(called).expect("it may block").expect("no panic");
                            assert_eq!(answer, (n, call));
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().expect("every call ends"));
        });
    }

    #[test]
    fn a_housekeeper_that_is_held_up_holds_up_nobody() {
        let driver = Driver::start().expect("a driver");
        let runtime = driver.block_on(async { Handle::current() }).expect("this thread may block");
        until_kept(&runtime);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            begin.send(()).expect("the test waits");
            let _ = held.recv_timeout(LIMIT);
        });
        begun.recv_timeout(LIMIT).expect("the housekeeper drives");
        // It has what callers need to drive themselves; a call that ends for another reason, such as its deadline, ends.
        assert!(driver.shared.is_driving.load(SeqCst));
        driver.block_on(yield_now()).expect("this thread may block");
        drop(release);
    }

    #[test]
    fn calls_that_wait_for_nothing_do_not_keep_the_housekeeper_out() {
        let driver = Driver::start().expect("a driver");
        let runtime = driver.block_on(async { Handle::current() }).expect("this thread may block");
        let (sender, told) = std::sync::mpsc::channel();
        runtime.spawn(async move { sender.send(thread::current().name().map(str::to_owned)) });
        let started = Instant::now();
        let by = loop {
            driver.block_on(async {}).expect("this thread may block");
            park_timeout(QUIET / 5);
            if let Ok(by) = told.try_recv() {
                break by;
            }
            assert!(started.elapsed() < LIMIT, "nobody drives");
        };
        assert_eq!(by.as_deref(), Some(HOUSEKEEPER));
    }

    #[test]
    fn the_housekeeper_sees_to_what_is_left_when_it_is_dropped() {
        let driver = Driver::start().expect("a driver");
        let (sender, told) = std::sync::mpsc::channel();
        driver.at_last(async move {
            sleep(Duration::from_millis(5)).await;
            sender.send(thread::current().name().map(str::to_owned)).expect("the test waits");
        });
        drop(driver);
        assert_eq!(told.recv_timeout(LIMIT).expect("it is driven").as_deref(), Some(HOUSEKEEPER));
    }

    #[test]
    fn a_call_that_panics_leaves() {
        let driver = Driver::start().expect("a driver");
        let panics = || driver.block_on(async { panic!("a test's own panic") });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
        assert!(caught.is_err());
        assert!(!driver.shared.is_busy());
        let runtime = driver.block_on(async { Handle::current() });
        until_kept(&runtime.expect("this thread may block"));
    }

    #[test]
    fn dropped_anywhere_it_ends_the_housekeeper() {
        // While it drives, and while it waits for that.
        for is_kept in [true, false, false, false] {
            let driver = Driver::start().expect("a driver");
            let shared = Arc::downgrade(&driver.shared);
            let runtime = driver.block_on(async { Handle::current() }).expect("this thread may block");
            if is_kept {
                until_kept(&runtime);
            }
            // Where nothing may block.
            let elsewhere = runtime::Builder::new_current_thread().build().expect("a runtime");
            elsewhere.block_on(async { drop(driver) });
            let started = Instant::now();
            while shared.upgrade().is_some() {
                assert!(started.elapsed() < LIMIT, "the housekeeper goes on");
                thread::yield_now();
            }
        }
    }
}
