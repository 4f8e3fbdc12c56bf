//! What is measured: which reads, by how many callers, over which transport. Always three shards.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What one call reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Reads {
    /// GET of 64 bytes.
    #[value(name = "get64")]
    Get64,
    /// MGET of 100 keys of one slot.
    #[value(name = "mget100")]
    Mget100,
    /// 100 GETs of one slot by the client's pipeline.
    #[value(name = "pipeline100")]
    Pipeline100,
}

impl Reads {
    pub(crate) const ALL: [Self; 3] = [Self::Get64, Self::Mget100, Self::Pipeline100];
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get64 => "get64",
            Self::Mget100 => "mget100",
            Self::Pipeline100 => "pipeline100",
        })
    }
}

/// One field of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) reads: Reads,
    pub(super) tls: bool,
    /// Callers that each have one call under way.
    pub(super) callers: usize,
}

const CALLERS: [usize; 3] = [1, 64, 1024];

/// Every cell, in an order that needs each kind of servers once.
pub(super) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for tls in [false, true] {
        for reads in Reads::ALL {
            cells.extend(CALLERS.map(|callers| Cell { reads, tls, callers }));
        }
    }
    cells
}

impl Cell {
    /// What less than an hour allows: every cell that says something of its own.
    pub(super) fn is_in_full(&self) -> bool {
        self.reads != Reads::Mget100 || self.callers <= 64
    }

    /// What three minutes allow.
    pub(super) fn is_in_quick(&self) -> bool {
        self.reads == Reads::Get64 && (self.callers == 64 || self.callers == 1024 && !self.tls)
    }

    /// Whether the name contains every word.
    pub(super) fn matches(&self, words: &str) -> bool {
        let name = self.to_string();
        words.split_whitespace().all(|word| name.split(' ').any(|part| part == word))
    }
}

/// The name of a cell, e.g. `get64 tls c=64`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tls { "tls" } else { "tcp" };
        write!(f, "{} {transport} c={}", self.reads, self.callers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen() {
        let count = |is_in: fn(&Cell) -> bool| all().iter().filter(|cell| is_in(cell)).count();
        assert_eq!((all().len(), count(Cell::is_in_full), count(Cell::is_in_quick)), (18, 16, 3));
    }

    #[test]
    fn a_filter_matches_whole_words() {
        let wanted: Vec<_> = all().into_iter().filter(|cell| cell.matches("c=1 get64 tls")).collect();
        assert_eq!(wanted, [Cell { reads: Reads::Get64, tls: true, callers: 1 }]);
    }
}
