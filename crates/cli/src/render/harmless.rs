//! The last thing before a stream that a person reads: nothing but text, our own line breaks and our own colours
//! gets through.
//!
//! The library escapes what peers say where it shows it; this also covers what was overlooked there.

use std::io::{self, Write};

use truename::Untrusted;

/// The longest sequence of ours that changes colours.
const LONGEST: usize = 24;

/// Escapes everything that is not text. Bytes come from `fmt`, so characters are not cut in two.
pub(crate) struct Harmless<W> {
    out: W,
    /// Whether colours are wanted: sequences that change them, and no others, are let through.
    is_coloured: bool,
    /// A sequence that has begun and not ended.
    sequence: String,
}

impl<W: Write> Harmless<W> {
    pub(crate) fn new(out: W, is_coloured: bool) -> Self {
        Self { out, is_coloured, sequence: String::new() }
    }

    fn take(&mut self, character: char, escaped: &mut String) {
        if !self.sequence.is_empty() {
            self.sequence.push(character);
            match character {
                'm' if self.sequence.len() > 2 => escaped.push_str(&std::mem::take(&mut self.sequence)),
                '[' if self.sequence.len() == 2 => {}
                '0'..='9' | ';' if (3..LONGEST).contains(&self.sequence.len()) => {}
                _ => {
                    let sequence = std::mem::take(&mut self.sequence);
                    sequence.chars().for_each(|character| escape(character, escaped));
                }
            }
        } else if character == '\u{1b}' && self.is_coloured {
            self.sequence.push(character);
        } else {
            escape(character, escaped);
        }
    }
}

fn escape(character: char, escaped: &mut String) {
    if character == '\n' || Untrusted::is_harmless(character) {
        escaped.push(character);
    } else {
        escaped.extend(character.escape_debug());
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut escaped = String::with_capacity(bytes.len());
        for character in String::from_utf8_lossy(bytes).chars() {
            self.take(character, &mut escaped);
        }
        self.out.write_all(escaped.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Paint;

    fn written(parts: &[&str], is_coloured: bool) -> String {
        let mut out = Vec::new();
        let mut harmless = Harmless::new(&mut out, is_coloured);
        parts.iter().for_each(|part| harmless.write_all(part.as_bytes()).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_text_and_our_own_colours_get_through() {
        let red = Paint::new(true).error("x");
        for (parts, plain, coloured) in [
            (vec!["a\nb é"], "a\nb é", "a\nb é"),
            (
                vec!["a\r\u{7}\u{9b}2J\u{202e}"],
                "a\\r\\u{7}\\u{9b}2J\\u{202e}",
                "a\\r\\u{7}\\u{9b}2J\\u{202e}",
            ),
            (vec!["\u{1b}[2Ja"], "\\u{1b}[2Ja", "\\u{1b}[2Ja"),
            (vec!["\u{1b}", "[", "1;31", "m", "a"], "\\u{1b}[1;31ma", "\u{1b}[1;31ma"),
            (vec!["\u{1b}]0;title\u{7}"], "\\u{1b}]0;title\\u{7}", "\\u{1b}]0;title\\u{7}"),
            (vec!["\u{1b}\u{1b}[m"], "\\u{1b}\\u{1b}[m", "\\u{1b}\\u{1b}[m"),
            (vec!["\u{1b}m"], "\\u{1b}m", "\\u{1b}m"),
        ] {
            assert_eq!(written(&parts, false), plain);
            assert_eq!(written(&parts, true), coloured);
        }
        assert_eq!(written(&[&red], true), red);
    }
}
