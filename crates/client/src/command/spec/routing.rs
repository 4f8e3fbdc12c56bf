//! Where commands go whose keys servers do not describe, which go to many nodes, and which cannot be sent without a second
//! look.

use super::row::row_of;
use super::{Affinity, Flags, KeyRule, RequestPolicy, ResponsePolicy, Spec};
use crate::command::keys::Arguments;

/// Their argument is a slot, and only its owner knows the answer. The server does not say that it is not the owner.
const BY_SLOT: &[&str] = &["CLUSTER COUNTKEYSINSLOT", "CLUSTER GETKEYSINSLOT"];

/// They act on the node that executes them, and on what it holds at that time; servers do not flag them as administrative.
const OF_ITS_NODE: &[&str] = &["TRIMSLOTS"];

/// They go to many nodes by themselves, as what only reads does: executed twice, or by nodes that had it, they leave what they
/// leave once. `RANDOMKEY` has no policy that others have.
const FANNED: &[&str] = &["SCRIPT LOAD", "FUNCTION LOAD", RANDOM_KEY];

/// The one command of [`FANNED`] whose replies become one in a way of its own.
pub(crate) const RANDOM_KEY: &str = "RANDOMKEY";

/// Corrects the keys and a flag, then marks the commands that [`Spec::is_unusual`].
pub(super) const fn mark(table: &mut [Spec]) {
    let mut i = 0;
    while i < BY_SLOT.len() {
        let row = row_of(table, BY_SLOT[i]);
        table[row].keys = KeyRule::SlotNumber { at: 2 };
        i += 1;
    }
    i = 0;
    while i < OF_ITS_NODE.len() {
        let row = row_of(table, OF_ITS_NODE[i]);
        table[row].flags = table[row].flags.with(Flags::ADMIN);
        i += 1;
    }
    let row = row_of(table, "DEBUG");
    table[row].keys = KeyRule::Debug;
    // Servers say that it concerns all shards, but it works equally well on any node.
    let row = row_of(table, "PING");
    table[row].flags = table[row].flags.with(Flags::ANY_WILL_DO);
    i = 0;
    while i < FANNED.len() {
        let row = row_of(table, FANNED[i]);
        table[row].flags = table[row].flags.with(Flags::FANNED);
        i += 1;
    }
    let mut row = 0;
    while row < table.len() {
        let spec = &mut table[row];
        let Reach { is_shared, is_for_many, is_administrative } = spec.reach();
        if !is_shared || is_for_many || is_administrative || spec.may_have_many_keys() {
            spec.flags = spec.flags.with(Flags::UNUSUAL);
        }
        row += 1;
    }
}

impl Spec {
    /// Whether [`Reach::refusal`] may refuse it, depending on its arguments and on who asks.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.flags.contains(Flags::UNUSUAL)
    }

    /// Whether it may have keys of several slots, which no server takes. `DEBUG` looks at no slot.
    pub(crate) const fn may_have_many_keys(&self) -> bool {
        match self.keys {
            KeyRule::None | KeyRule::First | KeyRule::SlotNumber { .. } | KeyRule::Debug => false,
            KeyRule::Range { first, last, .. } => first as i8 != last,
            _ => true,
        }
    }

    /// Whether it goes to many nodes although the caller says nothing: it reads, or may be repeated, and the replies become
    /// one. What destroys or configures goes to many only if the caller says so.
    pub(crate) fn fans_out<A: Arguments + ?Sized>(&self, args: &A) -> bool {
        let is_for_all = matches!(self.request, RequestPolicy::AllNodes | RequestPolicy::AllShards);
        let becomes_one = match (self.request, self.response) {
            // Whose entries these are would be lost, as would the numbers that name them (`SLOWLOG GET`).
            (RequestPolicy::AllNodes, ResponsePolicy::Default) | (_, ResponsePolicy::Special) => false,
            // In order of a metric, and so many at most: of each node, not of all.
            _ => {
                self.name != "CLUSTER SLOT-STATS"
                    || !args.at(2).is_some_and(|word| word.eq_ignore_ascii_case(b"ORDERBY"))
            }
        };
        is_for_all && (self.flags.contains(Flags::FANNED) || (becomes_one && self.changes_nothing(args)))
    }

    pub(crate) const fn reach(&self) -> Reach {
        let is_for_many = matches!(
            self.request,
            RequestPolicy::AllNodes | RequestPolicy::AllShards | RequestPolicy::Special
        );
        Reach {
            is_shared: matches!(self.affinity, Affinity::Shared),
            is_for_many: is_for_many && !self.flags.contains(Flags::ANY_WILL_DO),
            is_administrative: self.flags.contains(Flags::ADMIN),
        }
    }
}

/// What a command reaches beyond its own keys, by the table or as a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// It needs nothing of its connection and leaves it as it is.
    pub(crate) is_shared: bool,
    /// One node's answer is only a part.
    pub(crate) is_for_many: bool,
    /// It acts on the node that executes it.
    pub(crate) is_administrative: bool,
}

impl Reach {
    /// Nothing: what most commands reach.
    pub(crate) const ONE: Self = Self { is_shared: true, is_for_many: false, is_administrative: false };

    /// Why the command must not be sent; `None` if it may. `is_placed`: the caller or a key says to which node it goes, or
    /// there is only one.
    ///
    /// What concerns many nodes, and goes to one of them, gives a part that looks like the whole: `DBSIZE`, `FLUSHALL`,
    /// `SCAN`. What an operator sends acts on the node that happens to get it: `SHUTDOWN`, `CLUSTER RESET`, `BGSAVE`.
    pub(crate) fn refusal(self, is_placed: bool) -> Option<RouteRefusal> {
        match self {
            Self { is_shared: false, .. } => Some(RouteRefusal::ConnectionState),
            _ if is_placed => None,
            Self { is_for_many: true, .. } => Some(RouteRefusal::SeveralNodes),
            Self { is_administrative: true, .. } => Some(RouteRefusal::Administrative),
            _ => None,
        }
    }
}

/// Whether a server takes the command with this name for an HTTP request that a browser was made to send, and ends the
/// connection (`securityWarningCommand` in `server.c`, Redis 3.2 to 8, Valkey). It compares as C does: up to a zero byte. So
/// Redis 7.0 does with `QUIT`, whose true name the table has.
#[cold]
pub(crate) fn is_http(name: &[u8]) -> bool {
    let compared = name.split(|byte| *byte == 0).next().unwrap_or_default();
    [&b"POST"[..], b"Host:", b"QUIT"].iter().any(|word| word.eq_ignore_ascii_case(compared))
}

/// Why a command must not be sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteRefusal {
    /// It changes the state of its connection.
    ConnectionState,
    /// It concerns several nodes.
    SeveralNodes,
    /// Its keys are in several slots.
    SeveralSlots,
    /// It acts on the one node that executes it.
    Administrative,
    /// The server would take it for an HTTP request, and end the connection.
    HttpRequest,
}
