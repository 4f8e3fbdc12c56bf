//! A configuration that cannot work, and what to write instead.

use std::fmt;

use super::remedy::{Remedy, Spelling, Tell, as_calls, tell_remedy};
use super::text::shown;

/// A configuration that cannot work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConfigError {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: Option<Remedy>,
}

impl Tell for ConfigError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(f, "bad configuration: {}", shown(&self.what))?;
        tell_remedy(f, self.remedy.as_ref(), spelling)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}
