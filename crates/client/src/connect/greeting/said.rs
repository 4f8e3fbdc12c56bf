//! What a server answers about itself.

use std::borrow::Cow;

use truename_resp::Untrusted;

/// What the server said about itself, as it came: print it through [`Untrusted`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// 3 or 2.
    pub protocol: u8,
    /// `redis` or `valkey`, from `HELLO`.
    pub server: Option<String>,
    /// The server's version, from `HELLO`.
    pub version: Option<String>,
    /// `cluster`, `standalone` or `sentinel`, from `HELLO`.
    pub mode: Option<String>,
    /// The node id, from `CLUSTER MYID`, or where a check depends on it and the server rejects that command, from the
    /// `myself` line of `CLUSTER NODES`; `None` where the server reports neither.
    pub node_id: Option<String>,
    /// Whether the node took `READONLY`: asked only if replicas are read from.
    pub is_readonly: bool,
    /// What the node said instead of taking `READONLY`.
    pub readonly_refusal: Option<String>,
    /// The availability zone, from `HELLO` of Valkey 8.1 and later.
    pub availability_zone: Option<String>,
    /// The connection's id with the server, from `CLIENT INFO` (6.2 and later).
    pub client_id: Option<u64>,
    /// The address that the server sees the connection come from, from `CLIENT INFO`: behind NAT it is not ours.
    pub client_address: Option<String>,
    /// The user that the connection is logged in as, from `CLIENT INFO`.
    pub user: Option<String>,
    /// The database that the connection uses, from `CLIENT INFO`.
    pub database: Option<u32>,
}

impl Greeting {
    /// The server and its version in one word, such as `redis/7.0.15`, fit to be printed.
    ///
    /// ```
    /// let mut greeting = truename::Greeting::default();
    /// assert_eq!(greeting.product(), "unknown");
    /// greeting.server = Some("valkey".to_owned());
    /// greeting.version = Some("8.1.4".to_owned());
    /// assert_eq!(greeting.product(), "valkey/8.1.4");
    /// ```
    pub fn product(&self) -> Cow<'static, str> {
        match (&self.server, &self.version) {
            (Some(server), Some(version)) => {
                Cow::Owned(format!("{}/{}", Untrusted(server), Untrusted(version)))
            }
            (Some(server), None) => Cow::Owned(Untrusted(server).to_string()),
            _ => Cow::Borrowed("unknown"),
        }
    }
}
