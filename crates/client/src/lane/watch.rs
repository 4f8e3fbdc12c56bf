//! What a lane's deadlines need to be kept where its task stands still: what the process's clock knows about the lane, and
//! which runtime the task runs on. See [`super::overdue`].

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::Instant;

use crate::clock::Reminder;

/// What the process's clock knows about a lane.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// No deadline before this one goes unwatched; and the one alarm that sees to it.
    pub(super) from: Option<(Instant, Reminder)>,
    /// The lane's task was late with its checks at the latest look.
    pub(super) is_overdue: bool,
    /// The check that the task is late with, and since when callers of its own runtime are polled all the same.
    pub(super) polled: Option<(Instant, Instant)>,
}

impl Watch {
    /// Whether a command with this deadline must be made known to the clock.
    #[inline]
    pub(super) fn misses(&self, deadline: Instant) -> bool {
        self.from.as_ref().is_none_or(|(from, _)| deadline < *from)
    }

    #[inline]
    pub(super) fn is_overdue(&self) -> bool {
        self.is_overdue
    }
}

/// The runtime that a lane's task runs on.
#[derive(Debug)]
pub(super) struct Home {
    id: Option<Id>,
    /// Its tasks run in parallel: that one is polled does not mean that another one is.
    pub(super) has_workers: bool,
}

impl Home {
    /// The current one.
    pub(super) fn here() -> Self {
        let current = Handle::try_current().ok();
        let flavor = current.as_ref().map(Handle::runtime_flavor);
        let has_workers = !matches!(flavor, None | Some(RuntimeFlavor::CurrentThread));
        Self { id: current.map(|current| current.id()), has_workers }
    }

    pub(super) fn is_here(&self) -> bool {
        Handle::try_current().ok().map(|current| current.id()) == self.id
    }
}
