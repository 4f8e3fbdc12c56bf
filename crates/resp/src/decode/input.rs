//! Bytes that texts are cut out of without being copied: a read buffer, or a frame that others may hold too.

use std::ops::Deref;

use bytes::{Buf, Bytes, BytesMut};

/// Bytes that are taken from the front.
pub(super) trait Input: Buf + Deref<Target = [u8]> {
    /// Takes `start` bytes, a text of `len` bytes and its line end, and returns the text.
    fn cut(&mut self, start: usize, len: usize) -> Bytes;
}

impl Input for BytesMut {
    #[inline(always)]
    fn cut(&mut self, start: usize, len: usize) -> Bytes {
        // As `Bytes`, its ends are cheaper to cut off.
        text(self.split_to(start + len + 2).freeze(), start, len)
    }
}

impl Input for Bytes {
    fn cut(&mut self, start: usize, len: usize) -> Bytes {
        text(self.split_to(start + len + 2), start, len)
    }
}

#[inline(always)]
fn text(mut bytes: Bytes, start: usize, len: usize) -> Bytes {
    bytes.advance(start);
    bytes.truncate(len);
    bytes
}
