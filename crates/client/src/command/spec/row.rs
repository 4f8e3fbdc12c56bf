//! Finding a row of the table at compile time.

use std::cmp::Ordering;

use super::Spec;

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
