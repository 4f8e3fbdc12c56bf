//! [`ClusterConnection`]: what commands, pipelines, scripts and iterators of redis-rs are run on.
//!
//! What must stay true: a plain command allocates its future and its value, and nothing else here.

use std::fmt;

use truename::{Client, Command, Config, Reply};

use super::command::{Words, command};
use super::error::{failed, results, transaction};
use super::routing;
use super::value::value;
use super::version::CLIENT;
use super::version::redis::aio::ConnectionLike;
use super::version::redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use super::version::redis::{Cmd, Pipeline, RedisFuture, RedisResult, ToRedisArgs, Value};
use crate::engine::{Engine, Failure, Pinned, Special, among_others, special};

/// A connection to a cluster, as redis-rs's `cluster_async::ClusterConnection`: everything that takes a
/// `redis::aio::ConnectionLike` takes it. Cheap to clone; clones share the connections to the nodes, and no pool is needed.
///
/// # Examples
/// ```no_run
/// # async fn example() -> redis::RedisResult<()> {
/// use redis::AsyncCommands;
/// use truename_redis::ClusterClient;
///
/// let client = ClusterClient::new(["rediss://:secret@redis-1.example.net:6379"])?;
/// let mut connection = client.get_async_connection().await?;
/// let () = connection.set("city", "Oslo").await?;
/// let city: Option<String> = connection.get("city").await?;
///
/// // Keys of any slots.
/// let (visits, length): (i64, usize) =
///     redis::pipe().incr("visits", 1).strlen("city").query_async(&mut connection).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClusterConnection {
    engine: Engine,
    /// Clones that are made from now on have it, too.
    pinned: Pinned,
}

impl fmt::Debug for ClusterConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConnection").field("client", self.engine.client()).finish()
    }
}

impl ClusterConnection {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, pinned: Pinned::default() }
    }

    /// Over a client that exists already, for example because other parts of a program use it as it is. `config` is what it was
    /// made with: where it reads from, and which database it selects, are seen there.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use truename::{Client, Config};
    /// use truename_redis::cluster_async::ClusterConnection;
    ///
    /// let config = Config::from_url("rediss://:secret@redis-1.example.net:6379")?;
    /// let client = Client::connect(&config).await?;
    /// let connection = ClusterConnection::over(client, &config);
    /// # Ok(())
    /// # }
    /// ```
    pub fn over(client: Client, config: &Config) -> Self {
        Self::new(Engine::of(client, config, Default::default()))
    }

    /// The client below: for events, the topology, and everything else that redis-rs does not have.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(connection: truename_redis::cluster_async::ClusterConnection) {
    /// println!("{} nodes", connection.client().nodes().len());
    /// # }
    /// ```
    pub fn client(&self) -> &Client {
        self.engine.client()
    }

    /// Sends a command where the routing says, and makes one value of the replies of several nodes.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(mut connection: truename_redis::cluster_async::ClusterConnection) -> redis::RedisResult<()> {
    /// use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
    ///
    /// let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, Some(ResponsePolicy::AllSucceeded)));
    /// connection.route_command(redis::cmd("PING"), everywhere).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As any command; see [`to_redis_error`](crate::to_redis_error).
    ///
    /// # Cancel safety
    /// As [`Client::execute`].
    pub async fn route_command(&mut self, cmd: Cmd, routing: RoutingInfo) -> RedisResult<Value> {
        self.run_routed(command(&cmd), routing).await
    }

    /// Sends the commands of a pipeline to one node.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(mut connection: truename_redis::cluster_async::ClusterConnection) -> redis::RedisResult<()> {
    /// use redis::cluster_routing::SingleNodeRoutingInfo;
    ///
    /// let mut pipeline = redis::pipe();
    /// pipeline.cmd("TIME").cmd("LASTSAVE");
    /// let node = SingleNodeRoutingInfo::ByAddress { host: "10.0.0.4".into(), port: 8501 };
    /// let values = connection.route_pipeline(pipeline, 0, 2, node).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As a pipeline that is not routed.
    ///
    /// # Cancel safety
    /// As [`Client::execute`].
    pub async fn route_pipeline(
        &mut self,
        pipeline: Pipeline,
        offset: usize,
        count: usize,
        route: SingleNodeRoutingInfo,
    ) -> RedisResult<Vec<Value>> {
        if pipeline.is_transaction() && self.pinned.take_live().is_some() {
            return Err(failed(ROUTED_AND_WATCHED));
        }
        let place = routing::place(&self.engine, &route).map_err(failed)?;
        let place = place.of_a_handle(self.pinned.is_watching());
        self.run_pipeline(&pipeline, offset, count, |command| (place.of(command), Some(Special::Placed)))
            .await
    }

    /// Runs a pipeline. `prepared`: where each command goes, and what is special about it.
    async fn run_pipeline<'c>(
        &mut self,
        pipeline: &'c Pipeline,
        offset: usize,
        count: usize,
        prepared: impl Fn(Command<'c>) -> (Command<'c>, Option<Special>),
    ) -> RedisResult<Vec<Value>> {
        let commands = pipeline.cmd_iter().map(|cmd| prepared(command(cmd))).collect();
        self.run_commands(commands, pipeline.is_transaction(), (offset, count)).await
    }

    /// Runs the commands of a pipeline. `wanted`: from which result on, and how many, as redis-rs says it.
    pub(super) async fn run_commands(
        &mut self,
        commands: Vec<(Command<'_>, Option<Special>)>,
        is_transaction: bool,
        wanted: (usize, usize),
    ) -> RedisResult<Vec<Value>> {
        if is_transaction && wanted == (commands.len() + 1, 1) {
            let commands = commands.into_iter();
            let commands = commands.map(|(command, special)| (command, special == Some(Special::EvalSha)));
            let commands = commands.collect();
            return transaction(self.engine.run_atomic(commands, &mut self.pinned).await, value);
        }
        if is_transaction || wanted != (0, commands.len()) {
            return Err(failed(Failure::Misused(
                "a pipeline has as many results as commands, a transaction has one",
            )));
        }
        results(self.engine.run_all(commands, &mut self.pinned).await, value)
    }

    /// Runs one command, whatever is special about it.
    pub(super) async fn run(&mut self, command: Command<'_>) -> RedisResult<Value> {
        let reply = match special(&command) {
            Some(special) => self.engine.run_special(special, command, None, &mut self.pinned).await,
            None => self.engine.run_plain(&mut self.pinned, command).await,
        };
        reply.map(value).map_err(failed)
    }

    pub(super) async fn run_routed(
        &mut self,
        command: Command<'_>,
        routing: RoutingInfo,
    ) -> RedisResult<Value> {
        let is_watching = self.pinned.is_watching();
        routing::run(&self.engine, command, routing, is_watching).await.map(value).map_err(failed)
    }

    /// Forgets what is watched, for the next user of a pooled connection.
    #[cfg(feature = "bb8")]
    pub(super) fn forget_watched(&mut self) {
        self.pinned.forget();
    }
}

impl ConnectionLike for ClusterConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        if self.pinned.is_some() || special(&Words(cmd)).is_some() {
            return Box::pin(self.run(command(cmd)));
        }
        let client = self.engine.client();
        // The command is made where it stays: neither it nor the call that holds it is moved.
        Box::pin(async move {
            let reply = client.execute::<Reply>(command(cmd)).await;
            reply.map(value).map_err(|error| failed(error.into()))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(self.run_pipeline(pipeline, offset, count, in_a_pipeline))
    }

    fn get_db(&self) -> i64 {
        self.engine.database()
    }
}

/// A command of a pipeline, and what is special about it there.
pub(super) fn in_a_pipeline(command: Command<'_>) -> (Command<'_>, Option<Special>) {
    let special = special(&command).or_else(|| among_others(&command));
    (command, special)
}

macro_rules! subscriptions {
    ($($name:ident),*) => {$(
        /// Not part of this version: an error, and nothing is sent.
        ///
        /// # Errors
        /// Always.
        pub async fn $name(&mut self, _channels: impl ToRedisArgs) -> RedisResult<()> {
            Err((CLIENT, "not supported by truename-redis", format!("{}: {SUBSCRIPTIONS}", stringify!($name))).into())
        }
    )*};
}

const ROUTED_AND_WATCHED: Failure = Failure::Misused(
    "this connection watches keys, whose transaction goes where they are: run it without a route",
);
const SUBSCRIPTIONS: &str = "subscriptions are not part of this version";

impl ClusterConnection {
    subscriptions!(subscribe, unsubscribe, psubscribe, punsubscribe, ssubscribe, sunsubscribe);
}
