//! Scripts that are sent by their digest, and as a whole where a server does not have them.

use std::time::Duration;

use super::client::Client;
use super::decode::{decode, own_slot};
use crate::command::{Arg, Command, ToArg, cmd};
use crate::config::ReadFrom;
use crate::error::Error;
use crate::from_reply::FromReply;

/// A Lua script.
///
/// It is called by its digest (`EVALSHA`); a server that does not have it, after a restart or a failover, gets the whole script
/// (`EVAL`) and keeps it. So nothing has to be loaded first.
///
/// Two errors of a script prove that nothing ran, if they are in the server's own words: that it does not have the script
/// (`NOSCRIPT` in answer to `EVALSHA`), and that several keys are on their way to another node (`TRYAGAIN`). A script that returns
/// exactly these words itself would be run twice. Any other error is the script's result at once, unless it
/// [may be executed twice](ScriptCall::repeatable).
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::Script;
///
/// // As many requests a minute as are allowed.
/// let allow = Script::new(
///     "local count = redis.call('INCR', KEYS[1])
///      if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
///      return count <= tonumber(ARGV[2])",
/// );
/// let is_allowed: bool = allow.key("rate:ada").arg(60).arg(100).execute(&client).await?;
///
/// // One that only reads may go to replicas, if the client reads from them.
/// let sum = Script::read_only("return redis.call('LLEN', KEYS[1]) + redis.call('SCARD', KEYS[2])");
/// let total: i64 = sum.key("{cart:7}:items").key("{cart:7}:gifts").execute(&client).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Script {
    body: String,
    digest: String,
    is_read_only: bool,
}

/// A script with keys and arguments, to be executed. Made by [`Script::key`], [`Script::arg`] or [`Script::call`].
#[derive(Clone)]
#[must_use = "nothing is sent before `execute` or `run` is polled"]
pub struct ScriptCall<'a> {
    script: &'a Script,
    keys: Vec<Arg<'a>>,
    args: Vec<Arg<'a>>,
    timeout: Option<Duration>,
    repeatable: Option<bool>,
    read_from: Option<ReadFrom>,
}

impl Script {
    /// A script that may write. See the [example](Script#examples).
    pub fn new(body: impl Into<String>) -> Self {
        Self::of(body.into(), false)
    }

    /// A script that only reads: `EVALSHA_RO` and `EVAL_RO`, with which servers refuse to write (7.0 and later). It may be sent
    /// again when its fate is unknown, and goes to replicas where [`Config::read_from`](crate::Config::read_from) says so. See
    /// the [example](Script#examples).
    pub fn read_only(body: impl Into<String>) -> Self {
        Self::of(body.into(), true)
    }

    fn of(body: String, is_read_only: bool) -> Self {
        // What servers name scripts by.
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, body.as_bytes());
        let digest = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { body, digest, is_read_only }
    }

    /// The digest that servers know it by: SHA-1 in 40 hexadecimal digits.
    ///
    /// ```
    /// let script = truename::Script::new("return 1");
    /// assert_eq!(script.digest(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    /// ```
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A call of it without keys and arguments so far.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// let two: i64 = truename::Script::new("return 1 + 1").call().execute(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self) -> ScriptCall<'_> {
        ScriptCall {
            script: self,
            keys: Vec::new(),
            args: Vec::new(),
            timeout: None,
            repeatable: None,
            read_from: None,
        }
    }

    /// A call of it with this key. See the [example](Script#examples).
    pub fn key<'a>(&'a self, key: impl ToArg<'a>) -> ScriptCall<'a> {
        self.call().key(key)
    }

    /// A call of it with this argument. See the [example](Script#examples).
    pub fn arg<'a>(&'a self, arg: impl ToArg<'a>) -> ScriptCall<'a> {
        self.call().arg(arg)
    }

    /// The names of its commands: by digest, and as a whole.
    fn names(&self) -> (&'static str, &'static str) {
        if self.is_read_only { ("EVALSHA_RO", "EVAL_RO") } else { ("EVALSHA", "EVAL") }
    }
}

impl Client {
    /// Executes a script by its digest, or `whole` on the same node if that does not have the script: for adapters, which are
    /// given commands. [`Script`] makes both by itself, and says what holds.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client, digest: &str, body: &str) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// let by_digest = cmd("EVALSHA").arg(digest).arg(1).arg("key");
    /// let whole = cmd("EVAL").arg(body).arg(1).arg("key");
    /// let length: i64 = client.execute_by_digest(&by_digest, &whole).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ScriptCall::execute`].
    ///
    /// # Cancel safety
    /// As [`ScriptCall::execute`].
    pub async fn execute_by_digest<T: FromReply>(
        &self,
        by_digest: &Command<'_>,
        whole: &Command<'_>,
    ) -> Result<T, Error> {
        let (short, long) = (by_digest.borrowed(), whole.borrowed());
        let reply = self.router().run_script(&short, &long).await?;
        decode(reply, by_digest, || (None, own_slot(by_digest)))
    }
}

/// Its text may be long, and is the caller's own.
impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ScriptCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptCall")
            .field("script", &self.script)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl<'a> ScriptCall<'a> {
    /// Adds a key (`KEYS`). Keys of several slots are refused when it is executed. See the [example](Script#examples).
    pub fn key(mut self, key: impl ToArg<'a>) -> Self {
        self.keys.push(key.to_arg());
        self
    }

    /// Adds an argument (`ARGV`). See the [example](Script#examples).
    pub fn arg(mut self, arg: impl ToArg<'a>) -> Self {
        self.args.push(arg.to_arg());
        self
    }

    /// How long it may take in total, instead of the client's default; see [`Command::timeout`].
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client, report: truename::Script) -> Result<(), truename::Error> {
    /// use std::time::Duration;
    ///
    /// let total: i64 = report.key("sales").timeout(Duration::from_secs(30)).execute(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Says whether the script may be executed twice; see [`Command::repeatable`]. Without this, only a
    /// [read-only](Script::read_only) one may.
    ///
    /// It is then sent again when its reply was lost, and, until its time is over, when its error begins with `CLUSTERDOWN`,
    /// `LOADING`, `MASTERDOWN`, `READONLY` or `TRYAGAIN`: that is what servers say to scripts that they do not execute for now,
    /// and what a script may say itself, after it has changed something. Where it may not be executed twice, such
    /// an error is its result at once, except for the servers' own `TRYAGAIN` to two or more keys, which is waited out in any case.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client, token: &str) -> Result<(), truename::Error> {
    /// use truename::Script;
    ///
    /// // Whoever executes it twice finds the lock gone, or somebody else's.
    /// let release = Script::new(
    ///     "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    ///      return 0",
    /// );
    /// release.key("lock").arg(token).repeatable(true).run(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// Where a script that only reads is executed, instead of what the client's configuration says; see [`Command::read_from`].
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::{ReadFrom, Script};
    ///
    /// let count = Script::read_only("return #redis.call('KEYS', '{shop}*')");
    /// let keys: u64 = count.key("{shop}").read_from(ReadFrom::PreferReplica).execute(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn read_from(mut self, read_from: ReadFrom) -> Self {
        self.read_from = Some(read_from);
        self
    }

    /// Executes the script and decodes its reply. See the [example](Script#examples).
    ///
    /// # Errors
    /// As [`Client::execute`]. An error of the script proves nothing about what it did before.
    ///
    /// # Cancel safety
    /// As [`Client::execute`]; a script that a server does not have may then not be executed.
    pub async fn execute<T: FromReply>(self, client: &Client) -> Result<T, Error> {
        let (by_digest, as_a_whole) = self.script.names();
        let by_digest = self.command(by_digest, &self.script.digest);
        let whole = self.command(as_a_whole, &self.script.body);
        client.execute_by_digest(&by_digest, &whole).await
    }

    /// Executes the script; its value does not matter.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// truename::Script::new("redis.call('SET', KEYS[1], 1)").key("flag").run(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    pub async fn run(self, client: &Client) -> Result<(), Error> {
        self.execute::<truename_resp::Reply>(client).await.map(drop)
    }

    fn command<'c>(&'c self, name: &'static str, what: &'c str) -> Command<'c> {
        let command = cmd(name).arg(what).arg(self.keys.len());
        let borrowed = self.keys.iter().chain(&self.args).map(|arg| Arg::borrowed(arg.as_bytes()));
        let command = command.args(borrowed);
        let command = match &self.read_from {
            Some(read_from) => command.read_from(read_from.clone()),
            None => command,
        };
        let command = match self.repeatable {
            Some(repeatable) => command.repeatable(repeatable),
            None => command,
        };
        match self.timeout {
            Some(timeout) => command.timeout(timeout),
            None => command,
        }
    }
}
