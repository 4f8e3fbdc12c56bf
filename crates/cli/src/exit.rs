//! Exit codes: one per class of cause, in one table.
//!
//! What must stay true: a code never changes its meaning, and `truename --help` shows this very table.

use std::process::ExitCode;

use truename::error::{Cause, Error, RouteError};

use crate::args::typed;

/// How the process ends. The discriminant is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    Problem = 1,
    Usage = 2,
    NameNotFound = 10,
    Refused = 11,
    Unreachable = 12,
    TimedOut = 13,
    ClosedByPeer = 14,
    Network = 15,
    PlaintextPort = 20,
    TlsPort = 21,
    TlsFailed = 22,
    UnknownIssuer = 23,
    CertificateExpired = 24,
    CertificateNotYetValid = 25,
    NameMismatch = 26,
    CertificateRejected = 27,
    ClientCertificateRequired = 28,
    ClientCertificateRejected = 29,
    AuthRequired = 30,
    WrongCredentials = 31,
    NoPermission = 32,
    CertificateRevoked = 33,
    RevocationUnknown = 34,
    PinMismatch = 35,
    NoCommonTlsVersion = 36,
    NotRedis = 40,
    ServerRefused = 41,
    Loading = 42,
    WrongNode = 43,
    BadTopology = 44,
    OutOfScope = 45,
    Interrupted = 50,
    Config = 60,
    Lab = 61,
    Internal = 70,
    Signal = 130,
}

/// What each code means, in the words of `truename --help`.
const TABLE: &[(Exit, &str)] = &[
    (Exit::Ok, "success"),
    (
        Exit::Problem,
        "the server answered with an error; demo: a check failed; doctor: a problem without a code",
    ),
    (Exit::Usage, "the command line is wrong"),
    (Exit::NameNotFound, "a host name does not resolve"),
    (Exit::Refused, "nothing listens on the port"),
    (Exit::Unreachable, "no route to the address"),
    (Exit::TimedOut, "no answer in time; the command was not executed"),
    (Exit::ClosedByPeer, "the peer closed the connection"),
    (Exit::Network, "other network error"),
    (Exit::PlaintextPort, "the port speaks plaintext, not TLS"),
    (Exit::TlsPort, "the port speaks TLS, not plaintext"),
    (Exit::TlsFailed, "the TLS handshake failed"),
    (Exit::UnknownIssuer, "no trusted root signed the certificate"),
    (Exit::CertificateExpired, "the certificate has expired"),
    (Exit::CertificateNotYetValid, "the certificate is not valid yet"),
    (Exit::NameMismatch, "the certificate is valid for none of the acceptable names"),
    (Exit::CertificateRejected, "the certificate is unusable for another reason"),
    (Exit::ClientCertificateRequired, "the server asks for a client certificate"),
    (Exit::ClientCertificateRejected, "the server refused the client certificate"),
    (Exit::AuthRequired, "the server asks for a password"),
    (Exit::WrongCredentials, "the server refused the user name or password"),
    (Exit::NoPermission, "the user may not run a command that a client needs"),
    (Exit::CertificateRevoked, "the certificate has been revoked"),
    (Exit::RevocationUnknown, "none of the given revocation lists covers the certificate's issuer"),
    (Exit::PinMismatch, "the certificate's public key is not pinned"),
    (Exit::NoCommonTlsVersion, "client and server have no TLS version in common"),
    (Exit::NotRedis, "the peer does not speak the Redis protocol"),
    (Exit::ServerRefused, "the server refused the handshake"),
    (Exit::Loading, "the server is loading its data set"),
    (Exit::WrongNode, "a node other than the announced one answered"),
    (Exit::BadTopology, "the reported topology cannot be used"),
    (Exit::OutOfScope, "the cluster announces a name that is out of scope (see --trust)"),
    (Exit::Interrupted, "no reply came; the command may have been executed"),
    (Exit::Config, "the configuration cannot work"),
    (Exit::Lab, "the lab could not be started or changed"),
    (Exit::Internal, "an internal error in this program"),
    (Exit::Signal, "ended by a signal before it was done"),
];

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&Cause> for Exit {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Unplannable(_) | Cause::PlaintextCredentials { .. } => Self::Config,
            Cause::OutOfScope(_) => Self::OutOfScope,
            Cause::NameNotFound(_) => Self::NameNotFound,
            Cause::Refused => Self::Refused,
            Cause::Unreachable(_) => Self::Unreachable,
            Cause::TimedOut => Self::TimedOut,
            Cause::ClosedByPeer => Self::ClosedByPeer,
            Cause::PlaintextPort => Self::PlaintextPort,
            Cause::TlsPort => Self::TlsPort,
            Cause::TlsFailed(_) => Self::TlsFailed,
            Cause::UnknownIssuer => Self::UnknownIssuer,
            Cause::CertificateExpired => Self::CertificateExpired,
            Cause::CertificateNotYetValid => Self::CertificateNotYetValid,
            Cause::NameMismatch => Self::NameMismatch,
            Cause::CertificateRejected(_) => Self::CertificateRejected,
            Cause::ClientCertificateRequired => Self::ClientCertificateRequired,
            Cause::ClientCertificateRejected(_) => Self::ClientCertificateRejected,
            Cause::AuthRequired => Self::AuthRequired,
            Cause::WrongCredentials => Self::WrongCredentials,
            Cause::NoPermission(_) => Self::NoPermission,
            Cause::NotRedis(_) => Self::NotRedis,
            Cause::ServerRefused(_) => Self::ServerRefused,
            Cause::Loading => Self::Loading,
            Cause::WrongNode { .. } => Self::WrongNode,
            Cause::BadTopology(_) => Self::BadTopology,
            Cause::CertificateRevoked => Self::CertificateRevoked,
            Cause::RevocationUnknown => Self::RevocationUnknown,
            Cause::PinMismatch { .. } => Self::PinMismatch,
            Cause::NoCommonTlsVersion => Self::NoCommonTlsVersion,
            Cause::NoLocalAddress(_) | Cause::Io(_) => Self::Network,
            // The library may learn causes before this table does.
            _ => Self::Internal,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Config(_) => Self::Config,
            Error::Connect(error) => {
                error.decisive().map_or(Self::TimedOut, |failure| (&failure.cause).into())
            }
            Error::Route(error) => match **error {
                RouteError::ConnectionState { .. }
                | RouteError::SeveralNodes { .. }
                | RouteError::Administrative { .. }
                | RouteError::NoSuchNode { .. }
                | RouteError::EmptyCommand => Self::Usage,
                RouteError::NoExclusiveConnection { .. } => Self::TimedOut,
                _ => Self::BadTopology,
            },
            Error::Server(_) => Self::Problem,
            Error::Protocol(_) => Self::NotRedis,
            Error::Interrupted(_) => Self::Interrupted,
            Error::Timeout(error) if error.execution.may_have_happened() => Self::Interrupted,
            Error::Timeout(_) => Self::TimedOut,
            _ => Self::Internal,
        }
    }
}

/// Prints what the parser has to say (help, version or an error) and returns how to end.
pub(crate) fn of_parser(mut answer: clap::Error) -> Exit {
    typed::withhold(&mut answer);
    // If this fails, there is nowhere left to report it.
    let _ = answer.print();
    if answer.use_stderr() { Exit::Usage } else { Exit::Ok }
}

/// The table for `truename --help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, meaning) in TABLE {
        text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
    }
    text.push_str("Where several nodes failed, the one that got furthest decides.");
    text
}

#[cfg(test)]
mod tests {
    use truename::topology::Pin;

    use super::*;

    #[test]
    fn the_table_is_in_order_and_has_every_code_once() {
        let codes: Vec<u8> = TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        assert_eq!(codes.len(), 37);
    }

    #[test]
    fn causes_have_the_documented_codes() {
        let text = String::new;
        for (cause, code) in [
            (Cause::NameNotFound(text()), 10),
            (Cause::Refused, 11),
            (Cause::Unreachable(text()), 12),
            (Cause::TimedOut, 13),
            (Cause::ClosedByPeer, 14),
            (Cause::Io(text()), 15),
            (Cause::PlaintextPort, 20),
            (Cause::TlsPort, 21),
            (Cause::TlsFailed(text()), 22),
            (Cause::UnknownIssuer, 23),
            (Cause::CertificateExpired, 24),
            (Cause::CertificateNotYetValid, 25),
            (Cause::NameMismatch, 26),
            (Cause::CertificateRejected(text()), 27),
            (Cause::ClientCertificateRequired, 28),
            (Cause::ClientCertificateRejected(text()), 29),
            (Cause::AuthRequired, 30),
            (Cause::WrongCredentials, 31),
            (Cause::NoPermission(text()), 32),
            (Cause::CertificateRevoked, 33),
            (Cause::RevocationUnknown, 34),
            (Cause::PinMismatch { presented: Pin::from_digest([0; 32]) }, 35),
            (Cause::NoCommonTlsVersion, 36),
            (Cause::NotRedis(text()), 40),
            (Cause::ServerRefused(text()), 41),
            (Cause::Loading, 42),
            (Cause::WrongNode { announced: text(), answered: None }, 43),
            (Cause::BadTopology(text()), 44),
            (Cause::OutOfScope(text()), 45),
            (Cause::Unplannable(text()), 60),
            (Cause::PlaintextCredentials { provider: "a cloud" }, 60),
        ] {
            assert_eq!(Exit::from(&cause).code(), code, "{cause:?}");
        }
        assert_eq!(Exit::from(&Error::Closed).code(), 70);
    }
}
