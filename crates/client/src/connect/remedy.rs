//! What would fix a failed attempt, in one sentence that names the option.

use truename_topology::{DialPlan, IdentityName, NodePlan};

use super::Target;
use super::facts::ConnectionFacts;
use super::probing::NOT_TLS;
use super::way::dial_candidates;
use crate::certificate::Certificate;
use crate::config::plaintext::REMEDY;
use crate::error::{Cause, Phase};

/// The advice for a node that was not dialled.
pub(super) fn before_dialling(cause: &Cause) -> Option<String> {
    let Cause::OutOfScope(announced) = cause else { return None };
    let name = typeable(announced);
    Some(format!(
        "if {name} belongs to your cluster, allow it with --trust {name} (Config::trust), or all names of a domain that \
         is yours alone with --trust '*.DOMAIN'; or dial another host in its place with --map '{name}=HOST' \
         (Config::dial_rule)"
    ))
}

/// What peers chose and people are to type: only names and addresses, in our own spelling, since anything else may mean
/// something to a shell.
fn typeable(text: &str) -> String {
    IdentityName::parse(text).map_or_else(|_| "NAME".to_owned(), |name| name.to_string())
}

/// A host as a dial rule matches it.
fn matched(host: &str) -> String {
    let name = typeable(host);
    if name.contains(':') { format!("[{name}]") } else { name }
}

/// The advice for a failure; `None` where nothing better than the cause can be said.
pub(super) fn advise(
    target: &Target,
    plan: &NodePlan,
    facts: &ConnectionFacts,
    phase: Phase,
    cause: &Cause,
) -> Option<String> {
    let node = &target.node.endpoint;
    Some(match cause {
        Cause::NameNotFound(_) if target.is_seed => {
            "check the spelling and the DNS server, or pin the name with --resolve HOST:ADDR (Config::resolve)"
                .to_owned()
        }
        Cause::NameNotFound(_) => format!(
            "the cluster announces a name that this machine cannot look up: pin it with --resolve \
             {0}:ADDR (Config::resolve), or dial another host with --map '{0}=HOST' (Config::dial_rule)",
            typeable(node.host())
        ),
        Cause::TimedOut if phase == Phase::Resolve => format!(
            "the name service does not answer: check it, or pin the name with --resolve {}:ADDR \
             (Config::resolve)",
            typeable(facts.dialled.as_ref().map_or_else(|| node.host(), |dialled| dialled.host()))
        ),
        Cause::NoLocalAddress(_) => {
            "this machine has no port left to dial from: close connections that are not needed, or widen \
             net.ipv4.ip_local_port_range"
                .to_owned()
        }
        Cause::Refused | Cause::Unreachable(_) | Cause::TimedOut
            if phase == Phase::Tcp && is_ruled_elsewhere(target, plan) =>
        {
            "the address that was dialled comes from a rule, an address map or the provider's profile: check that, the \
             tunnel or port mapping behind it, and that the node is running"
                .to_owned()
        }
        Cause::Refused | Cause::Unreachable(_) if target.is_seed => {
            "check host and port, the firewall, and that the server is running".to_owned()
        }
        Cause::TimedOut if target.is_seed && phase == Phase::Tcp => {
            "check host and port: a firewall that drops packets looks like this".to_owned()
        }
        Cause::Refused | Cause::Unreachable(_) | Cause::TimedOut if phase == Phase::Tcp => {
            return unreachable(target, plan);
        }
        Cause::TimedOut if phase == Phase::Tls => {
            "the port accepts connections and does not answer TLS: check that it is the TLS port of a server \
             that is not frozen"
                .to_owned()
        }
        Cause::TimedOut => "the server accepts connections and does not answer: check that it is not frozen \
                            or overloaded"
            .to_owned(),
        Cause::PlaintextPort => {
            "use the server's TLS port, or plaintext with redis:// (--plain, Config::plaintext) if that is what you \
             want".to_owned()
        }
        Cause::TlsPort => "use rediss:// (instead of redis:// or --plain; for a program, leave out Config::plaintext)".to_owned(),
        Cause::UnknownIssuer => unknown_issuer(facts.certificate.as_deref()),
        Cause::CertificateExpired => "renew the server's certificate".to_owned(),
        Cause::CertificateNotYetValid => "check this machine's clock".to_owned(),
        Cause::NameMismatch => name_mismatch(target, plan, facts),
        Cause::CertificateRevoked => {
            "its authority revoked the certificate: install a new one on the server, and find out why".to_owned()
        }
        Cause::RevocationUnknown => format!(
            "add the list of the authority that issued the certificate with --crl FILE (Tls::crl_file){}",
            facts.certificate.as_ref().map_or_else(String::new, |c| format!("; its name is {}", c.issuer))
        ),
        Cause::PinMismatch { presented } => format!(
            "ask whoever runs the server, not over this connection, which key it has: pin {presented} beside \
             the old one (--pin, Tls::pin) only if they name this very key; otherwise somebody may be impersonating the server"
        ),
        Cause::NoCommonTlsVersion => {
            "enable TLS 1.2 or 1.3 on the server, or, if TLS 1.2 is all it has, allow that here: --tls-min 1.2 \
             (Tls::min_version)"
                .to_owned()
        }
        Cause::ClientCertificateRequired => {
            "supply one with --cert FILE --key FILE (Tls::client_certificate_files)".to_owned()
        }
        Cause::ClientCertificateRejected(_) => {
            "check that the client certificate is signed by an authority that the server trusts, is valid \
             now, and allows client authentication"
                .to_owned()
        }
        Cause::AuthRequired => {
            "supply the password with --password-env NAME or --password-file FILE (Config::credentials)".to_owned()
        }
        Cause::WrongCredentials => "check the user name (--user) and the password".to_owned(),
        Cause::NoPermission(_) => {
            "allow the user the commands that a cluster client needs: ACL SETUSER NAME +hello +client|setinfo \
             +client|setname +client|info +cluster|slots +cluster|shards +cluster|myid +ping"
                .to_owned()
        }
        Cause::WrongNode { answered, .. } => return wrong_node(target, plan, facts, answered.is_some()),
        Cause::ServerRefused(what) if what.contains("max number of clients") => {
            "raise maxclients on the server, or close connections that are not needed".to_owned()
        }
        Cause::PlaintextCredentials { .. } => REMEDY.to_owned(),
        Cause::TooManyDials => "try again later: attempts to connect to silent nodes are using up the limit".to_owned(),
        Cause::TlsFailed(what) if what == NOT_TLS => {
            "check the port: something other than Redis or Valkey listens there".to_owned()
        }
        Cause::NotRedis(_) => "check the port: something other than Redis or Valkey listens there".to_owned(),
        Cause::ClosedByPeer if phase == Phase::Tls || phase == Phase::Hello => {
            "check that a Redis or Valkey server listens there, that it has room for another client (without any, it \
             closes TLS connections unread: maxclients), and that no proxy on the way closes the connection"
                .to_owned()
        }
        _ => return None,
    })
}

/// Whether a rule leads to an address other than the announced one, or, for a seed, the configured one. A rule may also
/// name the announced address, which is then the only way to the node.
fn is_ruled_elsewhere(target: &Target, plan: &NodePlan) -> bool {
    match &plan.dial {
        DialPlan::Ruled(address) => !target.is_seed || target.is_elsewhere(address),
        DialPlan::Auto { .. } | DialPlan::Detour(_) => false,
    }
}

/// No TCP connection to a node to which no rule applies. One failure does not show whether the other nodes fail as
/// well.
fn unreachable(target: &Target, plan: &NodePlan) -> Option<String> {
    let node = &target.node.endpoint;
    if matches!(plan.dial, DialPlan::Detour(_)) {
        return before_dialling(&Cause::OutOfScope(node.host().to_owned()));
    }
    let is_tried_at_seed = dial_candidates(&plan.dial, target.expected.is_some(), None).len() > 1;
    let is_ip = node.ip().is_some();
    let rule = match plan.dial.fallback() {
        Some(_) if !is_tried_at_seed => format!(
            "--map '{}=seed' for the seed's host with the announced port",
            if is_ip { "ip" } else { "*" }
        ),
        // Nothing about the seed's own address has to change.
        _ if is_ip && target.seed.ip().is_none() => {
            "--map 'ip=HOST' for another host with the announced ports".to_owned()
        }
        _ => format!("--map '{}=HOST' for another host with the announced port", matched(node.host())),
    };
    Some(format!(
        "if only {node} fails, it is down: check that it is running, and the firewall; if every node fails like this, the \
         announced addresses cannot be reached from here: one rule says where to dial, such as {rule}, or --map \
         '*=seed:+1000' when the ports are shifted (Config::dial_rule)"
    ))
}

/// Another node answered, or, if it does not report its id, one that may be another.
fn wrong_node(target: &Target, plan: &NodePlan, facts: &ConnectionFacts, tells_id: bool) -> Option<String> {
    const ASK: &str = "allow the user to ask for the node's id (ACL SETUSER NAME +cluster|myid)";
    const GUESS: &str = "the seed's host with the announced port was only a guess, because the announced address failed: that \
                         failure is the one to fix";
    let node = &target.node.endpoint;
    let this_address = || format!("{}:{}", matched(node.host()), node.port());
    let is_guess = facts.dialled.is_some() && plan.dial.fallback() == facts.dialled.as_ref();
    Some(match &plan.dial {
        // The detour was taken because the announced name is out of scope, so that is what to fix.
        DialPlan::Detour(_) => return before_dialling(&Cause::OutOfScope(node.host().to_owned())),
        DialPlan::Ruled(_) if tells_id => {
            format!(
                "a rule, tunnel or port mapping leads {node} to another node: check the one for this address"
            )
        }
        DialPlan::Ruled(_) => {
            format!("{ASK}, and check the rule, tunnel or port mapping that leads {node} there")
        }
        DialPlan::Auto { .. } if is_guess && tells_id => GUESS.to_owned(),
        DialPlan::Auto { .. } if is_guess => format!(
            "{GUESS}; if {node} is really reached there, {ASK}, or say so with --map '{}=seed' (Config::dial_rule)",
            this_address()
        ),
        DialPlan::Auto { .. } if tells_id => format!(
            "if {node} can be reached elsewhere, say where with a rule for this address alone: --map '{}=HOST:PORT' \
             (Config::dial_rule)",
            this_address()
        ),
        DialPlan::Auto { .. } => ASK.to_owned(),
    })
}

/// The authority to trust is the one that signed the last certificate sent, unless the server forgot to send some.
fn unknown_issuer(certificate: Option<&Certificate>) -> String {
    const TRUST: &str = "trust the authority that signed it with --cacert FILE (Tls::ca_file), but only if it is the one that \
                         you expect";
    let Some(certificate) = certificate else { return TRUST.to_owned() };
    if certificate.chain_length > 1 {
        return format!("{TRUST}; its name is {}", certificate.top_issuer);
    }
    if certificate.issuer == certificate.subject {
        return format!(
            "the certificate is self-signed: if it is the right one, trust that very certificate with --cacert FILE \
             (Tls::ca_file); its name is {}",
            certificate.issuer
        );
    }
    format!(
        "the server sent only its own certificate, signed by {}: if that is an intermediate authority, have the server \
         send that certificate too (append it to the file of tls-cert-file); if it is the root, trust it with --cacert \
         FILE (Tls::ca_file)",
        certificate.issuer
    )
}

fn name_mismatch(target: &Target, plan: &NodePlan, facts: &ConnectionFacts) -> String {
    let presented = facts.certificate.as_ref().map(|certificate| certificate.names()).unwrap_or_default();
    let covers = |name: &&IdentityName| match name {
        IdentityName::Dns(name) => facts.certificate.as_ref().is_some_and(|found| found.covers(name)),
        IdentityName::Ip(ip) => presented.iter().any(|name| *name == format!("IP {ip}")),
    };
    if let Some((whose, name)) = excluded(target, plan).iter().find(|(_, name)| covers(&name)) {
        return format!(
            "the certificate covers {name}, {whose}, and the identity policy does not accept that name here: if it \
             belongs to your cluster, leave out --identity or --verify-only, whichever was given (IdentityPolicy::AnyOf)"
        );
    }
    if let Some(name) = plan.out_of_scope.iter().find(covers) {
        return format!(
            "the certificate covers {name}, which the cluster announces and which is out of scope: if it belongs to \
             your cluster, allow it with --trust {name} (Config::trust)"
        );
    }
    let exact = presented.iter().find(|name| !name.starts_with("*.") && !name.starts_with("IP "));
    match (exact, presented.first()) {
        (Some(name), _) => format!(
            "if {0} is your cluster, connect by that name, or add it as acceptable with --verify-as {0} \
             (Config::verify_as)",
            typeable(name)
        ),
        (None, Some(pattern)) => format!(
            "if {pattern} covers your cluster, connect by a name that it covers, or add that name as \
             acceptable with --verify-as NAME (Config::verify_as)"
        ),
        (None, None) => format!(
            "the certificate needs a subjectAltName: a common name alone does not count; issue one for {}",
            plan.identities
                .first()
                .map_or_else(|| "the host".to_owned(), |identity| identity.name.to_string())
        ),
    }
}

/// The names that the default policy would accept in addition to the plan's. Where that is the policy there are none.
fn excluded(target: &Target, plan: &NodePlan) -> Vec<(&'static str, IdentityName)> {
    let node = &target.node;
    let hosts = [
        ("which is the seed", Some(target.seed.host())),
        ("which the cluster announces", Some(node.endpoint.host())),
        ("which the cluster announces", node.hostname.as_deref()),
    ];
    let names = hosts.into_iter().filter_map(|(whose, host)| Some((whose, IdentityName::parse(host?).ok()?)));
    names
        .filter(|(_, name)| !plan.out_of_scope.contains(name))
        .filter(|(_, name)| plan.identities.iter().all(|identity| identity.name != *name))
        .collect()
}

#[cfg(test)]
mod tests {
    use truename_topology::{AddressPolicy, AnnouncedNode, Boundary, Role};

    use super::*;

    /// Remedies are copied into shells, and names come from peers.
    #[test]
    fn only_names_are_offered_for_typing() {
        for (announced, offered) in [
            ("node.attacker.test", "--trust node.attacker.test "),
            ("Node.Attacker.Test.", "--trust node.attacker.test "),
            ("10.0.0.4", "--trust 10.0.0.4 "),
            ("fe80::1%;reboot;", "--trust fe80::1 "),
            ("$(reboot)", "--trust NAME "),
            ("a;reboot", "--trust NAME "),
            ("b\u{fc}cher", "--trust NAME "),
        ] {
            let remedy = before_dialling(&Cause::OutOfScope(announced.to_owned())).expect("a remedy");
            assert!(remedy.contains(offered) && !remedy.contains("reboot"), "{announced}: {remedy}");
        }
        assert_eq!(before_dialling(&Cause::Refused), None);
    }

    fn target(announced: &str, seed: &str, id: Option<&str>) -> Target {
        let node = AnnouncedNode::new(announced.parse().expect("an address"), Role::Primary);
        let node = id.into_iter().fold(node, |node, id| node.with_id(id.into()));
        Target::announced(&node, &seed.parse().expect("an address"))
    }

    /// What is advised for `cause` at `dialled`, under this rule, if any.
    fn advice(target: &Target, rule: &str, dialled: &str, (phase, cause): (Phase, Cause)) -> String {
        let rules = (!rule.is_empty()).then(|| rule.parse().expect("a rule"));
        let policy = rules.into_iter().fold(AddressPolicy::new(), AddressPolicy::with_rule);
        let plan = policy.plan_node(&target.node, &target.seed, Boundary::Lifted).expect("a plan");
        let dialled = Some(dialled.parse().expect("an address"));
        let facts = ConnectionFacts { dialled, ..ConnectionFacts::default() };
        advise(target, &plan, &facts, phase, &cause).expect("a remedy")
    }

    /// `ping` advised a rule for every node that is down, and the one that had just been tried; `doctor` said it is down.
    #[test]
    fn a_node_that_cannot_be_reached_may_be_down_and_what_was_tried_is_not_advised() {
        let both = ["is down: check that it is running", "if every node fails like this", "--map"];
        let ip = "10.0.0.4:8501";
        let name = "node-1.example.net:6379";
        let seed = "cache.example.net:6379";
        for (announced, seed, id, rule, said, unsaid) in [
            (ip, seed, Some("a"), "", "--map 'ip=HOST'", "=seed'"),
            (ip, seed, None, "", "--map 'ip=seed'", "HOST"),
            (ip, "10.0.0.3:8500", Some("a"), "", "--map '10.0.0.4=HOST'", "'ip="),
            ("10.0.0.3:8501", "10.0.0.3:8500", Some("a"), "", "--map '*=seed:+1000'", "=seed'"),
            (name, seed, Some("a"), "", "--map 'node-1.example.net=HOST'", "'*=HOST"),
            ("[2001:db8::4]:1", "10.0.0.3:1", Some("a"), "", "--map '[2001:db8::4]=HOST'", "=seed'"),
            (ip, seed, Some("a"), "ip=seed", "comes from a rule", "--map"),
        ] {
            let target = target(announced, seed, id);
            for cause in [Cause::Refused, Cause::TimedOut, Cause::Unreachable("x".into())] {
                let remedy = advice(&target, rule, announced, (Phase::Tcp, cause));
                assert!(remedy.contains(said) && !remedy.contains(unsaid), "{announced} {seed}: {remedy}");
                assert!(both.iter().all(|part| remedy.contains(part) == rule.is_empty()), "{remedy}");
            }
        }
    }

    /// A detour that met another node at the seed's host was reported like a second fault, with advice that led all
    /// nodes to one address.
    #[test]
    fn a_guess_that_failed_is_no_fault_of_its_own_and_no_rule_leads_all_nodes_to_one_address() {
        let guess = "was only a guess";
        let (ip, at_seed) = ("10.0.0.4:8501", "cache.example.net:8501");
        for (announced, dialled, rule, answered, said, unsaid) in [
            (ip, at_seed, "", true, guess, "--map"),
            (ip, at_seed, "", false, "--map '10.0.0.4:8501=seed'", "HOST"),
            (ip, ip, "", true, "--map '10.0.0.4:8501=HOST:PORT'", guess),
            (ip, ip, "", false, "+cluster|myid", "--map"),
            ("[::4]:1", "[::4]:1", "", true, "--map '[::4]:1=HOST:PORT'", guess),
            (ip, at_seed, "ip=seed", true, "a rule, tunnel or port mapping leads", "--map"),
            (ip, at_seed, "ip=seed", false, "+cluster|myid", "--map"),
        ] {
            let target = target(announced, "cache.example.net:6379", Some("a"));
            let answered = answered.then(|| "b".to_owned());
            let cause = Cause::WrongNode { announced: "a".to_owned(), answered };
            let remedy = advice(&target, rule, dialled, (Phase::Identity, cause));
            assert!(remedy.contains(said) && !remedy.contains(unsaid), "{announced} {dialled}: {remedy}");
        }
    }

    #[test]
    fn a_server_without_room_needs_some() {
        let target = target("10.0.0.4:1", "10.0.0.4:1", None);
        let full = Cause::ServerRefused("ERR max number of clients reached".to_owned());
        let remedy = advice(&target, "", "10.0.0.4:1", (Phase::Hello, full));
        assert!(remedy.contains("raise maxclients"), "{remedy}");
    }
}
