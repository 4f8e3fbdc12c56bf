//! Lists, sets, maps and tuples from replies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use truename_resp::Reply;

use super::FromReply;
use super::forms::{elements, pairs};
use crate::error::TypeError;

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        T::list_from_reply(reply)
    }
}

impl<T: FromReply> FromReply for VecDeque<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        Vec::from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for Box<[T]> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        Vec::from_reply(reply).map(Vec::into_boxed_slice)
    }
}

impl<T: FromReply> FromReply for Arc<[T]> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        Vec::from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply, const N: usize> FromReply for [T; N] {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        let kind = reply.kind();
        let list = Vec::from_reply(reply)?;
        Self::try_from(list).map_err(|list| {
            TypeError::new("an array of another length", kind)
                .with_detail(format!("length {} instead of {N}", list.len()))
        })
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        elements("a set", reply)?.into_iter().map(T::from_reply).collect()
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        elements("a set", reply)?.into_iter().map(T::from_reply).collect()
    }
}

impl<K, V, S> FromReply for HashMap<K, V, S>
where
    K: FromReply + Eq + Hash,
    V: FromReply,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        pairs("a map", reply)?.into_iter().map(typed_entry).collect()
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        pairs("a map", reply)?.into_iter().map(typed_entry).collect()
    }
}

fn typed_entry<K: FromReply, V: FromReply>((key, value): (Reply, Reply)) -> Result<(K, V), TypeError> {
    Ok((K::from_reply(key)?, V::from_reply(value)?))
}

impl<A: FromReply, B: FromReply> FromReply for (A, B) {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        const WANTED: &str = "an array of 2 elements";
        let mut of_two = exactly::<2>(WANTED, reply)?;
        Ok((A::from_reply(next(&mut of_two))?, B::from_reply(next(&mut of_two))?))
    }

    fn all_from_replies(replies: Vec<Reply>) -> Result<Self, TypeError> {
        let mut of_two = exactly::<2>("an array of 2 elements", Reply::Array(replies))?.enumerate();
        Ok((next_of_all(&mut of_two)?, next_of_all(&mut of_two)?))
    }

    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, TypeError> {
        pairs("an array of pairs", reply)?.into_iter().map(typed_entry).collect()
    }
}

macro_rules! tuples {
    ($($length:literal: $($name:ident)+;)*) => {$(
        impl<$($name: FromReply),+> FromReply for ($($name,)+) {
            fn from_reply(reply: Reply) -> Result<Self, TypeError> {
                const WANTED: &str = concat!("an array of ", stringify!($length), " elements");
                let mut elements = exactly::<$length>(WANTED, reply)?;
                Ok(($($name::from_reply(next(&mut elements))?,)+))
            }

            fn all_from_replies(replies: Vec<Reply>) -> Result<Self, TypeError> {
                const WANTED: &str = concat!("an array of ", stringify!($length), " elements");
                let mut elements = exactly::<$length>(WANTED, Reply::Array(replies))?.enumerate();
                Ok(($(next_of_all::<$name>(&mut elements)?,)+))
            }
        }
    )*};
}
tuples! {
    1: A;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}

/// The elements of an array of this length.
fn exactly<const LENGTH: usize>(
    wanted: &'static str,
    reply: Reply,
) -> Result<impl Iterator<Item = Reply>, TypeError> {
    let elements = elements(wanted, reply)?;
    if elements.len() == LENGTH {
        return Ok(elements.into_iter());
    }
    Err(TypeError::new(wanted, "array").with_detail(format!("it has {} elements", elements.len())))
}

/// The value of one of several commands' replies; an error says which.
fn next_of_all<T: FromReply>(replies: &mut impl Iterator<Item = (usize, Reply)>) -> Result<T, TypeError> {
    let (index, reply) = replies.next().unwrap_or((0, Reply::Nil));
    T::from_reply(reply).map_err(|error| error.of_reply(index))
}

/// One of the elements, whose number was checked.
fn next(elements: &mut impl Iterator<Item = Reply>) -> Reply {
    elements.next().unwrap_or(Reply::Nil)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(text.into())
    }

    /// What RESP2 sends for a map, RESP3's map, and RESP3's array of pairs.
    fn forms() -> [Reply; 3] {
        let two = || Reply::Double(2.0);
        [
            Reply::Array(vec![bulk("a"), bulk("1.5"), bulk("b"), bulk("2")]),
            Reply::Map(vec![(bulk("a"), Reply::Double(1.5)), (bulk("b"), two())]),
            Reply::Array(vec![
                Reply::Array(vec![bulk("a"), Reply::Double(1.5)]),
                Reply::Array(vec![bulk("b"), two()]),
            ]),
        ]
    }

    /// `ZRANGE … WITHSCORES` became a list of pairs with RESP3 only and a map with RESP2 only, `XREAD` a map with RESP3 only
    /// and `HGETALL` a list of pairs with neither.
    #[test]
    fn maps_and_lists_of_pairs_are_the_same_in_every_form() {
        let entries = [("a".to_owned(), 1.5), ("b".to_owned(), 2.0)];
        for reply in forms() {
            let list = Vec::<(String, f64)>::from_reply(reply.clone());
            assert_eq!(list.as_deref(), Ok(entries.as_slice()), "{reply:?}");
            let sorted = BTreeMap::<String, f64>::from_reply(reply.clone());
            assert_eq!(sorted, Ok(BTreeMap::from(entries.clone())), "{reply:?}");
            let hashed = HashMap::<String, f64>::from_reply(reply.clone());
            assert_eq!(hashed, Ok(HashMap::from(entries.clone())), "{reply:?}");
        }
        for empty in [Reply::Array(Vec::new()), Reply::Map(Vec::new()), Reply::Set(Vec::new())] {
            assert_eq!(Vec::<(String, f64)>::from_reply(empty.clone()), Ok(Vec::new()));
            assert_eq!(HashMap::<String, f64>::from_reply(empty), Ok(HashMap::new()));
        }
    }

    /// One key whose value is an array, as RESP2 sends it, is not two pairs.
    #[test]
    fn values_may_be_arrays() {
        let fields = || Reply::Array(vec![bulk("f"), bulk("v")]);
        for reply in [
            Reply::Array(vec![bulk("k"), fields()]),
            Reply::Array(vec![Reply::Array(vec![bulk("k"), fields()])]),
            Reply::Map(vec![(bulk("k"), fields())]),
        ] {
            let value = vec!["f".to_owned(), "v".to_owned()];
            let read = Vec::<(String, Vec<String>)>::from_reply(reply.clone());
            assert_eq!(read, Ok(vec![("k".to_owned(), value)]), "{reply:?}");
        }
    }

    #[test]
    fn what_is_neither_a_map_nor_pairs() {
        let pair = || Reply::Array(vec![Reply::Double(1.0), Reply::Double(2.0)]);
        for reply in [
            Reply::Array(vec![bulk("odd")]),
            // `GEOPOS` of members of which one or all do not exist.
            Reply::Array(vec![pair(), Reply::Nil]),
            Reply::Array(vec![Reply::Nil, Reply::Nil]),
            Reply::Array(vec![Reply::Array(vec![bulk("a")]), bulk("b")]),
            // In no order.
            Reply::Set(vec![bulk("a"), bulk("b")]),
            bulk("a"),
            Reply::Nil,
        ] {
            let list = Vec::<(Option<f64>, Option<f64>)>::from_reply(reply.clone());
            assert!(list.is_err(), "{list:?}");
            assert!(BTreeMap::<String, Reply>::from_reply(reply).is_err());
        }
    }

    /// An entry of a map is an array of two for a type of the user's that reads one.
    #[test]
    fn a_map_is_a_list_of_its_entries() {
        let [_, map, pairs] = forms();
        assert_eq!(Vec::<Reply>::from_reply(map), Vec::<Reply>::from_reply(pairs));
    }

    #[test]
    fn sets_and_tuples() {
        let members = || vec![Reply::Integer(2), Reply::Integer(1), Reply::Integer(2)];
        for reply in [Reply::Set(members()), Reply::Array(members())] {
            assert_eq!(BTreeSet::<u8>::from_reply(reply.clone()), Ok(BTreeSet::from([1, 2])));
            assert_eq!(HashSet::<i64>::from_reply(reply), Ok(HashSet::from([1, 2])));
        }
        type Twelve = (u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, String);
        let twelve = Twelve::from_reply(Reply::Array(vec![bulk("7"); 12]));
        assert_eq!(twelve, Ok((7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, "7".to_owned())));
        let short = Twelve::from_reply(Reply::Array(vec![bulk("7"); 11])).expect_err("one is missing");
        assert!(short.to_string().ends_with("got array: it has 11 elements"), "{short}");
    }

    #[test]
    fn lists_of_other_shapes() {
        let two = || Reply::Array(vec![bulk("1"), Reply::Integer(2)]);
        assert_eq!(VecDeque::<u16>::from_reply(two()), Ok(VecDeque::from([1, 2])));
        assert_eq!(Box::<[u16]>::from_reply(two()).as_deref(), Ok([1, 2].as_slice()));
        assert_eq!(Arc::<[u8]>::from_reply(bulk("ab")).as_deref(), Ok(b"ab".as_slice()));
        assert_eq!(<[String; 2]>::from_reply(two()), Ok(["1".to_owned(), "2".to_owned()]));
        let error = <[u16; 3]>::from_reply(Reply::Array(vec![bulk("1")])).expect_err("too short").to_string();
        assert_eq!(error, "expected an array of another length, got array: length 1 instead of 3");
    }
}
