//! Batches: many commands in one go.

use std::fmt;
use std::time::Duration;

use either::Either;
use tokio::time::Instant;
use truename_resp::Reply;

use super::client::Client;
use super::decode::{decode, own_slot};
use crate::command::Command;
use crate::error::{BatchError, Error, TypeError};
use crate::from_reply::FromReply;
use crate::lane::{Form, Received};
use crate::router::{is_confirmed, misplaced, refused_as_ordered};

/// Commands to be run together, whatever slots their keys have. Made by [`Client::batch`].
///
/// They are sorted by node, and each node gets its commands in one go: one lock, one write. Each has an outcome of its own,
/// by the same rules as [`Client::execute`]: a redirect is followed, a refusal waited out, a lost connection reported or the
/// command sent again. Nothing is atomic, and commands of others may be executed in between, unless it is
/// [`atomic`](Self::atomic).
///
/// # Order
/// Commands of one slot are executed in the order in which they were added, even when their node has to be connected to
/// first, unless one of them is redirected, refused, or lost with its connection: that one goes on by itself, and may be
/// executed after later ones. What waits on the server has no order, before or after others of its slot; nor have reads
/// that may go to replicas, and the first call of a command that this client does not know and whose key is not its first
/// argument. Commands of different slots, without a key, or for [several nodes](crate::manual::several_nodes) have no order. With
/// [`ordered`](Self::ordered), redirects and refusals do not change the order of a slot's commands.
///
/// # Waiting for replicas
/// `WAIT` or `WAITAOF` as the **last** command says how many replicas, or disks, have the writes before it. These are about the
/// writes of their own connection, so such a batch goes out at once on a connection of its own, one of those that
/// [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections) bounds. All its commands must be for one node,
/// which their slots decide; otherwise nothing is sent ([`RouteError::NotOneNode`](crate::error::RouteError::NotOneNode)). While
/// none of them was executed, all of it is sent again after a redirect, a refusal or a lost connection, without waiting for `WAIT`;
/// otherwise each has its outcome, and none goes on by itself. A redirect as the answer of a script, or of a command that the
/// client does not know, may be the script's own: it is the outcome. With [`atomic`](Self::atomic), it is the server's, and followed.
///
/// The time that `WAIT` gives the server extends the deadline. When the node loses the slot, `WAIT` ends with
/// [`Error::Interrupted`], and the writes keep their outcomes. With [`atomic`](Self::atomic), `WAIT` comes after `EXEC`. An
/// [`ordered`](Self::ordered) batch cannot end with it
/// ([`RouteError::NotConfirmed`](crate::error::RouteError::NotConfirmed), nothing is sent). Alone, or anywhere else in a batch, these two are
/// refused, and so they are behind what is sent in parts, such as `MSET` of several slots; the same error says which rule is broken.
///
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// let batch = client.batch().with(cmd("SET").arg("{order:7}").arg("paid"));
/// let batch = batch.with(cmd("RPUSH").arg("{order:7}:log").arg("paid")).with(cmd("WAIT").arg(1).arg(500));
/// let ((), length, replicas): ((), u64, u64) = batch.all().await?;
/// println!("entry {length} of the log is on {replicas} replicas");
/// # Ok(())
/// # }
/// ```
///
/// # Size
/// A node's commands go out a thousand or 256 KiB at a time, one such unit after the other (those of an atomic batch all at
/// once), so a large batch does not keep other callers waiting; what was sent counts against
/// [`Config::max_in_flight`](crate::Config::max_in_flight), which one unit may exceed. An empty batch sends nothing.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// let mut batch = client.batch();
/// batch.extend(["ada", "grace"].map(|user| cmd("INCR").arg(format!("visits:{user}"))));
/// batch.add(cmd("INCR").arg("visits"));
/// for visits in batch.execute::<i64>().await {
///     println!("{}", visits?);
/// }
///
/// // Different types at once; the first error, if there is one.
/// let (name, visits): (Option<String>, i64) =
///     client.batch().with(cmd("GET").arg("name:ada")).with(cmd("GET").arg("visits:ada")).all().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before `execute` or `all` is polled"]
pub struct Batch<'a> {
    client: Client,
    commands: Vec<Command<'a>>,
    timeout: Option<Duration>,
    kind: Kind,
}

/// What holds between the commands of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Free,
    Ordered,
    Atomic,
}

/// Arguments may be secrets.
impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

/// Adds commands. See the [example](Batch#examples).
impl<'a> Extend<Command<'a>> for Batch<'a> {
    fn extend<I: IntoIterator<Item = Command<'a>>>(&mut self, commands: I) {
        self.commands.extend(commands);
    }
}

impl Client {
    /// Starts a batch: many commands in one go, whatever their slots. See its [example](Batch#examples).
    pub fn batch<'a>(&self) -> Batch<'a> {
        Batch { client: self.clone(), commands: Vec::new(), timeout: None, kind: Kind::Free }
    }
}

impl<'a> Batch<'a> {
    /// Adds a command. See the [example](Batch#examples).
    pub fn add(&mut self, command: Command<'a>) -> &mut Self {
        self.commands.push(command);
        self
    }

    /// Adds a command, for building in one expression. See the [example](Batch#examples).
    pub fn with(mut self, command: Command<'a>) -> Self {
        self.commands.push(command);
        self
    }

    /// How long all commands may take together; it replaces their own time-outs. Without it, each has its own or the
    /// client's, and those that go out together have the longest of theirs.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use std::time::Duration;
    /// use truename::cmd;
    ///
    /// let batch = client.batch().with(cmd("DEL").arg("a")).with(cmd("DEL").arg("b"));
    /// let deleted = batch.timeout(Duration::from_millis(200)).execute::<i64>().await;
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.min(crate::config::FOREVER));
        self
    }

    /// Keeps the order of each slot's commands whatever happens to single ones: each is sent once those before it in its slot
    /// have their outcomes, so a redirect or a refusal holds up what comes after it, in its slot alone. A slot's commands then
    /// take a round trip each; those of different slots still go out together. Each command's time begins with its turn, unless
    /// the batch has a [`timeout`](Self::timeout).
    ///
    /// A command that fails does not keep later ones from being sent. One that waits on the server, such as `BLPOP`, has its
    /// place, too. An outcome may be that nobody knows: such a command may still be executed, after later ones. Reads that may go
    /// to replicas may see a state before the writes that come first. Commands with [`Command::route_to`] or
    /// [`Command::route_to_any`] have no slot, and those for [several nodes](crate::manual::several_nodes), such as `DEL` of
    /// several slots, wait for no others. About commands that it does not know, the client asks for a second at most; then the
    /// first argument is taken for the key. An ordered batch cannot end with [`WAIT`](Self#waiting-for-replicas), which takes all
    /// of it at once: an [`atomic`](Self::atomic) one can.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::cmd;
    ///
    /// let mut batch = client.batch().ordered();
    /// for step in ["paid", "packed", "sent"] {
    ///     // The stream and the hash may be on their way to another node: one of them there already, the other not yet.
    ///     batch.add(cmd("XADD").arg("{order:7}:log").arg("*").arg("step").arg(step));
    ///     batch.add(cmd("HSET").arg("{order:7}").arg("step").arg(step));
    /// }
    /// let outcomes = batch.execute::<truename::Reply>().await;
    /// # }
    /// ```
    pub fn ordered(mut self) -> Self {
        self.kind = Kind::Ordered;
        self
    }

    /// Makes it a transaction: `MULTI`, the commands, `EXEC`. All commands must be of one slot. They are executed together,
    /// with nothing of others in between, or not at all; a command that fails while they are executed undoes nothing, which is
    /// how servers do it.
    ///
    /// It is sent as one piece on the shared connection of its slot, and again as a whole where none of it was executed: after a
    /// redirect or a refusal of any command, `ASKING` included. The first transaction on a node costs one more round trip, which
    /// makes sure that the user may run `MULTI`: without it, the commands would be executed one by one.
    ///
    /// For values that are read before they are written, a script does it in one step.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// let batch = client.batch().atomic();
    /// let batch = batch.with(cmd("DECRBY").arg("{bank}:ada").arg(5)).with(cmd("INCRBY").arg("{bank}:grace").arg(5));
    /// let (ada, grace): (i64, i64) = batch.all().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where all of it fails, each outcome is the same error: keys of several slots
    /// ([`RouteError::CrossSlot`](crate::error::RouteError::CrossSlot), nothing is sent), a command that the server does not
    /// queue (nothing is executed, and [`Error::may_have_executed`] says so), a connection that was lost between `EXEC` and its
    /// reply ([`Error::Interrupted`]: nobody knows, and it is not sent again unless all commands only read). A command that fails
    /// while the transaction is executed has an outcome of its own.
    pub fn atomic(mut self) -> Self {
        self.kind = Kind::Atomic;
        self
    }

    /// How many commands it has.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::Client) {
    /// use truename::cmd;
    ///
    /// let batch = client.batch().with(cmd("PING"));
    /// assert!(batch.len() == 1 && !batch.is_empty());
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether it has no commands. See the [example](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Runs the commands; returns the outcome of each, in the order in which they were added. See the
    /// [example](Batch#examples).
    ///
    /// # Errors
    /// Each outcome has its own, as from [`Client::execute`].
    ///
    /// # Cancel safety
    /// As [`Client::execute`]: commands that were sent are executed. What a command that waits on the server, such as `BLPOP`,
    /// took goes to [`Config::on_orphan`](crate::Config::on_orphan) if the batch is dropped, even if it was answered before.
    pub async fn execute<T: FromReply>(self) -> Vec<Result<T, Error>> {
        let outcomes = match self.outcomes().await {
            Ok(outcomes) => outcomes,
            Err(of_all) => return self.commands.iter().map(|_| Err(of_all.clone())).collect(),
        };
        let typed = outcomes
            .zip(&self.commands)
            .map(|(outcome, command)| decode(outcome?, command, || (None, own_slot(command))));
        typed.collect()
    }

    /// Runs the commands; returns all their values as one, such as a tuple or a `Vec`. See the [example](Batch#examples).
    ///
    /// # Errors
    /// The first error, in the commands' order, as [`Error::InBatch`], which says whose it is; what fails as a whole has an error of
    /// its own. The other commands may have been executed all the same, and what `BLPOP` and its like took goes to
    /// [`Config::on_orphan`](crate::Config::on_orphan). [`Error::Type`] where the replies do not become `T`, within
    /// [`Error::InBatch`] if that is a tuple or `()`; as `()`, none of them may be nil. All commands were executed then, and what
    /// they answered is dropped, even what `BLPOP` and its like took: a type that fits whatever comes, such as `Vec<Reply>`, keeps it.
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    pub async fn all<T: FromReply>(self) -> Result<T, Error> {
        let mut outcomes = self.outcomes().await?;
        let mut values = Vec::with_capacity(self.commands.len());
        let error = loop {
            match outcomes.next() {
                Some(Ok(reply)) => values.push(reply),
                Some(Err(error)) => break error,
                None => return T::all_from_replies(values).map_err(|error| self.of_reply(error)),
            }
        };
        let error = self.at(values.len(), error);
        // Nobody gets them; those behind the error are where they were.
        let behind = self.commands[values.len() + 1..].iter().zip(outcomes);
        let behind = behind.filter_map(|(command, outcome)| Some((command, outcome.ok()?)));
        for (command, reply) in self.commands.iter().zip(values).chain(behind) {
            self.client.router().leave_value(command, Received::Reply(reply));
        }
        Err(error)
    }

    /// The error of the command at this place.
    #[cold]
    fn at(&self, index: usize, error: Error) -> Error {
        let name = self.commands[index].name();
        Error::InBatch(Box::new(BatchError::new(index, self.commands.len(), name, error)))
    }

    /// The error of a reply that is not of the type that was asked for.
    #[cold]
    fn of_reply(&self, error: TypeError) -> Error {
        match error.index().filter(|index| *index < self.commands.len()) {
            Some(index) => {
                let command = &self.commands[index];
                self.at(index, Error::from(error).in_reply_to(command.name(), None, own_slot(command)))
            }
            None => error.into(),
        }
    }

    /// The outcome of each command; or why all of it failed.
    async fn outcomes(&self) -> Result<impl Iterator<Item = Result<Reply, Error>>, Error> {
        let Self { client, commands, timeout, kind } = self;
        let started = Instant::now();
        let _under_way = client.router().begin_call(*timeout).await?;
        if is_confirmed(commands) {
            if *kind == Kind::Ordered
                && let Some(error) = refused_as_ordered(commands)
            {
                return Err(error);
            }
            let is_atomic = *kind == Kind::Atomic;
            // Rare, and large.
            let run = client.router().run_confirmed(commands, started, *timeout, is_atomic);
            let outcomes = Box::pin(run).await.map_err(|error| misplaced(commands, error))?;
            return Ok(Either::Left(outcomes.into_iter()));
        }
        if *kind == Kind::Atomic {
            let outcomes = client.router().atomic(commands, started, *timeout).await;
            return Ok(Either::Left(outcomes.map_err(|error| misplaced(commands, error))?.into_iter()));
        }
        let is_ordered = *kind == Kind::Ordered;
        let outcomes = client.router().batch(commands, started, *timeout, Form::Decoded, is_ordered).await;
        let outcomes = outcomes.map(|outcome| outcome.map(Received::into_reply));
        Ok(Either::Right(outcomes.map(|outcome| outcome.map_err(|error| misplaced(commands, error)))))
    }
}
