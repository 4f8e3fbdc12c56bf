//! [`Cause`]: what can go wrong with one node. What is known about each, its code and its text included, is a row of `traits`.

use truename_topology::Pin;

/// Why a connection attempt failed.
///
/// The text of a cause is for people and may change; [`Cause::code`] is for programs and does not. What is in the
/// variants may be the peer's words as they came; `Display` escapes them.
///
/// # Examples
/// ```
/// use truename::error::Cause;
///
/// // A server that restarts refuses connections for a moment.
/// assert_eq!(Cause::Refused.code(), "refused");
/// assert!(Cause::Refused.is_transient() && !Cause::Refused.is_certificate());
/// // A certificate does not get other names by itself.
/// assert!(Cause::NameMismatch.is_certificate() && !Cause::NameMismatch.is_transient());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// There is no address to dial.
    Unplannable(String),
    /// The cluster announces this name or address, which is out of scope; it was not dialled. See
    /// [`Config::trust`](crate::Config::trust).
    OutOfScope(String),
    /// The host name does not resolve.
    NameNotFound(String),
    /// Nothing listens on the port.
    Refused,
    /// There is no route to the address.
    Unreachable(String),
    /// This machine has no address or port left to dial from.
    NoLocalAddress(String),
    /// The deadline of the attempt passed in this phase.
    TimedOut,
    /// The peer closed or reset the connection.
    ClosedByPeer,
    /// TLS was tried on a port that speaks plaintext Redis.
    PlaintextPort,
    /// Plaintext was tried on a port that speaks TLS.
    TlsPort,
    /// The peer's TLS failed for another reason, such as no common cipher suite.
    TlsFailed(String),
    /// TLS was tried on a port that speaks neither TLS nor plaintext Redis.
    NotTls,
    /// No trusted root signed the certificate chain, or an intermediate is missing.
    UnknownIssuer,
    /// The certificate is no longer valid.
    CertificateExpired,
    /// The certificate is not valid yet; or this machine's clock is wrong.
    CertificateNotYetValid,
    /// The certificate is valid for none of the names that this node may prove.
    NameMismatch,
    /// The certificate is unusable for another reason.
    CertificateRejected(String),
    /// The server asks for a client certificate.
    ClientCertificateRequired,
    /// The server refused the client certificate.
    ClientCertificateRejected(String),
    /// The server asks for credentials and none were given.
    AuthRequired,
    /// The server refused the credentials.
    WrongCredentials,
    /// The user may not run a command that the client needs.
    NoPermission {
        /// The command, such as `CLUSTER SLOTS`.
        command: &'static str,
        /// What the server said.
        reply: String,
    },
    /// The server does not have the database that was asked for. The reason.
    NoDatabase(String),
    /// The connection is in another database, although the server took `SELECT`, or none was asked for.
    OtherDatabase {
        /// The database that was asked for; 0 where none was.
        wanted: u32,
        /// The one that the connection is in.
        actual: u32,
    },
    /// The server does not speak RESP3, which [`Protocol::Resp3`](crate::Protocol::Resp3) asks for. What it said to `HELLO 3`.
    NoResp3(String),
    /// The peer answered with something that is not RESP.
    NotRedis(String),
    /// The server answered the handshake with an error.
    ServerRefused(String),
    /// The server is loading its data set.
    Loading,
    /// The node is not the one that was announced at this address.
    WrongNode {
        /// The announced node id.
        announced: String,
        /// The node id that answered; `None` when the server does not report one.
        answered: Option<String>,
    },
    /// The topology that the node reported cannot be used.
    BadTopology(String),
    /// Anything else that the operating system reported.
    Io(String),
    /// Too many other connections of this client were being made during the whole attempt.
    TooManyDials,
    /// The credentials would have gone in plaintext to a provider that speaks TLS; nothing was dialled.
    PlaintextCredentials {
        /// The provider.
        provider: &'static str,
    },
    /// The certificate is on a revocation list.
    CertificateRevoked,
    /// Revocation lists were given, and none of them covers the certificate's issuer.
    RevocationUnknown,
    /// The certificate's public key is not one of the pinned keys.
    PinMismatch {
        /// The key that the certificate has.
        presented: Pin,
    },
    /// Client and server have no TLS version in common.
    NoCommonTlsVersion,
    /// The user's code, such as a resolver or an address map, panicked; the text says which and with what message.
    Panicked(String),
}
