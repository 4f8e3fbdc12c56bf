//! [`Pass`]: one node, scanned for the keys of some slots; and what is left of it when it stops ([`Parked`]).
//!
//! What must stay true: what is kept of a pass that stopped are keys that were handed out, and nothing that was only read.

use std::sync::Arc;

use truename_topology::{Endpoint, Slot};

use super::digest::Digest;
use super::slots::SlotSet;
use super::walk::Walk;
use super::witness::Memo;
use crate::error::TypeError;

/// A number for each pass.
pub(super) type PassId = u32;

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Of all keys of the node, from this cursor on (`SCAN`).
    All(u64),
    /// Of this slot's keys (`CLUSTERSCAN`), from its beginning or from a cursor of the server's own form on.
    Slot(Slot, Option<String>),
}

/// What came with a page: where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// `SCAN`'s cursor, 0 at the end.
    All(u64),
    /// `CLUSTERSCAN`'s cursor; `None` at the end of the slot.
    Slot(Slot, Option<String>),
}

/// How far a node's keys were handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Up to this cursor.
    At(u64),
    /// All of them, and it was not yet looked at what that is worth.
    End,
}

/// A pass that goes on where the process is met again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parked {
    pub(super) memo: Memo,
    pub(super) position: Position,
    pub(super) targets: SlotSet,
}

impl Parked {
    /// Whether it may go on at a node that says this of itself. Its cursor holds for one process alone; and once the epoch
    /// is another one, its end would count for nothing.
    pub(super) fn goes_on_at(&self, now: &Memo) -> bool {
        self.memo.process == now.process && self.memo.epoch == now.epoch
    }
}

/// All there is to know about a scan that stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) parked: Vec<Parked>,
    /// Slots of no pass.
    pub(super) todo: SlotSet,
}

/// What a pass began with.
#[derive(Debug)]
pub(super) struct Begun {
    /// What the node said before its first key was read.
    pub(super) memo: Memo,
    pub(super) position: Position,
    /// The connection on which the process was asked who it is: pages count only from there.
    pub(super) connection: u64,
}

/// A node that is asked, or scanned, for the keys of some slots.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) id: PassId,
    pub(super) node: Endpoint,
    pub(super) targets: Arc<SlotSet>,
    pub(super) begun: Option<Begun>,
    /// Where its cursors have led so far: those of one slot, or of all.
    walk: Option<(Option<Slot>, Walk)>,
    /// The next page to be asked for.
    pub(super) next: Option<Request>,
    pub(super) is_busy: bool,
    pub(super) unread: usize,
    /// Where slots are scanned one by one: those whose keys were all handed out.
    handed_out: SlotSet,
}

impl Pass {
    /// A pass over a node that is still to be asked who it is.
    pub(super) fn new(id: PassId, node: Endpoint, targets: SlotSet) -> Self {
        let (targets, handed_out) = (Arc::new(targets), SlotSet::empty());
        Self { id, node, targets, begun: None, walk: None, next: None, is_busy: true, unread: 0, handed_out }
    }

    /// Whether the cursor that came with a page leads on, and not to where the pass was before.
    pub(super) fn leads_on(&mut self, came: &Came) -> Result<(), TypeError> {
        let (of, cursor) = match came {
            Came::All(0) | Came::Slot(_, None) => {
                self.walk = None;
                return Ok(());
            }
            Came::All(cursor) => (None, *cursor),
            Came::Slot(slot, Some(cursor)) => (Some(*slot), Digest::of(cursor.as_bytes())),
        };
        match self.walk.as_mut().filter(|walk| walk.0 == of) {
            Some((_, walk)) => walk.step(cursor),
            None => {
                self.walk = Some((of, Walk::new(cursor)));
                Ok(())
            }
        }
    }

    /// A page came; whether it is the last one.
    pub(super) fn arrived(&mut self, came: &Came) -> bool {
        self.is_busy = false;
        self.unread += 1;
        self.next = match came {
            Came::All(0) => None,
            Came::All(cursor) => Some(Request::All(*cursor)),
            Came::Slot(slot, Some(cursor)) => Some(Request::Slot(*slot, Some(cursor.clone()))),
            Came::Slot(slot, None) => self.targets.after(*slot).map(|slot| Request::Slot(slot, None)),
        };
        self.next.is_none()
    }

    /// All keys of a page were handed out. Returns the slots for which that will not have to be done again.
    pub(super) fn delivered(&mut self, came: &Came, is_last: bool) -> SlotSet {
        self.unread -= 1;
        let position = match came {
            _ if is_last => Position::End,
            Came::All(cursor) => Position::At(*cursor),
            // The slot that is under way is begun anew.
            Came::Slot(..) => Position::At(0),
        };
        if let Some(begun) = &mut self.begun {
            begun.position = position;
        }
        match came {
            Came::All(_) => SlotSet::clone(&self.targets),
            Came::Slot(_, Some(_)) => SlotSet::empty(),
            Came::Slot(slot, None) => {
                self.handed_out.insert(*slot);
                [*slot].into_iter().collect()
            }
        }
    }

    /// What is left of it if it stops here: what goes on where the process is met again, and slots that are begun anew.
    pub(super) fn stopped(&self) -> (Option<Parked>, SlotSet) {
        let Some(Begun { memo, position, .. }) = &self.begun else {
            return (None, SlotSet::clone(&self.targets));
        };
        let (position, targets) = match position {
            Position::At(0) => (Position::End, self.handed_out.clone()),
            position => (*position, SlotSet::clone(&self.targets)),
        };
        let anew = self.targets.without(&targets);
        let parked = Parked { memo: *memo, position, targets };
        ((!parked.targets.is_empty()).then_some(parked), anew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_is_walked_by_itself() {
        let slot = |number| Slot::new(number).expect("a slot");
        let mut pass = Pass::new(1, Endpoint::new("a", 1), SlotSet::all());
        let mut leads_on = |came| pass.leads_on(&came).is_ok();
        let next = || Some("1-{x}".to_owned());
        assert!(leads_on(Came::Slot(slot(1), next())));
        assert!(leads_on(Came::Slot(slot(2), next())), "another slot");
        assert!(!leads_on(Came::Slot(slot(2), next())));
        for cursor in [7, 9, 0, 7, 9] {
            assert!(leads_on(Came::All(cursor)), "{cursor}");
        }
        assert!(!leads_on(Came::All(9)));
    }
}
