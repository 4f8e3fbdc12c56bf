//! Lookups and judgements as tables.

use super::blocking::BlockTime;
use super::index::{TABLE, lookup};
use super::{Affinity, Flags, KeyRule, RequestPolicy, ResponsePolicy, Spec};
use std::time::Duration;

fn parsed(line: &str) -> (&'static Spec, Vec<&str>) {
    let args: Vec<&str> = line.split(' ').collect();
    let spec = lookup(args[0].as_bytes(), args.get(1).map(|word| word.as_bytes())).expect("a known command");
    (spec, args)
}

#[test]
fn every_command_is_found_in_any_case() {
    for spec in &TABLE {
        for name in [spec.name.to_owned(), spec.name.to_lowercase()] {
            let mut words = name.split(' ').map(str::as_bytes);
            let found = lookup(words.next().unwrap(), words.next()).expect("itself");
            assert_eq!(found.name, spec.name);
        }
    }
}

#[test]
fn the_table_is_sorted_and_consistent() {
    assert!(TABLE.is_sorted_by(|left, right| left.name < right.name));
    for spec in &TABLE {
        let has = |flag| spec.flags.contains(flag);
        assert!(!(has(Flags::READONLY) && has(Flags::WRITE)), "{}", spec.name);
        assert!(spec.reach().is_shared || !has(Flags::REPEATABLE), "{}", spec.name);
        let children = TABLE.iter().any(|other| other.name.starts_with(&format!("{} ", spec.name)));
        assert_eq!(has(Flags::CONTAINER), children, "{}", spec.name);
        let alone = spec.request == RequestPolicy::Single;
        assert!(!alone || spec.response == ResponsePolicy::Default, "{}", spec.name);
    }
}

#[test]
fn the_unknown_is_not_found() {
    for (name, subcommand) in [
        ("", None),
        ("GE", None),
        ("GETT", None),
        ("G\x05T", None),
        ("GET ", None),
        ("JSON.SET", None),
        ("CLUSTER SLOTS", None),
        ("CLUSTER", Some("")),
        ("CLUSTER", Some("SLOT")),
        ("CLUSTER", Some("SCAN")),
        ("GEORADIUSBYMEMBER_RX", None),
    ] {
        let found = lookup(name.as_bytes(), subcommand.map(str::as_bytes));
        assert!(found.is_none(), "{name:?} {subcommand:?}");
    }
}

#[test]
fn subcommands_only_count_in_containers() {
    assert_eq!(lookup(b"get", Some(b"slots")).map(|spec| spec.name), Some("GET"));
    assert_eq!(lookup(b"cluster", Some(b"Slots")).map(|spec| spec.name), Some("CLUSTER SLOTS"));
    assert_eq!(lookup(b"cluster", None).map(|spec| spec.name), Some("CLUSTER"));
    assert_eq!(lookup(b"clusterscan", Some(b"0")).map(|spec| spec.name), Some("CLUSTERSCAN"));
    assert_eq!(lookup(b"command", None).map(|spec| spec.name), Some("COMMAND"));
}

#[test]
fn a_few_rows_are_as_the_servers_say() {
    let (get, _) = parsed("GET k");
    assert!(get.flags.contains(Flags::READONLY) && get.keys == KeyRule::First);
    let (del, _) = parsed("DEL a");
    assert_eq!((del.request, del.response), (RequestPolicy::MultiShard, ResponsePolicy::AggSum));
    assert_eq!(del.keys, KeyRule::Range { first: 1, last: -1, step: 1 });
    let (load, _) = parsed("SCRIPT LOAD x");
    assert_eq!((load.request, load.response), (RequestPolicy::AllNodes, ResponsePolicy::AllSucceeded));
    let (scan, _) = parsed("SCAN 0");
    assert_eq!(scan.request, RequestPolicy::Special);
    let (msetex, _) = parsed("MSETEX 1 a 1");
    assert_eq!(msetex.keys, KeyRule::Numkeys { at: 1, first: 2, step: 2 });
    assert!(parsed("CONFIG SET a b").0.flags.contains(Flags::ADMIN));
    assert!(parsed("SPUBLISH a b").0.flags.contains(Flags::PUBSUB));
}

#[test]
fn repeatable_is_judged_by_command_and_options() {
    for (expected, lines) in [(true, REPEATABLE), (false, NOT_REPEATABLE)] {
        for line in lines {
            let (spec, args) = parsed(line);
            assert_eq!(spec.repeatable(args.as_slice()), expected, "{line}");
        }
    }
}

#[test]
fn what_changes_nothing_is_judged_by_command_and_options() {
    for (expected, lines) in [(true, READS), (false, NO_READS)] {
        for line in lines {
            let (spec, args) = parsed(line);
            assert_eq!(spec.changes_nothing(args.as_slice()), expected, "{line}");
            assert!(!expected || spec.repeatable(args.as_slice()), "{line}");
        }
    }
}

const READS: &[&str] = &[
    "GET k",
    "PING",
    "INFO",
    "SCAN 0",
    "EVAL_RO s 0",
    "FCALL_RO f 0",
    "GETEX k",
    "HGETEX k FIELDS 1 f",
    "BITFIELD k GET u8 0",
    "SORT k",
    "SORT k BY store",
    "GEORADIUS k 1 2 3 m",
    "XREAD STREAMS a 0",
    "ACL LOG",
    "DIGEST k",
    "VSIM k ELE e",
    "VRANDMEMBER k",
    "SUNIONCARD 2 a b",
    "ARGET k 0",
    "STTL k MEMBERS 1 m",
    "PHSCAN k 0",
    "BLESS GET k",
    "BLESS SCAN 0 NO-EVICT",
    "HOTKEYS GET",
    "BACKUP STATUS",
    "ACL ROLES",
    "CLUSTER MIGRATION STATUS ALL",
];

/// Repeatable or not, they change something, or what they read is something else the second time.
const NO_READS: &[&str] = &[
    "SET k v",
    "SETEX k 1 v",
    "MSET a 1",
    "EXPIRE k 10",
    "GETEX k EX 10",
    "GETEX k PERSIST",
    "HGETEX k PERSIST FIELDS 1 f",
    "BITFIELD k SET u8 0 1",
    "SORT k STORE d",
    "GEORADIUS k 1 2 3 m STORE d",
    "SUNIONSTORE d a",
    "SCRIPT LOAD x",
    "XREAD STREAMS a $",
    "ACL LOG RESET",
    "INCR k",
    "EVAL s 0",
    "VSETATTR k e {}",
    "DELEX k",
    "BLESS SET k NO-EVICT",
    "BACKUP START",
    "HOTKEYS RESET",
    "CLUSTER MIGRATION IMPORT 0 1",
    "CLUSTER MIGRATION CANCEL ALL",
];

#[test]
fn what_must_not_be_sent_as_it_is() {
    use super::routing::RouteRefusal::{Administrative, ConnectionState, SeveralNodes};
    for (line, not_placed, placed) in [
        ("GET k", None, None),
        ("PING", None, None),
        ("INFO", Some(SeveralNodes), None),
        ("FLUSHALL", Some(SeveralNodes), None),
        ("CONFIG SET a b", Some(SeveralNodes), None),
        ("MULTI", Some(ConnectionState), Some(ConnectionState)),
        ("CLIENT REPLY OFF", Some(ConnectionState), Some(ConnectionState)),
        ("SHUTDOWN", Some(Administrative), None),
        ("BGSAVE", Some(Administrative), None),
        ("CLUSTER RESET", Some(Administrative), None),
        ("CLUSTER FAILOVER", Some(Administrative), None),
        ("CLIENT PAUSE 100", Some(Administrative), None),
        ("CONFIG GET x", Some(Administrative), None),
        ("DEBUG SLEEP 1", Some(Administrative), None),
        ("REPLICAOF NO ONE", Some(Administrative), None),
        ("CLUSTER MIGRATION IMPORT 0 1", Some(Administrative), None),
        ("TRIMSLOTS RANGES 1 0 1", Some(Administrative), None),
        ("BACKUP START", Some(Administrative), None),
        ("ACL SETROLE r", Some(SeveralNodes), None),
        ("HOTKEYS GET", Some(SeveralNodes), None),
        ("BLESS SCAN 0 NO-EVICT", Some(SeveralNodes), None),
        ("HIMPORT PREPARE u f", Some(ConnectionState), Some(ConnectionState)),
        ("HIMPORT SET k u v", Some(ConnectionState), Some(ConnectionState)),
        ("VADD k VALUES 1 1 e", None, None),
        ("DELEX k", None, None),
        ("CLUSTER KEYSLOT k", None, None),
        ("CLIENT ID", None, None),
    ] {
        let (spec, _) = parsed(line);
        assert_eq!(spec.reach().refusal(false), not_placed, "{line}");
        assert_eq!(spec.reach().refusal(true), placed, "{line}");
        assert!(spec.is_unusual() || not_placed.is_none(), "{line}");
    }
}

#[test]
fn what_runs_others_code_is_compound() {
    for (line, expected) in [
        ("EVAL s 0", true),
        ("fcall_ro f 0", true),
        ("DEBUG ERROR x", true),
        ("EXEC", false),
        ("SET k v", false),
    ] {
        assert_eq!(parsed(line).0.flags.contains(Flags::COMPOUND), expected, "{line}");
    }
}

const REPEATABLE: &[&str] = &[
    "GET k",
    "get k",
    "MGET a b",
    "SRANDMEMBER k",
    "SCAN 0",
    "PING",
    "EVAL_RO s 0",
    "CLUSTER SLOTS",
    "SET k v",
    "SET k NX",
    "SET NX v",
    "SET k v EX 10",
    "SET k v px 10",
    "SET k v KEEPTTL",
    "SETEX k 1 v",
    "MSET a 1 b 2",
    "HMSET h f v",
    "SETRANGE k 0 v",
    "PFMERGE d a",
    "SCRIPT LOAD x",
    "EXPIRE k 10",
    "HEXPIRE k 10 FIELDS 1 NX",
    "GETEX k",
    "GETEX k EX 10",
    "GETEX k PERSIST",
    "HGETEX k FIELDS 1 EX",
    "HSETEX k EX 10 FIELDS 1 FNX v",
    "BITFIELD k GET u8 0",
    "COPY a b REPLACE",
    "COPY a b DB 1 replace",
    "RESTORE k 0 x REPLACE ABSTTL",
    "FUNCTION LOAD REPLACE x",
    "SUNIONSTORE d a b",
    "ZUNIONSTORE d 2 a b",
    "SORT k",
    "SORT k STORE d",
    "GEORADIUS k 1 2 3 m",
    "GEORADIUS k 1 2 3 m STORE d",
    "BITOP AND d a a",
    "XREAD STREAMS a 0",
    "ACL LOG",
    "VSETATTR k e {}",
    "VEMB k e",
];

const NOT_REPEATABLE: &[&str] = &[
    "SET k v NX",
    "SET k v xx",
    "SET k v GET",
    "SET k v EX 10 NX",
    "SET k v IFEQ x",
    "SET k v SOMETHING-NEW",
    "SETNX k v",
    "MSETNX a 1",
    "MSETEX 1 a 1",
    "INCR k",
    "APPEND k v",
    "DEL k",
    "UNLINK k",
    "GETDEL k",
    "GETSET k v",
    "SETBIT k 1 1",
    "HSET h f v",
    "SADD s a",
    "ZADD z 1 a",
    "LPUSH l a",
    "LSET l 0 a",
    "LTRIM l 0 1",
    "SPOP s",
    "XADD k * f v",
    "XREADGROUP GROUP g c STREAMS a >",
    "XREAD STREAMS a $",
    "EXPIRE k 10 NX",
    "EXPIRE k 10 GT",
    "EXPIRE k 0",
    "EXPIRE k -1",
    "EXPIRE k x",
    "EXPIREAT k 2000000000",
    "HEXPIRE k 10 NX FIELDS 1 f",
    "GETEX k EXAT 5",
    "HGETEX k EX 0 FIELDS 1 f",
    "HSETEX k FNX FIELDS 1 f v",
    "BITFIELD k GET u8 0 INCRBY u8 0 1",
    "COPY a b",
    "RESTORE k 0 x",
    "FUNCTION LOAD x",
    "SDIFFSTORE a b a",
    "ZUNIONSTORE a 2 a b",
    "SORT k STORE k",
    "GEORADIUS k 1 2 3 m STORE k",
    "BITOP NOT a a",
    "ACL LOG RESET",
    "EVAL s 0",
    "FCALL f 0",
    "PUBLISH c m",
    "FLUSHALL",
    "CONFIG SET a b",
    "WAIT 1 0",
    "MULTI",
    // What only newer servers have.
    "DELEX k IFEQ v",
    "DELIFEQ k v",
    "INCREX k",
    "HGETDEL h FIELDS 1 f",
    "VADD k VALUES 1 1 e",
    "VREM k e",
    "XACKDEL s g IDS 1 1-1",
    "XDELEX s IDS 1 1-1",
    "XNACK s g FAIL IDS 1 1-1",
    "XCFGSET s IDMP-MAXSIZE 9",
    "LMOVEM a b LEFT LEFT",
    "BLMOVEM a b LEFT LEFT 0",
    "ZMOVE a b MIN",
    "ARSET k 0 v",
    "ARRING k 9 v",
    "SADDEX k EX 9 MEMBERS 1 m",
    "SEXPIRE k 9 MEMBERS 1 m",
    "PHSET k p FIELDS 1 f v",
    "PHDELPREFIX k p",
    "HIMPORT SET k f v",
    "TRIMSLOTS RANGES 1 0 1",
];

#[test]
fn what_a_command_needs_of_its_connection() {
    for (expected, lines) in [
        (Affinity::Shared, &["GET k", "PUBLISH c m", "CLIENT ID", "CLIENT KILL x", "SHUTDOWN", "PING"][..]),
        (Affinity::Blocking, &["BLPOP k 0", "XREAD BLOCK 10 STREAMS a $", "BZMOVE a b MIN 0"]),
        (Affinity::Shared, &["XREAD STREAMS a 0"]),
        (Affinity::Transaction, &["MULTI", "WATCH k", "exec"]),
        (Affinity::Subscription, &["SSUBSCRIBE c", "punsubscribe"]),
        (Affinity::Stream, &["MONITOR", "PSYNC ? -1"]),
        (Affinity::Session, &["SELECT 1", "HELLO 3", "RESET"]),
        (Affinity::Serving, &["READONLY", "ASKING"]),
        (Affinity::Replies, &["client reply ON"]),
        (Affinity::Tracking, &["CLIENT TRACKING ON", "CLIENT CACHING YES"]),
        (Affinity::Description, &["CLIENT SETINFO LIB-NAME x"]),
        (Affinity::Exemption, &["CLIENT NO-EVICT ON"]),
        (Affinity::Debugger, &["SCRIPT DEBUG YES"]),
        (Affinity::Fieldset, &["HIMPORT PREPARE u f", "HIMPORT SET k u v", "HIMPORT DISCARDALL"]),
        (Affinity::EarlierWrites, &["WAIT 1 0", "WAITAOF 1 1 0"]),
    ] {
        for line in lines {
            let (spec, args) = parsed(line);
            assert_eq!(spec.affinity(args.as_slice()), expected, "{line}");
        }
    }
}

#[test]
fn blocking_depends_on_the_arguments() {
    let millis = |number| Some(BlockTime::AtMost(Duration::from_millis(number)));
    for (line, blocks, time) in [
        ("GET k", false, None),
        ("BLPOP k 0", true, Some(BlockTime::Forever)),
        ("BLPOP a b 1.5", true, millis(1500)),
        ("BLPOP a x", true, None),
        ("BLPOP a -1", true, None),
        ("BLMPOP 2 1 k LEFT", true, millis(2000)),
        ("BLMOVE a b LEFT LEFT 0.1", true, millis(100)),
        ("BLMOVEM a b LEFT LEFT 0.1 COUNT 2 OBO", true, millis(100)),
        ("BLMOVEM a b LEFT LEFT 0", true, Some(BlockTime::Forever)),
        ("BZMOVE a b MIN 2 COUNT 3", true, millis(2000)),
        ("BZMOVE a b MIN", true, None),
        ("WAIT 1 100", true, millis(100)),
        ("WAITAOF 1 1 100", true, millis(100)),
        ("XREAD STREAMS block 0", false, None),
        ("XREAD COUNT 1 block 0 STREAMS a $", true, Some(BlockTime::Forever)),
        ("XREADGROUP GROUP block c STREAMS a >", false, None),
        ("XREADGROUP GROUP block c BLOCK 20 STREAMS a >", true, millis(20)),
    ] {
        let (spec, args) = parsed(line);
        assert_eq!(spec.blocks(args.as_slice()), blocks, "{line}");
        assert_eq!(spec.block_time(args.as_slice()), time, "{line}");
    }
}
