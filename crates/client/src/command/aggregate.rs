//! How the replies of several nodes become one: the servers' response policies, as pure functions.
//!
//! What must stay true: no reply is left out unless the policy says so, and a reply that does not fit is an error, never a
//! number that looks like the whole.

use truename_resp::Reply;

use super::spec::ResponsePolicy;
use crate::error::TypeError;

impl ResponsePolicy {
    /// Makes one reply of those of several nodes, or of several parts of a command.
    ///
    /// An error among them is the outcome, the first one first; where one success is enough, the first success is.
    /// [`Default`](Self::Default) joins arrays and maps in the order given. No replies at all become nil.
    ///
    /// # Examples
    /// ```
    /// use truename::Reply;
    /// use truename::command::lookup;
    ///
    /// let keys_per_node = vec![Reply::Integer(40), Reply::Integer(2)];
    /// let dbsize = lookup(b"DBSIZE", None).expect("servers have it");
    /// assert_eq!(dbsize.response.aggregate(keys_per_node)?, Reply::Integer(42));
    ///
    /// // Whether all nodes have the scripts.
    /// let has = |first, second| Reply::Array(vec![Reply::Integer(first), Reply::Integer(second)]);
    /// let exists = lookup(b"SCRIPT", Some(b"EXISTS")).expect("servers have it");
    /// assert_eq!(exists.response.aggregate(vec![has(1, 1), has(0, 1)])?, has(0, 1));
    /// # Ok::<(), truename::error::TypeError>(())
    /// ```
    ///
    /// # Errors
    /// [`TypeError`] when a reply is not of the kind that the policy is about, or the policy is [`Special`](Self::Special).
    pub fn aggregate(self, replies: Vec<Reply>) -> Result<Reply, TypeError> {
        let mut replies: Vec<Reply> = replies.into_iter().map(Reply::without_attributes).collect();
        let is_error = |reply: &Reply| reply.as_error().is_some();
        let decisive = match self {
            Self::OneSucceeded => replies.iter().position(|reply| !is_error(reply)).or(Some(0)),
            Self::AllSucceeded => replies.iter().position(is_error).or(Some(0)),
            _ => replies.iter().position(is_error),
        };
        match decisive {
            Some(index) if index < replies.len() => return Ok(replies.swap_remove(index)),
            _ if replies.is_empty() => return Ok(Reply::Nil),
            _ => {}
        }
        match self {
            Self::Default => join(replies),
            Self::AggSum => fold(replies, i64::checked_add),
            Self::AggMin => fold(replies, |left, right| Some(left.min(right))),
            Self::AggMax => fold(replies, |left, right| Some(left.max(right))),
            Self::AggLogicalAnd => fold(replies, |left, right| Some((left != 0 && right != 0).into())),
            Self::AggLogicalOr => fold(replies, |left, right| Some((left != 0 || right != 0).into())),
            Self::OneSucceeded | Self::AllSucceeded | Self::Special => {
                Err(TypeError::new("a reply that can be one with others", "one of a kind of its own"))
            }
        }
    }
}

/// Joins aggregates of one kind.
fn join(replies: Vec<Reply>) -> Result<Reply, TypeError> {
    let mut replies = replies.into_iter();
    let mut joined = replies.next().unwrap_or(Reply::Nil);
    for reply in replies {
        let kind = reply.kind();
        match (&mut joined, reply) {
            (Reply::Array(all), Reply::Array(more)) | (Reply::Set(all), Reply::Set(more)) => all.extend(more),
            (Reply::Map(all), Reply::Map(more)) => all.extend(more),
            _ => return Err(TypeError::new("the array, set or map that other nodes sent", kind)),
        }
    }
    match joined {
        Reply::Array(_) | Reply::Set(_) | Reply::Map(_) => Ok(joined),
        other => Err(TypeError::new("an array, a set or a map", other.kind())),
    }
}

/// Combines integers, or arrays of as many integers element by element.
fn fold(replies: Vec<Reply>, combine: impl Fn(i64, i64) -> Option<i64>) -> Result<Reply, TypeError> {
    let mut replies = replies.into_iter();
    let first = numbers(replies.next().unwrap_or(Reply::Nil))?;
    let mut is_list = first.is_list;
    let mut values = first.values;
    for reply in replies {
        let next = numbers(reply)?;
        if next.values.len() != values.len() || next.is_list != is_list {
            return Err(TypeError::new("as many integers as other nodes sent", "another number of them"));
        }
        is_list = next.is_list;
        for (value, other) in values.iter_mut().zip(next.values) {
            *value = combine(*value, other)
                .ok_or_else(|| TypeError::new("a sum of 64 bits", "integers that are too large"))?;
        }
    }
    let mut integers = values.into_iter().map(Reply::Integer);
    Ok(if is_list { Reply::Array(integers.collect()) } else { integers.next().unwrap_or(Reply::Nil) })
}

struct Numbers {
    values: Vec<i64>,
    is_list: bool,
}

fn numbers(reply: Reply) -> Result<Numbers, TypeError> {
    let kind = reply.kind();
    let number = |reply: &Reply| match reply.bare() {
        Reply::Integer(value) => Ok(*value),
        Reply::Boolean(value) => Ok((*value).into()),
        other => Err(TypeError::new("an integer", other.kind())),
    };
    match reply {
        Reply::Array(items) => {
            Ok(Numbers { values: items.iter().map(number).collect::<Result<_, _>>()?, is_list: true })
        }
        single => number(&single)
            .map(|value| Numbers { values: vec![value], is_list: false })
            .map_err(|_| TypeError::new("an integer, or an array of them", kind)),
    }
}

#[cfg(test)]
mod tests {
    use truename_resp::ErrorReply;

    use super::*;
    use ResponsePolicy::{
        AggLogicalAnd, AggLogicalOr, AggMax, AggMin, AggSum, AllSucceeded, Default, OneSucceeded, Special,
    };

    fn int(value: i64) -> Reply {
        Reply::Integer(value)
    }

    fn array(items: impl IntoIterator<Item = i64>) -> Reply {
        Reply::Array(items.into_iter().map(int).collect())
    }

    fn error(text: &'static str) -> Reply {
        Reply::Error(ErrorReply::new(text))
    }

    #[test]
    fn every_policy() {
        let ok = || Reply::Simple("OK".into());
        let text = |text: &'static str| Reply::Bulk(text.into());
        let rows = [
            (AggSum, vec![int(3), int(4), int(0)], Some(int(7))),
            (AggSum, vec![int(3)], Some(int(3))),
            (AggSum, vec![array([1, 2]), array([3, 4])], Some(array([4, 6]))),
            (AggSum, vec![int(i64::MAX), int(1)], None),
            (AggSum, vec![int(1), ok()], None),
            (AggSum, vec![int(1), array([1])], None),
            (AggSum, vec![array([1]), array([1, 2])], None),
            (AggSum, vec![int(1), error("ERR x")], Some(error("ERR x"))),
            (AggMin, vec![int(3), int(-4), int(0)], Some(int(-4))),
            (AggMin, vec![array([3, 1]), array([2, 2])], Some(array([2, 1]))),
            (AggMax, vec![int(3), int(-4), int(0)], Some(int(3))),
            (AggLogicalAnd, vec![array([1, 1, 0]), array([1, 0, 0])], Some(array([1, 0, 0]))),
            (AggLogicalAnd, vec![int(5), Reply::Boolean(true)], Some(int(1))),
            (AggLogicalOr, vec![array([1, 1, 0]), array([1, 0, 0])], Some(array([1, 1, 0]))),
            (AllSucceeded, vec![ok(), ok()], Some(ok())),
            (AllSucceeded, vec![ok(), error("ERR x"), error("ERR y")], Some(error("ERR x"))),
            (OneSucceeded, vec![error("NOTBUSY"), ok(), ok()], Some(ok())),
            (OneSucceeded, vec![error("NOTBUSY a"), error("NOTBUSY b")], Some(error("NOTBUSY a"))),
            (Default, vec![array([1, 2]), array([]), array([3])], Some(array([1, 2, 3]))),
            (
                Default,
                vec![Reply::Map(vec![(text("a"), int(1))]), Reply::Map(vec![(text("b"), int(2))])],
                Some(Reply::Map(vec![(text("a"), int(1)), (text("b"), int(2))])),
            ),
            (
                Default,
                vec![Reply::Set(vec![int(1)]), Reply::Set(vec![int(2)])],
                Some(Reply::Set(vec![int(1), int(2)])),
            ),
            (Default, vec![array([1]), int(2)], None),
            (Default, vec![int(1)], None),
            (Default, vec![array([1]), error("ERR x")], Some(error("ERR x"))),
            (Special, vec![ok(), ok()], None),
        ];
        for (policy, replies, expected) in rows {
            assert_eq!(policy.aggregate(replies.clone()).ok(), expected, "{policy:?} {replies:?}");
        }
        for policy in [Default, AggSum, AggMin, AggLogicalAnd, AllSucceeded, OneSucceeded] {
            assert_eq!(policy.aggregate(Vec::new()), Ok(Reply::Nil), "{policy:?}");
        }
    }
}
