//! [`Profile`]: what is known about a provider, and how one is recognised.
//!
//! Profiles are data. They change defaults only: whatever a profile says can be said by the user, and the
//! user is asked first.

use super::providers::PROFILES;
use super::{AddressPolicy, DialRule, IdentityPolicy};

/// A provider, or a way to run a cluster, that needs settings of its own.
#[derive(Debug)]
#[non_exhaustive]
pub struct Profile {
    /// The name to choose it by, such as `azure-managed`.
    pub name: &'static str,
    /// The product's name, for people.
    pub title: &'static str,
    /// How its seeds are recognised. With a leading dot: names with this ending, in which `*` stands for one label.
    /// Without: exactly this host. Empty where a seed does not give the provider away.
    pub seed_suffixes: &'static [&'static str],
    /// The port of a seed that has none; `None` where the provider assigns a port to each database.
    pub default_seed_port: Option<u16>,
    /// Whether TLS is assumed where the user does not say.
    pub tls_default: bool,
    /// Where nodes are dialled.
    pub dial: &'static [DialRule],
    /// Which names will do.
    pub identity: IdentityPolicy,
    /// Known differences from an open-source server.
    pub traits: ProfileTraits,
    /// What a person should know, a sentence each.
    pub hints: &'static [&'static str],
    /// Whether only the seed's own name counts of what lies under its parent domain, since other customers have
    /// certificates there.
    pub narrows_scope: bool,
    /// The names of the nodes of a seed's cluster where they do not lie under its parent domain, or not alone there:
    /// a pattern in which `#` stands for a number. `None` for a seed that gives none.
    pub siblings: Option<fn(&str) -> Option<String>>,
}

/// Known differences of a provider's servers from open-source ones. The default is none: whatever is not
/// set has to be found out by asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProfileTraits {
    /// `CLUSTER MYID` is an error, so that a node cannot be told from another by its id.
    pub rejects_cluster_myid: bool,
    /// `READONLY` and `READWRITE` are errors.
    pub rejects_readonly: bool,
    /// `ASKING` is an error.
    pub rejects_asking: bool,
    /// `CLUSTER SHARDS` is unknown: a server before 7.0.
    pub rejects_cluster_shards: bool,
    /// RESP3 is known to be spoken.
    pub resp3: bool,
    /// The certificates are signed by a private authority, so the system's roots never suffice.
    pub private_ca: bool,
}

impl Profile {
    /// Every profile.
    pub fn all() -> &'static [Self] {
        &PROFILES
    }

    /// The profile of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
    }

    /// The profile that a seed's host gives away. The longest ending wins, so a profile need not know
    /// whether another one is more specific.
    pub fn detect(seed_host: &str) -> Option<&'static Self> {
        let host = seed_host.strip_suffix('.').unwrap_or(seed_host);
        let patterns =
            Self::all().iter().flat_map(|profile| profile.seed_suffixes.iter().map(move |p| (p, profile)));
        let matching = patterns.filter(|(pattern, _)| host_matches(pattern, host));
        matching.max_by_key(|(pattern, _)| pattern.split('.').count()).map(|(_, profile)| profile)
    }

    /// The policy of the profile, without rules of a user.
    pub fn policy(&self) -> AddressPolicy {
        AddressPolicy::new().with_profile(self)
    }
}

/// Whether a host fits a pattern of [`Profile::seed_suffixes`].
fn host_matches(pattern: &str, host: &str) -> bool {
    let Some(suffix) = pattern.strip_prefix('.') else { return pattern.eq_ignore_ascii_case(host) };
    let mut labels = host.rsplit('.');
    let fits = suffix.rsplit('.').all(|wanted| {
        labels
            .next()
            .is_some_and(|label| !label.is_empty() && (wanted == "*" || wanted.eq_ignore_ascii_case(label)))
    });
    fits && labels.next().is_some_and(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection() {
        for (host, name) in [
            ("my.westeurope.redis.azure.net", Some("azure-managed")),
            ("MY.westeurope.Redis.Azure.Net.", Some("azure-managed")),
            ("my.usgovvirginia.redis.usgovcloudapi.net", Some("azure-managed")),
            ("my.westus3.redisenterprise.cache.azure.net", Some("azure-enterprise")),
            ("my.redis.cache.windows.net", Some("azure-premium")),
            ("my.redis.cache.chinacloudapi.cn", Some("azure-premium")),
            ("my.chinanorth3.redis.chinacloudapi.cn", Some("azure-managed")),
            ("clustercfg.my.abc123.use1.cache.amazonaws.com", Some("elasticache")),
            ("my.abc123.clustercfg.euc1.cache.amazonaws.com", Some("elasticache")),
            ("my.abc123.clustercfg.cnn1.cache.amazonaws.com.cn", Some("elasticache")),
            ("my-abc123.serverless.use1.cache.amazonaws.com", Some("elasticache-serverless")),
            ("clustercfg.my.abc123.memorydb.us-east-1.amazonaws.com", Some("memorydb")),
            ("redis-12000.c1.us-east-1-2.ec2.cloud.redislabs.com", Some("redis-cloud")),
            ("redis-12000.internal.c1.us-east-1-2.ec2.cloud.rlrcp.com", Some("redis-cloud")),
            ("brave-otter-12.db.redis.io", Some("redis-cloud")),
            ("amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com", Some("oci")),
            ("r-bp1abc.redis.rds.aliyuncs.com", Some("alibaba")),
            ("redis-headless.cache.svc.cluster.local", Some("kubernetes")),
            ("127.0.0.1", Some("local-nat")),
            ("localhost", Some("local-nat")),
            ("10.128.0.9", None),
            ("redis.azure.net", None),
            (".redis.azure.net", None),
            ("redis.azure.net.example.com", None),
            ("xredis.azure.net", None),
            ("serverless.use1.cache.amazonaws.com", Some("elasticache")),
            ("", None),
        ] {
            assert_eq!(Profile::detect(host).map(|profile| profile.name), name, "{host}");
        }
    }

    #[test]
    fn the_table_is_consistent() {
        let expected = [
            "azure-managed",
            "azure-enterprise",
            "azure-premium",
            "elasticache",
            "elasticache-serverless",
            "memorydb",
            "gcp",
            "redis-cloud",
            "redis-enterprise",
            "oci",
            "alibaba",
            "kubernetes",
            "local-nat",
        ];
        assert!(Profile::all().iter().map(|profile| profile.name).eq(expected));
        let mut patterns: Vec<_> = Profile::all().iter().flat_map(|profile| profile.seed_suffixes).collect();
        let count = patterns.len();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), count, "two profiles share a pattern");
        for profile in Profile::all() {
            assert_eq!(Profile::named(profile.name).map(|found| found.title), Some(profile.title));
            assert!(
                !profile.hints.is_empty() && profile.hints.iter().all(|hint| hint.ends_with('.')),
                "{}",
                profile.name
            );
            assert!(profile.policy().rules().eq(profile.dial), "{}", profile.name);
        }
        assert!(Profile::named("Azure-Managed").is_some() && Profile::named("nowhere").is_none());
    }
}
