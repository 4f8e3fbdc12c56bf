//! [`ClusterConnection`] for code that is not asynchronous.
//!
//! What must stay true: it does what the asynchronous connection does, with the same functions; bytes that are no commands are
//! an error, and nothing of them is sent.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use truename::resp::{Framer, Limits};
use truename::{Client, Command, blocking};

use super::command::command;
use super::connection::{ClusterConnection as Asynchronous, in_a_pipeline};
use super::error::{failed, to_redis_error};
use super::version::redis::aio::ConnectionLike as _;
use super::version::redis::cluster_routing::RoutingInfo;
use super::version::redis::{Cmd, ConnectionLike, RedisResult, Value};
use crate::engine::Failure;

/// A connection to a cluster, as redis-rs's `cluster::ClusterConnection`: everything that takes a `redis::ConnectionLike` takes it,
/// pipelines of any slots included. Cheap to clone; clones share the connections to the nodes, also between threads.
///
/// It is [`truename::blocking`] below, which says where it may be called: on any thread but one that polls tasks.
///
/// # Examples
/// ```no_run
/// # fn example() -> redis::RedisResult<()> {
/// use redis::Commands;
/// use truename_redis::ClusterClient;
///
/// let client = ClusterClient::new(["rediss://:secret@redis-1.example.net:6379"])?;
/// let mut connection = client.get_connection()?;
/// let () = connection.set("city", "Oslo")?;
/// let (city, visits): (String, i64) =
///     redis::pipe().get("city").incr("visits", 1).query(&mut connection)?;
///
/// let key = "stock";
/// let (left,): (i64,) = redis::transaction(&mut connection, &[key], |connection, pipeline| {
///     let stock: i64 = connection.get(key)?;
///     pipeline.set(key, stock - 1).ignore().get(key).query(connection)
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClusterConnection {
    // The last one that is dropped closes the client.
    client: blocking::Client,
    connection: Asynchronous,
}

impl fmt::Debug for ClusterConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConnection").field("client", &self.client).finish()
    }
}

const BYTES: Failure = Failure::Misused("these bytes are not encoded commands");
const TIMES: Failure = Failure::Unsupported(
    "set_read_timeout and set_write_timeout: a call has one time for all of it; give response_timeout to the builder",
);

impl ClusterConnection {
    pub(super) fn new(client: blocking::Client, connection: Asynchronous) -> Self {
        Self { client, connection }
    }

    /// The client below: for events, the topology, and everything else that redis-rs does not have. It gets replies as long as
    /// this connection or a clone of it exists.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(connection: truename_redis::cluster::ClusterConnection) {
    /// println!("{} nodes", connection.client().nodes().len());
    /// # }
    /// ```
    pub fn client(&self) -> &Client {
        self.client.client()
    }

    /// Sends a command where the routing says, and makes one value of the replies of several nodes.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(mut connection: truename_redis::cluster::ClusterConnection) -> redis::RedisResult<()> {
    /// use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
    ///
    /// let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, Some(ResponsePolicy::AllSucceeded)));
    /// connection.route_command(&redis::cmd("PING"), everywhere)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As any command; see [`to_redis_error`].
    pub fn route_command(&mut self, cmd: &Cmd, routing: RoutingInfo) -> RedisResult<Value> {
        let routed = self.connection.run_routed(command(cmd), routing);
        self.client.block_on(routed).map_err(to_redis_error)?
    }

    /// Whether a primary answers `PING`. A shard that is down fails no health check. See the [example](Self#examples).
    pub fn check_connection(&mut self) -> bool {
        let mut ping = Cmd::new();
        self.req_command(ping.arg("PING")).is_ok()
    }

    /// Not part of this version: an error, and nothing changes. See the [example](Self#examples).
    ///
    /// # Errors
    /// Always.
    pub fn set_read_timeout(&self, _limit: Option<Duration>) -> RedisResult<()> {
        Err(failed(TIMES))
    }

    /// Not part of this version: an error, and nothing changes. See the [example](Self#examples).
    ///
    /// # Errors
    /// Always.
    pub fn set_write_timeout(&self, _limit: Option<Duration>) -> RedisResult<()> {
        Err(failed(TIMES))
    }

    fn run(&mut self, command: Command<'_>) -> RedisResult<Value> {
        self.client.block_on(self.connection.run(command)).map_err(to_redis_error)?
    }
}

impl ConnectionLike for ClusterConnection {
    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        self.run(command(cmd))
    }

    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        let command = Command::encoded(cmd).map_err(|_| failed(BYTES))?;
        self.run(command)
    }

    fn req_packed_commands(&mut self, cmd: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let (commands, is_transaction) = unpacked(cmd).ok_or_else(|| failed(BYTES))?;
        let commands = commands.into_iter().map(in_a_pipeline).collect();
        let run = self.connection.run_commands(commands, is_transaction, (offset, count));
        self.client.block_on(run).map_err(to_redis_error)?
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.check_connection()
    }

    fn is_open(&self) -> bool {
        !self.client().is_closed()
    }
}

/// The commands of an encoded pipeline, and whether they are a transaction: redis-rs then writes `MULTI` before and `EXEC` after
/// them.
fn unpacked(bytes: &[u8]) -> Option<(Vec<Command<'static>>, bool)> {
    // What was encoded on this side was within its limits.
    let len = bytes.len();
    let limits = Limits::default().with_bulk_len(len).with_elements(len).with_values(len).with_bytes(len);
    let (mut framer, mut rest) = (Framer::new(limits), BytesMut::from(bytes));
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let frame: Bytes = framer.frame(&mut rest).ok()??.into_bytes();
        commands.push(Command::encoded(frame).ok()?);
    }
    let is_transaction = commands.len() > 1
        && commands.first().is_some_and(|first| first.name() == "MULTI")
        && commands.last().is_some_and(|last| last.name() == "EXEC");
    if is_transaction {
        commands.pop();
        commands.remove(0);
    }
    Some((commands, is_transaction))
}

#[cfg(test)]
mod tests {
    use super::super::version::redis::pipe;
    use super::*;

    fn names(bytes: &[u8]) -> Option<(Vec<String>, bool)> {
        let (commands, is_transaction) = unpacked(bytes)?;
        Some((commands.iter().map(|command| command.name().to_owned()).collect(), is_transaction))
    }

    #[test]
    fn a_pipelines_bytes_are_its_commands() {
        let mut plain = pipe();
        plain.set("a", "x\r\n*1\r\n$4\r\nEXEC\r\n").get("b");
        let both = ["SET", "GET"].map(str::to_owned).to_vec();
        assert_eq!(names(&plain.get_packed_pipeline()), Some((both.clone(), false)));
        assert_eq!(names(&plain.atomic().get_packed_pipeline()), Some((both, true)));
        assert_eq!(names(&pipe().get_packed_pipeline()), Some((Vec::new(), false)));
        assert_eq!(names(&pipe().atomic().get_packed_pipeline()), Some((Vec::new(), true)));
        for broken in ["*1\r\n$4\r\nPI", "+OK\r\n", "PING\r\n", "*1\r\n$4\r\nPING\r\n*"] {
            assert_eq!(names(broken.as_bytes()), None, "{broken:?}");
        }
    }
}
