//! [`CauseKind`]: causes as told apart by a program that has an answer of its own to each, such as an exit code.

/// What kind of cause it is: small, without texts, and the same for causes that call for the same answer.
///
/// A new [`Cause`](super::Cause) is of one of these kinds if it can be, and then concerns no program that goes by kinds.
/// Otherwise there is a new kind, and this enum is exhaustive so that the compiler shows such a program what it lacks: a
/// wildcard would give the new kind the answer of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// A host name does not resolve.
    NameNotFound,
    /// Nothing listens on the port.
    Refused,
    /// There is no route to the address.
    Unreachable,
    /// There was no answer in time.
    TimedOut,
    /// The peer closed the connection.
    ClosedByPeer,
    /// Another network error.
    Network,
    /// TLS was tried on a port that speaks plaintext.
    PlaintextPort,
    /// Plaintext was tried on a port that speaks TLS.
    TlsPort,
    /// The TLS handshake failed for another reason.
    TlsFailed,
    /// No trusted root signed the certificate.
    UnknownIssuer,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate is valid for none of the acceptable names.
    NameMismatch,
    /// The certificate is unusable for another reason.
    CertificateRejected,
    /// The server asks for a client certificate.
    ClientCertificateRequired,
    /// The server refused the client certificate.
    ClientCertificateRejected,
    /// The server asks for credentials.
    AuthRequired,
    /// The server refused the credentials.
    WrongCredentials,
    /// The user may not run a command that the client needs.
    NoPermission,
    /// The certificate has been revoked.
    CertificateRevoked,
    /// No given revocation list covers the certificate's issuer.
    RevocationUnknown,
    /// The certificate's public key is not pinned.
    PinMismatch,
    /// Client and server have no TLS version in common.
    NoCommonTlsVersion,
    /// The peer does not speak RESP.
    NotRedis,
    /// The server refused the handshake.
    ServerRefused,
    /// The server is loading its data set.
    Loading,
    /// A node other than the announced one answered.
    WrongNode,
    /// The reported topology cannot be used.
    BadTopology,
    /// The cluster announces a name that is out of scope.
    OutOfScope,
    /// The configuration cannot work.
    Configuration,
    /// Nobody but this process: a limit of its own, or code in it that panicked. Stays the last one, for [`CauseKind::ALL`].
    Internal,
}

impl CauseKind {
    /// All of them. Its length follows from the last one's number: a kind that is missing here does not compile.
    pub const ALL: [Self; Self::Internal as usize + 1] = [
        Self::NameNotFound,
        Self::Refused,
        Self::Unreachable,
        Self::TimedOut,
        Self::ClosedByPeer,
        Self::Network,
        Self::PlaintextPort,
        Self::TlsPort,
        Self::TlsFailed,
        Self::UnknownIssuer,
        Self::CertificateExpired,
        Self::CertificateNotYetValid,
        Self::NameMismatch,
        Self::CertificateRejected,
        Self::ClientCertificateRequired,
        Self::ClientCertificateRejected,
        Self::AuthRequired,
        Self::WrongCredentials,
        Self::NoPermission,
        Self::CertificateRevoked,
        Self::RevocationUnknown,
        Self::PinMismatch,
        Self::NoCommonTlsVersion,
        Self::NotRedis,
        Self::ServerRefused,
        Self::Loading,
        Self::WrongNode,
        Self::BadTopology,
        Self::OutOfScope,
        Self::Configuration,
        Self::Internal,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_in_order() {
        for (position, kind) in CauseKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position, "{kind:?}");
        }
    }
}
