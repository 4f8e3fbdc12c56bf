//! No text of a peer does harm where an error or a report is printed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use truename_resp::ErrorReply;
use truename_topology::{
    AddressPolicy, AnnouncedNode, Boundary, DialAddress, Endpoint, HostMatch, IdentityName, IdentityPolicy,
    Role,
};

use super::*;
use crate::certificate::Certificate;
use crate::connect::Greeting;
use crate::lane::CloseCause;

fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hostile() -> impl Strategy<Value = String> {
    let harm = [
        "\u{1b}[2J",
        "\u{9b}H",
        "\r",
        "\n",
        "\u{202e}",
        "\u{2067}",
        "\u{61c}",
        "\u{7f}",
        "\0",
        "all is well",
    ];
    let part = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(harm.to_vec()).prop_map(str::to_owned)
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// A certificate whose issuer, subject and names are this text, as somebody in the middle would present it.
fn certificate(text: &str) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, text);
    params.distinguished_name.push(DnType::OrganizationName, text);
    let ascii: String = text.chars().filter(char::is_ascii).collect();
    params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(ascii).expect("ASCII"))];
    let signed = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    Certificate::read(signed.der(), &[]).expect("it can be read")
}

fn causes(text: &str) -> Vec<Cause> {
    let own = || text.to_owned();
    vec![
        Cause::Unplannable(own()),
        Cause::OutOfScope(own()),
        Cause::NameNotFound(own()),
        Cause::Unreachable(own()),
        Cause::NoLocalAddress(own()),
        Cause::TlsFailed(own()),
        Cause::CertificateRejected(own()),
        Cause::ClientCertificateRejected(own()),
        Cause::NoPermission { command: "SELECT", reply: own() },
        Cause::NoDatabase(own()),
        Cause::NoResp3(own()),
        Cause::NotRedis(own()),
        Cause::ServerRefused(own()),
        Cause::WrongNode { announced: own(), answered: Some(own()) },
        Cause::WrongNode { announced: own(), answered: None },
        Cause::BadTopology(own()),
        Cause::Io(own()),
        Cause::Panicked(own()),
    ]
}

/// Advice that holds what a peer sent.
fn remedies(text: &str) -> Vec<Remedy> {
    let own = || text.to_owned();
    let node = || Endpoint::new(text, 1);
    vec![
        Remedy::Rewrite(own()),
        Remedy::DownOrHidden { node: node(), hosts: HostMatch::Any, is_at_seed: true },
        Remedy::MapNode { node: node() },
        Remedy::FixRule { node: node(), reports_id: false },
        Remedy::FixAnnounced { node: node(), reports_id: false, is_tls: true },
        Remedy::VerifyAsCovered { pattern: own() },
        Remedy::TrustAuthority { authority: Some(own()) },
        Remedy::TrustCertificate { name: own() },
        Remedy::SendIntermediate { issuer: own() },
        Remedy::AddRevocationList { issuer: Some(own()) },
    ]
}

fn failures(text: &str) -> Vec<NodeFailure> {
    let certificate = Arc::new(certificate(text));
    let node = AnnouncedNode::new(Endpoint::new(text, 1), Role::Primary);
    let policy = AddressPolicy::new().with_identity(IdentityPolicy::Only(IdentityName::Dns(text.into())));
    let plan = policy.plan_node(&node, &node.endpoint, Boundary::Lifted).expect("a name");
    let dialled = DialAddress::new(text, 2);
    let case = Case {
        plan: Some(&plan),
        dialled: Some(&dialled),
        certificate: Some(&certificate),
        ..Case::of(&node, Phase::Tls)
    };
    let advised = causes(text).into_iter().map(|cause| NodeFailure::new(&case, cause, Duration::ZERO));
    let of_remedy = |remedy| NodeFailure::new(&case, Cause::Refused, Duration::ZERO).with_remedy(remedy);
    advised.chain(remedies(text).into_iter().map(of_remedy)).collect()
}

/// Every error that this text can be part of.
fn errors(text: &str) -> Vec<Error> {
    let node = Endpoint::new(text, 1);
    let lost = |cause: &CloseCause| InterruptedError::new(node.clone(), None, cause.no_reply(), 1);
    let connect = Error::connect(failures(text), Duration::ZERO);
    let io = CloseCause::Io(io::Error::other(text.to_owned()));
    let mut errors = vec![
        Error::config_with_remedy(text, text),
        Error::Route(Box::new(RouteError::ConnectionState { command: text.to_owned() })),
        Error::Route(Box::new(RouteError::HttpRequest { command: text.to_owned() })),
        Error::Route(Box::new(RouteError::SeveralNodes { command: text.to_owned() })),
        Error::Route(Box::new(RouteError::NotOneReply { command: text.to_owned() })),
        Error::Route(Box::new(RouteError::ConnectionEnded { node: node.clone(), cause: text.to_owned() })),
        Error::Route(Box::new(RouteError::Administrative { command: text.to_owned() })),
        Error::Interrupted(Box::new(lost(&CloseCause::Protocol(text.to_owned())))),
        Error::Interrupted(Box::new(lost(&io).followed_by(connect.in_brief()))),
        Error::Interrupted(Box::new(lost(&CloseCause::Connect(failures(text))))),
        Error::Protocol(Box::new(ProtocolError {
            what: text.to_owned(),
            node: node.clone(),
            remedy: Some(text.into()),
        })),
        Error::Timeout(Box::new(TimeoutError {
            after: Duration::ZERO,
            execution: Execution::NotSent,
            node: Some(node),
            slot: None,
            attempts: 1,
            last_cause: Some(text.to_owned()),
            last_refusal: None,
            remedy: Some(text.into()),
        })),
        Error::from(TypeError::new("a number", "an error").with_detail(text)),
    ];
    // One error does not keep them all.
    let all = failures(text);
    errors.extend(all.chunks(10).map(|some| Error::connect(some.to_vec(), Duration::ZERO)));
    errors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The issuer of an untrusted certificate, node ids, error replies and host names reached the terminal raw: a man
    /// in the middle could clear the screen and write a verdict of his own.
    #[test]
    fn what_a_peer_says_is_harmless(text in hostile()) {
        let reply = ErrorReply::new(text.clone());
        let mut shown: Vec<String> = errors(&text).iter().map(|error| format!("{error}")).collect();
        shown.extend(errors(&text).iter().flat_map(|error| [format!("{error:?}"), format!("{error:#?}")]));
        let summaries = failures(&text).into_iter().map(|failure| failure.summary());
        for line in summaries.chain(remedies(&text).iter().map(Remedy::to_string)) {
            prop_assert!(!line.contains('\n'), "{line:?}");
            shown.push(line);
        }
        shown.push(reply.to_string());
        shown.push(certificate(&text).names_line());
        shown.push(certificate(&text).issuer);
        let greeting = Greeting { server: Some(text.clone()), version: Some(text), ..Greeting::default() };
        shown.push(greeting.product().into_owned());
        for text in shown {
            prop_assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{text:?}");
        }
    }
}

/// A peer's line break must not be taken for one of ours: it would forge a line of the report.
#[test]
fn no_line_of_a_report_is_the_peers() {
    let text = "x\n  remedy     run evil.sh";
    for error in errors(text) {
        let report = error.to_string();
        assert!(!report.lines().any(|line| line == "  remedy     run evil.sh"), "{report}");
    }
}

#[test]
fn a_certificate_of_many_names_is_told_in_short() {
    let mut params = CertificateParams::default();
    let name = |n| SanType::DnsName(Ia5String::try_from(format!("n{n}.test")).expect("ASCII"));
    params.subject_alt_names = (0..500).map(name).collect();
    let signed = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    let line = Certificate::read(signed.der(), &[]).expect("readable").names_line();
    assert!(line.ends_with("n11.test and 488 more"), "{line}");
}
