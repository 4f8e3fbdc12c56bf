//! What has to be remembered of the values of an open aggregate: next to nothing.

use crate::DecodeErrorKind;
use crate::grammar::aggregate::{Aggregate, Extent, Mapping, Sequence};
use crate::grammar::partial::{Parts, Whole};

/// What a value is, as far as a rule asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Text, which can be the kind of a push.
    Text,
    Other,
}

/// An aggregate, and the one of its values that matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    aggregate: Aggregate,
    /// The first value of a push, the last one of anything else.
    sort: Option<Sort>,
}

impl Parts for Count {
    type Value = Sort;
    type Frame = ();

    fn open(aggregate: Aggregate, _: Extent, _: usize) -> Self {
        Self { aggregate, sort: None }
    }

    #[inline]
    fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    #[inline]
    fn add(&mut self, value: Sort, _: Extent) {
        if self.sort.is_none() || self.aggregate != Aggregate::Sequence(Sequence::Push) {
            self.sort = Some(value);
        }
    }

    #[inline]
    fn finish(&mut self) -> Result<Whole<Self>, DecodeErrorKind> {
        match (self.aggregate, self.sort) {
            (Aggregate::Sequence(Sequence::Push), Some(Sort::Text)) => Ok(Whole::Frame(())),
            (Aggregate::Sequence(Sequence::Push), _) => Err(DecodeErrorKind::InvalidPush),
            // What they describe comes last, and is what the whole is.
            (Aggregate::Mapping(Mapping::Attribute), Some(described)) => Ok(Whole::Value(described)),
            _ => Ok(Whole::Value(Sort::Other)),
        }
    }

    #[inline]
    fn frame(_: Sort) {}
}
