//! The text of an error reply and its parts.
//!
//! By convention the first word of an error is a code in capitals; nothing enforces it, so every part may be empty.

use std::fmt;

use bytes::Bytes;

use crate::Untrusted;

/// Shown in place of text that is not UTF-8.
const NOT_UTF8: &str = "(not UTF-8)";

/// An error reply: `-CODE text`, or the same as a bulk error.
///
/// The accessors give its words as they came; `Display` gives them as [`Untrusted`] text, fit for a terminal or a log.
///
/// # Examples
/// ```
/// let moved = truename_resp::ErrorReply::new("MOVED 3999 127.0.0.1:6381");
/// assert_eq!((moved.code(), moved.detail()), ("MOVED", "3999 127.0.0.1:6381"));
/// assert_eq!(moved.message().as_bytes(), moved.as_bytes());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorReply {
    text: Bytes,
}

impl ErrorReply {
    /// An error with this text: what follows the `-`, without the line end. See the [example](ErrorReply#examples).
    pub fn new(text: impl Into<Bytes>) -> Self {
        Self { text: text.into() }
    }

    /// The first word, for example `ERR` or `MOVED`; empty when it is not UTF-8. See the [example](ErrorReply#examples).
    pub fn code(&self) -> &str {
        std::str::from_utf8(self.split().0).unwrap_or_default()
    }

    /// What follows the first word and one space; `(not UTF-8)` when it is not. See the [example](ErrorReply#examples).
    pub fn detail(&self) -> &str {
        std::str::from_utf8(self.split().1).unwrap_or(NOT_UTF8)
    }

    /// The whole text; `(not UTF-8)` when it is not. [`as_bytes`](Self::as_bytes) has it in any case. See the
    /// [example](ErrorReply#examples).
    pub fn message(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or(NOT_UTF8)
    }

    /// The whole text as it was sent. See the [example](ErrorReply#examples).
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    fn split(&self) -> (&[u8], &[u8]) {
        match memchr::memchr(b' ', &self.text) {
            Some(space) => (&self.text[..space], &self.text[space + 1..]),
            None => (&self.text, &[]),
        }
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Untrusted(self.message()).up_to(1024).fmt(f)
    }
}

impl std::error::Error for ErrorReply {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_after_the_first_word() {
        let table: [(&'static [u8], &str, &str, &str); 7] = [
            (b"ERR unknown command", "ERR", "unknown command", "ERR unknown command"),
            (b"LOADING", "LOADING", "", "LOADING"),
            (b"", "", "", ""),
            (b" x", "", "x", " x"),
            (b"ASK 1  h:2", "ASK", "1  h:2", "ASK 1  h:2"),
            (b"ERR \xff", "ERR", NOT_UTF8, NOT_UTF8),
            (b"\xff key", "", "key", NOT_UTF8),
        ];
        for (text, code, detail, message) in table {
            let error = ErrorReply::new(text);
            assert_eq!((error.code(), error.detail(), error.message()), (code, detail, message));
            assert_eq!(error.to_string(), message);
            assert_eq!(error.as_bytes(), text);
        }
    }
}
