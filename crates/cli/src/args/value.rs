//! Readers of single option values. Each error says what is wrong and shows a value of the right form.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use truename::TlsVersion;
use truename::topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Pin, Profile, Trust, Typed};

/// One `--resolve`: the address of a host name, for one port or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolveEntry {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) address: IpAddr,
}

/// Reads `HOST:ADDR` or `HOST:PORT:ADDR`. An IPv6 address may stand in brackets; a host is a name, never one.
pub(crate) fn resolve(text: &str) -> Result<ResolveEntry, String> {
    const FORM: &str = "write HOST:ADDR or HOST:PORT:ADDR, such as cache.example.net:127.0.0.1, \
                        cache.example.net:10000:127.0.0.1 or cache.example.net:[::1]";
    let fail = |why: String| format!("{why}; {FORM}");
    // A part of a URL with a password is as secret as the whole.
    let shown = |part: &str| Typed(if text.contains('@') { text } else { part }).to_string();
    let (host, rest) = text.split_once(':').ok_or_else(|| fail("there is no address".to_owned()))?;
    if host.is_empty() || host.contains(['[', '/', '@']) {
        return Err(fail(format!("{} is not a host name", shown(host))));
    }
    let entry = |port, address| ResolveEntry { host: host.to_owned(), port, address };
    if let Some(address) = address(rest) {
        return Ok(entry(None, address));
    }
    let Some((port, last)) = rest.split_once(':') else {
        return Err(fail(format!("{} is not an IP address", shown(rest))));
    };
    let port = port.parse().ok().filter(|&port| port != 0);
    let port = port.ok_or_else(|| fail("the part in the middle is not a port".to_owned()))?;
    let address = address(last).ok_or_else(|| fail(format!("{} is not an IP address", shown(last))))?;
    Ok(entry(Some(port), address))
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
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
    fn resolve_entries() {
        let v4: IpAddr = "127.0.0.1".parse().unwrap();
        let v6: IpAddr = "::1".parse().unwrap();
        for (text, port, address) in [
            ("a.test:127.0.0.1", None, v4),
            ("a.test:443:127.0.0.1", Some(443), v4),
            ("a.test:[::1]", None, v6),
            ("a.test:::1", None, v6),
            ("a.test:443:[::1]", Some(443), v6),
        ] {
            let expected = ResolveEntry { host: "a.test".to_owned(), port, address };
            assert_eq!(resolve(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_resolve_entries_say_what_is_wrong() {
        for (text, why) in [
            ("a.test", "there is no address"),
            (":127.0.0.1", "`` is not a host name"),
            ("a.test:localhost", "`localhost` is not an IP address"),
            ("a.test:0:127.0.0.1", "not a port"),
            ("a.test:99999:127.0.0.1", "not a port"),
            ("a.test:443:b.test", "`b.test` is not an IP address"),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(error.contains(why) && error.contains("HOST:PORT:ADDR"), "{text}: {error}");
        }
    }

    #[test]
    fn other_wrong_values_show_a_right_one() {
        assert!(rule("10.0.0.4").unwrap_err().contains("for example"));
        assert!(identity("*.example.net").unwrap_err().contains("cache.example.net"));
        assert!(identity_policy("all").unwrap_err().contains("only:NAME"));
        assert!(trust("*").unwrap_err().contains("*.example.net"));
        assert!(duration("5").unwrap_err().contains("250ms"));
        assert!(profile("azur").unwrap_err().contains("azure-managed"));
        assert!(lab_profile("azur").unwrap_err().contains("per-node-certs"));
    }
}
