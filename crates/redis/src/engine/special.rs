//! Which commands do not simply go where their key is.
//!
//! What must stay true: looking at a command that is not special costs a comparison and allocates nothing.

use truename::command::Arguments;
use truename::topology::Slot;

use super::spread::Spread;

/// The longest name of a command that is special.
const LONGEST: usize = 16;

/// What is done with a command instead of sending it where its key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// Goes through the nodes, one after the other.
    Scan,
    /// Goes to all primaries, and its body is remembered.
    ScriptLoad,
    /// Becomes `EVAL` where the server does not have the script.
    EvalSha,
    /// Goes to several nodes.
    Spread(Spread),
    /// The client sends it to several nodes by itself; among others it has its place, after those before it.
    InPlace,
    /// Goes to any primary, whatever the client thinks of it.
    AnyPrimary,
    /// Cannot be done, for this reason.
    Refused(&'static str),
}

const SUBSCRIBE: &str =
    "subscriptions are not part of this version of truename-redis: no message would ever come";
const TRANSACTION: &str =
    "MULTI, EXEC and DISCARD belong to one connection, and connections are shared: make the pipeline atomic";

/// What is special about a command; `None` for nearly all of them.
#[inline]
pub(crate) fn special<A: Arguments + ?Sized>(args: &A) -> Option<Special> {
    let mut place = [0; LONGEST];
    let name = upper(args.at(0)?, &mut place)?;
    match name {
        b"SCAN" => Some(Special::Scan),
        b"EVALSHA" | b"EVALSHA_RO" => Some(Special::EvalSha),
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE" => {
            Some(Special::Refused(SUBSCRIBE))
        }
        b"MULTI" | b"EXEC" | b"DISCARD" => Some(Special::Refused(TRANSACTION)),
        b"DEBUG" | b"FLUSHALL" | b"FLUSHDB" | b"INFO" | b"FT._LIST" => {
            Spread::of(name, b"").map(Special::Spread)
        }
        b"LASTSAVE" => Some(Special::AnyPrimary),
        b"DBSIZE" | b"KEYS" | b"RANDOMKEY" => Some(Special::InPlace),
        b"MGET" | b"MSET" | b"DEL" | b"UNLINK" | b"EXISTS" | b"TOUCH" => {
            has_several_slots(args, if name == b"MSET" { 2 } else { 1 }).then_some(Special::InPlace)
        }
        b"ACL" | b"CLUSTER" | b"COMMAND" | b"CONFIG" | b"FUNCTION" | b"LATENCY" | b"MEMORY" | b"MODULE"
        | b"PUBSUB" | b"SCRIPT" | b"SLOWLOG" => of_container(name, args.at(1)?),
        _ => None,
    }
}

/// Whether keys, each `step` arguments after the one before, are of several slots.
fn has_several_slots<A: Arguments + ?Sized>(args: &A, step: usize) -> bool {
    let mut keys = (1..args.len()).step_by(step).filter_map(|at| args.at(at));
    let Some(first) = keys.next() else { return false };
    // Alone it needs no look at its slot.
    let mut others = keys.peekable();
    others.peek().is_some() && {
        let slot = Slot::of_key(first);
        others.any(|key| Slot::of_key(key) != slot)
    }
}

#[inline(never)]
fn of_container(name: &[u8], subcommand: &[u8]) -> Option<Special> {
    let mut place = [0; LONGEST];
    let subcommand = upper(subcommand, &mut place)?;
    if (name, subcommand) == (b"SCRIPT", b"LOAD") {
        return Some(Special::ScriptLoad);
    }
    if let Some(spread) = Spread::of(name, subcommand) {
        return Some(Special::Spread(spread));
    }
    // They tell something that every node knows, or what the one that answers knows.
    let is_told_by_any = match name {
        b"ACL" => matches!(
            subcommand,
            b"CAT" | b"DRYRUN" | b"GENPASS" | b"GETUSER" | b"HELP" | b"LIST" | b"LOG" | b"USERS" | b"WHOAMI"
        ),
        b"CLUSTER" => matches!(
            subcommand,
            b"INFO"
                | b"KEYSLOT"
                | b"LINKS"
                | b"MYID"
                | b"MYSHARDID"
                | b"NODES"
                | b"REPLICAS"
                | b"SHARDS"
                | b"SLAVES"
                | b"SLOTS"
        ),
        b"COMMAND" => true,
        b"CONFIG" => matches!(subcommand, b"GET" | b"HELP"),
        b"FUNCTION" => matches!(subcommand, b"DUMP" | b"HELP" | b"LIST"),
        b"MODULE" => matches!(subcommand, b"HELP" | b"LIST"),
        _ => false,
    };
    is_told_by_any.then_some(Special::AnyPrimary)
}

/// The name in upper case; `None` if it is too long to be special.
#[inline]
fn upper<'p>(name: &[u8], place: &'p mut [u8; LONGEST]) -> Option<&'p [u8]> {
    let upper = place.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    Some(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special() {
        let is = |args: &[&str]| special(args);
        assert_eq!(is(&["GET", "k"]), None);
        assert_eq!(is(&["MGET", "a", "{a}b"]), None);
        assert_eq!(is(&["MGET", "a", "b"]), Some(Special::InPlace));
        assert_eq!(is(&["PING"]), None);
        assert_eq!(is(&["scan", "0"]), Some(Special::Scan));
        assert_eq!(is(&["Script", "Load", "return 1"]), Some(Special::ScriptLoad));
        assert_eq!(is(&["evalsha_ro", "x", "0"]), Some(Special::EvalSha));
        assert_eq!(is(&["config", "get", "maxmemory"]), Some(Special::AnyPrimary));
        assert!(matches!(is(&["config", "set", "a", "b"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["SCRIPT", "FLUSH"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["flushall"]), Some(Special::Spread(_))));
        // The client adds it up by itself.
        assert_eq!(is(&["DBSIZE"]), Some(Special::InPlace));
        assert_eq!(is(&["MSET", "a", "b", "{a}", "c"]), None);
        assert_eq!(is(&["mset", "a", "b", "b", "c"]), Some(Special::InPlace));
        assert_eq!(is(&["DEL", "a"]), None);
        assert!(matches!(is(&["INFO", "server"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["SSUBSCRIBE", "c"]), Some(Special::Refused(_))));
        // What acts on one node that nobody named is left to the client, which refuses it.
        for dangerous in
            [&["SHUTDOWN"][..], &["CLUSTER", "RESET"], &["CLUSTER", "FAILOVER"], &["MODULE", "LOAD", "x"]]
        {
            assert_eq!(is(dangerous), None, "{dangerous:?}");
        }
        assert_eq!(is(&["CLUSTER"]), None);
        assert_eq!(is(&["A-NAME-THAT-IS-LONGER-THAN-ANY"]), None);
    }
}
