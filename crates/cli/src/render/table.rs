//! Tables: aligned columns where they fit, one block per row where the terminal is too narrow.

use std::io::{self, Write};

use anstyle::Style;

use super::paint::{BAD, DOUBTFUL, GOOD, Paint};

const GAP: usize = 2;

/// A text with a style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: GOOD }
    }

    pub(crate) fn doubtful(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: DOUBTFUL }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: BAD }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::plain(text)
    }
}

/// Rows under headers.
#[derive(Debug)]
pub(crate) struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(headers: impl IntoIterator<Item = &'static str>) -> Self {
        Self { headers: headers.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row with a cell for every header.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.headers.len());
        self.rows.push(cells);
    }

    /// Writes the table for a terminal of this width; `None` is as wide as it takes.
    pub(crate) fn write(&self, out: &mut dyn Write, paint: Paint, width: Option<usize>) -> io::Result<()> {
        let widths = self.widths();
        let total = widths.iter().sum::<usize>() + GAP * widths.len();
        if width.is_some_and(|width| total > width) {
            self.blocks(out, paint)
        } else {
            self.columns(out, paint, &widths)
        }
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column)).map(Cell::width);
        let headers = self.headers.iter().enumerate();
        headers.map(|(column, header)| cells(column).max().unwrap_or(0).max(header.chars().count())).collect()
    }

    fn columns(&self, out: &mut dyn Write, paint: Paint, widths: &[usize]) -> io::Result<()> {
        let headers: Vec<Cell> = self
            .headers
            .iter()
            .map(|header| Cell { text: (*header).to_owned(), style: Style::new().dimmed() })
            .collect();
        let headers = std::iter::once(&headers).filter(|row| row.iter().any(|cell| !cell.text.is_empty()));
        for row in headers.chain(&self.rows) {
            let mut line = String::new();
            let mut owed = 0;
            for (cell, width) in row.iter().zip(widths) {
                // Spaces are owed until the next text, so that no line ends in them.
                if cell.text.is_empty() {
                    owed += width + GAP;
                    continue;
                }
                line.push_str(&" ".repeat(owed + GAP));
                line.push_str(&paint.apply(cell.style, &cell.text));
                owed = width - cell.width();
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn blocks(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let label = self.headers.iter().map(|header| header.chars().count()).max().unwrap_or(0);
        for row in &self.rows {
            let mut filled = self.headers.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty());
            if let Some((_, first)) = filled.next() {
                writeln!(out, "  {}", paint.apply(first.style.bold(), &first.text))?;
            }
            for (header, cell) in filled {
                writeln!(
                    out,
                    "    {} {}",
                    paint.dim(format!("{header:label$}")),
                    paint.apply(cell.style, &cell.text)
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(width: Option<usize>) -> String {
        let mut table = Table::new(["node", "role", "PING"]);
        table.row(["10.0.0.4:8501".into(), "primary".into(), Cell::good("0.4 ms")]);
        table.row(["b:1".into(), "".into(), Cell::bad("timed out")]);
        let mut out = Vec::new();
        table.write(&mut out, Paint::new(false), width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_lines_end_in_text() {
        let expected = "  node           role     PING\n  10.0.0.4:8501  primary  0.4 ms\n  b:1                     timed out\n";
        assert_eq!(written(None), expected);
        assert_eq!(written(Some(120)), expected);
    }

    #[test]
    fn a_narrow_terminal_gets_blocks() {
        let expected = "  10.0.0.4:8501\n    role primary\n    PING 0.4 ms\n  b:1\n    PING timed out\n";
        assert_eq!(written(Some(30)), expected);
    }
}
