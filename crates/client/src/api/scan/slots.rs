//! [`SlotSet`]: which slots. A bit for each, so that sets of any shape cost the same.

use std::fmt;

use truename_topology::{Slot, SlotRange};

const WORDS: usize = Slot::COUNT / 64;

/// A set of slots.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SlotSet(Box<[u64; WORDS]>);

impl SlotSet {
    pub(super) fn empty() -> Self {
        Self(Box::new([0; WORDS]))
    }

    pub(super) fn all() -> Self {
        Self(Box::new([u64::MAX; WORDS]))
    }

    pub(super) fn insert(&mut self, slot: Slot) {
        self.0[slot.index() / 64] |= 1 << (slot.index() % 64);
    }

    pub(super) fn insert_range(&mut self, range: SlotRange) {
        range.slots().for_each(|slot| self.insert(slot));
    }

    #[inline]
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.0[slot.index() / 64] & (1 << (slot.index() % 64)) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        let slots = words.flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at * 64 + bit)
        });
        slots.filter_map(|index| Slot::new(index as u16))
    }

    /// The lowest one.
    pub(super) fn first(&self) -> Option<Slot> {
        self.iter().next()
    }

    /// The next one.
    pub(super) fn after(&self, slot: Slot) -> Option<Slot> {
        Slot::all().skip(slot.index() + 1).find(|slot| self.contains(*slot))
    }

    /// Adds all slots of another set.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word |= other);
    }

    /// Takes all slots of another set away.
    pub(super) fn take_away(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word &= !other);
    }

    /// What is in both.
    pub(super) fn common(&self, other: &Self) -> Self {
        let mut common = self.clone();
        common.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word &= other);
        common
    }

    /// What is in this one and not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.take_away(other);
        rest
    }

    /// The slots in order, as ranges.
    pub(super) fn ranges(&self) -> Vec<SlotRange> {
        let mut ranges: Vec<SlotRange> = Vec::new();
        for slot in self.iter() {
            let longer = ranges.last().filter(|last| last.last().index() + 1 == slot.index());
            match longer.and_then(|last| SlotRange::new(last.first(), slot)) {
                Some(longer) => *ranges.last_mut().expect("it was just looked at") = longer,
                None => ranges.push(slot.into()),
            }
        }
        ranges
    }

    /// The words, for a digest.
    pub(super) fn words(&self) -> &[u64; WORDS] {
        &self.0
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut set = Self::empty();
        slots.into_iter().for_each(|slot| set.insert(slot));
        set
    }
}

/// As ranges.
impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges().iter().map(ToString::to_string)).finish()
    }
}

/// The slots `first..=last`, for tests.
#[cfg(test)]
pub(super) fn slots(first: u16, last: u16) -> SlotSet {
    (first..=last).map(|number| Slot::new(number).expect("a slot")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::new(number).expect("a slot")
    }

    #[test]
    fn sets_add_take_away_and_intersect() {
        let mut set = slots(0, 99);
        set.take_away(&slots(10, 19));
        assert_eq!(format!("{set:?}"), r#"["0-9", "20-99"]"#);
        assert_eq!(set.common(&slots(5, 25)), {
            let mut both = slots(5, 9);
            both.add(&slots(20, 25));
            both
        });
        assert_eq!(set.without(&slots(0, 97)), slots(98, 99));
        assert_eq!((set.len(), set.first(), set.after(slot(9))), (90, Some(slot(0)), Some(slot(20))));
        assert_eq!(
            (SlotSet::empty().first(), set.after(slot(99)), SlotSet::all().len()),
            (None, None, Slot::COUNT)
        );
        assert!(SlotSet::all().without(&slots(0, 16_383)).is_empty());
        assert_eq!(SlotSet::all().ranges(), [SlotRange::ALL]);
        assert!(SlotSet::empty().ranges().is_empty());
    }
}
