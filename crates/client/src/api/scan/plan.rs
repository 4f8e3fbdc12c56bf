//! What a scan does next: the pure state machine. It knows no connection and no clock.
//!
//! Every slot is in exactly one place: to do, in one pass, missing, or done. A slot is done only by [`Plan::ended`], for a pass
//! that covered it, once the keys of the pass were handed out. Time is what passed since the scan began.
//!
//! Every scan ends: a slot without progress is missing once the patience is over, and one whose passes come to nothing is
//! after some of them.

use std::sync::Arc;
use std::time::Duration;

use truename_topology::{Endpoint, NodeIx, Slot, SlotMap};

use super::error::{MissingCause, MissingSlots};
use super::slots::SlotSet;
use super::troubles::Troubles;
use super::witness::{Claims, Memo, Outcome, Witness, covered};

/// How many pages of a node may be waiting to be handed out.
const AHEAD: usize = 2;
/// Up to which part of a node's slots, and up to how many, they are scanned one by one where the server can do that: each
/// costs two calls at least.
const FEW: (usize, usize) = (16, 1024);

/// A number for each pass.
pub(super) type PassId = u32;

/// Who has which slots in the eyes of the client.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) nodes: Vec<(Endpoint, SlotSet)>,
    pub(super) unowned: SlotSet,
}

impl Owners {
    pub(super) fn of(map: &SlotMap) -> Self {
        let mut unowned = SlotSet::empty();
        let mut by_shard: Vec<SlotSet> = map.shards().iter().map(|_| SlotSet::empty()).collect();
        for (range, owner) in map.ranges() {
            owner.map_or(&mut unowned, |shard| &mut by_shard[shard.index()]).insert_range(range);
        }
        let nodes = map.shards().iter().zip(by_shard).filter(|(_, slots)| !slots.is_empty());
        let endpoint = |primary: NodeIx| map.nodes()[primary.index()].endpoint.clone();
        let nodes = nodes.map(|(shard, slots)| (endpoint(shard.primary()), slots)).collect();
        Self { nodes, unowned }
    }
}

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

/// All there is to know about a scan that stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) parked: Vec<Parked>,
    /// Slots of no pass.
    pub(super) todo: SlotSet,
}

/// A node that is asked, or scanned, for the keys of some slots.
#[derive(Debug)]
struct Pass {
    id: PassId,
    node: Endpoint,
    targets: Arc<SlotSet>,
    /// What the node said before its first key was read.
    begun: Option<(Memo, Position)>,
    /// The next page to be asked for.
    next: Option<Request>,
    is_busy: bool,
    unread: usize,
}

/// What to do now.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Nodes to ask who they are and what they have.
    pub(super) ask: Vec<(PassId, Endpoint)>,
    /// What is given up.
    pub(super) missing: Vec<MissingSlots>,
    /// When to look again, if nothing happens before.
    pub(super) look_again: Option<Duration>,
}

/// What to do about a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for pages.
    Read,
    /// See what the pass is worth.
    End,
    /// Nothing: the pass is over, or something else comes first.
    Nothing,
}

/// The state of a scan.
#[derive(Debug)]
pub(super) struct Plan {
    todo: SlotSet,
    missing: SlotSet,
    passes: Vec<Pass>,
    parked: Vec<Parked>,
    troubles: Troubles,
    parallelism: usize,
    last_id: PassId,
    /// A server refused to scan single slots.
    all_at_once: bool,
}

impl Plan {
    pub(super) fn new(from: Option<Snapshot>, parallelism: usize, patience: Duration) -> Self {
        let from = from.unwrap_or_else(|| Snapshot { parked: Vec::new(), todo: SlotSet::all() });
        let mut todo = from.todo;
        from.parked.iter().for_each(|parked| todo.add(&parked.targets));
        Self {
            todo,
            missing: SlotSet::empty(),
            passes: Vec::new(),
            parked: from.parked,
            troubles: Troubles::new(patience),
            parallelism,
            last_id: 0,
            all_at_once: false,
        }
    }

    /// Gives up all that is left.
    pub(super) fn abandon(&mut self, cause: MissingCause) -> Option<MissingSlots> {
        let Snapshot { todo, parked } = self.snapshot();
        self.parked = parked;
        self.passes.clear();
        let before = std::mem::replace(&mut self.missing, todo);
        self.parked.iter().for_each(|parked| self.missing.add(&parked.targets));
        self.todo = SlotSet::empty();
        let slots = self.missing.without(&before).ranges();
        (!slots.is_empty()).then_some(MissingSlots { slots, node: None, cause })
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        self.passes.is_empty() && self.todo.is_empty()
    }

    /// Whether all slots are done.
    pub(super) fn is_complete(&self) -> bool {
        self.is_over() && self.missing.is_empty()
    }

    /// Where another scan can go on: what was not handed out, or is missing, is still to do.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut todo = self.todo.clone();
        todo.add(&self.missing);
        let mut parked = Vec::new();
        for pass in &self.passes {
            match pass.begun {
                Some((memo, position)) if position != Position::At(0) => {
                    parked.push(Parked { memo, position, targets: SlotSet::clone(&pass.targets) });
                }
                _ => todo.add(&pass.targets),
            }
        }
        for old in &self.parked {
            let targets = old.targets.common(&todo);
            if !targets.is_empty() {
                todo.take_away(&targets);
                parked.push(Parked { targets, ..old.clone() });
            }
        }
        Snapshot { parked, todo }
    }

    /// Starts what can be started, and gives up what was tried for too long.
    pub(super) fn step(&mut self, owners: &Owners, now: Duration) -> Step {
        let unowned = self.todo.common(&owners.unowned).without(&self.troubles.resting(now));
        self.troubles.note(&unowned, None, &MissingCause::Unassigned, now);
        let mut step = Step { missing: self.give_up(), ..Step::default() };
        let resting = self.troubles.resting(now);
        for (node, slots) in &owners.nodes {
            if self.passes.len() >= self.parallelism {
                break;
            }
            let targets = self.todo.common(slots).without(&resting);
            if targets.is_empty() || self.passes.iter().any(|pass| pass.node == *node) {
                continue;
            }
            self.last_id = self.last_id.wrapping_add(1);
            self.todo.take_away(&targets);
            self.passes.push(Pass {
                id: self.last_id,
                node: node.clone(),
                targets: Arc::new(targets),
                begun: None,
                next: None,
                is_busy: true,
                unread: 0,
            });
            step.ask.push((self.last_id, node.clone()));
        }
        step.look_again = self.troubles.look_again(&self.todo, now);
        step
    }

    /// A node said who it is and what it has, or not.
    pub(super) fn asked(
        &mut self,
        id: PassId,
        witness: Result<Witness, MissingCause>,
        now: Duration,
    ) -> Next {
        let Some(place) = self.passes.iter().position(|pass| pass.id == id) else { return Next::Nothing };
        let witness = match witness {
            Ok(witness) => witness,
            Err(cause) => {
                self.fail(place, cause, now);
                return Next::Nothing;
            }
        };
        let known = self.parked.iter().position(|parked| {
            parked.memo.process == witness.process
                && !parked.targets.common(&self.passes[place].targets).is_empty()
        });
        let pass = &mut self.passes[place];
        let (memo, position, targets) = match known.map(|at| self.parked.swap_remove(at)) {
            Some(parked) => (parked.memo, parked.position, pass.targets.common(&parked.targets)),
            None => (witness.memo(), Position::At(0), pass.targets.common(&witness.settled())),
        };
        let rest = pass.targets.without(&targets);
        pass.targets = Arc::new(targets);
        pass.begun = Some((memo, position));
        pass.is_busy = false;
        let node = pass.node.clone();
        // What a process that is gone had handed out means nothing any more.
        let mut lost = SlotSet::empty();
        if known.is_none() {
            let of_pass = pass.targets.clone();
            for parked in &mut self.parked {
                lost.add(&parked.targets.common(&of_pass));
                parked.targets.take_away(&of_pass);
            }
            self.parked.retain(|parked| !parked.targets.is_empty());
        }
        self.todo.add(&rest);
        if known.is_none() {
            self.troubles.note(&rest, Some(node), &MissingCause::Moving, now);
        }
        self.troubles.restarted(&lost);
        let pass = &mut self.passes[place];
        let Some(first) = pass.targets.first() else {
            self.passes.remove(place);
            return Next::Nothing;
        };
        match position {
            Position::At(cursor) => {
                let count = pass.targets.len();
                let is_few = count <= FEW.1 && count * FEW.0 <= witness.settled().len();
                let one_by_one = cursor == 0 && is_few && witness.scans_slots && !self.all_at_once;
                pass.next = Some(if one_by_one { Request::Slot(first, None) } else { Request::All(cursor) });
                Next::Read
            }
            Position::End => {
                pass.is_busy = true;
                Next::End
            }
        }
    }

    /// The page to ask for, if it is time for one.
    pub(super) fn read(&mut self, id: PassId) -> Option<(Endpoint, Request)> {
        let pass = self.passes.iter_mut().find(|pass| pass.id == id)?;
        if pass.is_busy || pass.unread >= AHEAD {
            return None;
        }
        let next = pass.next.take()?;
        pass.is_busy = true;
        Some((pass.node.clone(), next))
    }

    /// A page came. Of these slots its keys are wanted; and whether it is the last one.
    pub(super) fn arrived(&mut self, id: PassId, came: &Came) -> Option<(&Arc<SlotSet>, bool)> {
        let pass = self.passes.iter_mut().find(|pass| pass.id == id)?;
        pass.is_busy = false;
        pass.unread += 1;
        let targets = &pass.targets;
        pass.next = match came {
            Came::All(0) => None,
            Came::All(cursor) => Some(Request::All(*cursor)),
            Came::Slot(slot, Some(cursor)) => Some(Request::Slot(*slot, Some(cursor.clone()))),
            Came::Slot(slot, None) => targets.after(*slot).map(|slot| Request::Slot(slot, None)),
        };
        let is_last = pass.next.is_none();
        self.troubles.progressed(targets);
        Some((targets, is_last))
    }

    /// All keys of a page were handed out, with which this had come.
    pub(super) fn delivered(&mut self, id: PassId, came: &Came, is_last: bool) -> Next {
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.id == id) else { return Next::Nothing };
        pass.unread -= 1;
        if let Some((_, position)) = &mut pass.begun {
            *position = match came {
                _ if is_last => Position::End,
                Came::All(cursor) => Position::At(*cursor),
                // So few slots are begun anew.
                Came::Slot(..) => Position::At(0),
            };
        }
        if is_last {
            pass.is_busy = true;
            return Next::End;
        }
        Next::Read
    }

    /// The node of a pass.
    pub(super) fn node(&self, id: PassId) -> Option<&Endpoint> {
        self.passes.iter().find(|pass| pass.id == id).map(|pass| &pass.node)
    }

    /// What the node, and others, said after the last key of a pass was read.
    pub(super) fn ended(
        &mut self,
        id: PassId,
        said: Result<(Witness, Vec<Claims>), MissingCause>,
        now: Duration,
    ) {
        let Some(place) = self.passes.iter().position(|pass| pass.id == id) else { return };
        let (after, others) = match said {
            Ok(said) => said,
            Err(cause) => return self.fail(place, cause, now),
        };
        let pass = self.passes.swap_remove(place);
        let Some((memo, _)) = &pass.begun else { return };
        let (done, cause) = match covered(&pass.targets, memo, &after, &others) {
            Outcome::Covered(done) => (done, MissingCause::Moving),
            Outcome::Restarted => (SlotSet::empty(), MissingCause::Restarting),
            Outcome::CutOff => (SlotSet::empty(), MissingCause::CutOff),
        };
        self.troubles.over(&done);
        let rest = pass.targets.without(&done);
        self.todo.add(&rest);
        self.troubles.note(&rest, Some(pass.node), &cause, now);
        self.troubles.restarted(&rest);
    }

    /// A node did not answer, or refused. What it handed out counts if the same process is met again.
    pub(super) fn failed(&mut self, id: PassId, cause: MissingCause, now: Duration) {
        if let Some(place) = self.passes.iter().position(|pass| pass.id == id) {
            self.fail(place, cause, now);
        }
    }

    /// A node refused to scan a single slot.
    pub(super) fn refused_slot(&mut self, id: PassId, now: Duration) {
        self.all_at_once = true;
        self.failed(id, MissingCause::Moving, now);
    }

    fn fail(&mut self, place: usize, cause: MissingCause, now: Duration) {
        let pass = self.passes.swap_remove(place);
        if let Some((memo, position)) = pass.begun
            && position != Position::At(0)
        {
            self.parked.push(Parked { memo, position, targets: SlotSet::clone(&pass.targets) });
        }
        self.todo.add(&pass.targets);
        self.troubles.note(&pass.targets, Some(pass.node), &cause, now);
    }

    fn give_up(&mut self) -> Vec<MissingSlots> {
        let given_up = self.troubles.give_up(&self.todo);
        for slots in &given_up {
            let slots = slots.slots.iter().flat_map(|range| range.slots()).collect();
            self.todo.take_away(&slots);
            self.missing.add(&slots);
        }
        given_up
    }
}

#[cfg(test)]
mod tests;
