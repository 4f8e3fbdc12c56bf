//! Where replies end in a stream of bytes.

use bytes::BytesMut;
use truename_resp::{Decoder, Frame, Limits};

/// Follows the replies of one connection. Gives up at the first byte that is not RESP, such as a TLS record.
#[derive(Debug)]
pub(super) struct ReplyTracker {
    decoder: Decoder,
    pending: BytesMut,
    is_lost: bool,
}

impl ReplyTracker {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new(Limits::default()), pending: BytesMut::new(), is_lost: false }
    }

    /// The ends of the replies that `bytes`, which come next in the stream, complete: offsets into `bytes`.
    pub(super) fn ends(&mut self, bytes: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        if self.is_lost {
            return ends;
        }
        self.pending.extend_from_slice(bytes);
        loop {
            match self.decoder.decode(&mut self.pending) {
                Ok(Some(Frame::Reply(_))) => ends.push(bytes.len() - self.pending.len()),
                Ok(Some(Frame::Push(_))) => {}
                Ok(None) => return ends,
                Err(_) => {
                    self.is_lost = true;
                    self.pending.clear();
                    return ends;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_however_the_stream_is_cut() {
        let stream = b"+OK\r\n*2\r\n$3\r\nfoo\r\n:1\r\n>2\r\n+invalidate\r\n_\r\n$-1\r\n";
        for size in 1..=stream.len() {
            let mut tracker = ReplyTracker::new();
            let mut found = Vec::new();
            for (portion, bytes) in stream.chunks(size).enumerate() {
                found.extend(tracker.ends(bytes).into_iter().map(|end| portion * size + end));
            }
            assert_eq!(found, [5, 22, stream.len()], "in portions of {size}");
        }
    }

    #[test]
    fn other_protocols_have_no_replies() {
        let mut tracker = ReplyTracker::new();
        assert!(tracker.ends(&[0x16, 0x03, 0x03, 0x00, 0x7a, 13, 10]).is_empty());
        assert!(tracker.ends(b"+OK\r\n").is_empty());
    }
}
