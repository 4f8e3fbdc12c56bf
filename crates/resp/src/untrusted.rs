//! Text that a peer chose, on its way to a person.
//!
//! Must stay true: whatever the text is, what comes out has no control character, no bidi control and no line break, and
//! has a bounded length. Every crate shows peers' text through this and through nothing else.

use std::fmt::{self, Write};

/// Shows text that others chose: a server's error, a node's name, the issuer of an unverified certificate.
///
/// Printed as it is, such text can move the cursor, clear the screen, forge lines of a log, or turn the reading
/// direction of what follows. Here every character that is not printable is escaped as in Rust's string literals:
/// C0 and C1 controls, DEL, line and paragraph separators, bidi controls and other invisible formatting, combining
/// marks, and what Unicode has not assigned. Quotes and backslashes stay, so the result is for reading and not for parsing.
///
/// At most [`Untrusted::LENGTH`] characters of the text are shown; [`up_to`](Self::up_to) sets another bound.
///
/// # Examples
/// ```
/// use truename_resp::Untrusted;
///
/// assert_eq!(Untrusted("ERR no such key").to_string(), "ERR no such key");
/// assert_eq!(Untrusted("\u{1b}[2Jall is well\n").to_string(), "\\u{1b}[2Jall is well\\n");
/// assert_eq!(Untrusted("a long story").up_to(6).to_string(), "a long… (6 more characters)");
/// // U+202E turns the reading direction of what follows.
/// assert!(Untrusted::is_harmless('é') && !Untrusted::is_harmless('\u{202e}'));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untrusted<'a>(pub &'a str);

impl<'a> Untrusted<'a> {
    /// How many characters of the text are shown unless [`up_to`](Self::up_to) says otherwise.
    pub const LENGTH: usize = 256;

    /// Whether a character is shown as it is. See the [example](Untrusted#examples).
    pub fn is_harmless(character: char) -> bool {
        matches!(character, ' '..='~') || (!character.is_ascii() && character.escape_debug().len() == 1)
    }

    /// The same text, of which at most this many characters are shown. [`usize::MAX`] shows all of it. See the
    /// [example](Untrusted#examples).
    pub const fn up_to(self, characters: usize) -> UntrustedUpTo<'a> {
        UntrustedUpTo { text: self.0, characters }
    }
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.up_to(Self::LENGTH).fmt(f)
    }
}

/// [`Untrusted`] text with a length bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntrustedUpTo<'a> {
    text: &'a str,
    characters: usize,
}

impl fmt::Display for UntrustedUpTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text.chars();
        for character in rest.by_ref().take(self.characters) {
            write_escaped(f, character)?;
        }
        match rest.count() {
            0 => Ok(()),
            1 => f.write_str("… (1 more character)"),
            more => write!(f, "… ({more} more characters)"),
        }
    }
}

/// The standard library's idea of printable, which excludes all of Unicode's categories for controls and formats.
fn write_escaped(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        ' '..='~' => f.write_char(character),
        _ => write!(f, "{}", character.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_stays_and_the_rest_is_escaped() {
        let table = [
            ("", ""),
            ("plain 'text' with \"quotes\" and \\", "plain 'text' with \"quotes\" and \\"),
            ("Zürich 東京 🙂", "Zürich 東京 🙂"),
            ("a\tb\r\nc\0", "a\\tb\\r\\nc\\0"),
            ("\u{7f}\u{9b}2J", "\\u{7f}\\u{9b}2J"),
            ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("\u{200b}\u{feff}\u{ad}\u{e0041}", "\\u{200b}\\u{feff}\\u{ad}\\u{e0041}"),
            ("e\u{301}", "e\\u{301}"),
        ];
        for (text, shown) in table {
            assert_eq!(Untrusted(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_longer_than_the_bound_says_so() {
        let text = "é".repeat(Untrusted::LENGTH + 1);
        let shown = Untrusted(&text).to_string();
        assert_eq!(shown, format!("{}… (1 more character)", "é".repeat(Untrusted::LENGTH)));
        assert_eq!(Untrusted(&text).up_to(usize::MAX).to_string(), text);
        assert_eq!(Untrusted("ab").up_to(2).to_string(), "ab");
        assert_eq!(Untrusted("ab").up_to(0).to_string(), "… (2 more characters)");
    }
}
