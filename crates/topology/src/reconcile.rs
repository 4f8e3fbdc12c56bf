//! [`reconcile`]: one slot map out of several nodes' opinions.
//!
//! Nodes learn of changes at different times, an address can be reused by another cluster, and a
//! partitioned node keeps believing what was true before. So:
//!
//! 1. **Foreign views are put aside.** A view that shares no node with the current map describes another
//!    cluster. It is believed only if every view from a configured seed is foreign and all of them agree:
//!    then the user's own addresses lead to a new cluster. Without a current map, the views that share
//!    nodes with most others are believed.
//! 2. **A view without any slot abstains**: a node that was just reset or has not joined yet knows nothing.
//! 3. **Each slot goes to the owner that most of the remaining views name.** A minority is never adopted.
//! 4. **Ties** go to the highest epoch, then to any owner over none, then to the current owner, then to a seed's
//!    view, then to the view that was given first.
//!
//! The epoch only breaks ties, although it is a logical clock: replicas raise `cluster_current_epoch` at every
//! failed election, so the losing side of a partition can have the higher one.

use std::collections::HashSet;
use std::fmt;

use crate::slot::runs;
use crate::view::Origin;
use crate::{AnnouncedNode, Endpoint, NodeId, ShardIx, Slot, SlotMap, SlotRange, View};

/// What became of several views.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reconciled {
    /// The map to use from now on.
    pub map: SlotMap,
    /// The view that the map follows: entirely, or but for the slots in which it was outvoted. `None` if no
    /// view was believed and the map is the current one.
    pub chosen: Option<usize>,
    /// Everything the views did not agree on.
    pub disagreements: Vec<Disagreement>,
}

/// Something that the views did not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disagreement {
    /// A view describes another cluster and was not believed.
    Foreign {
        /// Index of the view.
        view: usize,
    },
    /// Every seed describes the same other cluster, which replaces the known one.
    Replaced,
    /// A view names no owner for any slot and was not counted.
    Empty {
        /// Index of the view.
        view: usize,
    },
    /// Views name different owners.
    Owner {
        /// The slots.
        range: SlotRange,
        /// The owner that was adopted.
        adopted: Option<Endpoint>,
        /// Every owner that was named, with the indexes of the views that named it, ascending.
        claims: Vec<(Option<Endpoint>, Vec<usize>)>,
    },
}

/// Merges views into one map; see the [module](self) for the rules.
///
/// With no views at all, or none that is believed, the result is the current map.
pub fn reconcile(views: &[View], current: Option<&SlotMap>) -> Reconciled {
    let current = current.filter(|map| !map.nodes().is_empty());
    let mut disagreements = Vec::new();
    let believed = exclude_foreign(views, current, &mut disagreements);
    let voters = exclude_empty(views, believed, &mut disagreements);
    if voters.is_empty() {
        let map = current.cloned().unwrap_or_default();
        return Reconciled { map, chosen: None, disagreements };
    }
    let ballots: Vec<Ballot> = voters.iter().map(|&view| Ballot::new(view, &views[view])).collect();
    let winners = elect(&ballots, current, &mut disagreements);
    let base = base_of(&ballots, &winners);
    Reconciled { map: merge(&ballots, &winners, base), chosen: Some(ballots[base].view), disagreements }
}

/// The indexes of the views that speak of the cluster in question.
fn exclude_foreign(
    views: &[View],
    current: Option<&SlotMap>,
    disagreements: &mut Vec<Disagreement>,
) -> Vec<usize> {
    let members: Vec<Members<'_>> = views.iter().map(|view| Members::of(view.nodes())).collect();
    let seeds: Vec<usize> = (0..views.len()).filter(|&view| views[view].origin == Origin::Seed).collect();
    let believed = match current {
        None => largest_family(&members, &seeds),
        Some(map) => {
            let known = Members::of(map.nodes().iter());
            let is_foreign = |view: &usize| !members[*view].meets(&known);
            if !seeds.is_empty() && seeds.iter().all(is_foreign) && agree(views, &seeds) {
                disagreements.push(Disagreement::Replaced);
                seeds
            } else {
                (0..views.len()).filter(|view| !is_foreign(view)).collect()
            }
        }
    };
    let foreign = (0..views.len()).filter(|view| !believed.contains(view));
    disagreements.extend(foreign.map(|view| Disagreement::Foreign { view }));
    believed
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

fn exclude_empty(views: &[View], believed: Vec<usize>, disagreements: &mut Vec<Disagreement>) -> Vec<usize> {
    let (voters, empty): (Vec<usize>, Vec<usize>) =
        believed.into_iter().partition(|&view| views[view].assigned_slots() > 0);
    disagreements.extend(empty.into_iter().map(|view| Disagreement::Empty { view }));
    voters
}

/// The nodes of a view, as far as they tell clusters apart.
struct Members<'a> {
    ids: HashSet<&'a NodeId>,
    endpoints: HashSet<&'a Endpoint>,
}

impl<'a> Members<'a> {
    fn of(nodes: impl Iterator<Item = &'a AnnouncedNode> + Clone) -> Self {
        Self {
            ids: nodes.clone().filter_map(|node| node.id.as_ref()).collect(),
            endpoints: nodes.map(|node| &node.endpoint).collect(),
        }
    }

    /// Whether the two share a node. Addresses count only where ids are not told: addresses get reused.
    fn meets(&self, other: &Self) -> bool {
        if self.ids.is_empty() || other.ids.is_empty() {
            !self.endpoints.is_disjoint(&other.endpoints)
        } else {
            !self.ids.is_disjoint(&other.ids)
        }
    }
}

/// Who a view, or the current map, takes for an owner: the id where it is told, as addresses can differ by
/// the kind of connection that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner<'a> {
    Id(&'a NodeId),
    At(&'a Endpoint),
}

impl<'a> Owner<'a> {
    fn of(node: &'a AnnouncedNode) -> Self {
        node.id.as_ref().map_or(Self::At(&node.endpoint), Self::Id)
    }
}

/// One view, ready to be asked slot by slot.
struct Ballot {
    view: usize,
    map: SlotMap,
    epoch: Option<u64>,
    is_seed: bool,
}

impl Ballot {
    fn new(view: usize, opinion: &View) -> Self {
        let (epoch, is_seed) = (opinion.epoch, opinion.origin == Origin::Seed);
        Self { view, map: SlotMap::from_view(opinion), epoch, is_seed }
    }

    fn owner(&self, slot: Slot) -> Option<Owner<'_>> {
        self.map.primary(slot).map(Owner::of)
    }
}

/// Who won a slot, and the shard that each ballot gives it to: equal for neighbours in the same dispute.
#[derive(PartialEq)]
struct Dispute {
    winner: usize,
    claims: Vec<Option<ShardIx>>,
}

/// For every slot the position of the ballot whose claim wins.
fn elect(ballots: &[Ballot], current: Option<&SlotMap>, disagreements: &mut Vec<Disagreement>) -> Vec<usize> {
    let mut winners = vec![0; Slot::COUNT];
    let mut disputes: Vec<(Slot, Dispute)> = Vec::new();
    for slot in Slot::all() {
        if ballots.iter().all(|ballot| ballot.owner(slot) == ballots[0].owner(slot)) {
            continue;
        }
        let owners: Vec<_> = ballots.iter().map(|ballot| ballot.owner(slot)).collect();
        let owner_now = current.and_then(|map| map.primary(slot)).map(Owner::of);
        winners[slot.index()] = winner(ballots, &owners, owner_now);
        let claims = ballots.iter().map(|ballot| ballot.map.shard_ix(slot)).collect();
        disputes.push((slot, Dispute { winner: winners[slot.index()], claims }));
    }
    disagreements.extend(runs(disputes).into_iter().map(|(range, _)| dispute_over(range, ballots, &winners)));
    winners
}

/// The position of the best-supported claim, ties broken as the module says.
fn winner(ballots: &[Ballot], owners: &[Option<Owner<'_>>], current: Option<Owner<'_>>) -> usize {
    let strength = |&position: &usize| {
        let claim = owners[position];
        let supporters = || ballots.iter().zip(owners).filter(move |(_, owner)| **owner == claim);
        let votes = supporters().count();
        let epoch = supporters().map(|(ballot, _)| ballot.epoch).max().flatten();
        let by_seed = supporters().any(|(ballot, _)| ballot.is_seed);
        (votes, epoch, claim.is_some(), claim == current, by_seed)
    };
    // `max_by_key` takes the last of equals, hence the reversal.
    (0..ballots.len()).rev().max_by_key(strength).unwrap_or_default()
}

fn dispute_over(range: SlotRange, ballots: &[Ballot], winners: &[usize]) -> Disagreement {
    let slot = range.first();
    let mut claims: Vec<(Option<Owner<'_>>, Option<Endpoint>, Vec<usize>)> = Vec::new();
    for ballot in ballots {
        let owner = ballot.owner(slot);
        match claims.iter_mut().find(|(known, ..)| *known == owner) {
            Some((.., views)) => views.push(ballot.view),
            None => {
                let endpoint = ballot.map.primary(slot).map(|node| node.endpoint.clone());
                claims.push((owner, endpoint, vec![ballot.view]));
            }
        }
    }
    Disagreement::Owner {
        range,
        adopted: ballots[winners[slot.index()]].map.primary(slot).map(|node| node.endpoint.clone()),
        claims: claims.into_iter().map(|(_, endpoint, views)| (endpoint, views)).collect(),
    }
}

/// The ballot that was outvoted in the fewest slots; among equals the newest, then the first.
fn base_of(ballots: &[Ballot], winners: &[usize]) -> usize {
    let won = |position: &usize| {
        let ballot = &ballots[*position];
        let agrees = |slot: &Slot| ballot.owner(*slot) == ballots[winners[slot.index()]].owner(*slot);
        (Slot::all().filter(agrees).count(), ballot.epoch)
    };
    (0..ballots.len()).rev().max_by_key(won).unwrap_or_default()
}

/// The base with the slots in which it was outvoted given to the winners.
fn merge(ballots: &[Ballot], winners: &[usize], base: usize) -> SlotMap {
    let mut map = ballots[base].map.clone();
    for slot in Slot::all() {
        let winner = &ballots[winners[slot.index()]];
        if winner.owner(slot) == ballots[base].owner(slot) {
            continue;
        }
        let owner = winner.map.primary(slot);
        // The base may know the same node by another address: then that one stays its key.
        let same_id =
            |known: &&AnnouncedNode| known.id.is_some() && known.id == owner.and_then(|node| node.id.clone());
        let known = ballots[base].map.nodes().iter().find(same_id);
        map.give(slot, known.or(owner).filter(|_| owner.is_some()));
    }
    map
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |owner: &Option<Endpoint>| {
            owner.as_ref().map_or_else(|| "nobody".to_owned(), Endpoint::to_string)
        };
        match self {
            Self::Foreign { view } => write!(f, "view {view} describes another cluster"),
            Self::Replaced => f.write_str("every seed describes the same new cluster"),
            Self::Empty { view } => write!(f, "view {view} names no owner for any slot"),
            Self::Owner { range, adopted, claims } => {
                write!(f, "slots {range}: {} adopted; claimed by", name(adopted))?;
                for (position, (owner, views)) in claims.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma} {} ({} of the views)", name(owner), views.len())?;
                }
                Ok(())
            }
        }
    }
}
