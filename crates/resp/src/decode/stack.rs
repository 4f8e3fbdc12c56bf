//! Aggregates that are still open, outermost first.
//!
//! A value goes to the innermost one; when that makes it complete, it becomes a value for the next. Elements that
//! arrived stay where they are until then, so nothing is decoded twice. Room is made for elements that can be in the
//! buffer already, never for the announced number.

use std::mem;

use bytes::Bytes;

use crate::{Attributed, DecodeErrorKind, Frame, Limits, Push, Reply};

/// The least a value takes on the wire: `_`, CR, LF.
const VALUE_BYTES: usize = 3;

/// The most values to make room for at once. Deeply nested headers could otherwise claim a full buffer's worth each.
const RESERVE: usize = 1024;

/// The types that hold other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sequence(Sequence),
    Mapping(Mapping),
}

/// Values in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    Array,
    Set,
    Push,
}

/// Keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapping {
    Map,
    Attribute,
}

/// How an aggregate ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// After this many values, or pairs.
    Counted(usize),
    /// With a `.`.
    Streamed,
}

/// The open aggregates.
#[derive(Debug, Default)]
pub(super) struct Stack {
    levels: Vec<Level>,
}

impl Stack {
    /// Whether the next value stands at the top level.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Whether what is open is a push.
    pub(super) fn is_push(&self) -> bool {
        matches!(self.levels.first(), Some(Level::Sequence { kind: Sequence::Push, .. }))
    }

    /// Drops every partial value and its memory.
    pub(super) fn clear(&mut self) {
        self.levels = Vec::new();
    }

    /// Opens an aggregate, of whose values at most `buffered` bytes have arrived.
    ///
    /// One without values is complete at once, and may complete those around it: then there is a frame.
    pub(super) fn open(
        &mut self,
        aggregate: Aggregate,
        extent: Extent,
        buffered: usize,
        limits: &Limits,
    ) -> Result<Option<Frame>, DecodeErrorKind> {
        if aggregate == Aggregate::Sequence(Sequence::Push) && !self.is_empty() {
            return Err(DecodeErrorKind::NestedPush);
        }
        if self.levels.len() >= limits.depth {
            return Err(DecodeErrorKind::TooDeep { limit: limits.depth });
        }
        // What arrived may belong to any level, so deeper ones make room for less of it.
        let share = buffered / (self.levels.len() + 1);
        self.levels.push(Level::new(aggregate, extent, share, limits)?);
        if extent == Extent::Counted(0) { self.close(limits) } else { Ok(None) }
    }

    /// Whether the limits leave room for a value that is still to come.
    #[inline]
    pub(super) fn admit(&self, limits: &Limits) -> Result<(), DecodeErrorKind> {
        self.levels.last().map_or(Ok(()), |level| level.admit(limits))
    }

    /// Puts a value where it belongs. There is a frame when it stands at the top level, or was the last one missing.
    pub(super) fn accept(&mut self, value: Reply, limits: &Limits) -> Result<Option<Frame>, DecodeErrorKind> {
        let mut value = value;
        while let Some(level) = self.levels.last_mut() {
            let Some(complete) = level.add(value, limits)? else { return Ok(None) };
            self.levels.pop();
            match complete {
                Frame::Reply(reply) => value = reply,
                Frame::Push(_) => return Ok(Some(complete)),
            }
        }
        Ok(Some(Frame::Reply(value)))
    }

    /// Ends the innermost aggregate, which must be a streamed one with no key that lacks its value.
    pub(super) fn end(&mut self, limits: &Limits) -> Result<Option<Frame>, DecodeErrorKind> {
        match self.levels.last() {
            Some(
                Level::Sequence { extent: Extent::Streamed, .. }
                | Level::Mapping { extent: Extent::Streamed, key: None, .. },
            ) => self.close(limits),
            _ => Err(DecodeErrorKind::UnexpectedEnd),
        }
    }

    fn close(&mut self, limits: &Limits) -> Result<Option<Frame>, DecodeErrorKind> {
        let complete = match self.levels.last_mut() {
            Some(level) => level.finish()?,
            None => None,
        };
        let Some(complete) = complete else { return Ok(None) };
        self.levels.pop();
        match complete {
            Frame::Reply(reply) => self.accept(reply, limits),
            Frame::Push(_) => Ok(Some(complete)),
        }
    }

    /// Room held for values of open aggregates, in values.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        let of_level = |level: &Level| match level {
            Level::Sequence { items, .. } => items.capacity(),
            Level::Mapping { pairs, .. } | Level::Described { attributes: pairs } => 2 * pairs.capacity(),
        };
        self.levels.iter().map(of_level).sum()
    }
}

/// One open aggregate.
#[derive(Debug)]
enum Level {
    Sequence {
        kind: Sequence,
        items: Vec<Reply>,
        extent: Extent,
    },
    Mapping {
        kind: Mapping,
        pairs: Vec<(Reply, Reply)>,
        key: Option<Reply>,
        extent: Extent,
    },
    /// Attributes that are complete and wait for the value they describe.
    Described {
        attributes: Vec<(Reply, Reply)>,
    },
}

impl Level {
    fn new(
        aggregate: Aggregate,
        extent: Extent,
        buffered: usize,
        limits: &Limits,
    ) -> Result<Self, DecodeErrorKind> {
        let count = match extent {
            Extent::Counted(count) => count,
            Extent::Streamed => 0,
        };
        let room = (buffered / VALUE_BYTES).min(RESERVE);
        match aggregate {
            Aggregate::Sequence(kind) => {
                within(Some(count), limits)?;
                Ok(Self::Sequence { kind, items: Vec::with_capacity(count.min(room)), extent })
            }
            Aggregate::Mapping(kind) => {
                within(count.checked_mul(2), limits)?;
                Ok(Self::Mapping { kind, pairs: Vec::with_capacity(count.min(room / 2)), key: None, extent })
            }
        }
    }

    /// Whether another value is within the limits. One that a key waits for is, since it was counted with the key.
    #[inline]
    fn admit(&self, limits: &Limits) -> Result<(), DecodeErrorKind> {
        match self {
            Self::Sequence { items, .. } => within(Some(items.len() + 1), limits),
            Self::Mapping { pairs, key: None, .. } => within(Some(2 * pairs.len() + 2), limits),
            Self::Mapping { key: Some(_), .. } | Self::Described { .. } => Ok(()),
        }
    }

    /// Adds a value, and returns the whole if that was the last one.
    fn add(&mut self, value: Reply, limits: &Limits) -> Result<Option<Frame>, DecodeErrorKind> {
        self.admit(limits)?;
        let full = match self {
            Self::Sequence { items, extent, .. } => {
                make_room(items, *extent);
                items.push(value);
                *extent == Extent::Counted(items.len())
            }
            Self::Mapping { pairs, key, extent, .. } => match key.take() {
                None => {
                    *key = Some(value);
                    false
                }
                Some(key) => {
                    make_room(pairs, *extent);
                    pairs.push((key, value));
                    *extent == Extent::Counted(pairs.len())
                }
            },
            Self::Described { attributes } => {
                let attributes = mem::take(attributes);
                return Ok(Some(Frame::Reply(Reply::Attributed(Box::new(Attributed {
                    attributes,
                    reply: value,
                })))));
            }
        };
        if full { self.finish() } else { Ok(None) }
    }

    /// The whole, or `None` for attributes, whose value is still to come.
    fn finish(&mut self) -> Result<Option<Frame>, DecodeErrorKind> {
        let reply = match self {
            Self::Sequence { kind, items, .. } => match (*kind, mem::take(items)) {
                (Sequence::Array, items) => Reply::Array(items),
                (Sequence::Set, items) => Reply::Set(items),
                (Sequence::Push, items) => return Ok(Some(Frame::Push(push(items)?))),
            },
            Self::Mapping { kind: Mapping::Map, pairs, .. } => Reply::Map(mem::take(pairs)),
            Self::Mapping { kind: Mapping::Attribute, pairs, .. } => {
                *self = Self::Described { attributes: mem::take(pairs) };
                return Ok(None);
            }
            Self::Described { .. } => return Err(DecodeErrorKind::UnexpectedEnd),
        };
        Ok(Some(Frame::Reply(reply)))
    }
}

/// A vector that grows from nothing makes room for four at once; many small aggregates would take several times their size.
fn make_room<T>(items: &mut Vec<T>, extent: Extent) {
    if let (0, Extent::Counted(count @ 1..4)) = (items.capacity(), extent) {
        items.reserve_exact(count);
    }
}

fn within(values: Option<usize>, limits: &Limits) -> Result<(), DecodeErrorKind> {
    match values {
        Some(values) if values <= limits.elements => Ok(()),
        _ => Err(DecodeErrorKind::TooManyElements { limit: limits.elements }),
    }
}

fn push(elements: Vec<Reply>) -> Result<Push, DecodeErrorKind> {
    let mut elements = elements.into_iter();
    let kind: Bytes = match elements.next().map(Reply::without_attributes) {
        Some(Reply::Simple(text) | Reply::Bulk(text)) => text,
        Some(Reply::Verbatim(verbatim)) => verbatim.text,
        _ => return Err(DecodeErrorKind::InvalidPush),
    };
    Ok(Push { kind, items: elements.collect() })
}
