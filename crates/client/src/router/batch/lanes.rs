//! Members by where they go: to one lane each, or to none before something is known about their slot.
//!
//! What must stay true: the members of one slot stay together, in the order of the batch.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use smallvec::SmallVec;
use truename_topology::Slot;

use super::member::Member;
use crate::cluster::{Node, Topology};
use crate::lane::Lane;

/// The members that go to one lane, by this topology.
pub(super) struct Part<'r, 'a> {
    pub(super) node: Arc<Node>,
    /// Not kept alive: it keeps connections.
    pub(super) topology: Weak<Topology>,
    pub(super) members: VecDeque<Member<'r, 'a>>,
    /// How many were sent since they were sorted.
    pub(super) sent: usize,
    /// Whether all members have their place in the order of a slot, which one node serves.
    pub(super) has_order: bool,
}

impl Part<'_, '_> {
    /// Whether this is the snapshot that it was sorted by.
    pub(super) fn is_by(&self, topology: &Arc<Topology>) -> bool {
        Weak::as_ptr(&self.topology) == Arc::as_ptr(topology)
    }
}

/// So many lanes are looked through; of more, each is looked up.
const FEW: usize = 16;

/// Numbers lanes by their first appearance.
#[derive(Default)]
pub(super) struct Lanes {
    /// Their addresses, which are those of nodes that are kept meanwhile.
    few: SmallVec<[usize; FEW]>,
    more: HashMap<usize, usize>,
    /// The latest one and its number: neighbours often go to the same.
    latest: (usize, usize),
}

impl Lanes {
    pub(super) fn index_of(&mut self, lane: &Lane) -> usize {
        let lane = std::ptr::from_ref(lane).addr();
        if self.latest.0 != lane {
            self.latest = (lane, self.look_up(lane));
        }
        self.latest.1
    }

    fn look_up(&mut self, lane: usize) -> usize {
        if let Some(index) = self.few.iter().position(|few| *few == lane) {
            return index;
        }
        if self.few.len() < FEW {
            self.few.push(lane);
            return self.few.len() - 1;
        }
        let next = FEW + self.more.len();
        *self.more.entry(lane).or_insert(next)
    }
}

/// Members by the lane that they go to.
#[derive(Default)]
pub(super) struct ByLane<'r, 'a> {
    parts: Vec<(Arc<Node>, Vec<Member<'r, 'a>>)>,
    lanes: Lanes,
}

impl<'r, 'a> ByLane<'r, 'a> {
    pub(super) fn add(&mut self, node: Arc<Node>, member: Member<'r, 'a>) {
        let index = self.lanes.index_of(node.lane(member.attempts.slot()));
        if index == self.parts.len() {
            self.parts.push((node, Vec::new()));
        }
        self.parts[index].1.push(member);
    }

    /// Takes the members of these slots out.
    fn take(&mut self, is_taken: impl Fn(&Member<'r, 'a>) -> bool, into: &mut Vec<Member<'r, 'a>>) {
        for (_, members) in &mut self.parts {
            let (taken, left) = std::mem::take(members).into_iter().partition(&is_taken);
            *members = left;
            into.extend::<Vec<_>>(taken);
        }
    }

    pub(super) fn into_parts(
        self,
        topology: &Arc<Topology>,
        has_order: impl Fn(&Member<'r, 'a>) -> bool,
    ) -> Vec<Part<'r, 'a>> {
        let parts = self.parts.into_iter().filter(|(_, members)| !members.is_empty());
        parts
            .map(|(node, members)| {
                let (topology, has_order) = (Arc::downgrade(topology), members.iter().all(&has_order));
                Part { node, topology, members: members.into(), sent: 0, has_order }
            })
            .collect()
    }
}

/// Groups held members by their slots, with all others of these slots that have an order, in the order of the batch.
pub(super) fn take_slots<'r, 'a>(
    mut held: Vec<Member<'r, 'a>>,
    by_lane: &mut ByLane<'r, 'a>,
    has_order: impl Fn(&Member<'r, 'a>) -> bool,
) -> Vec<Vec<Member<'r, 'a>>> {
    if held.is_empty() {
        return Vec::new();
    }
    let slots: HashSet<Slot> = held.iter().filter_map(|member| member.attempts.slot()).collect();
    let is_of_them =
        |member: &Member<'_, '_>| member.attempts.slot().is_some_and(|slot| slots.contains(&slot));
    by_lane.take(|member| is_of_them(member) && has_order(member), &mut held);
    held.sort_unstable_by_key(|member| member.position);
    by_slot(held)
}

/// Groups members by their slots, each group in the order given. One without a slot is alone.
pub(super) fn by_slot<'r, 'a>(members: Vec<Member<'r, 'a>>) -> Vec<Vec<Member<'r, 'a>>> {
    let mut groups: Vec<Vec<_>> = Vec::new();
    let mut indices: HashMap<Slot, usize> = HashMap::new();
    for member in members {
        let group = match member.attempts.slot() {
            Some(slot) => *indices.entry(slot).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(group) {
            Some(members) => members.push(member),
            None => groups.push(vec![member]),
        }
    }
    groups
}
