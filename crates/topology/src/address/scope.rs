//! [`Scope`]: which of the names and addresses that a cluster announces count, where they are [bounded](super::Boundary).
//!
//! What must stay true: nothing that a peer says makes a name count. The scope is made of what the user wrote and of
//! facts about domains, and is complete before anything is dialled.

use std::sync::Arc;

use super::trust::is_under;
use super::{IdentityName, Profile, Trust};

/// Which announced names count.
///
/// Whoever can influence a topology (a node, the cluster's bus, a proxy, the text of an error reply) can announce
/// any name, and public authorities issue certificates to anybody for names of their own. So an announced name counts
/// only where it follows from what the user configured:
///
/// | it counts | because |
/// |---|---|
/// | a seed's host | the user wrote it |
/// | what lies under a seed's parent domain | one owner, see below |
/// | a name by the profile's [pattern](Profile::siblings) for the seed | the provider gives those names to the same cluster |
/// | what the user [trusts](Trust), or wants verified | the user wrote it |
///
/// An announced address counts *as an identity* only if it is a seed's own or trusted. Dialling it is another matter:
/// see [the module](crate::address).
///
/// The parent of a seed is its name without the first label. It counts if it has at least two labels and is not a
/// public suffix (Mozilla's list, by the crate `psl`: `co.uk`, but also `github.io`), and then for the names below it
/// that no further public suffix separates from it. A profile [narrows](Profile::narrows_scope) this to the seed's own
/// name where every customer of the provider has a certificate under the same parent.
///
/// # Examples
/// ```
/// use truename_topology::{IdentityName, Scope};
///
/// let scope = Scope::new().with_seed("redis.example.net", None);
/// assert!(scope.admits(&IdentityName::parse("node-1.example.net")?));
/// assert!(!scope.admits(&IdentityName::parse("node-1.example.org")?));
/// assert!(scope.with_trust(["*.example.org".parse()?]).admits_host("node-1.example.org"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// What the user wrote: the seeds' hosts, trusted names, names to verify.
    trusted: Vec<Trust>,
    /// Parent domains of seeds.
    parents: Vec<Arc<str>>,
    /// Names of nodes in which `#` stands for a number.
    siblings: Vec<Arc<str>>,
}

impl Scope {
    /// Nothing counts yet. See the [example](Scope#examples).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a seed: its host, and what its parent domain or a profile add to that. See the [example](Scope#examples).
    ///
    /// `chosen` is the profile that the user chose. The profile that the host itself implies holds too, since it is known
    /// of the domain and not of the cluster.
    #[must_use]
    pub fn with_seed(mut self, host: &str, chosen: Option<&Profile>) -> Self {
        let Ok(name) = IdentityName::parse(host) else { return self };
        if let Some(name) = name.as_dns() {
            let profiles = || [chosen, Profile::detect(name)].into_iter().flatten();
            self.siblings
                .extend(profiles().filter_map(|profile| (profile.siblings?)(name)).map(Arc::<str>::from));
            if !profiles().any(|profile| profile.narrows_scope) {
                self.parents.extend(parent(name).map(Arc::<str>::from));
            }
        }
        self.trusted.push(name.into());
        self
    }

    /// Adds what the user allows. See the [example](Scope#examples).
    #[must_use]
    pub fn with_trust(mut self, trusted: impl IntoIterator<Item = Trust>) -> Self {
        self.trusted.extend(trusted);
        self
    }

    /// Whether an announced name or address counts as an identity. See the [example](Scope#examples).
    pub fn admits(&self, name: &IdentityName) -> bool {
        let in_domain = |name: &Arc<str>| {
            self.parents.iter().any(|parent| lies_under(name, parent))
                || self.siblings.iter().any(|pattern| fits(name, pattern))
        };
        self.trusted.iter().any(|trust| trust.admits(name)) || name.as_dns().is_some_and(in_domain)
    }

    /// Whether a host, as announced, counts: one that is not a valid name does not. See the [example](Scope#examples).
    pub fn admits_host(&self, host: &str) -> bool {
        IdentityName::parse(host).is_ok_and(|name| self.admits(&name))
    }
}

/// The parent domain of a seed, if it can belong to one owner.
fn parent(host: &str) -> Option<&str> {
    let (_, parent) = host.split_once('.')?;
    (parent.contains('.') && psl::suffix_str(parent) != Some(parent)).then_some(parent)
}

/// Whether a name lies under a parent domain and belongs to its owner: no public suffix is between them.
fn lies_under(name: &str, parent: &str) -> bool {
    is_under(name, parent) && psl::suffix_str(name) == psl::suffix_str(parent)
}

/// Whether a name fits a pattern in which each `#` stands for one or more digits.
fn fits(name: &str, pattern: &str) -> bool {
    let Some((literal, rest)) = pattern.split_once('#') else { return name == pattern };
    let Some(name) = name.strip_prefix(literal) else { return false };
    let number = name.bytes().take_while(u8::is_ascii_digit).count();
    number > 0 && fits(&name[number..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn admits(seed: &str, name: &str) -> bool {
        Scope::new().with_seed(seed, None).admits_host(name)
    }

    #[test]
    fn the_parents_of_seeds() {
        for (seed, announced, counts) in [
            ("cache.example.net", "cache.example.net", true),
            ("Cache.Example.NET.", "CACHE.example.net.", true),
            ("cache.example.net", "node-1.example.net", true),
            ("cache.example.net", "a.b.example.net", true),
            ("cache.example.net", "example.net", false),
            ("cache.example.net", "evil.net", false),
            ("cache.example.net", "cacheexample.net", false),
            ("cache.example.net", "node-1.example.net.evil.org", false),
            ("cache.example.net", "redis-0", false),
            ("redis.cache.svc.cluster.local", "redis-0.redis.cache.svc.cluster.local", true),
            ("redis.cache.svc.cluster.local", "redis-0.redis.other.svc.cluster.local", false),
            // A parent of one label belongs to everybody.
            ("example.net", "node-1.example.net", false),
            ("example.net", "evil.net", false),
            ("redis.internal", "node.internal", false),
            ("redis", "redis", true),
            ("redis", "node", false),
            // Public suffixes, of registries and of providers.
            ("example.co.uk", "evil.co.uk", false),
            ("my.github.io", "evil.github.io", false),
            ("a.my.github.io", "b.my.github.io", true),
            // A public suffix further down belongs to others.
            ("redis.core.windows.net", "evil.blob.core.windows.net", false),
            // Seeds that are addresses have no parent.
            ("10.0.0.4", "10.0.0.4", true),
            ("10.0.0.4", "::ffff:10.0.0.4", true),
            ("10.0.0.4", "10.0.0.5", false),
            ("10.0.0.4", "x.0.0.4", false),
            ("::1", "0:0::1", true),
            ("cache.example.net", "10.0.0.4", false),
            // What is not a name does not count.
            ("cache.example.net", "b\u{fc}cher.example.net", false),
            ("cache.example.net", "", false),
            ("not a host", "not a host", false),
        ] {
            assert_eq!(admits(seed, announced), counts, "{seed} {announced}");
        }
    }

    #[test]
    fn profiles_narrow_and_add() {
        for (seed, announced, counts) in [
            ("my.westeurope.redis.azure.net", "my.westeurope.redis.azure.net", true),
            ("my.westeurope.redis.azure.net", "evil.westeurope.redis.azure.net", false),
            ("a.serverless.cnn1.cache.amazonaws.com.cn", "b.serverless.cnn1.cache.amazonaws.com.cn", false),
            (
                "my.abc.clustercfg.use1.cache.amazonaws.com",
                "my-0001-001.abc.0001.use1.cache.amazonaws.com",
                true,
            ),
            (
                "my.abc.clustercfg.use1.cache.amazonaws.com",
                "my-0001-001.evil.0001.use1.cache.amazonaws.com",
                false,
            ),
            (
                "my.abc.clustercfg.use1.cache.amazonaws.com",
                "your-0001-001.abc.0001.use1.cache.amazonaws.com",
                false,
            ),
            (
                "my.abc.clustercfg.use1.cache.amazonaws.com",
                "my-x-001.abc.0001.use1.cache.amazonaws.com",
                false,
            ),
            (
                "my-0001-001.abc.0001.use1.cache.amazonaws.com",
                "my-0002-001.abc.0002.use1.cache.amazonaws.com",
                true,
            ),
            (
                "my-0001-001.abc.0001.use1.cache.amazonaws.com",
                "your-0002-001.abc.0002.use1.cache.amazonaws.com",
                false,
            ),
            ("ocid-1-1.redis.r.oci.oraclecloud.com", "ocid-12-3.redis.r.oci.oraclecloud.com", true),
            ("ocid-1-1.redis.r.oci.oraclecloud.com", "ocid-12-3.redis.r.oci.oraclecloud.com.evil.net", false),
            ("ocid-1-1.redis.r.oci.oraclecloud.com", "evil-1-1.redis.r.oci.oraclecloud.com", false),
        ] {
            assert_eq!(admits(seed, announced), counts, "{seed} {announced}");
        }
    }

    #[test]
    fn a_chosen_profile_narrows_and_what_the_host_gives_away_holds_beside_it() {
        let azure = Profile::named("azure-managed");
        let scope = Scope::new().with_seed("cache.example.net", azure);
        assert!(scope.admits_host("cache.example.net") && !scope.admits_host("node-1.example.net"));
        let scope = Scope::new().with_seed("my.r.redis.azure.net", Profile::named("kubernetes"));
        assert!(!scope.admits_host("evil.r.redis.azure.net"));
    }

    #[test]
    fn every_seed_and_everything_trusted_counts() {
        let trusted = ["10.0.0.0/8", "*.example.org"].map(|text| text.parse().unwrap());
        let scope = Scope::new()
            .with_seed("a.example.net", None)
            .with_seed("b.example.com", None)
            .with_trust(trusted);
        for name in ["x.example.net", "x.example.com", "x.example.org", "10.1.2.3"] {
            assert!(scope.admits_host(name), "{name}");
        }
        assert!(!Scope::new().admits_host("a.example.net"));
    }

    #[test]
    fn numbers_in_patterns() {
        for (name, pattern, fit) in [
            ("a-1.b", "a-#.b", true),
            ("a-0012.b", "a-#.b", true),
            ("a-.b", "a-#.b", false),
            ("a-1x.b", "a-#.b", false),
            ("a-1.b.c", "a-#.b", false),
            ("a-1", "a-#", true),
            ("a", "a", true),
        ] {
            assert_eq!(fits(name, pattern), fit, "{name} {pattern}");
        }
    }

    proptest! {
        /// Whatever the names are, none counts that is neither a seed nor below everything but a seed's first label.
        #[test]
        fn nothing_else_counts(
            seed in "[a-c]{1,2}(\\.[a-c]{1,2}){0,3}(\\.(net|co\\.uk|test))?",
            name in "[a-c]{1,2}(\\.[a-c]{1,2}){0,4}(\\.(net|co\\.uk|test))?",
        ) {
            let below = seed.split_once('.').is_some_and(|(_, parent)| name.ends_with(&format!(".{parent}")));
            prop_assert!(!admits(&seed, &name) || name == seed || below, "{} {}", seed, name);
        }
    }
}
