//! The finished table and the way into it.
//!
//! Top-level names are found by a small hash table that is computed at compile time, subcommands by a walk over the
//! rows behind their container: sorted by name, they stand there without a gap.

use super::{Flags, Spec, blocking, repeat, stateful};
use crate::command::table::COMMANDS;
use std::cmp::Ordering;

/// Every command, with the curated lists applied.
pub(super) static TABLE: [Spec; COMMANDS.len()] = curated();

/// Slots of the hash table: four times the number of top-level names keeps most searches at one probe.
const SLOTS: usize = 1024;
static INDEX: [Slot; SLOTS] = index();

/// A slot of the hash table, or an empty one, with no name's head in it.
#[derive(Clone, Copy)]
struct Slot {
    head: u64,
    row: usize,
}

/// The command of that name, in any case. `subcommand` is the argument after the name, if there is one; it only
/// counts for commands that have subcommands, where an unknown one is an unknown command.
#[inline]
pub fn lookup(name: &[u8], subcommand: Option<&[u8]>) -> Option<&'static Spec> {
    let row = find(name)?;
    let spec = &TABLE[row];
    match subcommand {
        Some(word) if spec.flags.contains(Flags::CONTAINER) => child(row, word),
        _ => Some(spec),
    }
}

#[inline]
fn find(name: &[u8]) -> Option<usize> {
    let head = head(name);
    let mut slot = place(head, name.len());
    loop {
        let Slot { head: known, row } = INDEX[slot % SLOTS];
        if known == 0 {
            return None;
        }
        if known == head && same_behind_head(TABLE[row].name.as_bytes(), name) {
            return Some(row);
        }
        slot += 1;
    }
}

/// Whether two names with equal heads are equal. Most names are no longer than a head.
#[inline]
fn same_behind_head(known: &[u8], name: &[u8]) -> bool {
    known.len() == name.len() && (name.len() <= HEAD || known[HEAD..].eq_ignore_ascii_case(&name[HEAD..]))
}

fn child(container: usize, word: &[u8]) -> Option<&'static Spec> {
    let prefix = TABLE[container].name;
    TABLE[container + 1..]
        .iter()
        .map_while(|spec| Some((spec, spec.name.strip_prefix(prefix)?.strip_prefix(' ')?)))
        .find_map(|(spec, name)| name.as_bytes().eq_ignore_ascii_case(word).then_some(spec))
}

/// Bytes of a name that one comparison covers.
const HEAD: usize = 8;

/// The first bytes of a name in upper case, as one number.
#[inline]
const fn head(name: &[u8]) -> u64 {
    let mut head = 0;
    let mut i = 0;
    while i < name.len() && i < HEAD {
        head = head << 8 | name[i].to_ascii_uppercase() as u64;
        i += 1;
    }
    head
}

/// Where the search for a name starts. Fibonacci hashing: the upper bits of the product depend on all of the head.
#[inline]
const fn place(head: u64, len: usize) -> usize {
    ((head ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

const fn index() -> [Slot; SLOTS] {
    let mut slots = [Slot { head: 0, row: 0 }; SLOTS];
    let mut row = 0;
    while row < COMMANDS.len() {
        let name = COMMANDS[row].name.as_bytes();
        if !has_space(name) {
            let mut slot = place(head(name), name.len());
            while slots[slot % SLOTS].head != 0 {
                slot += 1;
            }
            slots[slot % SLOTS] = Slot { head: head(name), row };
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
    stateful::mark(&mut table);
    blocking::mark(&mut table);
    table
}

/// The row of a command that a curated list names; the build fails if there is none.
pub(super) const fn row_of(table: &[Spec], name: &str) -> usize {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        match compare(table[middle].name.as_bytes(), name.as_bytes()) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return middle,
        }
    }
    panic!("a curated list names a command that is not in the table")
}

/// The order of two names; `Ord` cannot be used in constants.
const fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let mut i = 0;
    while i < left.len() && i < right.len() {
        if left[i] != right[i] {
            return if left[i] < right[i] { Ordering::Less } else { Ordering::Greater };
        }
        i += 1;
    }
    if left.len() == right.len() {
        Ordering::Equal
    } else if left.len() < right.len() {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}
