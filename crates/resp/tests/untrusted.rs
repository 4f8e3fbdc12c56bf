//! Whatever a peer writes, what a person sees is harmless and short.

use proptest::prelude::*;
use truename_resp::Untrusted;

/// The characters that the promise names: C0, DEL, C1, line separators and everything that changes the direction of text.
fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn dangerous() -> impl Strategy<Value = char> {
    prop::sample::select(('\0'..='\u{2069}').filter(|character| is_dangerous(*character)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn nothing_dangerous_is_shown(parts in prop::collection::vec(prop_oneof![any::<char>(), dangerous()], 0..400)) {
        let text: String = parts.into_iter().collect();
        let shown = Untrusted(&text).to_string();
        prop_assert!(!shown.chars().any(is_dangerous), "{shown:?}");
        // The longest escape is `\u{10ffff}`, and the mark at the end is short.
        prop_assert!(shown.chars().count() <= Untrusted::LENGTH * 10 + 40);
    }
}

#[test]
fn every_character_alone_is_harmless() {
    for character in '\0'..=char::MAX {
        let shown = Untrusted(character.encode_utf8(&mut [0; 4])).to_string();
        assert!(!shown.chars().any(is_dangerous), "{character:?} is shown as {shown:?}");
    }
}
