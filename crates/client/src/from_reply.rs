//! Typed decoding of replies, on the caller's task. [`FromReply`] says what each type accepts.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use bytes::Bytes;
use truename_resp::Reply;

use crate::error::TypeError;

/// Values shorter than this are copied out of the read buffer.
const SHARE_FROM: usize = 256;

/// Makes a value from a reply.
///
/// | type | accepts |
/// |---|---|
/// | [`Reply`] | everything, as it came: a view into the connection's read buffer |
/// | `()` | everything, ignored |
/// | `String` | text; UTF-8 is required |
/// | `Vec<u8>`, [`Bytes`] | text |
/// | integers from 16 bits on | an integer, or text that is one |
/// | `f64` | a double, an integer, or text that is a number |
/// | `bool` | a boolean, 0 or 1, or `OK` |
/// | `Option<T>` | nil, or what `T` accepts |
/// | `Vec<T>` | an array or a set |
/// | `HashMap<K, V>`, `BTreeMap<K, V>` | a map, or an array of keys and values in turn |
/// | tuples of up to four | an array of that length |
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
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        Ok(reply)
    }
}

impl FromReply for () {
    fn from_reply(_: Reply) -> Result<Self, TypeError> {
        Ok(())
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

impl FromReply for Vec<u8> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        text("bytes", &reply).map(<[u8]>::to_vec)
    }
}

impl FromReply for String {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        let bytes = text("text", &reply)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| TypeError::new("UTF-8 text", reply.kind()).with_detail(error.to_string()))
    }
}

fn text<'a>(wanted: &'static str, reply: &'a Reply) -> Result<&'a [u8], TypeError> {
    reply.as_bytes().ok_or_else(|| mismatch(wanted, reply))
}

fn mismatch(wanted: &'static str, reply: &Reply) -> TypeError {
    let error = TypeError::new(wanted, reply.kind());
    match reply.as_error() {
        Some(server) => error.with_detail(server.message()),
        None => error,
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl FromReply for $type {
            fn from_reply(reply: Reply) -> Result<Self, TypeError> {
                const WANTED: &str = concat!("an integer (", stringify!($type), ")");
                if let Some(integer) = reply.as_integer() {
                    return Self::try_from(integer)
                        .map_err(|_| TypeError::new(WANTED, reply.kind()).with_detail(integer.to_string()));
                }
                let text = reply.as_str().ok_or_else(|| mismatch(WANTED, &reply))?;
                text.parse().map_err(|_| TypeError::new(WANTED, reply.kind()))
            }
        }
    )*};
}
integers!(i16, i32, i64, isize, u16, u32, u64, usize);

impl FromReply for f64 {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        match reply.bare() {
            Reply::Double(number) => Ok(*number),
            Reply::Integer(integer) => Ok(*integer as Self),
            other => {
                let text = other.as_str().ok_or_else(|| mismatch("a number", other))?;
                text.parse().map_err(|_| TypeError::new("a number", other.kind()))
            }
        }
    }
}

impl FromReply for bool {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        match reply.bare() {
            Reply::Boolean(value) => Ok(*value),
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

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        elements("an array", reply)?.into_iter().map(T::from_reply).collect()
    }
}

fn elements(wanted: &'static str, reply: Reply) -> Result<Vec<Reply>, TypeError> {
    match reply.without_attributes() {
        Reply::Array(elements) | Reply::Set(elements) => Ok(elements),
        other => Err(mismatch(wanted, &other)),
    }
}

impl<K, V, S> FromReply for HashMap<K, V, S>
where
    K: FromReply + Eq + Hash,
    V: FromReply,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        entries(reply)?.into_iter().map(typed_entry).collect()
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        entries(reply)?.into_iter().map(typed_entry).collect()
    }
}

fn typed_entry<K: FromReply, V: FromReply>((key, value): (Reply, Reply)) -> Result<(K, V), TypeError> {
    Ok((K::from_reply(key)?, V::from_reply(value)?))
}

/// Key and value pairs: a RESP3 map, or the flat array of RESP2.
fn entries(reply: Reply) -> Result<Vec<(Reply, Reply)>, TypeError> {
    match reply.without_attributes() {
        Reply::Map(entries) => Ok(entries),
        Reply::Array(flat) if flat.len() % 2 == 0 => {
            let mut flat = flat.into_iter();
            Ok(std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect())
        }
        other => Err(mismatch("a map", &other)),
    }
}

macro_rules! tuples {
    ($($length:literal: $($name:ident)+;)*) => {$(
        impl<$($name: FromReply),+> FromReply for ($($name,)+) {
            fn from_reply(reply: Reply) -> Result<Self, TypeError> {
                const WANTED: &str = concat!("an array of ", stringify!($length), " elements");
                let elements = elements(WANTED, reply)?;
                if elements.len() != $length {
                    let found = format!("it has {} elements", elements.len());
                    return Err(TypeError::new(WANTED, "an array").with_detail(found));
                }
                let mut elements = elements.into_iter();
                Ok(($($name::from_reply(elements.next().unwrap_or(Reply::Nil))?,)+))
            }
        }
    )*};
}
tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn what_every_type_accepts() {
        assert_eq!(String::from_reply(bulk("a")), Ok("a".to_owned()));
        assert_eq!(i64::from_reply(bulk("-7")), Ok(-7));
        assert_eq!(u16::from_reply(Reply::Integer(65535)), Ok(65535));
        assert_eq!(f64::from_reply(bulk("1.5")), Ok(1.5));
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
        let nil = String::from_reply(Reply::Nil).expect_err("there is no value").to_string();
        assert!(nil.ends_with("; an Option accepts nil, too"), "{nil}");
        assert!(String::from_reply(Reply::Bulk(Bytes::from_static(b"\xff"))).is_err());
        assert!(u16::from_reply(Reply::Integer(65536)).is_err());
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
