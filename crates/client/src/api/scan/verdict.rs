//! What follows from two statements of a node, and from those of others, about what was read between them.
//!
//! Pure, and the heart of the argument in the [module above](super): [`covered`] says of which slots a pass returned every key
//! that was there throughout, and [`kept`] whether a node had one slot all the time.
//!
//! What must stay true: silence is no consent. Whoever could know that a node was replaced has to answer, or nothing follows.

use std::collections::HashSet;

use truename_topology::Slot;

use super::slots::SlotSet;
use super::witness::{Claims, Memo, Witness};

/// What became of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every key that was there throughout was returned, for these slots.
    Covered(SlotSet),
    /// Another process answered at its end: its cursors meant nothing.
    Restarted,
    /// So few other primaries are in the node's reach that they may have replaced it. That may pass.
    CutOff,
    /// Too few other primaries say that the node was not replaced. That may pass.
    Unconfirmed,
}

/// What a pass over `targets` is worth that began at `before` and whose last reply came before `after`. `targets` were settled
/// at `before`; `others` is what other primaries said after it.
pub(super) fn covered(targets: &SlotSet, before: &Memo, after: &Witness, others: &[Claims]) -> Outcome {
    if let Some(outcome) = doubt(before, after, others) {
        return outcome;
    }
    let now = after.memo();
    // Slots that went away and came back raise the epoch. A move that was begun and taken back changes nothing but the
    // number of keys that were moved. Keys that move while slots are on their way are put down to those.
    let is_explained = now.slots != before.slots || !after.claims.open.is_empty();
    if now.epoch != before.epoch || (now.moved != before.moved && !is_explained) {
        return Outcome::Covered(SlotSet::empty());
    }
    let mut covered = targets.common(&after.settled());
    for newer in newer_claims(after, others) {
        covered.take_away(newer);
    }
    Outcome::Covered(covered)
}

/// Whether one process had a slot from `before` to `after`: then what it answered about a key of the slot, without sending the
/// caller elsewhere, was so. Otherwise why not. That the slot is on its way does not matter: a key is here or there.
pub(super) fn kept(
    slot: Slot,
    before: &Memo,
    after: &Witness,
    others: &[Claims],
) -> Result<(), &'static str> {
    match doubt(before, after, others) {
        Some(Outcome::CutOff) => {
            return Err("the node is cut off from most others, and may have been replaced");
        }
        Some(Outcome::Unconfirmed) => {
            return Err("the other primaries did not say whether the node was replaced");
        }
        Some(_) => return Err("its elements did not all come from one process of the node"),
        None => {}
    }
    let has_it = after.claims.own().is_some_and(|own| own.slots.contains(slot));
    let is_others = newer_claims(after, others).any(|slots| slots.contains(slot));
    if after.memo().epoch != before.epoch || !has_it || is_others {
        return Err("the slot went to another node meanwhile");
    }
    Ok(())
}

/// Why nothing follows from what was read, whatever the slots.
fn doubt(before: &Memo, after: &Witness, others: &[Claims]) -> Option<Outcome> {
    if before.process != after.process {
        return Some(Outcome::Restarted);
    }
    if after.claims.is_cut_off() {
        return Some(Outcome::CutOff);
    }
    (voters(after, others) < needed(&after.claims)).then_some(Outcome::Unconfirmed)
}

/// How many of those who answered vote on who replaces whom: those with slots.
pub(super) fn voters(after: &Witness, others: &[Claims]) -> usize {
    let voters = witnesses(after, others).filter(|claims| claims.own().is_some());
    voters.map(|claims| claims.myself.as_str()).collect::<HashSet<_>>().len()
}

/// Those whose word counts: other nodes, and none that most primaries are out of reach of.
fn witnesses<'a>(after: &'a Witness, others: &'a [Claims]) -> impl Iterator<Item = &'a Claims> {
    others.iter().filter(|claims| claims.myself != after.claims.myself && !claims.is_cut_off())
}

/// The slots that others give to other nodes by a higher epoch.
fn newer_claims<'a>(after: &'a Witness, others: &'a [Claims]) -> impl Iterator<Item = &'a SlotSet> {
    let own = after.claims.own().map_or(0, |own| own.epoch);
    let claimed = witnesses(after, others).flat_map(|claims| &claims.primaries);
    claimed
        .filter(move |other| other.id != after.claims.myself && other.epoch > own)
        .map(|other| &other.slots)
}

/// How many other primaries have to answer, so that one of them must have voted if the node was replaced: a majority of all
/// votes, and the node itself does not. At least one, for a replacement by command needs no vote; and no more than the node reaches.
pub(super) fn needed(claims: &Claims) -> usize {
    let all = claims.primaries.len();
    let others = claims.primaries.iter().filter(|primary| primary.id != claims.myself && !primary.has_failed);
    let of_voters = (all.div_ceil(2).saturating_sub(1)).max(1);
    of_voters.min(others.count())
}

#[cfg(test)]
mod tests {
    use super::super::slots::slots;
    use super::super::witness::{Primary, Process};
    use super::*;

    fn primary(id: &str, epoch: u64, slots: SlotSet) -> Primary {
        Primary { id: id.to_owned(), epoch, slots, has_failed: false }
    }

    fn witness(run: u8, epoch: u64, own: SlotSet, open: SlotSet, moved: u64) -> Witness {
        let primaries = vec![primary("me", epoch, own), primary("other", 1, slots(10_000, 16_383))];
        let claims = Claims { myself: "me".to_owned(), primaries, open };
        Witness { process: Process([run; 20]), connection: 1, scans_slots: false, moved: Some(moved), claims }
    }

    /// What the other primary says of whom.
    fn said_of(id: &str, epoch: u64, slots: SlotSet) -> Vec<Claims> {
        let primaries = vec![primary(id, epoch, slots), primary("other", 1, SlotSet::empty())];
        vec![Claims { myself: "other".to_owned(), primaries, open: SlotSet::empty() }]
    }

    fn agreed() -> Vec<Claims> {
        said_of("me", 5, slots(0, 99))
    }

    #[test]
    fn a_pass_counts_for_the_slots_that_did_not_move() {
        let all = || slots(0, 99);
        let none = SlotSet::empty;
        let covered_all = || Outcome::Covered(all());
        let nothing = || Outcome::Covered(none());
        let before = witness(1, 5, all(), none(), 3);
        let rows: [(&str, Witness, Vec<Claims>, Outcome); 15] = [
            ("nothing happened", witness(1, 5, all(), none(), 3), agreed(), covered_all()),
            ("the server restarted", witness(2, 5, all(), none(), 0), agreed(), Outcome::Restarted),
            ("slots left", witness(1, 5, slots(0, 49), none(), 60), agreed(), Outcome::Covered(slots(0, 49))),
            (
                "a slot is leaving",
                witness(1, 5, all(), slots(99, 99), 3),
                agreed(),
                Outcome::Covered(slots(0, 98)),
            ),
            (
                "a slot is leaving, and keys with it",
                witness(1, 5, all(), slots(99, 99), 60),
                agreed(),
                Outcome::Covered(slots(0, 98)),
            ),
            ("slots came", witness(1, 5, slots(0, 200), none(), 60), agreed(), covered_all()),
            ("a slot came back", witness(1, 6, all(), none(), 60), agreed(), nothing()),
            ("a move was taken back", witness(1, 5, all(), none(), 5), agreed(), nothing()),
            ("counters were reset", witness(1, 5, all(), none(), 0), agreed(), nothing()),
            ("it became a replica", witness(1, 5, none(), none(), 3), agreed(), nothing()),
            (
                "another primary knows of a newer owner",
                witness(1, 5, all(), none(), 3),
                said_of("new", 6, slots(0, 9)),
                Outcome::Covered(slots(10, 99)),
            ),
            (
                "another primary is behind",
                witness(1, 5, all(), none(), 3),
                said_of("old", 4, all()),
                covered_all(),
            ),
            (
                "another primary says the same",
                witness(1, 5, all(), none(), 3),
                said_of("me", 6, all()),
                covered_all(),
            ),
            ("nobody answered", witness(1, 5, all(), none(), 3), vec![], Outcome::Unconfirmed),
            (
                "only the node itself answered, at another address",
                witness(1, 5, all(), none(), 3),
                vec![before.claims.clone()],
                Outcome::Unconfirmed,
            ),
        ];
        for (what, after, others, expected) in rows {
            assert_eq!(covered(&all(), &before.memo(), &after, &others), expected, "{what}");
        }
        // Only what was asked for.
        assert_eq!(covered(&slots(3, 4), &before.memo(), &before, &agreed()), Outcome::Covered(slots(3, 4)));
    }

    /// A slot that was on its way at both ends made every pass of both nodes come to nothing while keys moved with it.
    #[test]
    fn a_slot_that_is_on_its_way_all_the_time_costs_itself_alone() {
        let open = || slots(7, 7);
        let before = witness(1, 5, slots(0, 99), open(), 3);
        let targets = before.settled();
        let after = witness(1, 5, slots(0, 99), open(), 60);
        assert_eq!(
            covered(&targets, &before.memo(), &after, &agreed()),
            Outcome::Covered(slots(0, 99).without(&open()))
        );
    }

    #[test]
    fn a_node_that_sees_no_majority_proves_nothing() {
        let mut after = witness(1, 5, slots(0, 99), SlotSet::empty(), 0);
        let before = after.memo();
        after.claims.primaries[1].has_failed = true;
        // One of two cannot have replaced it: that takes a majority. And nobody is left to be asked.
        assert_eq!(covered(&slots(0, 99), &before, &after, &[]), Outcome::Covered(slots(0, 99)));
        let third = Primary { id: "third".to_owned(), ..after.claims.primaries[1].clone() };
        after.claims.primaries.push(third);
        assert_eq!(covered(&slots(0, 99), &before, &after, &agreed()), Outcome::CutOff);
    }

    #[test]
    fn as_many_answer_as_it_takes_for_a_voter_to_be_among_them() {
        let cluster = |all: usize, failed: usize| {
            let mut primaries: Vec<_> = (0..all).map(|n| primary(&n.to_string(), 1, slots(1, 1))).collect();
            primaries[1..].iter_mut().take(failed).for_each(|primary| primary.has_failed = true);
            Claims { myself: "0".to_owned(), primaries, open: SlotSet::empty() }
        };
        let rows = [
            ((1, 0), 0),
            ((2, 0), 1),
            ((2, 1), 0),
            ((3, 0), 1),
            ((3, 1), 1),
            ((4, 0), 1),
            ((5, 0), 2),
            ((6, 0), 2),
            // Two of seven need not have voted.
            ((7, 0), 3),
            ((7, 3), 3),
            ((100, 3), 49),
        ];
        for ((all, failed), expected) in rows {
            assert_eq!(needed(&cluster(all, failed)), expected, "{all} {failed}");
        }
        // A primary without slots has no vote.
        let after = witness(1, 5, slots(0, 99), SlotSet::empty(), 0);
        let mut voteless = agreed();
        voteless[0].primaries.retain(|primary| primary.id == "me");
        assert_eq!(covered(&slots(0, 99), &after.memo(), &after, &voteless), Outcome::Unconfirmed);
        // What a witness without a majority says is as stale as what the node itself says.
        let mut said = agreed();
        said[0]
            .primaries
            .extend(["a", "b", "c"].map(|id| Primary { has_failed: true, ..primary(id, 1, slots(1, 1)) }));
        let after = witness(1, 5, slots(0, 99), SlotSet::empty(), 0);
        assert_eq!(covered(&slots(0, 99), &after.memo(), &after, &said), Outcome::Unconfirmed);
    }

    #[test]
    fn a_value_counts_if_one_process_had_its_slot_all_the_time() {
        let slot = Slot::new(7).expect("a slot");
        let (all, none) = (|| slots(0, 99), SlotSet::empty);
        let before = witness(1, 5, all(), none(), 3);
        let rows: [(Witness, Vec<Claims>, Result<(), &str>); 8] = [
            (witness(1, 5, all(), none(), 3), agreed(), Ok(())),
            (witness(1, 5, all(), slots(7, 7), 60), agreed(), Ok(())),
            (witness(2, 5, all(), none(), 3), agreed(), Err("one process")),
            (witness(1, 6, all(), none(), 3), agreed(), Err("another node")),
            (witness(1, 5, slots(8, 99), none(), 3), agreed(), Err("another node")),
            (witness(1, 5, none(), none(), 3), agreed(), Err("another node")),
            (witness(1, 5, all(), none(), 3), said_of("new", 6, slots(7, 7)), Err("another node")),
            (witness(1, 5, all(), none(), 3), vec![], Err("did not say")),
        ];
        for (after, others, expected) in rows {
            let said = kept(slot, &before.memo(), &after, &others);
            match expected {
                Ok(()) => assert_eq!(said, Ok(())),
                Err(why) => assert!(said.is_err_and(|said| said.contains(why)), "{said:?} {why}"),
            }
        }
    }
}
