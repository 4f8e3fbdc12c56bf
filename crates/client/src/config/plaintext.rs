//! Where a plaintext client may log in.
//!
//! Must stay true: no credentials leave in plaintext for a host whose provider speaks TLS, whether the host was
//! configured, announced, named by a redirect, or is where a rule leads; unless the user said otherwise by a method
//! whose name begins with `danger_`.

use truename_topology::Profile;

use super::Config;

/// Decides whether a host may be sent the credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaintextGuard {
    is_armed: bool,
    chosen: Option<&'static Profile>,
}

impl PlaintextGuard {
    /// The guard of a configuration: it has something to do only where credentials would travel in plaintext.
    pub(crate) fn of(config: &Config) -> Self {
        let is_armed =
            config.tls.is_none() && config.credentials.is_some() && !config.plaintext_credentials_allowed;
        Self { is_armed, chosen: config.profile }
    }

    /// The provider that speaks TLS and that one of these names of a node belongs to.
    pub(crate) fn provider<'a>(&self, hosts: impl IntoIterator<Item = &'a str>) -> Option<&'static Profile> {
        if !self.is_armed {
            return None;
        }
        let speaks_tls = |profile: &&Profile| profile.tls_default;
        let chosen = self.chosen.filter(speaks_tls);
        chosen.or_else(|| hosts.into_iter().find_map(|host| Profile::detect(host).filter(speaks_tls)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_where_the_provider_speaks_tls() {
        let azure = "my.westus3.redis.azure.net";
        let named = |name| Profile::named(name).expect("a profile");
        let plain = Config::new().plaintext();
        let login = plain.clone().password("sesame");
        let rows = [
            (Config::new().password("sesame"), vec![azure], None),
            (plain, vec![azure], None),
            (login.clone(), vec![azure], Some("azure-managed")),
            (login.clone(), vec!["MY.WestUS3.Redis.Azure.NET."], Some("azure-managed")),
            (login.clone(), vec!["localhost", "x.y.use1.cache.amazonaws.com"], Some("elasticache")),
            (login.clone(), vec!["localhost", "cache.example.net"], None),
            (login.clone().profile(named("memorydb")), vec!["localhost"], Some("memorydb")),
            (login.clone().profile(named("local-nat")), vec![azure], Some("azure-managed")),
            (login.danger_plaintext_credentials(), vec![azure], None),
        ];
        for (config, hosts, provider) in rows {
            let found = PlaintextGuard::of(&config).provider(hosts.iter().copied());
            assert_eq!(found.map(|profile| profile.name), provider, "{hosts:?}");
        }
    }
}
