//! Where a node is and what it is called: each part of it by the votes of the views that name the node.

use std::collections::HashMap;

use super::ballot::{Ballot, Electorate, Key, KnownMap};
use super::disagreement::{AnnouncedAs, Disagreement};
use crate::AnnouncedNode;

/// The nodes whose address is settled, by key.
pub(super) struct Nodes<'a> {
    settled: HashMap<Key<'a>, AnnouncedNode>,
}

impl<'a> Nodes<'a> {
    pub(super) fn is_settled(&self, key: Key<'_>) -> bool {
        self.node(key).is_some()
    }

    pub(super) fn node<'s>(&'s self, key: Key<'s>) -> Option<&'s AnnouncedNode> {
        self.settled.get(&key)
    }
}

/// What one view says about a node.
#[derive(Clone, Copy)]
struct Mention<'a> {
    voter: usize,
    node: &'a AnnouncedNode,
}

/// Settles every node that a view or the current map names.
pub(super) fn settle<'a>(
    ballots: &'a [Ballot],
    electorate: &Electorate,
    known: &KnownMap<'a>,
    disagreements: &mut Vec<Disagreement>,
) -> Nodes<'a> {
    let mut order: Vec<Key<'a>> = Vec::new();
    let mut mentions: HashMap<Key<'a>, Vec<Mention<'a>>> = HashMap::new();
    for (voter, ballot) in ballots.iter().enumerate() {
        for node in ballot.map.nodes() {
            let key = Key::of(node);
            let said = mentions.entry(key).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            // A view that names an id twice contradicts itself: its first word counts.
            if said.last().is_none_or(|last| last.voter != voter) {
                said.push(Mention { voter, node });
            }
        }
    }
    let known_nodes = known.map.map(crate::SlotMap::nodes).unwrap_or_default();
    let mut settled: HashMap<Key<'a>, AnnouncedNode> =
        known_nodes.iter().map(|node| (Key::of(node), node.clone())).collect();
    for key in order {
        let Some(said) = mentions.get(&key) else { continue };
        let node = settled_node(key, said, electorate, known);
        disagreements.extend(dispute_over(said, known.node(key), node.as_ref(), ballots));
        if let Some(node) = node {
            settled.insert(key, node);
        }
    }
    Nodes { settled }
}

/// Whether both describe the same address. A host that was put in proves nothing.
pub(super) fn is_same_place(node: &AnnouncedNode, known: &AnnouncedNode) -> bool {
    if node.assumed_host {
        node.endpoint.port() == known.endpoint.port()
    } else {
        node.endpoint == known.endpoint
    }
}

/// The node as the votes describe it; `None` while its address is not settled.
fn settled_node(
    key: Key<'_>,
    said: &[Mention<'_>],
    electorate: &Electorate,
    known: &KnownMap<'_>,
) -> Option<AnnouncedNode> {
    let before = known.node(key);
    let mut node = place(said, electorate, before, known)?;
    let vote = Vote { said, electorate, before, is_first: known.map.is_none() };
    node.hostname = vote.on(|node| &node.hostname).filter(|name| **name != *node.endpoint.host());
    node.ip = vote.on(|node| &node.ip).filter(|ip| node.endpoint.ip() != Some(*ip));
    node.availability_zone = vote.on(|node| &node.availability_zone);
    Some(node)
}

/// The node at the address that the votes settle on, with whatever else the first supporter says.
fn place(
    said: &[Mention<'_>],
    electorate: &Electorate,
    before: Option<&AnnouncedNode>,
    known: &KnownMap<'_>,
) -> Option<AnnouncedNode> {
    let is_before = |node: &AnnouncedNode| before.is_some_and(|before| is_same_place(node, before));
    let mut groups: Vec<Vec<Mention<'_>>> = Vec::new();
    for &mention in said {
        let joins = |group: &&mut Vec<Mention<'_>>| {
            let (one, other) = (group[0].node, mention.node);
            Key::of_place(one) == Key::of_place(other) || is_before(one) && is_before(other)
        };
        match groups.iter_mut().find(joins) {
            Some(group) => group.push(mention),
            None => groups.push(vec![mention]),
        }
    }
    let voters = |group: &Vec<Mention<'_>>| group.iter().map(|mention| mention.voter).collect::<Vec<_>>();
    let strength = |group: &&Vec<Mention<'_>>| (group.len(), electorate.by_seed(&voters(group)));
    // `max_by_key` takes the last of equals, hence the reversal.
    let best = groups.iter().rev().max_by_key(strength)?;
    if let Some(before) = before {
        let moved =
            groups.iter().find(|group| !is_before(group[0].node) && electorate.carries(&voters(group)));
        let health = best[0].node.health;
        return Some(
            moved.map_or_else(
                || before.clone().with_health(health),
                |group| representative(group, electorate),
            ),
        );
    }
    let is_known_place = || known.map.is_some_and(|map| map.node_at(&best[0].node.endpoint).is_some());
    let may_enter = known.map.is_none() || electorate.carries(&voters(best)) || is_known_place();
    may_enter.then(|| representative(best, electorate))
}

/// Whom to quote of those who agree on an address: where the host was put in, that of a seed leads furthest.
fn representative(group: &[Mention<'_>], electorate: &Electorate) -> AnnouncedNode {
    let by_seed = group.iter().find(|mention| electorate.by_seed(&[mention.voter]));
    by_seed.unwrap_or(&group[0]).node.clone()
}

/// A vote on one part of what is said about a node.
struct Vote<'v, 'a> {
    said: &'v [Mention<'a>],
    electorate: &'v Electorate,
    before: Option<&'v AnnouncedNode>,
    /// There is no current map: what most say is believed.
    is_first: bool,
}

impl<'a> Vote<'_, 'a> {
    /// What carries the vote; else what is known; else nothing.
    fn on<T: PartialEq + Clone>(&self, part: impl Fn(&AnnouncedNode) -> &Option<T>) -> Option<T> {
        let mut groups: Vec<(&Option<T>, Vec<usize>)> = Vec::new();
        for mention in self.said {
            let value = part(mention.node);
            match groups.iter_mut().find(|(known, _)| *known == value) {
                Some((_, voters)) => voters.push(mention.voter),
                None => groups.push((value, vec![mention.voter])),
            }
        }
        let strength =
            |(_, voters): &&(&Option<T>, Vec<usize>)| (voters.len(), self.electorate.by_seed(voters));
        let best = groups.iter().rev().max_by_key(strength);
        let carried = groups.iter().find(|(_, voters)| self.electorate.carries(voters));
        match (carried.or(best.filter(|_| self.is_first)), self.before) {
            (Some((value, _)), _) => (*value).clone(),
            (None, Some(before)) => part(before).clone(),
            (None, None) => None,
        }
    }
}

/// What is disputed about a node: views contradict each other, or what they say was not adopted.
fn dispute_over(
    said: &[Mention<'_>],
    before: Option<&AnnouncedNode>,
    settled: Option<&AnnouncedNode>,
    ballots: &[Ballot],
) -> Option<Disagreement> {
    // A host that was put in is as good as the one that is known.
    let as_known = |node: &AnnouncedNode| {
        let mut claim = AnnouncedAs::of(node);
        let kept = before.or(settled).filter(|other| is_same_place(node, other));
        if let Some(kept) = kept {
            claim.endpoint = kept.endpoint.clone();
        }
        claim
    };
    let mut claims: Vec<(AnnouncedAs, Vec<usize>)> = Vec::new();
    for mention in said {
        let claim = as_known(mention.node);
        let view = ballots[mention.voter].view;
        match claims.iter_mut().find(|(known, _)| *known == claim) {
            Some((_, views)) => views.push(view),
            None => claims.push((claim, vec![view])),
        }
    }
    let adopted = settled.map(AnnouncedAs::of);
    let is_adopted = adopted.as_ref().is_some_and(|adopted| claims.iter().all(|(claim, _)| claim == adopted));
    let node = said.first().and_then(|mention| mention.node.id.clone());
    (!is_adopted).then_some(Disagreement::Address { node, adopted, claims })
}
