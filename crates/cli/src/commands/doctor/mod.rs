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

use std::io;

use serde_json::Value;
use truename::Certificate;
use truename::error::NodeFailure;
use truename::probe::{ClusterReport, NodeReport, examine};
use truename::topology::{Endpoint, Profile, Slot};

use crate::context::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, Page, Report, json};

/// A certificate that ends sooner than this is worth a warning.
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
        let lost = self.report.slots_without_owner();
        if lost > 0 {
            faults.push(format!(
                "{lost} of {} slots have no owner that can be addressed: commands for their keys fail.",
                Slot::COUNT
            ));
        }
        faults.extend(self.report.disagreements.iter().map(|what| format!("The nodes disagree: {what}.")));
        faults
    }

    /// Nodes that were reached only by a detour, with the attempt that failed before.
    fn detours(&self) -> impl Iterator<Item = (&NodeReport, &NodeFailure)> {
        let healthy = self.rows().filter(|row| row.is_healthy());
        healthy.filter_map(|row| Some((row, row.failures.first()?)))
    }

    /// Certificates that end soon, each with the nodes that present it.
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

/// A certificate that ends soon, or has ended.
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
