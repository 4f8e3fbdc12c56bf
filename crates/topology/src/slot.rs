//! Hash slots: the unit in which a cluster divides its keys.
//!
//! A [`Slot`] is always below [`Slot::COUNT`] and a [`SlotRange`] is never empty; both are checked
//! where they are made, so nothing downstream checks again.

use std::fmt;

use memchr::memchr;

use crate::crc16::crc16;

/// One of the 16,384 hash slots.
///
/// # Examples
/// ```
/// use truename_topology::Slot;
///
/// let slot = Slot::of_key(b"{user:42}:cart");
/// assert_eq!(slot, Slot::of_key(b"user:42"));
/// assert_eq!((slot.value(), slot.index()), (15_880, 15_880));
/// assert_eq!((Slot::new(15_880), Slot::new(16_384)), (Some(slot), None));
/// assert_eq!(Slot::all().len(), Slot::COUNT);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// How many slots a cluster has (Redis Cluster specification, "key distribution model").
    pub const COUNT: usize = 16_384;

    /// The slot with this number, or `None` at or above [`Slot::COUNT`]. See the [example](Slot#examples).
    pub const fn new(value: u16) -> Option<Self> {
        if (value as usize) < Self::COUNT { Some(Self(value)) } else { None }
    }

    /// The slot a key belongs to: CRC16 of its [hash tag](hash_tag), modulo [`Slot::COUNT`]. See the
    /// [example](Slot#examples).
    pub fn of_key(key: &[u8]) -> Self {
        Self(crc16(hash_tag(key)) % Self::COUNT as u16)
    }

    /// The slot's number. See the [example](Slot#examples).
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The slot's number as an index into a table of [`Slot::COUNT`] entries. See the [example](Slot#examples).
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All slots in ascending order. See the [example](Slot#examples).
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..Self::COUNT as u16).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether this byte is there. Keys are short and most have no tag: eight bytes at a time, in place, cost a third of a call of
/// `memchr` (65 instructions less for 16 bytes).
#[inline]
fn holds(byte: u8, key: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = key.as_chunks::<8>();
    let in_words = words.iter().any(|word| {
        // A byte that is equal becomes zero, and only a zero borrows from its own top bit, or from that above another zero.
        let differences = u64::from_ne_bytes(*word) ^ (ONES * u64::from(byte));
        differences.wrapping_sub(ONES) & !differences & TOPS != 0
    });
    in_words || rest.contains(&byte)
}

/// The part of a key that decides its slot.
///
/// That is what stands between the first `{` and the first `}` after it, if anything does, and the
/// whole key otherwise (Redis Cluster specification, "hash tags"). So `{a}b{c}` gives `a`, `{}a`
/// and `a}b` give the whole key, and `{{a}}` gives `{a`.
///
/// ```
/// use truename_topology::slot::hash_tag;
///
/// assert_eq!(hash_tag(b"{user:42}:cart"), b"user:42");
/// assert_eq!(hash_tag(b"{}:cart"), b"{}:cart");
/// ```
pub fn hash_tag(key: &[u8]) -> &[u8] {
    if !holds(b'{', key) {
        return key;
    }
    let Some(open) = memchr(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match memchr(b'}', rest) {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// Consecutive slots, both ends included.
///
/// # Examples
/// ```
/// use truename_topology::{Slot, SlotRange};
///
/// let [first, last] = [0, 5460].map(|number| Slot::new(number).expect("below 16,384"));
/// let range = SlotRange::new(first, last).expect("in this order");
/// assert_eq!((range.first(), range.last(), range.count()), (first, last, 5461));
/// assert!(range.contains(last) && range.slots().all(|slot| range.contains(slot)));
/// assert!(SlotRange::new(last, first).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRange {
    first: Slot,
    last: Slot,
}

impl SlotRange {
    /// Every slot.
    pub const ALL: Self = Self { first: Slot(0), last: Slot(Slot::COUNT as u16 - 1) };

    /// The slots from `first` to `last`, or `None` if `last` comes before `first`. See the [example](SlotRange#examples).
    pub const fn new(first: Slot, last: Slot) -> Option<Self> {
        if first.0 <= last.0 { Some(Self { first, last }) } else { None }
    }

    /// The lowest slot. See the [example](SlotRange#examples).
    pub const fn first(self) -> Slot {
        self.first
    }

    /// The highest slot. See the [example](SlotRange#examples).
    pub const fn last(self) -> Slot {
        self.last
    }

    /// How many slots the range holds: at least one. See the [example](SlotRange#examples).
    pub const fn count(self) -> usize {
        (self.last.0 - self.first.0) as usize + 1
    }

    /// Whether the range holds this slot. See the [example](SlotRange#examples).
    pub fn contains(self, slot: Slot) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    /// The slots in ascending order. See the [example](SlotRange#examples).
    pub fn slots(self) -> impl DoubleEndedIterator<Item = Slot> + ExactSizeIterator {
        (self.first.0..self.last.0 + 1).map(Slot)
    }

    /// Whether `next` begins where this one ends.
    pub(crate) fn is_followed_by(self, next: Self) -> bool {
        self.last.0 + 1 == next.first.0
    }

    /// Everything from the start of this one to the end of `next`.
    pub(crate) fn up_to(self, next: Self) -> Self {
        Self { first: self.first, last: next.last }
    }

    /// From two numbers as the server writes them; `None` unless both are slots in order.
    pub(crate) fn from_wire(first: i64, last: i64) -> Option<Self> {
        let slot = |value: i64| u16::try_from(value).ok().and_then(Slot::new);
        Self::new(slot(first)?, slot(last)?)
    }
}

impl From<Slot> for SlotRange {
    fn from(slot: Slot) -> Self {
        Self { first: slot, last: slot }
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// Cuts slots in ascending order into ranges of neighbours with the same value.
pub(crate) fn runs<V: PartialEq>(slots: impl IntoIterator<Item = (Slot, V)>) -> Vec<(SlotRange, V)> {
    let mut runs: Vec<(SlotRange, V)> = Vec::new();
    for (slot, value) in slots {
        match runs.last_mut() {
            Some((range, last)) if range.last.0 + 1 == slot.0 && *last == value => range.last = slot,
            _ => runs.push((slot.into(), value)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc16::bitwise;

    #[test]
    fn a_tag_is_found_wherever_it_is_and_whatever_is_around_it() {
        for filler in (0..=255).filter(|byte| !b"{}".contains(byte)) {
            for before in 0..20 {
                for after in [0, 1, 7, 8, 9] {
                    let mut key = vec![filler; before];
                    assert_eq!(hash_tag(&key), key);
                    key.extend_from_slice(b"{tag}");
                    key.resize(key.len() + after, filler);
                    assert_eq!(hash_tag(&key), b"tag", "{key:?}");
                }
            }
        }
    }

    #[test]
    fn hash_tag_rule() {
        for (key, tag) in [
            ("plain", "plain"),
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("{}a", "{}a"),
            ("a}b", "a}b"),
            ("a}b{c}", "c"),
            ("a{b", "a{b"),
            ("", ""),
            ("{", "{"),
            ("}{", "}{"),
        ] {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }

    #[test]
    fn known_slots() {
        // `CLUSTER KEYSLOT` of a running server answers the same.
        for (key, slot) in [("foo", 12182), ("123456789", 12739), ("{foo}bar", 12182), ("", 0)] {
            assert_eq!(Slot::of_key(key.as_bytes()).value(), slot, "{key}");
        }
    }

    #[test]
    fn every_slot_is_reached_and_agrees_with_the_definition() {
        let mut keys = vec![None; Slot::COUNT];
        let mut missing = Slot::COUNT;
        for number in 0u32.. {
            let key = format!("key:{number}");
            let slot = Slot::of_key(key.as_bytes());
            if keys[slot.index()].replace(key).is_none() {
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        for (slot, key) in Slot::all().zip(keys) {
            let key = key.expect("the loop above ends when every slot has a key");
            assert_eq!(bitwise(key.as_bytes()) & 0x3FFF, slot.value(), "{key}");
            assert_eq!(Slot::of_key(format!("x{{{key}}}y").as_bytes()), slot, "{key} as a tag");
        }
    }

    #[test]
    fn bounds() {
        assert_eq!(Slot::new(16_383).map(Slot::value), Some(16_383));
        assert_eq!(Slot::new(16_384), None);
        assert_eq!(Slot::all().len(), Slot::COUNT);
        assert_eq!(SlotRange::ALL.count(), Slot::COUNT);
        assert_eq!(SlotRange::from_wire(7, 6), None);
        assert_eq!(SlotRange::from_wire(0, 16_384), None);
        assert_eq!(SlotRange::from_wire(-1, 3), None);
    }

    #[test]
    fn ranges() {
        let range = SlotRange::from_wire(0, 5460).unwrap();
        assert_eq!((range.to_string().as_str(), range.count()), ("0-5460", 5461));
        assert!(range.contains(Slot(5460)) && !range.contains(Slot(5461)));
        assert_eq!(range.slots().next_back(), Some(Slot(5460)));
        assert_eq!(SlotRange::from(Slot(7)).to_string(), "7");
        assert_eq!(SlotRange::ALL.slots().len(), Slot::COUNT);
    }

    #[test]
    fn runs_end_at_gaps_and_at_other_values() {
        let slots =
            [(1, 'a'), (2, 'a'), (4, 'a'), (5, 'b'), (6, 'b')].map(|(slot, value)| (Slot(slot), value));
        let runs: Vec<String> = runs(slots).iter().map(|(range, value)| format!("{range}{value}")).collect();
        assert_eq!(runs, ["1-2a", "4a", "5-6b"]);
    }
}
