//! Strings of announced length.

use crate::DecodeErrorKind;

/// A payload whose header has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) form: Form,
    /// Bytes of the payload, without its CR LF.
    pub(crate) len: usize,
}

/// What a payload is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bulk,
    Error,
    Verbatim,
    Chunk,
}

impl Payload {
    /// Whether the payload at the start of `front` is there with its line end.
    #[inline]
    pub(crate) fn is_whole(self, front: &[u8]) -> Result<bool, DecodeErrorKind> {
        // `len + 2` could overflow.
        match front.get(self.len..) {
            Some([b'\r', b'\n', ..]) => Ok(true),
            Some([_, _, ..]) => Err(DecodeErrorKind::MissingLineEnd),
            _ => Ok(false),
        }
    }

    /// Bytes that are missing, line end included.
    pub(crate) fn missing(self, buffered: usize) -> usize {
        self.len.saturating_add(2).saturating_sub(buffered)
    }
}

/// The format of a verbatim string, which its payload begins with. The text follows after a colon.
pub(crate) fn format(payload: &[u8]) -> Result<[u8; 3], DecodeErrorKind> {
    match *payload {
        [a, b, c, b':', ..] => Ok([a, b, c]),
        _ => Err(DecodeErrorKind::InvalidVerbatim),
    }
}
