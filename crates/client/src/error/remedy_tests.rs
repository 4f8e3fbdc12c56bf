//! What is advised for which failure, and in whose words.

use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use truename_topology::{
    AddressPolicy, AnnouncedNode, Boundary, DialAddress, HostMatch, IdentityName, Pin, Role, RuledBy,
};

use super::*;
use crate::certificate::Certificate;

/// A node that cannot be used: as announced, the seed that led to it, its id, a rule, and where it was dialled.
#[derive(Clone, Copy, Default)]
struct Scene<'a> {
    announced: &'a str,
    seed: &'a str,
    id: Option<&'a str>,
    rule: &'a str,
    dialled: &'a str,
    is_seed: bool,
    certificate: Option<&'a Arc<Certificate>>,
    boundary: Option<Boundary>,
}

impl Scene<'_> {
    fn advice(self, phase: Phase, cause: Cause) -> Option<Remedy> {
        let node = AnnouncedNode::new(self.announced.parse().expect("an address"), Role::Primary);
        let node = self.id.into_iter().fold(node, |node, id| node.with_id(id.into()));
        let seed: Endpoint = self.seed.parse().expect("an address");
        let rules = (!self.rule.is_empty()).then(|| self.rule.parse().expect("a rule"));
        let policy = rules.into_iter().fold(AddressPolicy::new(), AddressPolicy::with_rule);
        let plan = policy.plan_node(&node, &seed, self.boundary.unwrap_or(Boundary::Lifted)).expect("a plan");
        let dialled: Option<DialAddress> =
            (!self.dialled.is_empty()).then(|| self.dialled.parse().expect("an address"));
        let case = Case {
            node: &node,
            seed: &seed,
            is_seed: self.is_seed,
            has_id: self.id.is_some(),
            plan: Some(&plan),
            dialled: dialled.as_ref(),
            peer: None,
            certificate: self.certificate,
            phase,
        };
        NodeFailure::new(&case, cause, Duration::ZERO).remedy
    }
}

/// A node at its address, to which no rule applies.
const NODE: Scene<'_> = Scene {
    announced: "10.0.0.4:8501",
    seed: "cache.example.net:6379",
    id: Some("a"),
    rule: "",
    dialled: "10.0.0.4:8501",
    is_seed: false,
    certificate: None,
    boundary: None,
};

fn parsed(name: &str) -> IdentityName {
    IdentityName::parse(name).expect("a name")
}

fn ruled(hosts: HostMatch, is_at_seed: bool) -> Option<Remedy> {
    let node = NODE.announced.parse().expect("an address");
    Some(Remedy::DownOrHidden { node, hosts, is_at_seed })
}

fn misled(rule: &str, dialled: &str, is_silent: bool) -> Option<Remedy> {
    let dialled = dialled.parse().expect("an address");
    Some(Remedy::RuledAddress { by: Some(RuledBy::Rule(rule.to_owned())), dialled, is_silent })
}

#[test]
fn every_cause_is_advised_by_what_is_known_of_the_attempt() {
    let why = String::new;
    let seed = Scene { announced: NODE.seed, dialled: NODE.seed, is_seed: true, id: None, ..NODE };
    let name = |name: &str| Some(parsed(name));
    let check = |check: Check| Some(Remedy::Check(check));
    let pin = Pin::from_digest([7; 32]);
    for (scene, phase, cause, advised) in [
        (NODE, Phase::Plan, Cause::Unplannable(why()), None),
        (
            NODE,
            Phase::Plan,
            Cause::OutOfScope("10.0.0.4".into()),
            Some(Remedy::Trust { name: name("10.0.0.4") }),
        ),
        (
            Scene { dialled: "other.test:1", ..NODE },
            Phase::Resolve,
            Cause::TimedOut,
            Some(Remedy::ResolveWithoutService { name: name("other.test") }),
        ),
        (NODE, Phase::Tcp, Cause::Refused, ruled(HostMatch::Ip, false)),
        (Scene { id: None, ..NODE }, Phase::Tcp, Cause::Refused, ruled(HostMatch::Ip, true)),
        (seed, Phase::Tcp, Cause::Unreachable(why()), check(Check::SeedAddress)),
        (seed, Phase::Tcp, Cause::TimedOut, check(Check::Firewall)),
        (
            Scene { rule: "ip=seed", ..NODE },
            Phase::Tcp,
            Cause::TimedOut,
            misled("ip=seed", NODE.dialled, true),
        ),
        (Scene { rule: "*=h:1", ..seed }, Phase::Tcp, Cause::Refused, misled("*=h:1", NODE.seed, false)),
        (Scene { rule: "*=announced", ..seed }, Phase::Tcp, Cause::Refused, check(Check::SeedAddress)),
        (NODE, Phase::Tcp, Cause::NoLocalAddress(why()), check(Check::LocalPorts)),
        (NODE, Phase::Tcp, Cause::TooManyDials, check(Check::OtherDials)),
        (NODE, Phase::Tls, Cause::TimedOut, check(Check::TlsServer)),
        (NODE, Phase::Topology, Cause::TimedOut, check(Check::Server)),
        (NODE, Phase::Hello, Cause::ClosedByPeer, check(Check::RoomForClients)),
        (NODE, Phase::Topology, Cause::ClosedByPeer, None),
        (NODE, Phase::Tls, Cause::PlaintextPort, Some(Remedy::TlsPort)),
        (NODE, Phase::Hello, Cause::TlsPort, Some(Remedy::Tls)),
        (NODE, Phase::Tls, Cause::TlsFailed(why()), None),
        (NODE, Phase::Tls, Cause::NotTls, check(Check::Port)),
        (NODE, Phase::Tls, Cause::UnknownIssuer, Some(Remedy::TrustAuthority { authority: None })),
        (NODE, Phase::Tls, Cause::CertificateExpired, check(Check::Renewal)),
        (NODE, Phase::Tls, Cause::CertificateNotYetValid, check(Check::Clock)),
        (NODE, Phase::Tls, Cause::CertificateRejected(why()), None),
        (NODE, Phase::Tls, Cause::CertificateRevoked, check(Check::Revocation)),
        (NODE, Phase::Tls, Cause::RevocationUnknown, Some(Remedy::AddRevocationList { issuer: None })),
        (NODE, Phase::Tls, Cause::PinMismatch { presented: pin }, Some(Remedy::Pin { presented: pin })),
        (NODE, Phase::Tls, Cause::NoCommonTlsVersion, Some(Remedy::OlderTls)),
        (NODE, Phase::Tls, Cause::ClientCertificateRequired, Some(Remedy::ClientCertificate)),
        (NODE, Phase::Tls, Cause::ClientCertificateRejected(why()), check(Check::ClientCertificate)),
        (NODE, Phase::Auth, Cause::AuthRequired, Some(Remedy::Password)),
        (NODE, Phase::Auth, Cause::WrongCredentials, Some(Remedy::Login)),
        (
            NODE,
            Phase::Auth,
            Cause::NoPermission { command: "SELECT", reply: why() },
            Some(Remedy::Allow { command: "SELECT" }),
        ),
        (NODE, Phase::Hello, Cause::NoDatabase(why()), Some(Remedy::Database)),
        (NODE, Phase::Hello, Cause::OtherDatabase { wanted: 0, actual: 3 }, check(Check::ResetConnections)),
        (NODE, Phase::Hello, Cause::NoResp3(why()), Some(Remedy::OlderProtocol)),
        (NODE, Phase::Hello, Cause::NotRedis(why()), check(Check::Port)),
        (NODE, Phase::Hello, Cause::ServerRefused(why()), None),
        (
            NODE,
            Phase::Hello,
            Cause::ServerRefused("ERR max number of clients reached".into()),
            check(Check::Maxclients),
        ),
        (NODE, Phase::Hello, Cause::Loading, None),
        (NODE, Phase::Topology, Cause::BadTopology(why()), None),
        (NODE, Phase::Tls, Cause::Io(why()), None),
        (NODE, Phase::Plan, Cause::PlaintextCredentials { provider: "x" }, Some(Remedy::TlsOrNoPassword)),
        (NODE, Phase::Plan, Cause::Panicked(why()), None),
    ] {
        let shown = format!("{phase} {cause:?}");
        assert_eq!(scene.advice(phase, cause), advised, "{shown}");
    }
}

/// A name that only a rule, the profile or the fallback leads to was said to be announced, and to be pinned under the
/// announced name, which was never looked up.
#[test]
fn a_name_that_does_not_resolve_is_advised_by_who_leads_to_it() {
    let (node, seed, ruled) = ("node-1.example.net:1", "cache.example.net:6379", "other.test:1");
    let announced = || Remedy::ResolveAnnounced { name: Some(parsed("node-1.example.net")) };
    let of_seed = || Remedy::ResolveSeed { name: Some(parsed("cache.example.net")) };
    let by_rule = || Remedy::ResolveRuled { name: Some(parsed("other.test")) };
    for (announces, is_seed, rule, dialled, advised) in [
        (seed, true, "", seed, of_seed()),
        (seed, true, "*=other.test:1", ruled, by_rule()),
        (node, false, "", node, announced()),
        (node, false, "*=announced", node, announced()),
        // The automatic fallback.
        (node, false, "", "cache.example.net:1", of_seed()),
        // Azure's profile.
        ("10.0.0.4:1", false, "ip=seed", "cache.example.net:1", of_seed()),
        ("10.0.0.4:1", false, "ip=other.test", ruled, by_rule()),
        (node, false, "*.example.net=other.test:1", ruled, by_rule()),
    ] {
        let scene = Scene { announced: announces, seed, is_seed, rule, dialled, ..NODE };
        let cause = || Cause::NameNotFound(String::new());
        let told = scene.advice(Phase::Resolve, cause()).expect("a remedy");
        assert_eq!(told, advised, "{announces} {rule} {dialled}");
        let host = dialled.split(':').next().expect("a host");
        assert!(told.to_string().contains(&format!("Config::resolve(\"{host}\"")), "{told}");
    }
}

fn certificate(names: &[&str], address: Option<&str>) -> Arc<Certificate> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a node");
    let dns = names.iter().map(|name| SanType::DnsName(Ia5String::try_from(*name).expect("ASCII")));
    let ips = address.into_iter().map(|ip| SanType::IpAddress(ip.parse().expect("an address")));
    params.subject_alt_names = dns.chain(ips).collect();
    let signed = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    Arc::new(Certificate::read(signed.der(), &[]).expect("it can be read"))
}

#[test]
fn a_name_that_does_not_match_is_advised_by_what_the_certificate_has() {
    let node = Scene { announced: "n.example.org:1", dialled: "n.example.org:1", ..NODE };
    let scoped = Scene { boundary: Some(Boundary::Scope), ..NODE };
    let name = parsed;
    for (scene, found, advised) in [
        (NODE, certificate(&["x.test"], None), Remedy::VerifyAs { name: Some(name("x.test")) }),
        (NODE, certificate(&["*.x.test", "y.test"], None), Remedy::VerifyAs { name: Some(name("y.test")) }),
        (NODE, certificate(&["not a name"], None), Remedy::VerifyAs { name: None }),
        (NODE, certificate(&["*.x.test"], None), Remedy::VerifyAsCovered { pattern: "*.x.test".into() }),
        (NODE, certificate(&[], Some("9.9.9.9")), Remedy::VerifyAsCovered { pattern: "IP 9.9.9.9".into() }),
        (node, certificate(&[], None), Remedy::Issue { name: Some(name("n.example.org")) }),
        (scoped, certificate(&[], Some("10.0.0.4")), Remedy::TrustCovered { name: name("10.0.0.4") }),
    ] {
        let scene = Scene { certificate: Some(&found), ..scene };
        assert_eq!(scene.advice(Phase::Tls, Cause::NameMismatch), Some(advised), "{:?}", found.names());
    }
}

#[test]
fn an_unknown_authority_is_advised_by_the_chain_that_was_sent() {
    let alone = certificate(&["x.test"], None);
    let chain = |length: usize, issuer: &str| {
        let mut found = Certificate::clone(&alone);
        (found.chain_length, found.issuer, found.top_issuer) = (length, issuer.into(), "the top".into());
        Arc::new(found)
    };
    for (found, advised) in [
        (chain(1, &alone.subject), Remedy::TrustCertificate { name: alone.subject.clone() }),
        (chain(1, "the middle"), Remedy::SendIntermediate { issuer: "the middle".into() }),
        (chain(2, "the middle"), Remedy::TrustAuthority { authority: Some("the top".into()) }),
    ] {
        let scene = Scene { certificate: Some(&found), ..NODE };
        assert_eq!(scene.advice(Phase::Tls, Cause::UnknownIssuer), Some(advised), "{found:?}");
    }
    let scene = Scene { certificate: Some(&alone), ..NODE };
    let issuer = Some(alone.issuer.clone());
    assert_eq!(
        scene.advice(Phase::Tls, Cause::RevocationUnknown),
        Some(Remedy::AddRevocationList { issuer })
    );
}

/// Remedies are copied into shells, and names come from peers.
#[test]
fn only_names_are_offered_for_typing() {
    for (announced, offered) in [
        ("node.attacker.test", "node.attacker.test"),
        ("Node.Attacker.Test.", "node.attacker.test"),
        ("10.0.0.4", "10.0.0.4"),
        ("fe80::1%;reboot;", "fe80::1"),
        ("$(reboot)", "NAME"),
        ("a;reboot", "NAME"),
        ("b\u{fc}cher", "NAME"),
    ] {
        let node = AnnouncedNode::new(Endpoint::new(announced, 1), Role::Primary);
        let case = Case::of(&node, Phase::Plan);
        let failure = NodeFailure::new(&case, Cause::OutOfScope(announced.to_owned()), Duration::ZERO);
        let remedy = failure.remedy.expect("a remedy");
        let calls = remedy.to_string();
        assert!(calls.contains(&format!("Config::trust(\"{offered}\".parse()?) ")), "{announced}: {calls}");
        assert!(!calls.contains("reboot"), "{announced}: {calls}");
    }
    let node = AnnouncedNode::new(Endpoint::new("a", 1), Role::Primary);
    let refused = NodeFailure::new(&Case::of(&node, Phase::Plan), Cause::AuthRequired, Duration::ZERO);
    assert_eq!(refused.remedy, Some(Remedy::Password));
}

/// `ping` advised a rule for every node that is down, and the one that had just been tried; `doctor` said it is down.
#[test]
fn a_node_that_cannot_be_reached_may_be_down_and_what_was_tried_is_not_advised() {
    let both = ["is down: check that it is running", "if every node fails like this", "dial_rule"];
    let ip = "10.0.0.4:8501";
    let name = "node-1.example.net:6379";
    let seed = "cache.example.net:6379";
    for (announced, seed, id, rule, said, unsaid) in [
        (ip, seed, Some("a"), "", "(\"ip=HOST\"", "=seed\""),
        (ip, seed, None, "", "(\"ip=seed\"", "HOST"),
        (ip, "10.0.0.3:8500", Some("a"), "", "(\"10.0.0.4=HOST\"", "\"ip="),
        ("10.0.0.3:8501", "10.0.0.3:8500", Some("a"), "", "(\"*=seed:+1000\"", "=seed\""),
        (name, seed, Some("a"), "", "(\"node-1.example.net=HOST\"", "\"*=HOST"),
        ("[2001:db8::4]:1", "10.0.0.3:1", Some("a"), "", "(\"[2001:db8::4]=HOST\"", "=seed\""),
        (
            ip,
            seed,
            Some("a"),
            "ip=seed",
            "your rule `ip=seed` led to 10.0.0.4:8501, where nothing",
            "dial_rule",
        ),
    ] {
        let scene = Scene { announced, seed, id, rule, dialled: announced, ..Scene::default() };
        for cause in [Cause::Refused, Cause::TimedOut, Cause::Unreachable("x".into())] {
            let remedy = scene.advice(Phase::Tcp, cause).expect("a remedy").to_string();
            assert!(remedy.contains(said) && !remedy.contains(unsaid), "{announced} {seed}: {remedy}");
            assert!(both.iter().all(|part| remedy.contains(part) == rule.is_empty()), "{remedy}");
        }
    }
}

/// The rule that was wrong had to be guessed: several may be given, in a URL, in code and by a profile.
#[test]
fn what_led_to_an_address_is_named() {
    let told = |by, is_silent| {
        Remedy::RuledAddress { by, dialled: DialAddress::new("127.0.0.1", 9053), is_silent }.to_string()
    };
    for (by, is_silent, said) in [
        (
            Some(RuledBy::Rule("*=seed:+2000".into())),
            false,
            "your rule `*=seed:+2000` led to 127.0.0.1:9053, where nothing listens: check the rule",
        ),
        (
            Some(RuledBy::Rule("ip=h".into())),
            true,
            "your rule `ip=h` led to 127.0.0.1:9053, where nothing answers",
        ),
        (
            Some(RuledBy::Map),
            false,
            "your address map led to 127.0.0.1:9053, where nothing listens: check the map",
        ),
        (
            Some(RuledBy::Profile),
            false,
            "the provider's profile led to 127.0.0.1:9053, where nothing listens: give",
        ),
    ] {
        let text = told(by, is_silent);
        assert!(text.starts_with(said), "{text}");
    }
    let secret = told(Some(RuledBy::Rule("*=bob:sesame@h.test".into())), false);
    assert!(!secret.contains("sesame"), "{secret}");
}

/// A detour that met another node at the seed's host was reported like a second fault, with advice that led all nodes to
/// one address.
#[test]
fn a_guess_that_failed_is_no_fault_of_its_own_and_no_rule_leads_all_nodes_to_one_address() {
    let guess = "was only a guess";
    let (ip, at_seed) = ("10.0.0.4:8501", "cache.example.net:8501");
    let (tls, plaintext) = (Some(certificate(&["x.test"], None)), None);
    for (announced, dialled, rule, answered, certificate, said, unsaid) in [
        (ip, at_seed, "", true, &tls, guess, "dial_rule"),
        (ip, at_seed, "", false, &tls, "(\"10.0.0.4:8501=seed\"", "HOST"),
        // A rule would not help: in plaintext only the id proves which node it is.
        (ip, at_seed, "", false, &plaintext, "+cluster|myid", "dial_rule"),
        (ip, ip, "", true, &tls, "(\"10.0.0.4:8501=HOST:PORT\"", guess),
        (ip, ip, "", false, &tls, "+cluster|myid", "dial_rule"),
        ("[::4]:1", "[::4]:1", "", true, &tls, "(\"[::4]:1=HOST:PORT\"", guess),
        (ip, at_seed, "ip=seed", true, &tls, "or the provider's profile, or a tunnel", "dial_rule"),
        (ip, at_seed, "ip=seed", false, &tls, "+cluster|myid", "dial_rule"),
    ] {
        let scene = Scene { announced, dialled, rule, certificate: certificate.as_ref(), ..NODE };
        let answered = answered.then(|| "b".to_owned());
        let cause = Cause::WrongNode { announced: "a".to_owned(), answered };
        let remedy = scene.advice(Phase::Identity, cause).expect("a remedy").to_string();
        assert!(remedy.contains(said) && !remedy.contains(unsaid), "{announced} {dialled}: {remedy}");
    }
}

/// One remedy of each kind. One without a place here does not compile.
fn every_remedy() -> Vec<Remedy> {
    std::iter::successors(Some(Remedy::from(Check::Clock)), next).collect()
}

fn next(remedy: &Remedy) -> Option<Remedy> {
    let node = || Endpoint::new("10.0.0.4", 1);
    let name = || Some(parsed("a.test"));
    let text = || "text".to_owned();
    Some(match remedy {
        Remedy::Check(_) => Remedy::Rewrite(text()),
        Remedy::Rewrite(_) => Remedy::ResolveSeed { name: name() },
        Remedy::ResolveSeed { .. } => Remedy::ResolveAnnounced { name: name() },
        Remedy::ResolveAnnounced { .. } => Remedy::ResolveRuled { name: name() },
        Remedy::ResolveRuled { .. } => Remedy::ResolveWithoutService { name: name() },
        Remedy::ResolveWithoutService { .. } => Remedy::Trust { name: name() },
        Remedy::Trust { .. } => Remedy::DownOrHidden { node: node(), hosts: HostMatch::Ip, is_at_seed: true },
        Remedy::DownOrHidden { .. } => Remedy::Down { port: 1 },
        Remedy::Down { .. } => Remedy::WentDown { port: 1 },
        Remedy::WentDown { .. } => Remedy::MapNode { node: node() },
        Remedy::MapNode { .. } => {
            let by = Some(RuledBy::Rule("ip=seed".to_owned()));
            Remedy::RuledAddress { by, dialled: DialAddress::new("a.test", 1), is_silent: false }
        }
        Remedy::RuledAddress { .. } => Remedy::FixRule { node: node(), reports_id: true },
        Remedy::FixRule { .. } => Remedy::FixAnnounced { node: node(), reports_id: false, is_tls: true },
        Remedy::FixAnnounced { .. } => Remedy::MoreTime,
        Remedy::MoreTime => Remedy::WidenIdentity { name: parsed("a.test"), is_seed: false },
        Remedy::WidenIdentity { .. } => Remedy::TrustCovered { name: parsed("a.test") },
        Remedy::TrustCovered { .. } => Remedy::VerifyAs { name: name() },
        Remedy::VerifyAs { .. } => Remedy::VerifyAsCovered { pattern: text() },
        Remedy::VerifyAsCovered { .. } => Remedy::Issue { name: None },
        Remedy::Issue { .. } => Remedy::TrustAuthority { authority: Some(text()) },
        Remedy::TrustAuthority { .. } => Remedy::TrustCertificate { name: text() },
        Remedy::TrustCertificate { .. } => Remedy::SendIntermediate { issuer: text() },
        Remedy::SendIntermediate { .. } => Remedy::AddRevocationList { issuer: None },
        Remedy::AddRevocationList { .. } => Remedy::Pin { presented: Pin::from_digest([7; 32]) },
        Remedy::Pin { .. } => Remedy::OlderTls,
        Remedy::OlderTls => Remedy::ClientCertificate,
        Remedy::ClientCertificate => Remedy::TlsPort,
        Remedy::TlsPort => Remedy::Tls,
        Remedy::Tls => Remedy::TlsOrWithout { what: "pins" },
        Remedy::TlsOrWithout { .. } => Remedy::TlsOrNoPassword,
        Remedy::TlsOrNoPassword => Remedy::AcceptCertain,
        Remedy::AcceptCertain => Remedy::OneIdentity,
        Remedy::OneIdentity => Remedy::Password,
        Remedy::Password => Remedy::Login,
        Remedy::Login => Remedy::Allow { command: "CLUSTER SLOTS" },
        Remedy::Allow { .. } => Remedy::Database,
        Remedy::Database => Remedy::OlderProtocol,
        Remedy::OlderProtocol => Remedy::ChooseNode,
        Remedy::ChooseNode => Remedy::AllOrOne,
        Remedy::AllOrOne => Remedy::AllPrimaries,
        Remedy::AllPrimaries => Remedy::EveryNode,
        Remedy::EveryNode => Remedy::Instead(Instead::Scan),
        Remedy::Instead(_) => Remedy::HashTag,
        Remedy::HashTag => Remedy::NameNode,
        Remedy::NameNode => Remedy::PrimaryToo,
        Remedy::PrimaryToo => Remedy::MoreExclusive,
        Remedy::MoreExclusive => Remedy::MorePatience,
        Remedy::MorePatience => Remedy::LargerReplies,
        Remedy::LargerReplies => return None,
    })
}

/// Advice named the calls of the library and the options of the tool side by side, and everybody had to pick.
#[test]
fn no_sentence_names_a_setting_in_words_that_are_not_the_printers() {
    for remedy in every_remedy() {
        let calls = remedy.to_string();
        assert!(!calls.contains("--"), "{calls}");
        let mine = remedy.spelled(|_, f| f.write_str("SETTING")).to_string();
        assert!(!mine.contains("Config::") && !mine.contains("Tls::") && !mine.contains("--"), "{mine}");
        assert_eq!(calls == mine, !mine.contains("SETTING"), "{calls}");
    }
}
