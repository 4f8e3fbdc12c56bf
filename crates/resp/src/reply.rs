//! The values a server answers with.
//!
//! Text is held as slices of the read buffer, so cloning a reply copies no payload. The accessors look through
//! attributes, because the RESP3 specification wants a client that knows none of them to see the plain value.

use bytes::Bytes;

use crate::ErrorReply;

/// A value of RESP2 or RESP3.
///
/// A [`Bytes`] in here keeps alive the whole read buffer that it is a slice of. Whoever stores a short value for a
/// long time should copy it.
///
/// # Examples
/// ```
/// use truename_resp::{Attributed, ErrorReply, Reply};
///
/// let reply = Reply::Array(vec![Reply::Bulk("role".into()), Reply::Bulk("primary".into())]);
/// assert_eq!(reply.lookup("role").and_then(Reply::as_str), Some("primary"));
/// assert_eq!((reply.kind(), reply.as_array().map(<[Reply]>::len)), ("array", Some(2)));
///
/// let count = Reply::Integer(3);
/// assert_eq!((count.as_integer(), count.as_bytes(), count.is_nil()), (Some(3), None, false));
/// let error = Reply::Error(ErrorReply::new("ERR unknown command"));
/// assert_eq!(error.as_error().map(ErrorReply::code), Some("ERR"));
///
/// // Attributes precede a value, and the accessors look through them.
/// let attributed = Reply::Attributed(Box::new(Attributed { attributes: Vec::new(), reply: count.clone() }));
/// assert_eq!((attributed.as_integer(), attributed.bare()), (Some(3), &count));
/// assert_eq!(attributed.without_attributes(), count);
/// ```
#[derive(Clone, Debug, PartialEq)]
// No field shares a word with the tag, so that a reply is moved word by word.
#[repr(u64)]
#[non_exhaustive]
pub enum Reply {
    /// No value: `$-1`, `*-1` or `_`.
    Nil,
    /// `:`, a signed integer of 64 bits.
    Integer(i64),
    /// `#`, true or false.
    Boolean(bool),
    /// `,`, a floating point number; may be infinite or not a number.
    Double(f64),
    /// `(`, an integer of any size, as the digits that were sent, with their sign.
    BigNumber(Bytes),
    /// `+`, a short text without line breaks, such as `OK`.
    Simple(Bytes),
    /// `-` or `!`, the command failed. This is a reply like any other; the stream goes on.
    Error(ErrorReply),
    /// `$`, any bytes.
    Bulk(Bytes),
    /// `=`, text with a format.
    Verbatim(Verbatim),
    /// `*`, values in order.
    Array(Vec<Self>),
    /// `%`, keys and values in the order they were sent; the codec does not look for duplicates.
    Map(Vec<(Self, Self)>),
    /// `~`, values whose order means nothing; the codec does not look for duplicates.
    Set(Vec<Self>),
    /// `|`, a value with attributes before it.
    Attributed(Box<Attributed>),
}

/// Text meant for display, with its format (RESP3 `=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verbatim {
    /// `txt` for plain text, `mkd` for Markdown.
    pub format: [u8; 3],
    /// The text, without the format and its colon.
    pub text: Bytes,
}

/// A reply and the auxiliary data sent before it (RESP3 `|`).
#[derive(Clone, Debug, PartialEq)]
pub struct Attributed {
    /// Keys and values in the order they were sent.
    pub attributes: Vec<(Reply, Reply)>,
    /// The value they describe.
    pub reply: Reply,
}

impl Reply {
    /// The value itself, after any attributes. See the [example](Reply#examples).
    pub fn bare(&self) -> &Self {
        let mut reply = self;
        while let Self::Attributed(attributed) = reply {
            reply = &attributed.reply;
        }
        reply
    }

    /// The value itself, with the attributes before it dropped. Attributes of its elements stay. See the
    /// [example](Reply#examples).
    pub fn without_attributes(self) -> Self {
        let mut reply = self;
        while let Self::Attributed(attributed) = reply {
            reply = attributed.reply;
        }
        reply
    }

    /// The bytes of a simple string, a bulk string, a verbatim text or a big number. See the [example](Reply#examples).
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.bare() {
            Self::Simple(bytes) | Self::Bulk(bytes) | Self::BigNumber(bytes) => Some(bytes),
            Self::Verbatim(verbatim) => Some(&verbatim.text),
            _ => None,
        }
    }

    /// [`as_bytes`](Self::as_bytes), when they are UTF-8. See the [example](Reply#examples).
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The number of an integer reply. Digits in a string are not taken for one. See the [example](Reply#examples).
    pub fn as_integer(&self) -> Option<i64> {
        match self.bare() {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The error of an error reply. See the [example](Reply#examples).
    pub fn as_error(&self) -> Option<&ErrorReply> {
        match self.bare() {
            Self::Error(error) => Some(error),
            _ => None,
        }
    }

    /// The elements of an array or a set. See the [example](Reply#examples).
    pub fn as_array(&self) -> Option<&[Self]> {
        match self.bare() {
            Self::Array(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is a null of either version. See the [example](Reply#examples).
    pub fn is_nil(&self) -> bool {
        matches!(self.bare(), Self::Nil)
    }

    /// What kind of value this is, in words, for messages such as "expected integer, got bulk string". See the
    /// [example](Reply#examples).
    pub fn kind(&self) -> &'static str {
        match self.bare() {
            Self::Nil => "nil",
            Self::Integer(_) => "integer",
            Self::Boolean(_) => "boolean",
            Self::Double(_) => "double",
            Self::BigNumber(_) => "big number",
            Self::Simple(_) => "simple string",
            Self::Error(_) => "error",
            Self::Bulk(_) => "bulk string",
            Self::Verbatim(_) => "verbatim string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Set(_) => "set",
            Self::Attributed(_) => "attributed value",
        }
    }

    /// The value of `key` in a map, or in the array of alternating keys and values that RESP2 sends for one. See the
    /// [example](Reply#examples).
    ///
    /// Keys are compared as text; when a key occurs twice the first one counts.
    pub fn lookup(&self, key: &str) -> Option<&Self> {
        let is_key = |candidate: &Self| candidate.as_bytes() == Some(key.as_bytes());
        match self.bare() {
            Self::Map(pairs) => pairs.iter().find(|(k, _)| is_key(k)).map(|(_, value)| value),
            Self::Array(items) => items.chunks_exact(2).find(|pair| is_key(&pair[0])).map(|pair| &pair[1]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(text.into())
    }

    fn attributed(reply: Reply) -> Reply {
        Reply::Attributed(Box::new(Attributed { attributes: vec![(bulk("ttl"), Reply::Integer(3))], reply }))
    }

    #[test]
    fn accessors_take_only_their_own_kind() {
        let verbatim = Reply::Verbatim(Verbatim { format: *b"txt", text: "hi".into() });
        let error = Reply::Error(ErrorReply::new("ERR no"));
        let table = [
            // reply, kind, text, integer, elements, is an error, is nil
            (Reply::Nil, "nil", None, None, None, false, true),
            (Reply::Integer(7), "integer", None, Some(7), None, false, false),
            (Reply::Boolean(true), "boolean", None, None, None, false, false),
            (Reply::Double(1.5), "double", None, None, None, false, false),
            (Reply::BigNumber("9".into()), "big number", Some("9"), None, None, false, false),
            (Reply::Simple("OK".into()), "simple string", Some("OK"), None, None, false, false),
            (error, "error", None, None, None, true, false),
            (bulk("12"), "bulk string", Some("12"), None, None, false, false),
            (verbatim, "verbatim string", Some("hi"), None, None, false, false),
            (Reply::Array(vec![Reply::Nil]), "array", None, None, Some(1), false, false),
            (Reply::Map(vec![(Reply::Nil, Reply::Nil)]), "map", None, None, None, false, false),
            (Reply::Set(vec![]), "set", None, None, Some(0), false, false),
        ];
        for (plain, kind, text, integer, elements, is_error, is_nil) in table {
            for reply in [plain.clone(), attributed(plain.clone()), attributed(attributed(plain.clone()))] {
                assert_eq!(reply.kind(), kind);
                assert_eq!(reply.as_str(), text, "{kind}");
                assert_eq!(reply.as_bytes(), text.map(str::as_bytes), "{kind}");
                assert_eq!(reply.as_integer(), integer, "{kind}");
                assert_eq!(reply.as_array().map(<[Reply]>::len), elements, "{kind}");
                assert_eq!(reply.as_error().is_some(), is_error, "{kind}");
                assert_eq!(reply.is_nil(), is_nil, "{kind}");
                assert_eq!(reply.without_attributes(), plain);
            }
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_bytes_only() {
        let reply = Reply::Bulk(Bytes::from_static(b"\xff"));
        assert_eq!(reply.as_str(), None);
        assert_eq!(reply.as_bytes(), Some(b"\xff".as_slice()));
    }

    #[test]
    fn lookup_reads_maps_of_both_versions() {
        let flat = Reply::Array(vec![bulk("a"), bulk("b"), bulk("b"), Reply::Integer(2), bulk("odd")]);
        let map = Reply::Map(vec![
            (bulk("a"), bulk("b")),
            (Reply::Simple("b".into()), Reply::Integer(2)),
            (bulk("b"), Reply::Integer(3)),
        ]);
        for reply in [flat, attributed(map.clone()), map] {
            assert_eq!(reply.lookup("a"), Some(&bulk("b")));
            assert_eq!(reply.lookup("b"), Some(&Reply::Integer(2)), "a value must not be taken for a key");
            assert_eq!(reply.lookup("odd"), None);
        }
        assert_eq!(Reply::Set(vec![bulk("a"), bulk("b")]).lookup("a"), None);
    }

    #[test]
    fn elements_of_large_arrays_stay_small() {
        assert!(size_of::<Reply>() <= 48, "the documented memory bound of `Limits::elements` rests on this");
    }
}
