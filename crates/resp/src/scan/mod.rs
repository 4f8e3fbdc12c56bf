//! Where a frame ends, found without building its values.
//!
//! - [`count`]: what has to be remembered of an open aggregate
//!
//! What must stay true: the outcome is that of the decoder on the same bytes, error and place included; nothing is
//! scanned twice, however the bytes are cut; and the memory for it is a few words for each open aggregate.

mod count;

use std::mem;

use self::count::{Count, Sort};
use crate::grammar::header::{self, Header, Text};
use crate::grammar::line::Line;
use crate::grammar::number::{self, Length};
use crate::grammar::partial::{Partial, Step};
use crate::grammar::payload::{self, Form, Payload};
use crate::{DecodeError, DecodeErrorKind, Limits};

/// How far a frame has been scanned.
#[derive(Debug)]
pub(crate) struct Scanner {
    limits: Limits,
    /// Bytes scanned since the stream began.
    offset: u64,
    /// Bytes scanned of the frame that is not yet whole.
    scanned: usize,
    /// How far the line after them has been searched for its end.
    line: Line,
    /// The payload after them, when its header has been scanned.
    payload: Option<Payload>,
    /// Bytes in the streamed string that is open.
    chunks: Option<usize>,
    partial: Partial<Count>,
    failure: Option<DecodeError>,
}

/// What was scanned; `None` while it is incomplete.
type Outcome = Result<Option<Step<Sort>>, DecodeErrorKind>;

impl Scanner {
    /// A scanner at the start of a stream.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits: limits.effective(),
            offset: 0,
            scanned: 0,
            line: Line::default(),
            payload: None,
            chunks: None,
            partial: Partial::new(),
            failure: None,
        }
    }

    /// Sets other limits, which apply from the next part of a frame on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits.effective();
    }

    /// The length of the frame that `bytes` begin with; `None` while it is incomplete.
    ///
    /// Until it is found, `bytes` must be the same with more of them at the end; then, what follows the frame.
    #[inline]
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        if self.is_idle()
            && let Some((_, len)) = self.quick(bytes)
        {
            self.offset += len as u64;
            return Ok(Some(len));
        }
        self.resume(bytes)
    }

    #[inline(never)]
    fn resume(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.is_idle() {
            self.partial.begin(self.offset);
        }
        // If there are fewer bytes than there were, more are needed.
        while let Some(front) = bytes.get(self.scanned..) {
            let at = self.offset;
            let outcome = match self.element(front) {
                Some(sort) => self.partial.accept(sort, self.offset, &self.limits),
                None => match self.step(front) {
                    Ok(Some(step)) => self.partial.settle(step, self.offset, 0, &self.limits),
                    Ok(None) => return Ok(None),
                    Err(kind) => Err(kind),
                },
            };
            match outcome {
                Ok(Some(())) => return Ok(Some(mem::take(&mut self.scanned))),
                Ok(None) => {}
                Err(kind) => return Err(self.fail(DecodeError { at, kind })),
            }
        }
        Ok(None)
    }

    /// After [`scan`](Self::scan) returned `Ok(None)` for so many bytes: how many are missing at least before it can get on.
    pub(crate) fn wanted(&self, buffered: usize) -> usize {
        match (self.failure, self.payload) {
            (Some(_), _) => 0,
            (None, Some(payload)) => payload.missing(buffered.saturating_sub(self.scanned)),
            (None, None) => 1,
        }
    }

    /// Whether no part of a frame has been scanned.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.scanned == 0 && self.failure.is_none()
    }

    /// Whether the stream broke the protocol or a limit.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Scans one of the frequent values, if it stands here complete and in order.
    #[inline]
    fn element(&mut self, front: &[u8]) -> Option<Sort> {
        if self.payload.is_some() || self.chunks.is_some() {
            return None;
        }
        let (sort, len) = self.quick(front)?;
        self.advance(len);
        Some(sort)
    }

    /// The short way, as the decoder has one: the length of `+`, `-`, `:` and `$` where it is that of a whole value.
    #[inline]
    fn quick(&mut self, front: &[u8]) -> Option<(Sort, usize)> {
        let (&kind, rest) = front.split_first()?;
        let (sort, len) = match kind {
            b'+' => (Sort::Text, self.line.find(rest, self.limits.line_len).ok()?? + 3),
            b'-' => (Sort::Other, self.line.find(rest, self.limits.line_len).ok()?? + 3),
            b':' => (Sort::Other, number::integer(rest).ok()??.1 + 1),
            b'$' => match number::length(rest).ok()?? {
                (Length::Known(len), header) if len <= self.limits.bulk_len => {
                    let payload = Payload { form: Form::Bulk, len };
                    payload.is_whole(&rest[header..]).ok()?.then_some((Sort::Text, 1 + header + len + 2))?
                }
                (Length::Null, header) => (Sort::Other, 1 + header),
                _ => return None,
            },
            _ => return None,
        };
        (len <= self.limits.bytes).then_some((sort, len))
    }

    #[inline]
    fn step(&mut self, front: &[u8]) -> Outcome {
        match self.payload {
            Some(payload) => self.scan_payload(payload, front),
            None => self.scan_header(front),
        }
    }

    #[inline]
    fn scan_header(&mut self, front: &[u8]) -> Outcome {
        let inside_string = self.chunks.is_some();
        let read = header::read(front, inside_string, &mut self.line, self.limits.line_len)?;
        let Some((header, len)) = read else { return Ok(None) };
        self.advance(len);
        Ok(Some(match header {
            Header::Text(Text::Simple) => Step::Value(Sort::Text),
            Header::Text(Text::Error | Text::BigNumber)
            | Header::Nil
            | Header::Integer(_)
            | Header::Boolean(_)
            | Header::Double(_) => Step::Value(Sort::Other),
            Header::Payload(payload) => {
                self.partial.admit(payload, self.chunks.unwrap_or(0), self.offset, &self.limits)?;
                self.payload = Some(payload);
                Step::More
            }
            Header::Chunks => {
                self.chunks = Some(0);
                Step::More
            }
            Header::LastChunk => {
                self.chunks = None;
                Step::Value(Sort::Text)
            }
            Header::Open(aggregate, extent) => Step::Open(aggregate, extent),
            Header::End => Step::End,
        }))
    }

    #[inline]
    fn scan_payload(&mut self, payload: Payload, front: &[u8]) -> Outcome {
        if !payload.is_whole(front)? {
            return Ok(None);
        }
        self.advance(payload.len + 2);
        self.payload = None;
        Ok(Some(match payload.form {
            Form::Bulk => Step::Value(Sort::Text),
            Form::Error => Step::Value(Sort::Other),
            Form::Verbatim => {
                payload::format(&front[..payload.len])?;
                Step::Value(Sort::Text)
            }
            Form::Chunk => {
                self.chunks = self.chunks.map(|before| before + payload.len);
                Step::More
            }
        }))
    }

    #[inline]
    fn advance(&mut self, len: usize) {
        self.scanned += len;
        self.offset += len as u64;
    }

    /// Nothing that was remembered before the error is useful any more.
    #[cold]
    fn fail(&mut self, failure: DecodeError) -> DecodeError {
        self.failure = Some(failure);
        self.payload = None;
        self.chunks = None;
        self.partial.clear();
        failure
    }
}
