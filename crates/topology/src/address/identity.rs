//! [`IdentityName`]: a name that a certificate can prove, and [`Identity`]: an acceptable one, with the reason.
//!
//! The rules, and why they are sound, are in the [module above](super).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use truename_resp::Untrusted;

use crate::Typed;

/// A host name or an IP address, as it appears among a certificate's subject alternative names.
///
/// # Examples
/// ```
/// use truename_topology::IdentityName;
///
/// assert_eq!(IdentityName::parse("Cache.Example.NET.")?.to_string(), "cache.example.net");
/// assert!(IdentityName::parse("*.example.net").is_err());
/// assert!(IdentityName::parse("10.0.0.4")?.as_dns().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityName {
    /// A DNS name: lower case, no trailing dot, no wildcard.
    Dns(Arc<str>),
    /// An IP address; matches only an IP entry of the certificate (RFC 9525, section 6.5).
    Ip(IpAddr),
}

impl IdentityName {
    /// Reads a DNS name or an IP address (IPv6 with or without brackets). See the [example](IdentityName#examples).
    ///
    /// A trailing dot is dropped, because certificates carry none, and so is the zone of an IPv6 address, which
    /// has a meaning on this machine only. An underscore is let through: names of containers have it.
    ///
    /// # Errors
    /// [`IdentityError`] for wildcards, which only a certificate can have, and for anything that is not a name.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let fail = |problem| IdentityError { quoted: Typed(text).to_string(), problem };
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let ip = match bare.split_once('%') {
            Some((address, _zone)) => address.parse::<Ipv6Addr>().map(IpAddr::V6),
            None => bare.parse(),
        };
        if let Ok(ip) = ip {
            return Ok(Self::Ip(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        check_dns(name).map_err(fail)?;
        Ok(Self::Dns(name.to_ascii_lowercase().into()))
    }

    /// The DNS name, if it is one. See the [example](IdentityName#examples).
    pub fn as_dns(&self) -> Option<&Arc<str>> {
        match self {
            Self::Dns(name) => Some(name),
            Self::Ip(_) => None,
        }
    }
}

/// A name of labels (RFC 1123) of at most 253 bytes (RFC 1035, section 2.3.4), with underscores allowed.
fn check_dns(name: &str) -> Result<(), NameProblem> {
    let is_label_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        let hyphens = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !hyphens && label.bytes().all(is_label_byte)
    };
    // A last label of digits only is what is left of a mistyped IPv4 address.
    let ends_in_number =
        || name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if name.contains('*') {
        Err(NameProblem::Wildcard)
    } else if !name.is_ascii() {
        Err(NameProblem::NotAscii)
    } else if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) || ends_in_number() {
        Err(NameProblem::Syntax)
    } else {
        Ok(())
    }
}

impl FromStr for IdentityName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::parse(text)
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => Untrusted(name).fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// Why a text cannot be proved by a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{quoted} is not a name to verify: {problem}")]
pub struct IdentityError {
    /// The text as it may be shown.
    quoted: String,
    problem: NameProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum NameProblem {
    #[error("a wildcard can stand in a certificate only; write the full name, such as `cache.example.net`")]
    Wildcard,
    #[error("write international names in their ASCII form, `xn--...`")]
    NotAscii,
    #[error("it is neither a host name nor an IP address")]
    Syntax,
}

/// A name that will do, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// The name.
    pub name: IdentityName,
    /// Where it comes from.
    pub source: IdentitySource,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.source)
    }
}

/// Why a name is trusted for a node. Where several reasons lead to the same name, the first one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentitySource {
    /// The user set it for all nodes: in addition to others, or alone.
    Fixed,
    /// The host of the node's announced endpoint.
    Announced,
    /// The `hostname` metadata in addition to the endpoint.
    Hostname,
    /// The host of the configured seed whose authenticated answer led to the node.
    Seed,
    /// The user's closure returned it.
    Custom,
}

impl fmt::Display for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed name",
            Self::Announced => "announced address",
            Self::Hostname => "announced host name",
            Self::Seed => "seed",
            Self::Custom => "custom rule",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for (text, name) in [
            ("cache.example.net", "cache.example.net"),
            ("Cache.Example.NET.", "cache.example.net"),
            ("localhost", "localhost"),
            ("redis_1", "redis_1"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("3com.example", "3com.example"),
        ] {
            assert_eq!(IdentityName::parse(text), Ok(IdentityName::Dns(name.into())), "{text}");
        }
        for (text, ip) in [
            ("10.0.0.4", "10.0.0.4"),
            ("2001:db8:0::7", "2001:db8::7"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            assert_eq!(IdentityName::parse(text), Ok(IdentityName::Ip(ip.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn texts_that_no_certificate_proves() {
        let long_label = format!("{}.net", "a".repeat(64));
        let long_name = vec!["a".repeat(60); 5].join(".");
        for (text, problem) in [
            ("*.example.net", NameProblem::Wildcard),
            ("bücher.example", NameProblem::NotAscii),
            ("", NameProblem::Syntax),
            (".", NameProblem::Syntax),
            ("a..b", NameProblem::Syntax),
            ("-a.net", NameProblem::Syntax),
            ("a-.net", NameProblem::Syntax),
            ("a b", NameProblem::Syntax),
            ("host:6379", NameProblem::Syntax),
            ("10.0.0.256", NameProblem::Syntax),
            ("10.0.0", NameProblem::Syntax),
            ("?", NameProblem::Syntax),
            (&long_label, NameProblem::Syntax),
            (&long_name, NameProblem::Syntax),
        ] {
            assert_eq!(IdentityName::parse(text).unwrap_err().problem, problem, "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(text in ".{0,30}|[a-z0-9_.-]{0,30}") {
            if let Ok(name) = IdentityName::parse(&text) {
                prop_assert_eq!(IdentityName::parse(&name.to_string()), Ok(name));
            }
        }
    }
}
