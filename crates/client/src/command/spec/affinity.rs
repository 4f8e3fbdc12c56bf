//! [`Affinity`]: what a command needs of its connection; `connection` says which commands need what.

/// What a command needs of the connection that it is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Affinity {
    /// Nothing: it can share a connection with the commands of others.
    Shared,
    /// One that nobody else waits for: it may hold its reply back for as long as its time-out says.
    Blocking,
    /// The connection of its transaction, which it opens, ends or conditions: what others send in between would be
    /// queued in it.
    Transaction,
    /// The connection of its subscriptions. It is answered by pushes, one per channel, and not by one reply: replies would
    /// no longer match commands. With RESP2 the connection also refuses most other commands from then on.
    Subscription,
    /// One that it turns into a stream without replies: a monitor, a replica's link, a slot migration's link.
    Stream,
    /// One whose user, database or protocol it changes, or that it ends.
    Session,
    /// One whose later commands it has served or redirected differently: replica reads, and the one-shot pass for a
    /// slot that is being imported. The engine sends these itself where they are needed.
    Serving,
    /// One whose replies it suppresses, so that all later ones would be off by some.
    Replies,
    /// One for which it chooses what the server tracks and announces.
    Tracking,
    /// One that it describes, as the handshake has done: name, library, abilities.
    Description,
    /// One that it exempts from eviction, LRU updates or expiry, for all its users.
    Exemption,
    /// One whose next scripts it runs in the debugger.
    Debugger,
    /// The one that its field names were prepared on, under a name that others on it may give to other fields.
    Fieldset,
    /// The one that sent the writes whose replication it waits for. It changes no state.
    EarlierWrites,
}
