//! How much of everything a client may use: connections, commands in flight, bytes, and what a reply may hold.

use truename_resp::Limits;

use super::Config;

impl Config {
    /// Connections per node. Commands of one slot always share one, so their order is kept. The default is 1, and 0
    /// counts as 1. See the [example](Config#examples).
    #[must_use]
    pub fn lanes_per_node(mut self, lanes: usize) -> Self {
        self.lanes_per_node = lanes.max(1);
        self
    }

    /// How many commands may be outstanding on one connection; further ones wait for room within their own deadlines.
    /// The default is 16,384, and 0 counts as 1. See the [example](Config#examples).
    #[must_use]
    pub fn max_in_flight(mut self, commands: usize) -> Self {
        self.max_in_flight = commands.max(1);
        self
    }

    /// How many bytes may wait to be written to one connection; commands beyond that wait for room. The default is 32
    /// MiB. A command that is larger by itself is taken when nothing else is queued. See the [example](Config#examples).
    #[must_use]
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes.max(1);
        self
    }

    /// How many connections to one node may be exclusive: used by one call at a time, apart from those that all calls
    /// share. A command that waits on the server, such as `BLPOP`, needs one while it waits. The default is 64, and 0
    /// counts as 1.
    ///
    /// Further calls wait for room in the order in which they came, at most for [`Config::command_timeout`], and
    /// then fail with [`RouteError::NoExclusiveConnection`](crate::error::RouteError::NoExclusiveConnection). A few that
    /// became idle are kept and closed after three [keepalive](Config::keepalive) intervals. See the
    /// [example](Config#examples).
    #[must_use]
    pub fn max_exclusive_connections(mut self, connections: usize) -> Self {
        self.max_exclusive_connections = connections.max(1);
        self
    }

    /// What a reply may hold. The defaults allow whatever servers send in practice; see [`Limits`], and
    /// [`Limits::memory`] for how much memory that can be: with the defaults 4.5 GiB at most. Set less where an
    /// untrusted server is a greater risk than a large reply.
    ///
    /// A reply beyond them fails its own command with [`Error::Protocol`](crate::Error::Protocol), which is not sent again,
    /// and ends the connection.
    ///
    /// ```
    /// use truename::{Config, resp::Limits};
    ///
    /// // Values of a megabyte at most, lists of a hundred thousand, and 64 MiB for all of a reply.
    /// let limits = Limits::default().with_bulk_len(1 << 20).with_elements(100_000).with_bytes(64 << 20);
    /// let config = Config::new().seed("redis.example.net", 6379).reply_limits(limits);
    /// ```
    #[must_use]
    pub fn reply_limits(mut self, limits: Limits) -> Self {
        self.reply_limits = limits;
        self
    }
}
