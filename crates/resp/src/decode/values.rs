//! The values of an aggregate that is still open.
//!
//! Elements that arrived stay where they are until it is complete. Room is made for elements that can be in the buffer
//! already, never for the announced number.

use std::mem;

use bytes::Bytes;

use crate::grammar::aggregate::{Aggregate, Extent, Mapping, Sequence};
use crate::grammar::partial::{Parts, Whole};
use crate::{Attributed, DecodeErrorKind, Frame, Push, Reply};

/// The least a value takes on the wire: `_`, CR, LF.
const VALUE_BYTES: usize = 3;

/// The most values to make room for at once. Deeply nested headers could otherwise claim a full buffer's worth each.
const RESERVE: usize = 1024;

/// The values so far.
#[derive(Debug)]
pub(super) enum Values {
    Sequence {
        kind: Sequence,
        items: Vec<Reply>,
    },
    Mapping {
        kind: Mapping,
        pairs: Vec<(Reply, Reply)>,
        /// The key that waits for its value. At the end of attributes, what they describe.
        key: Option<Reply>,
    },
}

impl Values {
    /// Room held for values, in values.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Sequence { items, .. } => items.capacity(),
            Self::Mapping { pairs, .. } => 2 * pairs.capacity(),
        }
    }
}

impl Parts for Values {
    type Value = Reply;
    type Frame = Frame;

    fn open(aggregate: Aggregate, extent: Extent, buffered: usize) -> Self {
        let room = (buffered / VALUE_BYTES).min(RESERVE).min(announced(extent));
        match aggregate {
            Aggregate::Sequence(kind) => Self::Sequence { kind, items: Vec::with_capacity(room) },
            Aggregate::Mapping(kind) => {
                Self::Mapping { kind, pairs: Vec::with_capacity(room / 2), key: None }
            }
        }
    }

    #[inline]
    fn aggregate(&self) -> Aggregate {
        match self {
            Self::Sequence { kind, .. } => Aggregate::Sequence(*kind),
            Self::Mapping { kind, .. } => Aggregate::Mapping(*kind),
        }
    }

    #[inline]
    fn add(&mut self, value: Reply, extent: Extent) {
        match self {
            Self::Sequence { items, .. } => {
                make_room(items, announced(extent));
                items.push(value);
            }
            Self::Mapping { pairs, key, .. } => match key.take() {
                None => *key = Some(value),
                Some(key) => {
                    make_room(pairs, announced(extent) / 2);
                    pairs.push((key, value));
                }
            },
        }
    }

    #[inline]
    fn finish(&mut self) -> Result<Whole<Self>, DecodeErrorKind> {
        let reply = match self {
            Self::Sequence { kind, items } => match (*kind, mem::take(items)) {
                (Sequence::Array, items) => Reply::Array(items),
                (Sequence::Set, items) => Reply::Set(items),
                (Sequence::Push, items) => return Ok(Whole::Frame(Frame::Push(push(items)?))),
            },
            Self::Mapping { kind: Mapping::Map, pairs, .. } => Reply::Map(mem::take(pairs)),
            Self::Mapping { kind: Mapping::Attribute, pairs, key } => {
                let reply = key.take().ok_or(DecodeErrorKind::UnexpectedEnd)?;
                Reply::Attributed(Box::new(Attributed { attributes: mem::take(pairs), reply }))
            }
        };
        Ok(Whole::Value(reply))
    }

    #[inline]
    fn frame(value: Reply) -> Frame {
        Frame::Reply(value)
    }
}

/// How many values will come for certain.
fn announced(extent: Extent) -> usize {
    match extent {
        Extent::Counted(values) => values,
        Extent::Streamed => 0,
    }
}

/// A vector that grows from nothing makes room for four at once; many small aggregates would take several times their size.
fn make_room<T>(held: &mut Vec<T>, announced: usize) {
    if let (0, 1..4) = (held.capacity(), announced) {
        held.reserve_exact(announced);
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
