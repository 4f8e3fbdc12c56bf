//! A command whose keys are in several slots, as one command for each slot: `MGET`, `MSET`, `DEL` and their like.
//!
//! What must stay true: every key is in exactly one part, with its operands, and keys of one slot keep their order; what has a
//! condition on all its keys (`MSETEX` with `NX` or `XX`), or an option that is not known, is not split.

use std::collections::HashMap;
use std::ops::Range;

use truename_resp::Reply;
use truename_topology::Slot;

use crate::command::{Arguments, Command, KeyRule, RequestPolicy, Spec, cmd};
use crate::error::TypeError;
use crate::from_reply::one_for_each;

/// One of the commands that a command is sent as.
#[derive(Debug)]
pub(crate) struct Part<'c> {
    pub(crate) command: Command<'c>,
    /// The slot that decides where it goes, if one does.
    pub(crate) slot: Option<Slot>,
    /// Which of the whole command's keys it has, counted from 0.
    pub(crate) keys: Vec<usize>,
}

impl<'c> Part<'c> {
    /// The whole command, for one node of several.
    pub(crate) fn whole(command: Command<'c>, slot: Option<Slot>) -> Self {
        Self { command, slot, keys: Vec::new() }
    }
}

/// Where the keys of a command are that can be split.
struct Layout {
    keys: Range<usize>,
    /// Distance from key to key.
    step: usize,
    /// The argument that says how many keys there are.
    count_at: Option<usize>,
}

/// Whether [`split`] makes several of the command, if its keys are of several slots.
pub(crate) fn can_be_split(command: &Command<'_>, spec: &Spec) -> bool {
    Layout::of(command, spec).is_some()
}

/// The command as one for each slot, in the order of their first keys; `None` if it cannot be split.
pub(crate) fn split<'c>(command: &'c Command<'_>, spec: &Spec) -> Option<Vec<Part<'c>>> {
    let layout = Layout::of(command, spec)?;
    let key_at = |ordinal: usize| layout.keys.start + ordinal * layout.step;
    let keys = layout.keys.len() / layout.step;
    let mut by_slot: Vec<(Slot, Vec<usize>)> = Vec::new();
    let mut indices: HashMap<Slot, usize> = HashMap::new();
    for ordinal in 0..keys {
        let slot = Slot::of_key(command.at(key_at(ordinal))?);
        let index = *indices.entry(slot).or_insert(by_slot.len());
        match by_slot.get_mut(index) {
            Some((_, ordinals)) => ordinals.push(ordinal),
            None => by_slot.push((slot, vec![ordinal])),
        }
    }
    let parts = by_slot.into_iter().map(|(slot, ordinals)| {
        let mut part = cmd(command.at(0).unwrap_or_default()).route_by_slot(slot);
        for index in 1..layout.keys.start {
            part = match layout.count_at {
                Some(at) if at == index => part.arg(ordinals.len()),
                _ => part.arg(command.at(index).unwrap_or_default()),
            };
        }
        let operands = ordinals.iter().flat_map(|&ordinal| key_at(ordinal)..key_at(ordinal) + layout.step);
        let rest = operands.chain(layout.keys.end..command.len());
        part = part.args(rest.map(|index| command.at(index).unwrap_or_default()));
        part = part.read_as(command);
        if let Some(repeatable) = command.own_repeatable() {
            part = part.repeatable(repeatable);
        }
        Part { command: part, slot: Some(slot), keys: ordinals }
    });
    Some(parts.collect())
}

impl Layout {
    fn of(command: &Command<'_>, spec: &Spec) -> Option<Self> {
        if spec.request != RequestPolicy::MultiShard {
            return None;
        }
        let layout = match spec.keys {
            KeyRule::Range { first, last: -1, step } => {
                Self { keys: first.into()..command.len(), step: step.into(), count_at: None }
            }
            KeyRule::Numkeys { at, first, step } => {
                let count: usize = str::from_utf8(command.at(at.into())?).ok()?.parse().ok()?;
                let end = count.checked_mul(step.into())?.checked_add(first.into())?;
                Self { keys: first.into()..end, step: step.into(), count_at: Some(at.into()) }
            }
            _ => return None,
        };
        let is_whole = layout.keys.end <= command.len() && layout.keys.len() % layout.step == 0;
        (is_whole && only_expires(command, layout.keys.end)).then_some(layout)
    }
}

/// Whether nothing but times to live follows the keys. Anything else may make them depend on each other.
fn only_expires(command: &Command<'_>, from: usize) -> bool {
    let mut index = from;
    while let Some(word) = command.at(index) {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        index += match () {
            () if is("KEEPTTL") => 1,
            () if ["EX", "PX", "EXAT", "PXAT"].into_iter().any(is) => 2,
            () => return false,
        };
    }
    true
}

/// Puts the elements of the parts' replies where their keys are in the whole command.
pub(crate) fn in_order_of_keys(replies: Vec<(&[usize], Reply)>) -> Result<Reply, TypeError> {
    let count = replies.iter().map(|(keys, _)| keys.len()).sum();
    let mut items = vec![Reply::Nil; count];
    for (keys, reply) in replies {
        for (&key, element) in keys.iter().zip(one_for_each(reply, keys.len())?) {
            items[key] = element;
        }
    }
    Ok(Reply::Array(items))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd;

    /// `{1}` is of slot 9842 and `{2}` of 5649.
    fn parts(line: &str) -> Option<Vec<String>> {
        let mut words = line.split(' ');
        let command = cmd(words.next().unwrap_or_default()).args(words);
        let parts = split(&command, command.spec().expect("known"))?;
        let shown = parts.iter().map(|part| {
            let words: Vec<_> = (0..part.command.len())
                .map(|at| String::from_utf8_lossy(part.command.at(at).expect("there")))
                .collect();
            format!("{} {:?}", words.join(" "), part.keys)
        });
        Some(shown.collect())
    }

    #[test]
    fn each_slot_has_its_keys_with_their_operands() {
        let rows: [(&str, Option<&[&str]>); 13] = [
            ("MGET {1}a {2}a {1}b", Some(&["MGET {1}a {1}b [0, 2]", "MGET {2}a [1]"])),
            ("mget {1}a {1}a", Some(&["mget {1}a {1}a [0, 1]"])),
            ("MSET {1}a x {2}a y {1}a z", Some(&["MSET {1}a x {1}a z [0, 2]", "MSET {2}a y [1]"])),
            ("MSET {1}a x {2}a", None),
            ("DEL {2}a {1}a", Some(&["DEL {2}a [0]", "DEL {1}a [1]"])),
            ("UNLINK {2}a {1}a", Some(&["UNLINK {2}a [0]", "UNLINK {1}a [1]"])),
            ("EXISTS {2}a {1}a", Some(&["EXISTS {2}a [0]", "EXISTS {1}a [1]"])),
            ("TOUCH {2}a {1}a", Some(&["TOUCH {2}a [0]", "TOUCH {1}a [1]"])),
            ("MSETEX 2 {1}a x {2}a y EX 5", Some(&["MSETEX 1 {1}a x EX 5 [0]", "MSETEX 1 {2}a y EX 5 [1]"])),
            ("MSETEX 2 {1}a x {2}a y nx EX 5", None),
            ("MSETEX 9 {1}a x {2}a y", None),
            ("SINTER {1}a {2}a", None),
            ("MSETNX {1}a x {2}a y", None),
        ];
        for (line, expected) in rows {
            let expected =
                expected.map(|parts| parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>());
            assert_eq!(parts(line), expected, "{line}");
        }
    }

    #[test]
    fn elements_go_where_their_keys_are() {
        let array = |items: &[i64]| Reply::Array(items.iter().map(|&item| Reply::Integer(item)).collect());
        let joined = in_order_of_keys(vec![(&[2, 0], array(&[12, 10])), (&[1], array(&[11]))]);
        assert_eq!(joined, Ok(array(&[10, 11, 12])));
        for wrong in [array(&[1]), Reply::Integer(1), Reply::Nil] {
            assert!(in_order_of_keys(vec![(&[0, 1], wrong.clone())]).is_err(), "{wrong:?}");
        }
    }
}
