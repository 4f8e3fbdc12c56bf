//! Pins on public keys: which key a certificate carries, and whether it is acceptable.
//!
//! Only the peer's own certificate counts. An intermediate's key is not proved in the handshake and vouches for everything
//! that it signs; to trust a single authority, give it as the only root.

use std::sync::Arc;

use ring::digest;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use truename_topology::Pin;

/// Which keys are acceptable: those of the client's options and those of the dial rule, each unless it is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Pins {
    pub(super) of_client: Arc<[Pin]>,
    pub(super) of_rule: Vec<Pin>,
}

impl Pins {
    /// Whether any key is acceptable.
    pub(super) fn is_empty(&self) -> bool {
        self.of_client.is_empty() && self.of_rule.is_empty()
    }

    /// Whether the key is acceptable to both.
    pub(super) fn accept(&self, pin: Pin) -> bool {
        let will_do = |pins: &[Pin]| pins.is_empty() || pins.contains(&pin);
        will_do(&self.of_client) && will_do(&self.of_rule)
    }
}

/// The pin of a public key.
pub(super) fn pin_of(key: &SubjectPublicKeyInfoDer<'_>) -> Pin {
    let digest = digest::digest(&digest::SHA256, key.as_ref());
    let mut octets = [0; 32];
    octets.copy_from_slice(digest.as_ref());
    Pin::from_digest(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_must_be_acceptable_to_client_and_rule() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]].map(Pin::from_digest);
        let rows: [(&[Pin], &[Pin], Pin, bool); 7] = [
            (&[], &[], a, true),
            (&[a, b], &[], b, true),
            (&[a, b], &[], c, false),
            (&[], &[a], a, true),
            (&[], &[a], b, false),
            (&[a, b], &[b], b, true),
            (&[a], &[b], b, false),
        ];
        for (of_client, of_rule, presented, expected) in rows {
            let pins = Pins { of_client: of_client.into(), of_rule: of_rule.to_vec() };
            assert_eq!(pins.accept(presented), expected, "{pins:?} {presented}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let nothing = SubjectPublicKeyInfoDer::from(Vec::new());
        assert_eq!(pin_of(&nothing).to_string(), "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
