//! From a type byte to what it begins: a value, a payload, or an aggregate.
//!
//! Nothing is taken from the bytes here, and no value is built that needs memory.

use super::aggregate::{Aggregate, Extent, Mapping, Sequence};
use super::line::Line;
use super::number::{self, Length, Parsed};
use super::payload::{Form, Payload};
use crate::DecodeErrorKind;

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    /// A null of either version.
    Nil,
    Integer(i64),
    Boolean(bool),
    Double(f64),
    /// The value is the line itself, without its type byte and line end.
    Text(Text),
    /// A payload follows.
    Payload(Payload),
    /// The chunks of a streamed string follow.
    Chunks,
    /// The streamed string is complete.
    LastChunk,
    /// An aggregate begins, which has this many values or pairs.
    Open(Aggregate, Extent),
    /// A streamed aggregate ends.
    End,
}

/// What the text of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Simple,
    Error,
    BigNumber,
}

/// What a header says, and its length with the line end; `None` while it is incomplete.
type Outcome = Result<Option<(Header, usize)>, DecodeErrorKind>;

/// Reads the header at the start of `front`, whose line `line` has searched before.
///
/// Inside of a streamed string there are chunks and nothing else. `line_len` is the longest line.
#[inline]
pub(crate) fn read(front: &[u8], inside_string: bool, line: &mut Line, line_len: usize) -> Outcome {
    let Some((&kind, rest)) = front.split_first() else { return Ok(None) };
    if inside_string && kind != b';' {
        return Err(DecodeErrorKind::MissingChunk);
    }
    match kind {
        b'+' => text(rest, line, line_len, |_| Ok(Header::Text(Text::Simple))),
        b':' => whole(number::integer(rest), DecodeErrorKind::InvalidInteger, Header::Integer),
        b'$' => string(rest, Form::Bulk),
        b'-' => text(rest, line, line_len, |_| Ok(Header::Text(Text::Error))),
        b'*' => aggregate(rest, Aggregate::Sequence(Sequence::Array)),
        b';' if inside_string => string(rest, Form::Chunk),
        _ => of_resp3(kind, rest, line, line_len),
    }
}

/// The types that RESP3 added.
#[inline]
fn of_resp3(kind: u8, rest: &[u8], line: &mut Line, line_len: usize) -> Outcome {
    match kind {
        b'_' => whole(number::literal(rest, b"\r\n", ()), DecodeErrorKind::InvalidNull, |()| Header::Nil),
        b'#' => {
            let truth = rest.first() == Some(&b't');
            let expected = if truth { b"t\r\n" } else { b"f\r\n" };
            whole(number::literal(rest, expected, truth), DecodeErrorKind::InvalidBoolean, Header::Boolean)
        }
        b',' => text(rest, line, line_len, |text| {
            number::double(text).map(Header::Double).ok_or(DecodeErrorKind::InvalidDouble)
        }),
        b'(' => text(rest, line, line_len, |text| match number::is_big_number(text) {
            true => Ok(Header::Text(Text::BigNumber)),
            false => Err(DecodeErrorKind::InvalidBigNumber),
        }),
        b'=' => string(rest, Form::Verbatim),
        b'!' => string(rest, Form::Error),
        b'~' => aggregate(rest, Aggregate::Sequence(Sequence::Set)),
        b'%' => aggregate(rest, Aggregate::Mapping(Mapping::Map)),
        b'|' => aggregate(rest, Aggregate::Mapping(Mapping::Attribute)),
        b'>' => aggregate(rest, Aggregate::Sequence(Sequence::Push)),
        b';' => Err(DecodeErrorKind::UnexpectedChunk),
        b'.' => whole(number::literal(rest, b"\r\n", ()), DecodeErrorKind::UnexpectedEnd, |()| Header::End),
        _ => Err(DecodeErrorKind::UnknownType(kind)),
    }
}

/// A header of which nothing but what was parsed follows the type byte.
#[inline]
fn whole<T>(parsed: Parsed<T>, malformed: DecodeErrorKind, header: impl FnOnce(T) -> Header) -> Outcome {
    match parsed {
        Ok(Some((value, len))) => Ok(Some((header(value), 1 + len))),
        Ok(None) => Ok(None),
        Err(number::Malformed) => Err(malformed),
    }
}

/// A header that goes on to the end of the line.
#[inline]
fn text(
    rest: &[u8],
    line: &mut Line,
    line_len: usize,
    header: impl FnOnce(&[u8]) -> Result<Header, DecodeErrorKind>,
) -> Outcome {
    let Some(len) = line.find(rest, line_len)? else { return Ok(None) };
    Ok(Some((header(&rest[..len])?, 1 + len + 2)))
}

/// The header of a payload.
#[inline]
fn string(rest: &[u8], form: Form) -> Outcome {
    let Some((length, len)) = length(rest)? else { return Ok(None) };
    let header = match (length, form) {
        (Length::Known(0), Form::Chunk) => Header::LastChunk,
        (Length::Known(len), _) => Header::Payload(Payload { form, len }),
        (Length::Null, Form::Bulk) => Header::Nil,
        (Length::Streamed, Form::Bulk) => Header::Chunks,
        (Length::Null | Length::Streamed, _) => return Err(DecodeErrorKind::InvalidLength),
    };
    Ok(Some((header, 1 + len)))
}

fn aggregate(rest: &[u8], aggregate: Aggregate) -> Outcome {
    let Some((length, len)) = length(rest)? else { return Ok(None) };
    let header = match (length, aggregate) {
        (Length::Known(count), _) => Header::Open(aggregate, Extent::Counted(count)),
        (Length::Null, Aggregate::Sequence(Sequence::Array)) => Header::Nil,
        // The specification streams neither pushes nor attributes.
        (
            Length::Streamed,
            Aggregate::Sequence(Sequence::Array | Sequence::Set) | Aggregate::Mapping(Mapping::Map),
        ) => Header::Open(aggregate, Extent::Streamed),
        (Length::Null | Length::Streamed, _) => return Err(DecodeErrorKind::InvalidLength),
    };
    Ok(Some((header, 1 + len)))
}

#[inline]
fn length(rest: &[u8]) -> Result<Option<(Length, usize)>, DecodeErrorKind> {
    number::length(rest).map_err(|number::Malformed| DecodeErrorKind::InvalidLength)
}
