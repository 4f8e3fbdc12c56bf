//! Who drives the connections: whoever waits for a reply, and between calls the housekeeper.
//!
//! A caller enters, waits in the `block_on` of the client's current-thread runtime, and leaves. Of several callers one drives
//! and the others wait until they are answered or their turn has come, which is how tokio does it. When nobody has called
//! for [`QUIET`], the housekeeper's thread drives: so connections are kept alive, and closed ones are noticed and replaced.
//!
//! What must stay true: the housekeeper does not drive while a caller is inside; a caller makes no system call for its
//! sake, unless it drives or waits for the last of long calls to end; however a call ends, even by a panic, it leaves.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::thread::{Builder, Thread, park, park_timeout};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::runtime::{self, Runtime};
use tokio::task::yield_now;

use super::polling;
use crate::error::Error;

/// The housekeeper. Linux shows fifteen characters of a name.
const HOUSEKEEPER: &str = "truename-keeper";
/// The runtime's helpers for what blocks, such as name lookups.
const BLOCKING: &str = "truename-block";

/// For how long nobody has called when the housekeeper begins to drive.
const QUIET: Duration = Duration::from_millis(5);

/// After a pause of this length, a caller looks at the sockets before it sends anything: a connection that was closed meanwhile
/// is then replaced first. Calls in a row do without that system call.
const STALE: Duration = Duration::from_micros(200);

/// The turns of callers and housekeeper on one runtime. Dropped, it ends the housekeeper.
#[derive(Debug)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    housekeeper: Thread,
}

#[derive(Debug)]
struct Shared {
    /// None once this is being dropped.
    runtime: Option<Runtime>,
    /// How many calls were begun, and how many of them have ended.
    begun: AtomicU64,
    ended: AtomicU64,
    /// When the latest call ended, in microseconds since `started`.
    ended_at: AtomicU64,
    started: Instant,
    /// The housekeeper drives or is about to; it stops when this is woken.
    is_driving: AtomicBool,
    stop: AtomicWaker,
    /// The housekeeper waits for a caller to leave.
    is_waiting: AtomicBool,
    is_over: AtomicBool,
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
            ended_at: AtomicU64::new(0),
            started: Instant::now(),
            is_driving: AtomicBool::new(false),
            stop: AtomicWaker::new(),
            is_waiting: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
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
        let (_call, is_stale) = self.enter();
        Ok(runtime.block_on(async {
            if is_stale {
                yield_now().await;
            }
            future.await
        }))
    }

    /// Begins a call; says whether nobody has looked at the sockets for a while.
    fn enter(&self) -> (Call<'_>, bool) {
        let shared = &*self.shared;
        let others = shared.begun.fetch_add(1, SeqCst) - shared.ended.load(SeqCst);
        if shared.is_driving.load(SeqCst) {
            shared.stop.wake();
            return (Call(self), false);
        }
        let ended_at = Duration::from_micros(shared.ended_at.load(SeqCst));
        (Call(self), others == 0 && shared.started.elapsed().saturating_sub(ended_at) >= STALE)
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
        let ended_at = u64::try_from(shared.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.ended_at.store(ended_at, SeqCst);
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
            let begun = self.begun.load(SeqCst);
            park_timeout(QUIET);
            if self.begun.load(SeqCst) != begun {
                continue;
            }
            if self.is_busy() {
                self.wait();
            } else {
                self.drive();
            }
        }
        if let Some(runtime) = &self.runtime {
            // Connections that have nothing left to do say goodbye.
            runtime.block_on(yield_now());
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
