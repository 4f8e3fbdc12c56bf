//! A batch may be large: other tasks of its thread have their turns meanwhile.

/// How many members are looked at before that.
const LOOKED_AT_ONCE: usize = 4096;

/// Whether other tasks are to run before the next member is looked at.
#[inline]
pub(in crate::router) fn is_others_turn(count: usize) -> bool {
    count % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1
}
