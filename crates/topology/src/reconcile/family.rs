//! Which views speak of the cluster in question.

use std::collections::HashSet;

use super::ballot::{Ballot, Key};
use super::{Disagreement, Standing};
use crate::view::Origin;
use crate::{AnnouncedNode, Slot, SlotMap, View};

/// The views that are counted.
pub(super) struct Believed {
    /// Their indexes.
    pub(super) views: Vec<usize>,
    pub(super) standing: Standing,
}

/// The views of the known cluster, unless it is gone; those of most where none is known.
pub(super) fn of_the_known_cluster(views: &[View], current: Option<&SlotMap>) -> Believed {
    let Some(current) = current else { return of_most(views, None) };
    let known = Members::of(current.nodes().iter());
    let is_foreign = |view: &usize| !Members::of(views[*view].nodes()).meets(&known);
    let (foreign, native): (Vec<usize>, Vec<usize>) = (0..views.len()).partition(is_foreign);
    // Whoever still speaks of the known cluster. A node that was reset says nothing.
    let known_voices = native.iter().filter(|view| views[**view].assigned_slots() > 0).count();
    let seeds: Vec<usize> = seeds(views).collect();
    let are_all_foreign = seeds.iter().all(|seed| foreign.contains(seed));
    if seeds.is_empty() || !are_all_foreign {
        return Believed { views: native, standing: Standing::Stays };
    }
    if seeds.len() > known_voices && agree(views, &seeds) {
        return Believed { views: seeds, standing: Standing::Replaced };
    }
    Believed { views: native, standing: Standing::Contested }
}

/// The largest group of views that know each other's nodes; among equals the one of the known cluster, then one with a
/// seed, then the first.
pub(super) fn of_most(views: &[View], current: Option<&SlotMap>) -> Believed {
    let members: Vec<Members<'_>> = views.iter().map(|view| Members::of(view.nodes())).collect();
    let known = current.map(|map| Members::of(map.nodes().iter()));
    let is_native = |family: &[usize]| {
        known.as_ref().is_some_and(|known| family.iter().any(|&view| members[view].meets(known)))
    };
    let has_seed = |family: &[usize]| seeds(views).any(|seed| family.contains(&seed));
    let mut families: Vec<Vec<usize>> = Vec::new();
    for view in 0..members.len() {
        let related =
            |family: &&mut Vec<usize>| family.iter().any(|&other| members[view].meets(&members[other]));
        match families.iter_mut().find(related) {
            Some(family) => family.push(view),
            None => families.push(vec![view]),
        }
    }
    let weight = |family: &Vec<usize>| (family.len(), is_native(family), has_seed(family));
    // `max_by_key` takes the last of equals, hence the reversal.
    let largest = families.into_iter().rev().max_by_key(weight).unwrap_or_default();
    let is_replaced = known.is_some() && !largest.is_empty() && !is_native(&largest);
    let standing = if is_replaced { Standing::Replaced } else { Standing::Stays };
    Believed { views: largest, standing }
}

fn seeds(views: &[View]) -> impl Iterator<Item = usize> {
    (0..views.len()).filter(|&view| views[view].origin == Origin::Seed)
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
