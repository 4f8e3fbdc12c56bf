//! The types that hold other values, and how many of them.

use crate::{DecodeErrorKind, Limits};

/// The types that hold other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Sequence(Sequence),
    Mapping(Mapping),
}

/// Values in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    Array,
    Set,
    Push,
}

/// Keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    Map,
    /// The value that the attributes describe comes last and belongs to it.
    Attribute,
}

/// How an aggregate ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// After this many.
    Counted(usize),
    /// With a `.`.
    Streamed,
}

impl Aggregate {
    /// The extent in values, where the header of a mapping announces pairs.
    pub(crate) fn in_values(self, announced: Extent, limits: &Limits) -> Result<Extent, DecodeErrorKind> {
        let Extent::Counted(count) = announced else { return Ok(Extent::Streamed) };
        Ok(Extent::Counted(match self {
            Self::Sequence(_) => within(Some(count), limits)?,
            Self::Mapping(Mapping::Map) => within(count.checked_mul(2), limits)?,
            // The described value, which does not count; an even number has a successor.
            Self::Mapping(Mapping::Attribute) => within(count.checked_mul(2), limits)? + 1,
        }))
    }
}

/// This many values, if one aggregate may hold them. `None` is more than can be counted.
#[inline]
pub(crate) fn within(values: Option<usize>, limits: &Limits) -> Result<usize, DecodeErrorKind> {
    match values {
        Some(values) if values <= limits.elements => Ok(values),
        _ => Err(DecodeErrorKind::TooManyElements { limit: limits.elements }),
    }
}
