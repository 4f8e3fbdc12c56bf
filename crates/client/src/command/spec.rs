//! What the client must know about a command to route it, to choose a connection for it and to repeat it.
//!
//! Servers describe most of that themselves; [`super::table`] is generated from their answers, and from documents about
//! servers that are newer than any at hand. What neither says is decided here, once per command and with the reason beside
//! it: `repeat` (may it run twice?), `connection` (what does it need of its connection?), `blocking` (how long may it wait?),
//! `compound` (does its error prove anything?), `routing` (where does it go without a key?).
//! `index` joins all of it into one static table at compile time and finds a command in it; `row` finds its rows for those
//! lists; `condition`, `wait` and `affinity` are what `repeat`, `blocking` and `connection` write there.
//!
//! What must stay true: a lookup allocates nothing, and a command that no list mentions is never repeated.

mod affinity;
pub(super) mod blocking;
mod compound;
mod condition;
mod connection;
pub(super) mod index;
#[cfg(test)]
mod refusal_tests;
mod repeat;
pub(super) mod routing;
mod row;
#[cfg(test)]
mod tests;
mod wait;

pub use affinity::Affinity;
use condition::RepeatCondition;
use wait::Wait;

/// One command as the client sees it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use truename::command::{BlockTime, Flags, lookup};
///
/// let pop = ["BLPOP", "queue", "5"];
/// let spec = lookup(b"blpop", Some(b"queue")).expect("servers have it");
/// assert!(spec.name == "BLPOP" && spec.flags.contains(Flags::WRITE));
/// // It waits on the server for five seconds, and must not be executed twice.
/// assert!(spec.blocks(&pop[..]));
/// assert_eq!(spec.block_time(&pop[..]), Some(BlockTime::AtMost(Duration::from_secs(5))));
/// assert!(!spec.repeatable(&pop[..]) && !spec.changes_nothing(&pop[..]));
///
/// // A SET leaves twice what it leaves once, unless its reply depends on what was there.
/// let spec = lookup(b"SET", None).expect("servers have it");
/// assert!(spec.repeatable(&["SET", "k", "v"][..]) && !spec.changes_nothing(&["SET", "k", "v"][..]));
/// assert!(!spec.repeatable(&["SET", "k", "v", "NX"][..]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name in upper case; a subcommand follows its container after a space: `CLUSTER SLOTS`.
    pub name: &'static str,
    /// What kind of command it is.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: KeyRule,
    /// Which nodes should execute it in a cluster.
    pub request: RequestPolicy,
    /// How the replies of several nodes become one.
    pub response: ResponsePolicy,
    /// When it changes nothing.
    read: RepeatCondition,
    /// When it changes something, but the second time nothing more.
    write: RepeatCondition,
    wait: Wait,
    affinity: Affinity,
}

/// A set of properties of a command.
///
/// # Examples
/// ```
/// use truename::command::{Flags, lookup};
///
/// let spec = lookup(b"CONFIG", Some(b"GET")).expect("servers have it");
/// assert_eq!(spec.name, "CONFIG GET");
/// assert!(spec.flags.contains(Flags::ADMIN));
///
/// let both = Flags::WRITE.with(Flags::BLOCKING);
/// assert!(both.contains(Flags::WRITE) && !Flags::WRITE.contains(both));
/// assert_eq!(both.bits(), Flags::WRITE.bits() | Flags::BLOCKING.bits());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// Reads only, so a replica may execute it.
    pub const READONLY: Self = Self(1);
    /// May change keys.
    pub const WRITE: Self = Self(1 << 1);
    /// May wait on the server; ask [`Spec::blocks`] whether it does with given arguments.
    pub const BLOCKING: Self = Self(1 << 2);
    /// Belongs to publish/subscribe.
    pub const PUBSUB: Self = Self(1 << 3);
    /// An administrative command.
    pub const ADMIN: Self = Self(1 << 4);
    /// Has subcommands.
    pub const CONTAINER: Self = Self(1 << 5);
    /// Executing it twice is as good as executing it once, under a condition; ask [`Spec::repeatable`].
    pub const REPEATABLE: Self = Self(1 << 6);
    /// Runs code from elsewhere: its errors do not prove that it was refused. So does every command without a row.
    pub const COMPOUND: Self = Self(1 << 7);
    /// Whatever its request policy says, any node's reply is as good as those of all.
    pub const ANY_WILL_DO: Self = Self(1 << 8);
    /// One of those that the router looks at twice.
    const UNUSUAL: Self = Self(1 << 9);
    /// It goes to many nodes although it does not only read.
    const FANNED: Self = Self(1 << 10);

    /// The set as bits, for the generated table. See the [example](Flags#examples).
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all flags of `other` are in this set. See the [example](Flags#examples).
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together. See the [example](Flags#examples).
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Where a command's keys are among its arguments; argument 0 is the command's name.
///
/// The counterpart of the server's key specifications (`COMMAND INFO`, Redis 7.0), which include the arguments that
/// are not keys but decide the slot all the same: the channels of `SPUBLISH` and `SSUBSCRIBE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRule {
    /// No keys.
    None,
    /// Exactly argument 1: most commands, and the fast path.
    First,
    /// Every `step`-th argument from `first` to `last`; a negative `last` counts from the end, -1 being the last.
    Range {
        /// Index of the first key.
        first: u8,
        /// Index of the last argument that may be a key.
        last: i8,
        /// Distance from key to key.
        step: u8,
    },
    /// Argument `at` says how many keys there are.
    Numkeys {
        /// Index of the number of keys.
        at: u8,
        /// Index of the first key.
        first: u8,
        /// Distance from key to key.
        step: u8,
    },
    /// Keys follow a word: `XREAD ... STREAMS key key id id`.
    Keyword {
        /// The word, in upper case.
        word: &'static str,
        /// Index at which the search for it starts.
        from: u8,
        /// Keys are the first one of this many equal parts of what follows: 2 if each key comes with an id.
        share: u8,
    },
    /// The argument after the last `STORE` or `STOREDIST` of `GEORADIUS`; one overrides the other.
    GeoStore,
    /// The argument after the last `STORE` of `SORT`, passing over the operands of its other options.
    SortStore,
    /// Argument 3 of `MIGRATE`, or, if that is empty, everything after `KEYS`.
    Migrate,
    /// Argument 2 of `DEBUG`, for those of its subcommands that look at keys.
    Debug,
    /// No key, but argument `at` is a slot, and its owner is meant.
    SlotNumber {
        /// Index of the slot.
        at: u8,
    },
    /// The keys of several rules, in order.
    Several(&'static [Self]),
}

/// Which nodes should execute a command: the server's `request_policy` tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RequestPolicy {
    /// One node: the one that serves the keys, or any if there are none.
    #[default]
    Single,
    /// Every node, replicas too.
    AllNodes,
    /// Every primary.
    AllShards,
    /// The primaries of the keys, each with its own keys.
    MultiShard,
    /// In a way of its own (`SCAN`).
    Special,
}

/// How the replies of several nodes become one: the server's `response_policy` tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ResponsePolicy {
    /// Aggregates are joined, in the order of the keys if the command has keys.
    #[default]
    Default,
    /// The first reply that is not an error.
    OneSucceeded,
    /// Any reply if none is an error, else the error.
    AllSucceeded,
    /// Logical AND of the integers, element by element.
    AggLogicalAnd,
    /// Logical OR of the integers, element by element.
    AggLogicalOr,
    /// The least integer.
    AggMin,
    /// The greatest integer.
    AggMax,
    /// The sum of the integers.
    AggSum,
    /// In a way of its own (`INFO`).
    Special,
}

/// A row of the generated table: one node, nothing curated yet.
pub(super) const fn row(name: &'static str, flags: u16, keys: KeyRule) -> Spec {
    Spec {
        name,
        flags: Flags(flags),
        keys,
        request: RequestPolicy::Single,
        response: ResponsePolicy::Default,
        read: RepeatCondition::Never,
        write: RepeatCondition::Never,
        wait: Wait::Never,
        affinity: Affinity::Shared,
    }
}

impl Spec {
    /// The same row for a command that concerns several nodes.
    pub(super) const fn fan(mut self, request: RequestPolicy, response: ResponsePolicy) -> Self {
        self.request = request;
        self.response = response;
        self
    }
}

/// Short for [`KeyRule::Range`] in the generated table.
pub(super) const fn range(first: u8, last: i8, step: u8) -> KeyRule {
    KeyRule::Range { first, last, step }
}

/// Short for [`KeyRule::Numkeys`] in the generated table.
pub(super) const fn numkeys(at: u8, first: u8, step: u8) -> KeyRule {
    KeyRule::Numkeys { at, first, step }
}

/// Short for [`KeyRule::Keyword`] in the generated table.
pub(super) const fn keyword(word: &'static str, from: u8, share: u8) -> KeyRule {
    KeyRule::Keyword { word, from, share }
}
