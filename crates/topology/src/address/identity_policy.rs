//! [`IdentityPolicy`]: which of a node's names are acceptable, and its text form. The rules, and why they are sound, are in the
//! [module above](super).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::{Identity, IdentityError, IdentityName, IdentitySource};
use crate::{AnnouncedNode, Endpoint, Typed};

/// The user's own answer to "who must answer?", for one node and the seed that led to it.
pub type CustomIdentity = dyn Fn(&AnnouncedNode, &Endpoint) -> Vec<IdentityName> + Send + Sync;

/// Which names are acceptable for a node; at least one of them has to be proved. What a node announces counts only within
/// the [scope](super::Scope), except for a closure. The rules, and why they are sound, are in the [module](super).
///
/// | text | policy |
/// |---|---|
/// | `any` | [`AnyOf`](Self::AnyOf), the default |
/// | `announced` | [`Announced`](Self::Announced) |
/// | `seed` | [`Seed`](Self::Seed) |
/// | `only:NAME` | [`Only`](Self::Only) |
///
/// A closure has no text.
///
/// # Examples
/// ```
/// use truename_topology::IdentityPolicy;
///
/// assert!("any".parse::<IdentityPolicy>()?.takes_further_names());
/// assert!(!"only:cache.example.net".parse::<IdentityPolicy>()?.takes_further_names());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum IdentityPolicy {
    /// The announced host or IP, the `hostname` metadata, or the seed's host.
    #[default]
    AnyOf,
    /// Only what the node itself announces. Seeds have to prove their configured host.
    Announced,
    /// Only the seed's host, whatever a node announces.
    Seed,
    /// This name and nothing else, for every node and seed.
    Only(IdentityName),
    /// What the closure returns, and nothing else. For a seed it gets a node that is announced as the seed.
    Custom(Arc<CustomIdentity>),
}

impl IdentityPolicy {
    /// The acceptable identities of a node, without repetitions. `verify_as` is acceptable in addition, and what the
    /// node announces if it `counts`.
    pub(super) fn identities(
        &self,
        node: &AnnouncedNode,
        seed: &Endpoint,
        verify_as: Option<&IdentityName>,
        counts: impl Fn(&IdentityName) -> bool,
    ) -> Vec<Identity> {
        use IdentitySource as Source;
        let named = |text: &str| IdentityName::parse(text).ok();
        let announced = || named(node.endpoint.host()).filter(&counts).map(|name| (name, Source::Announced));
        let hostname =
            || named(node.hostname.as_deref()?).filter(&counts).map(|name| (name, Source::Hostname));
        let seed_host = || named(seed.host()).map(|name| (name, Source::Seed));
        let verify_as = || verify_as.cloned().map(|name| (name, Source::Fixed));
        let found = match self {
            Self::AnyOf => vec![verify_as(), announced(), hostname(), seed_host()],
            Self::Announced => vec![verify_as(), announced(), hostname()],
            Self::Seed => vec![verify_as(), seed_host()],
            Self::Only(name) => vec![Some((name.clone(), Source::Fixed))],
            Self::Custom(choose) => {
                choose(node, seed).into_iter().map(|name| Some((name, Source::Custom))).collect()
            }
        };
        let mut identities: Vec<Identity> = Vec::with_capacity(found.len());
        for (name, source) in found.into_iter().flatten() {
            if identities.iter().all(|known| known.name != name) {
                identities.push(Identity { name, source });
            }
        }
        identities
    }

    /// What a node announces that is an identity in scope.
    pub(super) fn announced(&self, node: &AnnouncedNode) -> Vec<IdentityName> {
        if !matches!(self, Self::AnyOf | Self::Announced) {
            return Vec::new();
        }
        let hosts = [Some(node.endpoint.host()), node.hostname.as_deref()];
        hosts.into_iter().flatten().filter_map(|host| IdentityName::parse(host).ok()).collect()
    }

    /// Whether a further name can be acceptable besides those of the policy: not where one name alone counts or a
    /// closure decides. See the [example](IdentityPolicy#examples).
    pub fn takes_further_names(&self) -> bool {
        !matches!(self, Self::Only(_) | Self::Custom(_))
    }
}

impl FromStr for IdentityPolicy {
    type Err = IdentityPolicyError;

    fn from_str(text: &str) -> Result<Self, IdentityPolicyError> {
        match text {
            "any" => Ok(Self::AnyOf),
            "announced" => Ok(Self::Announced),
            "seed" => Ok(Self::Seed),
            _ => match text.strip_prefix("only:") {
                Some(name) => Ok(Self::Only(IdentityName::parse(name)?)),
                None => Err(IdentityPolicyError::Unknown(Typed(text).to_string())),
            },
        }
    }
}

/// Why a text is not an identity policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityPolicyError {
    /// None of the words; the text as it may be shown.
    #[error("{0} is not an identity policy: write any, announced, seed, or only:NAME")]
    Unknown(String),
    /// What follows `only:` is not a name.
    #[error(transparent)]
    Name(#[from] IdentityError),
}

impl fmt::Display for IdentityPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOf => f.write_str("any"),
            Self::Announced => f.write_str("announced"),
            Self::Seed => f.write_str("seed"),
            Self::Only(name) => write!(f, "only:{name}"),
            Self::Custom(_) => f.write_str("custom"),
        }
    }
}

impl fmt::Debug for IdentityPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOf => f.write_str("AnyOf"),
            Self::Announced => f.write_str("Announced"),
            Self::Seed => f.write_str("Seed"),
            Self::Only(name) => f.debug_tuple("Only").field(name).finish(),
            Self::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_read() {
        for text in
            ["any", "announced", "seed", "only:cache.example.net", "only:10.0.0.4", "only:2001:db8::1"]
        {
            assert_eq!(text.parse::<IdentityPolicy>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("", "any, announced, seed, or only:NAME"),
            ("Seed", "any, announced, seed, or only:NAME"),
            ("cache.example.net", "any, announced, seed, or only:NAME"),
            ("only:", "not a name to verify"),
            ("only:*.example.net", "a wildcard"),
        ] {
            let error = text.parse::<IdentityPolicy>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
