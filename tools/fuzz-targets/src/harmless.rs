//! Text that is shown to people: no control character, nothing that turns the direction of reading.

use std::fmt::Display;

use truename_resp::Untrusted;

/// Panics if the text of an error or of a report could do harm on a terminal or in a log. Reports have lines of their own.
pub(crate) fn assert_harmless(shown: impl Display) {
    let text = shown.to_string();
    let harmful = text.chars().find(|&character| character != '\n' && !Untrusted::is_harmless(character));
    assert!(harmful.is_none(), "{harmful:?} is shown in {text:?}");
}
