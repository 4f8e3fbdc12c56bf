//! The checks of a row. Pure: each looks at what was found out about one node and returns a cell.

use truename::Certificate;
use truename::error::{CauseKind, NodeFailure, Phase};
use truename::probe::NodeReport;

use crate::render::human;
use crate::render::table::Cell;

/// The most informative failure of a node that cannot be used.
pub(super) fn decisive(row: &NodeReport) -> Option<&NodeFailure> {
    NodeFailure::decisive(row.failures.iter().filter(|_| !row.is_healthy()))
}

/// What the node presented, whether it was accepted or not.
pub(super) fn certificate(row: &NodeReport) -> Option<&Certificate> {
    let accepted = row.facts.as_ref().and_then(|facts| facts.certificate.as_ref());
    accepted.or_else(|| decisive(row)?.certificate.as_ref()).map(AsRef::as_ref)
}

/// Whether the node is the announced one, by node id: `None` where there is nothing to compare.
pub(super) fn is_announced_node(row: &NodeReport) -> Option<bool> {
    let announced = row.node.id.as_ref()?;
    let answered = row.facts.as_ref()?.greeting.node_id.as_deref()?;
    Some(announced.as_str() == answered)
}

/// A row is not healthy either if a failure of it is `listed`: a seed that can be used may still return no topology.
pub(super) fn mark(row: &NodeReport, listed: &[&NodeFailure]) -> Cell {
    let mut own = listed.iter().filter(|failure| failure.is_seed == row.is_seed);
    let is_listed = own.any(|failure| failure.node == row.node.endpoint);
    if row.is_healthy() && !is_listed { Cell::good("ok") } else { Cell::bad("FAIL") }
}

pub(super) fn role(row: &NodeReport) -> Cell {
    if row.is_seed { Cell::plain("seed") } else { Cell::plain(row.node.role.to_string()) }
}

/// Where the node was dialled, if not at its announced address.
pub(super) fn dialled(row: &NodeReport) -> Cell {
    let accepted = row.facts.as_ref().and_then(|facts| facts.dialled.as_ref());
    let dialled = accepted.or_else(|| decisive(row)?.dialled.as_ref()).map(ToString::to_string);
    match dialled {
        Some(dialled) if dialled == row.node.endpoint.to_string() => Cell::plain("as announced"),
        Some(dialled) => Cell::plain(dialled),
        None => Cell::plain(""),
    }
}

/// The socket address, or why there is no connection.
pub(super) fn tcp(row: &NodeReport) -> Cell {
    match (&row.facts, decisive(row)) {
        (Some(facts), _) => Cell::good(facts.peer.map_or_else(|| "ok".to_owned(), |peer| peer.to_string())),
        (None, Some(failure)) if failure.phase <= Phase::Tcp => Cell::bad(failure.cause.code()),
        (None, Some(failure)) => {
            Cell::good(failure.peer.map_or_else(|| "ok".to_owned(), |peer| peer.to_string()))
        }
        (None, None) => Cell::bad("no connection"),
    }
}

/// The TLS version, or why there is no session.
pub(super) fn tls(row: &NodeReport) -> Cell {
    match (&row.facts, decisive(row)) {
        (Some(facts), _) => match facts.tls_version.as_deref() {
            Some(version) => Cell::good(version.trim_start_matches("TLSv").replace('_', ".")),
            None => Cell::plain("none"),
        },
        (None, Some(failure)) if failure.phase == Phase::Tls => Cell::bad(failure.cause.code()),
        // What failed later says nothing about the version.
        (None, Some(failure)) if failure.phase > Phase::Tls && failure.certificate.is_some() => {
            Cell::good("ok")
        }
        _ => Cell::plain(""),
    }
}

/// The name that was proved and why it counts, or else all names that were presented.
pub(super) fn name(row: &NodeReport) -> Cell {
    if let Some(identity) = row.facts.as_ref().and_then(|facts| facts.identity.as_ref()) {
        return Cell::good(identity.to_string());
    }
    match certificate(row) {
        Some(certificate) if row.facts.is_some() => {
            Cell::doubtful(format!("not checked: {}", names(certificate)))
        }
        Some(certificate) if decisive(row).is_some_and(is_name_mismatch) => {
            Cell::bad(format!("presents {}", names(certificate)))
        }
        Some(certificate) => Cell::doubtful(names(certificate)),
        None => Cell::plain(""),
    }
}

/// Whether the certificate has none of the acceptable names.
pub(super) fn is_name_mismatch(failure: &NodeFailure) -> bool {
    failure.cause.kind() == CauseKind::NameMismatch
}

fn names(certificate: &Certificate) -> String {
    if certificate.names().is_empty() { "no names".to_owned() } else { certificate.names_line() }
}

/// How many certificates were sent, and who signed the first.
pub(super) fn chain(row: &NodeReport) -> Cell {
    let text = certificate(row).map(|found| format!("{} by {}", found.chain_length, found.issuer));
    Cell::plain(text.unwrap_or_default())
}

/// When the certificate expires.
pub(super) fn expiry(row: &NodeReport, now: i64) -> Cell {
    let Some(found) = certificate(row) else { return Cell::plain("") };
    let date = truename::UtcMinute(found.not_after).to_string();
    let date = date.split(' ').next().unwrap_or_default();
    match found.days_left(now) {
        days if days < 0 => Cell::bad(format!("{date} (expired)")),
        days if days < truename::CERTIFICATE_NOTICE_DAYS => Cell::doubtful(format!("{date} ({days} d)")),
        days => Cell::good(format!("{date} ({days} d)")),
    }
}

/// Who is logged in, or why not; the greeting is part of it.
pub(super) fn auth(row: &NodeReport, login: Option<&str>) -> Cell {
    match (&row.facts, decisive(row)) {
        (Some(_), _) => Cell::good(login.unwrap_or("no login")),
        (None, Some(failure)) if matches!(failure.phase, Phase::Hello | Phase::Auth) => {
            Cell::bad(failure.cause.code())
        }
        (None, Some(failure)) if failure.phase > Phase::Auth => Cell::good(login.unwrap_or("no login")),
        _ => Cell::plain(""),
    }
}

/// Whether the announced node answered.
pub(super) fn node_id(row: &NodeReport) -> Cell {
    match (is_announced_node(row), decisive(row)) {
        (Some(true), _) => Cell::good("confirmed"),
        (_, Some(failure)) if failure.phase == Phase::Identity => Cell::bad(failure.cause.code()),
        (None, None) if row.facts.is_some() && !row.is_seed => Cell::plain("not reported"),
        _ => Cell::plain(""),
    }
}

/// How long `PING` took.
pub(super) fn ping(row: &NodeReport) -> Cell {
    match (row.ping, decisive(row)) {
        (Some(took), _) => Cell::good(human::duration(took)),
        (None, Some(failure)) if failure.phase > Phase::Identity => Cell::bad(failure.cause.code()),
        (None, _) if row.facts.is_some() => Cell::bad("no answer"),
        _ => Cell::plain(""),
    }
}
