//! How the durations of a [`Config`] are set.

use std::time::Duration;

use super::Config;
use super::timing::FOREVER;

impl Config {
    /// How long [`Client::connect`](crate::Client::connect) may take in total. The default is 10 s, the minimum 1 ms. See the
    /// [example](Config#examples).
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timing.connect = timeout.min(FOREVER);
        self
    }

    /// How long one attempt to connect to one node may take. The default is 3 s, the minimum 1 ms. See the
    /// [example](Config#examples).
    #[must_use]
    #[doc(alias = "connection_timeout")]
    pub fn node_connect_timeout(mut self, timeout: Duration) -> Self {
        self.timing.node_connect = timeout.min(FOREVER);
        self
    }

    /// How long a command may take in total: waiting for room, redirects, retries, backoff and the reply. The
    /// default is 5 s.
    ///
    /// More than 2 s says that commands may be slow, and is then the stall time too, unless
    /// [`Config::stall_timeout`] sets that. See the [example](Config#examples).
    #[must_use]
    #[doc(alias = "default_command_timeout")]
    #[doc(alias = "response_timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.timing.set_command(timeout.min(FOREVER));
        self
    }

    /// How long a server may be silent while it owes a reply, before its connection is given up. The default is
    /// 2 s, or the [`Config::command_timeout`] that was set if that is longer; a command with a longer deadline of its
    /// own ([`Command::timeout`](crate::Command::timeout)) extends it while it runs.
    ///
    /// Before that, the node is asked on another connection. While it answers there, with whatever reply, it is paused
    /// or busy, and its connection is kept until the oldest command has been past its deadline for this long. Otherwise the
    /// connection is given up. The oldest command on it is not sent again, not even a read: it may be what the server
    /// is busy with. Reads after it are sent again at most once. See the [example](Config#examples).
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.timing.set_stall(timeout.min(FOREVER));
        self
    }

    /// How often an idle connection is probed with `PING`. The default is 10 s, the minimum 100 ms. See the
    /// [example](Config#examples).
    #[must_use]
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.timing.keepalive = interval.min(FOREVER);
        self
    }

    /// How often the topology is refreshed at least. It is also refreshed after events, and again 1, 2, 4 … s later. The
    /// default is 60 s, the minimum 100 ms. See the [example](Config#examples).
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.timing.refresh = interval.min(FOREVER);
        self
    }
}
