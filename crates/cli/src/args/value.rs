//! Readers of single option values. Each error says what is wrong and shows a value of the right form.

use std::str::FromStr;
use std::time::Duration;

use truename::environment::HostAddress;
use truename::topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Pin, Profile, Trust};
use truename::{Error, TlsVersion};

/// Reads the address of a host name.
pub(crate) fn resolve(text: &str) -> Result<HostAddress, String> {
    HostAddress::from_str(text).map_err(|error| match error {
        Error::Config(error) => match &error.remedy {
            Some(remedy) => format!("{}; {remedy}", error.what),
            None => error.what,
        },
        other => other.to_string(),
    })
}

/// Reads the address of a node, as a cluster announces it.
pub(crate) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::from_str(text).map_err(|error| error.to_string())
}

/// Reads a dial rule.
pub(crate) fn rule(text: &str) -> Result<DialRule, String> {
    DialRule::from_str(text).map_err(|error| error.to_string())
}

/// Reads a name that a certificate can prove.
pub(crate) fn identity(text: &str) -> Result<IdentityName, String> {
    IdentityName::parse(text).map_err(|error| error.to_string())
}

/// Reads an identity policy.
pub(crate) fn identity_policy(text: &str) -> Result<IdentityPolicy, String> {
    IdentityPolicy::from_str(text).map_err(|error| error.to_string())
}

/// Reads what a cluster may announce.
pub(crate) fn trust(text: &str) -> Result<Trust, String> {
    Trust::from_str(text).map_err(|error| error.to_string())
}

/// Reads a pinned key.
pub(crate) fn pin(text: &str) -> Result<Pin, String> {
    Pin::from_str(text).map_err(|error| error.to_string())
}

/// Reads a TLS version.
pub(crate) fn tls_version(text: &str) -> Result<TlsVersion, String> {
    TlsVersion::from_str(text).map_err(|_| "write 1.2 or 1.3".to_owned())
}

/// Reads a time such as `250ms`, `2s` or `1m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    truename::url::parse_duration("a time", text)
        .map_err(|_| "write a number with a unit, such as 250ms, 2s or 1m".to_owned())
}

/// Reads a profile's name.
pub(crate) fn profile(text: &str) -> Result<&'static Profile, String> {
    Profile::named(text).ok_or_else(|| format!("the profiles are {}", profile_names()))
}

/// The profiles for `--help`.
pub(crate) fn profile_help() -> String {
    format!("The provider profile to use instead of the one that the host name suggests: {}", profile_names())
}

fn profile_names() -> String {
    Profile::all().iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ")
}

/// Reads a lab profile's name.
pub(crate) fn lab_profile(text: &str) -> Result<truename_lab::LabProfile, String> {
    text.parse().map_err(|_| {
        let names = truename_lab::LabProfile::ALL.map(truename_lab::LabProfile::name);
        format!("the lab's profiles are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_show_a_right_one() {
        let said = resolve("a.test:localhost").unwrap_err();
        assert_eq!(said.lines().count(), 1);
        assert!(said.contains("`localhost` is not") && said.contains("HOST:PORT:ADDR"), "{said}");
        assert!(rule("10.0.0.4").unwrap_err().contains("for example"));
        assert!(identity("*.example.net").unwrap_err().contains("cache.example.net"));
        assert!(identity_policy("all").unwrap_err().contains("only:NAME"));
        assert!(trust("*").unwrap_err().contains("*.example.net"));
        assert!(duration("5").unwrap_err().contains("250ms"));
        assert!(profile("azur").unwrap_err().contains("azure-managed"));
        assert!(lab_profile("azur").unwrap_err().contains("per-node-certs"));
    }
}
