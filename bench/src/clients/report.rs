//! Tables of results, in Markdown: one per cell, and one over all cells at the end.

use super::cell::Cell;
use super::child::Line;
use super::roster::Contestant;
use crate::failure::Failure;
use crate::machine::{self, Machine};
use crate::statistics::{Spread, short};

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

    /// The client's processor time over that of truename, round by round: above 1 is in truename's favour.
    fn ratio(&self, cell: Cell, contestant: Contestant, ours: Contestant) -> String {
        if contestant == ours {
            return "1".to_owned();
        }
        let pairs = self.lines(cell, contestant).filter_map(|(round, theirs)| {
            let (_, ours) = self.lines(cell, ours).find(|(other, _)| *other == round)?;
            Some(theirs.us_per_command() / ours.us_per_command())
        });
        Spread::of(pairs).map_or_else(|| "-".to_owned(), |spread| spread.to_string())
    }

    /// The rows that should be there and have no number in any round.
    pub(super) fn without_a_number(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for entry in &self.0 {
            let name = format!("{} in {}", entry.contestant, entry.cell);
            if self.lines(entry.cell, entry.contestant).next().is_none() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
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
        "| client | version | µs | over truename ct | over truename mt | k/s | p50 µs | p99 µs | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for contestant in contestants.iter().copied().filter(|contestant| contestant.takes(cell.callers)) {
        println!("{}", row(cell, contestant, entries));
        for failure in failures(cell, contestant, entries) {
            println!("| | {failure} |");
        }
    }
    print_missing(missing);
}

fn row(cell: Cell, contestant: Contestant, entries: &Entries) -> String {
    let column = |of: fn(&Line) -> f64| {
        let spread = entries.spread(cell, contestant, of);
        spread.map_or_else(|| "-".to_owned(), |spread| format!("{spread:#}"))
    };
    let version =
        entries.lines(cell, contestant).next().map(|(_, line)| line.version.trim_start_matches('v'));
    let used = entries.spread(cell, contestant, Line::us_per_command);
    let failed: u64 = entries.lines(cell, contestant).map(|(_, line)| line.failed).sum();
    let columns = [
        contestant.to_string(),
        version.unwrap_or("-").to_owned(),
        used.map_or_else(|| "-".to_owned(), |spread| spread.to_string()),
        entries.ratio(cell, contestant, Contestant::TruenameCt),
        entries.ratio(cell, contestant, Contestant::TruenameMt),
        column(|line| line.commands_per_second() / 1000.0),
        column(|line| line.p50_us),
        column(|line| line.p99_us),
        failed.to_string(),
    ];
    format!("| {} |", columns.join(" | "))
}

/// What went wrong, once per text.
fn failures(cell: Cell, contestant: Contestant, entries: &Entries) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in entries.of(cell, contestant) {
        let text = match &entry.outcome {
            Ok(line) => line.first_failure.clone(),
            Err(failure) => Some(failure.to_string()),
        };
        let text = text.map(|text| text.replace(['\n', '|'], " "));
        texts.extend(text.filter(|text| !texts.contains(text)));
    }
    texts
}

/// A client whose toolchain is not installed, and what of it.
pub(super) type Missing = (Contestant, String);

fn print_missing(missing: &[Missing]) {
    for (contestant, reason) in missing {
        println!("| {contestant} | missing: {reason} |");
    }
}

/// Processor time per command, a column for each cell.
pub(super) fn print_summary(
    cells: &[Cell],
    contestants: &[Contestant],
    missing: &[Missing],
    entries: &Entries,
) {
    println!("\n### µs of processor time per command\n");
    let names: Vec<_> = cells.iter().map(Cell::to_string).collect();
    println!("| client | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(cells.len()));
    for contestant in contestants {
        let column = |cell: &Cell| {
            let used = entries.spread(*cell, *contestant, Line::us_per_command);
            used.map_or_else(|| "-".to_owned(), |spread| short(spread.median))
        };
        let columns: Vec<_> = cells.iter().map(column).collect();
        println!("| {contestant} | {} |", columns.join(" | "));
    }
    print_missing(missing);
}

#[cfg(test)]
mod tests {
    use super::super::cell;
    use super::*;

    fn entry(contestant: Contestant, round: usize, us: Option<f64>) -> Entry {
        let line = |us| Line {
            version: "v1.2".to_owned(),
            commands: 1000,
            seconds: 1.0,
            cpu_us: us * 1000.0,
            p50_us: 5.0,
            p99_us: 9.0,
            failed: 0,
            first_failure: None,
        };
        let outcome = us.map(line).ok_or_else(|| Failure::new("it broke"));
        Entry { contestant, cell: cell::all()[0], round, outcome }
    }

    fn entries() -> Entries {
        Entries(vec![
            entry(Contestant::TruenameCt, 0, Some(1.0)),
            entry(Contestant::Rueidis, 0, Some(4.0)),
            entry(Contestant::TruenameCt, 1, Some(2.0)),
            entry(Contestant::Rueidis, 1, Some(4.0)),
            entry(Contestant::Lettuce, 0, None),
            entry(Contestant::Lettuce, 1, None),
        ])
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let (cell, entries) = (cell::all()[0], entries());
        let ratio = |ours| entries.ratio(cell, Contestant::Rueidis, ours);
        assert_eq!(ratio(Contestant::TruenameCt), "3.00 [2.00-4.00]");
        assert_eq!(ratio(Contestant::TruenameMt), "-");
        let row = row(cell, Contestant::Rueidis, &entries);
        assert!(row.starts_with("| rueidis | 1.2 | 4.00 [4.00-4.00] | 3.00 "), "{row}");
    }

    #[test]
    fn a_row_without_a_number_is_named_once_with_its_reason() {
        let (cell, entries) = (cell::all()[0], entries());
        assert_eq!(entries.without_a_number(), ["lettuce in get64 tcp c=1"]);
        assert_eq!(failures(cell, Contestant::Lettuce, &entries), ["it broke"]);
    }
}
