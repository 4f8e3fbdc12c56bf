//! Finding the keys among a command's arguments.
//!
//! Every rule but the fast path comes down to spans: a first index, a last index, a step. As in the server, a span
//! that does not fit the arguments has no keys at all; the server rejects such a command wherever it is sent.

use truename_topology::Slot;

use super::spec::{KeyRule, Spec};

/// The arguments of one command. Index 0 is its name, index 1 the subcommand if it has subcommands.
///
/// # Examples
/// Slices of texts and of bytes are arguments, and so is a [`Command`](super::Command). A type of your own:
///
/// ```
/// use truename::command::{Arguments, first_key, lookup};
///
/// /// A command as somebody typed it, without quotes.
/// struct Line(&'static str);
///
/// impl Arguments for Line {
///     fn len(&self) -> usize {
///         self.0.split(' ').count()
///     }
///
///     fn at(&self, index: usize) -> Option<&[u8]> {
///         self.0.split(' ').nth(index).map(str::as_bytes)
///     }
/// }
///
/// let line = Line("lrange list 0 -1");
/// let spec = lookup(b"lrange", line.at(1)).expect("servers have it");
/// assert_eq!(first_key(spec, &line), Some(b"list".as_slice()));
/// assert!(!line.is_empty());
/// ```
pub trait Arguments {
    /// How many there are, with the name. See the [example](Arguments#examples).
    fn len(&self) -> usize;

    /// The argument at that index; `None` after the last one. See the [example](Arguments#examples).
    fn at(&self, index: usize) -> Option<&[u8]>;

    /// Whether there is not even a name. See the [example](Arguments#examples).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: AsRef<[u8]>> Arguments for [T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn at(&self, index: usize) -> Option<&[u8]> {
        self.get(index).map(AsRef::as_ref)
    }
}

/// The key that decides where the command goes; `None` if it has none. See the [example](keys#examples).
#[inline]
pub fn first_key<'a, A: Arguments + ?Sized>(spec: &Spec, args: &'a A) -> Option<&'a [u8]> {
    if matches!(spec.keys, KeyRule::First) { args.at(1) } else { first_by_rule(&spec.keys, args) }
}

/// The slot that decides where the command goes; `None` if nothing in it does.
#[inline]
pub(crate) fn own_slot<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> Option<Slot> {
    match spec.keys {
        KeyRule::First => args.at(1).map(Slot::of_key),
        KeyRule::None => None,
        ref rule => slot_by_rule(rule, args),
    }
}

fn slot_by_rule<A: Arguments + ?Sized>(rule: &KeyRule, args: &A) -> Option<Slot> {
    match *rule {
        KeyRule::SlotNumber { at } => Slot::new(str::from_utf8(args.at(at.into())?).ok()?.parse().ok()?),
        _ => first_by_rule(rule, args).map(Slot::of_key),
    }
}

/// Calls `f` with the index of every key, in the order of the command's key rule.
///
/// # Examples
/// ```
/// use truename::command::{first_key, keys, lookup};
///
/// let words = ["MSET", "{a}1", "x", "{a}2", "y"];
/// let spec = lookup(b"MSET", None).expect("servers have it");
/// assert_eq!(first_key(spec, &words[..]), Some(b"{a}1".as_slice()));
///
/// let mut found = Vec::new();
/// keys(spec, &words[..], &mut |index| found.push(words[index]));
/// assert_eq!(found, ["{a}1", "{a}2"]);
/// ```
pub fn keys<A: Arguments + ?Sized>(spec: &Spec, args: &A, f: &mut dyn FnMut(usize)) {
    for rule in parts(&spec.keys) {
        if let Some(span) = Span::of(rule, args) {
            (span.first..=span.last).step_by(span.step).for_each(&mut *f);
        }
    }
}

/// Whether two of its keys differ.
pub(crate) fn names_several_keys<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> bool {
    let first = first_key(spec, args);
    let mut found = false;
    keys(spec, args, &mut |index| found |= args.at(index) != first);
    found
}

fn first_by_rule<'a, A: Arguments + ?Sized>(rule: &KeyRule, args: &'a A) -> Option<&'a [u8]> {
    parts(rule).iter().find_map(|part| args.at(Span::of(part, args)?.first))
}

fn parts(rule: &KeyRule) -> &[KeyRule] {
    match rule {
        KeyRule::Several(parts) => parts,
        simple => std::slice::from_ref(simple),
    }
}

/// Indices of keys: not empty, and within the arguments.
struct Span {
    first: usize,
    last: usize,
    step: usize,
}

impl Span {
    fn of<A: Arguments + ?Sized>(rule: &KeyRule, args: &A) -> Option<Self> {
        let len = args.len();
        let span = match *rule {
            KeyRule::None | KeyRule::Several(_) | KeyRule::SlotNumber { .. } => return None,
            KeyRule::First => Self::one(1),
            KeyRule::Range { first, last, step } => {
                let end = if last < 0 { len } else { 0 };
                Self { first: first.into(), last: end.checked_add_signed(last.into())?, step: step.into() }
            }
            KeyRule::Numkeys { at, first, step } => numbered(args, at.into(), first.into(), step.into())?,
            KeyRule::Keyword { word, from, share } => {
                let first = position(args, from.into(), word)? + 1;
                let count = len.checked_sub(first)? / usize::from(share);
                Self { first, last: (first + count).checked_sub(1)?, step: 1 }
            }
            KeyRule::GeoStore => Self::one(geo_store(args)?),
            KeyRule::SortStore => Self::one(sort_store(args)?),
            KeyRule::Migrate => migrate(args)?,
            KeyRule::Debug => debug(args)?,
        };
        (span.first <= span.last && span.last < len).then_some(span)
    }

    const fn one(index: usize) -> Self {
        Self { first: index, last: index, step: 1 }
    }
}

fn numbered<A: Arguments + ?Sized>(args: &A, at: usize, first: usize, step: usize) -> Option<Span> {
    let count: usize = str::from_utf8(args.at(at)?).ok()?.parse().ok()?;
    let last = count.checked_sub(1)?.checked_mul(step)?.checked_add(first)?;
    Some(Span { first, last, step })
}

fn is<A: Arguments + ?Sized>(args: &A, index: usize, word: &str) -> bool {
    args.at(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
}

fn position<A: Arguments + ?Sized>(args: &A, from: usize, word: &str) -> Option<usize> {
    (from..args.len()).find(|&index| is(args, index, word))
}

/// `GEORADIUS key longitude latitude radius unit ... [STORE key | STOREDIST key]`, or with a member and one
/// argument less: then argument 5 is the first option.
fn geo_store<A: Arguments + ?Sized>(args: &A) -> Option<usize> {
    last_operand(args, 5, |index| {
        if is(args, index, "STORE") || is(args, index, "STOREDIST") {
            KeyStep::Found
        } else {
            KeyStep::Over(1)
        }
    })
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] ... [STORE key]`.
fn sort_store<A: Arguments + ?Sized>(args: &A) -> Option<usize> {
    last_operand(args, 2, |index| {
        if is(args, index, "STORE") {
            KeyStep::Found
        } else if is(args, index, "LIMIT") {
            KeyStep::Over(3)
        } else if is(args, index, "BY") || is(args, index, "GET") {
            KeyStep::Over(2)
        } else {
            KeyStep::Over(1)
        }
    })
}

/// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password] [AUTH2 user password] [KEYS key ...]`.
fn migrate<A: Arguments + ?Sized>(args: &A) -> Option<Span> {
    if !args.at(3)?.is_empty() {
        return Some(Span::one(3));
    }
    let mut index = 6;
    while index < args.len() && !is(args, index, "KEYS") {
        let operands = if is(args, index, "AUTH2") { 2 } else { usize::from(is(args, index, "AUTH")) };
        index += 1 + operands;
    }
    Some(Span { first: index + 1, last: args.len() - 1, step: 1 })
}

/// Subcommands of `DEBUG` with a key, which is argument 2. The server neither describes them nor redirects them: it looks
/// among its own keys (`debug.c`, 7.0).
const DEBUG_OF_KEY: &[&str] =
    &["OBJECT", "SDSLEN", "LISTPACK", "ZIPLIST", "QUICKLIST", "HTSTATS-KEY", "DUMP"];

fn debug<A: Arguments + ?Sized>(args: &A) -> Option<Span> {
    if is(args, 1, "DIGEST-VALUE") {
        return Some(Span { first: 2, last: args.len().checked_sub(1)?, step: 1 });
    }
    DEBUG_OF_KEY.iter().any(|word| is(args, 1, word)).then_some(Span::one(2))
}

/// What a walk over options makes of a word: its operand is the one looked for, or it is skipped with its operands.
enum KeyStep {
    Found,
    Over(usize),
}

/// The index of the last operand looked for: a repeated option overrides the earlier ones.
fn last_operand<A: Arguments + ?Sized>(
    args: &A,
    from: usize,
    step: impl Fn(usize) -> KeyStep,
) -> Option<usize> {
    let mut found = None;
    let mut index = from;
    while index < args.len() {
        match step(index) {
            KeyStep::Found => {
                found = Some(index + 1);
                index += 2;
            }
            KeyStep::Over(count) => index += count,
        }
    }
    found.filter(|&index| index < args.len())
}

#[cfg(test)]
mod tests {
    use truename_topology::Slot;

    use super::{first_key, keys, names_several_keys, own_slot};
    use crate::command::lookup;

    fn found(line: &str) -> Vec<String> {
        let args: Vec<String> = line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
        let spec = lookup(args[0].as_bytes(), args.get(1).map(String::as_bytes)).expect("a known command");
        let mut found = Vec::new();
        keys(spec, args.as_slice(), &mut |index| found.push(args[index].clone()));
        let first = first_key(spec, args.as_slice()).map(|key| String::from_utf8(key.to_vec()).unwrap());
        assert_eq!(first.as_ref(), found.first(), "{line}");
        found
    }

    #[test]
    fn a_slot_as_an_argument_is_the_slot() {
        for (line, expected) in [
            ("CLUSTER COUNTKEYSINSLOT 3999", Some(3999)),
            ("cluster getkeysinslot 0 10", Some(0)),
            ("CLUSTER COUNTKEYSINSLOT 16384", None),
            ("CLUSTER COUNTKEYSINSLOT many", None),
            ("CLUSTER COUNTKEYSINSLOT", None),
            ("CLUSTER KEYSLOT foo", None),
            ("GET foo", Some(12182)),
            ("DEBUG OBJECT foo", Some(12182)),
        ] {
            let args: Vec<&str> = line.split(' ').collect();
            let spec = lookup(args[0].as_bytes(), args.get(1).map(|word| word.as_bytes())).expect("known");
            assert_eq!(own_slot(spec, args.as_slice()).map(Slot::value), expected, "{line}");
        }
    }

    #[test]
    fn a_key_that_is_named_twice_is_one_key() {
        for (line, expected) in [
            ("EVAL script 0 a b", false),
            ("EVAL script 1 a b", false),
            ("EVAL script 2 a a b", false),
            ("EVAL script 2 a b", true),
            ("FCALL name 3 a a b", true),
            ("GET a", false),
            ("ZUNIONSTORE d 1 d", false),
            ("ZUNIONSTORE d 1 e", true),
            ("PING a b", false),
        ] {
            let args: Vec<&str> = line.split(' ').collect();
            let spec = lookup(args[0].as_bytes(), args.get(1).map(|word| word.as_bytes())).expect("known");
            assert_eq!(names_several_keys(spec, args.as_slice()), expected, "{line}");
        }
    }

    #[test]
    fn every_rule_finds_its_keys() {
        for (line, expected) in [
            ("PING", ""),
            ("GET k", "k"),
            ("get k", "k"),
            ("GET", ""),
            ("MGET a b c", "a b c"),
            ("MSET a 1 b 2", "a b"),
            ("BLPOP a b 0", "a b"),
            ("BLPOP a", ""),
            ("OBJECT ENCODING k", "k"),
            ("BITOP AND d a b", "d a b"),
            ("LMOVE a b LEFT RIGHT", "a b"),
            ("EVAL script 2 a b x", "a b"),
            ("EVAL script 0 x", ""),
            ("EVAL script 3 a b", ""),
            ("EVAL script -1 a", ""),
            ("EVAL script 18446744073709551615 a", ""),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
            ("MSETEX 2 a 1 b 2 EX 5", "a b"),
            ("VSIM k ELE e", "k"),
            ("SUNIONCARD 2 a b LIMIT 3", "a b"),
            ("ZMOVEMEMBER a b NX MEMBERS 1 m", "a b"),
            ("BLESS GET k", "k"),
            ("HIMPORT SET k u v", "k"),
            ("XREAD COUNT 2 streams a b 0 0", "a b"),
            ("XREAD COUNT 2 STREAMS", ""),
            ("XREAD COUNT 2", ""),
            ("XREADGROUP GROUP g c STREAMS a >", "a"),
            ("SORT k", "k"),
            ("SORT k BY store GET store LIMIT 0 1 STORE d", "k d"),
            ("SORT k STORE d STORE e", "k e"),
            ("SORT k STORE", "k"),
            ("GEORADIUS k 1 2 3 m ASC store d", "k d"),
            ("GEORADIUSBYMEMBER k store 3 m STOREDIST d", "k d"),
            ("MIGRATE host 1 k 0 10 COPY", "k"),
            ("MIGRATE host 1 '' 0 10 AUTH keys KEYS a b", "a b"),
            ("MIGRATE host 1 '' 0 10 AUTH2 keys keys KEYS a b", "a b"),
            ("MIGRATE host 1 '' 0 10 COPY", ""),
            ("SPUBLISH channel message", "channel"),
            ("SUNSUBSCRIBE", ""),
            ("DEBUG OBJECT k fast", "k"),
            ("debug digest-value a b", "a b"),
            ("DEBUG OBJECT", ""),
            ("DEBUG SLEEP 1", ""),
            ("CLUSTER GETKEYSINSLOT 3999 10", ""),
        ] {
            assert_eq!(found(line).join(" "), expected, "{line}");
        }
    }
}
