//! The owner of a slot: the one that most views name.

use super::Disagreement;
use super::ballot::{Ballot, Key, KnownMap};
use super::nodes::Nodes;
use crate::slot::runs;
use crate::{AnnouncedNode, Endpoint, ShardIx, Slot, SlotRange};

/// Neighbouring slots for which every ballot and the current map say the same, with their elected owner.
pub(super) struct Elected<'a> {
    pub(super) range: SlotRange,
    pub(super) owner: Option<Key<'a>>,
    /// The shard that each ballot gives them to.
    claims: Vec<Option<ShardIx>>,
}

/// The owners of all slots. An owner whose address is not settled leaves its slots where they are.
pub(super) fn elect<'a>(
    ballots: &'a [Ballot],
    known: &KnownMap<'a>,
    nodes: &Nodes<'a>,
    disagreements: &mut Vec<Disagreement>,
) -> Vec<Elected<'a>> {
    let said = |slot: Slot| {
        let claims: Vec<Option<ShardIx>> = ballots.iter().map(|ballot| ballot.map.shard_ix(slot)).collect();
        (claims, known.map.and_then(|map| map.shard_ix(slot)))
    };
    let mut elected: Vec<Elected<'a>> = Vec::new();
    let mut disputes: Vec<(SlotRange, usize)> = Vec::new();
    for (range, (claims, _)) in runs(Slot::all().map(|slot| (slot, said(slot)))) {
        let slot = range.first();
        let owners: Vec<Option<Key<'a>>> = ballots.iter().map(|ballot| ballot.owner(slot)).collect();
        let is_disputed = owners.iter().any(|owner| *owner != owners[0]);
        let best = if is_disputed { winner(ballots, &owners, known, slot) } else { owners[0] };
        let is_settled = best.is_none_or(|key| nodes.is_settled(key));
        let owner = if is_settled { best } else { known.owner(slot) };
        if is_disputed {
            let same = |(last, position): &&mut (SlotRange, usize)| {
                let before: &Elected<'a> = &elected[*position];
                last.is_followed_by(range) && before.claims == claims && before.owner == owner
            };
            match disputes.last_mut().filter(|last| same(last)) {
                Some((last, _)) => *last = last.up_to(range),
                None => disputes.push((range, elected.len())),
            }
        }
        elected.push(Elected { range, owner, claims });
    }
    let named =
        |(range, position): (SlotRange, usize)| dispute_over(range, elected[position].owner, ballots, nodes);
    disagreements.extend(disputes.into_iter().map(named));
    elected
}

/// The best-supported claim, ties broken as the module says.
fn winner<'a>(
    ballots: &[Ballot],
    claims: &[Option<Key<'a>>],
    known: &KnownMap<'a>,
    slot: Slot,
) -> Option<Key<'a>> {
    let owner_now = known.owner(slot);
    let strength = |claim: Option<Key<'a>>| {
        let supporters = || ballots.iter().zip(claims).filter(move |(_, other)| **other == claim);
        let votes = supporters().count();
        let epoch = supporters().map(|(ballot, _)| ballot.epoch).max().flatten();
        let by_seed = supporters().any(|(ballot, _)| ballot.is_seed);
        (votes, epoch, claim.is_some(), claim == owner_now, by_seed)
    };
    let strengths: Vec<_> = claims.iter().map(|claim| strength(*claim)).collect();
    let strongest = strengths.iter().max()?;
    let mut best = claims.iter().zip(&strengths).filter(|(_, strength)| *strength == strongest);
    let (first, _) = best.next()?;
    let is_open = best.any(|(claim, _)| claim != first);
    if is_open && known.map.is_some() { owner_now } else { *first }
}

fn dispute_over(
    range: SlotRange,
    winner: Option<Key<'_>>,
    ballots: &[Ballot],
    nodes: &Nodes<'_>,
) -> Disagreement {
    let slot = range.first();
    let mut claims: Vec<(Option<Key<'_>>, Option<Endpoint>, Vec<usize>)> = Vec::new();
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
        adopted: winner.and_then(|key| nodes.node(key)).map(|node| node.endpoint.clone()),
        claims: claims.into_iter().map(|(_, endpoint, views)| (endpoint, views)).collect(),
    }
}

/// The position of the ballot that was outvoted least: in slots, then in addresses; then the newest, then the first.
pub(super) fn closest(ballots: &[Ballot], elected: &[Elected<'_>], nodes: &Nodes<'_>) -> usize {
    let agreement = |position: &usize| {
        let ballot = &ballots[*position];
        let agreed = elected.iter().filter(|elected| ballot.owner(elected.range.first()) == elected.owner);
        let slots: usize = agreed.map(|elected| elected.range.count()).sum();
        let is_used = |said: &&AnnouncedNode| {
            nodes.node(Key::of(said)).is_some_and(|settled| settled.endpoint == said.endpoint)
        };
        (slots, ballot.map.nodes().iter().filter(is_used).count(), ballot.epoch)
    };
    // `max_by_key` takes the last of equals, hence the reversal.
    (0..ballots.len()).rev().max_by_key(agreement).unwrap_or_default()
}
