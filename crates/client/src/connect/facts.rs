//! What is known about a connection: the record that an attempt fills in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use truename_topology::{DialAddress, Identity};

use super::greeting::Greeting;
use crate::certificate::Certificate;
use crate::tls::Presented;

/// What was learnt about a connection while it was made. [`Client::nodes`](crate::Client::nodes) has an example.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// Where it was dialled.
    pub dialled: Option<DialAddress>,
    /// The socket address of the peer.
    pub peer: Option<SocketAddr>,
    /// The TLS version, such as `TLSv1_3`; `None` for plaintext.
    pub tls_version: Option<String>,
    /// The cipher suite.
    pub cipher_suite: Option<String>,
    /// Whether an earlier TLS session was resumed.
    pub is_resumed: bool,
    /// The name that the certificate proved. `None` for plaintext, or when names were not checked.
    pub identity: Option<Identity>,
    /// What the peer presented.
    pub certificate: Option<Arc<Certificate>>,
    /// What the server said about itself.
    pub greeting: Greeting,
    /// How long TCP took: a round trip, unless a packet was lost.
    pub tcp: Duration,
    /// How long TLS took: one round trip or two, the work of both sides, and waiting for other handshakes of
    /// this client. `None` for plaintext.
    pub tls: Option<Duration>,
    /// How long the first exchange took: a round trip, and the server's work.
    pub round_trip: Duration,
    /// How long all of it took, from the lookup to the last handshake reply: more than the sum of
    /// [`tcp`](Self::tcp), [`tls`](Self::tls) and [`round_trip`](Self::round_trip), as there are the lookup,
    /// addresses that were tried before, and further questions about the node's id.
    pub elapsed: Duration,
    /// The certificate chain, to be checked again when the TLS options change.
    pub(crate) presented: Option<Arc<Presented>>,
}

impl ConnectionFacts {
    /// Whether the connection is encrypted. See the [example](crate::Client::nodes).
    pub fn is_tls(&self) -> bool {
        self.tls_version.is_some()
    }
}
