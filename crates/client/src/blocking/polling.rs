//! Whether this thread is polling tasks, so that nothing may block it.
//!
//! tokio knows, and panics in `block_on`; it tells nobody beforehand. That a runtime is current says little: one is in
//! `spawn_blocking`, in `block_in_place` and under `Handle::enter`, too, where a thread may block. A task's id is there in
//! the first two as well, and is missing in the future of `block_on`. So what tells them apart is what tokio does only while
//! it polls: it gives what it polls a budget, and it takes wakers of `yield_now` for later.
//!
//! What must stay true: a thread that is not polling is never said to be; one that is gets an error and no panic.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Handle, Runtime};
use tokio::task::{coop, yield_now};

use crate::error::Error;
use crate::panics;

/// More than the budget that tokio gives a task for one poll, which is 128.
const MORE_THAN_A_BUDGET: usize = 256;

/// An error if this thread is polling tasks. `runtime` is the one that it is about to drive.
#[inline]
pub(super) fn may_block(runtime: &Runtime) -> Result<(), Error> {
    match Handle::try_current() {
        // Whoever polls is within a runtime. A program without any pays for no more than this.
        Err(error) if error.is_missing_context() => Ok(()),
        Err(_) => Err(Error::config("a blocking call was made while its thread ends")),
        Ok(_) => ask(runtime),
    }
}

#[cold]
fn ask(runtime: &Runtime) -> Result<(), Error> {
    // A future may have freed itself of its budget (`unconstrained`), and that of a multi-thread runtime's `block_on` has no
    // scheduler to take a waker. One that is both is left to tokio's own panic, whose message says the same.
    if has_a_budget()
        || is_scheduled()
        || panics::catch("a blocking call", || runtime.block_on(async {})).is_err()
    {
        return Err(Error::config_with_remedy(
            "a blocking call was made on a thread that is polling tasks, which it would hold up",
            "await the same call of the asynchronous client, or make this one in tokio::task::spawn_blocking",
        ));
    }
    Ok(())
}

/// Whether what runs here would have to pause some time. It has as much left afterwards as before.
fn has_a_budget() -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    // Dropped at the end, it restores what there was when it was made.
    let Poll::Ready(_first) = coop::poll_proceed(&mut cx) else { return true };
    (1..MORE_THAN_A_BUDGET).any(|_| match coop::poll_proceed(&mut cx) {
        Poll::Ready(taken) => {
            taken.made_progress();
            false
        }
        Poll::Pending => true,
    })
}

/// Whether a scheduler runs on this thread: it wakes who yields later, and otherwise nobody does but `yield_now` itself.
fn is_scheduled() -> bool {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let is_pending = pin!(yield_now()).poll(&mut Context::from_waker(&waker)).is_pending();
    is_pending && !woken.0.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::coop::unconstrained;
    use tokio::task::{LocalSet, block_in_place, spawn_blocking};

    use super::*;

    fn single() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    fn multi() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    }

    /// What is said here, and whether it is true.
    fn may() -> bool {
        // A runtime must not be dropped where it may not block.
        let runtime = single();
        let said = may_block(&runtime);
        runtime.shutdown_background();
        if let Err(error) = &said {
            assert!(error.to_string().contains("polling tasks"), "{error}");
            assert!(!error.may_have_executed());
        }
        said.is_ok()
    }

    #[test]
    fn what_polls_may_not_block() {
        for runtime in [single(), multi()] {
            runtime.block_on(async {
                assert!(!may(), "the future of block_on");
                assert!(!tokio::spawn(async { may() }).await.expect("no panic"), "a task");
                assert!(
                    !unconstrained(async { tokio::spawn(async { may() }).await }).await.expect("no panic")
                );
                let freed = tokio::spawn(unconstrained(async { may() }));
                assert!(!freed.await.expect("no panic"), "a task without a budget");
                assert!(!LocalSet::new().run_until(async { may() }).await, "a local set");
                let local = LocalSet::new();
                let task = local.run_until(async { tokio::task::spawn_local(async { may() }).await });
                assert!(!task.await.expect("no panic"), "a local task");
                // Without a panic, but tokio's message of one is printed.
                assert!(!unconstrained(async { may() }).await, "the future of block_on without a budget");
            });
        }
    }

    #[test]
    fn what_is_apart_from_tasks_may_block() {
        assert!(may(), "no runtime at all");
        for runtime in [single(), multi()] {
            let _current = runtime.enter();
            assert!(may(), "a runtime is current, and polls nothing here");
            runtime.block_on(async {
                assert!(spawn_blocking(may).await.expect("no panic"), "spawn_blocking");
                let foreign = std::thread::spawn(may).join();
                assert!(foreign.expect("no panic"), "a thread of one's own");
            });
        }
        multi().block_on(async {
            assert!(block_in_place(may), "block_in_place in the future of block_on");
            let task = tokio::spawn(async { (may(), block_in_place(may), may()) });
            assert_eq!(task.await.expect("no panic"), (false, true, false), "block_in_place in a task");
        });
    }

    #[test]
    fn asking_takes_nothing_of_the_budget() {
        single().block_on(async {
            for _ in 0..10 {
                assert!(has_a_budget());
            }
            assert!(coop::has_budget_remaining());
        });
    }
}
