//! The diagnosis for people: a row per node, an explanation per failure, and what to make of it.

use std::io;

use truename::probe::NodeReport;
use truename::topology::Slot;

use super::check;
use super::diagnosis::{Diagnosis, Expiring};
use crate::render::table::Table;
use crate::render::{Page, human};
use crate::spelling::as_options;

const HEADERS: [&str; 12] = [
    "node",
    "",
    "role",
    "dialled",
    "TCP",
    "TLS",
    "name proved",
    "chain",
    "expires",
    "login",
    "node id",
    "PING",
];

pub(super) fn write(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    page.table(&table(diagnosis))?;
    failures(diagnosis, page)?;
    topology(diagnosis, page)?;
    notes(diagnosis, page)?;
    provider(diagnosis, page)?;
    verdict(diagnosis, page)
}

fn table(diagnosis: &Diagnosis) -> Table {
    let mut table = Table::new(HEADERS);
    let listed = diagnosis.failures();
    for row in diagnosis.rows() {
        table.row([
            row.node.endpoint.to_string().into(),
            check::mark(row, &listed),
            check::role(row),
            check::dialled(row),
            check::tcp(row),
            check::tls(row),
            check::name(row),
            check::chain(row),
            check::expiry(row, diagnosis.now),
            check::auth(row, diagnosis.login.as_deref()),
            check::node_id(row),
            check::ping(row),
        ]);
    }
    table
}

fn failures(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    let failures = diagnosis.failures();
    if failures.is_empty() {
        return Ok(());
    }
    page.heading("What failed")?;
    for (position, failure) in failures.into_iter().enumerate() {
        if position > 0 {
            page.blank()?;
        }
        page.indented(failure.spelled(as_options))?;
    }
    Ok(())
}

/// What no row can show: nodes without an address, slots without an owner, views that differ.
fn topology(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    let faults = diagnosis.topology_faults();
    let skipped = &diagnosis.report.skipped;
    if faults.is_empty() && skipped.is_empty() {
        return Ok(());
    }
    page.heading("The topology")?;
    for fault in faults {
        page.indented(page.paint().error(format!("- {fault}")))?;
    }
    for skipped in skipped {
        page.indented(format!("- Cannot be addressed: {skipped}."))?;
    }
    if let Some(remedy) = diagnosis.report.remedy_for_skipped() {
        page.indented(format!("  remedy     {}", remedy.spelled(as_options)))?;
    }
    Ok(())
}

fn notes(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    let mut notes: Vec<String> = Vec::new();
    for (row, failure) in diagnosis.detours() {
        notes.push(format!(
            "- {} is reached by a detour: {} failed with `{}`.",
            row.node.endpoint,
            failure.dialled.as_ref().map_or_else(|| "the announced address".to_owned(), ToString::to_string),
            failure.cause
        ));
    }
    for expiring in diagnosis.expiring() {
        notes.push(page.paint().warning(expiry(&expiring, diagnosis.now)));
    }
    let (primaries, alone) = diagnosis.primaries();
    if !alone.is_empty() {
        notes.push(format!(
            "- No replica is announced for {} of {primaries} primaries: {}. If such a primary fails, its slots are not \
             served until it is back, unless the provider keeps replicas that it does not announce.",
            alone.len(),
            human::few(&alone, "")
        ));
    }
    if diagnosis.report.is_single_node {
        notes.push(
            "- The server is not a cluster, or its proxy hides it: it is used as a single node.".to_owned(),
        );
    }
    if diagnosis.has_name_mismatch() {
        notes.push(
            "- A redis-cli that connects proves nothing here: it checks the certificate's chain and never its name."
                .to_owned(),
        );
    }
    if !diagnosis.tls {
        let what = if diagnosis.login.is_some() { "the password and the data" } else { "the data" };
        notes.push(format!(
            "- Everything is plaintext: no node is verified, and anybody on the path can read {what}."
        ));
    }
    if diagnosis.profile.is_none() {
        notes.push("- This host name belongs to no known provider; --profile NAME chooses one.".to_owned());
    }
    if notes.is_empty() {
        return Ok(());
    }
    page.heading("Notes")?;
    notes.into_iter().try_for_each(|note| page.indented(note))
}

fn expiry(expiring: &Expiring<'_>, now: i64) -> String {
    let days = expiring.certificate.days_left(now);
    let when = if days < 0 { "has expired".to_owned() } else { format!("expires in {days} days") };
    let of = match expiring.nodes.as_slice() {
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
        [] => String::new(),
    };
    format!("- The certificate of {of} {when}.")
}

fn provider(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    let Some(profile) = diagnosis.profile else { return Ok(()) };
    page.heading(format!("Provider: {} ({})", profile.title, profile.name))?;
    profile.hints.iter().try_for_each(|hint| page.indented(format!("- {hint}")))
}

fn verdict(diagnosis: &Diagnosis, page: &mut Page<'_>) -> io::Result<()> {
    let paint = page.paint();
    let all = diagnosis.addresses(|_| true);
    let failed = diagnosis.addresses(|row| !row.is_healthy());
    let took = diagnosis.report.elapsed.as_millis();
    page.blank()?;
    if diagnosis.report.is_healthy() {
        let proved = |row: &NodeReport| row.facts.as_ref().is_some_and(|facts| facts.identity.is_some());
        let unproved = diagnosis.addresses(|row| !proved(row));
        let (subject, each) = match all {
            1 => ("The only address".to_owned(), "it"),
            _ => (format!("All {all} addresses"), "each"),
        };
        let names = match (diagnosis.tls, unproved) {
            (true, 0) => format!(", {each} proved a name"),
            (true, _) if all == 1 => ", but it proved no name, so any server may have answered".to_owned(),
            (true, _) => {
                format!(", but {unproved} of them proved no name, so any server may have answered")
            }
            (false, _) => String::new(),
        };
        let slots = match diagnosis.report.topology {
            Some(_) => format!(", and all {} slots are served", Slot::COUNT),
            None => String::new(),
        };
        let verdict = format!("{subject} can be used{names}{slots} ({took} ms).");
        return page.line(match (diagnosis.tls, unproved) {
            (false, _) | (true, 0) => paint.good(verdict),
            (true, _) => paint.warning(verdict),
        });
    }
    let code = diagnosis.exit().code();
    let what = match failed {
        0 if diagnosis.report.slots_without_owner() > 0 => {
            "The addresses answer, but the cluster cannot serve all slots".to_owned()
        }
        0 if !diagnosis.report.disagreements.is_empty() => {
            "The addresses answer, but the nodes disagree on the topology".to_owned()
        }
        0 => "No seed returned a usable topology".to_owned(),
        failed => format!("{failed} of {all} addresses cannot be used"),
    };
    let decisive = diagnosis.report.decisive().map(|failure| format!("; decisive: {}", failure.summary()));
    let decisive = decisive.unwrap_or_default();
    page.line(paint.error(format!("{what}{decisive} ({took} ms, exit code {code}).")))
}
