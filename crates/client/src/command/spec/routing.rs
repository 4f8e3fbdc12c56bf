//! Where commands go whose keys servers do not describe, and which commands cannot be sent without a second look.

use super::row::row_of;
use super::{Flags, KeyRule, RequestPolicy, Spec};

/// Their argument is a slot, and only its owner knows the answer. The server does not say that it is not the owner.
const BY_SLOT: &[&str] = &["CLUSTER COUNTKEYSINSLOT", "CLUSTER GETKEYSINSLOT"];

/// Corrects the keys, then marks the commands that [`Spec::is_unusual`].
pub(super) const fn mark(table: &mut [Spec]) {
    let mut i = 0;
    while i < BY_SLOT.len() {
        let row = row_of(table, BY_SLOT[i]);
        table[row].keys = KeyRule::SlotNumber { at: 2 };
        i += 1;
    }
    let row = row_of(table, "DEBUG");
    table[row].keys = KeyRule::Debug;
    let mut row = 0;
    while row < table.len() {
        let spec = &mut table[row];
        if spec.flags.contains(Flags::STATEFUL) || spec.flags.contains(Flags::ADMIN) || spec.is_for_many() {
            spec.flags = spec.flags.with(Flags::UNUSUAL);
        }
        row += 1;
    }
}

impl Spec {
    /// Whether [`Spec::refusal`] may refuse it, depending on its arguments and on who asks.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.flags.contains(Flags::UNUSUAL)
    }

    const fn is_for_many(&self) -> bool {
        matches!(self.request, RequestPolicy::AllNodes | RequestPolicy::AllShards | RequestPolicy::Special)
    }

    /// Why the command must not be sent; `None` if it may. `is_placed`: the caller or a key says to which node it goes, or
    /// there is only one.
    ///
    /// What concerns many nodes, and goes to one of them, gives a part that looks like the whole: `DBSIZE`, `FLUSHALL`,
    /// `SCAN`. What an operator sends acts on the node that happens to get it: `SHUTDOWN`, `CLUSTER RESET`, `BGSAVE`.
    pub(crate) fn refusal(&self, is_placed: bool) -> Option<Refusal> {
        if self.flags.contains(Flags::STATEFUL) {
            return Some(Refusal::ConnectionState);
        }
        if is_placed {
            return None;
        }
        // `PING` works equally well on any node.
        if self.is_for_many() && self.name != "PING" {
            return Some(Refusal::SeveralNodes);
        }
        self.flags.contains(Flags::ADMIN).then_some(Refusal::Administrative)
    }
}

/// Why a command must not be sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It changes the state of its connection.
    ConnectionState,
    /// It concerns several nodes.
    SeveralNodes,
    /// It acts on the one node that executes it.
    Administrative,
}
