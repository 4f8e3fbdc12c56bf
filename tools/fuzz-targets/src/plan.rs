//! Where an announced node is dialled, and what it may prove, while announced names are bounded.
//!
//! The scope is told here from its documentation and not by the code that decides it.

use std::net::{IpAddr, Ipv6Addr};

use truename_topology::{AddressPolicy, AnnouncedNode, Boundary, Endpoint, Scope};

use crate::harmless::assert_harmless;

/// The host that answered, a seed that the user configured.
pub(crate) const SEED: &str = "seed.corp.example.net";
/// What all names under the seed's parent domain end with.
const UNDER_THE_PARENT: &str = ".corp.example.net";

/// Panics if anything that the node announces leads out of the seed's scope.
pub(crate) fn assert_in_scope(node: &AnnouncedNode) {
    let policy = AddressPolicy::new().with_scope(Scope::new().with_seed(SEED, None));
    let plan = match policy.plan_node(node, &Endpoint::new(SEED, 6379), Boundary::Scope) {
        Ok(plan) => plan,
        Err(error) => return assert_harmless(error),
    };
    assert_harmless(&plan.dial);
    for address in [Some(plan.dial.first()), plan.dial.fallback()].into_iter().flatten() {
        let host = address.host();
        // Dialling an address proves nothing; whoever answers there has to prove a name in scope.
        assert!(is_address(host) || is_in_scope(host), "{node}: {host} is dialled");
    }
    for identity in &plan.identities {
        let name = identity.name.as_dns().unwrap_or_else(|| panic!("{node}: {identity} is an address"));
        assert!(is_in_scope(name), "{node}: {name} is accepted");
    }
    let sni = plan.sni.as_deref();
    assert!(sni.is_none_or(is_in_scope), "{node}: {sni:?} is sent as the server's name");
}

fn is_in_scope(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == SEED || name.ends_with(UNDER_THE_PARENT)
}

fn is_address(host: &str) -> bool {
    let (bare, _zone) = host.split_once('%').unwrap_or((host, ""));
    host.parse::<IpAddr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok()
}
