//! The result of the demo, and whether it is a success.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::proof::Proofs;
use super::tally::Tally;
use super::workload::Ledger;
use crate::exit::Exit;
use crate::render::human::{count, duration};
use crate::render::table::{Cell, Table};
use crate::render::{Page, Report, json};

/// How the client followed the cluster.
#[derive(Debug)]
pub(super) struct Recovery {
    /// When the cluster began to move.
    pub(super) started: Instant,
    /// How long it took to move.
    pub(super) moved: Duration,
    /// From the beginning until all new primaries were connected; `None` if that was not seen.
    pub(super) followed: Option<Duration>,
}

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) tally: Tally,
    pub(super) ledger: Ledger,
    pub(super) recovery: Recovery,
    pub(super) before: Proofs,
    pub(super) after: Proofs,
}

impl Summary {
    /// Success means: no answer was wrong, nothing is lost or doubled, and the client is back.
    pub(super) fn exit(&self) -> Exit {
        let Ledger { lost, duplicates, unread } = self.ledger;
        let is_right = self.tally.wrong_answers + lost + duplicates + unread == 0;
        let is_back = self.recovery.followed.is_some() && self.after.is_complete();
        if is_right && is_back { Exit::Ok } else { Exit::Problem }
    }

    /// From the beginning of the move to the last operation that failed; zero if none did.
    fn last_failure(&self) -> Duration {
        let last = self.tally.last_failure;
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.recovery.started))
    }

    /// From the beginning of the move until everything succeeded again, on connections to the new nodes.
    fn recovered(&self) -> Option<Duration> {
        Some(self.recovery.followed?.max(self.last_failure()))
    }

    fn failures(&self) -> Cell {
        let kinds = self.tally.failures.iter().map(|(kind, failures)| {
            format!("{} {kind} ({} may have executed)", failures.count, failures.may_have_executed)
        });
        let kinds: Vec<String> = kinds.collect();
        if kinds.is_empty() { Cell::good("0") } else { Cell::doubtful(kinds.join(", ")) }
    }

    fn recovery_text(&self) -> Cell {
        let Some(recovered) = self.recovered() else { return Cell::bad("not recovered") };
        let relation = if recovered <= self.recovery.moved {
            format!("{} before the move was over", duration(self.recovery.moved - recovered))
        } else {
            format!("{} after the move was over", duration(recovered - self.recovery.moved))
        };
        Cell::good(format!("{} from the first step of the move, {relation}", duration(recovered)))
    }
}

/// Zero is good, anything else is not.
fn none_wanted(number: u64) -> Cell {
    if number == 0 { Cell::good("0") } else { Cell::bad(count(number)) }
}

impl Report for Summary {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        let mut table = Table::new(["", ""]);
        let p99 = duration(Duration::from_micros(self.tally.latencies.value_at_quantile(0.99)));
        let last_failure = match self.tally.last_failure {
            None => "no operation failed".to_owned(),
            Some(_) => format!("{} after the move began", duration(self.last_failure())),
        };
        let followed = self.recovery.followed;
        for (what, cell) in [
            ("operations", count(self.tally.operations).into()),
            ("failed", self.failures()),
            ("wrong answers", none_wanted(self.tally.wrong_answers)),
            ("executed twice", none_wanted(self.ledger.duplicates)),
            ("acknowledged and lost", none_wanted(self.ledger.lost)),
            ("not readable at the end", none_wanted(self.ledger.unread)),
            ("p99, slowest", format!("{p99}, {}", duration(self.tally.slowest)).into()),
            ("the move took", duration(self.recovery.moved).into()),
            ("last failure", last_failure.into()),
            (
                "new primaries connected",
                followed.map_or_else(|| Cell::bad("not seen"), |took| duration(took).into()),
            ),
            ("recovered", self.recovery_text()),
        ] {
            table.row([what.into(), cell]);
        }
        page.table(&table)?;
        page.heading("Verified before the move")?;
        self.before.write(page)?;
        page.heading("Verified after it")?;
        self.after.write(page)?;
        page.blank()?;
        match self.exit() {
            Exit::Ok => page.line(
                page.paint().good("Passed: every answer was right and the client followed the cluster."),
            ),
            _ => page.line(page.paint().error("FAILED: see the numbers above.")),
        }
    }

    fn json(&self) -> Value {
        let failures = self.tally.failures.iter().map(|(kind, failures)| {
            json!({ "kind": kind, "count": failures.count, "may_have_executed": failures.may_have_executed })
        });
        json!({
            "schema": "truename.demo/1",
            "exit_code": self.exit().code(),
            "operations": self.tally.operations,
            "failed": self.tally.failed(),
            "failures": failures.collect::<Value>(),
            "wrong_answers": self.tally.wrong_answers,
            "duplicates": self.ledger.duplicates,
            "lost": self.ledger.lost,
            "unread": self.ledger.unread,
            "p99_ms": json::ms(Duration::from_micros(self.tally.latencies.value_at_quantile(0.99))),
            "slowest_ms": json::ms(self.tally.slowest),
            "move_ms": json::ms(self.recovery.moved),
            "last_failure_ms": self.tally.last_failure.map(|_| json::ms(self.last_failure())),
            "new_primaries_connected_ms": self.recovery.followed.map(json::ms),
            "recovered_ms": self.recovered().map(json::ms),
            "verified_before": self.before.json(),
            "verified_after": self.after.json(),
        })
    }
}
