//! Keys that are watched by hand: the steps of a transaction, one by one.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use truename_resp::Reply;
use truename_topology::Slot;

use super::client::Client;
use super::decode::decode;
use crate::clock;
use crate::command::Command;
use crate::config::FOREVER;
use crate::error::Error;
use crate::from_reply::FromReply;
use crate::router::{Commit, Draft, Watched};

/// Keys that are watched on a connection of their own, until [`exec`](Self::exec). Made by [`Client::watch`].
///
/// It is for code that has the steps of a transaction in several places, such as an adapter to another interface.
/// [`Client::transaction`] does more of the work: it reads again after a race.
///
/// # What holds
/// - A `WATCH` follows no redirect. Where its slot goes to another node, or its connection is lost, the keys are watched no more,
///   and `exec` says what it says after a lost race: nothing was executed.
/// - `EXEC` is sent once, whatever becomes of it.
/// - After its time, or when it is dropped, its connection is closed, and the `WATCH` is gone with it. A read that is under way
///   when the time is over ends with it; what was given to `exec` before is waited for.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use std::time::Duration;
/// use truename::cmd;
///
/// let watch = client.watch(Duration::from_secs(10), ["stock"]).await?;
/// let stock: Option<u64> = watch.execute(cmd("GET").arg("stock")).await?;
/// if stock.unwrap_or(0) == 0 {
///     watch.unwatch().await;
///     return Ok(());
/// }
/// match watch.exec([cmd("DECR").arg("stock"), cmd("RPUSH").arg("{stock}:log").arg("-1")]).await? {
///     Some(replies) => println!("{} commands were executed", replies.len()),
///     None => println!("somebody was faster: read again"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Watch {
    client: Client,
    draft: Arc<Draft>,
    /// Why nothing was executed although nobody was faster.
    refusal: OnceLock<Error>,
    /// Dropped, it tells the task that ends the watch after its time.
    _kept: oneshot::Sender<Infallible>,
}

/// Keys may be secrets.
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("slot", &self.slot())
            .field("is_intact", &self.is_intact())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Watches keys of one slot, for `limit` at most; then the connection is closed. See the [example](Watch#examples).
    ///
    /// The connection is one of those that [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections)
    /// bounds, until it is given back by [`Watch::exec`] or [`Watch::unwatch`], or closed.
    ///
    /// # Errors
    /// After the time of an ordinary command ([`Config::command_timeout`](crate::Config::command_timeout)) what stood in the way,
    /// as from [`Client::dedicated`]; [`Error::Route`] without keys, or with keys of several slots.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn watch<K: AsRef<[u8]>>(
        &self,
        limit: Duration,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Watch, Error> {
        let limit = limit.min(FOREVER);
        let draft = self.router().watch_keys(&Watched::new(keys), limit).await?;
        let (_kept, gone) = oneshot::channel::<Infallible>();
        let expiring = Arc::downgrade(&draft);
        self.router().cluster().spawn(async move {
            if timeout(limit, gone).await.is_err()
                && let Some(draft) = expiring.upgrade()
            {
                draft.expire();
            }
        });
        Ok(Watch { client: self.clone(), draft, refusal: OnceLock::new(), _kept })
    }

    /// Awaits something for `limit` at most, on any executor, as all calls do: for adapters, whose callers give several calls one
    /// time. `None` if that is over first.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use std::time::Duration;
    ///
    /// let watch = client.within(Duration::from_millis(20), client.watch(Duration::from_secs(10), ["stock"])).await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// That of the future, which is dropped after its time.
    pub async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        clock::timeout_at(Instant::now() + limit.min(FOREVER), future).await
    }
}

impl Watch {
    /// Watches more keys of the same slot. See the [example](Watch#examples).
    ///
    /// # Errors
    /// [`Error::Route`] without keys, with keys of another slot, and once it has ended; otherwise as from
    /// [`Dedicated::execute`](crate::Dedicated::execute). A redirect or a lost connection is no error here: [`exec`](Self::exec)
    /// executes nothing then.
    ///
    /// # Cancel safety
    /// The keys may be watched or not: do not [`exec`](Self::exec) afterwards.
    pub async fn also<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<(), Error> {
        let keys: Vec<K> = keys.into_iter().collect();
        let words = keys.iter().map(AsRef::as_ref);
        let command = Command::new("WATCH").args(words);
        self.client.router().watch_more(&self.draft, &Watched::new(&keys), &command).await
    }

    /// Reads on the connection that watches. See the [example](Watch#examples).
    ///
    /// # Errors
    /// As [`Transaction::execute`](crate::Transaction::execute).
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn execute<T: FromReply>(&self, command: Command<'_>) -> Result<T, Error> {
        let received = self.client.router().read_in(&self.draft, &command).await?;
        decode(received.into_reply(), &command, || (None, Some(self.slot())))
    }

    /// Executes commands together, if no watched key was changed. Returns their replies, which may be errors of single commands,
    /// or `None` if nothing was executed, because of a change, or because nobody can say that there was none: read again. See the
    /// [example](Watch#examples).
    ///
    /// This ends the watch, whatever comes of it.
    ///
    /// # Errors
    /// As [`Client::transaction`], and
    /// [`RouteError::TransactionEnded`](crate::error::RouteError::TransactionEnded) once it has ended: nothing was executed.
    ///
    /// # Cancel safety
    /// Once it was polled, the commands are executed, or not, all the same.
    pub async fn exec<'c>(
        &self,
        commands: impl IntoIterator<Item = Command<'c>>,
    ) -> Result<Option<Vec<Reply>>, Error> {
        let queue = self.draft.queue_of(commands);
        Ok(match self.client.router().execute_watched(&self.draft, queue).await? {
            Commit::Done(replies) => Some(replies),
            Commit::Raced => None,
            Commit::Refused(error) => {
                let _ = self.refusal.set(error);
                None
            }
        })
    }

    /// Why [`exec`](Self::exec) executed nothing, if that was not because a watched key was changed: the server's refusal, or what
    /// became of the connection. A caller that reads again after every `None` learns here when to stop.
    ///
    /// ```no_run
    /// # async fn example(watch: truename::Watch) -> Result<(), truename::Error> {
    /// if watch.exec([truename::cmd("DECR").arg("stock")]).await?.is_none()
    ///     && let Some(error) = watch.refusal()
    /// {
    ///     println!("nobody was faster: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<&Error> {
        self.refusal.get()
    }

    /// Ends the watch without executing anything, so that others can have its connection. See the [example](Watch#examples).
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn unwatch(&self) {
        self.client.router().unwatch(&self.draft).await;
    }

    /// The slot of its keys. See the [example](Watch#examples).
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.draft.slot()
    }

    /// Whether the keys are still watched, as far as is known: nothing has ended it, and no read met a redirect. Only
    /// [`exec`](Self::exec) can be sure. See the [example](Watch#examples).
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.draft.is_intact()
    }
}
