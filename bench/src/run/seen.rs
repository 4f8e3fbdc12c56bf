//! What the window of a run shows: calls, time, processor time and allocations between its two ends.

use std::time::{Duration, Instant};

use super::board::{Board, Phase};
use crate::allocations::{Allocations, Counter};
use crate::usage;

/// A window that is open.
pub(super) struct Open<'a> {
    board: &'a Board,
    servers: &'a [u32],
    counts: Vec<u64>,
    counter: Counter,
    began: Look,
}

/// A window that was closed.
pub(super) struct Seen {
    /// Calls of each task.
    pub(super) counts: Vec<u64>,
    pub(super) seconds: f64,
    pub(super) server_us: f64,
    pub(super) client_us: f64,
    pub(super) allocated: Option<Allocations>,
}

/// The clocks at one moment.
struct Look {
    at: Instant,
    servers: Duration,
    own: Duration,
}

impl Look {
    fn now(servers: &[u32]) -> Self {
        Self { at: Instant::now(), servers: usage::of(servers), own: usage::own() }
    }
}

impl<'a> Open<'a> {
    pub(super) fn now(board: &'a Board, tasks: usize, servers: &'a [u32]) -> Self {
        let mut counts = vec![0; tasks];
        board.enter(Phase::Measuring);
        board.read(&mut counts);
        let counter = Counter::start();
        Self { board, servers, counts, counter, began: Look::now(servers) }
    }

    /// Tells the tasks to end.
    pub(super) fn close(self) -> Seen {
        let Self { board, servers, mut counts, counter, began } = self;
        let ended = Look::now(servers);
        let allocated = counter.stop();
        board.subtract_from(&mut counts);
        board.enter(Phase::Done);
        Seen {
            counts,
            seconds: (ended.at - began.at).as_secs_f64(),
            server_us: (ended.servers - began.servers).as_secs_f64() * 1e6,
            client_us: (ended.own - began.own).as_secs_f64() * 1e6,
            allocated,
        }
    }
}
