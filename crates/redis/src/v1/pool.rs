//! `bb8`: a pool of connections, for programs that are built around one.

use super::client::ClusterClient;
use super::connection::ClusterConnection;
use super::version::redis::{Cmd, RedisError};

/// Each pooled connection has connections to all nodes. One connection and its clones do what a pool does, with fewer.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use redis::AsyncCommands;
/// use truename_redis::ClusterClient;
///
/// let client = ClusterClient::new(["rediss://redis-1.example.net:6379"])?;
/// let pool = bb8::Pool::builder().max_size(2).build(client).await?;
/// let visits: i64 = pool.get().await?.incr("visits", 1).await?;
/// # Ok(())
/// # }
/// ```
impl bb8::ManageConnection for ClusterClient {
    type Connection = ClusterConnection;
    type Error = RedisError;

    async fn connect(&self) -> Result<ClusterConnection, RedisError> {
        self.get_async_connection().await
    }

    async fn is_valid(&self, connection: &mut ClusterConnection) -> Result<(), RedisError> {
        let mut ping = Cmd::new();
        ping.arg("PING").query_async(connection).await
    }

    /// Never by itself: a connection to a node that is lost is made anew below. What the last user watched, the next one does
    /// not watch.
    fn has_broken(&self, connection: &mut ClusterConnection) -> bool {
        connection.forget_watched();
        false
    }
}
