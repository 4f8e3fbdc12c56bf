//! Sentences on where to dial.

use truename_topology::{DialAddress, Endpoint, HostMatch, IdentityName, RuledBy, Typed};

use super::check::Check;
use super::setting::{Setting, Spelling, spelled};
use super::typeable::{host_in_rule, typeable};

/// A seed's name that is not found.
pub(super) fn resolve_seed(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let resolve = spelled(Setting::Resolve(typeable(name)), spelling);
    format!("check the spelling of {} and the DNS server, or give its address with {resolve}", typeable(name))
}

/// A name that a rule leads to and that is not found.
pub(super) fn resolve_ruled(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let resolve = spelled(Setting::Resolve(typeable(name)), spelling);
    format!(
        "a rule, an address map or the provider's profile leads to {}, which this machine cannot look up: check its spelling \
         there, or give its address with {resolve}",
        typeable(name)
    )
}

/// An announced name that is not found.
pub(super) fn resolve_announced(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let resolve = spelled(Setting::Resolve(typeable(name)), spelling);
    let rule = spelled(Setting::DialRule(format!("{}=HOST", host_in_rule(name))), spelling);
    format!(
        "the cluster announces a name that this machine cannot look up: give its address with {resolve}, or dial another \
         host with {rule}"
    )
}

/// DNS that is silent.
pub(super) fn resolve_without_service(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let resolve = spelled(Setting::Resolve(typeable(name)), spelling);
    format!("DNS does not answer: check it, or give the address with {resolve}")
}

/// A name that is out of scope.
pub(super) fn trust(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let typed = typeable(name);
    let rule = spelled(Setting::DialRule(format!("{}=HOST", host_in_rule(name))), spelling);
    let trust = spelled(Setting::Trust(typed.clone()), spelling);
    let domain = spelled(Setting::Trust("*.DOMAIN".to_owned()), spelling);
    format!(
        "if {typed} belongs to your cluster, allow it with {trust} or, where a domain is yours alone, all of its names with \
         {domain}; or dial another host in its place with {rule}"
    )
}

/// No connection to a node to which no rule applies. One failure does not show whether the other nodes fail as well.
pub(super) fn down_or_hidden(
    node: &Endpoint,
    hosts: &HostMatch,
    is_at_seed: bool,
    spelling: Spelling,
) -> String {
    let to = if is_at_seed { "seed" } else { "HOST" };
    let rule = spelled(Setting::DialRule(format!("{hosts}={to}")), spelling);
    let meaning = match (is_at_seed, hosts) {
        (true, _) => "the seed's host with the announced port",
        (false, HostMatch::Ip) => "another host with the announced ports",
        (false, _) => "another host with the announced port",
    };
    let shifted = spelled(Setting::DialRule("*=seed:+1000".to_owned()), spelling);
    format!(
        "if only {node} fails, it is down: check that it is running and that no firewall is in the way; if every node fails \
         like this, the announced addresses cannot be reached from here: one rule says where to dial, such as {rule} for \
         {meaning}, or {shifted} when the ports are shifted"
    )
}

/// A node that cannot be reached where its neighbours can.
pub(super) fn down(port: u16) -> String {
    format!(
        "other nodes answer, so this one is down or its port {port} is closed: check that it is running and that no firewall is in \
         the way"
    )
}

/// A node that cannot be reached any more.
pub(super) fn went_down(port: u16) -> String {
    format!(
        "it could be reached before, so it is down by now or its port {port} is closed: check that it is running and that no \
         firewall is in the way"
    )
}

/// Another node is at the announced address.
pub(super) fn map_node(node: &Endpoint, spelling: Spelling) -> String {
    let rule = spelled(Setting::DialRule(format!("{}=HOST:PORT", address_in_rule(node))), spelling);
    format!("if {node} can be reached elsewhere, say where with a rule for this address alone: {rule}")
}

/// A rule, a map or the profile leads to an address where nothing is.
pub(super) fn ruled_address(
    by: Option<&RuledBy>,
    dialled: &DialAddress,
    is_silent: bool,
    spelling: Spelling,
) -> String {
    let address = dialled.to_string();
    // An address that a map or a rule gives may be a whole URL.
    let to = if address.contains('@') { Typed(&address).to_string() } else { address };
    let nothing = if is_silent { "nothing answers" } else { "nothing listens" };
    let (what, check) = match by {
        Some(RuledBy::Rule(rule)) => (format!("your rule {}", Typed(rule)), "check the rule".to_owned()),
        Some(RuledBy::Map) => ("your address map".to_owned(), "check the map".to_owned()),
        Some(RuledBy::Profile) => {
            let rule = spelled(Setting::DialRule("*=announced".to_owned()), spelling);
            ("the provider's profile".to_owned(), format!("give a rule of your own, such as {rule}"))
        }
        _ => ("a rule".to_owned(), "check the rule".to_owned()),
    };
    format!(
        "{what} led to {to}, where {nothing}: {check}, the tunnel or port mapping behind it, and that the node is running"
    )
}

/// A rule leads to another node, or to one that does not report its id.
pub(super) fn fix_rule(node: &Endpoint, reports_id: bool) -> String {
    match reports_id {
        true => {
            format!(
                "a rule, an address map or the provider's profile, or a tunnel or port mapping behind it, leads {node} to \
                 another node: check the one for this address"
            )
        }
        false => {
            let ask = Check::NodeIdPermission.text();
            format!(
                "{ask}, and check the rule, address map or provider's profile, and the tunnel or port mapping behind it, that \
                 leads {node} there"
            )
        }
    }
}

/// The guess that the node is at the seed's host was wrong, or it was not proved to be right.
pub(super) fn fix_announced(node: &Endpoint, reports_id: bool, is_tls: bool, spelling: Spelling) -> String {
    const GUESS: &str = "the seed's host with the announced port was only a guess, because the announced address failed: \
                         that failure is the one to fix";
    if reports_id {
        return GUESS.to_owned();
    }
    let ask = Check::NodeIdPermission.text();
    // In plaintext nothing else would prove that it is the node.
    if !is_tls {
        return format!("{GUESS}; if {node} is really reached there, {ask}");
    }
    let rule = spelled(Setting::DialRule(format!("{}=seed", address_in_rule(node))), spelling);
    format!("{GUESS}; if {node} is really reached there, {ask}, or say so with {rule}")
}

/// The time for connecting ended before the node's own.
pub(super) fn more_time(spelling: Spelling) -> String {
    let timeout = spelled(Setting::ConnectTimeout, spelling);
    format!(
        "the total time to connect ended before this node's own: allow more with {timeout}, or check that the node answers"
    )
}

/// A server without RESP3.
pub(super) fn older_protocol(spelling: Spelling) -> String {
    let any = spelled(Setting::AnyProtocol, spelling);
    format!("allow RESP2, too, with {any}; RESP3 came with Redis 6.0")
}

pub(super) fn database(spelling: Spelling) -> String {
    let number = spelled(Setting::Database, spelling);
    format!(
        "choose another number, or none ({number}, `/NUMBER` in a URL): a cluster has only database 0, unless it runs \
         Valkey 9 with `cluster-databases` set"
    )
}

/// One announced address as a rule matches it.
fn address_in_rule(node: &Endpoint) -> String {
    let name = IdentityName::parse(node.host()).ok();
    format!("{}:{}", host_in_rule(name.as_ref()), node.port())
}
