//! Who must answer, as configured: the identity policy, a further name, and what is trusted.

use truename_topology::{AddressPolicy, IdentityName, IdentityPolicy, Profile, Scope, Trust};

use super::{Config, NodeAddressMap};
use crate::error::{Error, Remedy};

impl Config {
    /// Which names a node may prove. The default is [`IdentityPolicy::AnyOf`].
    ///
    /// Whatever the policy, unless it is a closure, an announced name counts only in the [`Scope`] that the seeds give;
    /// see [`Config::trust`].
    ///
    /// ```
    /// use truename::Config;
    /// use truename::topology::{IdentityName, IdentityPolicy};
    ///
    /// let config = Config::new().seed("redis.example.net", 6379);
    /// // The name of the seed alone, whatever nodes announce.
    /// let strict = config.clone().identity(IdentityPolicy::Seed);
    /// // One name that all nodes have in their certificates, and no other.
    /// let name = IdentityName::parse("cache.example.net")?;
    /// let stricter = config.identity(IdentityPolicy::Only(name));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn identity(mut self, identity: IdentityPolicy) -> Self {
        self.identity = Some(identity);
        self
    }

    /// A name that is acceptable for every node and seed in addition to those of the [identity policy](Config::identity),
    /// and that a cluster may announce. To accept one name and no other, use [`IdentityPolicy::Only`].
    ///
    /// ```
    /// use truename::topology::IdentityName;
    ///
    /// let name = IdentityName::parse("cache.example.net")?;
    /// let config = truename::Config::new().seed("10.0.0.4", 6379).verify_as(name);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn verify_as(mut self, name: IdentityName) -> Self {
        self.verify_as = Some(name);
        self
    }

    /// Allows the cluster to announce a name or address outside the domains of its seeds. May be called several times.
    ///
    /// With public authorities among the trusted roots, an announced name counts only if it is a seed's or lies under
    /// a seed's parent domain, or if the provider's profile or this method allows it: anybody can get a certificate for a
    /// name of their own. Any other name is not dialled. An announced IP address is dialled, but proves nothing unless it
    /// is a seed's or allowed here. Where the roots are yours alone ([`Tls::ca_file`](crate::Tls::ca_file) with a private
    /// authority), everything that they signed counts, and this is not needed.
    ///
    /// ```
    /// let config = truename::Config::new()
    ///     .seed("redis.example.net", 6379)
    ///     .trust("*.cache.example.org".parse()?)
    ///     .trust("10.0.0.0/8".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust.push(trust);
        self
    }

    /// Where to dial and who must answer, with the profile's defaults below the user's own rules.
    pub(crate) fn address_policy(&self) -> AddressPolicy {
        let seeds = self.seeds.iter();
        let scope = seeds.fold(Scope::new(), |scope, seed| scope.with_seed(seed.host(), self.profile));
        let mut policy = self.effective_profile().map(Profile::policy).unwrap_or_default();
        policy = policy
            .with_rules(self.rules.iter().cloned())
            .with_scope(scope.with_trust(self.trust.iter().cloned()));
        if let Some(identity) = self.identity.clone() {
            policy = policy.with_identity(identity);
        }
        if let Some(name) = self.verify_as.clone() {
            policy = policy.with_verify_as(name);
        }
        match self.map.clone() {
            Some(NodeAddressMap { map, .. }) => {
                policy.with_map(move |node, seed| map(node, seed)).with_map_for_seeds(self.maps_seeds)
            }
            None => policy,
        }
    }

    /// Refuses names that would be ignored: a further one where the policy takes none, and any in plaintext.
    pub(super) fn validate_identity(&self) -> Result<(), Error> {
        let only = match &self.identity {
            Some(IdentityPolicy::Only(name)) => Some(name),
            _ => None,
        };
        if let Some(name) = self.verify_as.as_ref().or(only).filter(|_| self.tls.is_none()) {
            return Err(Error::config_with_remedy(
                format!("{name} is to be verified, which needs TLS: in plaintext no name is proved"),
                Remedy::TlsOrWithout { what: "name" },
            ));
        }
        match (&self.identity, &self.verify_as) {
            (Some(identity), Some(name)) if !identity.takes_further_names() => {
                Err(Error::config_with_remedy(
                    format!("{name} is a further acceptable name, but the identity policy accepts only one"),
                    Remedy::OneIdentity,
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use truename_topology::{AnnouncedNode, Boundary, Endpoint, PlanError, Role};

    use super::*;

    /// The names that a node may prove, and where it is dialled, under public authorities; the seed is the URL's first.
    fn plan(url: &str, announced: &str) -> Result<String, PlanError> {
        let config = Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let node = AnnouncedNode::new(Endpoint::parse(announced, None).expect("an address"), Role::Primary);
        let plan = config.address_policy().plan_node(&node, &config.seeds[0], Boundary::Scope)?;
        let names: Vec<String> = plan.identities.iter().map(|identity| identity.name.to_string()).collect();
        Ok(format!("{} as {}", plan.dial, names.join(" ")))
    }

    /// Before there was a scope, whatever a seed announced was dialled and could prove its own name.
    #[test]
    fn what_urls_say_of_identity() {
        let seed = "rediss://seed.example.net:1,second.example.org:2";
        for (options, announced, expected) in [
            ("", "evil.test:7", "seed.example.net:7 as seed.example.net"),
            (
                "",
                "n.example.net:7",
                "n.example.net:7, else seed.example.net:7 as n.example.net seed.example.net",
            ),
            (
                "",
                "n.example.org:7",
                "n.example.org:7, else seed.example.net:7 as n.example.org seed.example.net",
            ),
            ("", "10.0.0.4:7", "10.0.0.4:7, else seed.example.net:7 as seed.example.net"),
            (
                "?trust=10.0.0.0/8&trust=*.test",
                "10.0.0.4:7",
                "10.0.0.4:7, else seed.example.net:7 as 10.0.0.4 seed.example.net",
            ),
            (
                "?trust=10.0.0.0/8&trust=*.test",
                "evil.test:7",
                "evil.test:7, else seed.example.net:7 as evil.test seed.example.net",
            ),
            (
                "?verify_as=c.example.com",
                "evil.test:7",
                "seed.example.net:7 as c.example.com seed.example.net",
            ),
            (
                "?verify_only=c.example.com",
                "n.example.net:7",
                "n.example.net:7, else seed.example.net:7 as c.example.com",
            ),
            ("?identity=only:c.example.com", "evil.test:7", "seed.example.net:7 as c.example.com"),
            (
                "?identity=seed",
                "n.example.net:7",
                "n.example.net:7, else seed.example.net:7 as seed.example.net",
            ),
            (
                "?identity=announced",
                "n.example.net:7",
                "n.example.net:7, else seed.example.net:7 as n.example.net",
            ),
            ("?profile=azure-managed", "n.example.net:7", "seed.example.net:7 as seed.example.net"),
        ] {
            assert_eq!(plan(&format!("{seed}{options}"), announced).as_deref(), Ok(expected), "{options}");
        }
        let refused = plan(&format!("{seed}?identity=announced"), "evil.test:7");
        assert!(matches!(refused, Err(PlanError::OutOfScope { .. })), "{refused:?}");
    }

    /// `redis://…?verify_only=NAME` verified nothing, without a warning.
    #[test]
    fn a_name_to_be_verified_is_refused_in_plaintext() {
        for options in ["verify_as=a.test", "verify_only=a.test", "identity=only:a.test"] {
            let config =
                |scheme| Config::from_url(&format!("{scheme}://seed.test?{options}")).expect("a URL");
            assert!(config("rediss").validate().is_ok(), "{options}");
            let refused = config("redis").validate().expect_err(options).to_string();
            assert!(refused.contains("a.test") && refused.contains("plaintext"), "{options}: {refused}");
        }
        assert!(Config::from_url("redis://seed.test?identity=seed").expect("a URL").validate().is_ok());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (options, part) in [
            ("?identity=all", "any, announced, seed, or only:NAME"),
            ("?identity=only:*.example.net", "wildcard"),
            ("?verify_only=*.example.net", "wildcard"),
            ("?trust=*", "`*.example.net`"),
            ("?identity=seed&verify_only=a.example.net", "leave out either"),
            ("?verify_as=b.example.net&verify_only=a.example.net", "choose one"),
        ] {
            let read = Config::from_url(&format!("rediss://:sesame@seed.example.net{options}"));
            let refused = read.and_then(|config| config.validate()).expect_err(options).to_string();
            assert!(refused.contains(part) && !refused.contains("sesame"), "{options}: {refused}");
        }
    }
}
