//! The read buffer of a connection: how it grows, and when it gives memory back.
//!
//! Large payloads are handed out as slices of this buffer, so one allocation is shared by whatever arrived in it. It
//! grows to the largest reply, and would stay that large for the connection's life, and everything that arrives after
//! such a reply would keep all of it alive. So once a frame was taken from a buffer that has grown large, what is left in
//! it moves to a new one: the large one then belongs to the reply alone, and goes with it.
//!
//! Invariants: memory follows what arrived, never what was declared; what is copied is at most half of what is given
//! back, so a byte is copied once however many frames a buffer holds.

use bytes::BytesMut;

/// Spare room below which the buffer is extended.
const SPARE: usize = 4 * 1024;
/// How much it is extended by.
const CHUNK: usize = 64 * 1024;
/// The most that a declared length may make one extension larger.
const CHUNK_MAX: usize = 1024 * 1024;
/// Capacity that it may keep while it is used: replies of a megabyte are read without making room anew each time.
const KEEP: usize = 2 * 1024 * 1024;

/// Bytes that were read and not decoded yet.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) bytes: BytesMut,
    /// The largest capacity seen since the allocation is known to be new: it may be shared and partly used, so its size
    /// cannot be asked for.
    held: usize,
}

impl Inbound {
    /// Goes on with what was read before.
    pub(super) fn new(bytes: BytesMut) -> Self {
        let held = bytes.capacity();
        Self { bytes, held }
    }

    /// Makes room for the next read, of which `wanted` bytes are needed at least.
    #[inline]
    pub(super) fn make_room(&mut self, wanted: impl FnOnce(&BytesMut) -> usize) {
        if self.bytes.capacity() - self.bytes.len() < SPARE {
            let wanted = wanted(&self.bytes).min(CHUNK_MAX);
            self.bytes.reserve(wanted.max(CHUNK));
            self.held = self.held.max(self.bytes.capacity());
        }
    }

    /// A frame was taken: gives a large allocation up to it.
    #[inline]
    pub(super) fn frame_taken(&mut self) {
        if self.held > KEEP {
            self.give_back();
        }
    }

    /// The connection is idle, so that even the usual size is more than it needs.
    pub(super) fn idle(&mut self) {
        if self.held > CHUNK && self.bytes.is_empty() {
            *self = Self::new(BytesMut::new());
        }
    }

    #[cold]
    fn give_back(&mut self) {
        if self.bytes.len() <= self.held / 2 {
            let mut rest = BytesMut::with_capacity(self.bytes.len().max(CHUNK));
            rest.extend_from_slice(&self.bytes);
            *self = Self::new(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inbound: &mut Inbound, bytes: &[u8]) {
        for part in bytes.chunks(CHUNK / 2) {
            inbound.make_room(|_| bytes.len());
            inbound.bytes.extend_from_slice(part);
        }
    }

    #[test]
    fn a_large_reply_takes_its_memory_along() {
        let mut inbound = Inbound::new(BytesMut::new());
        read(&mut inbound, &vec![b'l'; 10 * KEEP]);
        read(&mut inbound, b"small");
        let large = inbound.bytes.split_to(10 * KEEP).freeze();
        inbound.frame_taken();
        assert_eq!(&inbound.bytes[..], b"small");
        assert!(inbound.held <= 2 * CHUNK, "{}", inbound.held);
        drop(inbound);
        let large = large.try_into_mut().expect("nobody else holds it");
        assert_eq!(large.len(), 10 * KEEP);
    }

    #[test]
    fn many_frames_in_one_buffer_are_copied_once() {
        let mut inbound = Inbound::new(BytesMut::new());
        read(&mut inbound, &vec![b's'; 4 * KEEP]);
        let mut copied = 0;
        while !inbound.bytes.is_empty() {
            let _frame = inbound.bytes.split_to(1024);
            let before = inbound.bytes.as_ptr();
            inbound.frame_taken();
            copied += if inbound.bytes.as_ptr() == before { 0 } else { inbound.bytes.len() };
        }
        assert!(copied <= 4 * KEEP, "{copied}");
    }

    #[test]
    fn the_usual_buffer_is_kept_until_the_connection_is_idle() {
        let mut inbound = Inbound::new(BytesMut::new());
        read(&mut inbound, &vec![b'u'; CHUNK * 3]);
        let held = inbound.held;
        drop(inbound.bytes.split_to(CHUNK * 3));
        inbound.frame_taken();
        assert_eq!(inbound.held, held);
        inbound.idle();
        assert_eq!(inbound.held, 0);
    }
}
