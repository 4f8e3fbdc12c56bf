//! The resumable decoder.
//!
//! - [`quick`]: the frequent replies, when they are in the buffer as a whole
//! - [`step`]: from a header or a payload to a value
//! - [`values`]: aggregates that are still open
//! - [`chunks`]: streamed strings
//! - [`input`]: what texts are cut out of
//!
//! What must stay true: the decoder consumes whole headers and whole payloads only, so the front of the buffer is
//! always the start of one; what it consumed it never needs again; and its outcome depends on the bytes alone,
//! not on how they were cut.

mod chunks;
mod input;
mod quick;
mod step;
mod values;

use bytes::{Bytes, BytesMut};

use self::chunks::Chunks;
use self::input::Input;
use self::values::Values;
use crate::grammar::line::Line;
use crate::grammar::partial::Partial;
use crate::grammar::payload::Payload;
use crate::{DecodeError, Frame, Limits, Reply};

/// Turns the bytes of one connection into frames.
///
/// It keeps what it has read of an incomplete frame, so it belongs to one stream and one read buffer: new bytes are
/// appended to the buffer, and only the decoder takes bytes from its front.
///
/// # Examples
/// ```
/// use bytes::BytesMut;
/// use truename_resp::{Decoder, Frame, Limits, Reply};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut read = BytesMut::from("*2\r\n:1\r\n$5\r\nhe");
/// assert_eq!(decoder.decode(&mut read)?, None);
/// assert_eq!(decoder.wanted(&read), 5); // "llo" and CR LF
/// assert!(!decoder.is_idle());
/// read.extend_from_slice(b"llo\r\n");
/// let expected = Reply::Array(vec![Reply::Integer(1), Reply::Bulk("hello".into())]);
/// assert_eq!(decoder.decode(&mut read)?, Some(Frame::Reply(expected)));
/// assert!(decoder.is_idle());
/// # Ok::<(), truename_resp::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Bytes consumed since the stream began: where the front of the buffer is.
    offset: u64,
    /// How far the line at the front of the buffer has been searched for its end.
    line: Line,
    /// The payload at the front of the buffer, when its header has been consumed.
    payload: Option<Payload>,
    /// The streamed string that is open.
    chunks: Option<Chunks>,
    partial: Partial<Values>,
    failure: Option<DecodeError>,
}

impl Decoder {
    /// A decoder at the start of a stream. See the [example](Decoder#examples).
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.effective(),
            offset: 0,
            line: Line::default(),
            payload: None,
            chunks: None,
            partial: Partial::new(),
            failure: None,
        }
    }

    /// Sets other limits, which apply from the next part of a frame on.
    ///
    /// ```
    /// use truename_resp::{Decoder, Limits};
    ///
    /// let mut decoder = Decoder::new(Limits::default());
    /// decoder.set_limits(Limits::default().with_bulk_len(4));
    /// let refused = decoder.decode(&mut "$5\r\nhello\r\n".into()).unwrap_err();
    /// assert!(refused.kind.is_limit());
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits.effective();
    }

    /// Takes the next frame from the front of `buf`. See the [example](Decoder#examples).
    ///
    /// `Ok(None)` means that more bytes are needed; what was usable may have been taken from `buf` nevertheless.
    /// Payloads are slices of `buf`, nothing is copied but the chunks of streamed strings.
    ///
    /// # Errors
    ///
    /// The stream broke the protocol or a limit. Every further call returns the same error.
    #[inline]
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if buf.is_empty() && self.failure.is_none() { Ok(None) } else { self.resume(buf) }
    }

    #[inline(never)]
    fn resume(&mut self, buf: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        self.run(buf)
    }

    /// Takes the next frame from the front of `buf` if it is a reply of a frequent kind (`+OK`, an integer, a string or the
    /// null of RESP2) and all of it is there. It is then what [`decode`](Self::decode) would return; everything else is left
    /// for that.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use truename_resp::{Decoder, Frame, Reply};
    ///
    /// let (mut decoder, mut read) = (Decoder::default(), BytesMut::from("$5\r\nhello\r\n#t\r\n"));
    /// assert_eq!(decoder.decode_frequent(&mut read), Some(Reply::Bulk("hello".into())));
    /// assert_eq!(decoder.decode_frequent(&mut read), None);
    /// assert_eq!(decoder.decode(&mut read)?, Some(Frame::Reply(Reply::Boolean(true))));
    /// # Ok::<(), truename_resp::DecodeError>(())
    /// ```
    #[inline(always)]
    pub fn decode_frequent(&mut self, buf: &mut BytesMut) -> Option<Reply> {
        if self.is_idle() { self.quick(buf) } else { None }
    }

    /// [`decode`](Self::decode) for bytes that others may hold, too.
    pub(crate) fn decode_shared(&mut self, bytes: &mut Bytes) -> Result<Option<Frame>, DecodeError> {
        self.run(bytes)
    }

    #[inline(always)]
    fn run(&mut self, buf: &mut impl Input) -> Result<Option<Frame>, DecodeError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.is_idle() {
            self.partial.begin(self.offset);
        }
        loop {
            let at = self.offset;
            let outcome = match self.quick(buf) {
                Some(element) => self.partial.accept(element, self.offset, &self.limits),
                None => match self.step(buf) {
                    Ok(Some(step)) => self.partial.settle(step, self.offset, buf.len(), &self.limits),
                    Ok(None) => return Ok(None),
                    Err(kind) => Err(kind),
                },
            };
            match outcome {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(kind) => return Err(self.fail(DecodeError { at, kind })),
            }
        }
    }

    /// After [`decode`](Self::decode) returned `Ok(None)`: how many bytes are missing at least before it can get on.
    /// See the [example](Decoder#examples).
    ///
    /// That is the rest of a payload, else 1. The number comes from the peer: cap what is reserved for it.
    pub fn wanted(&self, buf: &BytesMut) -> usize {
        match (self.failure, self.payload) {
            (Some(_), _) => 0,
            (None, Some(payload)) => payload.missing(buf.len()),
            (None, None) => 1,
        }
    }

    /// Whether no part of a frame has been consumed. With an empty buffer, this is a good place for the stream to end.
    /// See the [example](Decoder#examples).
    pub fn is_idle(&self) -> bool {
        self.partial.is_empty() && self.payload.is_none() && self.chunks.is_none() && self.failure.is_none()
    }

    /// Whether part of a frame that is going to be a reply, not a push, is there: consumed already, or in `buf`.
    ///
    /// ```
    /// use truename_resp::Decoder;
    ///
    /// assert!(Decoder::default().is_inside_reply(&"$5\r\nhe".into()));
    /// assert!(!Decoder::default().is_inside_reply(&">2\r\n".into()));
    /// ```
    pub fn is_inside_reply(&self, buf: &BytesMut) -> bool {
        match self.is_idle() {
            true => buf.first().is_some_and(|&kind| kind != b'>'),
            false => !self.partial.is_push(),
        }
    }

    #[inline]
    fn consume(&mut self, buf: &mut impl Input, len: usize) {
        buf.advance(len);
        self.offset += len as u64;
    }

    /// Nothing that was read before the error is useful any more.
    #[cold]
    fn fail(&mut self, failure: DecodeError) -> DecodeError {
        self.failure = Some(failure);
        self.payload = None;
        self.chunks = None;
        self.partial.clear();
        failure
    }
}

impl Default for Decoder {
    /// A decoder with the default [`Limits`].
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values the decoder made room for without having them, and bytes likewise.
    fn room(decoder: &Decoder) -> (usize, usize) {
        let values = decoder.partial.parts().map(Values::capacity).sum();
        (values, decoder.chunks.as_ref().map_or(0, Chunks::capacity))
    }

    #[test]
    fn announced_lengths_reserve_nothing() {
        let limits =
            Limits::default().with_elements(usize::MAX).with_bulk_len(usize::MAX).with_bytes(usize::MAX);
        for input in [
            "*1000000000\r\n",
            "~1000000000\r\n",
            "%1000000000\r\n",
            "|1000000000\r\n",
            ">1000000000\r\n",
            "$500000000\r\n",
            "=500000000\r\n",
            "!500000000\r\n",
            "$?\r\n;500000000\r\n",
            "*9999999999999999999\r\n",
            "$9999999999999999999\r\n",
        ] {
            let mut decoder = Decoder::new(limits);
            let mut buf = BytesMut::from(input);
            let before = buf.capacity();
            assert_eq!(decoder.decode(&mut buf), Ok(None), "{input:?}");
            assert!(!decoder.is_idle(), "{input:?}");
            assert_eq!(room(&decoder), (0, 0), "{input:?}");
            assert!(buf.capacity() <= before, "{input:?}");
        }
    }

    #[test]
    fn a_full_buffer_behind_nested_headers_reserves_little() {
        let mut decoder = Decoder::default();
        let mut buf = BytesMut::from("*1000000\r\n".repeat(32).as_str());
        buf.extend_from_slice(&[b'+'; 60_000]);
        assert_eq!(decoder.decode(&mut buf), Ok(None));
        let (values, _) = room(&decoder);
        assert!(values <= 32 * 1024, "{values}");
    }

    #[test]
    fn wanted_is_the_rest_of_a_payload() {
        let mut decoder = Decoder::default();
        let mut buf = BytesMut::from("$100");
        assert_eq!(decoder.decode(&mut buf), Ok(None));
        assert_eq!(decoder.wanted(&buf), 1);
        buf.extend_from_slice(b"\r\n");
        assert_eq!(decoder.decode(&mut buf), Ok(None));
        assert_eq!(decoder.wanted(&buf), 102);
        buf.extend_from_slice(&[b'x'; 101]);
        assert_eq!(decoder.decode(&mut buf), Ok(None));
        assert_eq!(decoder.wanted(&buf), 1);
        buf.extend_from_slice(b"!");
        assert!(decoder.decode(&mut buf).is_err());
        assert_eq!(decoder.wanted(&buf), 0, "no byte can help any more");
    }

    #[test]
    fn a_part_of_a_reply_is_told_from_a_part_of_a_push() {
        let rows = [
            ("", false),
            ("+O", true),
            ("$5\r\nhe", true),
            ("*2\r\n:1\r\n", true),
            ("%1\r\n+k\r\n*1\r\n", true),
            (">", false),
            (">2\r\n+inva", false),
            (">2\r\n+invalidate\r\n*1\r\n$3\r\nke", false),
            (">1\r\n+a\r\n", false),
            (">1\r\n+a\r\n:", true),
        ];
        for (input, expected) in rows {
            let mut decoder = Decoder::default();
            let mut buf = BytesMut::from(input);
            while let Ok(Some(_)) = decoder.decode(&mut buf) {}
            assert_eq!(decoder.is_inside_reply(&buf), expected, "{input:?}");
        }
    }

    #[test]
    fn an_error_frees_what_was_held() {
        let mut decoder = Decoder::default();
        let mut buf = BytesMut::from("*3\r\n:1\r\n:2\r\n?");
        assert!(decoder.decode(&mut buf).is_err());
        assert_eq!(room(&decoder), (0, 0));
        assert!(!decoder.is_idle(), "a poisoned decoder is not at the start of a frame");
    }

    proptest! {
        /// Room may double as a vector grows, and may be a few values per open aggregate; no more.
        #[test]
        fn room_follows_what_arrived(
            headers in proptest::collection::vec(("[*~%|]", 1..2_000_000_000usize), 0..32),
            values in 0..200usize,
        ) {
            let mut input = String::new();
            for (kind, count) in &headers {
                input.push_str(&format!("{kind}{count}\r\n"));
            }
            input.push_str(&"_\r\n".repeat(values));
            let mut decoder = Decoder::new(Limits::default().with_elements(usize::MAX));
            let mut buf = BytesMut::from(input.as_str());
            while let Ok(Some(_)) = decoder.decode(&mut buf) {}
            let (held, _) = room(&decoder);
            prop_assert!(held <= headers.len() * (2 * input.len() / 3 + 8), "{held} for {} bytes", input.len());
        }
    }
}
