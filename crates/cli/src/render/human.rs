//! Text for people: a page to write on.

use std::fmt::Display;
use std::io::{self, Write};

use super::paint::Paint;
use super::table::Table;

/// Something to write lines on.
pub(crate) struct Page<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
    width: Option<usize>,
}

impl<'a> Page<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, paint: Paint, width: Option<usize>) -> Self {
        Self { out, paint, width }
    }

    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    pub(crate) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A heading with an empty line above it.
    pub(crate) fn heading(&mut self, text: impl Display) -> io::Result<()> {
        let heading = self.paint.heading(text);
        writeln!(self.out, "\n{heading}")
    }

    /// Every line of the text, indented by two.
    pub(crate) fn indented(&mut self, text: impl Display) -> io::Result<()> {
        text.to_string().lines().try_for_each(|line| writeln!(self.out, "  {line}"))
    }

    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        table.write(self.out, self.paint, self.width)
    }
}

/// The width of the terminal on standard output; `None` when that is not a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&width| width > 0)
}

/// A duration in the unit that reads best.
pub(crate) fn duration(duration: std::time::Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

/// The first three of a list, and how many `what` follow.
pub(crate) fn few(all: &[impl Display], what: &str) -> String {
    const SHOWN: usize = 3;
    let first: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = all.len().checked_sub(SHOWN).filter(|more| *more > 0);
    first.join(", ") + &more.map(|more| format!(" and {more} more{what}")).unwrap_or_default()
}

/// A number with thousands separated: 12,345.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_list_is_cut() {
        for (all, text) in [
            (&[][..], ""),
            (&[1], "1"),
            (&[1, 2, 3], "1, 2, 3"),
            (&[1, 2, 3, 4, 5], "1, 2, 3 and 2 more ranges"),
        ] {
            assert_eq!(few(all, " ranges"), text);
        }
    }

    #[test]
    fn numbers_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (micros, text) in [(412, "0.41 ms"), (9_990, "9.99 ms"), (12_400, "12 ms"), (1_234_000, "1.23 s")]
        {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }
}
