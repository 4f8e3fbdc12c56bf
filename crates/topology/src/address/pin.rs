//! [`Pin`]: a public key that a node's certificate has to carry, as text.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use thiserror::Error;

const PREFIX: &str = "sha256/";

/// The SHA-256 digest of a certificate's SubjectPublicKeyInfo (RFC 7469, section 2.4), written `sha256/BASE64`.
///
/// A key outlives its certificates when they are renewed with it, and no authority can substitute another key.
///
/// # Examples
/// ```
/// use truename_topology::Pin;
///
/// let pin: Pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse()?;
/// assert_eq!(pin.to_string(), "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
/// assert_ne!(pin, Pin::from_digest([0; 32]));
/// # Ok::<(), truename_topology::PinError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

/// Why a text is not a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a pin is `sha256/` and the Base64 form of the 32 octets of a SHA-256 digest, 44 characters with the `=`"
)]
pub struct PinError;

impl Pin {
    /// The pin of a key whose SubjectPublicKeyInfo has this SHA-256 digest. See the [example](Pin#examples).
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let digest = text.strip_prefix(PREFIX).ok_or(PinError)?;
        let digest = BASE64.decode(digest.as_bytes()).map_err(|_| PinError)?;
        digest.try_into().map(Self).map_err(|_| PinError)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddressPolicy, AnnouncedNode, Boundary, DialRule, Endpoint, Role};

    #[test]
    fn only_the_rule_that_dials_a_node_brings_its_pins() {
        let [one, other] = [[1; 32], [2; 32]].map(Pin::from_digest);
        let rules: [DialRule; 2] = ["10.0.0.1=seed", "ip=announced"].map(|rule| rule.parse().unwrap());
        let [first, second] = rules;
        let policy =
            AddressPolicy::new().with_rule(first.with_pins([one])).with_rule(second.with_pins([other, one]));
        let seed = Endpoint::new("cache.example.net", 6379);
        for (host, pins) in [("10.0.0.1", &[one][..]), ("10.0.0.2", &[other, one]), ("node.example.net", &[])]
        {
            let node = AnnouncedNode::new(Endpoint::new(host, 6379), Role::Primary);
            assert_eq!(policy.plan_node(&node, &seed, Boundary::Lifted).unwrap().pins, pins, "{host}");
        }
    }

    #[test]
    fn what_is_a_pin() {
        let digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert!(format!("sha256/{digest}").parse::<Pin>().is_ok());
        for text in [
            String::new(),
            digest.to_owned(),
            format!("sha1/{digest}"),
            format!("sha256/{}", &digest[..43]),
            format!("sha256/{digest} "),
            "sha256/".to_owned(),
            "sha256/AAAA".to_owned(),
            // Not the canonical form: the two lowest bits of the last character say nothing.
            format!("sha256/{}V=", &digest[..42]),
            format!("sha256/{}", digest.replace('+', "-").replace('/', "_")),
        ] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
    }
}
