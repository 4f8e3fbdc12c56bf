//! A reply that does not become the type that was asked for.

use std::fmt;

use super::text::shown;

/// A reply that is not of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeError {
    /// What was asked for.
    pub wanted: &'static str,
    /// What the server sent.
    pub got: &'static str,
    /// More about it, such as the text that is not a number.
    pub detail: Option<String>,
}

impl TypeError {
    /// A reply of type `got` where `wanted` was asked for.
    pub fn new(wanted: &'static str, got: &'static str) -> Self {
        Self { wanted, got, detail: None }
    }

    /// Adds what exactly is wrong.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply is {}, which is not {}", self.got, self.wanted)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {}", shown(detail))?;
        } else if self.got == "nil" {
            f.write_str("; an Option accepts nil, too")?;
        }
        Ok(())
    }
}

impl std::error::Error for TypeError {}
