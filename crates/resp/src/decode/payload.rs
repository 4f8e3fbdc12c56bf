//! Strings of announced length: what their bytes become once they are all there.
//!
//! A payload is cut out of the read buffer whole; only the chunks of a streamed string are copied together.

use bytes::{Bytes, BytesMut};

use crate::{DecodeErrorKind, Reply, Verbatim};

/// A payload whose header has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub(super) form: Form,
    /// Bytes of the payload, without its CR LF.
    pub(super) len: usize,
}

/// What a payload is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bulk,
    Error,
    Verbatim,
    Chunk,
}

impl Payload {
    /// Cuts the payload out of the start of `buf` once it is there with its line end. `Ok(None)`: not yet.
    #[inline]
    pub(super) fn take(self, buf: &mut BytesMut) -> Result<Option<Bytes>, DecodeErrorKind> {
        // `len + 2` could overflow.
        let Some(after) = buf.get(self.len..).filter(|after| after.len() >= 2) else { return Ok(None) };
        if !after.starts_with(b"\r\n") {
            return Err(DecodeErrorKind::MissingLineEnd);
        }
        let mut bytes = buf.split_to(self.len + 2);
        bytes.truncate(self.len);
        Ok(Some(bytes.freeze()))
    }

    /// Bytes that are missing, line end included.
    pub(super) fn missing(self, buffered: usize) -> usize {
        self.len.saturating_add(2).saturating_sub(buffered)
    }
}

/// The text of a verbatim string, after its format and a colon.
pub(super) fn verbatim(payload: Bytes) -> Result<Reply, DecodeErrorKind> {
    match payload[..] {
        [a, b, c, b':', ..] => Ok(Reply::Verbatim(Verbatim { format: [a, b, c], text: payload.slice(4..) })),
        _ => Err(DecodeErrorKind::InvalidVerbatim),
    }
}

/// The chunks of a streamed string so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    text: BytesMut,
}

impl Chunks {
    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.text.extend_from_slice(chunk);
    }

    pub(super) fn finish(self) -> Reply {
        Reply::Bulk(self.text.freeze())
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }
}
