//! Which replica follows which primary, and the map of all that was settled.

use std::collections::{HashMap, HashSet};

use super::Disagreement;
use super::ballot::{Ballot, Electorate, Key, KnownMap};
use super::nodes::Nodes;
use super::slots::Elected;
use crate::{AnnouncedNode, ShardView, SlotMap, SlotRange, View};

/// What views say about one shard, told apart by its primary.
#[derive(Default)]
struct Followers<'a> {
    /// The voters that name the primary as one.
    named_by: Vec<usize>,
    /// One of them gives it slots: if it gets none, that was decided slot by slot.
    owns_slots: bool,
    /// Every replica that is named.
    replicas: Vec<&'a AnnouncedNode>,
    /// The voters that name it.
    votes: HashMap<Key<'a>, Vec<usize>>,
}

/// The map: slots as elected, and the replicas that most views name.
pub(super) fn assemble<'a>(
    ballots: &'a [Ballot],
    electorate: &Electorate,
    known: &KnownMap<'a>,
    nodes: &Nodes<'a>,
    elected: &[Elected<'a>],
    chosen: usize,
    disagreements: &mut Vec<Disagreement>,
) -> SlotMap {
    let followers = followers(ballots);
    let mut ranges: HashMap<Key<'a>, Vec<SlotRange>> = HashMap::new();
    let mut order: Vec<Key<'a>> = Vec::new();
    let mut ordered: HashSet<Key<'a>> = HashSet::new();
    for ballot in std::iter::once(&ballots[chosen]).chain(ballots) {
        order.extend(
            ballot.shards().map(|(_, primary, _)| primary).filter(|primary| ordered.insert(*primary)),
        );
    }
    for elected in elected {
        let Some(owner) = elected.owner else { continue };
        ranges.entry(owner).or_default().push(elected.range);
        if ordered.insert(owner) {
            order.push(owner);
        }
    }
    let nobody = Followers::default();
    let mut shards = Vec::new();
    for primary in order {
        let Some(node) = nodes.node(primary) else { continue };
        let ranges = ranges.remove(&primary).unwrap_or_default();
        let followers = followers.get(&primary).unwrap_or(&nobody);
        let is_one = !ranges.is_empty() || electorate.is_majority(&followers.named_by) == Some(true);
        if ranges.is_empty() && !followers.owns_slots && followers.named_by.len() < electorate.voters() {
            disagreements.push(Disagreement::Primary {
                primary: node.endpoint.clone(),
                adopted: is_one,
                named_by: followers.named_by.iter().map(|&voter| ballots[voter].view).collect(),
                views: electorate.voters(),
            });
        }
        if !is_one {
            continue;
        }
        let mut replicas = Vec::new();
        for said in &followers.replicas {
            let replica = Key::of(said);
            let voters = &followers.votes[&replica];
            let is_elected =
                electorate.is_majority(voters).unwrap_or_else(|| known.follows(replica, primary));
            let settled = nodes.node(replica).filter(|_| is_elected);
            if voters.len() < followers.named_by.len() || settled.is_none() {
                disagreements.push(Disagreement::Replica {
                    primary: node.endpoint.clone(),
                    replica: said.endpoint.clone(),
                    adopted: settled.is_some(),
                    named_by: voters.iter().map(|&voter| ballots[voter].view).collect(),
                    views: electorate.voters(),
                });
            }
            replicas.extend(settled.cloned());
        }
        shards.push(ShardView::new(ranges, Some(node.clone()), replicas));
    }
    SlotMap::from_view(&View::new(shards))
}

fn followers(ballots: &[Ballot]) -> HashMap<Key<'_>, Followers<'_>> {
    let mut all: HashMap<Key<'_>, Followers<'_>> = HashMap::new();
    for (voter, ballot) in ballots.iter().enumerate() {
        for (owns_slots, primary, replicas) in ballot.shards() {
            let followers = all.entry(primary).or_default();
            if followers.named_by.last() != Some(&voter) {
                followers.named_by.push(voter);
            }
            followers.owns_slots |= owns_slots;
            for replica in replicas {
                let voters = followers.votes.entry(Key::of(replica)).or_default();
                if voters.is_empty() {
                    followers.replicas.push(replica);
                }
                if voters.last() != Some(&voter) {
                    voters.push(voter);
                }
            }
        }
    }
    all
}
