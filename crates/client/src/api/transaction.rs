//! Transactions: read what is watched, queue what follows from it, and have all of that executed or nothing.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use truename_resp::Reply;

use super::client::Client;
use super::decode::decode;
use crate::command::Command;
use crate::error::Error;
use crate::from_reply::FromReply;
use crate::router::{Draft, Watched};

/// A transaction while its closure reads and queues; see [`Client::transaction`].
///
/// It ends with the closure. What is kept of it beyond that is of no use: its calls fail with
/// [`RouteError::TransactionEnded`](crate::error::RouteError::TransactionEnded).
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// let done = client
///     .transaction(["{acct:7}balance", "{acct:7}log"], |tx| async move {
///         let balance: i64 = tx.execute::<Option<i64>>(cmd("GET").arg("{acct:7}balance")).await?.unwrap_or(0);
///         if balance < 100 {
///             // Nothing is queued, so nothing is executed.
///             return Ok(None);
///         }
///         tx.queue(cmd("DECRBY").arg("{acct:7}balance").arg(100));
///         tx.queue(cmd("RPUSH").arg("{acct:7}log").arg("-100"));
///         Ok(Some(balance))
///     })
///     .await?;
/// match done.value {
///     Some(before) => {
///         let (after, entries): (i64, u64) = done.all()?;
///         println!("{before} -> {after}, {entries} entries");
///     }
///     None => println!("not enough"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Transaction {
    client: Client,
    draft: Arc<Draft>,
}

/// Arguments may be secrets.
impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

/// A transaction that was executed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Committed<R> {
    /// What the closure returned.
    pub value: R,
    /// What the queued commands answered, in their order. None of them is an error.
    pub replies: Vec<Reply>,
}

/// Replies may be secrets.
impl<R: fmt::Debug> fmt::Debug for Committed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, replies } = self;
        f.debug_struct("Committed").field("value", value).field("replies", &replies.len()).finish()
    }
}

impl<R> Committed<R> {
    /// All replies as one value, such as a tuple or a `Vec`. See the [example](Transaction#examples).
    ///
    /// # Errors
    /// [`Error::Type`] if they are not of this type. The transaction was executed all the same.
    pub fn all<T: FromReply>(self) -> Result<T, Error> {
        Ok(T::from_reply(Reply::Array(self.replies))?)
    }
}

impl Transaction {
    /// Runs a command at once, to see what there is. See the [example](Transaction#examples).
    ///
    /// The values of the watched keys stay as they were read, or nothing is executed in the end. Commands that write are
    /// refused here: they would be executed whatever becomes of the transaction. Of scripts and of commands that this
    /// client does not know, it cannot tell.
    ///
    /// # Errors
    /// As [`Dedicated::execute`](crate::Dedicated::execute), and [`RouteError`](crate::error::RouteError) for what writes, for
    /// keys of another slot, and for what changes the state of the connection. Pass errors on with `?`: if it was a redirect,
    /// a refusal or a lost connection, the whole is done again in any case.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn execute<T: FromReply>(&self, command: Command<'_>) -> Result<T, Error> {
        let received = self.client.router().read_in(&self.draft, &command).await?;
        decode(received.into_reply(), &command, || (None, Some(self.draft.slot())))
    }

    /// Adds a command to those that are executed together at the end. See the [example](Transaction#examples).
    ///
    /// What cannot be part of the transaction, such as a key of another slot, fails the transaction before anything is
    /// executed.
    pub fn queue(&self, command: Command<'_>) -> &Self {
        self.draft.queue(&command);
        self
    }
}

impl Client {
    /// Reads, and then executes commands together, but only if none of these keys was changed meanwhile; otherwise reads again.
    ///
    /// The keys are watched (`WATCH`) on a connection that the transaction has for itself. The closure reads with
    /// [`Transaction::execute`] and queues with [`Transaction::queue`]; then the queued commands are executed as one
    /// (`MULTI` and `EXEC`), without any command of others in between. Where a watched key was changed by somebody else, nothing
    /// is executed, and the closure is called again after a pause: so it must not do what cannot be done twice. A closure that queues
    /// nothing, or fails, ends the transaction without anything being executed.
    ///
    /// The connection is one of those that [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections)
    /// bounds. A closure that needs another one, because it waits on the server or begins a transaction itself, may wait for
    /// one that others like it hold.
    ///
    /// All keys must be in one slot: give them a common [hash tag](crate::topology::Slot::of_key). All of it together ends within the
    /// time of an ordinary command ([`Config::command_timeout`](crate::Config::command_timeout)), or that of
    /// [`transaction_within`](Self::transaction_within).
    ///
    /// # What is done again
    /// All of it, as long as nothing was executed: after a redirect or a refusal (at the slot's owner of that time: a `WATCH`
    /// follows no redirect), after a connection that was lost before `EXEC` was sent, and after a race. `EXEC` itself is
    /// never sent again.
    ///
    /// # Examples
    /// What the closure uses of its surroundings is borrowed before `async move`; each call of it gets a `tx` of its own.
    /// [`Transaction`] has an [example](Transaction#examples) with a condition.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client, user: String) -> Result<(), Box<dyn std::error::Error>> {
    /// use truename::cmd;
    ///
    /// // In a task of its own.
    /// let counting = tokio::spawn(async move {
    ///     let key = format!("visits:{user}");
    ///     let key = &key;
    ///     let counted = client.transaction([key], |tx| async move {
    ///         let visits: Option<u64> = tx.execute(cmd("GET").arg(key)).await?;
    ///         let visits = visits.unwrap_or(0) + 1;
    ///         tx.queue(cmd("SET").arg(key).arg(visits));
    ///         Ok(visits)
    ///     });
    ///     Ok::<_, truename::Error>(counted.await?.value)
    /// });
    /// println!("{} visits", counting.await??);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// | error | was anything executed? |
    /// |---|---|
    /// | what the closure returned | no |
    /// | [`Error::Route`]: no keys, keys of several slots ([`RouteError::CrossSlot`](crate::error::RouteError::CrossSlot)), a command that cannot be queued, no connection free | no |
    /// | [`Error::Timeout`]: races, refusals, or a closure that did not end took all the time | only if [`may_have_executed`](Error::may_have_executed) says so: the reply to `EXEC` was still to come |
    /// | [`Error::Server`] for which [`may_have_executed`](Error::may_have_executed) is `false`: a command was refused while it was queued | no |
    /// | [`Error::Server`] for which it is `true`: a command failed (`WRONGTYPE`) | yes: all the others |
    /// | [`Error::Interrupted`]: the connection was lost between `EXEC` and its reply | nobody knows |
    ///
    /// # Panics
    /// If the closure does. The connection is closed, and no other call is affected.
    ///
    /// # Cancel safety
    /// Dropping the future while the closure runs executes nothing, and closes the connection. Once `EXEC` was sent, the
    /// commands are executed, or not, all the same.
    #[doc(alias = "WATCH")]
    #[doc(alias = "MULTI")]
    #[doc(alias = "transaction_async")]
    pub async fn transaction<K, R, F, Fut>(
        &self,
        keys: impl IntoIterator<Item = K>,
        closure: F,
    ) -> Result<Committed<R>, Error>
    where
        K: AsRef<[u8]>,
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<R, Error>>,
    {
        self.transact(Watched::new(keys), None, closure).await
    }

    /// [`transaction`](Self::transaction) with a deadline of its own for all of it together.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use std::time::Duration;
    /// use truename::cmd;
    ///
    /// let patient = Duration::from_secs(30);
    /// let taken = client.transaction_within(patient, ["stock"], |tx| async move {
    ///     let stock: u64 = tx.execute(cmd("GET").arg("stock")).await?;
    ///     if stock > 0 {
    ///         tx.queue(cmd("DECR").arg("stock"));
    ///     }
    ///     Ok(stock > 0)
    /// });
    /// println!("{}", taken.await?.value);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    ///
    /// # Cancel safety
    /// As [`transaction`](Self::transaction).
    pub async fn transaction_within<K, R, F, Fut>(
        &self,
        limit: Duration,
        keys: impl IntoIterator<Item = K>,
        closure: F,
    ) -> Result<Committed<R>, Error>
    where
        K: AsRef<[u8]>,
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<R, Error>>,
    {
        self.transact(Watched::new(keys), Some(limit.min(crate::config::FOREVER)), closure).await
    }

    async fn transact<R, Fut: Future<Output = Result<R, Error>>>(
        &self,
        watched: Watched,
        within: Option<Duration>,
        mut closure: impl FnMut(Transaction) -> Fut,
    ) -> Result<Committed<R>, Error> {
        let begin = |draft| closure(Transaction { client: self.clone(), draft });
        let (value, replies) = self.router().transact(watched, within, begin).await?;
        Ok(Committed { value, replies })
    }
}
