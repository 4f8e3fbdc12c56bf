//! Finding the end of a line that arrives in pieces.
//!
//! What was searched once is not searched again, so a line of n bytes costs n however it is cut.

use crate::DecodeErrorKind;

/// Up to here a plain loop finds the line end faster than the vector search starts up.
const SHORT: usize = 16;

/// How far the current line has been searched.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Bytes at the start of the line that hold no line end.
    searched: usize,
}

impl Line {
    /// The length of the line at the start of `text`, without its CR LF; `None` while it is incomplete.
    ///
    /// Until the line is found, `text` must be the same bytes with more of them at the end.
    ///
    /// # Errors
    ///
    /// A CR or LF alone, or no line end within `limit` bytes.
    #[inline]
    pub(crate) fn find(&mut self, text: &[u8], limit: usize) -> Result<Option<usize>, DecodeErrorKind> {
        // Nothing beyond the limit is looked at, so that the outcome does not depend on how the input was cut.
        let window = &text[..text.len().min(limit.saturating_add(1))];
        let start = self.searched.min(window.len());
        let Some(found) = line_break(&window[start..]) else {
            self.searched = window.len();
            return if window.len() > limit { Err(DecodeErrorKind::LineTooLong { limit }) } else { Ok(None) };
        };
        let end = start + found;
        match text[end..] {
            [b'\r', b'\n', ..] => {
                self.searched = 0;
                Ok(Some(end))
            }
            [b'\r'] => {
                self.searched = end;
                Ok(None)
            }
            _ => Err(DecodeErrorKind::MissingLineEnd),
        }
    }
}

/// Where the first CR or LF is.
#[inline]
fn line_break(text: &[u8]) -> Option<usize> {
    let (head, tail) = text.split_at(text.len().min(SHORT));
    head.iter()
        .position(|byte| matches!(byte, b'\r' | b'\n'))
        .or_else(|| memchr::memchr2(b'\r', b'\n', tail).map(|at| SHORT + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_length_around_the_switch_to_vector_search() {
        for len in 0..3 * SHORT {
            let text = format!("{}\r\nmore\r\n", "x".repeat(len));
            assert_eq!(Line::default().find(text.as_bytes(), 100), Ok(Some(len)));
            let mut line = Line::default();
            for cut in 0..len + 2 {
                assert_eq!(line.find(&text.as_bytes()[..cut], 100), Ok(None), "{len} cut at {cut}");
                assert_eq!(line.searched, cut.min(len), "what was searched is remembered");
            }
            assert_eq!(line.find(text.as_bytes(), 100), Ok(Some(len)));
            assert_eq!(line.searched, 0, "the next line starts afresh");
        }
    }

    #[test]
    fn the_limit_counts_the_text_alone() {
        let too_long = Err(DecodeErrorKind::LineTooLong { limit: 4 });
        assert_eq!(Line::default().find(b"abcd\r\n", 4), Ok(Some(4)));
        assert_eq!(Line::default().find(b"abcd\r", 4), Ok(None));
        assert_eq!(Line::default().find(b"abcd", 4), Ok(None));
        assert_eq!(Line::default().find(b"abcde", 4), too_long);
        assert_eq!(Line::default().find(b"abcde\r\n", 4), too_long);
        assert_eq!(Line::default().find(b"abcde\n", 4), too_long);
    }

    #[test]
    fn half_a_line_end_is_refused() {
        for text in ["\n", "ab\ncd\r\n", "ab\rcd\r\n", "ab\r\r\n"] {
            assert_eq!(
                Line::default().find(text.as_bytes(), 100),
                Err(DecodeErrorKind::MissingLineEnd),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_buffer_that_shrank_is_no_reason_to_panic() {
        let mut line = Line::default();
        assert_eq!(line.find(&[b'x'; 40], 100), Ok(None));
        assert_eq!(line.find(b"x", 100), Ok(None));
    }
}
