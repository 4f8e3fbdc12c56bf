//! A whole frame as it came, not decoded.
//!
//! What must stay true: it is exactly one frame that the framer found in order; and what it holds may be secret, so
//! `Debug` does not show it.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use crate::grammar::number::{self, Length};
use crate::scan::Scanner;
use crate::{DecodeError, DecodeErrorKind, Decoder, ErrorReply, Frame, Limits, Reply};

/// The bytes of one frame, from its type byte to its last CR LF, as a [`Framer`](crate::Framer) cut them out of the
/// stream.
///
/// Frames share the memory of the read buffer that they came in: a small one that is kept for long keeps all of it.
/// `Debug` shows the type and the length, never the bytes.
///
/// # Examples
/// ```
/// use bytes::BytesMut;
/// use truename_resp::{Frame, Framer, Limits, Reply};
///
/// let mut framer = Framer::default();
/// let mut read = BytesMut::from("$4\r\nOslo\r\n-ERR no such key\r\n>2\r\n+message\r\n+hi\r\n");
/// let mut next = || framer.frame(&mut read).map(|frame| frame.expect("a whole frame"));
///
/// let city = next()?;
/// assert_eq!(city.as_bytes(), b"$4\r\nOslo\r\n");
/// assert_eq!(city.decode(Limits::default())?, Frame::Reply(Reply::Bulk("Oslo".into())));
/// assert_eq!(format!("{city:?}"), "RawFrame { kind: '$', len: 10 }");
/// assert!(!city.is_error() && !city.is_push());
///
/// let refused = next()?;
/// assert!(refused.is_error());
/// assert_eq!(refused.error().expect("an error").message(), "ERR no such key");
///
/// let message = next()?;
/// assert!(message.is_push());
/// assert_eq!(message.into_bytes(), ">2\r\n+message\r\n+hi\r\n");
/// # Ok::<(), truename_resp::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawFrame(Bytes);

impl RawFrame {
    /// Takes the frame of this length from the front of `buf`.
    #[inline]
    pub(crate) fn take(buf: &mut BytesMut, len: usize) -> Self {
        // No reference to the read buffer for a constant.
        let known: Option<&'static [u8]> = match &buf[..len] {
            b"+OK\r\n" => Some(b"+OK\r\n"),
            b"$-1\r\n" => Some(b"$-1\r\n"),
            b"_\r\n" => Some(b"_\r\n"),
            _ => None,
        };
        match known {
            Some(known) => {
                buf.advance(len);
                Self(Bytes::from_static(known))
            }
            None => Self(buf.split_to(len).freeze()),
        }
    }

    /// The whole frame. See the [example](RawFrame#examples).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The whole frame, without copying it. See the [example](RawFrame#examples).
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Whether this is a push, which answers no command. See the [example](RawFrame#examples).
    #[inline]
    pub fn is_push(&self) -> bool {
        self.0.first() == Some(&b'>')
    }

    /// Whether this is an error reply, after any attributes. See the [example](RawFrame#examples).
    #[inline]
    pub fn is_error(&self) -> bool {
        self.error_at().is_some()
    }

    /// The error of an error reply, after any attributes, which are not decoded. See the [example](RawFrame#examples).
    pub fn error(&self) -> Option<ErrorReply> {
        let start = self.error_at()?;
        match Decoder::new(Limits::NONE).decode_shared(&mut self.0.slice(start..)) {
            Ok(Some(Frame::Reply(Reply::Error(error)))) => Some(error),
            _ => None,
        }
    }

    /// The value of this frame; payloads are slices of it. See the [example](RawFrame#examples).
    ///
    /// # Errors
    ///
    /// The frame exceeds the limits. It never does if they are those that it was framed with, or wider.
    pub fn decode(&self, limits: Limits) -> Result<Frame, DecodeError> {
        let decoded = Decoder::new(limits).decode_shared(&mut self.0.clone())?;
        // A whole frame lacks nothing but what the framer would have missed, too.
        decoded.ok_or(DecodeError { at: self.0.len() as u64, kind: DecodeErrorKind::MissingLineEnd })
    }

    /// Where the error begins that this frame is.
    #[inline]
    fn error_at(&self) -> Option<usize> {
        let start = match self.0.first()? {
            b'|' => described(&self.0)?,
            _ => 0,
        };
        matches!(self.0.get(start)?, b'-' | b'!').then_some(start)
    }
}

/// Where the value begins that the attributes at the start of a frame describe.
fn described(frame: &[u8]) -> Option<usize> {
    let mut scanner = Scanner::new(Limits::NONE);
    let mut start = 0;
    while *frame.get(start)? == b'|' {
        let Ok(Some((Length::Known(pairs), header))) = number::length(&frame[start + 1..]) else {
            return None;
        };
        start += 1 + header;
        for _ in 0..pairs.checked_mul(2)? {
            start += scanner.scan(&frame[start..]).ok()??;
        }
    }
    Some(start)
}

impl AsRef<[u8]> for RawFrame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<RawFrame> for Bytes {
    fn from(frame: RawFrame) -> Self {
        frame.0
    }
}

impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.first().copied().map_or('?', char::from);
        f.debug_struct("RawFrame").field("kind", &kind).field("len", &self.0.len()).finish()
    }
}
