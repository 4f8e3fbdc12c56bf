//! A reply that does not become the type that was asked for.

use std::fmt;

use truename_resp::Untrusted;
use truename_topology::{Endpoint, Slot};

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
    /// More about it, such as the number that is too large.
    pub detail: Option<String>,
    /// Whose reply it is: where a call makes the error, not yet where a value is converted.
    place: Option<Box<Place>>,
    /// Which of the replies that were to become one value it is about, where they were converted one by one.
    index: Option<usize>,
}

/// Whose reply was not of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    command: String,
    node: Option<Endpoint>,
    slot: Option<Slot>,
}

impl TypeError {
    /// A reply of type `got` where `wanted` was asked for. See the [example](TypeError#examples).
    pub fn new(wanted: &'static str, got: &'static str) -> Self {
        Self { wanted, got, detail: None, place: None, index: None }
    }

    /// Adds what exactly is wrong. See the [example](TypeError#examples).
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The name of the command whose reply it is; `None` before a call returns the error, and where the replies to several
    /// commands become one value that is not a tuple or `()`.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::{Error, cmd};
    ///
    /// if let Err(Error::Type(error)) = client.execute::<u8>(cmd("STRLEN").arg("greeting")).await {
    ///     println!("{:?} of slot {:?} at {:?}: {error}", error.command(), error.slot(), error.node());
    /// }
    /// # }
    /// ```
    pub fn command(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.command.as_str())
    }

    /// The node that sent the reply, as the cluster announced it, where it was the first attempt of a single command. See the
    /// [example](Self::command).
    pub fn node(&self) -> Option<&Endpoint> {
        self.place.as_ref()?.node.as_ref()
    }

    /// The slot that decided where the command went, where its arguments say it. See the [example](Self::command).
    pub fn slot(&self) -> Option<Slot> {
        self.place.as_ref()?.slot
    }

    /// Notes which of several replies it is about.
    pub(crate) fn of_reply(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    pub(crate) fn index(&self) -> Option<usize> {
        self.index
    }

    /// Notes whose reply it is.
    pub(crate) fn in_reply_to(&mut self, command: &str, node: Option<Endpoint>, slot: Option<Slot>) {
        self.place = Some(Box::new(Place { command: command.to_owned(), node, slot }));
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.wanted, self.got)?;
        if let Some(place) = &self.place {
            f.write_str(", in the reply")?;
            if let Some(node) = &place.node {
                write!(f, " of {node}")?;
            }
            write!(f, " to {}", Untrusted(&place.command))?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {}", shown(detail))?;
        } else if self.got == "nil" {
            f.write_str("; an Option accepts nil, too")?;
        }
        Ok(())
    }
}

impl std::error::Error for TypeError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// "expected an integer, got nil" did not say of which of a hundred calls.
    #[test]
    fn the_text_says_whose_reply_it_is() {
        let mut error = TypeError::new("an integer", "nil");
        assert_eq!(error.to_string(), "expected an integer, got nil; an Option accepts nil, too");
        error.in_reply_to("GET", Some(Endpoint::new("a", 1)), Some(Slot::of_key(b"k")));
        let text = "expected an integer, got nil, in the reply of a:1 to GET; an Option accepts nil, too";
        assert_eq!(error.to_string(), text);
        let mut error = TypeError::new("an integer (u8)", "integer").with_detail("300");
        error.in_reply_to("STRLEN\u{1b}", None, None);
        assert_eq!(
            error.to_string(),
            "expected an integer (u8), got integer, in the reply to STRLEN\\u{1b}: 300"
        );
    }
}
