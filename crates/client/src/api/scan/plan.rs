//! What a scan does next: the pure state machine. It knows no connection and no clock.
//!
//! Every slot is in exactly one place: to do, in one pass, missing, or done. A slot is done only by [`Plan::ended`], for a pass
//! that covered it, once the keys of the pass were handed out. Time is what passed since the scan began.
//!
//! Every scan ends: a slot is missing once it was without progress for as long as the patience is, or once passes over it came to
//! nothing for as long, and several times.

use std::sync::Arc;
use std::time::Duration;

use truename_topology::Endpoint;

use super::error::{MissingCause, MissingSlots};
use super::owners::Owners;
use super::pass::{Begun, Came, Parked, Pass, PassId, Position, Request, Snapshot};
use super::slots::SlotSet;
use super::troubles::Troubles;
use super::verdict::{Outcome, covered};
use super::witness::{Claims, Witness};
use crate::error::TypeError;

/// How many pages of a node may be waiting to be handed out.
const AHEAD: usize = 2;
/// Up to which part of a node's slots, and up to how many, they are scanned one by one where the server can do that: each
/// costs two calls at least.
const FEW: (usize, usize) = (16, 1024);

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

    /// How long it may be without progress.
    pub(super) fn patience(&self) -> Duration {
        self.troubles.patience()
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
            let (stopped, anew) = pass.stopped();
            parked.extend(stopped);
            todo.add(&anew);
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
            self.passes.push(Pass::new(self.last_id, node.clone(), targets));
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
        let (now_said, wanted) = (witness.memo(), self.passes[place].targets.clone());
        let known = self
            .parked
            .iter()
            .position(|parked| parked.goes_on_at(&now_said) && !parked.targets.common(&wanted).is_empty());
        let (memo, position, targets) = match known.map(|at| self.parked.swap_remove(at)) {
            Some(parked) => (parked.memo, parked.position, wanted.common(&parked.targets)),
            None => (now_said, Position::At(0), wanted.common(&witness.settled())),
        };
        let rest = wanted.without(&targets);
        self.todo.add(&rest);
        if known.is_none() {
            let lost = self.forget(&targets);
            self.troubles.note(&rest, Some(&self.passes[place].node), &MissingCause::Moving, now);
            self.troubles.came_to_nothing(&lost, now);
        }
        let pass = &mut self.passes[place];
        let (first, count) = (targets.first(), targets.len());
        pass.targets = Arc::new(targets);
        pass.begun = Some(Begun { memo, position, connection: witness.connection });
        pass.is_busy = false;
        let Some(first) = first else {
            self.passes.remove(place);
            return Next::Nothing;
        };
        match position {
            Position::At(cursor) => {
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

    /// These slots are scanned anew: what a process had handed out of them that is gone, or whose pass would count for nothing,
    /// means nothing any more. Returns for which of them there was such a thing.
    fn forget(&mut self, slots: &SlotSet) -> SlotSet {
        let mut lost = SlotSet::empty();
        for parked in &mut self.parked {
            lost.add(&parked.targets.common(slots));
            parked.targets.take_away(slots);
        }
        self.parked.retain(|parked| !parked.targets.is_empty());
        lost
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

    /// Whether the cursor of a page leads on, and not to where the pass was before.
    pub(super) fn leads_on(&mut self, id: PassId, came: &Came) -> Result<(), TypeError> {
        let pass = self.passes.iter_mut().find(|pass| pass.id == id);
        pass.map_or(Ok(()), |pass| pass.leads_on(came))
    }

    /// A page came. Of these slots its keys are wanted; and whether it is the last one.
    pub(super) fn arrived(&mut self, id: PassId, came: &Came) -> Option<(&Arc<SlotSet>, bool)> {
        let pass = self.passes.iter_mut().find(|pass| pass.id == id)?;
        let is_last = pass.arrived(came);
        Some((&pass.targets, is_last))
    }

    /// All keys of a page were handed out, with which this had come.
    pub(super) fn delivered(&mut self, id: PassId, came: &Came, is_last: bool) -> Next {
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.id == id) else { return Next::Nothing };
        let progressed = pass.delivered(came, is_last);
        self.troubles.progressed(&progressed);
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

    /// The connection that a pass reads from.
    pub(super) fn connection(&self, id: PassId) -> Option<u64> {
        let pass = self.passes.iter().find(|pass| pass.id == id)?;
        pass.begun.as_ref().map(|begun| begun.connection)
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
        let pass = &self.passes[place];
        let Some(begun) = &pass.begun else { return };
        let (done, cause) = match covered(&pass.targets, &begun.memo, &after, &others) {
            Outcome::Covered(done) => (done, MissingCause::Moving),
            Outcome::Restarted => (SlotSet::empty(), MissingCause::Restarting),
            // All was read: what it is worth may be known later.
            Outcome::CutOff => return self.fail(place, MissingCause::CutOff, now),
            Outcome::Unconfirmed => return self.fail(place, MissingCause::Unconfirmed, now),
        };
        let pass = self.passes.swap_remove(place);
        self.troubles.over(&done);
        let rest = pass.targets.without(&done);
        self.todo.add(&rest);
        self.troubles.note(&rest, Some(&pass.node), &cause, now);
        self.troubles.came_to_nothing(&rest, now);
    }

    /// A node did not answer, or refused. What it handed out counts if the same process is met again.
    pub(super) fn failed(&mut self, id: PassId, cause: MissingCause, now: Duration) {
        if let Some(place) = self.passes.iter().position(|pass| pass.id == id) {
            self.fail(place, cause, now);
        }
    }

    /// A server does not scan single slots: from now on nodes are scanned as a whole.
    pub(super) fn refused_slot(&mut self, id: PassId) {
        self.all_at_once = true;
        if let Some(place) = self.passes.iter().position(|pass| pass.id == id) {
            self.stop(place);
        }
    }

    fn fail(&mut self, place: usize, cause: MissingCause, now: Duration) {
        let pass = self.stop(place);
        self.troubles.note(&pass.targets, Some(&pass.node), &cause, now);
    }

    /// Ends a pass; its slots are to do again, from where it was if its process is met again.
    fn stop(&mut self, place: usize) -> Pass {
        let pass = self.passes.swap_remove(place);
        self.parked.extend(pass.stopped().0);
        self.todo.add(&pass.targets);
        pass
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
mod endings_tests;
#[cfg(test)]
mod tests;
