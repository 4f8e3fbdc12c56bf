//! Which commands may be sent again when it is unknown whether the server executed them.
//!
//! Repeatable means: executed twice in a row, the command leaves the same state as executed once, and the second
//! reply tells the caller what the first would have told. A correct state with a different reply is not enough: `DEL`
//! would answer that there was nothing to delete. What other clients write between the two executions is not
//! considered; a repeated `SET` may overwrite it, as a late one would.
//!
//! Most repeatable commands change nothing. Those are sent again; a write only where the user said so, for this call or for
//! the client, as what others wrote and were acknowledged in between would be undone.
//!
//! Servers do not say this of their commands, so it is decided here. A command that is in no list is not
//! repeatable, nor is one with an option that its list does not know.

use super::condition::{Options, RepeatCondition};
use super::row::row_of;
use super::{Flags, Spec};
use crate::command::keys::{Arguments, keys};

/// Operands of an option that takes all the rest.
const REST: usize = usize::MAX;

const ALL_TIMES: Options = &[("EX", 1), ("PX", 1), ("EXAT", 1), ("PXAT", 1), ("KEEPTTL", 0)];
const FIELDS_ONLY: Options = &[("FIELDS", REST)];

/// Reads that servers do not flag as such, as they have nothing to do with keys. Commands with the server's
/// `readonly` flag need no list: they change nothing, and a second random pick is as good as one that nobody saw.
const READS: &[&str] = &[
    // Of the server and its process.
    "ECHO",
    "INFO",
    "LASTSAVE",
    "PING",
    "ROLE",
    "TIME",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND DOCS",
    "COMMAND GETKEYS",
    "COMMAND GETKEYSANDFLAGS",
    "COMMAND INFO",
    "COMMAND LIST",
    "COMMANDLOG GET",
    "COMMANDLOG LEN",
    "CONFIG GET",
    "LATENCY DOCTOR",
    "LATENCY GRAPH",
    "LATENCY HISTOGRAM",
    "LATENCY HISTORY",
    "LATENCY LATEST",
    "MEMORY DOCTOR",
    "MEMORY MALLOC-STATS",
    "MEMORY STATS",
    "MODULE LIST",
    "SLOWLOG GET",
    "SLOWLOG LEN",
    "BACKUP LIST",
    "BACKUP STATUS",
    "HOTKEYS GET",
    // Of keys that are kept from eviction.
    "BLESS GET",
    "BLESS SCAN",
    // Of users and connections.
    "ACL CAT",
    "ACL DRYRUN",
    "ACL GENPASS",
    "ACL GETROLE",
    "ACL GETUSER",
    "ACL LIST",
    "ACL ROLES",
    "ACL USERS",
    "ACL WHOAMI",
    "CLIENT GETNAME",
    "CLIENT GETREDIR",
    "CLIENT ID",
    "CLIENT INFO",
    "CLIENT LIST",
    "CLIENT TRACKINGINFO",
    // Of the cluster.
    "CLUSTER COUNT-FAILURE-REPORTS",
    "CLUSTER COUNTKEYSINSLOT",
    "CLUSTER GETKEYSINSLOT",
    "CLUSTER GETSLOTMIGRATIONS",
    "CLUSTER INFO",
    "CLUSTER KEYSLOT",
    "CLUSTER LINKS",
    "CLUSTER MYID",
    "CLUSTER MYSHARDID",
    "CLUSTER NODES",
    "CLUSTER REPLICAS",
    "CLUSTER SHARDS",
    "CLUSTER SLAVES",
    "CLUSTER SLOT-STATS",
    "CLUSTER SLOTS",
    // Of scripts, functions and channels.
    "FUNCTION DUMP",
    "FUNCTION LIST",
    "FUNCTION STATS",
    "SCRIPT EXISTS",
    "SCRIPT SHOW",
    "PUBSUB CHANNELS",
    "PUBSUB NUMPAT",
    "PUBSUB NUMSUB",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDNUMSUB",
];

/// Commands that change nothing under a condition.
const CONDITIONAL_READS: &[(RepeatCondition, &[&str])] = &[
    // Without options they only read. `ACL LOG` with an argument may be RESET.
    (RepeatCondition::Plain(2, &[]), &["ACL LOG", "GETEX"]),
    (RepeatCondition::Plain(2, FIELDS_ONLY), &["HGETEX"]),
    // A read as long as it neither sets nor increments.
    (RepeatCondition::Plain(2, &[("GET", 2)]), &["BITFIELD"]),
    // Without a destination they only read.
    (RepeatCondition::OneKey, &["GEORADIUS", "GEORADIUSBYMEMBER", "SORT"]),
    // One of its tasks is to report on the others.
    (RepeatCondition::Plain(2, &[("STATUS", REST)]), &["CLUSTER MIGRATION"]),
    // A read, but of what comes after the call if an ID is `$`.
    (RepeatCondition::Anchored, &["XREAD"]),
];

/// Writes that leave the same state and give the same reply the second time. Left out on purpose, among others:
/// replies that count or tell what changed (`DEL`, `SADD`, `HSET`, `ZADD`, `PERSIST`, `XACK`, `DELEX`, `XACKDEL`, `VADD`) or return what was there
/// (`GETSET`, `SETBIT`, `GETDEL`); conditions that the first execution voids (`SETNX`, `RENAME`, `XGROUP CREATE`);
/// positions in lists, which others' pushes move (`LSET`, `LTRIM`); points in time, which may be past and then delete
/// (`EXPIREAT`, `HEXPIREAT`); commands that destroy what others wrote since (`FLUSHALL`); scripts and functions,
/// unless read-only; `MSETEX`, whose options follow a variable number of pairs; commands that no server at hand has
/// (`SEXPIRE`, `ARSEEK`, `PHSET`): their second reply has not been seen.
const WRITES: &[(RepeatCondition, &[&str])] = &[
    // Overwrite with the same value, and answer OK, the same length, or whether there is such an element.
    (RepeatCondition::Always, &["HMSET", "MSET", "PSETEX", "SETEX", "SETRANGE", "VSETATTR"]),
    // A union with what is already in it.
    (RepeatCondition::Always, &["PFMERGE"]),
    // Named by its content: the same digest again.
    (RepeatCondition::Always, &["SCRIPT LOAD"]),
    // Overwrites unless NX, XX, GET or a comparison makes the reply depend on what was there.
    (RepeatCondition::Plain(3, ALL_TIMES), &["SET"]),
    // The same for fields: FNX and FXX are conditions.
    (
        RepeatCondition::Plain(
            2,
            &[("EX", 1), ("PX", 1), ("EXAT", 1), ("PXAT", 1), ("KEEPTTL", 0), ("FIELDS", REST)],
        ),
        &["HSETEX"],
    ),
    // EXAT and PXAT in the past would delete the key.
    (RepeatCondition::Plain(2, &[("EX", 1), ("PX", 1), ("PERSIST", 0)]), &["GETEX"]),
    // The same for fields, where Valkey deletes for EX 0 and PX 0 as well.
    (RepeatCondition::Plain(2, &[("PERSIST", 0), ("FIELDS", REST)]), &["HGETEX"]),
    // Sets the same time to live again; zero or less deletes, and NX, GT and LT compare with what was set.
    (RepeatCondition::Lasting(&[]), &["EXPIRE", "PEXPIRE"]),
    (RepeatCondition::Lasting(FIELDS_ONLY), &["HEXPIRE", "HPEXPIRE"]),
    // Overwrite with REPLACE, fail the second time without.
    (RepeatCondition::Replacing(3, &[("REPLACE", 0), ("DB", 1)]), &["COPY"]),
    (
        RepeatCondition::Replacing(4, &[("REPLACE", 0), ("ABSTTL", 0), ("IDLETIME", 1), ("FREQ", 1)]),
        &["RESTORE", "RESTORE-ASKING"],
    ),
    (RepeatCondition::Replacing(2, &[("REPLACE", REST)]), &["FUNCTION LOAD"]),
    // Store what they read from other keys, and answer how much that is.
    (
        RepeatCondition::Apart,
        &[
            "BITOP",
            "GEORADIUS",
            "GEORADIUSBYMEMBER",
            "GEOSEARCHSTORE",
            "SDIFFSTORE",
            "SINTERSTORE",
            "SORT",
            "SUNIONSTORE",
            "ZDIFFSTORE",
            "ZINTERSTORE",
            "ZRANGESTORE",
            "ZUNIONSTORE",
        ],
    ),
];

/// Sets the flag and the conditions of every repeatable command.
pub(super) const fn mark(table: &mut [Spec]) {
    let mut row = 0;
    while row < table.len() {
        if table[row].flags.contains(Flags::READONLY) {
            table[row].read = RepeatCondition::Always;
        }
        row += 1;
    }
    let mut i = 0;
    while i < READS.len() {
        table[row_of(table, READS[i])].read = RepeatCondition::Always;
        i += 1;
    }
    let mut group = 0;
    while group < CONDITIONAL_READS.len() {
        let (condition, names) = CONDITIONAL_READS[group];
        let mut i = 0;
        while i < names.len() {
            table[row_of(table, names[i])].read = condition;
            i += 1;
        }
        group += 1;
    }
    group = 0;
    while group < WRITES.len() {
        let (condition, names) = WRITES[group];
        let mut i = 0;
        while i < names.len() {
            table[row_of(table, names[i])].write = condition;
            i += 1;
        }
        group += 1;
    }
    row = 0;
    while row < table.len() {
        let never = (&table[row].read, &table[row].write);
        if !matches!(never, (RepeatCondition::Never, RepeatCondition::Never)) {
            table[row].flags = table[row].flags.with(Flags::REPEATABLE);
        }
        row += 1;
    }
}

impl Spec {
    /// Whether the command with these arguments changes nothing, so that it does no harm twice, nor late.
    /// See the [example](Spec#examples).
    pub fn changes_nothing<A: Arguments + ?Sized>(&self, args: &A) -> bool {
        self.read.holds(self, args)
    }

    /// Whether the command with these arguments may be executed twice with the effect and the reply of once.
    /// See the [example](Spec#examples).
    pub fn repeatable<A: Arguments + ?Sized>(&self, args: &A) -> bool {
        self.read.holds(self, args) || self.write.holds(self, args)
    }
}

impl RepeatCondition {
    fn holds<A: Arguments + ?Sized>(self, spec: &Spec, args: &A) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Plain(from, options) => only(args, from, options),
            Self::Replacing(from, options) => {
                only(args, from, options) && words(args, from).any(|word| is(word, "REPLACE"))
            }
            Self::Lasting(options) => positive(args.at(2)) && only(args, 3, options),
            Self::Apart => first_key_is_named_once(spec, args),
            Self::OneKey => {
                let mut count = 0;
                keys(spec, args, &mut |_| count += 1);
                count == 1
            }
            Self::Anchored => words(args, 1).all(|word| word != b"$"),
        }
    }
}

fn words<A: Arguments + ?Sized>(args: &A, from: usize) -> impl Iterator<Item = &[u8]> {
    (from..args.len()).filter_map(|index| args.at(index))
}

fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// Whether all arguments from that index on are these options and their operands.
fn only<A: Arguments + ?Sized>(args: &A, from: usize, options: Options) -> bool {
    let mut index = from;
    while let Some(word) = args.at(index) {
        let Some((_, operands)) = options.iter().find(|(option, _)| is(word, option)) else {
            return false;
        };
        index = index.saturating_add(1).saturating_add(*operands);
    }
    true
}

fn positive(argument: Option<&[u8]>) -> bool {
    let number = argument.and_then(|digits| str::from_utf8(digits).ok()?.parse::<i64>().ok());
    number.is_some_and(|number| number > 0)
}

fn first_key_is_named_once<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> bool {
    let mut first = None;
    let mut once = true;
    keys(spec, args, &mut |index| {
        let key = args.at(index);
        match first {
            None => first = Some(key),
            Some(first) => once &= first != key,
        }
    });
    once
}
