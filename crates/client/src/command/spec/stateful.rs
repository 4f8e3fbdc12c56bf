//! Commands that change, or depend on, the state of their connection. On a lane that many callers share they would
//! change what other callers' commands do, so they belong on a connection of their own.

use super::row::row_of;
use super::{Flags, Spec};

const GROUPS: &[&[&str]] = &[
    // Open, end or condition a transaction: what others send in between would be queued in it.
    &["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"],
    // Answered by pushes, one per channel, and not by one reply: replies would no longer match commands. Without
    // RESP3 the connection also refuses most other commands from then on.
    &["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"],
    // Turn the connection into a stream without replies: a monitor, a replica's link, a slot migration's link.
    &["MONITOR", "SYNC", "PSYNC", "REPLCONF", "CLUSTER SYNCSLOTS"],
    // Change the user, the database, the protocol or all of that at once; or end the connection.
    &["AUTH", "SELECT", "HELLO", "RESET", "QUIT"],
    // Change where later commands are served or redirected: replica reads, and the one-shot pass for a slot that is
    // being imported. The engine sends them itself where they are needed.
    &["READONLY", "READWRITE", "ASKING"],
    // Suppress replies, so that all later ones would be off by some.
    &["CLIENT REPLY"],
    // Choose what the server tracks and announces for this connection.
    &["CLIENT TRACKING", "CLIENT CACHING"],
    // Describe the connection or its abilities, which the handshake has done: names, library, redirects by role.
    &["CLIENT SETNAME", "CLIENT SETINFO", "CLIENT CAPA"],
    // Exempt the connection from eviction, LRU updates or expiry, for all its users.
    &["CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT IMPORT-SOURCE"],
    // Runs the next scripts of the connection in the debugger.
    &["SCRIPT DEBUG"],
    // Wait for the replication of what this connection wrote: they mean nothing on any connection but the one
    // that sent the writes. They change no state.
    &["WAIT", "WAITAOF"],
];

/// Sets the flag on every command of the list.
pub(super) const fn mark(table: &mut [Spec]) {
    let mut group = 0;
    while group < GROUPS.len() {
        let mut i = 0;
        while i < GROUPS[group].len() {
            let row = row_of(table, GROUPS[group][i]);
            table[row].flags = table[row].flags.with(Flags::STATEFUL);
            i += 1;
        }
        group += 1;
    }
}
