//! From calls to numbers: how long service was away, and what the bystanders noticed.

use std::time::Duration;

use serde::Serialize;
use truename_lab::history::{Defect, Findings};

use super::load::{Call, History};
use crate::statistics::short;

/// Service is looked at in steps of this length.
const STEP: Duration = Duration::from_millis(100);
/// A step in which fewer calls were served is an outage.
const ENOUGH: f64 = 0.99;
/// How many examples are shown of what was wrong with replies.
const EXAMPLES: usize = 3;

/// What one client made of one fault. Times are seconds since the fault, latencies milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) calls: usize,
    pub(super) failed: usize,
    pub(super) duplicates: u64,
    pub(super) lost: u64,
    pub(super) wrong: u64,
    /// When the servers could serve again.
    pub(super) servers_ready: f64,
    /// When the client served again for good; `None` if not before the end.
    pub(super) recovered: Option<f64>,
    pub(super) longest_ms: f64,
    /// Of the bystanders' calls from the fault until recovery: the share that succeeded, and the p99 of all of them.
    pub(super) bystanders_succeeded: Option<f64>,
    pub(super) bystanders_p99_ms: Option<f64>,
    /// The p99 of all calls before the fault.
    pub(super) baseline_p99_ms: f64,
    /// Examples of wrong replies, of duplicates and of late executions.
    pub(super) evidence: Vec<String>,
    /// The kinds of failures.
    pub(super) failures: Vec<String>,
}

impl Report {
    /// `fault` and `end` are times since the load began.
    pub(super) fn of(
        history: History,
        hurts: impl Fn(usize) -> bool,
        fault: Duration,
        servers_ready: Duration,
        end: Duration,
    ) -> Self {
        let (before, after): (Vec<Call>, Vec<Call>) =
            history.calls.into_iter().partition(|call| call.began + call.took < fault);
        let (hurt, bystanders): (Vec<_>, Vec<_>) = after.iter().partition(|call| hurts(call.shard));
        let recovered = recovery(&hurt, fault, end);
        let over = fault + recovered.unwrap_or(end).max(servers_ready);
        let bystanders: Vec<_> = bystanders.into_iter().filter(|call| call.began < over).collect();
        let succeeded = bystanders.iter().filter(|call| call.succeeded).count();
        Self {
            calls: after.len(),
            failed: after.iter().filter(|call| !call.succeeded).count(),
            duplicates: history.findings.count(Defect::Twice),
            lost: history.findings.count(Defect::Lost),
            wrong: history.findings.count(Defect::Foreign),
            servers_ready: servers_ready.as_secs_f64(),
            recovered: recovered.map(|recovered| recovered.as_secs_f64()),
            longest_ms: after.iter().map(|call| milliseconds(call.took)).fold(0.0, f64::max),
            bystanders_succeeded: (!bystanders.is_empty())
                .then(|| succeeded as f64 / bystanders.len() as f64),
            bystanders_p99_ms: p99(bystanders.into_iter()),
            baseline_p99_ms: p99(before.iter()).unwrap_or(f64::NAN),
            evidence: evidence(&history.findings),
            failures: history.failures,
        }
    }

    /// A row of the table.
    pub(super) fn columns(&self) -> [String; 9] {
        let missing = || "-".to_owned();
        [
            self.recovered.map_or_else(|| "never".to_owned(), short),
            short(self.servers_ready),
            format!("{} of {}", self.failed, self.calls),
            self.duplicates.to_string(),
            self.wrong.to_string(),
            self.lost.to_string(),
            short(self.longest_ms),
            self.bystanders_succeeded.map_or_else(missing, |share| format!("{:.2} %", 100.0 * share)),
            self.bystanders_p99_ms
                .map_or_else(missing, |p99| format!("{} ({})", short(p99), short(self.baseline_p99_ms))),
        ]
    }
}

/// A write that was executed late is shown and not counted: no client has to promise that what failed has no effect later.
/// What was lost is counted and not shown: asynchronous replication explains it.
fn evidence(findings: &Findings) -> Vec<String> {
    let shown = [Defect::Foreign, Defect::Twice, Defect::Late];
    shown.into_iter().flat_map(|defect| findings.examples(defect)).take(EXAMPLES).cloned().collect()
}

/// How long after the fault the last step ended in which too few calls were served. A step in which nobody could even
/// begin a call is one: all were waiting.
fn recovery(calls: &[&Call], fault: Duration, end: Duration) -> Option<Duration> {
    let steps = (end.saturating_sub(fault).as_nanos() / STEP.as_nanos()) as usize;
    let mut served = vec![(0_usize, 0_usize); steps];
    // A call that began before the fault and was caught by it counts to the first step.
    for call in calls {
        let step = (call.began.saturating_sub(fault).as_nanos() / STEP.as_nanos()) as usize;
        if let Some((good, all)) = served.get_mut(step) {
            *good += usize::from(call.was_served());
            *all += 1;
        }
    }
    let is_outage = |(good, all): &(usize, usize)| *all == 0 || (*good as f64) < ENOUGH * *all as f64;
    let after_last = served.iter().rposition(is_outage).map_or(0, |last| last + 1);
    (after_last < steps).then(|| STEP * u32::try_from(after_last).unwrap_or(u32::MAX))
}

fn p99<'a>(calls: impl Iterator<Item = &'a Call>) -> Option<f64> {
    let mut took: Vec<_> = calls.map(|call| call.took).collect();
    took.sort_unstable();
    let rank = (took.len() as f64 * 0.99).ceil() as usize;
    took.get(rank.checked_sub(1)?).copied().map(milliseconds)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: Duration = Duration::from_secs(1);
    const END: Duration = Duration::from_secs(6);

    fn call(shard: usize, began_ms: u64, took_ms: u64, succeeded: bool) -> Call {
        Call {
            shard,
            began: Duration::from_millis(began_ms),
            took: Duration::from_millis(took_ms),
            succeeded,
        }
    }

    /// Calls every 10 ms; those on shard 0 fail within the given times.
    fn report(outage_ms: std::ops::Range<u64>, failure_takes_ms: u64) -> Report {
        let mut history = History::default();
        for shard in [0, 1] {
            let mut at = 0;
            while at < 6000 {
                let hit = shard == 0 && outage_ms.contains(&at);
                let took = if hit { failure_takes_ms } else { 2 };
                history.calls.push(call(shard, at, took, !hit));
                at += took + 8;
            }
        }
        Report::of(history, |shard| shard == 0, FAULT, Duration::from_secs(2), END)
    }

    #[test]
    fn quick_failures_are_an_outage_until_the_last() {
        let report = report(1000..3050, 2);
        assert_eq!(report.recovered, Some(2.1));
        assert_eq!(report.failed, 205);
        assert_eq!(report.bystanders_succeeded, Some(1.0));
    }

    #[test]
    fn a_silence_is_an_outage_though_few_calls_fail() {
        let report = report(1000..3500, 2000);
        assert_eq!((report.failed, report.longest_ms), (2, 2000.0));
        assert_eq!(report.recovered, Some(4.0));
    }

    #[test]
    fn without_failures_there_is_no_outage_and_with_nothing_else_no_recovery() {
        assert_eq!(report(0..0, 2).recovered, Some(0.0));
        assert_eq!(report(1000..9000, 2).recovered, None);
    }
}
