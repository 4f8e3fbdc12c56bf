//! A reply that does not become the type that was asked for.

use std::fmt;

use super::text::shown;

/// A reply that is not of the type that was asked for.
///
/// # Examples
/// ```
/// use truename::error::TypeError;
/// use truename::{FromReply, Reply};
///
/// /// A number from 1 to 5.
/// struct Stars(u8);
///
/// impl FromReply for Stars {
///     fn from_reply(reply: Reply) -> Result<Self, TypeError> {
///         let kind = reply.kind();
///         match u8::from_reply(reply)? {
///             stars @ 1..=5 => Ok(Self(stars)),
///             other => Err(TypeError::new("one to five stars", kind).with_detail(other.to_string())),
///         }
///     }
/// }
///
/// assert!(Stars::from_reply(Reply::Integer(4)).is_ok_and(|stars| stars.0 == 4));
/// let error = Stars::from_reply(Reply::Integer(9)).map(|stars| stars.0).expect_err("too many");
/// assert_eq!(error.to_string(), "expected one to five stars, got integer: 9");
/// ```
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
    /// A reply of type `got` where `wanted` was asked for. See the [example](TypeError#examples).
    pub fn new(wanted: &'static str, got: &'static str) -> Self {
        Self { wanted, got, detail: None }
    }

    /// Adds what exactly is wrong. See the [example](TypeError#examples).
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.wanted, self.got)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {}", shown(detail))?;
        } else if self.got == "nil" {
            f.write_str("; an Option accepts nil, too")?;
        }
        Ok(())
    }
}

impl std::error::Error for TypeError {}
