//! The finished table and the way into it.
//!
//! Top-level names are found by a small hash table that is computed at compile time, subcommands by a walk over the
//! rows after their container: sorted by name, they stand there without a gap.

use super::{Flags, Spec, blocking, compound, connection, repeat, routing};
use crate::command::table::COMMANDS;

/// Every command, with the curated lists applied.
pub(super) static TABLE: [Spec; COMMANDS.len()] = curated();

/// Slots of the hash table: six times the number of top-level names keeps nine of ten searches at one probe.
const SLOTS: usize = 2048;
/// The build fails if the search for any name takes more: then there are too few slots.
const MOST_PROBES: usize = 4;
static INDEX: [Bucket; SLOTS] = index();

/// A slot of the hash table, or an empty one, with no name's head in it.
#[derive(Clone, Copy)]
struct Bucket {
    head: u64,
    /// Of the name.
    len: u16,
    row: u16,
}

/// The command of that name, in any case. `subcommand` is the argument after the name, if there is one; it only
/// counts for commands that have subcommands, where an unknown one is an unknown command.
///
/// ```
/// use truename::command::lookup;
///
/// assert_eq!(lookup(b"get", Some(b"key")).map(|spec| spec.name), Some("GET"));
/// assert_eq!(lookup(b"CLUSTER", Some(b"slots")).map(|spec| spec.name), Some("CLUSTER SLOTS"));
/// assert!(lookup(b"CLUSTER", Some(b"NOSUCH")).is_none() && lookup(b"JSON.GET", None).is_none());
/// ```
#[inline]
pub fn lookup(name: &[u8], subcommand: Option<&[u8]>) -> Option<&'static Spec> {
    lookup_by(name, || subcommand)
}

/// [`lookup`] that asks for the subcommand only where there can be one.
#[inline]
pub(in crate::command) fn lookup_by<'a>(
    name: &[u8],
    subcommand: impl FnOnce() -> Option<&'a [u8]>,
) -> Option<&'static Spec> {
    let row = find(name)?;
    let spec = &TABLE[row];
    if !spec.flags.contains(Flags::CONTAINER) {
        return Some(spec);
    }
    subcommand().map_or(Some(spec), |word| child(row, word))
}

#[inline]
fn find(name: &[u8]) -> Option<usize> {
    let head = head(name);
    let mut slot = place(head, name.len());
    loop {
        let Bucket { head: known, len, row } = INDEX[slot % SLOTS];
        if known == 0 {
            return None;
        }
        let row = usize::from(row);
        if known == head && usize::from(len) == name.len() && same_behind_head(row, name) {
            return Some(row);
        }
        slot += 1;
    }
}

/// Whether a row has this name, when heads and lengths are equal. Most names are no longer than a head.
#[inline]
fn same_behind_head(row: usize, name: &[u8]) -> bool {
    name.len() <= HEAD || same(TABLE[row].name.as_bytes(), name)
}

#[inline(never)]
fn same(known: &[u8], name: &[u8]) -> bool {
    known.eq_ignore_ascii_case(name)
}

#[inline(never)]
fn child(container: usize, word: &[u8]) -> Option<&'static Spec> {
    let prefix = TABLE[container].name;
    TABLE[container + 1..]
        .iter()
        .map_while(|spec| Some((spec, spec.name.strip_prefix(prefix)?.strip_prefix(' ')?)))
        .find_map(|(spec, name)| name.as_bytes().eq_ignore_ascii_case(word).then_some(spec))
}

/// Bytes of a name that one comparison covers.
const HEAD: usize = 8;

/// The first bytes of a name in upper case, as one number. Among names of one length, equal numbers mean equal bytes.
///
/// Few loads instead of a loop: those of a short name overlap, so that each of its bytes is in one of them.
#[inline]
const fn head(name: &[u8]) -> u64 {
    let bytes = if let Some(first) = name.first_chunk::<HEAD>() {
        u64::from_le_bytes(*first)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
    } else if let [first, .., last] = name {
        *first as u64 | (name[name.len() / 2] as u64) << 8 | (*last as u64) << 16
    } else if let [only] = name {
        *only as u64
    } else {
        0
    };
    upper_case(bytes)
}

/// Eight bytes at once, each one as `to_ascii_uppercase` does it.
#[inline]
const fn upper_case(bytes: u64) -> u64 {
    const EACH: u64 = u64::MAX / 255;
    const HIGH: u64 = 0x80 * EACH;
    let low_bits = bytes & !HIGH;
    // Without their high bits no sum carries into the next byte; a sum has its high bit from that letter on.
    let from_a = low_bits + (0x80 - b'a' as u64) * EACH;
    let behind_z = low_bits + (0x80 - b'z' as u64 - 1) * EACH;
    let lower_case = from_a & !behind_z & !bytes & HIGH;
    bytes ^ lower_case >> 2
}

/// Where the search for a name starts. Fibonacci hashing: the upper bits of the product depend on all of the head.
#[inline]
const fn place(head: u64, len: usize) -> usize {
    ((head ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

const fn index() -> [Bucket; SLOTS] {
    let mut slots = [Bucket { head: 0, len: 0, row: 0 }; SLOTS];
    let mut row = 0;
    while row < COMMANDS.len() {
        let name = COMMANDS[row].name.as_bytes();
        if !has_space(name) {
            let first = place(head(name), name.len());
            let mut slot = first;
            while slots[slot % SLOTS].head != 0 {
                slot += 1;
            }
            assert!(slot - first < MOST_PROBES, "the index is too small for so many commands");
            slots[slot % SLOTS] = Bucket { head: head(name), len: name.len() as u16, row: row as u16 };
        }
        row += 1;
    }
    slots
}

const fn has_space(name: &[u8]) -> bool {
    let mut i = 0;
    while i < name.len() {
        if name[i] == b' ' {
            return true;
        }
        i += 1;
    }
    false
}

const fn curated() -> [Spec; COMMANDS.len()] {
    let mut table = [COMMANDS[0]; COMMANDS.len()];
    table.copy_from_slice(COMMANDS);
    repeat::mark(&mut table);
    connection::mark(&mut table);
    blocking::mark(&mut table);
    compound::mark(&mut table);
    routing::mark(&mut table);
    table
}
