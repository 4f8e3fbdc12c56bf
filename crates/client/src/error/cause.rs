//! What went wrong with one node, in which phase: the vocabulary of connection failures.

use std::fmt;

use truename_resp::Untrusted;
use truename_topology::Pin;

use super::text::shown;

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
    /// The peer's TLS failed for another reason, such as no common version or cipher suite.
    TlsFailed(String),
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
    /// The user may not run a command that the client needs; the text names it.
    NoPermission(String),
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

impl Cause {
    /// A stable identifier. See the [example](Cause#examples).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unplannable(_) => "unplannable",
            Self::OutOfScope(_) => "out-of-scope",
            Self::NameNotFound(_) => "name-not-found",
            Self::Refused => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::NoLocalAddress(_) => "no-local-address",
            Self::TimedOut => "timed-out",
            Self::ClosedByPeer => "closed-by-peer",
            Self::PlaintextPort => "plaintext-port",
            Self::TlsPort => "tls-port",
            Self::TlsFailed(_) => "tls-failed",
            Self::UnknownIssuer => "unknown-issuer",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::NameMismatch => "name-mismatch",
            Self::CertificateRejected(_) => "certificate-rejected",
            Self::ClientCertificateRequired => "client-certificate-required",
            Self::ClientCertificateRejected(_) => "client-certificate-rejected",
            Self::AuthRequired => "auth-required",
            Self::WrongCredentials => "wrong-credentials",
            Self::NoPermission(_) => "no-permission",
            Self::NotRedis(_) => "not-redis",
            Self::ServerRefused(_) => "server-refused",
            Self::Loading => "loading",
            Self::WrongNode { .. } => "wrong-node",
            Self::BadTopology(_) => "bad-topology",
            Self::Io(_) => "io",
            Self::TooManyDials => "too-many-dials",
            Self::PlaintextCredentials { .. } => "plaintext-credentials",
            Self::CertificateRevoked => "certificate-revoked",
            Self::RevocationUnknown => "revocation-unknown",
            Self::PinMismatch { .. } => "pin-mismatch",
            Self::NoCommonTlsVersion => "no-common-tls-version",
            Self::Panicked(_) => "panicked",
        }
    }

    /// Whether the same attempt may succeed a moment later without anybody changing a configuration. See the
    /// [example](Cause#examples).
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NameNotFound(_)
                | Self::Refused
                | Self::Unreachable(_)
                | Self::NoLocalAddress(_)
                | Self::TimedOut
                | Self::ClosedByPeer
                | Self::ServerRefused(_)
                | Self::Loading
                | Self::WrongNode { .. }
                | Self::BadTopology(_)
                | Self::NotRedis(_)
                | Self::Io(_)
                | Self::Panicked(_)
                | Self::TooManyDials
        )
    }

    /// Whether a node other than the announced one answered, or one that does not prove that it is the announced one.
    pub(crate) fn is_wrong_node(&self) -> bool {
        matches!(self, Self::WrongNode { .. })
    }

    /// Whether the certificate is at fault. See the [example](Cause#examples).
    pub fn is_certificate(&self) -> bool {
        matches!(
            self,
            Self::UnknownIssuer
                | Self::CertificateExpired
                | Self::CertificateNotYetValid
                | Self::NameMismatch
                | Self::CertificateRejected(_)
                | Self::CertificateRevoked
                | Self::RevocationUnknown
                | Self::PinMismatch { .. }
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplannable(why) => write!(f, "no address to dial: {}", shown(why)),
            Self::OutOfScope(name) => write!(
                f,
                "the cluster announces {}, which is out of scope: neither a seed nor under a seed's parent domain, \
                 and not trusted",
                Untrusted(name)
            ),
            Self::NameNotFound(why) => write!(f, "the host name does not resolve ({})", shown(why)),
            Self::Refused => write!(f, "connection refused"),
            Self::Unreachable(why) => write!(f, "no route to the address ({})", shown(why)),
            Self::NoLocalAddress(why) => write!(f, "no local address or port to dial from ({})", shown(why)),
            Self::TimedOut => write!(f, "no answer in time"),
            Self::ClosedByPeer => write!(f, "the peer closed the connection"),
            Self::PlaintextPort => write!(f, "the port speaks plaintext Redis, not TLS"),
            Self::TlsPort => write!(f, "the port speaks TLS, not plaintext"),
            Self::TlsFailed(why) => write!(f, "the TLS handshake failed: {}", shown(why)),
            Self::UnknownIssuer => {
                write!(f, "no trusted root signed the certificate, or an intermediate is missing")
            }
            Self::CertificateExpired => write!(f, "the certificate has expired"),
            Self::CertificateNotYetValid => {
                write!(f, "the certificate is not valid yet, or this machine's clock is wrong")
            }
            Self::NameMismatch => write!(f, "the certificate is valid for none of the acceptable names"),
            Self::CertificateRejected(why) => write!(f, "the certificate was rejected: {}", shown(why)),
            Self::ClientCertificateRequired => write!(f, "the server asks for a client certificate"),
            Self::ClientCertificateRejected(why) => {
                write!(f, "the server refused the client certificate: {}", shown(why))
            }
            Self::AuthRequired => write!(f, "the server asks for a password and none was given"),
            Self::WrongCredentials => write!(f, "the server refused the user name or password"),
            Self::NoPermission(what) => write!(f, "the user may not run {}", shown(what)),
            Self::NotRedis(what) => write!(f, "the peer does not speak RESP: {}", shown(what)),
            Self::ServerRefused(what) => write!(f, "the server refused the handshake: {}", shown(what)),
            Self::Loading => write!(f, "the server is loading its data set"),
            Self::WrongNode { announced, answered: Some(answered) } => {
                write!(
                    f,
                    "node {} answered where node {} was announced",
                    Untrusted(answered),
                    Untrusted(announced)
                )
            }
            Self::WrongNode { announced, answered: None } => {
                write!(f, "the peer did not prove that it is the announced node {}", Untrusted(announced))
            }
            Self::BadTopology(why) => write!(f, "the reported topology cannot be used: {}", shown(why)),
            Self::Io(why) => shown(why).fmt(f),
            Self::TooManyDials => write!(f, "too many other connections are being made at the same time"),
            Self::Panicked(what) => shown(what).fmt(f),
            Self::PlaintextCredentials { provider } => {
                write!(f, "the password is not sent in plaintext to {provider}, which speaks TLS")
            }
            Self::CertificateRevoked => write!(f, "the certificate has been revoked"),
            Self::RevocationUnknown => {
                write!(f, "none of the given revocation lists covers the certificate's issuer")
            }
            Self::PinMismatch { presented } => {
                write!(f, "the certificate's public key, {presented}, is not one of the pinned keys")
            }
            Self::NoCommonTlsVersion => write!(f, "client and server have no TLS version in common"),
        }
    }
}
