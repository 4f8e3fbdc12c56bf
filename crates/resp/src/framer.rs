//! The resumable framer: the decoder's counterpart for those who want a frame's bytes and not its values.
//!
//! What must stay true: it takes whole frames only, at the same places as the decoder would; it never holds bytes of the
//! stream itself.

use bytes::BytesMut;

use crate::scan::Scanner;
use crate::{DecodeError, Limits, RawFrame};

/// Cuts the bytes of one connection into frames, without decoding them.
///
/// It accepts exactly what a [`Decoder`](crate::Decoder) with the same limits accepts, cuts at the same places, and refuses
/// the rest with the same error at the same byte; what it returns therefore decodes. It builds nothing: its memory is some
/// words for each aggregate that is open, and a frame is a slice of the read buffer, so that many small ones share
/// one allocation.
///
/// It remembers how far it has scanned the frame at the front of the buffer, so it belongs to one stream and one read
/// buffer: new bytes are appended to the buffer, and only the framer takes bytes from its front. It may take turns with a
/// decoder, from frame to frame: after either has returned a frame, either may take the next. After `Ok(None)` for a buffer
/// that is not empty, the same one has to go on.
///
/// # Examples
/// ```
/// use bytes::BytesMut;
/// use truename_resp::{Framer, Limits};
///
/// let mut framer = Framer::new(Limits::default());
/// let mut read = BytesMut::from("*2\r\n:1\r\n$5\r\nhe");
/// assert_eq!(framer.frame(&mut read)?, None);
/// assert_eq!(framer.wanted(&read), 5); // "llo" and CR LF
/// assert!(!framer.is_idle() && framer.is_inside_reply(&read));
/// read.extend_from_slice(b"llo\r\n+OK");
/// let frame = framer.frame(&mut read)?.expect("a whole frame");
/// assert_eq!(frame.as_bytes(), b"*2\r\n:1\r\n$5\r\nhello\r\n");
/// assert_eq!(&read[..], b"+OK");
/// assert!(framer.is_idle());
/// # Ok::<(), truename_resp::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Framer {
    scanner: Scanner,
}

impl Framer {
    /// A framer at the start of a stream. See the [example](Framer#examples).
    pub fn new(limits: Limits) -> Self {
        Self { scanner: Scanner::new(limits) }
    }

    /// Sets other limits, which apply from the next part of a frame on.
    ///
    /// ```
    /// use truename_resp::{Framer, Limits};
    ///
    /// let mut framer = Framer::new(Limits::default());
    /// framer.set_limits(Limits::default().with_bulk_len(4));
    /// let refused = framer.frame(&mut "$5\r\nhello\r\n".into()).unwrap_err();
    /// assert!(refused.kind.is_limit());
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.scanner.set_limits(limits);
    }

    /// Takes the next whole frame from the front of `buf`. See the [example](Framer#examples).
    ///
    /// `Ok(None)` means that more bytes are needed. Unlike the decoder, the framer then leaves `buf` as it is, so the
    /// buffer has to hold the largest frame as a whole.
    ///
    /// # Errors
    ///
    /// The stream broke the protocol or a limit. Every further call returns the same error.
    #[inline]
    pub fn frame(&mut self, buf: &mut BytesMut) -> Result<Option<RawFrame>, DecodeError> {
        Ok(self.scanner.scan(buf)?.map(|len| RawFrame::take(buf, len)))
    }

    /// After [`frame`](Self::frame) returned `Ok(None)`: how many bytes are missing at least before it can get on. See the
    /// [example](Framer#examples).
    ///
    /// That is the rest of a payload, else 1. The number comes from the peer: cap what is reserved for it.
    pub fn wanted(&self, buf: &BytesMut) -> usize {
        self.scanner.wanted(buf.len())
    }

    /// Whether no part of a frame has been scanned. With an empty buffer, this is a good place for the stream to end.
    /// See the [example](Framer#examples).
    pub fn is_idle(&self) -> bool {
        self.scanner.is_idle()
    }

    /// Whether part of a frame that is going to be a reply, not a push, is in `buf`. See the [example](Framer#examples).
    pub fn is_inside_reply(&self, buf: &BytesMut) -> bool {
        self.scanner.has_failed() || buf.first().is_some_and(|&kind| kind != b'>')
    }
}

impl Default for Framer {
    /// A framer with the default [`Limits`].
    fn default() -> Self {
        Self::new(Limits::default())
    }
}
