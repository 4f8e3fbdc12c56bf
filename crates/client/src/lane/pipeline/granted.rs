//! How much room is held for callers.

use crate::lane::received::Unit;

/// Room that is held for callers who were woken and have not encoded yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Granted {
    pub(super) callers: usize,
    /// The commands that they will encode: a caller's unit can be many.
    pub(super) commands: usize,
}

impl Granted {
    pub(super) fn add(&mut self, unit: Unit) {
        self.callers += 1;
        self.commands += unit.collected as usize;
    }

    pub(super) fn remove(&mut self, unit: Unit) {
        self.callers -= 1;
        self.commands -= unit.collected as usize;
    }
}
