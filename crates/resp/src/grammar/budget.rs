//! What the frame that is being decoded has used of its budget.
//!
//! Counted across all nesting as the parts arrive: limits of one aggregate are multiplied by nesting, these are not.

use crate::{DecodeErrorKind, Limits};

/// What one frame has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    /// Where in the stream the frame began.
    start: u64,
    /// Values and aggregates so far.
    values: usize,
}

impl Budget {
    /// A frame begins here.
    #[inline]
    pub(crate) fn begin(&mut self, offset: u64) {
        *self = Self { start: offset, values: 0 };
    }

    /// One more value, which ends at `offset`.
    #[inline]
    pub(crate) fn spend(&mut self, offset: u64, limits: &Limits) -> Result<(), DecodeErrorKind> {
        self.bytes(offset, 0, limits)?;
        self.value(limits)?;
        self.values += 1;
        Ok(())
    }

    /// Whether one more value may follow.
    #[inline]
    pub(crate) fn value(&self, limits: &Limits) -> Result<(), DecodeErrorKind> {
        let limit = limits.values;
        if self.values >= limit { Err(DecodeErrorKind::TooManyValues { limit }) } else { Ok(()) }
    }

    /// Whether `len` more bytes may follow `offset`.
    #[inline]
    pub(crate) fn bytes(&self, offset: u64, len: usize, limits: &Limits) -> Result<(), DecodeErrorKind> {
        let limit = limits.bytes;
        let used = (offset - self.start).saturating_add(len as u64);
        if used > limit as u64 { Err(DecodeErrorKind::TooManyBytes { limit }) } else { Ok(()) }
    }
}
