//! Waking callers, once no lock is held.

use std::task::Waker;

use crate::panics;

/// Callers to be woken once the lock is released. No later than when the driver is dropped: they have got something
/// already, and nothing else would wake them.
#[derive(Debug, Default)]
pub(super) struct Wake(pub(super) Vec<Waker>);

impl Wake {
    #[inline]
    pub(super) fn all(&mut self) {
        if !self.0.is_empty() {
            panics::wake_all(self.0.drain(..));
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.all();
    }
}
