//! The client: a cheap handle to a cluster.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use truename_resp::RawFrame;
use truename_topology::{Endpoint, NodeId, Role, SlotMap};

use crate::cluster::Cluster;
use crate::command::Command;
use crate::config::{Config, FOREVER};
use crate::connect::ConnectionFacts;
use crate::error::Error;
use crate::event::Events;
use crate::from_reply::FromReply;
use crate::router::Router;
use crate::tls::Tls;

/// A client of one cluster. Create one per program and clone it into tasks: it is `Send + Sync`, clones share its
/// connections, and no pool is needed. Dropping the last clone ends the connections.
///
/// [`connect`](Self::connect) and [`execute`](Self::execute) have examples; the [manual](crate::manual) explains the rest.
///
/// # What holds
/// - A command is sent when its future is first polled, on the connection of its key's node.
/// - Commands of one slot that are submitted one after the other are executed in that order, as long as none of
///   them is redirected, sent again, or waits for room ([more](crate::manual::ordering)).
/// - A command is sent again only if it was not executed, if it changes nothing, or if the user said so
///   ([`Command::repeatable`], [`Config::repeat_writes_of_unknown_fate`]).
/// - Every call ends within its deadline ([`Config::command_timeout`] or [`Command::timeout`]); see below for commands that
///   wait on the server.
/// - Dropping a call's future does not take the command back, and never changes the result of another call.
/// - A command that waits on the server, such as `BLPOP`, has a connection of its own
///   ([`Config::max_exclusive_connections`]), and its deadline is extended by the time that it may wait. One that waits
///   without limit ends when it is answered, when its connection ends, or when its slot moves. Where its future is dropped,
///   the wait is ended, and what it popped at that moment goes to [`Config::on_orphan`]
///   ([more](crate::manual::cancellation#commands-that-wait-on-the-server)).
#[doc(alias = "ClusterClient")]
#[doc(alias = "ConnectionManager")]
#[doc(alias = "createCluster")]
#[doc(alias = "pool")]
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

struct Handle {
    router: Router,
}

/// Short, since a client holds its callers' commands.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.handle.router.cluster();
        f.debug_struct("Client")
            .field("nodes", &cluster.topology().nodes().len())
            .field("is_single_node", &cluster.is_single())
            .field("is_closed", &cluster.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.router.cluster().close();
    }
}

impl Client {
    /// Connects: asks the seeds for the topology and connects to every primary.
    ///
    /// Succeeds once the topology is known and at least one primary is connected; the others keep trying.
    /// Must be called within a tokio runtime, on which the connections then live. Calls may come from anywhere: this
    /// runtime, another one, or an executor without any. They end in time even while nothing drives this runtime, but
    /// are answered only while something does ([more](crate::manual::runtimes)).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use std::time::Duration;
    /// use truename::{Client, Config, Error};
    ///
    /// let config = Config::new()
    ///     .seeds([("redis-1.example.net", 6379), ("redis-2.example.net", 6379)])
    ///     .seed("redis-3.example.net", 6379)
    ///     .password("secret")
    ///     .command_timeout(Duration::from_secs(2));
    /// match Client::connect(&config).await {
    ///     Ok(client) => println!("a cluster of {} nodes", client.nodes().len()),
    ///     // How far each attempt got, what the certificate says, and which option would help.
    ///     Err(Error::Connect(report)) => eprintln!("{report}"),
    ///     Err(other) => return Err(other),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], including when called outside a tokio runtime, or [`Error::Connect`] with what happened at each
    /// node that was tried (twenty at most) and what would fix it, no later than [`Config::connect_timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let cluster = Cluster::connect(config).await?;
        Ok(Self { handle: Arc::new(Handle { router: Router::new(cluster) }) })
    }

    /// Makes a client that connects when it is first used, and keeps trying in the background from then on: for a service that
    /// is to start while its cluster is down.
    ///
    /// Calls wait for the cluster within their own time. One whose time ends first says what stood in the way
    /// ([`Error::Connect`]); it was not sent. Each unsuccessful search is an
    /// [`Event::RefreshFailed`](crate::Event::RefreshFailed). Once the cluster is found, everything is as after
    /// [`connect`](Self::connect).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use truename::{Client, Config, Error, cmd};
    ///
    /// // Only what is wrong with the configuration is an error here.
    /// let client = Client::lazy(&Config::new().seed("redis.example.net", 6379)).await?;
    /// match client.execute::<Option<String>>(cmd("GET").arg("greeting")).await {
    ///     Ok(greeting) => println!("{greeting:?}"),
    ///     Err(Error::Connect(report)) => eprintln!("not yet: {report}"),
    ///     Err(other) => return Err(other),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], including when called outside a tokio runtime. Nothing is dialled yet.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn lazy(config: &Config) -> Result<Self, Error> {
        let cluster = Cluster::lazy(config).await?;
        Ok(Self { handle: Arc::new(Handle { router: Router::new(cluster) }) })
    }

    /// [`lazy`](Self::lazy) where nothing can be awaited, such as in a constructor. The system's root certificates are read on
    /// this thread, which takes some milliseconds.
    ///
    /// # Examples
    /// ```no_run
    /// use truename::{Client, Config, Error};
    ///
    /// struct Visits {
    ///     client: Client,
    /// }
    ///
    /// impl Visits {
    ///     /// Within a tokio runtime.
    ///     fn new(config: &Config) -> Result<Self, Error> {
    ///         Ok(Self { client: Client::lazy_here(config)? })
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`lazy`](Self::lazy).
    pub fn lazy_here(config: &Config) -> Result<Self, Error> {
        let cluster = Cluster::lazy_here(config)?;
        Ok(Self { handle: Arc::new(Handle { router: Router::new(cluster) }) })
    }

    /// [`Client::connect`] with the [URL form](crate::url) of a configuration.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use truename::{Client, cmd};
    ///
    /// let client = Client::open("rediss://:password@redis-1.example.net,redis-2.example.net").await?;
    /// let pong: String = client.execute(cmd("PING")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect`], and [`Error::Config`] when the URL cannot be read.
    ///
    /// # Cancel safety
    /// As [`Client::connect`].
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::connect(&Config::from_url(url)?).await
    }

    /// Runs one command and decodes its reply; [`FromReply`] says which types accept which replies.
    ///
    /// Keys of several slots, and commands that concern all nodes, have a [chapter](crate::manual::several_nodes) of the manual.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::cmd;
    ///
    /// client.run(cmd("SET").arg("city").arg("Oslo")).await?;
    /// let city: Option<String> = client.execute(cmd("GET").arg("city")).await?;
    /// assert_eq!(city.as_deref(), Some("Oslo"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Error`]; [`Error::may_have_executed`] says whether the command may have had an effect.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll leaves the command to be executed; its reply is discarded
    /// ([more](crate::manual::cancellation)).
    #[doc(alias = "query_async")]
    #[doc(alias = "sendCommand")]
    #[inline(always)]
    pub fn execute<T: FromReply>(&self, command: Command<'_>) -> impl Future<Output = Result<T, Error>> {
        self.handle.router.execute(command)
    }

    /// Runs one command whose value does not matter, such as a write.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use truename::cmd;
    ///
    /// client.run(cmd("SET").arg("city").arg("Oslo")).await?;
    ///
    /// // In a task of its own.
    /// let saving = client.clone();
    /// let saved = tokio::spawn(async move { saving.run(cmd("INCR").arg("visits")).await });
    /// saved.await??;
    ///
    /// // What may be refused with nil has a value that matters.
    /// let is_mine: bool = client.execute(cmd("SET").arg("lock").arg("me").arg("NX")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`Error::Type`] for nil, which may say that nothing was done: a `SET` with `NX`. (One with
    /// `GET` says that there was nothing before.) Scripts, functions and commands that this client does not know may return nil.
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    #[inline(always)]
    pub fn run(&self, command: Command<'_>) -> impl Future<Output = Result<(), Error>> {
        self.handle.router.run_only(command)
    }

    /// Runs one command and hands back its reply as it came, not decoded: for a proxy or a binding to another language, which
    /// pass it on. Routing, retries and bounds are those of [`execute`](Self::execute).
    ///
    /// Small replies share the buffer that they were read into; one that is kept keeps all of it (64 KiB or more).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client, request: bytes::Bytes) -> Result<bytes::Bytes, Box<dyn std::error::Error>> {
    /// use truename::{Command, Error};
    ///
    /// // `request` is what a client sent to this proxy, for example `*2\r\n$3\r\nGET\r\n$4\r\ncity\r\n`.
    /// let frame = match client.execute_raw(Command::encoded(request)?).await {
    ///     Ok(frame) => frame.into_bytes(),
    ///     // The server's own words, on one line: in RESP3 they can be several. Other errors are the client's.
    ///     Err(Error::Server(refused)) => {
    ///         let on_one_line = |byte: &u8| if byte.is_ascii_control() { b' ' } else { *byte };
    ///         let words: Vec<u8> = refused.reply.as_bytes().iter().map(on_one_line).collect();
    ///         [b"-", &words[..], b"\r\n"].concat().into()
    ///     }
    ///     Err(other) => return Err(other.into()),
    /// };
    /// # Ok(frame)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute): an error reply is [`Error::Server`].
    ///
    /// # Cancel safety
    /// As [`execute`](Self::execute).
    #[inline(always)]
    pub fn execute_raw(&self, command: Command<'_>) -> impl Future<Output = Result<RawFrame, Error>> {
        self.handle.router.execute_raw(command)
    }

    pub(super) fn router(&self) -> &Router {
        &self.handle.router
    }

    /// Applies new TLS options from now on: roots, pins, revocation lists, client certificate, checks. For example after a
    /// certificate was renewed or when there is a new revocation list.
    ///
    /// Live connections are checked against what their peers presented, as if they were made now: chain, dates, names,
    /// revocation, pins and TLS version. Those that the new options accept stay up, even with a different client
    /// certificate; the others are closed and replaced. Commands in flight on a closed one fail as they do when a
    /// connection is lost; see [`Error::may_have_executed`]. TLS sessions from before are not resumed.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use truename::Tls;
    ///
    /// // Reading the renewed files blocks, so it is done where that holds nobody up.
    /// let read = tokio::task::spawn_blocking(|| {
    ///     Tls::new().ca_file("ca.pem")?.client_certificate_files("client.pem", "client.key")
    /// });
    /// client.replace_tls(read.await??).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] when the new options cannot work, when the client was made without TLS, or when its runtime is
    /// gone; the old options then remain.
    ///
    /// # Cancel safety
    /// Once it was polled, the new options may apply even if the future is dropped. To be sure, call it again.
    pub async fn replace_tls(&self, tls: Tls) -> Result<(), Error> {
        self.handle.router.cluster().replace_tls(tls).await
    }

    /// Listens to what the client notices from now on. See the [example](Events#examples).
    pub fn events(&self) -> Events {
        self.handle.router.cluster().events()
    }

    /// Whether the server is not a cluster and is used as a single node. Every refresh reconsiders it: one seed that gives a view
    /// makes this a client of its cluster; for the opposite, every seed must say that it is not a cluster. See the
    /// [example](Self::topology).
    pub fn is_single_node(&self) -> bool {
        self.handle.router.cluster().is_single()
    }

    /// The current topology: a snapshot, which stays as it is while the client goes on to the next one. Cheap.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::Client) {
    /// use truename::topology::Slot;
    ///
    /// let slot = Slot::of_key(b"{user:42}:cart");
    /// match client.topology().primary(slot) {
    ///     Some(node) if client.is_single_node() => println!("{} serves everything", node.endpoint),
    ///     Some(node) => println!("{} serves slot {slot}", node.endpoint),
    ///     None => println!("nobody serves slot {slot}"),
    /// }
    /// # }
    /// ```
    pub fn topology(&self) -> Arc<SlotMap> {
        self.handle.router.cluster().topology().map().clone()
    }

    /// The nodes of the topology and what is known about their connections.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::Client) {
    /// for status in client.nodes().into_iter().filter(|status| status.is_connected) {
    ///     let Some(facts) = status.facts else { continue };
    ///     match &facts.identity {
    ///         Some(identity) => println!("{} proved {} ({})", status.node, identity.name, identity.source),
    ///         None => println!("{} proved no name, encrypted: {}", status.node, facts.is_tls()),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let topology = self.handle.router.cluster().topology();
        let statuses =
            topology.map().nodes().iter().zip(topology.nodes()).map(|(announced, node)| NodeStatus {
                node: announced.endpoint.clone(),
                id: announced.id.clone(),
                role: announced.role,
                is_connected: node.is_up(),
                facts: node.facts(),
            });
        statuses.collect()
    }

    /// Closes the client: calls that are under way are completed, later ones fail with [`Error::Closed`], and a
    /// connection ends once it has nothing left to do. Dropping the last clone does the same.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::{Error, cmd};
    ///
    /// client.close();
    /// assert!(client.is_closed());
    /// let late = client.run(cmd("PING")).await;
    /// assert!(matches!(late, Err(Error::Closed)));
    /// # }
    /// ```
    pub fn close(&self) {
        self.handle.router.cluster().close();
    }

    /// Whether the client was closed. See the [example](Self::close).
    pub fn is_closed(&self) -> bool {
        self.handle.router.cluster().is_closed()
    }

    /// Ends in good order: takes no more calls, which fail with [`Error::Closed`] from now on, waits for those that are under
    /// way, no longer than `limit`, and [closes](Self::close) the client. Returns whether all of them had ended.
    ///
    /// Calls that wait for their next attempt, transactions, each [`Dedicated`](crate::Dedicated) that is kept, and what calls of
    /// commands such as `BLPOP` left behind ([`Config::on_orphan`]) are under way, too. What is still under way after the limit
    /// goes on as it does after [`close`](Self::close).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use std::time::Duration;
    ///
    /// if !client.shutdown(Duration::from_secs(5)).await {
    ///     eprintln!("some calls had not ended after 5 s");
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Once it was polled, no more calls are taken even if the future is dropped; connections then stay until the client is
    /// closed or dropped.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.handle.router.cluster().shut_down(limit.min(FOREVER)).await
    }
}

/// A node as the client sees it at the moment. [`Client::nodes`] returns one for each.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The node as announced.
    pub node: Endpoint,
    /// Its node id.
    pub id: Option<NodeId>,
    /// Its role.
    pub role: Role,
    /// Whether a connection is up.
    pub is_connected: bool,
    /// What was learnt about its latest connection.
    pub facts: Option<Arc<ConnectionFacts>>,
}
