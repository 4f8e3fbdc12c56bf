//! [`ReadFrom`]: where read-only commands are to be sent. Which node that is, the router decides.

use std::str::FromStr;
use std::sync::Arc;

use truename_topology::Typed;

use crate::error::Error;

/// Where read-only commands are sent. Set it with [`Config::read_from`](crate::Config::read_from) for all commands of a client,
/// with [`Command::read_from`](crate::Command::read_from) for one.
///
/// With anything but `Primary` in the configuration every connection that callers share sends `READONLY` in its greeting; a node
/// that rejects that (Redis Enterprise does) is not read from while it is a replica. A node that is not connected is passed over.
/// What is for the primary whatever is preferred, such as an atomic batch, a transaction or
/// [`Client::dedicated`](crate::Client::dedicated), gets no answer from a primary that has become a replica.
///
/// # Examples
/// ```
/// use truename::{Config, ReadFrom};
///
/// let nearby = ReadFrom::Zone("eu-west-1a".into());
/// // The form that URLs and command lines have.
/// assert_eq!("zone:eu-west-1a".parse::<ReadFrom>()?, nearby);
/// let config = Config::new().seed("redis.example.net", 6379).read_from(nearby);
/// # Ok::<(), truename::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The primary: reads see what was written.
    #[default]
    Primary,
    /// A replica, drawn at random, and nothing else: without a usable one the command waits for it, and then fails with
    /// [`RouteError::NoReplica`](crate::error::RouteError::NoReplica); at once, if all of the slot's replicas reject `READONLY`. A
    /// redirect, which names a primary, leads to a replica of that one.
    Replica,
    /// A replica, drawn at random; the primary if no replica is usable.
    PreferReplica,
    /// The node that answered its greeting fastest, primary or replica.
    Nearest,
    /// A node of this availability zone, replicas first; otherwise a replica elsewhere, otherwise the primary.
    ///
    /// Zones are known where the server reports them: Valkey 8.1 and later in `HELLO`, and in `CLUSTER SLOTS`.
    Zone(Arc<str>),
}

impl ReadFrom {
    /// Whether connections need `READONLY`.
    pub(crate) fn uses_replicas(&self) -> bool {
        *self != Self::Primary
    }
}

impl FromStr for ReadFrom {
    type Err = Error;

    /// Reads `primary`, `replica`, `prefer-replica`, `nearest` or `zone:NAME`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match (text, text.strip_prefix("zone:")) {
            ("primary", _) => Ok(Self::Primary),
            ("replica", _) => Ok(Self::Replica),
            ("prefer-replica", _) => Ok(Self::PreferReplica),
            ("nearest", _) => Ok(Self::Nearest),
            (_, Some(zone)) if !zone.is_empty() => Ok(Self::Zone(zone.into())),
            _ => Err(Error::config_with_remedy(
                format!("{} is not a read preference", Typed(text)),
                "write primary, replica, prefer-replica, nearest or zone:NAME",
            )),
        }
    }
}
