//! How far a connection attempt got.

use std::fmt;

/// How far a connection attempt got, in the order of its steps.
///
/// # Examples
/// ```
/// use truename::error::Phase;
///
/// // A wrong password is met after the certificate was accepted.
/// assert!(Phase::Tls < Phase::Auth);
/// assert_eq!(Phase::Tls.name(), "tls");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Turning the announced address into the one to dial.
    Plan,
    /// Looking the host name up.
    Resolve,
    /// Opening the TCP connection.
    Tcp,
    /// The TLS handshake, with the certificate's chain and names.
    Tls,
    /// `HELLO` and the other first commands.
    Hello,
    /// Credentials.
    Auth,
    /// Checking that the node is the one that was announced.
    Identity,
    /// Asking for the topology.
    Topology,
    /// `PING`, as the doctor sends it.
    Ping,
}

impl Phase {
    /// The phase's name in reports and JSON. See the [example](Phase#examples).
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Resolve => "resolve",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Hello => "hello",
            Self::Auth => "auth",
            Self::Identity => "identity",
            Self::Topology => "topology",
            Self::Ping => "ping",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
