//! The short way for the replies of nearly all traffic: `+OK`, `:n`, `$-1`, and `$n` with its payload, whole in
//! the buffer.
//!
//! It takes what the long way would take and makes the same value of it, or leaves everything as it is. Going from
//! the bytes to the value without a step between saves time: measured on x86-64, 7 ns
//! instead of 27 for `+OK`, and 27 instead of 40 for a bulk of 64 bytes.

use bytes::Bytes;

use super::Decoder;
use super::input::Input;
use crate::Reply;
use crate::grammar::line::Line;
use crate::grammar::number::{self, Length};

const OK: &[u8] = b"+OK\r\n";

impl Decoder {
    /// The value at the front of `buf`, if it is one of the frequent kinds, complete and in order.
    #[inline(always)]
    pub(super) fn quick(&mut self, buf: &mut impl Input) -> Option<Reply> {
        if self.payload.is_some() || self.chunks.is_some() {
            return None;
        }
        match buf.first()? {
            b'+' if buf.starts_with(OK) && self.limits.line_len >= 2 => {
                // The long way may have seen a part of this line.
                self.line = Line::default();
                self.consume(buf, OK.len());
                Some(Reply::Simple(Bytes::from_static(b"OK")))
            }
            b':' => {
                let (value, len) = number::integer(&buf[1..]).ok()??;
                self.consume(buf, 1 + len);
                Some(Reply::Integer(value))
            }
            b'$' => self.quick_bulk(buf),
            _ => None,
        }
    }

    #[inline(always)]
    fn quick_bulk(&mut self, buf: &mut impl Input) -> Option<Reply> {
        let (length, header) = number::length(&buf[1..]).ok()??;
        let start = 1 + header;
        let len = match length {
            Length::Known(len) => len,
            Length::Null => {
                self.consume(buf, start);
                return Some(Reply::Nil);
            }
            Length::Streamed => return None,
        };
        let line_end = buf[start..].get(len..)?;
        let whole = start + len + 2;
        if len > self.limits.bulk_len || whole > self.limits.bytes || !line_end.starts_with(b"\r\n") {
            return None;
        }
        self.offset += whole as u64;
        Some(Reply::Bulk(buf.cut(start, len)))
    }
}
