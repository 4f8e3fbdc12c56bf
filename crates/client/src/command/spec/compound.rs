//! Commands that run code from elsewhere, or answer with a text that others chose.
//!
//! The error of such a command can have any text, even that of a refusal or of a redirect, and says nothing about
//! whether the command was executed or where its slot is: scripts pass on the errors of inner commands (server 7.0) and
//! make errors of their own (`redis.error_reply`). A command that is not in the table is compound as well: it may be a
//! renamed `EVAL`.
//!
//! `EXEC` is not: what its commands answer is inside its array, and an error in place of the array means that none of them
//! was executed.

use super::row::row_of;
use super::{Flags, Spec};

const COMPOUND: &[&str] = &[
    "EVAL",
    "EVALSHA",
    "EVALSHA_RO",
    "EVAL_RO",
    "FCALL",
    "FCALL_RO",
    // `DEBUG ERROR text` answers with that text.
    "DEBUG",
];

/// Sets the flag on every command of the list.
pub(super) const fn mark(table: &mut [Spec]) {
    let mut i = 0;
    while i < COMPOUND.len() {
        let row = row_of(table, COMPOUND[i]);
        table[row].flags = table[row].flags.with(Flags::COMPOUND);
        i += 1;
    }
}
