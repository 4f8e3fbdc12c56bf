//! From a type byte to what it begins: a value, a payload, or an aggregate.

use bytes::{Bytes, BytesMut};

use super::number::{self, Length, Parsed};
use super::payload::{Chunks, Form, Payload};
use super::stack::{Aggregate, Extent, Mapping, Sequence};
use super::{Decoder, Step};
use crate::{DecodeErrorKind, ErrorReply, Reply};

type Outcome = Result<Option<Step>, DecodeErrorKind>;

impl Decoder {
    /// Reads the header at the front of `buf`, and the value with it when that is all there is to it.
    #[inline]
    pub(super) fn header(&mut self, buf: &mut BytesMut) -> Outcome {
        let Some(&kind) = buf.first() else { return Ok(None) };
        if self.chunks.is_some() && kind != b';' {
            return Err(DecodeErrorKind::MissingChunk);
        }
        match kind {
            b'+' => self.simple(buf),
            b':' => {
                let parsed = number::integer(&buf[1..]);
                self.value(buf, parsed, DecodeErrorKind::InvalidInteger, Reply::Integer)
            }
            b'$' => self.string(buf, Form::Bulk),
            b'-' => self.text(buf, |text| Ok(Reply::Error(ErrorReply::new(text)))),
            b'*' => self.aggregate(buf, Aggregate::Sequence(Sequence::Array)),
            _ => self.resp3_header(kind, buf),
        }
    }

    /// The types that RESP3 added.
    fn resp3_header(&mut self, kind: u8, buf: &mut BytesMut) -> Outcome {
        match kind {
            b'_' => {
                let parsed = number::literal(&buf[1..], b"\r\n", Reply::Nil);
                self.value(buf, parsed, DecodeErrorKind::InvalidNull, |nil| nil)
            }
            b'#' => {
                let truth = buf.get(1) == Some(&b't');
                let expected = if truth { b"t\r\n" } else { b"f\r\n" };
                let parsed = number::literal(&buf[1..], expected, truth);
                self.value(buf, parsed, DecodeErrorKind::InvalidBoolean, Reply::Boolean)
            }
            b',' => self.text(buf, |text| {
                number::double(&text).map(Reply::Double).ok_or(DecodeErrorKind::InvalidDouble)
            }),
            b'(' => self.text(buf, |text| match number::is_big_number(&text) {
                true => Ok(Reply::BigNumber(text)),
                false => Err(DecodeErrorKind::InvalidBigNumber),
            }),
            b'=' => self.string(buf, Form::Verbatim),
            b'!' => self.string(buf, Form::Error),
            b'~' => self.aggregate(buf, Aggregate::Sequence(Sequence::Set)),
            b'%' => self.aggregate(buf, Aggregate::Mapping(Mapping::Map)),
            b'|' => self.aggregate(buf, Aggregate::Mapping(Mapping::Attribute)),
            b'>' => self.aggregate(buf, Aggregate::Sequence(Sequence::Push)),
            b';' if self.chunks.is_some() => self.string(buf, Form::Chunk),
            b';' => Err(DecodeErrorKind::UnexpectedChunk),
            b'.' => {
                let parsed = number::literal(&buf[1..], b"\r\n", Step::End);
                self.parsed(buf, parsed, DecodeErrorKind::UnexpectedEnd)
            }
            _ => Err(DecodeErrorKind::UnknownType(kind)),
        }
    }

    /// Consumes the type byte and what was parsed after it.
    #[inline]
    fn parsed<T>(
        &mut self,
        buf: &mut BytesMut,
        parsed: Parsed<T>,
        malformed: DecodeErrorKind,
    ) -> Result<Option<T>, DecodeErrorKind> {
        match parsed {
            Ok(Some((value, len))) => {
                self.consume(buf, 1 + len);
                Ok(Some(value))
            }
            Ok(None) => Ok(None),
            Err(number::Malformed) => Err(malformed),
        }
    }

    /// A value that is its own header.
    #[inline]
    fn value<T>(
        &mut self,
        buf: &mut BytesMut,
        parsed: Parsed<T>,
        malformed: DecodeErrorKind,
        reply: impl FnOnce(T) -> Reply,
    ) -> Outcome {
        Ok(self.parsed(buf, parsed, malformed)?.map(|value| Step::Value(reply(value))))
    }

    #[inline]
    fn simple(&mut self, buf: &mut BytesMut) -> Outcome {
        let Some(len) = self.line.find(&buf[1..], self.limits.line_len)? else { return Ok(None) };
        let known: Option<&'static [u8]> = match &buf[1..=len] {
            b"OK" => Some(b"OK"),
            b"QUEUED" => Some(b"QUEUED"),
            b"PONG" => Some(b"PONG"),
            _ => None,
        };
        // No reference to the read buffer for a constant.
        let text = match known {
            Some(text) => {
                self.consume(buf, len + 3);
                Bytes::from_static(text)
            }
            None => self.cut_line(buf, len),
        };
        Ok(Some(Step::Value(Reply::Simple(text))))
    }

    /// A value that is the text of a line.
    fn text(
        &mut self,
        buf: &mut BytesMut,
        reply: impl FnOnce(Bytes) -> Result<Reply, DecodeErrorKind>,
    ) -> Outcome {
        let Some(len) = self.line.find(&buf[1..], self.limits.line_len)? else { return Ok(None) };
        reply(self.cut_line(buf, len)).map(|reply| Some(Step::Value(reply)))
    }

    /// Takes a type byte, a line of this length and its CR LF.
    fn cut_line(&mut self, buf: &mut BytesMut, len: usize) -> Bytes {
        self.offset += len as u64 + 3;
        buf.split_to(len + 3).freeze().slice(1..=len)
    }

    /// The header of a payload, which is then waited for.
    #[inline]
    fn string(&mut self, buf: &mut BytesMut, form: Form) -> Outcome {
        let parsed = number::length(&buf[1..]);
        let Some(length) = self.parsed(buf, parsed, DecodeErrorKind::InvalidLength)? else { return Ok(None) };
        match (length, form) {
            (Length::Known(0), Form::Chunk) => {
                Ok(Some(Step::Value(self.chunks.take().unwrap_or_default().finish())))
            }
            (Length::Known(len), _) => {
                self.admit(len, form)?;
                self.payload = Some(Payload { form, len });
                Ok(Some(Step::More))
            }
            (Length::Null, Form::Bulk) => Ok(Some(Step::Value(Reply::Nil))),
            (Length::Streamed, Form::Bulk) => {
                self.chunks = Some(Chunks::default());
                Ok(Some(Step::More))
            }
            (Length::Null | Length::Streamed, _) => Err(DecodeErrorKind::InvalidLength),
        }
    }

    /// Whether a payload of this length may follow.
    #[inline]
    fn admit(&self, len: usize, form: Form) -> Result<(), DecodeErrorKind> {
        let before = match form {
            Form::Chunk => self.chunks.as_ref().map_or(0, Chunks::len),
            Form::Bulk | Form::Error | Form::Verbatim => 0,
        };
        let limit = self.limits.bulk_len;
        if len > limit.saturating_sub(before) {
            return Err(DecodeErrorKind::BulkTooLong { limit });
        }
        // Reported here and not after the payload, so that it is not waited for in vain, however the bytes are cut.
        self.budget.bytes(self.offset, len.saturating_add(2), &self.limits)?;
        if form == Form::Chunk {
            return Ok(());
        }
        self.budget.value(&self.limits)?;
        self.stack.admit(&self.limits)
    }

    fn aggregate(&mut self, buf: &mut BytesMut, aggregate: Aggregate) -> Outcome {
        let parsed = number::length(&buf[1..]);
        let Some(length) = self.parsed(buf, parsed, DecodeErrorKind::InvalidLength)? else { return Ok(None) };
        match (length, aggregate) {
            (Length::Known(count), _) => Ok(Some(Step::Open(aggregate, Extent::Counted(count)))),
            (Length::Null, Aggregate::Sequence(Sequence::Array)) => Ok(Some(Step::Value(Reply::Nil))),
            // The specification streams neither pushes nor attributes.
            (
                Length::Streamed,
                Aggregate::Sequence(Sequence::Array | Sequence::Set) | Aggregate::Mapping(Mapping::Map),
            ) => Ok(Some(Step::Open(aggregate, Extent::Streamed))),
            (Length::Null | Length::Streamed, _) => Err(DecodeErrorKind::InvalidLength),
        }
    }
}
