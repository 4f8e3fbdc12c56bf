//! The matrix: what is measured, at which concurrency, against what, on which runtime.

use std::fmt;

use serde::Serialize;

/// One field of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    pub(crate) site: Site,
    pub(crate) runtime: Runtime,
    pub(crate) workload: Workload,
    /// Tasks that each have one call under way.
    pub(crate) tasks: usize,
    /// Calls per second in total; `None` is a closed loop, in which every task calls as soon as it can.
    pub(crate) rate: Option<u32>,
}

/// The servers that a cell needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Site {
    /// 1 is a single server without cluster support; all others are primaries without replicas.
    pub(crate) shards: usize,
    pub(crate) tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Runtime {
    CurrentThread,
    MultiThread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Workload {
    Get64,
    Set64,
    Get1k,
    Get16k,
    /// 100 GETs of one slot, in the client's pipeline.
    Pipeline100,
    /// 100 GETs of keys of all slots, in the client's pipeline.
    Spread100,
    /// One MGET of 100 keys of all slots.
    Mget100,
}

impl Workload {
    /// Those of every site.
    const ALL: [Self; 5] = [Self::Get64, Self::Set64, Self::Get1k, Self::Get16k, Self::Pipeline100];
    /// Those that only a cluster has.
    const OF_MANY_SLOTS: [Self; 2] = [Self::Spread100, Self::Mget100];

    pub(crate) const fn value_length(self) -> usize {
        match self {
            Self::Get64 | Self::Set64 | Self::Pipeline100 | Self::Spread100 | Self::Mget100 => 64,
            Self::Get1k => 1024,
            Self::Get16k => 16 * 1024,
        }
    }

    /// Commands per call.
    pub(crate) const fn batch(self) -> usize {
        if matches!(self, Self::Pipeline100 | Self::Spread100 | Self::Mget100) { 100 } else { 1 }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Get64 => "get64",
            Self::Set64 => "set64",
            Self::Get1k => "get1k",
            Self::Get16k => "get16k",
            Self::Pipeline100 => "pipeline100",
            Self::Spread100 => "spread100",
            Self::Mget100 => "mget100",
        }
    }
}

const CONCURRENCY: [usize; 5] = [1, 64, 256, 1024, 4096];
const SITES: [Site; 4] = [
    Site { shards: 1, tls: false },
    Site { shards: 1, tls: true },
    Site { shards: 3, tls: false },
    Site { shards: 3, tls: true },
];
const RUNTIMES: [Runtime; 2] = [Runtime::CurrentThread, Runtime::MultiThread];
/// Open loops: every client keeps up with these on two cores, so that latencies compare.
const RATES: [u32; 2] = [10_000, 30_000];
const OPEN_LOOP_TASKS: usize = 256;
/// A wide cluster, plaintext, on one thread: as many tasks as fill three shards, and as many for each shard.
const WIDE: Site = Site { shards: 100, tls: false };
const WIDE_CONCURRENCY: [usize; 2] = [256, 8500];

/// Every cell, in an order that needs each site once.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for site in SITES {
        for runtime in RUNTIMES {
            for workload in Workload::ALL {
                cells.extend(CONCURRENCY.map(|tasks| Cell { site, runtime, workload, tasks, rate: None }));
            }
            let open = |rate| Cell {
                site,
                runtime,
                workload: Workload::Get64,
                tasks: OPEN_LOOP_TASKS,
                rate: Some(rate),
            };
            cells.extend(RATES.map(open));
            if site.shards > 1 {
                for workload in Workload::OF_MANY_SLOTS {
                    cells.extend([1, 64].map(|tasks| Cell { site, runtime, workload, tasks, rate: None }));
                }
            }
        }
    }
    let wide = |tasks| Cell {
        site: WIDE,
        runtime: Runtime::CurrentThread,
        workload: Workload::Get64,
        tasks,
        rate: None,
    };
    cells.extend(WIDE_CONCURRENCY.map(wide));
    cells
}

/// What half an hour allows: GET at every concurrency everywhere, the other workloads where they show something new.
pub(crate) fn full() -> Vec<Cell> {
    all().into_iter().filter(Cell::is_in_full).collect()
}

/// What two minutes allow.
pub(crate) fn quick() -> Vec<Cell> {
    all().into_iter().filter(Cell::is_in_quick).collect()
}

impl Cell {
    /// Whether the adapter is compared here, too: its cost over the client's is the same everywhere else.
    pub(crate) fn shows_adapter(&self) -> bool {
        self.site.shards > 1 && self.workload == Workload::Get64 && self.tasks == 64 && self.rate.is_none()
    }

    fn is_in_full(&self) -> bool {
        let clustered = self.site.shards > 1;
        match (self.workload, self.rate) {
            (_, Some(_)) => clustered,
            (Workload::Get64, None) => true,
            (Workload::Set64 | Workload::Get1k, None) => clustered && self.tasks == 64,
            (Workload::Get16k | Workload::Pipeline100, None) => clustered && matches!(self.tasks, 1 | 64),
            (Workload::Spread100 | Workload::Mget100, None) => self.runtime == Runtime::CurrentThread,
        }
    }

    fn is_in_quick(&self) -> bool {
        let single = self.runtime == Runtime::CurrentThread;
        match (self.site.shards, self.site.tls, self.workload, self.tasks, self.rate) {
            (1, false, Workload::Get64, 64, None) => single,
            (3, _, Workload::Get64, 64, None) => true,
            (3, true, Workload::Get64, 1, None) => single,
            (3, false, Workload::Get64, 1024, None) => single,
            (3, true, Workload::Set64, 64, None) => single,
            (3, false, Workload::Get16k, 64, None) => single,
            (3, false, Workload::Pipeline100, 1, None) => single,
            (3, true, _, _, Some(rate)) => single && rate == RATES[0],
            _ => false,
        }
    }

    /// Whether the name contains every word.
    pub(crate) fn matches(&self, words: &str) -> bool {
        let name = self.to_string();
        words.split_whitespace().all(|word| name.split(' ').any(|part| part == word))
    }
}

/// The name of a cell, e.g. `get64 3-shards tls ct c=64`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.site.tls { "tls" } else { "tcp" };
        let runtime = match self.runtime {
            Runtime::CurrentThread => "ct",
            Runtime::MultiThread => "mt",
        };
        write!(f, "{} ", self.workload.name())?;
        match self.site.shards {
            1 => f.write_str("1-node")?,
            shards => write!(f, "{shards}-shards")?,
        }
        write!(f, " {transport} {runtime}")?;
        match self.rate {
            None => write!(f, " c={}", self.tasks),
            Some(rate) => write!(f, " rate={rate}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_tell_cells_apart() {
        let names: HashSet<_> = all().iter().map(Cell::to_string).collect();
        assert_eq!(names.len(), all().len());
        assert_eq!(all().iter().filter(|cell| cell.rate.is_none()).count(), 218);
    }

    #[test]
    fn the_choices_are_small_enough() {
        assert!((8..=12).contains(&quick().len()), "{}", quick().len());
        assert!((60..=90).contains(&full().len()), "{}", full().len());
    }

    #[test]
    fn a_filter_matches_whole_words() {
        let wanted: Vec<_> = all().into_iter().filter(|cell| cell.matches("tls c=1 get64 ct")).collect();
        assert!(wanted.iter().all(|cell| cell.tasks == 1) && wanted.len() == 2, "{wanted:?}");
    }
}
