//! Text that is shown to people: no control character, no line break, nothing that turns the direction of reading.

use std::fmt::Display;

use truename_resp::Untrusted;

/// Panics if a text of one line could do harm on a terminal or in a log.
pub(crate) fn assert_harmless(shown: impl Display) {
    let text = shown.to_string();
    let harmful = text.chars().find(|&character| !Untrusted::is_harmless(character));
    assert!(harmful.is_none(), "{harmful:?} is shown in {text:?}");
}
