//! The target `revocation`: a certificate revocation list, which authorities publish for everybody to fetch.

use data_encoding::BASE64;
use truename::Tls;

use crate::harmless::assert_harmless;

/// Checks a list in DER form; and the input itself as PEM text of lists and of certificates.
///
/// # Panics
/// If it shows a fault.
pub fn revocation(input: &[u8]) {
    let pem = format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", BASE64.encode(input));
    let read = [Tls::new().crl_pem(pem), Tls::new().crl_pem(input), Tls::new().ca_pem(input)];
    for outcome in read {
        match outcome {
            Ok(tls) => tls.warnings().iter().for_each(assert_harmless),
            Err(error) => assert_harmless(error),
        }
    }
}
