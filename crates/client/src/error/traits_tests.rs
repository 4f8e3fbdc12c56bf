//! The table of causes, row by row, as programs know it: codes, kinds and answers are an interface.

use truename_topology::{AnnouncedNode, DialAddress, Pin, Role};

use super::traits::is_complete;
use super::*;

/// One cause of each row, in the order of the table. A cause without a place here does not compile.
pub(super) fn every_cause() -> Vec<Cause> {
    std::iter::successors(Some(Cause::Unplannable("why".to_owned())), next).collect()
}

fn next(cause: &Cause) -> Option<Cause> {
    let why = || "why".to_owned();
    Some(match cause {
        Cause::Unplannable(_) => Cause::OutOfScope("a.test".to_owned()),
        Cause::OutOfScope(_) => Cause::NameNotFound(why()),
        Cause::NameNotFound(_) => Cause::Refused,
        Cause::Refused => Cause::Unreachable(why()),
        Cause::Unreachable(_) => Cause::NoLocalAddress(why()),
        Cause::NoLocalAddress(_) => Cause::TimedOut,
        Cause::TimedOut => Cause::ClosedByPeer,
        Cause::ClosedByPeer => Cause::PlaintextPort,
        Cause::PlaintextPort => Cause::TlsPort,
        Cause::TlsPort => Cause::TlsFailed(why()),
        Cause::TlsFailed(_) => Cause::NotTls,
        Cause::NotTls => Cause::UnknownIssuer,
        Cause::UnknownIssuer => Cause::CertificateExpired,
        Cause::CertificateExpired => Cause::CertificateNotYetValid,
        Cause::CertificateNotYetValid => Cause::NameMismatch,
        Cause::NameMismatch => Cause::CertificateRejected(why()),
        Cause::CertificateRejected(_) => Cause::ClientCertificateRequired,
        Cause::ClientCertificateRequired => Cause::ClientCertificateRejected(why()),
        Cause::ClientCertificateRejected(_) => Cause::AuthRequired,
        Cause::AuthRequired => Cause::WrongCredentials,
        Cause::WrongCredentials => Cause::NoPermission { command: "SELECT", reply: why() },
        Cause::NoPermission { .. } => Cause::NoDatabase(why()),
        Cause::NoDatabase(_) => Cause::OtherDatabase { wanted: 0, actual: 3 },
        Cause::OtherDatabase { .. } => Cause::NoResp3(why()),
        Cause::NoResp3(_) => Cause::NotRedis(why()),
        Cause::NotRedis(_) => Cause::ServerRefused(why()),
        Cause::ServerRefused(_) => Cause::Loading,
        Cause::Loading => Cause::WrongNode { announced: "a".to_owned(), answered: Some("b".to_owned()) },
        Cause::WrongNode { answered: Some(_), .. } => {
            Cause::WrongNode { announced: "a".to_owned(), answered: None }
        }
        Cause::WrongNode { answered: None, .. } => Cause::BadTopology(why()),
        Cause::BadTopology(_) => Cause::Io(why()),
        Cause::Io(_) => Cause::TooManyDials,
        Cause::TooManyDials => Cause::PlaintextCredentials { provider: "a cloud" },
        Cause::PlaintextCredentials { .. } => Cause::CertificateRevoked,
        Cause::CertificateRevoked => Cause::RevocationUnknown,
        Cause::RevocationUnknown => Cause::PinMismatch { presented: Pin::from_digest([0; 32]) },
        Cause::PinMismatch { .. } => Cause::NoCommonTlsVersion,
        Cause::NoCommonTlsVersion => Cause::Panicked(why()),
        Cause::Panicked(_) => return None,
    })
}

/// The answers of a cause that programs and other modules go by: `t`ransient, `c`ertificate, `u`nreachable at the TCP
/// phase, a `r`eply of the node, the `w`rong node, `d`ecisive.
fn answers(cause: &Cause) -> String {
    let answers = [
        (cause.is_transient(), 't'),
        (cause.is_certificate(), 'c'),
        (cause.is_unreachable(Phase::Tcp), 'u'),
        (cause.is_reply(), 'r'),
        (cause.is_wrong_node(), 'w'),
        (cause.decides(), 'd'),
    ];
    answers.into_iter().filter_map(|(holds, letter)| holds.then_some(letter)).collect()
}

#[test]
fn every_cause_has_the_code_the_kind_and_the_answers_that_programs_know() {
    use CauseKind as Kind;
    let rows = [
        ("unplannable", Kind::Configuration, ""),
        ("out-of-scope", Kind::OutOfScope, "d"),
        ("name-not-found", Kind::NameNotFound, "t"),
        ("refused", Kind::Refused, "tu"),
        ("unreachable", Kind::Unreachable, "tu"),
        ("no-local-address", Kind::Network, "t"),
        ("timed-out", Kind::TimedOut, "tu"),
        ("closed-by-peer", Kind::ClosedByPeer, "t"),
        ("plaintext-port", Kind::PlaintextPort, ""),
        ("tls-port", Kind::TlsPort, ""),
        ("tls-failed", Kind::TlsFailed, ""),
        ("tls-failed", Kind::TlsFailed, ""),
        ("unknown-issuer", Kind::UnknownIssuer, "c"),
        ("certificate-expired", Kind::CertificateExpired, "c"),
        ("certificate-not-yet-valid", Kind::CertificateNotYetValid, "c"),
        ("name-mismatch", Kind::NameMismatch, "c"),
        ("certificate-rejected", Kind::CertificateRejected, "c"),
        ("client-certificate-required", Kind::ClientCertificateRequired, ""),
        ("client-certificate-rejected", Kind::ClientCertificateRejected, ""),
        ("auth-required", Kind::AuthRequired, "r"),
        ("wrong-credentials", Kind::WrongCredentials, "r"),
        ("no-permission", Kind::NoPermission, "r"),
        ("no-database", Kind::Configuration, "r"),
        ("other-database", Kind::Configuration, "r"),
        ("no-resp3", Kind::Configuration, "r"),
        ("not-redis", Kind::NotRedis, "t"),
        ("server-refused", Kind::ServerRefused, "tr"),
        ("loading", Kind::Loading, "tr"),
        ("wrong-node", Kind::WrongNode, "tw"),
        ("wrong-node", Kind::WrongNode, "tw"),
        ("bad-topology", Kind::BadTopology, "tr"),
        ("io", Kind::Network, "t"),
        ("too-many-dials", Kind::Internal, "t"),
        ("plaintext-credentials", Kind::Configuration, ""),
        ("certificate-revoked", Kind::CertificateRevoked, "c"),
        ("revocation-unknown", Kind::RevocationUnknown, "c"),
        ("pin-mismatch", Kind::PinMismatch, "c"),
        ("no-common-tls-version", Kind::NoCommonTlsVersion, ""),
        ("panicked", Kind::Internal, "t"),
    ];
    let causes = every_cause();
    assert_eq!(causes.len(), rows.len());
    for (cause, (code, kind, holds)) in causes.iter().zip(rows) {
        assert_eq!((cause.code(), cause.kind(), answers(cause).as_str()), (code, kind, holds), "{cause:?}");
        assert!(!cause.is_unreachable(Phase::Hello), "{cause:?}");
    }
    for kind in Kind::ALL {
        assert!(rows.iter().any(|(_, used, _)| *used == kind), "no cause is of the kind {kind:?}");
    }
}

#[test]
fn every_text_is_complete_and_shows_the_words_of_others_harmlessly() {
    for cause in every_cause() {
        assert!(is_complete(&cause), "{cause:?}");
        let text = cause.to_string();
        assert!(!text.is_empty() && !text.contains("{}"), "{cause:?}: {text}");
    }
    let id = |id: &str| id.to_owned();
    for (cause, text) in [
        (
            Cause::WrongNode { announced: id("a"), answered: Some(id("b")) },
            "node b answered where node a was announced",
        ),
        (Cause::Io(id("{} and {}")), "{} and {}"),
        (Cause::NameNotFound(id("\u{1b}[2J")), "the host name does not resolve (\\u{1b}[2J)"),
        (
            Cause::PlaintextCredentials { provider: "X" },
            "the password is not sent in plaintext to X, which speaks TLS",
        ),
    ] {
        assert_eq!(cause.to_string(), text);
    }
}

/// Of many failures those were kept that got furthest, which drops first what is to be fixed first.
#[test]
fn an_error_of_many_failures_keeps_the_decisive_one() {
    let node = AnnouncedNode::new(Endpoint::new("node", 1), Role::Primary);
    let failed = |phase, cause| NodeFailure::new(&Case::of(&node, phase), cause, Duration::ZERO);
    let out_of_scope = || failed(Phase::Plan, Cause::OutOfScope("node".to_owned()));
    let at_seed = DialAddress::new("seed", 1);
    let astray = || {
        let case = Case { dialled: Some(&at_seed), ..Case::of(&node, Phase::Identity) };
        let cause = Cause::WrongNode { announced: "a".to_owned(), answered: Some("b".to_owned()) };
        NodeFailure::new(&case, cause, Duration::ZERO)
    };
    let refused = || failed(Phase::Tcp, Cause::Refused);
    type Failed<'a> = &'a dyn Fn() -> NodeFailure;
    let rows: [(Failed<'_>, Failed<'_>, &str); 3] = [
        (&out_of_scope, &astray, "out-of-scope"),
        (&out_of_scope, &refused, "out-of-scope"),
        (&refused, &astray, "refused"),
    ];
    for (one, other, code) in rows {
        for (first, second) in [(one, other), (other, one)] {
            let failures: Vec<_> = (0..42).map(|n| if n < 21 { first() } else { second() }).collect();
            let error = ConnectError::new(failures, Duration::ZERO);
            assert_eq!((error.failures.len(), error.omitted), (20, 22));
            assert_eq!(error.decisive().map(|failure| failure.cause.code()), Some(code), "{error}");
        }
    }
}

/// A command that found its node down was told of the attempt that ended last, which may be a guess that led astray.
#[test]
fn a_lane_that_is_down_names_the_decisive_failure() {
    let node = AnnouncedNode::new(Endpoint::new("node", 1), Role::Primary);
    let failed = |phase, cause| NodeFailure::new(&Case::of(&node, phase), cause, Duration::ZERO);
    let tls = || failed(Phase::Tls, Cause::NameMismatch);
    let tcp = || failed(Phase::Tcp, Cause::Refused);
    for failures in [vec![tls(), tcp()], vec![tcp(), tls()]] {
        let text = crate::lane::CloseCause::Connect(failures).to_string();
        assert_eq!(text, tls().summary());
    }
}
