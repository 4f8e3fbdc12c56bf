//! Which commands do not simply go where their key is.
//!
//! What must stay true: looking at a command that is not special costs a comparison and allocates nothing.

use truename::command::{Arguments, Flags, RequestPolicy, keys, lookup};
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
    /// Goes to any primary, whatever the client thinks of it.
    AnyPrimary,
    /// Goes where its caller said, which it knows.
    Placed,
    /// The client makes several commands of it, which would have no order with others of a pipeline.
    Alone,
    /// Begins a transaction: its keys are watched on a connection of their own.
    Watch,
    /// Ends that.
    Unwatch,
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
        b"WATCH" => Some(Special::Watch),
        b"UNWATCH" => Some(Special::Unwatch),
        b"MULTI" | b"EXEC" | b"DISCARD" => Some(Special::Refused(TRANSACTION)),
        b"DEBUG" | b"FLUSHALL" | b"FLUSHDB" | b"INFO" | b"FT._LIST" => {
            Spread::of(name, b"").map(Special::Spread)
        }
        b"LASTSAVE" => Some(Special::AnyPrimary),
        b"ACL" | b"CLUSTER" | b"COMMAND" | b"CONFIG" | b"FUNCTION" | b"LATENCY" | b"MEMORY" | b"MODULE"
        | b"PUBSUB" | b"SCRIPT" | b"SLOWLOG" => of_container(name, args.at(1)?),
        _ => None,
    }
}

/// What is special about a command only because there are others before and after it.
pub(crate) fn among_others<A: Arguments + ?Sized>(args: &A) -> Option<Special> {
    let spec = lookup(args.at(0)?, args.at(1))?;
    let is_for_several = match spec.request {
        RequestPolicy::MultiShard => {
            let mut slots = Vec::new();
            keys(spec, args, &mut |index| slots.extend(args.at(index).map(Slot::of_key)));
            slots.windows(2).any(|pair| pair[0] != pair[1])
        }
        RequestPolicy::AllNodes | RequestPolicy::AllShards | RequestPolicy::Special => {
            !spec.flags.contains(Flags::ANY_WILL_DO)
        }
        _ => false,
    };
    is_for_several.then_some(Special::Alone)
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
        assert_eq!(is(&["PING"]), None);
        assert_eq!(is(&["scan", "0"]), Some(Special::Scan));
        assert_eq!(is(&["Script", "Load", "return 1"]), Some(Special::ScriptLoad));
        assert_eq!(is(&["evalsha_ro", "x", "0"]), Some(Special::EvalSha));
        assert_eq!(is(&["config", "get", "maxmemory"]), Some(Special::AnyPrimary));
        assert!(matches!(is(&["config", "set", "a", "b"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["SCRIPT", "FLUSH"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["flushall"]), Some(Special::Spread(_))));
        // The client adds it up by itself.
        assert_eq!(is(&["MSET", "a", "b", "{a}", "c"]), None);
        assert_eq!(is(&["DEL", "a"]), None);
        assert!(matches!(is(&["INFO", "server"]), Some(Special::Spread(_))));
        assert!(matches!(is(&["SSUBSCRIBE", "c"]), Some(Special::Refused(_))));
        assert_eq!((is(&["watch", "k"]), is(&["UNWATCH"])), (Some(Special::Watch), Some(Special::Unwatch)));
        // What acts on one node that nobody named is left to the client, which refuses it.
        for dangerous in
            [&["SHUTDOWN"][..], &["CLUSTER", "RESET"], &["CLUSTER", "FAILOVER"], &["MODULE", "LOAD", "x"]]
        {
            assert_eq!(is(dangerous), None, "{dangerous:?}");
        }
        assert_eq!(is(&["CLUSTER"]), None);
        assert_eq!(is(&["A-NAME-THAT-IS-LONGER-THAN-ANY"]), None);
    }

    #[test]
    fn what_is_special_among_others() {
        for alone in [
            &["DEL", "a", "b"][..],
            &["unlink", "{x}a", "{x}b", "c"],
            &["MGET", "a", "b"],
            &["MSET", "a", "1", "b", "2"],
            &["DBSIZE"],
            &["KEYS", "*"],
        ] {
            assert_eq!(among_others(alone), Some(Special::Alone), "{alone:?}");
        }
        for plain in [
            &["DEL", "a"][..],
            &["DEL", "{x}a", "{x}b"],
            &["MSET", "{x}a", "1", "{x}b", "2"],
            &["SET", "a", "b"],
            &["PING"],
            &["JSON.MGET", "a", "b", "$"],
        ] {
            assert_eq!(among_others(plain), None, "{plain:?}");
        }
    }
}
