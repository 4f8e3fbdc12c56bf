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
    // What else was sent changes nothing of the report but what was sent.
    let chain: [&[u8]; 2] = [input, b"not a certificate"];
    let followed = Certificate::from_chain(&chain).expect("the leaf can be read");
    assert_eq!((alone.chain_length, followed.chain_length), (1, 2));
    assert_eq!(report(&followed), report(&alone));
    for (read, sent) in [(&alone, &chain[..1]), (&followed, &chain[..])] {
        let kept: Vec<&[u8]> = read.der_chain().collect();
        assert!(sent.starts_with(&kept), "what was sent is kept as it came, from the leaf on");
        assert!(kept.len() == sent.len() || input.len() > (64 << 10) - chain[1].len(), "some of it is lost");
    }
}

/// Everything that is read from the leaf, as long as nothing after it can be read.
fn report(certificate: &Certificate) -> impl PartialEq + std::fmt::Debug + use<> {
    let Certificate {
        dns_names, ip_addresses, subject, issuer, not_before, not_after, key, top_issuer, ..
    } = certificate.clone();
    (dns_names, ip_addresses, (subject, issuer, top_issuer), (not_before, not_after), key)
}
