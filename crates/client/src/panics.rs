//! Panics of the user's code: a resolver, an address map, an identity policy.
//!
//! They run in the tasks that keep connections and topology alive, which must not end with them. A panic is caught where
//! the code is called and is the failure of what needed it. The same goes for callers' executors, when they are woken.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use futures_util::FutureExt;
use truename_resp::Untrusted;

/// The user's code panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked(String);

impl Panicked {
    /// `what` panicked with this payload.
    pub(crate) fn new(what: &str, payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("something that is not text");
        Self(format!("{what} panicked: {}", Untrusted(message)))
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Panicked {}

/// Calls what may panic.
pub(crate) fn catch<T>(what: &str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    // Nothing of ours is left half done: the code has nothing of ours but what it was lent to read.
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Panicked::new(what, &*payload))
}

/// Awaits what may panic. It is not polled again after it did.
pub(crate) async fn catch_in<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Panicked> {
    let caught = AssertUnwindSafe(future).catch_unwind().await;
    caught.map_err(|payload| Panicked::new(what, &*payload))
}

/// Wakes all of them. One that panics when it is woken does not keep the others from being woken.
#[inline]
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut wakers = wakers.into_iter();
    while catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake))).is_err() {
        tracing::warn!("a caller's waker panicked");
    }
}
