//! How an error shows the words of others.

use std::fmt;

use truename_resp::{Untrusted, UntrustedUpTo};

/// Text that may hold a peer's words, in one line of an error: harmless, and long enough for what servers say.
pub(super) fn shown(text: &str) -> UntrustedUpTo<'_> {
    Untrusted(text).up_to(1024)
}

/// A key in the text of an error.
pub(super) fn shown_key(key: &[u8]) -> String {
    format!("\"{}\"", Untrusted(&String::from_utf8_lossy(key)).up_to(64))
}

/// A text of ours with places, `{}`, for the words of others.
pub(super) struct Text<'a> {
    form: &'static str,
    words: [Option<&'a dyn fmt::Display>; 2],
}

impl<'a> Text<'a> {
    /// A text without places.
    pub(super) fn plain(form: &'static str) -> Self {
        Self { form, words: [None, None] }
    }

    /// A text with one place.
    pub(super) fn with(form: &'static str, words: &'a dyn fmt::Display) -> Self {
        Self { form, words: [Some(words), None] }
    }

    /// A text with two places.
    pub(super) fn with_both(
        form: &'static str,
        first: &'a dyn fmt::Display,
        second: &'a dyn fmt::Display,
    ) -> Self {
        Self { form, words: [Some(first), Some(second)] }
    }

    /// Whether there are as many places as words.
    #[cfg(test)]
    pub(super) fn is_complete(&self) -> bool {
        self.form.matches("{}").count() == self.words.iter().flatten().count()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words.iter().flatten();
        let mut parts = self.form.split("{}");
        f.write_str(parts.next().unwrap_or_default())?;
        for part in parts {
            if let Some(words) = words.next() {
                shown(&words.to_string()).fmt(f)?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}
