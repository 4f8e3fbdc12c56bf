//! Which views speak of the cluster in question.

use std::collections::HashSet;

use super::Disagreement;
use super::ballot::{Ballot, Key};
use crate::view::Origin;
use crate::{AnnouncedNode, Slot, SlotMap, View};

/// The indexes of the views that speak of the cluster in question, and whether that is another one than before.
pub(super) fn believed(
    views: &[View],
    current: Option<&SlotMap>,
    disagreements: &mut Vec<Disagreement>,
) -> (Vec<usize>, bool) {
    let members: Vec<Members<'_>> = views.iter().map(|view| Members::of(view.nodes())).collect();
    let seeds: Vec<usize> = (0..views.len()).filter(|&view| views[view].origin == Origin::Seed).collect();
    let mut is_replaced = false;
    let believed = match current {
        None => largest_family(&members, &seeds),
        Some(map) => {
            let known = Members::of(map.nodes().iter());
            let is_foreign = |view: &usize| !members[*view].meets(&known);
            // Whoever still speaks of the known cluster. A node that was reset says nothing.
            let speaks_of_it = |view: &usize| !is_foreign(view) && views[*view].assigned_slots() > 0;
            let known_voices = (0..views.len()).filter(speaks_of_it).count();
            is_replaced = seeds.len() > known_voices && seeds.iter().all(is_foreign) && agree(views, &seeds);
            if is_replaced {
                disagreements.push(Disagreement::Replaced);
                seeds
            } else {
                (0..views.len()).filter(|view| !is_foreign(view)).collect()
            }
        }
    };
    let foreign = (0..views.len()).filter(|view| !believed.contains(view));
    disagreements.extend(foreign.map(|view| Disagreement::Foreign { view }));
    (believed, is_replaced)
}

/// Puts aside the views that name no owner for any slot.
pub(super) fn exclude_empty(
    views: &[View],
    believed: Vec<usize>,
    disagreements: &mut Vec<Disagreement>,
) -> Vec<usize> {
    let (voters, empty): (Vec<usize>, Vec<usize>) =
        believed.into_iter().partition(|&view| views[view].assigned_slots() > 0);
    disagreements.extend(empty.into_iter().map(|view| Disagreement::Empty { view }));
    voters
}

/// Whether these views give every slot to the same owner, and at least one slot to someone.
fn agree(views: &[View], chosen: &[usize]) -> bool {
    let ballots: Vec<Ballot> = chosen.iter().map(|&view| Ballot::new(view, &views[view])).collect();
    let same = |slot| ballots.iter().all(|ballot| ballot.owner(slot) == ballots[0].owner(slot));
    ballots.iter().all(|ballot| ballot.map.assigned() > 0) && Slot::all().all(same)
}

/// The largest group of views that know each other's nodes; among equals the one with a seed, then the first.
fn largest_family(members: &[Members<'_>], seeds: &[usize]) -> Vec<usize> {
    let mut families: Vec<Vec<usize>> = Vec::new();
    for view in 0..members.len() {
        let related =
            |family: &&mut Vec<usize>| family.iter().any(|&other| members[view].meets(&members[other]));
        match families.iter_mut().find(related) {
            Some(family) => family.push(view),
            None => families.push(vec![view]),
        }
    }
    let weight = |family: &Vec<usize>| (family.len(), family.iter().any(|view| seeds.contains(view)));
    // `max_by_key` takes the last of equals, hence the reversal.
    families.into_iter().rev().max_by_key(weight).unwrap_or_default()
}

/// The nodes of a view, as far as they tell clusters apart.
struct Members<'a> {
    ids: HashSet<Key<'a>>,
    places: HashSet<Key<'a>>,
}

impl<'a> Members<'a> {
    fn of(nodes: impl Iterator<Item = &'a AnnouncedNode> + Clone) -> Self {
        Self {
            ids: nodes.clone().filter(|node| node.id.is_some()).map(Key::of).collect(),
            places: nodes.map(Key::of_place).collect(),
        }
    }

    /// Whether the two share a node. Addresses count only where ids are not reported: addresses get reused.
    fn meets(&self, other: &Self) -> bool {
        if self.ids.is_empty() || other.ids.is_empty() {
            !self.places.is_disjoint(&other.places)
        } else {
            !self.ids.is_disjoint(&other.ids)
        }
    }
}
