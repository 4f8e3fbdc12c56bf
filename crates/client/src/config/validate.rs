//! Which configurations cannot work.

use truename_topology::{Endpoint, Typed};

use super::Config;
use super::plaintext::PlaintextGuard;
use crate::error::{Error, Remedy};

impl Config {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if let Some(misspelt) = self.misspelt.first() {
            return Err(misspelt.clone());
        }
        self.validate_identity()?;
        self.timing.check()?;
        if self.seeds.is_empty() {
            return Err(Error::config_with_remedy("no seed is given", "add one with Config::seed"));
        }
        for seed in &self.seeds {
            // The builder takes any text, such as a whole URL.
            if seed.host().contains('@') || Endpoint::parse(&seed.to_string(), None).is_err() {
                return Err(Error::config_with_remedy(
                    format!(
                        "{} is not a host and a port",
                        Typed(&format!("{}:{}", seed.host(), seed.port()))
                    ),
                    "give the name or address alone, IPv6 without brackets; Config::from_url reads URLs",
                ));
            }
        }
        if self.tls.is_none() && self.rules.iter().any(|rule| !rule.pins.is_empty()) {
            return Err(Error::config_with_remedy(
                "a dial rule pins public keys, which needs TLS",
                Remedy::TlsOrWithout { what: "pins" },
            ));
        }
        let hosts = self.seeds.iter().map(Endpoint::host);
        if let Some(provider) = PlaintextGuard::of(self).provider(hosts) {
            let what =
                format!("the password is not sent in plaintext to {}, which speaks TLS", provider.title);
            return Err(Error::config_with_remedy(what, Remedy::TlsOrNoPassword));
        }
        Ok(())
    }
}
