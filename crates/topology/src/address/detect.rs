//! Which [`Profile`] has a name, and which one a seed's host implies.

use super::Profile;
use super::providers::PROFILES;

impl Profile {
    /// Every profile. See the [example](Profile#examples).
    pub fn all() -> &'static [Self] {
        &PROFILES
    }

    /// The profile of this name. See the [example](Profile#examples).
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
    }

    /// The profile that a seed's host implies. The longest ending wins, so a profile need not know
    /// whether another one is more specific. See the [example](Profile#examples).
    pub fn detect(seed_host: &str) -> Option<&'static Self> {
        let host = seed_host.strip_suffix('.').unwrap_or(seed_host);
        let patterns =
            Self::all().iter().flat_map(|profile| profile.seed_suffixes.iter().map(move |p| (p, profile)));
        let matching = patterns.filter(|(pattern, _)| host_matches(pattern, host));
        matching.max_by_key(|(pattern, _)| pattern.split('.').count()).map(|(_, profile)| profile)
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
