//! A text that names settings, in the spelling of whoever prints it.

use std::fmt;

use super::setting::Spelling;

/// What may name a setting in its text.
pub(in crate::error) trait Tell {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result;
}

/// The text in somebody's spelling.
pub(in crate::error) struct Told<'a, T> {
    pub(in crate::error) what: &'a T,
    pub(in crate::error) spelling: Spelling,
}

impl<T: Tell> fmt::Display for Told<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.tell(f, self.spelling)
    }
}
