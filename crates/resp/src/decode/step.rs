//! From headers and payloads to values.

use bytes::Bytes;

use super::Decoder;
use super::chunks::Chunks;
use super::input::Input;
use crate::grammar::header::{self, Header, Text};
use crate::grammar::partial::Step;
use crate::grammar::payload::{self, Form, Payload};
use crate::{DecodeErrorKind, ErrorReply, Reply, Verbatim};

/// What was consumed; `None` while it is incomplete.
type Outcome = Result<Option<Step<Reply>>, DecodeErrorKind>;

impl Decoder {
    /// Consumes the header or the payload at the front of `buf`.
    #[inline]
    pub(super) fn step(&mut self, buf: &mut impl Input) -> Outcome {
        match self.payload {
            Some(payload) => self.take_payload(payload, buf),
            None => self.take_header(buf),
        }
    }

    #[inline]
    fn take_header(&mut self, buf: &mut impl Input) -> Outcome {
        let inside_string = self.chunks.is_some();
        let read = header::read(buf, inside_string, &mut self.line, self.limits.line_len)?;
        let Some((header, len)) = read else { return Ok(None) };
        let step = match header {
            Header::Text(text) => return Ok(Some(Step::Value(self.take_text(text, len, buf)))),
            Header::Nil => Step::Value(Reply::Nil),
            Header::Integer(value) => Step::Value(Reply::Integer(value)),
            Header::Boolean(truth) => Step::Value(Reply::Boolean(truth)),
            Header::Double(value) => Step::Value(Reply::Double(value)),
            Header::Payload(payload) => {
                let before = self.chunks.as_ref().map_or(0, Chunks::len);
                self.partial.admit(payload, before, self.offset + len as u64, &self.limits)?;
                self.payload = Some(payload);
                Step::More
            }
            Header::Chunks => {
                self.chunks = Some(Chunks::default());
                Step::More
            }
            Header::LastChunk => Step::Value(self.chunks.take().unwrap_or_default().finish()),
            Header::Open(aggregate, extent) => Step::Open(aggregate, extent),
            Header::End => Step::End,
        };
        self.consume(buf, len);
        Ok(Some(step))
    }

    /// The value that a line of this length is, type byte and line end included.
    #[inline]
    fn take_text(&mut self, text: Text, len: usize, buf: &mut impl Input) -> Reply {
        // No reference to the read buffer for a constant.
        let known: Option<&'static [u8]> = match (text, &buf[..len]) {
            (Text::Simple, b"+OK\r\n") => Some(b"OK"),
            (Text::Simple, b"+QUEUED\r\n") => Some(b"QUEUED"),
            (Text::Simple, b"+PONG\r\n") => Some(b"PONG"),
            _ => None,
        };
        let bytes = match known {
            Some(known) => {
                self.consume(buf, len);
                Bytes::from_static(known)
            }
            None => {
                self.offset += len as u64;
                buf.cut(1, len - 3)
            }
        };
        match text {
            Text::Simple => Reply::Simple(bytes),
            Text::Error => Reply::Error(ErrorReply::new(bytes)),
            Text::BigNumber => Reply::BigNumber(bytes),
        }
    }

    #[inline]
    fn take_payload(&mut self, payload: Payload, buf: &mut impl Input) -> Outcome {
        if !payload.is_whole(buf)? {
            return Ok(None);
        }
        let bytes = buf.cut(0, payload.len);
        self.offset += payload.len as u64 + 2;
        self.payload = None;
        let value = match payload.form {
            Form::Bulk => Reply::Bulk(bytes),
            Form::Error => Reply::Error(ErrorReply::new(bytes)),
            Form::Verbatim => {
                let format = payload::format(&bytes)?;
                Reply::Verbatim(Verbatim { format, text: bytes.slice(4..) })
            }
            Form::Chunk => {
                self.chunks.get_or_insert_default().push(&bytes);
                return Ok(Some(Step::More));
            }
        };
        Ok(Some(Step::Value(value)))
    }
}
