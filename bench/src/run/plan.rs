//! What the runs of a cell have in common.

use std::time::Duration;

use crate::cell::Cell;
use crate::keyspace::Keyspace;
use crate::subjects::Settings;
use crate::target::Target;

/// From here on tasks are many: the first calls take long, and a short window would see none end.
const MANY_TASKS: usize = 1000;

/// How long to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    pub(crate) edges: Edges,
}

/// What belongs to a window at its two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edges {
    /// The warm-up begins with the first call, and latencies are of all calls that are under way in the window.
    Open,
    /// The warm-up begins when every task has had its first reply, and latencies are of the calls that end in the window.
    Closed,
}

impl Window {
    /// A window for a cell whose short ones take `length`.
    pub(crate) fn of(cell: &Cell, length: Duration) -> Self {
        match (cell.rate, cell.tasks >= MANY_TASKS) {
            (Some(_), _) => Self::open(length / 2, length * 2),
            (None, true) => Self::open(length, length * 2),
            (None, false) => Self::open(length / 3, length),
        }
    }

    pub(crate) const fn open(warm_up: Duration, length: Duration) -> Self {
        Self { warm_up, length, edges: Edges::Open }
    }
}

/// Everything that the runs of a cell share.
pub(crate) struct Plan {
    pub(crate) cell: Cell,
    pub(crate) target: Target,
    pub(crate) keyspace: Keyspace,
    pub(crate) settings: Settings,
    pub(crate) window: Window,
    pub(crate) servers: Vec<u32>,
}
