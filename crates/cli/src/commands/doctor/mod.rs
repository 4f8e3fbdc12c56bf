//! `truename doctor`: probes every seed and node, and says what is wrong and what would fix it.
//!
//! - [`Diagnosis`] is what was found out, with everything that the text and the JSON form need
//! - [`check`]: the cells of a row, as pure functions of a [`truename::probe::NodeReport`]
//! - [`text`], [`document`]: the two forms
//!
//! The probing is the library's; nothing on a server is changed.

mod check;
mod document;
mod text;

use std::collections::HashSet;
use std::io;

use serde_json::Value;
use truename::Certificate;
use truename::error::{Cause, NodeFailure};
use truename::probe::{ClusterReport, NodeReport, examine};
use truename::topology::{Endpoint, Profile, Slot};

use crate::context::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, Page, Report, human, json};

/// A certificate that expires sooner than this is worth a warning.
const WARN_DAYS: i64 = 30;

/// What was found out about a cluster.
struct Diagnosis {
    report: ClusterReport,
    profile: Option<&'static Profile>,
    login: Option<String>,
    tls: bool,
    /// When this was, in seconds since 1970: expiry is counted from here.
    now: i64,
}

/// Probes every node and prints the diagnosis.
pub(crate) async fn run(target: &Target, output: &mut Output) -> Result<Exit, Failure> {
    let diagnosis = Diagnosis {
        report: examine(&target.config).await?,
        profile: target.config.effective_profile(),
        login: target.login.clone(),
        tls: target.tls,
        now: json::now(),
    };
    output.show(&diagnosis)?;
    Ok(diagnosis.exit())
}

impl Diagnosis {
    /// Seeds first.
    fn rows(&self) -> impl Iterator<Item = &NodeReport> {
        self.report.seeds.iter().chain(&self.report.nodes)
    }

    /// How many addresses have such a row. A seed that is announced as well is one address.
    fn addresses(&self, is_such: impl Fn(&NodeReport) -> bool) -> usize {
        let such = self.rows().filter(|row| is_such(row)).map(|row| &row.node.endpoint);
        such.collect::<HashSet<_>>().len()
    }

    fn exit(&self) -> Exit {
        if self.report.is_healthy() {
            return Exit::Ok;
        }
        match self.report.decisive() {
            Some(failure) => (&failure.cause).into(),
            None if self.report.slots_without_owner() > 0 => Exit::BadTopology,
            None => Exit::Problem,
        }
    }

    /// Every failure that keeps a node from being used, once. A seed is asked twice, for itself and for the topology.
    fn failures(&self) -> Vec<&NodeFailure> {
        let of_rows = self.rows().filter(|row| !row.is_healthy()).flat_map(|row| &row.failures);
        let mut failures: Vec<&NodeFailure> = Vec::new();
        for failure in of_rows.chain(&self.report.failures) {
            let is_told = failures.iter().any(|told| {
                (&told.node, told.is_seed, &told.dialled)
                    == (&failure.node, failure.is_seed, &failure.dialled)
                    && (told.phase, &told.cause) == (failure.phase, &failure.cause)
            });
            if !is_told {
                failures.push(failure);
            }
        }
        failures
    }

    /// What is wrong with the topology itself, a line each.
    fn topology_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(map) = &self.report.topology
            && map.assigned() < Slot::COUNT
        {
            let ranges = map.ranges().into_iter().filter(|(_, owner)| owner.is_none());
            let ranges: Vec<_> = ranges.map(|(range, _)| range).collect();
            let seed = self.report.source.as_ref().map(|seed| format!(", says seed {seed}"));
            faults.push(format!(
                "{} of {} slots have no owner that can be addressed{}: {}. Commands for their keys fail.",
                Slot::COUNT - map.assigned(),
                Slot::COUNT,
                seed.unwrap_or_default(),
                human::few(&ranges, " ranges")
            ));
        }
        faults.extend(self.report.disagreements.iter().map(|what| format!("The nodes disagree: {what}.")));
        faults
    }

    /// Primaries with slots: how many there are, and those without a replica.
    fn primaries(&self) -> (usize, Vec<&Endpoint>) {
        let Some(map) = &self.report.topology else { return (0, Vec::new()) };
        let mut owners: Vec<_> = map.ranges().into_iter().filter_map(|(_, owner)| owner).collect();
        owners.sort();
        owners.dedup();
        let alone = owners.iter().map(|owner| &map.shards()[owner.index()]);
        let alone = alone.filter(|shard| shard.replicas().is_empty());
        (owners.len(), alone.map(|shard| &map.nodes()[shard.primary().index()].endpoint).collect())
    }

    /// Whether names were at fault anywhere.
    fn has_name_mismatch(&self) -> bool {
        let mut failures = self.rows().flat_map(|row| &row.failures).chain(&self.report.failures);
        failures.any(|failure| failure.cause == Cause::NameMismatch)
    }

    /// Nodes that were reached only by a detour, with the attempt that failed before.
    fn detours(&self) -> impl Iterator<Item = (&NodeReport, &NodeFailure)> {
        let healthy = self.rows().filter(|row| row.is_healthy());
        healthy.filter_map(|row| Some((row, row.failures.first()?)))
    }

    /// Certificates that expire soon, each with the nodes that present it.
    fn expiring(&self) -> Vec<Expiring<'_>> {
        let mut expiring: Vec<Expiring<'_>> = Vec::new();
        for row in self.rows() {
            let Some(certificate) = check::certificate(row) else { continue };
            if certificate.days_left(self.now) >= WARN_DAYS {
                continue;
            }
            match expiring.iter_mut().find(|known| known.certificate == certificate) {
                Some(known) => known.nodes.push(&row.node.endpoint),
                None => expiring.push(Expiring { certificate, nodes: vec![&row.node.endpoint] }),
            }
        }
        expiring
    }
}

/// A certificate that expires soon, or has expired.
struct Expiring<'a> {
    certificate: &'a Certificate,
    nodes: Vec<&'a Endpoint>,
}

impl Report for Diagnosis {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        text::write(self, page)
    }

    fn json(&self) -> Value {
        document::of(self)
    }
}
