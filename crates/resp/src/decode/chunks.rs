//! Streamed strings: the only texts that are copied, because their chunks have to be put together.

use bytes::BytesMut;

use crate::Reply;

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
