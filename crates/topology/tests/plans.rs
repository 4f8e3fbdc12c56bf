//! Plans under every identity policy, in scope and out of it, and which rule decides where a node is dialled.

mod common;

use common::endpoint;
use truename_topology::{
    AddressPolicy, AnnouncedNode, Boundary, DialAddress, DialPlan, Endpoint, IdentityName, IdentityPolicy,
    NodePlan, PlanError, Profile, Role, RuledBy, Scope, parse_redirect,
};

fn names(plan: &NodePlan) -> Vec<String> {
    plan.identities.iter().map(ToString::to_string).collect()
}

fn announced(address: &str, hostname: &str) -> AnnouncedNode {
    AnnouncedNode::new(
        Endpoint::parse(address, None).expect("addresses in tests are host:port"),
        Role::Primary,
    )
    .with_hostname(hostname)
}

fn name(text: &str) -> IdentityName {
    IdentityName::parse(text).expect("names in tests are names")
}

/// The default, with one name in addition to the others.
fn verify_as(text: &str) -> AddressPolicy {
    AddressPolicy::new().with_verify_as(name(text))
}

fn policy(identity: IdentityPolicy) -> AddressPolicy {
    AddressPolicy::new().with_identity(identity)
}

fn only(text: &str) -> AddressPolicy {
    policy(IdentityPolicy::Only(name(text)))
}

/// Policy, announced address, hostname metadata, SNI, acceptable names; the seed is `seed.example.net`.
type PolicyRow = (AddressPolicy, &'static str, &'static str, Option<&'static str>, &'static [&'static str]);

fn check(rows: Vec<PolicyRow>, boundary: Boundary) {
    let seed = endpoint("seed.example.net:6379");
    for (policy, address, hostname, sni, expected) in rows {
        let context = format!("{policy:?} {address} {hostname}");
        let policy = policy.with_scope(Scope::new().with_seed(seed.host(), None));
        let plan = policy.plan_node(&announced(address, hostname), &seed, boundary).expect("a plan");
        assert_eq!(names(&plan), expected, "{context}");
        assert_eq!(plan.sni.as_deref(), sni, "{context}");
    }
}

#[test]
fn every_identity_policy() {
    let any_of = AddressPolicy::new;
    let cache = || only("cache.example.net");
    let custom = policy(IdentityPolicy::Custom(std::sync::Arc::new(|node, seed| {
        assert_eq!(seed.host(), "seed.example.net");
        vec![name(&format!("n{}.example.net", node.endpoint.port()))]
    })));
    let announced = || policy(IdentityPolicy::Announced);
    let seed = Some("seed.example.net");
    let (a, b, c) = (Some("a.example.net"), Some("b.example.net"), Some("cache.example.net"));
    let all: &[&str] = &[
        "a.example.net (announced address)",
        "b.example.net (announced host name)",
        "seed.example.net (seed)",
    ];
    let one: &[&str] = &["cache.example.net (fixed name)"];
    let rows: Vec<PolicyRow> = vec![
        (any_of(), "10.0.0.4:1", "", seed, &["10.0.0.4 (announced address)", "seed.example.net (seed)"]),
        (any_of(), "Seed.Example.NET:1", "", seed, &["seed.example.net (announced address)"]),
        (any_of(), "a.example.net:1", "b.example.net", a, all),
        // What no certificate can carry is not an identity; the node can still prove the seed's name.
        (any_of(), "bücher:1", "", seed, &["seed.example.net (seed)"]),
        // Only the address is acceptable, but a name is known and therefore sent.
        (announced(), "10.0.0.4:1", "", seed, &["10.0.0.4 (announced address)"]),
        (
            announced(),
            "10.0.0.4:1",
            "b.example.net",
            b,
            &["10.0.0.4 (announced address)", "b.example.net (announced host name)"],
        ),
        (policy(IdentityPolicy::Seed), "a.example.net:1", "", seed, &["seed.example.net (seed)"]),
        // One name and nothing else.
        (cache(), "10.0.0.4:1", "", c, one),
        (cache(), "a.example.net:1", "b.example.net", c, one),
        (cache(), "cache.example.net:1", "", c, one),
        (cache().with_verify_as(name("x.example.net")), "a.example.net:1", "", c, one),
        // A name in addition to the others: it replaces none of them.
        (
            verify_as("cache.example.net"),
            "10.0.0.4:1",
            "b.example.net",
            c,
            &[
                "cache.example.net (fixed name)",
                "10.0.0.4 (announced address)",
                "b.example.net (announced host name)",
                "seed.example.net (seed)",
            ],
        ),
        (
            verify_as("192.0.2.1"),
            "10.0.0.4:1",
            "",
            seed,
            &["192.0.2.1 (fixed name)", "10.0.0.4 (announced address)", "seed.example.net (seed)"],
        ),
        (
            verify_as("cache.example.net").with_identity(IdentityPolicy::Seed),
            "a.example.net:1",
            "",
            c,
            &["cache.example.net (fixed name)", "seed.example.net (seed)"],
        ),
        (custom, "10.0.0.4:7", "", Some("n7.example.net"), &["n7.example.net (custom rule)"]),
    ];
    check(rows, Boundary::Lifted);
}

/// A stranger's name, signed by a public authority, is neither an identity nor the server name that is
/// sent, whatever announces it, under every policy but a closure.
#[test]
fn what_is_out_of_scope_is_no_identity() {
    let any_of = AddressPolicy::new;
    let announced = || policy(IdentityPolicy::Announced);
    let custom =
        policy(IdentityPolicy::Custom(std::sync::Arc::new(|node, _| vec![name(node.endpoint.host())])));
    let (seed, node_1) = (Some("seed.example.net"), Some("node-1.example.net"));
    let seed_only: &[&str] = &["seed.example.net (seed)"];
    let rows: Vec<PolicyRow> = vec![
        (any_of(), "evil.test:1", "", seed, seed_only),
        (any_of(), "redis-0:1", "", seed, seed_only),
        (any_of(), "10.0.0.4:1", "evil.test", seed, seed_only),
        (any_of(), "10.0.0.4:1", "10.0.0.5", seed, seed_only),
        (
            any_of(),
            "evil.test:1",
            "node-1.example.net",
            node_1,
            &["node-1.example.net (announced host name)", "seed.example.net (seed)"],
        ),
        (policy(IdentityPolicy::Seed), "evil.test:1", "", seed, seed_only),
        (
            announced(),
            "evil.test:1",
            "node-1.example.net",
            node_1,
            &["node-1.example.net (announced host name)"],
        ),
        (only("192.0.2.1"), "evil.test:1", "evil.test", seed, &["192.0.2.1 (fixed name)"]),
        // A name to verify is in scope, what lies next to it is not.
        (
            verify_as("cache.example.org"),
            "node.example.org:1",
            "cache.example.org",
            Some("cache.example.org"),
            &["cache.example.org (fixed name)", "seed.example.net (seed)"],
        ),
        (
            verify_as("192.0.2.1"),
            "192.0.2.1:1",
            "",
            seed,
            &["192.0.2.1 (fixed name)", "seed.example.net (seed)"],
        ),
        (custom, "evil.test:1", "", Some("evil.test"), &["evil.test (custom rule)"]),
    ];
    check(rows, Boundary::Scope);
}

#[test]
fn what_is_trusted_is_an_identity() {
    let seed = endpoint("seed.example.net:6379");
    for (trust, address) in
        [("evil.test", "evil.test:1"), ("*.test", "evil.test:1"), ("10.0.0.0/8", "10.0.0.4:1")]
    {
        let policy = AddressPolicy::new().with_scope(Scope::new().with_trust([trust.parse().unwrap()]));
        let plan = policy.plan_node(&announced(address, ""), &seed, Boundary::Scope).unwrap();
        let first = format!("{} (announced address)", endpoint(address).host());
        assert_eq!(names(&plan), [first.as_str(), "seed.example.net (seed)"]);
        assert_eq!(plan.dial.first().to_string(), address);
    }
}

/// Where a node is dialled whose announced name or address is out of scope.
#[test]
fn what_is_out_of_scope_is_not_dialled() {
    let any_of = AddressPolicy::new;
    let ruled = |rule: &str| any_of().with_rule(rule.parse().unwrap());
    let mapped = any_of().with_map(|_, seed| Some(DialAddress::new(seed.host(), 9)));
    let cloud = || Profile::named("redis-cloud").unwrap().policy();
    let announcing = || policy(IdentityPolicy::Announced);
    let seed = endpoint("seed.example.net:6379");
    for (policy, address, dial) in [
        (any_of(), "node-1.example.net:7", Some("node-1.example.net:7, else seed.example.net:7")),
        (any_of(), "evil.test:7", Some("seed.example.net:7")),
        (any_of(), "redis-0:7", Some("seed.example.net:7")),
        (any_of(), "Seed.Example.NET:7", Some("Seed.Example.NET:7")),
        // What only looks like an address is a name to the resolver.
        (any_of(), "127.1:7", Some("seed.example.net:7")),
        (any_of(), "0x7f000001:7", Some("seed.example.net:7")),
        (any_of(), "10.0.0.4.:7", Some("seed.example.net:7")),
        (any_of(), "10.0.0.4:7", Some("10.0.0.4:7, else seed.example.net:7")),
        // The user's rules and map are consent to dial; a profile's rule is not, for the announced name.
        (ruled("evil.test=announced"), "evil.test:7", Some("evil.test:7")),
        (ruled("*=127.0.0.1:+1"), "evil.test:7", Some("127.0.0.1:8")),
        (ruled("*={host}.example.org"), "redis-0:7", Some("redis-0.example.org:7")),
        (mapped, "evil.test:7", Some("seed.example.net:9")),
        (cloud(), "10.0.0.4:7", Some("10.0.0.4:7")),
        (cloud(), "node-1.example.net:7", Some("node-1.example.net:7")),
        (cloud(), "evil.test:7", None),
        // Nothing that the node may prove is left.
        (announcing(), "evil.test:7", None),
        (announcing(), "10.0.0.4:7", None),
        // The one name that counts may be announced.
        (only("node.example.org"), "node.example.org:7", Some("node.example.org:7, else seed.example.net:7")),
        (only("node.example.org"), "evil.example.org:7", Some("seed.example.net:7")),
    ] {
        let policy = policy.with_scope(Scope::new().with_seed(seed.host(), None));
        let planned = policy.plan_node(&announced(address, ""), &seed, Boundary::Scope);
        let expected = match dial {
            Some(dial) => Ok(dial.to_owned()),
            None => Err(PlanError::OutOfScope { endpoint: endpoint(address) }),
        };
        assert_eq!(planned.map(|plan| plan.dial.to_string()), expected, "{policy:?} {address}");
    }
    // Where another authority is the boundary, or names are not checked, everything announced counts.
    for (policy, address, dial) in [
        (any_of(), "evil.test:7", "evil.test:7, else seed.example.net:7"),
        (cloud(), "evil.test:7", "evil.test:7"),
        (announcing(), "10.0.0.4:7", "10.0.0.4:7, else seed.example.net:7"),
    ] {
        let plan = policy.plan_node(&announced(address, ""), &seed, Boundary::Lifted).unwrap();
        assert_eq!(plan.dial.to_string(), dial);
        assert_eq!(names(&plan)[0], format!("{} (announced address)", endpoint(address).host()));
    }
}

/// Text after a `%` was taken for a zone, which only IPv6 addresses have: so a name passed for an address, which is always
/// dialled, and was looked up.
#[test]
fn what_only_begins_like_an_address_is_none() {
    let seed = endpoint("seed.example.net:6379");
    let trusted = "10.0.0.0/8".parse().expect("a network");
    let scope = Scope::new().with_seed(seed.host(), None).with_trust([trusted]);
    let node = AnnouncedNode::new(Endpoint::new("10.0.0.4%evil.test", 7), Role::Primary);
    let plan =
        AddressPolicy::new().with_scope(scope).plan_node(&node, &seed, Boundary::Scope).expect("a plan");
    assert_eq!(plan.dial, DialPlan::Detour(DialAddress::new("seed.example.net", 7)));
    assert_eq!(names(&plan), ["seed.example.net (seed)"]);
    assert!(IdentityName::parse("10.0.0.4%evil.test").is_err());
    assert!(IdentityName::parse("fe80::1%eth0").is_ok());
    // Nor is it a host: a URL's credentials that were encoded as a whole look so.
    assert!(Endpoint::parse("10.0.0.4%evil.test:7", None).is_err());
    assert!(Endpoint::parse("bob%3Asesame%40host:7", None).is_err());
    assert!(Endpoint::parse("[fe80::1%eth0]:7", None).is_ok());
    assert!(parse_redirect("MOVED 1 10.0.0.4%evil.test:7", "seed").expect("a redirect").is_err());
}

#[test]
fn every_identity_policy_for_seeds() {
    let identity = policy;
    let (cache, s) = (Some("cache.example.net"), Some("s.example.net"));
    for (policy, seed, sni, expected) in [
        (AddressPolicy::new(), "10.0.0.1:1", None, vec!["10.0.0.1 (seed)"]),
        (AddressPolicy::new(), "redis-0:1", Some("redis-0"), vec!["redis-0 (seed)"]),
        (identity(IdentityPolicy::Announced), "s.example.net:1", s, vec!["s.example.net (seed)"]),
        (identity(IdentityPolicy::Seed), "s.example.net:1", s, vec!["s.example.net (seed)"]),
        (only("cache.example.net"), "10.0.0.1:1", cache, vec!["cache.example.net (fixed name)"]),
        (only("cache.example.net"), "s.example.net:1", cache, vec!["cache.example.net (fixed name)"]),
        (
            verify_as("cache.example.net"),
            "10.0.0.1:1",
            cache,
            vec!["cache.example.net (fixed name)", "10.0.0.1 (seed)"],
        ),
    ] {
        for boundary in [Boundary::Scope, Boundary::Lifted] {
            let plan = policy.plan_seed(&endpoint(seed), boundary).unwrap();
            assert_eq!(names(&plan), expected, "{policy:?} {seed}");
            assert_eq!(plan.sni.as_deref(), sni, "{policy:?} {seed}");
            assert_eq!(plan.dial.to_string(), seed, "{policy:?} {seed}");
        }
    }
}

#[test]
fn nobody_is_trusted_without_a_name() {
    let nobody = IdentityPolicy::Custom(std::sync::Arc::new(|_, _| Vec::new()));
    let node = announced("10.0.0.4:8501", "");
    let planned =
        AddressPolicy::new().with_identity(nobody).plan_node(&node, &endpoint("s:1"), Boundary::Scope);
    assert_eq!(planned, Err(PlanError::NoIdentity { endpoint: node.endpoint }));
}

#[test]
fn the_closure_is_asked_before_the_rules() {
    let policy = AddressPolicy::new()
        .with_rule("*=ruled.example.net".parse().unwrap())
        .with_map(|node, seed| (node.endpoint.port() == 1).then(|| DialAddress::new(seed.host(), 99)));
    let seed = endpoint("s:5");
    for (address, dialled) in [("10.0.0.4:1", "s:99"), ("10.0.0.4:2", "ruled.example.net:2")] {
        let plan = policy.plan_node(&announced(address, ""), &seed, Boundary::Scope).unwrap();
        assert_eq!(plan.dial.to_string(), dialled);
    }
    assert!(format!("{policy:?}").contains("closure"));
}

/// A closure that leads every node elsewhere led the seeds there as well.
#[test]
fn the_closure_is_asked_for_seeds_only_when_told() {
    let elsewhere = || AddressPolicy::new().with_map(|_, _| Some(DialAddress::new("elsewhere", 1)));
    let seed = endpoint("s:5");
    for (policy, dialled, by) in [
        (elsewhere(), "s:5", None),
        (elsewhere().with_map_for_seeds(true), "elsewhere:1", Some(RuledBy::Map)),
        (elsewhere().with_rule("*=ruled:2".parse().unwrap()), "ruled:2", Some(rule("*=ruled:2"))),
    ] {
        let plan = policy.plan_seed(&seed, Boundary::Lifted).unwrap();
        assert_eq!((plan.dial.first().to_string().as_str(), plan.ruled_by), (dialled, by));
        let plan = policy.plan_node(&announced("10.0.0.4:1", ""), &seed, Boundary::Lifted).unwrap();
        assert_eq!((plan.dial.to_string().as_str(), plan.ruled_by), ("elsewhere:1", Some(RuledBy::Map)));
    }
}

fn rule(text: &str) -> RuledBy {
    RuledBy::Rule(text.to_owned())
}

#[test]
fn a_plan_names_what_ruled_it() {
    let azure = || Profile::named("azure-managed").unwrap().policy();
    let seed = endpoint("my.westus3.redis.azure.net:10000");
    for (policy, by) in [
        (AddressPolicy::new(), None),
        (azure(), Some(RuledBy::Profile)),
        (azure().with_rule("ip=seed:+1".parse().unwrap()), Some(rule("ip=seed:+1"))),
        (azure().with_map(|_, _| None).with_rule("*=announced".parse().unwrap()), Some(rule("*=announced"))),
    ] {
        let plan = policy.plan_node(&announced("10.0.0.4:8501", ""), &seed, Boundary::Lifted).unwrap();
        assert_eq!(plan.ruled_by, by);
    }
}

#[test]
fn the_first_rule_that_matches_wins() {
    let rules = ["10.0.0.4:8501=first:1", "10.0.0.0/8=second:2", "ip=third:3"];
    let policy = AddressPolicy::new().with_rules(rules.iter().map(|rule| rule.parse().unwrap()));
    for (address, dialled) in [
        ("10.0.0.4:8501", "first:1"),
        ("10.0.0.4:8502", "second:2"),
        ("192.168.0.1:1", "third:3"),
        ("node-1:6379", "node-1:6379, else s:6379"),
    ] {
        assert_eq!(
            policy
                .plan_node(&announced(address, ""), &endpoint("s:5"), Boundary::Lifted)
                .unwrap()
                .dial
                .to_string(),
            dialled
        );
    }
}
