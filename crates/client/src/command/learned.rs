//! What a server says about a command that the table lacks: its answer to `COMMAND INFO`, reduced to what routing
//! needs.
//!
//! What must stay true: nothing in it makes a command repeatable or turns one of its errors into a refusal. A server
//! describes a renamed `EVAL` or a module's command as readily as its own, and what those answer is theirs.

use truename_resp::Reply;
use truename_topology::Slot;

use super::keys::Arguments;
use super::spec::routing::Reach;

/// How many key specifications of one command are kept.
const MOST_KEY_SPECS: usize = 8;
/// How many subcommands of one command are kept.
const MOST_SUBCOMMANDS: usize = 64;
/// The longest name of a subcommand, and the longest word before a key; what is kept of a description is small.
const LONGEST_WORD: usize = 128;

/// One command as a server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Learned {
    /// After a container's name and `|`; empty for a command outside of containers.
    subcommand: Vec<u8>,
    /// One that belongs to a connection of its own is in `@connection`, `@transaction` or `@pubsub`.
    pub(crate) reach: Reach,
    /// May wait on the server.
    pub(crate) blocks: bool,
    /// Its keys depend on the arguments in a way that the specifications do not say.
    is_vague: bool,
    keys: Vec<KeySpec>,
    subcommands: Vec<Self>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeySpec {
    begin: Begin,
    found: Found,
}

/// Where the keys are, from where the search begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// From there to the last one, which is sought from the end where it is negative: `last`, `step`, and which part of what
    /// follows are keys.
    Range(i64, usize, usize),
    /// Index of the number of keys, and of the first key, and the step.
    Numbered(usize, usize, usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Begin {
    Index(usize),
    /// After a word, sought from that argument on; backwards from the end where it is negative.
    Keyword(Vec<u8>, i64),
}

impl Learned {
    /// Reads one entry of the reply to `COMMAND INFO`: name, arity, flags, first key, last key, step, categories, tips, key
    /// specifications, subcommands (7.0; before that the first seven). `None` for anything else.
    pub(crate) fn parse(entry: &Reply) -> Option<Self> {
        let mut learned = Self::parse_one(entry)?;
        let subcommands = entry.as_array()?.get(9).and_then(Reply::as_array).unwrap_or_default();
        learned.subcommands = subcommands.iter().take(MOST_SUBCOMMANDS).filter_map(Self::parse_one).collect();
        Some(learned)
    }

    fn parse_one(entry: &Reply) -> Option<Self> {
        let fields = entry.as_array()?;
        let name = fields.first()?.as_bytes().filter(|name| name.len() <= LONGEST_WORD)?;
        let words = |index: usize| fields.get(index).and_then(Reply::as_array).unwrap_or_default();
        let has = |index: usize, wanted: &[&str]| {
            words(index).iter().filter_map(Reply::as_str).any(|word| wanted.contains(&word))
        };
        let specs = words(8);
        let mut keys: Vec<KeySpec> = specs.iter().take(MOST_KEY_SPECS).filter_map(KeySpec::parse).collect();
        let mut is_vague = keys.len() < specs.len();
        if specs.is_empty() {
            let first = fields.get(3)?.as_integer()?;
            is_vague = has(2, &["movablekeys"]);
            keys.extend(usize::try_from(first).ok().filter(|first| *first > 0).map(KeySpec::at));
        }
        Some(Self {
            subcommand: name.split(|byte| *byte == b'|').nth(1).unwrap_or_default().to_vec(),
            reach: Reach {
                is_shared: !has(6, &["@connection", "@transaction", "@pubsub"]),
                is_for_many: has(
                    7,
                    &["request_policy:all_nodes", "request_policy:all_shards", "request_policy:special"],
                ),
                is_administrative: has(2, &["admin"]),
            },
            blocks: has(2, &["blocking"]) || has(6, &["@blocking"]),
            is_vague,
            keys,
            subcommands: Vec::new(),
        })
    }

    /// A command without keys.
    #[cfg(test)]
    pub(crate) fn keyless(reach: Reach) -> Self {
        Self {
            subcommand: Vec::new(),
            reach,
            blocks: false,
            is_vague: false,
            keys: Vec::new(),
            subcommands: Vec::new(),
        }
    }

    /// A command whose keys are not described.
    #[cfg(test)]
    pub(super) fn vague() -> Self {
        Self { is_vague: true, ..Self::keyless(Reach::ONE) }
    }

    /// Whether a call may be refused because of what this says.
    pub(crate) fn may_refuse(&self) -> bool {
        let refuses = |one: &Self| one.reach != Reach::ONE;
        refuses(self) || self.subcommands.iter().any(refuses)
    }

    /// The entry of these arguments: the command's, or that of the subcommand that they name.
    pub(crate) fn of<A: Arguments + ?Sized>(&self, args: &A) -> &Self {
        let Some(word) = args.at(1) else { return self };
        let named = |learned: &&Self| learned.subcommand.eq_ignore_ascii_case(word);
        self.subcommands.iter().find(named).unwrap_or(self)
    }

    /// The slot of the command's first key, `Some(None)` if it has none; `None` if that is unknown.
    pub(crate) fn slot<A: Arguments + ?Sized>(&self, args: &A) -> Option<Option<Slot>> {
        match self.keys.iter().find_map(|spec| spec.first_key(args)) {
            Some(key) => Some(Some(Slot::of_key(key))),
            None if self.is_vague => None,
            None => Some(None),
        }
    }

    /// Whether two of the command's keys differ, as far as is described.
    pub(crate) fn names_several_keys<A: Arguments + ?Sized>(&self, args: &A) -> bool {
        let Some(first) = self.keys.iter().find_map(|spec| spec.first_key(args)) else { return false };
        self.keys.iter().filter_map(|spec| spec.span(args)).any(|(from, last, step)| {
            (from..=last).step_by(step).map_while(|index| args.at(index)).any(|key| key != first)
        })
    }
}

impl KeySpec {
    const fn at(index: usize) -> Self {
        Self { begin: Begin::Index(index), found: Found::Range(0, 1, 0) }
    }

    fn parse(spec: &Reply) -> Option<Self> {
        let part = |name: &str| {
            let part = spec.lookup(name)?;
            Some((part.lookup("type")?.as_str()?, part.lookup("spec")?))
        };
        let number = |of: &Reply, name: &str| usize::try_from(of.lookup(name)?.as_integer()?).ok();
        let begin = match part("begin_search")? {
            ("index", at) => Begin::Index(number(at, "index")?),
            ("keyword", at) => Begin::Keyword(
                at.lookup("keyword")?.as_bytes().filter(|word| word.len() <= LONGEST_WORD)?.to_vec(),
                at.lookup("startfrom")?.as_integer()?,
            ),
            _ => return None,
        };
        let step = |of: &Reply| number(of, "keystep").unwrap_or(1).max(1);
        let found = match part("find_keys")? {
            ("range", at) => {
                let last = at.lookup("lastkey").and_then(Reply::as_integer).unwrap_or_default();
                Found::Range(last, step(at), number(at, "limit").unwrap_or_default())
            }
            ("keynum", at) => Found::Numbered(number(at, "keynumidx")?, number(at, "firstkey")?, step(at)),
            _ => return None,
        };
        Some(Self { begin, found })
    }

    fn begin<A: Arguments + ?Sized>(&self, args: &A) -> Option<usize> {
        match &self.begin {
            Begin::Index(index) => Some(*index),
            Begin::Keyword(word, from) => Some(position(args, word, *from)? + 1),
        }
    }

    fn first_key<'a, A: Arguments + ?Sized>(&self, args: &'a A) -> Option<&'a [u8]> {
        let begin = self.begin(args)?;
        let Found::Numbered(count_at, first, _) = self.found else { return args.at(begin) };
        let count: usize = str::from_utf8(args.at(begin.checked_add(count_at)?)?).ok()?.parse().ok()?;
        if count == 0 { None } else { args.at(begin.checked_add(first)?) }
    }

    /// The indices of the keys, by first, last and step; they may lie beyond the arguments.
    fn span<A: Arguments + ?Sized>(&self, args: &A) -> Option<(usize, usize, usize)> {
        let (begin, len) = (self.begin(args)?, args.len());
        match self.found {
            Found::Range(last, step, share) => {
                let end = match (usize::try_from(last), share) {
                    (Ok(_), _) => begin,
                    (Err(_), ..=1) => len,
                    // As in the keys and ids of XREAD.
                    (Err(_), share) => begin + len.checked_sub(begin)? / share,
                };
                Some((begin, end.checked_add_signed(isize::try_from(last).ok()?)?, step))
            }
            Found::Numbered(count_at, first, step) => {
                let count: usize =
                    str::from_utf8(args.at(begin.checked_add(count_at)?)?).ok()?.parse().ok()?;
                let first = begin.checked_add(first)?;
                Some((first, count.checked_sub(1)?.checked_mul(step)?.checked_add(first)?, step))
            }
        }
    }
}

fn position<A: Arguments + ?Sized>(args: &A, word: &[u8], from: i64) -> Option<usize> {
    let is = |index: &usize| args.at(*index).is_some_and(|argument| argument.eq_ignore_ascii_case(word));
    match usize::try_from(from) {
        Ok(from) => (from..args.len()).find(is),
        Err(_) => {
            let last = args.len().checked_sub(usize::try_from(from.unsigned_abs()).ok()?)?;
            (1..=last).rev().find(is)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: &str) -> Reply {
        Reply::Bulk(word.to_owned().into())
    }

    fn list(words: &[&str]) -> Reply {
        Reply::Array(words.iter().map(|word| text(word)).collect())
    }

    fn map(pairs: Vec<(&str, Reply)>) -> Reply {
        Reply::Map(pairs.into_iter().map(|(key, value)| (text(key), value)).collect())
    }

    fn part(kind: &str, spec: Vec<(&str, Reply)>) -> Reply {
        map(vec![("type", text(kind)), ("spec", map(spec))])
    }

    fn at(index: i64) -> Reply {
        part("index", vec![("index", Reply::Integer(index))])
    }

    fn range() -> Reply {
        part("range", vec![("lastkey", Reply::Integer(0))])
    }

    fn numbered() -> Reply {
        part("keynum", vec![("keynumidx", Reply::Integer(0)), ("firstkey", Reply::Integer(1))])
    }

    fn entry(name: &str, flags: &[&str], categories: &[&str], specs: Vec<(Reply, Reply)>) -> Reply {
        let specs =
            specs.into_iter().map(|(b, f)| map(vec![("begin_search", b), ("find_keys", f)])).collect();
        let zero = || Reply::Integer(0);
        Reply::Array(vec![
            text(name),
            Reply::Integer(-2),
            list(flags),
            zero(),
            zero(),
            zero(),
            list(categories),
            list(&[]),
            Reply::Array(specs),
            Reply::Array(vec![]),
        ])
    }

    fn slot_of(learned: &Learned, line: &str) -> Option<Option<u16>> {
        let args: Vec<&str> = line.split(' ').collect();
        learned.slot(args.as_slice()).map(|slot| slot.map(Slot::value))
    }

    #[test]
    fn keys_are_where_the_specifications_say() {
        let keyword =
            |from| part("keyword", vec![("keyword", text("STREAMS")), ("startfrom", Reply::Integer(from))]);
        let foo = Some(Some(12182));
        for (specs, line, expected) in [
            (vec![(at(1), range())], "JSON.SET foo $ 1", foo),
            (vec![(at(2), numbered())], "MYEVAL script 1 foo", foo),
            (vec![(at(2), numbered())], "MYEVAL script 0 foo", Some(None)),
            (vec![(at(2), numbered())], "MYEVAL script", Some(None)),
            (vec![(keyword(1), range())], "READ COUNT 2 streams foo 0", foo),
            (vec![(keyword(-2), range())], "READ STREAMS foo x", foo),
            (vec![(at(9), range()), (at(1), range())], "X foo", foo),
            (vec![], "X foo", Some(None)),
            // The description does not say where its keys are.
            (vec![(part("unknown", vec![]), range())], "X foo", None),
        ] {
            let learned = Learned::parse(&entry("x", &[], &[], specs)).expect("an entry");
            assert_eq!(slot_of(&learned, line), expected, "{line}");
        }
    }

    #[test]
    fn keys_that_differ_are_several() {
        let to = |last, step, limit| {
            let number = Reply::Integer;
            let range = vec![("lastkey", number(last)), ("keystep", number(step)), ("limit", number(limit))];
            part("range", range)
        };
        let keyword =
            || part("keyword", vec![("keyword", text("STREAMS")), ("startfrom", Reply::Integer(1))]);
        for (specs, line, expected) in [
            (vec![(at(1), range())], "JSON.SET foo $ 1", false),
            (vec![(at(1), to(-1, 3, 0))], "JSON.MSET a $ 1 b $ 2", true),
            (vec![(at(1), to(-1, 3, 0))], "JSON.MSET a $ 1 a $ 2", false),
            (vec![(at(1), to(-2, 1, 0))], "JSON.MGET a b $", true),
            (vec![(at(1), to(-2, 1, 0))], "JSON.MGET a $", false),
            (vec![(at(1), to(1, 1, 0))], "X a b c", true),
            (vec![(at(1), range()), (at(2), range())], "X a b", true),
            (vec![(keyword(), to(-1, 1, 2))], "READ STREAMS a 0", false),
            (vec![(keyword(), to(-1, 1, 2))], "READ STREAMS a b 0 0", true),
            (vec![(at(2), numbered())], "MYEVAL script 1 a b", false),
            (vec![(at(2), numbered())], "MYEVAL script 2 a b", true),
            (vec![(at(2), numbered())], "MYEVAL script 2 a a", false),
            (vec![(at(2), numbered())], "MYEVAL script 99999999999999999999 a b", false),
            (vec![], "X a b", false),
        ] {
            let learned = Learned::parse(&entry("x", &[], &[], specs)).expect("an entry");
            let args: Vec<&str> = line.split(' ').collect();
            assert_eq!(learned.names_several_keys(args.as_slice()), expected, "{line}");
        }
    }

    #[test]
    fn what_a_command_needs_is_in_its_flags_and_categories() {
        let learned = |flags: &[&str], categories: &[&str]| {
            Learned::parse(&entry("x", flags, categories, vec![])).expect("an entry")
        };
        assert!(learned(&["blocking"], &[]).blocks);
        assert!(learned(&["admin"], &[]).reach.is_administrative);
        for category in ["@connection", "@transaction", "@pubsub"] {
            assert!(!learned(&[], &["@slow", category]).reach.is_shared);
        }
        let plain = learned(&["write"], &["@write", "@slow"]);
        assert!(plain.reach == Reach::ONE && !plain.blocks);
    }

    #[test]
    fn old_servers_say_less() {
        let entry = |flags: &[&str], first: i64| {
            Reply::Array(vec![
                text("x"),
                Reply::Integer(2),
                list(flags),
                Reply::Integer(first),
                Reply::Integer(1),
                Reply::Integer(1),
                list(&["@write"]),
            ])
        };
        assert_eq!(slot_of(&Learned::parse(&entry(&[], 1)).unwrap(), "X foo"), Some(Some(12182)));
        assert_eq!(slot_of(&Learned::parse(&entry(&[], 0)).unwrap(), "X foo"), Some(None));
        assert_eq!(slot_of(&Learned::parse(&entry(&["movablekeys"], 0)).unwrap(), "X foo"), None);
        assert_eq!(Learned::parse(&Reply::Nil), None);
    }

    /// A description is kept, so it must not be as long as a reply may be.
    #[test]
    fn long_words_are_not_kept() {
        let long = "x".repeat(1 << 20);
        assert_eq!(Learned::parse(&entry(&long, &[], &[], vec![])), None);
        let keyword = part("keyword", vec![("keyword", text(&long)), ("startfrom", Reply::Integer(1))]);
        let learned = Learned::parse(&entry("x", &[], &[], vec![(keyword, range())])).expect("an entry");
        assert!(learned.keys.is_empty() && slot_of(&learned, "X foo").is_none());
        let Reply::Array(mut fields) = entry("x", &[], &[], vec![]) else { unreachable!() };
        fields[9] = Reply::Array(vec![entry(&format!("x|{long}"), &["admin"], &[], vec![])]);
        assert!(!Learned::parse(&Reply::Array(fields)).expect("an entry").may_refuse());
    }

    #[test]
    fn a_subcommand_has_its_own_entry() {
        let Reply::Array(mut fields) = entry("x", &[], &[], vec![]) else { unreachable!() };
        fields[9] = Reply::Array(vec![entry("x|sub", &["blocking"], &[], vec![(at(2), range())])]);
        let learned = Learned::parse(&Reply::Array(fields)).expect("an entry");
        assert!(learned.of(["X", "SUB"].as_slice()).blocks);
        assert!(!learned.of(["X", "other"].as_slice()).blocks);
        assert!(!learned.of(["X"].as_slice()).blocks);
    }
}
