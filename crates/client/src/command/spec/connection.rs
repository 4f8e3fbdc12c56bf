//! What each command needs of its connection. On a lane that many callers share, anything but [`Affinity::Shared`] would
//! change what other callers' commands do, or be changed by them.
//!
//! Servers do not say this of their commands, so it is decided here; the kinds say why.

use super::row::row_of;
use super::{Affinity, Spec};
use crate::command::keys::Arguments;

const KINDS: &[(Affinity, &[&str])] = &[
    (Affinity::Transaction, &["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"]),
    (
        Affinity::Subscription,
        &["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"],
    ),
    (Affinity::Stream, &["MONITOR", "SYNC", "PSYNC", "REPLCONF", "CLUSTER SYNCSLOTS"]),
    (Affinity::Session, &["AUTH", "SELECT", "HELLO", "RESET", "QUIT"]),
    (Affinity::Serving, &["READONLY", "READWRITE", "ASKING"]),
    (Affinity::Replies, &["CLIENT REPLY"]),
    (Affinity::Tracking, &["CLIENT TRACKING", "CLIENT CACHING"]),
    (Affinity::Description, &["CLIENT SETNAME", "CLIENT SETINFO", "CLIENT CAPA"]),
    (Affinity::Exemption, &["CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT IMPORT-SOURCE"]),
    (Affinity::Debugger, &["SCRIPT DEBUG"]),
    (Affinity::Fieldset, &["HIMPORT PREPARE", "HIMPORT SET", "HIMPORT DISCARD", "HIMPORT DISCARDALL"]),
    (Affinity::EarlierWrites, &["WAIT", "WAITAOF"]),
];

/// Notes the kind of every command of the lists.
pub(super) const fn mark(table: &mut [Spec]) {
    let mut kind = 0;
    while kind < KINDS.len() {
        let (affinity, names) = KINDS[kind];
        let mut i = 0;
        while i < names.len() {
            table[row_of(table, names[i])].affinity = affinity;
            i += 1;
        }
        kind += 1;
    }
}

impl Spec {
    /// What the command with these arguments needs of its connection.
    ///
    /// ```
    /// use truename::command::{Affinity, lookup};
    ///
    /// let affinity = |args: &[&str]| {
    ///     lookup(args[0].as_bytes(), args.get(1).map(|word| word.as_bytes())).map(|spec| spec.affinity(args))
    /// };
    /// assert_eq!(affinity(&["GET", "key"]), Some(Affinity::Shared));
    /// assert_eq!(affinity(&["XREAD", "BLOCK", "100", "STREAMS", "key", "$"]), Some(Affinity::Blocking));
    /// assert_eq!(affinity(&["CLIENT", "REPLY", "OFF"]), Some(Affinity::Replies));
    /// ```
    pub fn affinity<A: Arguments + ?Sized>(&self, args: &A) -> Affinity {
        match self.affinity {
            Affinity::Shared if self.blocks(args) => Affinity::Blocking,
            affinity => affinity,
        }
    }
}
