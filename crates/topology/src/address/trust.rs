//! [`Trust`]: a name or address that the user allows a cluster to announce, and its text form.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;

use super::IdentityName;
use crate::Typed;

/// What the user allows a cluster to announce beyond the [scope](super::Scope) that its seeds give. As text:
///
/// | text | admits |
/// |---|---|
/// | `node-1.example.net` | this name |
/// | `*.example.net` | every name below it, at any depth, and not `example.net` itself |
/// | `10.0.0.4`, `::1` | this address, in any spelling |
/// | `10.0.0.0/8`, `2001:db8::/32` | the addresses of a network |
///
/// IPv6 may be written in brackets, as in dial rules. There is no form that admits everything: for that, give
/// the cluster's own authority instead of trusting public ones.
///
/// # Examples
/// ```
/// use truename_topology::{IdentityName, Trust};
///
/// let trust: Trust = "*.example.net".parse()?;
/// assert!(trust.admits(&IdentityName::parse("node-1.eu.example.net")?));
/// assert!(!trust.admits(&IdentityName::parse("example.net")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// One DNS name or one IP address.
    Name(IdentityName),
    /// Every name that ends in a dot and this name: lower case, no leading dot.
    Suffix(Arc<str>),
    /// Every address of a network.
    Network(IpNet),
}

impl Trust {
    /// Whether this name or address is allowed. See the [example](Trust#examples).
    pub fn admits(&self, name: &IdentityName) -> bool {
        match (self, name) {
            (Self::Name(trusted), _) => same(trusted, name),
            (Self::Suffix(suffix), IdentityName::Dns(name)) => is_under(name, suffix),
            (Self::Network(network), IdentityName::Ip(ip)) => network.contains(&ip.to_canonical()),
            _ => false,
        }
    }
}

/// Whether two names are the same one; an IPv4 address is the same in its IPv6 form.
pub(super) fn same(one: &IdentityName, other: &IdentityName) -> bool {
    match (one, other) {
        (IdentityName::Ip(one), IdentityName::Ip(other)) => one.to_canonical() == other.to_canonical(),
        _ => one == other,
    }
}

/// Whether a name lies below another, at any depth. Both in lower case.
pub(super) fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

impl From<IdentityName> for Trust {
    fn from(name: IdentityName) -> Self {
        Self::Name(name)
    }
}

impl FromStr for Trust {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        parse(text.trim()).ok_or_else(|| TrustError { quoted: Typed(text).to_string() })
    }
}

fn parse(text: &str) -> Option<Trust> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.contains('/') {
        return bare.parse().ok().map(|network: IpNet| Trust::Network(network.trunc()));
    }
    match text.strip_prefix("*.") {
        None => IdentityName::parse(text).ok().map(Trust::Name),
        Some(suffix) => IdentityName::parse(suffix).ok()?.as_dns().cloned().map(Trust::Suffix),
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// Why a text names nothing to trust.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{quoted} cannot be trusted: write a name such as `node-1.example.net`, every name below one such as \
     `*.example.net`, an address such as `10.0.0.4`, or a network such as `10.0.0.0/8`"
)]
pub struct TrustError {
    quoted: String,
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_each_form_admits() {
        for (trust, name, admits) in [
            ("node-1.example.net", "Node-1.Example.NET.", true),
            ("Node-1.Example.NET.", "node-1.example.net", true),
            ("node-1.example.net", "a.node-1.example.net", false),
            ("redis-0", "redis-0", true),
            ("*.example.net", "node-1.example.net", true),
            ("*.Example.net", "a.b.c.example.net", true),
            ("*.example.net", "example.net", false),
            ("*.example.net", "evilexample.net", false),
            ("*.example.net", "example.net.evil", false),
            ("*.example.net", "10.0.0.4", false),
            ("10.0.0.4", "10.0.0.4", true),
            ("10.0.0.4", "::ffff:10.0.0.4", true),
            ("::ffff:10.0.0.4", "10.0.0.4", true),
            ("10.0.0.4", "10.0.0.5", false),
            ("[2001:db8::1]", "2001:db8:0::1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "ten.example.net", false),
            ("[2001:db8::/32]", "2001:db8::7", true),
            ("0.0.0.0/0", "2001:db8::7", false),
        ] {
            let trust: Trust = trust.parse().unwrap();
            assert_eq!(trust.admits(&IdentityName::parse(name).unwrap()), admits, "{trust} {name}");
        }
    }

    #[test]
    fn what_cannot_be_trusted_shows_what_can() {
        for text in
            ["", "*", "*.", "*.*.example.net", "a*.example.net", "10.0.0.0/33", "*.10.0.0.4", "host:1", "a b"]
        {
            let error = text.parse::<Trust>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("`*.example.net`"), "{error}");
        }
    }

    fn name() -> impl Strategy<Value = IdentityName> {
        let dns = "[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?(\\.[a-z]{1,8}){0,3}";
        let dns = dns.prop_filter_map("a name", |text| IdentityName::parse(&text).ok());
        prop_oneof![dns, any::<IpAddr>().prop_map(IdentityName::Ip)]
    }

    fn trust() -> impl Strategy<Value = Trust> {
        prop_oneof![
            name().prop_map(Trust::Name),
            name().prop_filter_map("a suffix", |name| name.as_dns().cloned().map(Trust::Suffix)),
            (any::<std::net::Ipv4Addr>(), 0u8..=32)
                .prop_map(|(ip, bits)| Trust::Network(IpNet::new(ip.into(), bits).unwrap().trunc())),
            (any::<std::net::Ipv6Addr>(), 0u8..=128)
                .prop_map(|(ip, bits)| Trust::Network(IpNet::new(ip.into(), bits).unwrap().trunc())),
        ]
    }

    proptest! {
        #[test]
        fn trust_round_trips(trust in trust()) {
            prop_assert_eq!(trust.to_string().parse::<Trust>(), Ok(trust));
        }

        #[test]
        fn whatever_is_read_is_written_as_it_is_read(text in ".{0,20}|[a-z0-9.*:/\\[\\]-]{0,30}") {
            if let Ok(trust) = text.parse::<Trust>() {
                prop_assert_eq!(trust.to_string().parse::<Trust>(), Ok(trust));
            }
        }
    }
}
