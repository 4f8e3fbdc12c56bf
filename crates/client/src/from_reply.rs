//! Typed decoding of replies, on the caller's task. [`FromReply`] says what each type accepts.
//!
//! Single values are here, lists, sets, maps and tuples in `collections`; `forms` has what the protocols send for those, and
//! `parts` decodes what parts of a command answered.

mod collections;
mod forms;
mod parts;

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use truename_resp::Reply;

pub(crate) use self::forms::one_for_each;
use self::forms::{list, mismatch};
use crate::error::TypeError;

/// Values shorter than this are copied out of the read buffer.
const SHARE_FROM: usize = 256;

/// Makes a value from a reply.
///
/// | type | accepts |
/// |---|---|
/// | [`Reply`] | everything, as it came: a view into the connection's read buffer |
/// | `()` | any reply but nil, ignored |
/// | `String`, `Box<str>`, `Arc<str>` | text, for which UTF-8 is required, or an integer |
/// | `Vec<u8>`, [`Bytes`] | text |
/// | integers of 8 to 128 bits | an integer, or text that is one |
/// | `f64`, `f32` | a double, an integer, or text that is a number; as `f32` it is rounded |
/// | `bool` | a boolean, 0 or 1, or `OK`; nil is false |
/// | `Option<T>` | nil, or what `T` accepts |
/// | `Vec<T>` | an array or a set, or a map, whose entries are arrays of two |
/// | `VecDeque<T>`, `Box<[T]>`, `Arc<[T]>` | what `Vec<T>` accepts |
/// | `[T; N]` | what `Vec<T>` accepts, of that length |
/// | `HashSet<T>`, `BTreeSet<T>` | an array or a set |
/// | `HashMap<K, V>`, `BTreeMap<K, V>`, `Vec<(K, V)>` | a map, an array of pairs, or an array of keys and values in turn |
/// | tuples of up to twelve | an array of that length |
///
/// These types accept the form of RESP2 and that of RESP3 alike. What RESP3 sends as a map (`HGETALL`, `XREAD`) or as an array
/// of pairs (`ZRANGE` with `WITHSCORES`), RESP2 sends as keys and values in turn or as pairs: ask for a map or for `Vec<(K, V)>`,
/// and it does not matter. Scores are an exception: RESP2 sends them as text, RESP3 as doubles, so ask for `f64`.
///
/// With the feature `json` there is also `Json<T>`, for text that is JSON.
///
/// Not: `&str` and whatever else borrows, because nothing would own the text; `char`, because servers send none.
///
/// A `Reply` that is kept keeps its read buffer (64 KiB or more) in memory. [`Bytes`] of less than 256 bytes are
/// copied for that reason; larger ones share the buffer.
///
/// # Examples
/// ```
/// use truename::error::TypeError;
/// use truename::{FromReply, Reply};
///
/// /// One element of the reply to `GEOPOS`.
/// #[derive(Debug, PartialEq)]
/// struct Position {
///     longitude: f64,
///     latitude: f64,
/// }
///
/// impl FromReply for Position {
///     fn from_reply(reply: Reply) -> Result<Self, TypeError> {
///         let (longitude, latitude) = FromReply::from_reply(reply)?;
///         Ok(Self { longitude, latitude })
///     }
/// }
///
/// let element = Reply::Array(vec![Reply::Bulk("10.75".into()), Reply::Bulk("59.91".into())]);
/// // GEOPOS answers an array, with nil for a member that does not exist.
/// let found = Vec::<Option<Position>>::from_reply(Reply::Array(vec![element, Reply::Nil]))?;
/// assert_eq!(found, [Some(Position { longitude: 10.75, latitude: 59.91 }), None]);
/// # Ok::<(), TypeError>(())
/// ```
pub trait FromReply: Sized {
    /// Converts the reply. See the [example](FromReply#examples).
    ///
    /// # Errors
    /// [`TypeError`] when the reply has another type or an impossible value.
    fn from_reply(reply: Reply) -> Result<Self, TypeError>;

    /// Converts a list of these: `Vec<T>` calls it. Unless a type says otherwise, each element is converted by itself.
    ///
    /// A type of your own that is a pair does what a tuple does, so that it does not matter how the list is sent:
    ///
    /// ```
    /// use truename::error::TypeError;
    /// use truename::{FromReply, Reply};
    ///
    /// /// What `ZRANGE` returns with `WITHSCORES`.
    /// struct Scored {
    ///     member: String,
    ///     score: f64,
    /// }
    ///
    /// impl FromReply for Scored {
    ///     fn from_reply(reply: Reply) -> Result<Self, TypeError> {
    ///         let (member, score) = FromReply::from_reply(reply)?;
    ///         Ok(Self { member, score })
    ///     }
    ///
    ///     fn list_from_reply(reply: Reply) -> Result<Vec<Self>, TypeError> {
    ///         let pairs = <(String, f64)>::list_from_reply(reply)?;
    ///         Ok(pairs.into_iter().map(|(member, score)| Self { member, score }).collect())
    ///     }
    /// }
    ///
    /// // As RESP2 sends it. With RESP3 it would be an array of pairs.
    /// let reply = Reply::Array(vec![Reply::Bulk("ada".into()), Reply::Bulk("1.5".into())]);
    /// let found = Vec::<Scored>::from_reply(reply)?;
    /// assert_eq!((found[0].member.as_str(), found[0].score), ("ada", 1.5));
    /// # Ok::<(), TypeError>(())
    /// ```
    ///
    /// # Errors
    /// [`TypeError`] when the reply is not a list, or one of its elements cannot be converted.
    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, TypeError> {
        list("an array", reply)?.into_iter().map(Self::from_reply).collect()
    }

    /// Converts the replies to several commands: [`Batch::all`](crate::Batch::all) calls it. Unless a type says otherwise, they
    /// are converted as an array; `()` looks at each of them.
    ///
    /// ```
    /// use truename::{FromReply, Reply};
    ///
    /// let replies = || vec![Reply::Integer(1), Reply::Nil];
    /// assert_eq!(<(i64, Option<i64>)>::all_from_replies(replies()), Ok((1, None)));
    /// // One of the commands may have done nothing.
    /// assert!(<()>::all_from_replies(replies()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`TypeError`] as [`from_reply`](Self::from_reply).
    fn all_from_replies(replies: Vec<Reply>) -> Result<Self, TypeError> {
        Self::from_reply(Reply::Array(replies))
    }
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        Ok(reply)
    }
}

impl FromReply for () {
    /// Any reply but nil, which may say that nothing was done: the `SET` with `NX` of a lock that somebody has.
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        match reply.is_nil() {
            false => Ok(()),
            true => Err(TypeError::new("a reply", "nil").with_detail(
                "the server may not have done it; bool is false for nil, and Option<()> is None",
            )),
        }
    }

    fn all_from_replies(replies: Vec<Reply>) -> Result<Self, TypeError> {
        let mut replies = replies.into_iter().enumerate();
        replies.try_for_each(|(index, reply)| Self::from_reply(reply).map_err(|error| error.of_reply(index)))
    }
}

impl FromReply for Bytes {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        match reply.without_attributes() {
            Reply::Bulk(bytes) if bytes.len() >= SHARE_FROM => Ok(bytes),
            reply => text("bytes", &reply).map(Self::copy_from_slice),
        }
    }
}

impl FromReply for String {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        if let Some(integer) = reply.as_integer() {
            return Ok(integer.to_string());
        }
        let bytes = text("text", &reply)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| TypeError::new("UTF-8 text", reply.kind()).with_detail(error.to_string()))
    }
}

fn text<'a>(wanted: &'static str, reply: &'a Reply) -> Result<&'a [u8], TypeError> {
    reply.as_bytes().ok_or_else(|| mismatch(wanted, reply))
}

impl FromReply for Box<str> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        String::from_reply(reply).map(String::into_boxed_str)
    }
}

impl FromReply for Arc<str> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        String::from_reply(reply).map(Self::from)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl FromReply for $type {
            fn from_reply(reply: Reply) -> Result<Self, TypeError> {
                integer(concat!("an integer (", stringify!($type), ")"), &reply)
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize);

impl FromReply for u8 {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        integer("an integer (u8)", &reply)
    }

    /// Text: a list of bytes is one value, and servers have no other.
    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, TypeError> {
        text("bytes", &reply).map(<[Self]>::to_vec)
    }
}

fn integer<T: TryFrom<i64> + FromStr>(wanted: &'static str, reply: &Reply) -> Result<T, TypeError> {
    if let Some(integer) = reply.as_integer() {
        return T::try_from(integer)
            .map_err(|_| TypeError::new(wanted, reply.kind()).with_detail(integer.to_string()));
    }
    let text = reply.as_str().ok_or_else(|| mismatch(wanted, reply))?;
    text.parse().map_err(|_| TypeError::new(wanted, reply.kind()))
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl FromReply for $type {
            fn from_reply(reply: Reply) -> Result<Self, TypeError> {
                match reply.bare() {
                    Reply::Double(number) => Ok(*number as Self),
                    Reply::Integer(integer) => Ok(*integer as Self),
                    other => {
                        let text = other.as_str().ok_or_else(|| mismatch("a number", other))?;
                        text.parse().map_err(|_| TypeError::new("a number", other.kind()))
                    }
                }
            }
        }
    )*};
}
floats!(f32, f64);

impl FromReply for bool {
    /// `true` for `OK` and 1, `false` for 0 and nil, by which servers say that they did nothing.
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        match reply.bare() {
            Reply::Boolean(value) => Ok(*value),
            Reply::Nil => Ok(false),
            Reply::Integer(0) => Ok(false),
            Reply::Integer(1) => Ok(true),
            other => match other.as_bytes() {
                Some(b"OK" | b"1") => Ok(true),
                Some(b"0") => Ok(false),
                _ => Err(mismatch("a boolean", other)),
            },
        }
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        if reply.is_nil() { Ok(None) } else { T::from_reply(reply).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn what_every_type_accepts() {
        assert_eq!(String::from_reply(bulk("a")), Ok("a".to_owned()));
        assert_eq!(String::from_reply(Reply::Integer(-7)), Ok("-7".to_owned()));
        assert_eq!(i64::from_reply(bulk("-7")), Ok(-7));
        assert_eq!(u16::from_reply(Reply::Integer(65535)), Ok(65535));
        assert_eq!((u8::from_reply(bulk("7")), i8::from_reply(Reply::Integer(-7))), (Ok(7), Ok(-7)));
        assert_eq!((f64::from_reply(bulk("1.5")), f32::from_reply(Reply::Double(0.5))), (Ok(1.5), Ok(0.5)));
        assert_eq!(u128::from_reply(bulk("18446744073709551616")), Ok(1 << 64));
        assert_eq!(Vec::<u8>::from_reply(bulk("\0a")), Ok(vec![0, b'a']));
        assert_eq!(Vec::<Vec<u8>>::from_reply(Reply::Array(vec![bulk("a")])), Ok(vec![vec![b'a']]));
        assert_eq!(Box::<str>::from_reply(bulk("a")).as_deref(), Ok("a"));
        assert_eq!(Arc::<str>::from_reply(bulk("a")).as_deref(), Ok("a"));
        assert_eq!(bool::from_reply(Reply::Simple(Bytes::from_static(b"OK"))), Ok(true));
        assert_eq!(Option::<i64>::from_reply(Reply::Nil), Ok(None));
        assert_eq!(Vec::<i64>::from_reply(Reply::Set(vec![Reply::Integer(1), bulk("2")])), Ok(vec![1, 2]));
        let flat = Reply::Array(vec![bulk("k"), Reply::Integer(1)]);
        assert_eq!(BTreeMap::<String, i64>::from_reply(flat), Ok(BTreeMap::from([("k".to_owned(), 1)])));
        assert_eq!(
            <(i64, String)>::from_reply(Reply::Array(vec![Reply::Integer(1), bulk("x")])),
            Ok((1, "x".into()))
        );
    }

    #[test]
    fn what_they_refuse() {
        // A lock that somebody else has: `bool` failed only when the race was lost, and `()` never did.
        assert_eq!(bool::from_reply(Reply::Nil), Ok(false));
        assert_eq!(
            (<()>::from_reply(Reply::Integer(0)), Option::<()>::from_reply(Reply::Nil)),
            (Ok(()), Ok(None))
        );
        let unit = <()>::from_reply(Reply::Nil).expect_err("nothing was done").to_string();
        assert_eq!(
            unit,
            "expected a reply, got nil: the server may not have done it; bool is false for nil, and Option<()> is None"
        );
        let nil = String::from_reply(Reply::Nil).expect_err("there is no value").to_string();
        assert!(nil.ends_with("; an Option accepts nil, too"), "{nil}");
        assert!(String::from_reply(Reply::Bulk(Bytes::from_static(b"\xff"))).is_err());
        assert!(u16::from_reply(Reply::Integer(65536)).is_err());
        assert!(u8::from_reply(Reply::Integer(256)).is_err());
        assert!(Vec::<u8>::from_reply(Reply::Array(vec![Reply::Integer(1)])).is_err());
        assert!(i64::from_reply(bulk("many")).is_err());
        assert!(bool::from_reply(Reply::Integer(2)).is_err());
        assert!(<(i64, i64)>::from_reply(Reply::Array(vec![Reply::Integer(1)])).is_err());
        assert!(HashMap::<String, String>::from_reply(Reply::Array(vec![bulk("odd")])).is_err());
    }

    #[test]
    fn only_large_values_share_the_read_buffer() {
        let buffer = Bytes::from(vec![b'x'; 1024]);
        let large = Bytes::from_reply(Reply::Bulk(buffer.slice(..512))).expect("bytes");
        let small = Bytes::from_reply(Reply::Bulk(buffer.slice(..10))).expect("bytes");
        assert_eq!(large.as_ptr(), buffer.as_ptr());
        assert_ne!(small.as_ptr(), buffer.as_ptr());
    }
}
