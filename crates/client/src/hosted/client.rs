//! The client that owns its runtime, as programs see it.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use truename_resp::RawFrame;

use super::call::Call;
use super::completions::Completions;
use super::inbox::{Inbox, Phase};
use super::outbox::Outbox;
use super::outstanding::{CAPACITY, Outstanding};
use super::request::{Refused, Request};
use super::thread::{Ends, start};
use crate::api::Client;
use crate::config::Config;
use crate::error::Error;
use crate::from_reply::FromReply;

/// A [`Client`] that runs on a thread of its own and takes requests in batches. See the [module](super) for what holds.
///
/// All of its methods may be called on any thread. Dropping it ends the client without waiting for servers: requests that
/// are outstanding are completed at once, with an error unless their reply was there. Their commands may have been executed,
/// which their errors then say ([`Error::may_have_executed`]). Dropping it never waits, so it may be dropped anywhere, even by
/// the callback; a callback that has begun by then may still be running. [`close`](Self::close) and
/// [`shutdown`](Self::shutdown) let requests finish.
pub struct HostedClient {
    inbox: Arc<Inbox>,
    client: Client,
    /// None once it is left to end by itself.
    thread: Option<JoinHandle<()>>,
}

impl HostedClient {
    /// Starts a thread with a client, and waits until that is connected, for [`Config::connect_timeout`] at most.
    ///
    /// Requests are completed with a `T`: a [`Reply`](crate::Reply), or any other type of [`FromReply`]. `callback` is called
    /// on the client's thread when there is something to [take](Completions::take) and there was nothing before, and a last time
    /// when [nothing comes any more](Completions::is_over). A call may find nothing to take, if somebody took it meanwhile.
    ///
    /// It needs no runtime, and within one it uses none of it. There it blocks the task that calls it and, as any code that
    /// blocks, may hold up others: [`tokio::task::spawn_blocking`] is for that.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(config: truename::Config) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// use truename::hosted::{HostedClient, Request};
    /// use truename::{Error, cmd};
    ///
    /// // The other end of this socket is for the `poll` or `epoll` of the program's own loop.
    /// let (mut bell, rung) = UnixStream::pair()?;
    /// // A full socket has rung already.
    /// bell.set_nonblocking(true)?;
    /// let callback = move || drop(bell.write(b"!"));
    ///
    /// let (hosted, completions) = HostedClient::start::<Option<String>>(&config, callback)?;
    /// hosted.submit([Request::new(1, cmd("GET").arg("city")), Request::new(2, cmd("GET").arg("country"))])?;
    ///
    /// // In the loop, when `rung` is readable and was read:
    /// let mut batch = Vec::new();
    /// completions.take(&mut batch);
    /// for completion in batch.drain(..) {
    ///     println!("{}: {:?}", completion.token, completion.outcome?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect`], and [`Error::Config`] when the system has no thread or no descriptors for it. No thread is left.
    pub fn start<T: FromReply + Send + 'static>(
        config: &Config,
        callback: impl FnMut() + Send + 'static,
    ) -> Result<(Self, Completions<T>), Error> {
        Self::start_with(config, callback)
    }

    /// [`start`](Self::start) for those who pass replies on: requests are completed with replies as they came, see
    /// [`Client::execute_raw`]. With [`Command::encoded`](crate::Command::encoded), nothing is encoded or decoded on the way.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(config: truename::Config, from_script: bytes::Bytes) -> Result<(), Box<dyn std::error::Error>> {
    /// use truename::Command;
    /// use truename::hosted::{HostedClient, Request};
    ///
    /// let (hosted, completions) = HostedClient::start_raw(&config, || println!("there is something to take"))?;
    /// hosted.submit([Request::new(1, Command::encoded(from_script)?)])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_raw(
        config: &Config,
        callback: impl FnMut() + Send + 'static,
    ) -> Result<(Self, Completions<RawFrame>), Error> {
        Self::start_with(config, callback)
    }

    fn start_with<T: Call>(
        config: &Config,
        callback: impl FnMut() + Send + 'static,
    ) -> Result<(Self, Completions<T>), Error> {
        let outstanding = Arc::new(Outstanding::up_to(CAPACITY));
        let inbox = Arc::new(Inbox::new(outstanding.clone()));
        let outbox = Arc::new(Outbox::new(outstanding));
        let ends = Ends { inbox: inbox.clone(), outbox: outbox.clone() };
        let (client, thread) = start::<T>(config, ends, Box::new(callback))?;
        Ok((Self { inbox, client, thread: Some(thread) }, Completions::new(outbox)))
    }

    /// Submits requests, which are begun in their order, and does not wait for anything. The iterator is gone through before
    /// the first one is begun.
    ///
    /// A `Vec` is taken as it is.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(hosted: truename::hosted::HostedClient) -> Result<(), truename::hosted::Refused> {
    /// use truename::cmd;
    /// use truename::hosted::Request;
    ///
    /// // The second one finds what the first one wrote: they are of one slot.
    /// hosted.submit([
    ///     Request::new(1, cmd("SET").arg("city").arg("Oslo")),
    ///     Request::new(2, cmd("GET").arg("city")),
    /// ])?;
    /// println!("{} requests are under way", hosted.outstanding());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Refused`] hands back what was not taken: what exceeds [`CAPACITY`], or all of it when the client was closed.
    pub fn submit(&self, requests: impl IntoIterator<Item = Request>) -> Result<(), Refused> {
        self.inbox.submit(requests.into_iter().collect())
    }

    /// How many requests were submitted whose completions have not been taken. See the [example](Self::submit).
    pub fn outstanding(&self) -> usize {
        self.inbox.outstanding()
    }

    /// The client itself: for [`Client::topology`], [`Client::nodes`] or [`Client::events`].
    ///
    /// It also executes commands, for callers on any executor. A clone of it keeps nothing alive: it is closed when the hosted
    /// client ends.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(hosted: truename::hosted::HostedClient) {
    /// for status in hosted.client().nodes() {
    ///     println!("{} is connected: {}", status.node, status.is_connected);
    /// }
    /// # }
    /// ```
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes no more requests, and ends the client when those that were submitted have their outcome. Does not wait for
    /// that: [`Completions::is_over`] says when it is done. Whoever drops this before that ends the client at once.
    ///
    /// Every command ends within its deadline. One that waits on the server without limit (`BLPOP` with 0) has none, and keeps
    /// the client from ending until it is answered.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(
    /// #     hosted: truename::hosted::HostedClient,
    /// #     completions: truename::hosted::Completions,
    /// #     rung: std::sync::mpsc::Receiver<()>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// hosted.close();
    /// let mut rest = Vec::new();
    /// while !completions.is_over() {
    ///     rung.recv()?;
    ///     completions.take(&mut rest);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        self.inbox.close(Phase::Closing);
    }

    /// [`close`](Self::close), and waits for the end of the thread: from then on everything is there to be taken, and the
    /// callback is not called any more.
    ///
    /// The callback must not wait for a lock that the caller holds, or neither ends. Called by the callback itself, this
    /// does not wait.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(hosted: truename::hosted::HostedClient, completions: truename::hosted::Completions) {
    /// hosted.shutdown();
    /// let mut rest = Vec::new();
    /// completions.take(&mut rest);
    /// assert!(completions.is_over());
    /// # }
    /// ```
    pub fn shutdown(mut self) {
        self.close();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // If it panicked, at the end of the callback's own life, there is nothing left to wait for either.
            let _ = thread.join();
        }
    }
}

impl Drop for HostedClient {
    fn drop(&mut self) {
        // After a shutdown the thread ends by itself.
        if self.thread.is_some() {
            self.inbox.close(Phase::Abandoned);
        }
    }
}

impl fmt::Debug for HostedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedClient")
            .field("client", &self.client)
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}
