//! The client, as synchronous programs see it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::driver::Driver;
use crate::api::{self, EachNode, ScriptCall};
use crate::command::Command;
use crate::config::Config;
use crate::error::Error;
use crate::from_reply::FromReply;

/// How long what calls left behind may take after the last clone is gone.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// A client of one cluster for code that is not `async`. Create one per program and share it between threads: clones share its
/// connections. See the [module](super) for where it may be called.
///
/// # Examples
/// ```no_run
/// # fn example() -> Result<(), truename::Error> {
/// use truename::blocking::Client;
/// use truename::{Config, cmd};
///
/// let config = Config::new().seed("redis.example.net", 6379).password("secret");
/// let client = Client::connect(&config)?;
/// std::thread::scope(|scope| {
///     for worker in 0..4 {
///         let client = &client;
///         scope.spawn(move || client.run(cmd("INCR").arg(format!("jobs:{worker}"))));
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

struct Handle {
    client: api::Client,
    driver: Driver,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.client.fmt(f)
    }
}

/// Before the driver is dropped: whoever still has a clone of the asynchronous client learns why it is of no use. What calls
/// left behind, such as an element that was popped for nobody, is settled by the housekeeper.
impl Drop for Handle {
    fn drop(&mut self) {
        self.client.close();
        let client = self.client.clone();
        self.driver.at_last(async move {
            client.shutdown(SETTLED_AFTER).await;
        });
    }
}

impl Client {
    /// Connects, as [`truename::Client::connect`](crate::Client::connect) does. See the [example](Client#examples).
    ///
    /// # Errors
    /// As there, and [`Error::Config`] on a thread that polls tasks, or if the system has no thread or descriptors for it.
    pub fn connect(config: &Config) -> Result<Self, Error> {
        let driver = Driver::start()?;
        let client = driver.block_on(api::Client::connect(config))??;
        Ok(Self { handle: Arc::new(Handle { client, driver }) })
    }

    /// [`Client::connect`] with the [URL form](crate::url) of a configuration.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), truename::Error> {
    /// let client = truename::blocking::Client::open("rediss://:password@redis-1.example.net,redis-2.example.net")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect`], and [`Error::Config`] when the URL cannot be read.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::connect(&Config::from_url(url)?)
    }

    /// Runs one command and decodes its reply; [`FromReply`] says which types accept which replies.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// use std::time::Duration;
    /// use truename::cmd;
    ///
    /// let city: Option<String> = client.execute(cmd("GET").arg("city"))?;
    /// let quick: i64 = client.execute(cmd("INCR").arg("visits").timeout(Duration::from_millis(100)))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`truename::Client::execute`](crate::Client::execute), and [`Error::Config`] on a thread that polls tasks: nothing is
    /// sent then.
    #[inline]
    pub fn execute<T: FromReply>(&self, command: Command<'_>) -> Result<T, Error> {
        self.block_on(self.handle.client.execute(command))?
    }

    /// Runs one command whose value does not matter, such as a write.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// client.run(truename::cmd("SET").arg("city").arg("Oslo"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`Error::Type`] for nil, as from [`truename::Client::run`](crate::Client::run).
    #[inline]
    pub fn run(&self, command: Command<'_>) -> Result<(), Error> {
        self.block_on(self.handle.client.run(command))?
    }

    /// Executes a [`Script`](crate::Script) and decodes its reply.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// use truename::Script;
    ///
    /// let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    /// let visits: i64 = client.execute_script(add.key("visits").arg(2))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ScriptCall::execute`], and [`Error::Config`] on a thread that polls tasks.
    pub fn execute_script<T: FromReply>(&self, call: ScriptCall<'_>) -> Result<T, Error> {
        self.block_on(call.execute(&self.handle.client))?
    }

    /// Executes a [`Script`](crate::Script) whose value does not matter.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// let mark = truename::Script::new("redis.call('SET', KEYS[1], 1)");
    /// client.run_script(mark.key("flag"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute_script`](Self::execute_script).
    pub fn run_script(&self, call: ScriptCall<'_>) -> Result<(), Error> {
        self.block_on(call.run(&self.handle.client))?
    }

    /// Runs a command on every primary; returns what became of it at each, by the node's address as announced.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// for (node, outcome) in client.on_primaries::<String>(cmd("INFO").arg("memory"))? {
    ///     println!("{node}: {}", outcome?.lines().count());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] on a thread that polls tasks. Each outcome has its own, as from [`execute`](Self::execute).
    pub fn on_primaries<T: FromReply>(&self, command: Command<'_>) -> Result<EachNode<T>, Error> {
        self.block_on(self.handle.client.on_primaries(command))?
    }

    /// Runs a command on every node, replicas too. Otherwise as [`on_primaries`](Self::on_primaries).
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// for (node, outcome) in client.on_all_nodes::<()>(truename::cmd("PING"))? {
    ///     println!("{node} {}", if outcome.is_ok() { "answers" } else { "does not" });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`on_primaries`](Self::on_primaries).
    pub fn on_all_nodes<T: FromReply>(&self, command: Command<'_>) -> Result<EachNode<T>, Error> {
        self.block_on(self.handle.client.on_all_nodes(command))?
    }

    /// The asynchronous client behind this one: for its topology, nodes and events, which need no waiting, and with
    /// [`block_on`](Self::block_on) for whatever has no method here. It is answered as long as this client or a clone of it exists.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) {
    /// for status in client.client().nodes() {
    ///     println!("{} is {}", status.node, if status.is_connected { "connected" } else { "not connected" });
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn client(&self) -> &api::Client {
        &self.handle.client
    }

    /// Ends in good order, as [`truename::Client::shutdown`](crate::Client::shutdown) does: takes no more calls, waits for those of
    /// other threads and for what calls left behind, no longer than `limit`, and closes the client. Returns whether all had ended.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// if !client.shutdown(std::time::Duration::from_secs(5))? {
    ///     eprintln!("some calls had not ended after 5 s");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] on a thread that polls tasks.
    pub fn shutdown(&self, limit: Duration) -> Result<bool, Error> {
        self.block_on(self.handle.client.shutdown(limit))
    }

    /// Waits for a future on this thread, and drives the connections meanwhile. The future is not sent to another thread, and has
    /// tokio's timers and I/O at hand.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::blocking::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// // Two calls at a time.
    /// let both = async {
    ///     let ada = client.client().execute::<i64>(cmd("INCR").arg("visits:ada"));
    ///     let grace = client.client().execute::<i64>(cmd("INCR").arg("visits:grace"));
    ///     tokio::join!(ada, grace)
    /// };
    /// let (ada, grace) = client.block_on(both)?;
    /// println!("{} and {}", ada?, grace?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] on a thread that polls tasks.
    #[inline]
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        self.handle.driver.block_on(future)
    }
}
