//! What is shown while the workload runs: a few lines on a terminal, and a timeline for afterwards.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::io::IsTerminal as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use truename::Client;
use truename::topology::Slot;

use super::tally::Tally;
use super::workload::{Workload, sum};
use crate::render::Page;
use crate::render::human::{count, duration};
use crate::render::table::{Cell, Table};

/// How often the terminal is refreshed.
const REFRESH: Duration = Duration::from_millis(250);
/// The step of the timeline, in refreshes.
const STEP: u32 = 4;

/// One step of the timeline.
struct Step {
    at: Duration,
    phase: &'static str,
    per_second: u64,
    p99: Duration,
    failed: u64,
    wrong: u64,
}

/// Watches a workload.
pub(super) struct Live {
    client: Client,
    tallies: Vec<Arc<Mutex<Tally>>>,
    slots: Vec<Slot>,
    is_terminal: bool,
    started: Instant,
    steps: Vec<Step>,
    /// The counts at the last refresh and at the last step, with their times.
    refreshed: (Instant, Tally),
    stepped: (Instant, Tally),
    ticks: u32,
}

impl Live {
    pub(super) fn new(client: &Client, workload: &Workload) -> Self {
        let now = (Instant::now(), workload.tally());
        Self {
            client: client.clone(),
            tallies: workload.tallies(),
            slots: workload.slots(),
            is_terminal: io::stderr().is_terminal(),
            started: now.0,
            steps: Vec::new(),
            refreshed: now.clone(),
            stepped: now,
            ticks: 0,
        }
    }

    /// Watches until the phase ends. Then the terminal is as it was, so that others can write on it.
    pub(super) async fn during<T>(&mut self, phase: &'static str, running: impl Future<Output = T>) -> T {
        let mut running = pin!(running);
        let bar = self.is_terminal.then(bar);
        let mut ticks = interval_at(Instant::now() + REFRESH, REFRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                done = &mut running => {
                    self.step(phase);
                    return done;
                }
                _ = ticks.tick() => self.tick(phase, bar.as_ref()),
            }
        }
    }

    fn tick(&mut self, phase: &'static str, bar: Option<&ProgressBar>) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(STEP) {
            self.step(phase);
        }
        let now = (Instant::now(), sum(&self.tallies));
        if let Some(bar) = bar {
            bar.set_message(self.message(phase, &now));
            bar.tick();
        }
        self.refreshed = now;
    }

    /// Adds to the timeline what happened since its last step.
    fn step(&mut self, phase: &'static str) {
        let now = (Instant::now(), sum(&self.tallies));
        let (since, before) = &self.stepped;
        let elapsed = now.0 - *since;
        // The rest of a phase that is too short to say anything is counted with the next one.
        if elapsed < REFRESH {
            return;
        }
        self.steps.push(Step {
            at: now.0 - self.started,
            phase,
            per_second: rate(now.1.operations - before.operations, elapsed),
            p99: now.1.p99_since(before),
            failed: now.1.failed() - before.failed(),
            wrong: now.1.wrong_answers - before.wrong_answers,
        });
        self.stepped = now;
    }

    fn message(&self, phase: &str, (now, tally): &(Instant, Tally)) -> String {
        let (since, before) = &self.refreshed;
        let elapsed = *now - *since;
        let operations = count(rate(tally.operations - before.operations, elapsed));
        let mut message = format!(
            "{phase}: {operations} operations/s, p99 {}, failed {}, wrong answers {}",
            duration(tally.p99_since(before)),
            count(tally.failed()),
            tally.wrong_answers,
        );
        for (node, operations) in self.by_node(tally, before) {
            message.push_str(&format!("\n    {node:24} {:>8}/s", count(rate(operations, elapsed))));
        }
        message
    }

    /// Operations between two counts, by the node that owns the key now.
    fn by_node(&self, tally: &Tally, before: &Tally) -> BTreeMap<String, u64> {
        let map = self.client.topology();
        let mut nodes = BTreeMap::new();
        for ((slot, now), before) in self.slots.iter().zip(&tally.by_key).zip(&before.by_key) {
            if let Some(node) = map.primary(*slot) {
                *nodes.entry(node.endpoint.to_string()).or_default() += now - before;
            }
        }
        nodes
    }

    /// A row for each node that served something since the start.
    pub(super) fn write_nodes(&self, page: &mut Page<'_>) -> io::Result<()> {
        let (now, tally) = &self.stepped;
        let elapsed = *now - self.started;
        let nothing = Tally { by_key: vec![0; self.slots.len()], ..Tally::new(0) };
        let mut table = Table::new(["primary", "operations", "per second"]);
        for (node, operations) in self.by_node(tally, &nothing) {
            table.row([node.into(), count(operations).into(), count(rate(operations, elapsed)).into()]);
        }
        page.table(&table)?;
        page.indented(format!(
            "{} operations, p99 {}, failed {}, wrong answers {}",
            count(tally.operations),
            duration(tally.p99_since(&nothing)),
            tally.failed(),
            tally.wrong_answers
        ))
    }

    /// What happened when.
    pub(super) fn write_timeline(&self, page: &mut Page<'_>) -> io::Result<()> {
        let mut table = Table::new(["second", "phase", "operations/s", "p99", "failed", "wrong answers"]);
        let number = |number: u64| if number == 0 { Cell::plain("0") } else { Cell::bad(count(number)) };
        for step in &self.steps {
            table.row([
                format!("{:.1}", step.at.as_secs_f64()).into(),
                step.phase.into(),
                count(step.per_second).into(),
                duration(step.p99).into(),
                number(step.failed),
                number(step.wrong),
            ]);
        }
        page.table(&table)
    }
}

/// Takes its lines off the terminal when it is dropped.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_finish(ProgressFinish::AndClear)
}

/// Per second.
fn rate(number: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    number.saturating_mul(1000) / millis
}
