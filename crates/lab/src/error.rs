//! What can go wrong with a lab. Every variant says what happened in the user's words and, where there is one, the
//! cure; a server that failed brings the end of its own log along.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Why a lab, or something asked of it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// No server program on this machine.
    #[error(
        "no Redis or Valkey server found (looked for {searched}); install the package `redis-server` (Debian, Ubuntu), \
         `redis` or `valkey` (Fedora, Arch, Alpine, Homebrew), or set TRUENAME_SERVER to the path of a server"
    )]
    NoServer {
        /// What was looked for.
        searched: String,
    },
    /// The program found does not behave like a Redis or Valkey server.
    #[error("{} is not a Redis or Valkey server: `--version` said {output:?}", path.display())]
    NotAServer {
        /// The program that was run.
        path: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The server is older than 7.0, the first version that can announce host names.
    #[error("{} is version {version}; the lab needs 7.0 or newer", path.display())]
    OldServer {
        /// The program that was run.
        path: PathBuf,
        /// The version it reported.
        version: String,
    },
    /// The server was built without TLS.
    #[error(
        "{} was built without TLS (it does not know `tls-port`); install a build with TLS or use a lab without it",
        path.display()
    )]
    ServerWithoutTls {
        /// The program that was run.
        path: PathBuf,
    },
    /// The system has only 127.0.0.1, not the whole loopback range.
    #[error(
        "cannot listen on {address}: this system has no loopback range 127.0.0.0/8. Linux has it out of the box; \
         on macOS and the BSDs each address must first be added, e.g. `sudo ifconfig lo0 alias {address}`"
    )]
    NoLoopbackRange {
        /// The first address that was tried.
        address: IpAddr,
    },
    /// Every loopback network that was tried belongs to another lab.
    #[error("no free loopback network 127.x.y.0/24 found in {tried} tries; are hundreds of labs running?")]
    NoFreeNetwork {
        /// How many networks were tried.
        tried: usize,
    },
    /// Something already listens on an address that the lab needs.
    #[error("{address} is taken by another program (perhaps one that listens on port {} of all addresses)", address.port())]
    AddressInUse {
        /// The address that could not be bound.
        address: SocketAddr,
    },
    /// The lab was asked for something impossible.
    #[error("{0}")]
    Invalid(String),
    /// A server process ended by itself.
    #[error("node {node} ended ({status}); the end of its log:\n{log}")]
    ServerExited {
        /// Index of the node.
        node: usize,
        /// Its exit status in words.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// The cluster did not reach the wanted state in time.
    #[error("waited {waited:.1?} for {wanted}; last seen: {seen}\nthe end of the log of node {node}:\n{log}")]
    NotReached {
        /// The state that was waited for.
        wanted: String,
        /// How long.
        waited: Duration,
        /// What was seen instead.
        seen: String,
        /// The node it was seen at.
        node: usize,
        /// The last lines of that node's log.
        log: String,
    },
    /// A node could not be reached, or closed the connection.
    #[error("{address}: {source}")]
    Connection {
        /// The node's bound address.
        address: SocketAddr,
        /// What the socket, TLS or the decoder said.
        source: io::Error,
    },
    /// A node did not answer in time (it may be stopped).
    #[error("{address} did not answer {command} within {after:?}")]
    Timeout {
        /// The node's bound address.
        address: SocketAddr,
        /// The command, or `connect`.
        command: String,
        /// The time allowed.
        after: Duration,
    },
    /// A node answered a command of the lab's own with an error.
    #[error("{address} refused {command}: {message}")]
    Refused {
        /// The node's bound address.
        address: SocketAddr,
        /// The command.
        command: String,
        /// The error reply, or a description of an unexpected reply.
        message: String,
    },
    /// Certificates could not be made.
    #[error("cannot make a certificate for {names}: {source}")]
    Certificate {
        /// The names the certificate was to carry.
        names: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl LabError {
    /// For `map_err`: wraps an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// What keeps a listener from `address`.
    pub(crate) fn cannot_listen(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { address },
            _ => Self::io(format!("listen on {address}"))(error),
        }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}
