//! Who takes part: clients of other languages, and truename on either runtime.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::cell::Runtime;

/// A client as one setting of it; each is a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contestant {
    /// truename on the current-thread runtime.
    TruenameCt,
    /// truename on two workers.
    TruenameMt,
    /// rueidis, Go.
    Rueidis,
    /// rueidis with `MaxFlushDelay`.
    RueidisDelay,
    /// go-redis with a connection for every call under way.
    GoRedis,
    /// go-redis with its `AutoPipeline`.
    GoRedisAuto,
    /// The same with `MaxFlushDelay`.
    GoRedisAutoDelay,
    /// Lettuce, Java, asynchronous.
    Lettuce,
    /// ioredis, Node.
    Ioredis,
    /// ioredis with `enableAutoPipelining`.
    IoredisAuto,
    /// node-redis.
    NodeRedis,
    /// valkey-glide for Node.
    GlideNode,
    /// valkey-glide for Python.
    GlidePython,
    /// redis-py with asyncio.
    RedisPy,
    /// redis-py with a thread for each caller.
    RedisPyThreads,
}

/// What a program is written in. Each has a directory of its own in `tools/clients`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    Go,
    Java,
    Node,
    Python,
}

impl Language {
    pub(super) const ALL: [Self; 4] = [Self::Go, Self::Java, Self::Node, Self::Python];
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Go => "go",
            Self::Java => "java",
            Self::Node => "node",
            Self::Python => "python",
        })
    }
}

/// More threads than this say nothing about a client that runs one at a time.
const MOST_PYTHON_THREADS: usize = 64;

/// From here on pools take long to fill.
const MANY_CALLERS: usize = 1000;

impl Contestant {
    pub(crate) const ALL: [Self; 15] = [
        Self::TruenameCt,
        Self::TruenameMt,
        Self::Rueidis,
        Self::RueidisDelay,
        Self::GoRedis,
        Self::GoRedisAuto,
        Self::GoRedisAutoDelay,
        Self::Lettuce,
        Self::Ioredis,
        Self::IoredisAuto,
        Self::NodeRedis,
        Self::GlideNode,
        Self::GlidePython,
        Self::RedisPy,
        Self::RedisPyThreads,
    ];

    /// `None` is this program.
    pub(super) const fn language(self) -> Option<Language> {
        match self {
            Self::TruenameCt | Self::TruenameMt => None,
            Self::Rueidis
            | Self::RueidisDelay
            | Self::GoRedis
            | Self::GoRedisAuto
            | Self::GoRedisAutoDelay => Some(Language::Go),
            Self::Lettuce => Some(Language::Java),
            Self::Ioredis | Self::IoredisAuto | Self::NodeRedis | Self::GlideNode => Some(Language::Node),
            Self::GlidePython | Self::RedisPy | Self::RedisPyThreads => Some(Language::Python),
        }
    }

    /// truename's runtime.
    pub(super) const fn runtime(self) -> Option<Runtime> {
        match self {
            Self::TruenameCt => Some(Runtime::CurrentThread),
            Self::TruenameMt => Some(Runtime::MultiThread),
            _ => None,
        }
    }

    /// Whether every call under way has a connection of its own; with `AutoPipeline` that is every pipeline by hand.
    const fn is_pooled(self) -> bool {
        matches!(
            self,
            Self::GoRedis | Self::GoRedisAuto | Self::GoRedisAutoDelay | Self::RedisPy | Self::RedisPyThreads
        )
    }

    /// Between the first reply to every caller and the window. Compilers that work at run time take long, and so do
    /// thousands of connections.
    pub(super) const fn warm_up(self, callers: usize) -> Duration {
        if self.is_pooled() && callers >= MANY_CALLERS {
            return Duration::from_millis(6000);
        }
        Duration::from_millis(match self.language() {
            Some(Language::Java) => 6000,
            Some(Language::Node | Language::Python) => 2000,
            Some(Language::Go) => 1000,
            None => 500,
        })
    }

    /// Whether a run with this many callers says something about the client.
    pub(super) fn takes(self, callers: usize) -> bool {
        self != Self::RedisPyThreads || callers <= MOST_PYTHON_THREADS
    }
}

/// The name on the command line, in tables, and for the programs.
impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().ok_or(fmt::Error)?;
        f.pad(value.get_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contestant_is_in_the_list_once() {
        assert_eq!(Contestant::ALL, Contestant::value_variants());
    }

    #[test]
    fn a_row_has_the_name_that_the_command_line_and_records_have() {
        for contestant in Contestant::ALL {
            let recorded = serde_json::to_value(contestant).unwrap();
            assert_eq!(recorded.as_str(), Some(contestant.to_string().as_str()));
        }
    }
}
