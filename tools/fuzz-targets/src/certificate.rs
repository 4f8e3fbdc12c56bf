//! The target `certificate`: what is reported of a certificate that anybody may have presented.

use truename::{Certificate, UtcMinute};

use crate::harmless::assert_harmless;

/// More than twelve names can be, each cut at 256 characters, of which each is escaped with ten at most.
const LONGEST_TEXT: usize = 64 << 10;

/// Checks a certificate in DER form, alone and with something else after it.
///
/// # Panics
/// If it shows a fault.
pub fn certificate(input: &[u8]) {
    let Some(alone) = Certificate::from_chain(&[input]) else {
        assert_eq!(
            Certificate::from_chain(&[input, input]),
            None,
            "a leaf that cannot be read is no certificate"
        );
        return;
    };
    let texts = [&alone.subject, &alone.issuer, &alone.top_issuer, &alone.names_line()];
    for text in texts.into_iter().chain(&alone.names()) {
        assert!(text.len() <= LONGEST_TEXT, "{} bytes of text", text.len());
        assert_harmless(text);
    }
    for time in [alone.not_before, alone.not_after] {
        assert_harmless(UtcMinute(time));
    }
    assert!(alone.days_left(alone.not_after) == 0 && alone.days_left(alone.not_after + 1) == -1);
    // What else was sent changes nothing of the report but the number.
    let mut expected = alone;
    expected.chain_length = 2;
    let chain: [&[u8]; 2] = [input, b"not a certificate"];
    assert_eq!(Certificate::from_chain(&chain), Some(expected));
}
