//! Pins on public keys: whether the key that a certificate carries is acceptable.
//!
//! Only the peer's own certificate counts. An intermediate's key is not proved in the handshake and vouches for everything
//! that it signs; to trust a single authority, give it as the only root.

use std::sync::Arc;

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
}
