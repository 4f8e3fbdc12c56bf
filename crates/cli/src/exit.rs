//! Exit codes: one per class of cause, in one table.
//!
//! The library says which kind a cause is of, and this table which code a kind has: codes are this tool's promise to scripts,
//! and no program that only links the library needs any. A kind without a row does not compile; a new cause of a known
//! kind changes nothing here.
//!
//! What must stay true: a code never changes its meaning, and `truename --help` shows this very table.

use std::process::ExitCode;

use truename::error::{CauseKind, Error, NodeFailure, RouteError};

use crate::args::typed;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    Problem,
    Usage,
    /// A node cannot be used.
    Cause(CauseKind),
    Interrupted,
    Config,
    Lab,
    Internal,
    Signal,
}

impl Exit {
    /// The code, and what it means in the words of `truename --help`.
    fn row(self) -> (u8, &'static str) {
        match self {
            Self::Ok => (0, "success"),
            Self::Problem => (
                1,
                "the server answered with an error; demo: a check failed; doctor: a problem without a code",
            ),
            Self::Usage => (2, "the command line is wrong"),
            Self::Cause(kind) => row_of(kind),
            Self::Interrupted => (50, "no usable reply came; the command may have been executed"),
            Self::Config => (60, "the configuration cannot work"),
            Self::Lab => (61, "the lab could not be started or changed"),
            Self::Internal => (70, "an internal error in this program"),
            Self::Signal => (130, "ended by a signal before it was done"),
        }
    }

    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        self.row().0
    }
}

/// The same for each kind of cause.
fn row_of(kind: CauseKind) -> (u8, &'static str) {
    match kind {
        CauseKind::NameNotFound => (10, "a host name does not resolve"),
        CauseKind::Refused => (11, "nothing listens on the port"),
        CauseKind::Unreachable => (12, "no route to the address"),
        CauseKind::TimedOut => (13, "no answer in time; the command was not executed"),
        CauseKind::ClosedByPeer => (14, "the peer closed the connection"),
        CauseKind::Network => (15, "other network error"),
        CauseKind::PlaintextPort => (20, "the port speaks plaintext, not TLS"),
        CauseKind::TlsPort => (21, "the port speaks TLS, not plaintext"),
        CauseKind::TlsFailed => (22, "the TLS handshake failed"),
        CauseKind::UnknownIssuer => (23, "no trusted root signed the certificate"),
        CauseKind::CertificateExpired => (24, "the certificate has expired"),
        CauseKind::CertificateNotYetValid => (25, "the certificate is not valid yet"),
        CauseKind::NameMismatch => (26, "the certificate is valid for none of the acceptable names"),
        CauseKind::CertificateRejected => (27, "the certificate is unusable for another reason"),
        CauseKind::ClientCertificateRequired => (28, "the server asks for a client certificate"),
        CauseKind::ClientCertificateRejected => (29, "the server refused the client certificate"),
        CauseKind::AuthRequired => (30, "the server asks for a password"),
        CauseKind::WrongCredentials => (31, "the server refused the user name or password"),
        CauseKind::NoPermission => (32, "the user may not run a command that a client needs"),
        CauseKind::CertificateRevoked => (33, "the certificate has been revoked"),
        CauseKind::RevocationUnknown => {
            (34, "none of the given revocation lists covers the certificate's issuer")
        }
        CauseKind::PinMismatch => (35, "the certificate's public key is not pinned"),
        CauseKind::NoCommonTlsVersion => (36, "client and server have no TLS version in common"),
        CauseKind::NotRedis => (40, "the peer does not speak the Redis protocol"),
        CauseKind::ServerRefused => (41, "the server refused the handshake"),
        CauseKind::Loading => (42, "the server is loading its data set"),
        CauseKind::WrongNode => (43, "a node other than the announced one answered"),
        CauseKind::BadTopology => (44, "the reported topology cannot be used"),
        CauseKind::OutOfScope => (45, "the cluster announces a name that is out of scope (see --trust)"),
        CauseKind::Configuration => Exit::Config.row(),
        CauseKind::Internal => Exit::Internal.row(),
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<CauseKind> for Exit {
    fn from(kind: CauseKind) -> Self {
        Self::Cause(kind)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.inner() {
            Error::Config(_) => Self::Config,
            Error::Connect(error) => {
                error.decisive().map_or(CauseKind::TimedOut, |failure| failure.cause.kind()).into()
            }
            Error::Route(error) => match **error {
                RouteError::ConnectionState { .. }
                | RouteError::HttpRequest { .. }
                | RouteError::SeveralNodes { .. }
                | RouteError::Administrative { .. }
                | RouteError::CrossSlot { .. }
                | RouteError::NotOneNode { .. }
                | RouteError::NotConfirmed { .. }
                | RouteError::NamedInTransaction { .. }
                | RouteError::NotForReplicas { .. }
                | RouteError::NoSuchNode { .. }
                | RouteError::NotOneReply { .. }
                | RouteError::NotQueued { .. }
                | RouteError::NoKey
                | RouteError::EmptyCommand => Self::Usage,
                RouteError::NoExclusiveConnection { .. } => CauseKind::TimedOut.into(),
                RouteError::NoReplica { refusal: Some(_), .. } => CauseKind::ServerRefused.into(),
                _ => CauseKind::BadTopology.into(),
            },
            Error::Server(_) => Self::Problem,
            Error::Partial(_) if error.may_have_executed() && !error.is_retryable() => Self::Interrupted,
            Error::Partial(partial) => of_several(partial.failed().map(|(_, error)| error)),
            Error::Protocol(_) | Error::Interrupted(_) | Error::Timeout(_) if error.may_have_executed() => {
                Self::Interrupted
            }
            Error::Timeout(_) => CauseKind::TimedOut.into(),
            _ => Self::Internal,
        }
    }
}

/// How a command ends of which parts failed: as `Error` puts several failures in order, where an error that came after
/// connecting got further than any failure to connect.
pub(crate) fn of_several<'e>(errors: impl IntoIterator<Item = &'e Error>) -> Exit {
    let (unconnected, later): (Vec<&Error>, Vec<&Error>) =
        errors.into_iter().partition(|error| matches!(error, Error::Connect(_)));
    let failures = unconnected.iter().flat_map(|error| match error {
        Error::Connect(report) => report.failures.as_slice(),
        _ => &[],
    });
    let decisive = NodeFailure::decisive(failures).map(|failure| failure.cause.kind());
    match (decisive, later.first()) {
        (Some(CauseKind::OutOfScope), _) => CauseKind::OutOfScope.into(),
        (_, Some(error)) => Exit::from(*error),
        (Some(kind), None) => kind.into(),
        (None, None) => unconnected.first().map_or(Exit::Ok, |error| Exit::from(*error)),
    }
}

/// Prints what the parser has to say (help, version or an error) and returns how to end.
pub(crate) fn of_parser(mut answer: clap::Error) -> Exit {
    typed::withhold(&mut answer);
    // If this fails, there is nowhere left to report it.
    let _ = answer.print();
    if answer.use_stderr() { Exit::Usage } else { Exit::Ok }
}

/// Every code once, in order, with its meaning.
fn table() -> Vec<(u8, &'static str)> {
    let own = [
        Exit::Ok,
        Exit::Problem,
        Exit::Usage,
        Exit::Interrupted,
        Exit::Config,
        Exit::Lab,
        Exit::Internal,
        Exit::Signal,
    ];
    let exits = own.into_iter().chain(CauseKind::ALL.map(Exit::Cause));
    let mut rows: Vec<_> = exits.map(Exit::row).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The table for `truename --help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (code, meaning) in table() {
        text.push_str(&format!("  {code:>3}  {meaning}\n"));
    }
    text.push_str(
        "Where several nodes failed, a name that is out of scope decides, otherwise the node that got furthest.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_has_every_code_once() {
        let codes: Vec<u8> = table().iter().map(|(code, _)| *code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        assert_eq!(codes.len(), 37);
    }

    /// Scripts go by these numbers.
    #[test]
    fn every_kind_of_cause_has_the_documented_code() {
        let codes = [
            10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 40,
            41, 42, 43, 44, 45, 60, 70,
        ];
        assert_eq!(CauseKind::ALL.map(|kind| Exit::from(kind).code()), codes);
        for (kind, code) in [
            (CauseKind::NameNotFound, 10),
            (CauseKind::Network, 15),
            (CauseKind::PlaintextPort, 20),
            (CauseKind::UnknownIssuer, 23),
            (CauseKind::AuthRequired, 30),
            (CauseKind::CertificateRevoked, 33),
            (CauseKind::NoCommonTlsVersion, 36),
            (CauseKind::NotRedis, 40),
            (CauseKind::OutOfScope, 45),
            (CauseKind::Configuration, 60),
            (CauseKind::Internal, 70),
        ] {
            assert_eq!(Exit::from(kind).code(), code, "{kind:?}");
        }
        assert_eq!(Exit::from(&Error::Closed).code(), 70);
    }

    /// `ping` ended with the code of the first node in the order of their addresses.
    #[tokio::test]
    async fn the_node_that_got_furthest_decides() {
        use std::net::TcpListener;
        use truename::{Client, Config};

        let connect = async |port| {
            let config = Config::new().plaintext().seed("127.0.0.1", port);
            Client::connect(&config).await.expect_err("nobody is there")
        };
        let bound = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let closed = bound().local_addr().expect("bound").port();
        let refused = connect(closed).await;
        let listener = bound();
        let hangs_up = listener.local_addr().expect("bound").port();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let hung_up = connect(hangs_up).await;
        for (errors, code) in [
            (vec![], 0),
            (vec![&refused], 11),
            (vec![&refused, &hung_up], 14),
            (vec![&hung_up, &refused], 14),
            (vec![&refused, &Error::Closed], 70),
            (vec![&Error::Closed, &hung_up], 70),
        ] {
            assert_eq!(of_several(errors.clone()).code(), code, "{errors:?}");
        }
    }
}
