//! What was found out about a cluster, and what follows from it.

use std::collections::HashSet;

use truename::Certificate;
use truename::error::{CauseKind, NodeFailure};
use truename::probe::{ClusterReport, NodeReport};
use truename::topology::{Endpoint, Profile, Slot};

use super::check::{self, is_name_mismatch};
use crate::exit::Exit;
use crate::render::human;

/// What was found out about a cluster.
pub(super) struct Diagnosis {
    pub(super) report: ClusterReport,
    pub(super) profile: Option<&'static Profile>,
    pub(super) login: Option<String>,
    pub(super) tls: bool,
    /// When this was, in seconds since 1970: expiry is counted from here.
    pub(super) now: i64,
}

impl Diagnosis {
    /// Seeds first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &NodeReport> {
        self.report.seeds.iter().chain(&self.report.nodes)
    }

    /// How many addresses have such a row. A seed that is announced as well is one address.
    pub(super) fn addresses(&self, is_such: impl Fn(&NodeReport) -> bool) -> usize {
        let such = self.rows().filter(|row| is_such(row)).map(|row| &row.node.endpoint);
        such.collect::<HashSet<_>>().len()
    }

    pub(super) fn exit(&self) -> Exit {
        if self.report.is_healthy() {
            return Exit::Ok;
        }
        match self.report.decisive() {
            Some(failure) => failure.cause.kind().into(),
            None if self.report.slots_without_owner() > 0 => CauseKind::BadTopology.into(),
            None => Exit::Problem,
        }
    }

    /// Every failure that keeps a node from being used, once: a seed's may also be why there is no topology.
    pub(super) fn failures(&self) -> Vec<&NodeFailure> {
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
    pub(super) fn topology_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let lost = self.report.slots_without_owner();
        if let Some(map) = self.report.topology.as_ref().filter(|_| lost > 0) {
            let ranges = map.ranges().into_iter().filter(|(_, owner)| owner.is_none());
            let ranges: Vec<_> = ranges.map(|(range, _)| range).collect();
            let seed = self.report.source.as_ref().map(|seed| format!(", says seed {seed}"));
            faults.push(format!(
                "{lost} of {} slots have no owner that can be addressed{}: {}. Commands for their keys fail.",
                Slot::COUNT,
                seed.unwrap_or_default(),
                human::few(&ranges, " ranges")
            ));
        }
        faults.extend(self.report.disagreements.iter().map(|what| format!("The nodes disagree: {what}.")));
        faults
    }

    /// Primaries with slots: how many there are, and those without a replica.
    pub(super) fn primaries(&self) -> (usize, Vec<&Endpoint>) {
        let Some(map) = &self.report.topology else { return (0, Vec::new()) };
        let owners = map.owners();
        let alone = owners.iter().filter(|shard| shard.replicas().is_empty());
        (owners.len(), alone.map(|shard| &map.nodes()[shard.primary().index()].endpoint).collect())
    }

    /// Whether names were at fault anywhere.
    pub(super) fn has_name_mismatch(&self) -> bool {
        let mut failures = self.rows().flat_map(|row| &row.failures).chain(&self.report.failures);
        failures.any(is_name_mismatch)
    }

    /// Nodes that were reached only by a detour, with the attempt that failed before.
    pub(super) fn detours(&self) -> impl Iterator<Item = (&NodeReport, &NodeFailure)> {
        let healthy = self.rows().filter(|row| row.is_healthy());
        healthy.filter_map(|row| Some((row, row.failures.first()?)))
    }

    /// Certificates that expire soon, each with the nodes that present it.
    pub(super) fn expiring(&self) -> Vec<Expiring<'_>> {
        let mut expiring: Vec<Expiring<'_>> = Vec::new();
        for row in self.rows() {
            let Some(certificate) = check::certificate(row) else { continue };
            if certificate.days_left(self.now) >= truename::CERTIFICATE_NOTICE_DAYS {
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
pub(super) struct Expiring<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) nodes: Vec<&'a Endpoint>,
}
