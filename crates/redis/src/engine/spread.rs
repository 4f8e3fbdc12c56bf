//! Commands that concern several nodes, and that the client sends to several only when it is told to: where redis-rs sends them,
//! and how it makes one reply of theirs. What reads and adds up, such as `DBSIZE`, is not among them: the client does it.
//!
//! What must stay true: nothing is passed off as complete. If a node's part is missing, the call fails; and if other nodes may
//! have executed theirs, the failure says so.

use std::collections::BTreeMap;

use bytes::Bytes;
use truename::topology::Endpoint;
use truename::{Error, Reply};

use super::failure::Failure;

/// A command for several nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) to: To,
    pub(crate) join: Join,
    /// Nothing is changed, so a part that is missing leaves no trace.
    pub(crate) is_read: bool,
}

/// Which nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Primaries,
    AllNodes,
}

/// How several replies become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Any, if no node failed.
    AllSucceeded,
    /// The first that is no error.
    OneSucceeded,
    /// The first that is not nil; nil if all are.
    AnyValue,
    /// The sum of the integers.
    Sum,
    /// The least integer.
    Least,
    /// Element by element, 1 if all nodes say 1.
    And,
    /// All elements of all arrays.
    Elements,
    /// Names with counts, the counts of each name summed up.
    Counts,
    /// A map from node to reply.
    PerNode,
}

impl Spread {
    /// What redis-rs does with the command of this name, in upper case; `None` if it goes to one node.
    pub(super) fn of(name: &[u8], subcommand: &[u8]) -> Option<Self> {
        use Join::{AllSucceeded, Counts, Elements, OneSucceeded, PerNode, Sum};
        use To::{AllNodes, Primaries};
        const READ: bool = true;
        let (to, join, is_read) = match (name, subcommand) {
            (b"FT._LIST", _) => (Primaries, Elements, READ),
            (b"INFO", _) => (Primaries, PerNode, READ),
            (b"MEMORY", b"DOCTOR" | b"MALLOC-STATS" | b"STATS") => (Primaries, PerNode, READ),
            (b"PUBSUB", b"NUMPAT") => (AllNodes, Sum, READ),
            (b"PUBSUB", b"CHANNELS" | b"SHARDCHANNELS") => (AllNodes, Elements, READ),
            (b"PUBSUB", b"NUMSUB" | b"SHARDNUMSUB") => (AllNodes, Counts, READ),
            (b"LATENCY", b"DOCTOR" | b"GRAPH" | b"HISTOGRAM" | b"HISTORY" | b"LATEST") => {
                (AllNodes, PerNode, READ)
            }
            (b"FUNCTION", b"STATS") => (AllNodes, PerNode, READ),
            (b"SLOWLOG", b"GET") => (AllNodes, Elements, READ),

            (b"FLUSHALL" | b"FLUSHDB", _) => (Primaries, AllSucceeded, false),
            (b"DEBUG", _) => (Primaries, PerNode, false),
            (b"MEMORY", b"PURGE") => (Primaries, AllSucceeded, false),
            (b"FUNCTION", b"DELETE" | b"FLUSH" | b"RESTORE") => (Primaries, AllSucceeded, false),
            (b"FUNCTION" | b"SCRIPT", b"KILL") => (AllNodes, OneSucceeded, false),
            (b"SCRIPT", b"FLUSH") => (AllNodes, AllSucceeded, false),
            (b"ACL", b"DELUSER" | b"SAVE" | b"SETUSER") => (AllNodes, AllSucceeded, false),
            (b"CONFIG", b"RESETSTAT" | b"REWRITE" | b"SET") => (AllNodes, AllSucceeded, false),
            (b"SLOWLOG", b"RESET") => (AllNodes, AllSucceeded, false),
            (b"LATENCY", b"RESET") => (AllNodes, Sum, false),
            _ => return None,
        };
        Some(Self { to, join, is_read })
    }
}

/// What each node answered.
pub(crate) type Parts = Vec<(Endpoint, Result<Reply, Error>)>;

impl Join {
    /// Makes one reply of the parts.
    pub(crate) fn join(self, parts: Parts, is_read: bool) -> Result<Reply, Failure> {
        match self {
            Self::OneSucceeded => one_succeeded(parts, is_read),
            Self::AnyValue => any_value(parts, is_read),
            _ => self.join_all(complete(parts, is_read)?),
        }
    }

    fn join_all(self, parts: ByNode<Reply>) -> Result<Reply, Failure> {
        let replies = || parts.iter().map(|(_, reply)| reply);
        Ok(match self {
            Self::AllSucceeded | Self::OneSucceeded | Self::AnyValue => {
                parts.into_iter().next_back().map_or(Reply::Nil, |(_, reply)| reply)
            }
            Self::Sum => Reply::Integer(integers(replies())?.into_iter().fold(0, i64::saturating_add)),
            Self::Least => Reply::Integer(integers(replies())?.into_iter().min().unwrap_or_default()),
            Self::And => and(replies())?,
            Self::Elements => {
                let mut elements = Vec::new();
                for reply in parts.into_iter().map(|(_, reply)| reply) {
                    match reply.without_attributes() {
                        Reply::Array(items) | Reply::Set(items) => elements.extend(items),
                        _ => return Err(UNEXPECTED),
                    }
                }
                Reply::Array(elements)
            }
            Self::Counts => counts(replies())?,
            Self::PerNode => {
                let named = |node: Endpoint| Reply::Bulk(Bytes::from(node.to_string()));
                Reply::Map(parts.into_iter().map(|(node, reply)| (named(node), reply)).collect())
            }
        })
    }
}

const UNEXPECTED: Failure =
    Failure::Unexpected("the nodes' replies are not of the kind that this command's replies are");

/// The replies, if no part is missing. Otherwise the failure, which says whether other parts were executed.
pub(crate) fn complete(parts: Parts, is_read: bool) -> Result<ByNode<Reply>, Failure> {
    let (replies, errors) = sorted(parts);
    match errors.is_empty() {
        true => Ok(replies),
        false => Err(failure(errors, !replies.is_empty(), is_read)),
    }
}

/// Something of each of several nodes.
pub(crate) type ByNode<T> = Vec<(Endpoint, T)>;

/// The parts that were answered, and those that failed.
fn sorted(parts: Parts) -> (ByNode<Reply>, ByNode<Error>) {
    let (mut replies, mut errors) = (Vec::with_capacity(parts.len()), Vec::new());
    for (node, part) in parts {
        match part {
            Ok(reply) => replies.push((node, reply)),
            Err(error) => errors.push((node, error)),
        }
    }
    (replies, errors)
}

/// Why there is no reply, by the parts that failed. A part's own error, with which the whole would be repeated, stands for a
/// write only if no part may have been executed, or if servers refused all of it and the error says no more than that.
fn failure(errors: ByNode<Error>, is_any_answered: bool, is_read: bool) -> Failure {
    let unsure = errors.iter().position(|(_, error)| error.may_have_executed());
    let are_servers = errors.iter().all(|(_, error)| matches!(error, Error::Server(_)));
    let is_left = !is_read && (is_any_answered || unsure.is_some() && !are_servers);
    let told = if is_read || is_left { 0 } else { unsure.unwrap_or_default() };
    match errors.into_iter().nth(told) {
        None => NOBODY,
        Some((_, error)) if !is_left => Failure::Native(error),
        Some((node, error)) => Failure::Partial(format!(
            "the command was for several nodes, and some may have executed it; from {node}: {error}"
        )),
    }
}

fn one_succeeded(parts: Parts, is_read: bool) -> Result<Reply, Failure> {
    let (replies, errors) = sorted(parts);
    let first = replies.into_iter().next();
    first.map(|(_, reply)| reply).ok_or_else(|| failure(errors, false, is_read))
}

fn any_value(parts: Parts, is_read: bool) -> Result<Reply, Failure> {
    let (replies, errors) = sorted(parts);
    let is_any_answered = !replies.is_empty();
    match replies.into_iter().find(|(_, reply)| !reply.is_nil()) {
        Some((_, reply)) => Ok(reply),
        None if errors.is_empty() => Ok(Reply::Nil),
        None => Err(failure(errors, is_any_answered, is_read)),
    }
}

const NOBODY: Failure = Failure::Misused("there is no node to ask");

fn integers<'r>(replies: impl Iterator<Item = &'r Reply>) -> Result<Vec<i64>, Failure> {
    replies.map(Reply::as_integer).collect::<Option<_>>().ok_or(UNEXPECTED)
}

fn and<'r>(mut replies: impl Iterator<Item = &'r Reply>) -> Result<Reply, Failure> {
    let elements = |reply: &Reply| integers(reply.as_array().ok_or(UNEXPECTED)?.iter());
    let mut all = elements(replies.next().ok_or(NOBODY)?)?;
    for reply in replies {
        let others = elements(reply)?;
        if others.len() != all.len() {
            return Err(UNEXPECTED);
        }
        all.iter_mut().zip(others).for_each(|(one, other)| *one = i64::from(*one > 0 && other > 0));
    }
    Ok(Reply::Array(all.into_iter().map(Reply::Integer).collect()))
}

fn counts<'r>(replies: impl Iterator<Item = &'r Reply>) -> Result<Reply, Failure> {
    let mut counts: BTreeMap<Bytes, i64> = BTreeMap::new();
    let mut add = |name: &Reply, count: &Reply| {
        let (Some(name), Some(count)) = (name.as_bytes(), count.as_integer()) else { return Err(UNEXPECTED) };
        *counts.entry(Bytes::copy_from_slice(name)).or_default() += count;
        Ok(())
    };
    for reply in replies {
        match reply.bare() {
            Reply::Map(pairs) => pairs.iter().try_for_each(|(name, count)| add(name, count))?,
            Reply::Array(items) => items.chunks(2).try_for_each(|pair| match pair {
                [name, count] => add(name, count),
                _ => Err(UNEXPECTED),
            })?,
            _ => return Err(UNEXPECTED),
        }
    }
    Ok(Reply::Map(
        counts.into_iter().map(|(name, count)| (Reply::Bulk(name), Reply::Integer(count))).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use truename::FromReply;

    use super::*;

    fn parts(replies: Vec<Result<Reply, Error>>) -> Parts {
        let node = |n| Endpoint::new("10.0.0.1", n);
        replies.into_iter().zip(1..).map(|(reply, n)| (node(n), reply)).collect()
    }

    fn text(text: &'static str) -> Reply {
        Reply::Bulk(text.into())
    }

    #[test]
    fn every_way_of_joining() {
        use Reply::{Array, Integer, Map, Nil};
        let array = |items: &[i64]| Array(items.iter().copied().map(Integer).collect());
        let rows = [
            (Join::AllSucceeded, vec![text("OK"), text("OK")], text("OK")),
            (Join::OneSucceeded, vec![text("a"), text("b")], text("a")),
            (Join::AnyValue, vec![Nil, text("b")], text("b")),
            (Join::AnyValue, vec![Nil, Nil], Nil),
            (Join::Sum, vec![Integer(2), Integer(3)], Integer(5)),
            (Join::Least, vec![Integer(2), Integer(3)], Integer(2)),
            (Join::And, vec![array(&[1, 1, 0]), array(&[1, 0, 0])], array(&[1, 0, 0])),
            (Join::Elements, vec![array(&[1]), array(&[]), array(&[2, 3])], array(&[1, 2, 3])),
            (
                Join::Counts,
                vec![
                    Array(vec![text("a"), Integer(1), text("b"), Integer(0)]),
                    Map(vec![(text("a"), Integer(2))]),
                ],
                Map(vec![(text("a"), Integer(3)), (text("b"), Integer(0))]),
            ),
            (
                Join::PerNode,
                vec![text("x"), text("y")],
                Map(vec![(text("10.0.0.1:1"), text("x")), (text("10.0.0.1:2"), text("y"))]),
            ),
        ];
        for (join, replies, expected) in rows {
            let joined = join.join(parts(replies.into_iter().map(Ok).collect()), true).expect("a reply");
            assert_eq!(joined, expected, "{join:?}");
        }
    }

    #[test]
    fn nothing_is_passed_off_as_complete() {
        for join in [
            Join::AllSucceeded,
            Join::Sum,
            Join::Least,
            Join::And,
            Join::Elements,
            Join::Counts,
            Join::PerNode,
        ] {
            let missing = || parts(vec![Ok(Reply::Integer(1)), Err(Error::Closed)]);
            assert!(matches!(join.join(missing(), true), Err(Failure::Native(Error::Closed))), "{join:?}");
            let Err(Failure::Partial(told)) = join.join(missing(), false) else { panic!("{join:?}") };
            assert!(told.contains("10.0.0.1:2: the client is closed"), "{told}");
        }
        // Nobody executed anything.
        let nobody = parts(vec![Err(Error::Closed), Err(Error::Closed)]);
        assert!(matches!(Join::AllSucceeded.join(nobody, false), Err(Failure::Native(Error::Closed))));
        // A node that was not asked may have had a key.
        let unknown = parts(vec![Ok(Reply::Nil), Err(Error::Closed)]);
        assert!(Join::AnyValue.join(unknown, true).is_err());
        let unknown = parts(vec![Ok(Reply::Nil), Err(Error::Closed)]);
        assert!(matches!(Join::AnyValue.join(unknown, false), Err(Failure::Partial(_))));
        // The last error alone would say that nobody did.
        let lost = || {
            let reply = text("x");
            Err(Error::from(i64::from_reply(reply).expect_err("no number")))
        };
        for join in [Join::OneSucceeded, Join::AnyValue] {
            let unknown = parts(vec![lost(), Err(Error::Closed)]);
            assert!(matches!(join.join(unknown, false), Err(Failure::Partial(_))), "{join:?}");
        }
        let one = parts(vec![Err(Error::Closed), Ok(Reply::Integer(1))]);
        assert!(Join::OneSucceeded.join(one, false).is_ok());
    }

    #[test]
    fn replies_of_another_kind_are_an_error() {
        for join in [Join::Sum, Join::Least, Join::And, Join::Elements, Join::Counts] {
            let joined = join.join(parts(vec![Ok(text("x"))]), true);
            assert!(matches!(joined, Err(Failure::Unexpected(_))), "{join:?}: {joined:?}");
        }
    }
}
