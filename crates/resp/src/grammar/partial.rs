//! The frame that is being read: its aggregates that are still open, outermost first, and what it has used of its budget.
//!
//! All rules are here about what may stand where, and how much of it. What becomes of values is up to [`Parts`].
//!
//! What must stay true: a value goes to the innermost aggregate; when that makes it complete, it becomes a value for the
//! next. Nothing is looked at twice. A push is the outermost one, so with it the frame is complete.

use super::aggregate::{Aggregate, Extent, Mapping, Sequence, within};
use super::budget::Budget;
use super::payload::{Form, Payload};
use crate::{DecodeErrorKind, Limits};

const PUSH: Aggregate = Aggregate::Sequence(Sequence::Push);

/// What a header or a payload amounts to.
#[derive(Debug)]
pub(crate) enum Step<V> {
    /// A value is complete.
    Value(V),
    /// A payload follows, or another chunk.
    More,
    /// An aggregate begins.
    Open(Aggregate, Extent),
    /// A streamed aggregate ends.
    End,
}

/// The values of one open aggregate, or what is remembered of them.
pub(crate) trait Parts: Sized {
    /// A value, as far as it matters.
    type Value;
    /// A whole frame, likewise.
    type Frame;

    /// An aggregate of this extent in values, of which at most `buffered` bytes have arrived.
    fn open(aggregate: Aggregate, extent: Extent, buffered: usize) -> Self;

    fn aggregate(&self) -> Aggregate;

    /// The next value of an aggregate of this extent.
    fn add(&mut self, value: Self::Value, extent: Extent);

    /// The whole, after the last value.
    fn finish(&mut self) -> Result<Whole<Self>, DecodeErrorKind>;

    /// The frame that a value at the top level is.
    fn frame(value: Self::Value) -> Self::Frame;
}

/// What a complete aggregate is.
#[derive(Debug)]
pub(crate) enum Whole<P: Parts> {
    /// A value, which may be part of another.
    Value(P::Value),
    /// A push.
    Frame(P::Frame),
}

/// The frame that is being read.
#[derive(Debug)]
pub(crate) struct Partial<P> {
    levels: Vec<Level<P>>,
    budget: Budget,
}

impl<P: Parts> Partial<P> {
    /// No frame yet.
    pub(crate) fn new() -> Self {
        Self { levels: Vec::new(), budget: Budget::default() }
    }

    /// A frame begins here.
    #[inline]
    pub(crate) fn begin(&mut self, offset: u64) {
        self.budget.begin(offset);
    }

    /// Whether the next value stands at the top level.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Whether what is open is a push.
    pub(crate) fn is_push(&self) -> bool {
        self.levels.first().is_some_and(|level| level.parts.aggregate() == PUSH)
    }

    /// Drops every partial value and its memory.
    pub(crate) fn clear(&mut self) {
        self.levels = Vec::new();
    }

    /// Puts a step that ends at `offset` in its place; `buffered` bytes have arrived after it. There is a frame when it
    /// was the last one missing.
    #[inline]
    pub(crate) fn settle(
        &mut self,
        step: Step<P::Value>,
        offset: u64,
        buffered: usize,
        limits: &Limits,
    ) -> Result<Option<P::Frame>, DecodeErrorKind> {
        match step {
            Step::Value(value) => self.accept(value, offset, limits),
            Step::More => Ok(None),
            Step::Open(aggregate, announced) => {
                self.budget.spend(offset, limits)?;
                self.open(aggregate, announced, buffered, limits)
            }
            Step::End => self.end(limits),
        }
    }

    /// Puts a value that ends at `offset` where it belongs.
    #[inline]
    pub(crate) fn accept(
        &mut self,
        value: P::Value,
        offset: u64,
        limits: &Limits,
    ) -> Result<Option<P::Frame>, DecodeErrorKind> {
        self.budget.spend(offset, limits)?;
        self.put(value, limits)
    }

    /// Whether this payload may follow at `offset`, in a string that has `before` bytes already.
    ///
    /// Refused here and not after the payload, so that it is not waited for in vain, however the bytes are cut.
    #[inline]
    pub(crate) fn admit(
        &self,
        payload: Payload,
        before: usize,
        offset: u64,
        limits: &Limits,
    ) -> Result<(), DecodeErrorKind> {
        let limit = limits.bulk_len;
        if payload.len > limit.saturating_sub(before) {
            return Err(DecodeErrorKind::BulkTooLong { limit });
        }
        self.budget.bytes(offset, payload.len.saturating_add(2), limits)?;
        if payload.form == Form::Chunk {
            return Ok(());
        }
        self.budget.value(limits)?;
        self.levels.last().map_or(Ok(()), |level| level.admit(limits))
    }

    /// Opens an aggregate. One without values is complete at once, and may complete those around it.
    fn open(
        &mut self,
        aggregate: Aggregate,
        announced: Extent,
        buffered: usize,
        limits: &Limits,
    ) -> Result<Option<P::Frame>, DecodeErrorKind> {
        if aggregate == PUSH && !self.is_empty() {
            return Err(DecodeErrorKind::NestedPush);
        }
        if self.levels.len() >= limits.depth {
            return Err(DecodeErrorKind::TooDeep { limit: limits.depth });
        }
        let extent = aggregate.in_values(announced, limits)?;
        // What arrived may belong to any level, so deeper ones make room for less of it.
        let share = buffered / (self.levels.len() + 1);
        self.levels.push(Level { parts: P::open(aggregate, extent, share), extent, values: 0 });
        if extent == Extent::Counted(0) { self.close(limits) } else { Ok(None) }
    }

    #[inline(always)]
    fn put(&mut self, value: P::Value, limits: &Limits) -> Result<Option<P::Frame>, DecodeErrorKind> {
        let mut value = value;
        while let Some(level) = self.levels.last_mut() {
            if !level.add(value, limits)? {
                return Ok(None);
            }
            let whole = level.parts.finish()?;
            self.levels.pop();
            match whole {
                Whole::Value(outer) => value = outer,
                Whole::Frame(frame) => return Ok(Some(frame)),
            }
        }
        Ok(Some(P::frame(value)))
    }

    /// Ends the innermost aggregate, which must be a streamed one with no key that lacks its value.
    fn end(&mut self, limits: &Limits) -> Result<Option<P::Frame>, DecodeErrorKind> {
        match self.levels.last() {
            Some(level) if level.may_end() => self.close(limits),
            _ => Err(DecodeErrorKind::UnexpectedEnd),
        }
    }

    fn close(&mut self, limits: &Limits) -> Result<Option<P::Frame>, DecodeErrorKind> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        let whole = level.parts.finish()?;
        self.levels.pop();
        match whole {
            Whole::Value(value) => self.put(value, limits),
            Whole::Frame(frame) => Ok(Some(frame)),
        }
    }

    /// The open aggregates, to see what they hold.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> impl Iterator<Item = &P> {
        self.levels.iter().map(|level| &level.parts)
    }
}

/// One open aggregate.
#[derive(Debug)]
struct Level<P> {
    parts: P,
    /// In values.
    extent: Extent,
    /// Values so far.
    values: usize,
}

impl<P: Parts> Level<P> {
    /// Whether another value is within the limits. One that a key waits for is, since it was counted with the key; and
    /// what attributes describe is none of theirs.
    #[inline]
    fn admit(&self, limits: &Limits) -> Result<(), DecodeErrorKind> {
        let values = match self.parts.aggregate() {
            Aggregate::Sequence(_) => self.values + 1,
            Aggregate::Mapping(_) if self.lacks_a_value() => return Ok(()),
            Aggregate::Mapping(Mapping::Attribute) if self.extent == Extent::Counted(self.values + 1) => {
                return Ok(());
            }
            Aggregate::Mapping(_) => self.values + 2,
        };
        within(Some(values), limits)?;
        Ok(())
    }

    /// Adds a value. True if that was the last one.
    fn add(&mut self, value: P::Value, limits: &Limits) -> Result<bool, DecodeErrorKind> {
        self.admit(limits)?;
        self.parts.add(value, self.extent);
        self.values += 1;
        Ok(self.extent == Extent::Counted(self.values))
    }

    /// Whether a `.` may follow.
    fn may_end(&self) -> bool {
        let is_sequence = matches!(self.parts.aggregate(), Aggregate::Sequence(_));
        self.extent == Extent::Streamed && (is_sequence || !self.lacks_a_value())
    }

    /// Whether the last value of a mapping is a key.
    fn lacks_a_value(&self) -> bool {
        self.values % 2 == 1
    }
}
