//! What to advise where that depends on the attempt: pure functions from a [`Case`] to a [`Remedy`].

use truename_topology::{DialPlan, HostMatch, IdentityName};

use super::case::Case;
use super::phase::Phase;
use super::remedy::{Check, Remedy};
use crate::certificate::Certificate;

/// The announced name is out of scope.
pub(super) fn trust(case: &Case<'_>) -> Option<Remedy> {
    Some(Remedy::Trust { name: name(case.host()) })
}

/// A name was not found: not necessarily the announced one, since a rule or the fallback may lead elsewhere.
pub(super) fn lookup(case: &Case<'_>) -> Option<Remedy> {
    let host = case.dialled_host();
    let name = name(host);
    Some(if host == case.seed.host() {
        Remedy::ResolveSeed { name }
    } else if host == case.host() {
        Remedy::ResolveAnnounced { name }
    } else {
        Remedy::ResolveRuled { name }
    })
}

/// Nothing listens, or there is no way to it.
pub(super) fn no_connection(case: &Case<'_>) -> Option<Remedy> {
    if case.is_ruled_elsewhere() {
        return misled(case, false);
    }
    if case.is_seed { Some(Check::SeedAddress.into()) } else { down_or_hidden(case) }
}

/// There was no answer in time.
pub(super) fn silence(case: &Case<'_>) -> Option<Remedy> {
    Some(match case.phase {
        Phase::Resolve => Remedy::ResolveWithoutService { name: name(case.dialled_host()) },
        Phase::Tcp if case.is_ruled_elsewhere() => return misled(case, true),
        Phase::Tcp if case.is_seed => Check::Firewall.into(),
        Phase::Tcp => return down_or_hidden(case),
        Phase::Tls => Check::TlsServer.into(),
        _ => Check::Server.into(),
    })
}

/// Something leads to an address where nothing is.
fn misled(case: &Case<'_>, is_silent: bool) -> Option<Remedy> {
    let plan = case.plan?;
    let dialled = case.dialled.unwrap_or(plan.dial.first()).clone();
    Some(Remedy::RuledAddress { by: plan.ruled_by.clone(), dialled, is_silent })
}

/// The peer closed the connection.
pub(super) fn hangup(case: &Case<'_>) -> Option<Remedy> {
    matches!(case.phase, Phase::Tls | Phase::Hello).then(|| Check::RoomForClients.into())
}

/// No TCP connection to a node to which no rule applies.
fn down_or_hidden(case: &Case<'_>) -> Option<Remedy> {
    if case.is_detour() {
        return trust(case);
    }
    let node = case.node.endpoint.clone();
    let is_ip = node.ip().is_some();
    if case.may_be_at_seed() {
        let hosts = if is_ip { HostMatch::Ip } else { HostMatch::Any };
        return Some(Remedy::DownOrHidden { node, hosts, is_at_seed: true });
    }
    // Where the seed has a name, a rule for all addresses leaves the seed as it is.
    let hosts = match is_ip && case.seed.ip().is_none() {
        true => HostMatch::Ip,
        false => {
            HostMatch::Host(name(node.host()).map_or_else(|| "NAME".into(), |name| name.to_string().into()))
        }
    };
    Some(Remedy::DownOrHidden { node, hosts, is_at_seed: false })
}

/// Another node answered.
pub(super) fn wrong_node(case: &Case<'_>) -> Option<Remedy> {
    stranger(case, true)
}

/// A node answered that does not report its id, so that it may be another one.
pub(super) fn silent_node(case: &Case<'_>) -> Option<Remedy> {
    stranger(case, false)
}

fn stranger(case: &Case<'_>, reports_id: bool) -> Option<Remedy> {
    let node = case.node.endpoint.clone();
    Some(match &case.plan?.dial {
        // The detour was taken because the announced name is out of scope, so that is what to fix.
        DialPlan::Detour(_) => return trust(case),
        DialPlan::Ruled(_) => Remedy::FixRule { node, reports_id },
        DialPlan::Auto { .. } if case.is_guess() => {
            Remedy::FixAnnounced { node, reports_id, is_tls: case.certificate.is_some() }
        }
        DialPlan::Auto { .. } if reports_id => Remedy::MapNode { node },
        DialPlan::Auto { .. } => Check::NodeIdPermission.into(),
    })
}

/// The authority to trust is the one that signed the last certificate sent, unless the server forgot to send some.
pub(super) fn unknown_issuer(case: &Case<'_>) -> Option<Remedy> {
    Some(match case.certificate {
        None => Remedy::TrustAuthority { authority: None },
        Some(found) if found.chain_length > 1 => {
            Remedy::TrustAuthority { authority: Some(found.top_issuer.clone()) }
        }
        Some(found) if found.issuer == found.subject => {
            Remedy::TrustCertificate { name: found.issuer.clone() }
        }
        Some(found) => Remedy::SendIntermediate { issuer: found.issuer.clone() },
    })
}

/// No list covers the issuer.
pub(super) fn revocation_unknown(case: &Case<'_>) -> Option<Remedy> {
    Some(Remedy::AddRevocationList { issuer: case.certificate.map(|found| found.issuer.clone()) })
}

/// The certificate proves none of the acceptable names.
pub(super) fn name_mismatch(case: &Case<'_>) -> Option<Remedy> {
    let found = case.certificate;
    let covers = |name: &IdentityName| found.is_some_and(|found| is_covered(found, name));
    if let Some((is_seed, name)) = excluded(case)?.into_iter().find(|(_, name)| covers(name)) {
        return Some(Remedy::WidenIdentity { name, is_seed });
    }
    let plan = case.plan?;
    if let Some(name) = plan.out_of_scope.iter().find(|name| covers(name)) {
        return Some(Remedy::TrustCovered { name: name.clone() });
    }
    let presented = found.map(|found| found.names()).unwrap_or_default();
    let exact = found.and_then(|found| found.dns_names.iter().find(|name| !name.starts_with("*.")));
    Some(match (exact, presented.into_iter().next()) {
        (Some(exact), _) => Remedy::VerifyAs { name: name(exact) },
        (None, Some(pattern)) => Remedy::VerifyAsCovered { pattern },
        (None, None) => Remedy::Issue { name: plan.identities.first().map(|identity| identity.name.clone()) },
    })
}

fn is_covered(found: &Certificate, name: &IdentityName) -> bool {
    match name {
        IdentityName::Dns(name) => found.covers(name),
        IdentityName::Ip(ip) => found.ip_addresses.contains(ip),
    }
}

/// The names that the default policy would accept in addition to the plan's, and whether they are the seed's. Where that is the
/// policy there are none.
fn excluded(case: &Case<'_>) -> Option<Vec<(bool, IdentityName)>> {
    let plan = case.plan?;
    let hosts =
        [(true, Some(case.seed.host())), (false, Some(case.host())), (false, case.node.hostname.as_deref())];
    let names = hosts.into_iter().filter_map(|(is_seed, host)| Some((is_seed, name(host?)?)));
    let is_excluded = |candidate: &IdentityName| {
        !plan.out_of_scope.contains(candidate)
            && plan.identities.iter().all(|identity| identity.name != *candidate)
    };
    Some(names.filter(|(_, name)| is_excluded(name)).collect())
}

/// What a peer calls a name, if it is one.
fn name(text: &str) -> Option<IdentityName> {
    IdentityName::parse(text).ok()
}
