//! The end of a hosted client where completions are taken.

use std::fmt;
use std::sync::Arc;

use truename_resp::Reply;

use super::outbox::Outbox;
use super::request::Completion;

/// Where the completions of a [`HostedClient`](super::HostedClient) are taken, on any thread. It outlives the client: what
/// was under way when that was dropped is completed here.
///
/// Dropping it throws completions away, those to come included, and ends the calls of the callback. Requests are executed
/// all the same.
///
/// [`HostedClient::start`](super::HostedClient::start) has an example.
pub struct Completions<T = Reply> {
    outbox: Arc<Outbox<T>>,
}

impl<T> Completions<T> {
    pub(super) fn new(outbox: Arc<Outbox<T>>) -> Self {
        Self { outbox }
    }

    /// Appends all completions that are there to `into`, and returns how many: none, if somebody else was quicker. They come
    /// in the order in which the requests were completed.
    ///
    /// Costs least if `into` is empty: then the two only change places. See the
    /// [example](super::HostedClient::start).
    pub fn take(&self, into: &mut Vec<Completion<T>>) -> usize {
        self.outbox.take(into)
    }

    /// Whether the client has ended and everything was taken. The callback's last call may still be to come:
    /// [`shutdown`](super::HostedClient::shutdown) waits for its end. See the [example](super::HostedClient::close).
    pub fn is_over(&self) -> bool {
        self.outbox.is_over()
    }
}

impl<T> Drop for Completions<T> {
    fn drop(&mut self) {
        self.outbox.leave();
    }
}

impl<T> fmt::Debug for Completions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
