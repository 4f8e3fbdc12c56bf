//! Commands: what the caller wants sent, and what the client must know about it.
//!
//! [`Command`] and [`cmd`] build one; arguments ([`ToArg`], [`ToArgs`]) are borrowed where they can be. [`Spec`] is what is known about
//! every command of Redis and Valkey: where its keys are, whether it may be repeated, what it does to its connection.

// `keys` finds the keys among the arguments, which `args` keeps, and with them the slot; `route` decides where the command
// goes, and `read_by` from which node of its shard it is read; `learned` is what a server says about a command that the table
// lacks. `inside` is what the engine asks a command. `encoded` reads a command that came over a wire. `table` is generated
// from real servers and from documents about newer ones: see `tools/command-table`.
//
// Unless it came encoded, a command is encoded straight into the buffer of the lane that it is sent on, and again when it
// is sent again: no encoded copy is kept.

mod aggregate;
mod arg;
mod args;
mod encoded;
mod inside;
mod keys;
mod learned;
mod read_by;
mod route;
mod spec;
mod table;
mod to_args;

use std::fmt;
use std::time::Duration;

use truename_topology::{Endpoint, Slot};

pub use arg::{Arg, ToArg};
use args::Args;
pub use encoded::MalformedCommand;
pub(crate) use keys::names_several_keys;
pub use keys::{Arguments, first_key, keys};
pub(crate) use learned::Learned;
use read_by::ReadBy;
pub(crate) use route::Route;
use route::RouteBy;
pub use spec::blocking::BlockTime;
pub use spec::index::lookup;
pub(crate) use spec::routing::{RANDOM_KEY, Reach, RouteRefusal};
pub use spec::{Affinity, Flags, KeyRule, RequestPolicy, ResponsePolicy, Spec};
pub use to_args::{ArgList, ToArgs};

use crate::config::ReadFrom;

/// A command with its arguments.
///
/// A command that this client does not know, such as a module's or a renamed one, is looked up once with `COMMAND INFO`:
/// where its keys are, whether it waits on the server, whether it belongs to a connection of its own (and is then
/// refused). Where the server does not say, its first argument is taken for its key; [`route_by_key`](Self::route_by_key)
/// and [`route_to`](Self::route_to) override that. It is never sent again once it may have been executed, unless
/// [`repeatable`](Self::repeatable) says so, and none of its errors proves that it was not executed.
///
/// # Examples
/// ```
/// use truename::{Command, cmd};
///
/// let command = cmd("SET").arg("greeting").arg("hello").arg("EX").arg(60);
/// assert_eq!(command.name(), "SET");
/// // Arguments may be secrets: they do not show up in `Debug`.
/// assert!(!format!("{command:?}").contains("hello"));
///
/// // Arguments from a collection, and a subcommand, which is an argument too.
/// let command = Command::new("HSET").arg("user:42").args(["name", "Ada", "city", "London"]);
/// let encoding = cmd("OBJECT").arg("ENCODING").arg("user:42");
/// ```
#[derive(Clone)]
pub struct Command<'a> {
    args: Args<'a>,
    timeout: Option<Duration>,
    repeatable: Option<bool>,
    route: RouteBy,
    read_by: ReadBy,
}

/// Whether a command is sent again when it is unknown whether it was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    /// Once the server itself ended the connection, so that the first copy cannot be executed later than the second.
    IfServerEnded,
    Always,
}

/// Starts a command. A subcommand is an argument: `cmd("CONFIG").arg("GET")`. See the [example](Command#examples).
#[inline]
pub fn cmd<'a>(name: impl ToArg<'a>) -> Command<'a> {
    Command::new(name)
}

impl<'a> Command<'a> {
    /// A command without arguments so far. See the [example](Command#examples).
    #[inline(always)]
    pub fn new(name: impl ToArg<'a>) -> Self {
        Self::of(Args::of(name.to_arg()))
    }

    /// A command that is encoded already: an array of bulk strings. It is sent as it is, and routed by its arguments. With
    /// [`Client::execute_raw`](crate::Client::execute_raw), a proxy neither encodes nor decodes.
    ///
    /// Bytes that are borrowed or shared ([`Bytes`](bytes::Bytes)) are not copied.
    ///
    /// # Examples
    /// ```
    /// use truename::Command;
    ///
    /// let command = Command::encoded(b"*2\r\n$3\r\nGET\r\n$4\r\ncity\r\n")?;
    /// assert_eq!(command.name(), "GET");
    /// # Ok::<(), truename::command::MalformedCommand>(())
    /// ```
    ///
    /// # Errors
    /// The bytes are not exactly one command.
    pub fn encoded(frame: impl ToArg<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self::of(Args::encoded(frame.to_arg())?))
    }

    #[inline(always)]
    fn of(args: Args<'a>) -> Self {
        Self { args, timeout: None, repeatable: None, route: RouteBy::Spec, read_by: ReadBy::Client }
    }

    /// Adds an argument: text, bytes, or a number. An `Option` that is `None` adds nothing, and a tuple several ([`ToArgs`]). See the
    /// [example](Command#examples).
    #[must_use]
    #[inline(always)]
    pub fn arg(mut self, arg: impl ToArgs<'a>) -> Self {
        self.args = self.args.with(|listed| arg.to_args(&mut ArgList::new(listed)));
        self
    }

    /// Adds several arguments: a list of them, a list of pairs, or a map. See the [example](Command#examples).
    #[must_use]
    pub fn args<T: ToArgs<'a>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args = self.args.with(|listed| {
            let (args, mut list) = (args.into_iter(), ArgList::new(listed));
            list.reserve(args.size_hint().0);
            args.for_each(|arg| list.add(arg));
        });
        self
    }

    /// How long this command may take in total, instead of the client's default.
    ///
    /// A longer time than the client's stall time-out also lets the server be silent for that long, until the call ends
    /// or is dropped. Here the time that a command such as `BLPOP` may wait on the server is included, not added: one
    /// that ends that way may still have taken an element.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client, report: &str) -> Result<(), truename::Error> {
    /// use std::time::Duration;
    /// use truename::cmd;
    ///
    /// // A script that is known to take a while, during which the server is silent.
    /// let script = cmd("EVAL_RO").arg(report).arg(1).arg("sales").timeout(Duration::from_secs(30));
    /// let total: i64 = client.execute(script).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.min(crate::config::FOREVER));
        self
    }

    /// Says whether the command may be sent again when the connection was lost before its reply came. A script, a
    /// function, or a command that the client does not know, is then also sent again when it ends with what may be a server's
    /// refusal; see [`ScriptCall::repeatable`](crate::ScriptCall::repeatable).
    ///
    /// Without this, only a command that changes nothing is sent again. A write that is executed twice undoes what
    /// others wrote in between and had acknowledged. Where the client gave the connection up because the server was
    /// silent, the first copy may even be executed later than the second one, and later than commands that follow.
    /// `false` keeps even a read from being sent again.
    ///
    /// ```
    /// use truename::cmd;
    ///
    /// // Twice leaves the set as once does. Only the reply differs, and nobody looks at it.
    /// let add = cmd("SADD").arg("seen").arg("page-7").repeatable(true);
    /// // A look at the clock, which is worth nothing if it comes late.
    /// let time = cmd("TIME").repeatable(false);
    /// ```
    #[must_use]
    #[doc(alias = "retries")]
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// Sends the command to the node of this key's slot, whatever its arguments are.
    ///
    /// ```
    /// use truename::cmd;
    ///
    /// // The primary that serves this key, rather than a primary picked at random.
    /// let size = cmd("DBSIZE").route_by_key("user:42");
    /// ```
    #[must_use]
    pub fn route_by_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.route = RouteBy::Slot(Slot::of_key(key.as_ref()));
        self
    }

    /// Sends the command to the node of this slot, whatever its arguments are.
    ///
    /// ```
    /// use truename::{cmd, topology::Slot};
    ///
    /// // How many keys the primary has that serves this slot.
    /// let size = Slot::new(42).map(|slot| cmd("DBSIZE").route_by_slot(slot));
    /// ```
    #[must_use]
    pub fn route_by_slot(mut self, slot: Slot) -> Self {
        self.route = RouteBy::Slot(slot);
        self
    }

    /// Sends the command to the primary that serves this slot, whatever its arguments are and wherever reads are to go
    /// ([`Config::read_from`](crate::Config::read_from)): for a read that must see what was written.
    ///
    /// ```
    /// use truename::{cmd, topology::Slot};
    ///
    /// let stock = cmd("GET").arg("stock").route_to_primary(Slot::of_key(b"stock"));
    /// ```
    #[must_use]
    pub fn route_to_primary(mut self, slot: Slot) -> Self {
        self.route = RouteBy::Primary(slot);
        self
    }

    /// Sends the command to any primary, whatever its arguments are.
    ///
    /// ```
    /// use truename::cmd;
    ///
    /// // Refused without this, as it could mean any node; here they are all configured alike.
    /// let limit = cmd("CONFIG").arg("GET").arg("maxmemory").route_to_any();
    /// ```
    #[must_use]
    pub fn route_to_any(mut self) -> Self {
        self.route = RouteBy::AnyNode;
        self
    }

    /// Sends the command to this node, by its address as announced ([`Client::nodes`](crate::Client::nodes)), and to no other:
    /// a redirect, or a replica's refusal to write, is then an answer. Replicas are among the nodes.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::{cmd, topology::Role};
    ///
    /// let mut keys = 0;
    /// for status in client.nodes().iter().filter(|status| status.role == Role::Primary) {
    ///     keys += client.execute::<u64>(cmd("DBSIZE").route_to(&status.node)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn route_to(mut self, node: &Endpoint) -> Self {
        self.route = RouteBy::Node(Box::new(node.clone()));
        self
    }

    /// Where this command is read from, instead of what [`Config::read_from`](crate::Config::read_from) says for all.
    ///
    /// It counts for commands that only read and have a key; a write goes to the primary whatever is said here. With
    /// [`ReadFrom::Replica`], which allows no other node, what no replica can execute is refused before it is sent
    /// ([`RouteError::NotForReplicas`](crate::error::RouteError::NotForReplicas)): a write, a command that the client does not know,
    /// that waits on the server, that has no key, or that belongs to a transaction.
    ///
    /// A client whose own preference is the primary connects to a shard's replicas when it is first asked to read from
    /// them; until then the preferences that allow for the primary mean the primary. Where the preference is not the
    /// client's, `READONLY` and `READWRITE` are sent around the command: for nearly all reads, say so in `Config`. The user needs
    /// the right to both; a replica that refuses one of them is passed over for half a minute.
    ///
    /// In a [batch](crate::Client::batch) such a read has no order with the other commands of its slot, unless it is read from the
    /// primary. [`Command::route_to`] counts for more.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::{ReadFrom, cmd};
    ///
    /// // Whoever reads what was just written asks the primary ...
    /// let stock: Option<i64> = client.execute(cmd("GET").arg("stock:7")).await?;
    /// // ... and a report that may be a moment old leaves it alone.
    /// let best = cmd("ZREVRANGE").args(["sold", "0", "99"]).read_from(ReadFrom::PreferReplica);
    /// let best: Vec<String> = client.execute(best).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "read_from_replicas")]
    pub fn read_from(mut self, read_from: ReadFrom) -> Self {
        self.read_by = ReadBy::of(read_from);
        self
    }

    /// The same command with everything borrowed copied, so that it can be moved into a task or stored.
    ///
    /// ```
    /// use truename::{Command, cmd};
    ///
    /// fn for_a_task(key: &str) -> Command<'static> {
    ///     cmd("GET").arg(key).into_owned()
    /// }
    /// # assert_eq!(for_a_task("key").name(), "GET");
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        Command {
            args: self.args.into_owned(),
            timeout: self.timeout,
            repeatable: self.repeatable,
            route: self.route,
            read_by: self.read_by,
        }
    }

    /// The same, borrowed from this one.
    pub(crate) fn borrowed(&self) -> Command<'_> {
        Command {
            args: self.args.borrowed(),
            timeout: self.timeout,
            repeatable: self.repeatable,
            route: self.route.clone(),
            read_by: self.read_by.clone(),
        }
    }

    /// The command's name as given; empty when it is not text. See the [example](Command#examples).
    pub fn name(&self) -> &str {
        self.args.at(0).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

impl Arguments for Command<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.args.len()
    }

    #[inline]
    fn at(&self, index: usize) -> Option<&[u8]> {
        self.args.at(index)
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name())
            .field("arguments", &(self.args.len() - 1))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
