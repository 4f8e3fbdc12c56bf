//! Tables of results, in Markdown: one per cell, and one over all cells at the end.

use super::cell::Cell;
use super::child::Line;
use super::roster::Contestant;
use crate::failure::Failure;
use crate::machine::{self, Machine};
use crate::statistics::{Spread, short, shown};

/// One client's run of a cell in one round.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) contestant: Contestant,
    pub(super) cell: Cell,
    pub(super) round: usize,
    pub(super) outcome: Result<Line, Failure>,
}

/// Everything that was run.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Entry>);

impl Entries {
    pub(super) fn add(&mut self, entry: Entry) {
        self.0.push(entry);
    }

    fn of(&self, cell: Cell, contestant: Contestant) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.cell == cell && entry.contestant == contestant)
    }

    fn lines(&self, cell: Cell, contestant: Contestant) -> impl Iterator<Item = (usize, &Line)> {
        self.of(cell, contestant).filter_map(|entry| Some((entry.round, entry.outcome.as_ref().ok()?)))
    }

    fn spread(&self, cell: Cell, contestant: Contestant, of: fn(&Line) -> f64) -> Option<Spread> {
        Spread::of(self.lines(cell, contestant).map(|(_, line)| of(line)))
    }

    /// What truename needed in a round: the mean of its runs, which are at both ends.
    fn reference(&self, cell: Cell, ours: Contestant, round: usize) -> Option<f64> {
        let runs = self.lines(cell, ours).filter(|(other, _)| *other == round);
        let used: Vec<_> = runs.map(|(_, line)| line.us_per_command()).collect();
        (!used.is_empty()).then(|| used.iter().sum::<f64>() / used.len() as f64)
    }

    /// The client's processor time over that of truename, round by round: above 1 is in truename's favour.
    fn ratio(&self, cell: Cell, contestant: Contestant, ours: Contestant) -> String {
        if contestant == ours {
            return "1".to_owned();
        }
        let pairs = self
            .lines(cell, contestant)
            .filter_map(|(round, theirs)| Some(theirs.us_per_command() / self.reference(cell, ours, round)?));
        shown(pairs)
    }

    /// What is wrong with a row: runs without a number, and calls that failed.
    fn flaw(&self, cell: Cell, contestant: Contestant) -> Option<String> {
        let (mut absent, mut failed) = (0, 0);
        for entry in self.of(cell, contestant) {
            match &entry.outcome {
                Ok(line) => failed += line.failed,
                Err(_) => absent += 1,
            }
        }
        match (absent, failed) {
            (0, 0) => None,
            (0, _) => Some(format!("{failed} calls failed")),
            (_, 0) => Some(format!("{absent} runs without a number")),
            (_, _) => Some(format!("{absent} runs without a number, {failed} calls failed")),
        }
    }

    /// The rows that are flawed, and by what.
    pub(super) fn flaws(&self) -> Vec<String> {
        let mut flaws: Vec<String> = Vec::new();
        for Entry { cell, contestant, .. } in &self.0 {
            let flaw = self.flaw(*cell, *contestant).map(|flaw| format!("{contestant} in {cell} ({flaw})"));
            flaws.extend(flaw.filter(|flaw| !flaws.contains(flaw)));
        }
        flaws
    }

    /// A number or a name of a row, with a mark if the row is flawed.
    fn marked(&self, cell: Cell, contestant: Contestant, text: String) -> String {
        if self.flaw(cell, contestant).is_some() { format!("{text} (flawed)") } else { text }
    }
}

/// What everything was measured on.
pub(super) fn print_head(machine: &Machine) {
    println!("{}: truename {}; server: {}", machine::today(), env!("CARGO_PKG_VERSION"), machine.server);
    println!(
        "{} x {}, Linux {}, load {}; medians over rounds [least-most]; µs are the client's processor time per command",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine::load()
    );
}

/// One row per client.
pub(super) fn print_cell(cell: Cell, contestants: &[Contestant], missing: &[Missing], entries: &Entries) {
    println!("\n### {cell}\n");
    println!(
        "| client | version | on | µs | over truename ct | over truename mt | k/s | p50 µs | p99 µs | opened | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for contestant in contestants.iter().copied().filter(|contestant| contestant.takes(cell.callers)) {
        println!("{}", row(cell, contestant, entries));
        for note in notes(cell, contestant, entries) {
            println!("| | {note} |");
        }
    }
    print_missing(missing);
}

fn row(cell: Cell, contestant: Contestant, entries: &Entries) -> String {
    let column = |of: fn(&Line) -> f64| {
        let spread = entries.spread(cell, contestant, of);
        spread.map_or_else(|| "-".to_owned(), |spread| format!("{spread:#}"))
    };
    let lines = || entries.lines(cell, contestant).map(|(_, line)| line);
    let text = |of: fn(&Line) -> &str| lines().next().map_or("-", of).to_owned();
    let used = entries.spread(cell, contestant, Line::us_per_command);
    let opened = lines().filter_map(|line| line.connections_opened).max();
    let failed: u64 = lines().map(|line| line.failed).sum();
    let columns = [
        entries.marked(cell, contestant, contestant.to_string()),
        text(|line| line.version.trim_start_matches('v')),
        text(|line| &line.runtime),
        used.map_or_else(|| "-".to_owned(), |spread| spread.to_string()),
        entries.ratio(cell, contestant, Contestant::TruenameCt),
        entries.ratio(cell, contestant, Contestant::TruenameMt),
        column(|line| line.commands_per_second() / 1000.0),
        column(|line| line.p50_us),
        column(|line| line.p99_us),
        opened.map_or_else(|| "-".to_owned(), |opened| opened.to_string()),
        failed.to_string(),
    ];
    format!("| {} |", columns.join(" | "))
}

/// What went wrong, once per text, and how many latencies were not kept.
fn notes(cell: Cell, contestant: Contestant, entries: &Entries) -> Vec<String> {
    let mut notes = Vec::new();
    for entry in entries.of(cell, contestant) {
        let text = match &entry.outcome {
            Ok(line) => line.first_failure.clone(),
            Err(failure) => Some(failure.to_string()),
        };
        let text = text.map(|text| text.replace(['\n', '|'], " "));
        notes.extend(text.filter(|text| !notes.contains(text)));
    }
    let missed: u64 = entries.lines(cell, contestant).map(|(_, line)| line.missed).sum();
    if missed > 0 {
        notes.push(format!("{missed} latencies are not in p50 and p99"));
    }
    notes
}

/// A client whose toolchain is not installed, and what of it.
pub(super) type Missing = (Contestant, String);

fn print_missing(missing: &[Missing]) {
    for (contestant, reason) in missing {
        println!("| {contestant} | missing: {reason} |");
    }
}

/// Processor time per command and its ratios to truename's, a column for each cell.
pub(super) fn print_summary(
    cells: &[Cell],
    contestants: &[Contestant],
    missing: &[Missing],
    entries: &Entries,
) {
    let used = |cell, contestant| {
        let used = entries.spread(cell, contestant, Line::us_per_command);
        used.map_or_else(|| "-".to_owned(), |spread| short(spread.median))
    };
    let over = |ours| move |cell, contestant| entries.ratio(cell, contestant, ours);
    let print = |title: &str, number: &dyn Fn(Cell, Contestant) -> String| {
        println!("\n### {title}\n");
        let names: Vec<_> = cells.iter().map(Cell::to_string).collect();
        println!("| client | {} |", names.join(" | "));
        println!("|---|{}", "---|".repeat(cells.len()));
        for contestant in contestants.iter().copied() {
            let column = |cell: &Cell| entries.marked(*cell, contestant, number(*cell, contestant));
            let columns: Vec<_> = cells.iter().map(column).collect();
            println!("| {contestant} | {} |", columns.join(" | "));
        }
        print_missing(missing);
    };
    print("µs of processor time per command", &used);
    print("The same over truename ct", &over(Contestant::TruenameCt));
    print("The same over truename mt", &over(Contestant::TruenameMt));
}

#[cfg(test)]
mod tests {
    use super::super::cell;
    use super::*;

    fn line(us: f64, failed: u64) -> Line {
        Line {
            version: "v1.2".to_owned(),
            runtime: "go1.26".to_owned(),
            commands: 1000,
            seconds: 1.0,
            cpu_us: us * 1000.0,
            p50_us: 5.0,
            p99_us: 9.0,
            missed: failed,
            connections_opened: Some(failed),
            failed,
            first_failure: (failed > 0).then(|| "it was refused".to_owned()),
        }
    }

    fn entry(contestant: Contestant, round: usize, us: Option<f64>) -> Entry {
        let outcome = us.map(|us| line(us, 0)).ok_or_else(|| Failure::new("it broke"));
        Entry { contestant, cell: cell::all()[0], round, outcome }
    }

    fn entries() -> Entries {
        let refused = Entry {
            contestant: Contestant::GoRedis,
            cell: cell::all()[0],
            round: 0,
            outcome: Ok(line(7.0, 3)),
        };
        Entries(vec![
            entry(Contestant::TruenameCt, 0, Some(0.5)),
            entry(Contestant::Rueidis, 0, Some(4.0)),
            entry(Contestant::TruenameCt, 0, Some(1.5)),
            entry(Contestant::TruenameCt, 1, Some(2.0)),
            entry(Contestant::Rueidis, 1, Some(4.0)),
            entry(Contestant::Lettuce, 0, None),
            entry(Contestant::Lettuce, 1, Some(4.0)),
            refused,
            entry(Contestant::GoRedis, 1, Some(7.0)),
        ])
    }

    #[test]
    fn ratios_are_to_the_mean_of_truenames_runs_of_the_same_round() {
        let (cell, entries) = (cell::all()[0], entries());
        let ratio = |ours| entries.ratio(cell, Contestant::Rueidis, ours);
        assert_eq!(ratio(Contestant::TruenameCt), "3.00 [2.00-4.00]");
        assert_eq!(ratio(Contestant::TruenameMt), "-");
        let row = row(cell, Contestant::Rueidis, &entries);
        assert!(row.starts_with("| rueidis | 1.2 | go1.26 | 4.00 [4.00-4.00] | 3.00 "), "{row}");
        assert!(row.ends_with("| 9.00 | 0 | 0 |"), "{row}");
    }

    #[test]
    fn one_run_without_a_number_or_one_call_that_failed_makes_a_row_flawed() {
        let (cell, entries) = (cell::all()[0], entries());
        let flaws = [
            "lettuce in get64 tcp c=1 (1 runs without a number)",
            "go-redis in get64 tcp c=1 (3 calls failed)",
        ];
        assert_eq!(entries.flaws(), flaws);
        assert_eq!(notes(cell, Contestant::Lettuce, &entries), ["it broke"]);
        let told = ["it was refused", "3 latencies are not in p50 and p99"];
        assert_eq!(notes(cell, Contestant::GoRedis, &entries), told);
        let name = |contestant| row(cell, contestant, &entries).split(" | ").next().unwrap().to_owned();
        assert_eq!(name(Contestant::Lettuce), "| lettuce (flawed)");
        assert_eq!(name(Contestant::GoRedis), "| go-redis (flawed)");
        assert_eq!(name(Contestant::Rueidis), "| rueidis");
    }
}
