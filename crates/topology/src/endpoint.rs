//! [`Endpoint`]: the address of a node exactly as it was announced or configured.
//!
//! Endpoints are the keys of nodes everywhere: slot maps, redirects, pushes. They are never
//! translated; where to dial is decided by [`address`](crate::address) at dial time and only there,
//! so a redirect always finds the node the map speaks of. For the same reason the text of the host
//! is kept and compared as it came.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use truename_resp::Untrusted;

use crate::Typed;

/// A host (name or IP address) and a port, as announced by a cluster or configured by a user.
///
/// # Examples
/// ```
/// use truename_topology::Endpoint;
///
/// let node: Endpoint = "fe80::1:6379".parse()?;
/// assert_eq!(node, Endpoint::new("fe80::1", 6379));
/// assert_eq!((node.host(), node.port()), ("fe80::1", 6379));
/// assert!(node.ip().is_some_and(|ip| ip.is_ipv6()));
/// assert_eq!(node.to_string(), "[fe80::1]:6379");
///
/// assert_eq!(Endpoint::parse("redis.example.net", Some(6379))?.port(), 6379);
/// # Ok::<(), truename_topology::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: Arc<str>,
    port: u16,
}

impl Endpoint {
    /// An endpoint from its parts; the host of an IPv6 endpoint has no brackets. See the [example](Endpoint#examples).
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The host: a name, or an IP address without brackets. See the [example](Endpoint#examples).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port. See the [example](Endpoint#examples).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an IP address, if it is one. See the [example](Endpoint#examples).
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Reads `host:port`, `[v6]:port`, an IPv6 address followed by `:port`, or a bare host to which
    /// `default_port` is added. See the [example](Endpoint#examples).
    ///
    /// Servers announce IPv6 addresses without brackets, so the port is what follows the *last*
    /// colon wherever that leaves an address before it: `fe80::1:6379` is port 6379 of `fe80::1`.
    ///
    /// # Errors
    /// [`EndpointError`] when there is no host, no usable port, or text that cannot be an address.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, EndpointError> {
        let fail = |problem| EndpointError { quoted: Typed(text).to_string(), problem };
        let (host, port) = split_port(text).map_err(fail)?;
        if host.is_empty() {
            return Err(fail(EndpointProblem::NoHost));
        }
        if !is_plausible_host(host) {
            return Err(fail(EndpointProblem::BadHost));
        }
        let port = match port {
            Some(digits) => parse_port(digits).ok_or_else(|| fail(EndpointProblem::BadPort))?,
            None => default_port.ok_or_else(|| fail(EndpointProblem::NoPort))?,
        };
        Ok(Self::new(host, port))
    }

    /// The endpoint a node announced, read as clients must (Redis documentation of `CLUSTER SLOTS`).
    ///
    /// An empty host (NULL on the wire) and the unspecified addresses mean "the host that answered".
    /// `None` for `?`, by which a server says that it does not know.
    pub(crate) fn announced(host: &str, port: u16, answered_by: &str) -> Option<Self> {
        match host {
            "?" => None,
            _ if !says_host(host) => Some(Self::new(answered_by, port)),
            _ => Some(Self::new(host, port)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, &self.host, self.port)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// [`Endpoint::parse`] without a default port.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text, None)
    }
}

/// Why a text is not an endpoint.
///
/// # Examples
/// ```
/// use truename_topology::Endpoint;
/// use truename_topology::endpoint::EndpointProblem;
///
/// let error = Endpoint::parse("redis.example.net", None).expect_err("no port, and none to assume");
/// assert_eq!(error.problem(), EndpointProblem::NoPort);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{quoted} is not an address: {problem}")]
pub struct EndpointError {
    /// The text as it may be shown.
    quoted: String,
    problem: EndpointProblem,
}

impl EndpointError {
    /// What is wrong with the text. See the [example](EndpointError#examples).
    pub fn problem(&self) -> EndpointProblem {
        self.problem
    }
}

/// What is wrong with the text of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointProblem {
    /// There is nothing before the port.
    #[error("the host is missing, write `host:port`")]
    NoHost,
    /// No port was given and there is no default.
    #[error("the port is missing, write `host:port`, or `[address]:port` for IPv6")]
    NoPort,
    /// What follows the last colon is not a port from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    BadPort,
    /// The host has characters that no host name or address has.
    #[error("the host must be a name or an IP address, without scheme, path or spaces")]
    BadHost,
    /// `[` without `]`, or brackets around something other than an IPv6 address.
    #[error("brackets must hold an IPv6 address, as in `[::1]:6379`")]
    Brackets,
}

/// Writes `host:port`, with brackets around IPv6 addresses. Most hosts come from peers. No host has an `@`: a text with one
/// was put in its place by mistake, and may hold a password.
pub(crate) fn write_host_port(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains('@') {
        return write!(f, "{}", Typed(host));
    }
    let shown = Untrusted(host);
    if host.contains(':') { write!(f, "[{shown}]:{port}") } else { write!(f, "{shown}:{port}") }
}

/// A port from 1 to 65535, in digits only.
pub(crate) fn parse_port(digits: &str) -> Option<u16> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&port| all_digits && port != 0)
}

/// Whether text can be an IPv6 address, with or without a zone such as `%eth0`.
pub(crate) fn is_ipv6(text: &str) -> bool {
    let (address, _zone) = text.split_once('%').unwrap_or((text, ""));
    address.parse::<Ipv6Addr>().is_ok()
}

/// Whether text can be a host at all. Loose on purpose: clusters announce names that DNS forbids.
pub(crate) fn is_plausible_host(host: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "/@[]{}=,\"'?#\\".contains(c);
    // After a `%` comes the zone of an IPv6 address, or part of what was encoded for a URL.
    !host.is_empty() && !host.contains(forbidden) && (!host.contains([':', '%']) || is_ipv6(host))
}

/// Whether a host that a peer announces can be one.
pub(crate) fn is_announceable(host: &str) -> bool {
    host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_graphic()) && is_plausible_host(host)
}

/// Whether a server may announce this as a host: also nothing, and `?`.
pub(crate) fn is_announced_host(host: &str) -> bool {
    matches!(host, "" | "?") || is_announceable(host)
}

/// Whether an announced host says which one it is: nothing and the unspecified addresses mean "the host that answered".
pub(crate) fn says_host(host: &str) -> bool {
    !host.is_empty() && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

/// Splits the text of an address into host and, if it has one, port digits.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<&str>), EndpointProblem> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(EndpointProblem::Brackets)?;
        return match (is_ipv6(host), after.strip_prefix(':'), after) {
            (true, Some(port), _) => Ok((host, Some(port))),
            (true, None, "") => Ok((host, None)),
            _ => Err(EndpointProblem::Brackets),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || is_ipv6(host) => Ok((host, Some(port))),
        _ => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_every_form() {
        for (text, default, host, port) in [
            ("cache.example.net:6380", None, "cache.example.net", 6380),
            ("cache.example.net", Some(10_000), "cache.example.net", 10_000),
            ("10.0.0.4:8501", Some(1), "10.0.0.4", 8501),
            ("[::1]:6379", None, "::1", 6379),
            ("[2001:db8::7]", Some(6379), "2001:db8::7", 6379),
            ("2001:db8::7:6379", None, "2001:db8::7", 6379),
            ("::1", Some(6379), "::1", 6379),
            ("1:2:3:4:5:6:7:8", Some(6379), "1:2:3:4:5:6:7:8", 6379),
            ("1:2:3:4:5:6:7:8:6379", None, "1:2:3:4:5:6:7:8", 6379),
            ("fe80::1%eth0:6379", None, "fe80::1%eth0", 6379),
            ("redis_1:7000", None, "redis_1", 7000),
        ] {
            assert_eq!(Endpoint::parse(text, default), Ok(Endpoint::new(host, port)), "{text}");
        }
    }

    #[test]
    fn refuses_with_a_reason() {
        use EndpointProblem::*;
        for (text, problem) in [
            ("", NoHost),
            (":6379", NoHost),
            ("host", NoPort),
            ("::1", NoPort),
            ("host:", BadPort),
            ("host:0", BadPort),
            ("host:65536", BadPort),
            ("host:+1", BadPort),
            ("redis://host:6379", BadHost),
            ("a b:1", BadHost),
            ("a:b:1", BadHost),
            ("?:8501", BadHost),
            ("[::1:6379", Brackets),
            ("[host]:1", Brackets),
            ("[::1]6379", Brackets),
        ] {
            assert_eq!(Endpoint::parse(text, None).unwrap_err().problem(), problem, "{text}");
        }
    }

    #[test]
    fn announced_hosts() {
        let read = |host| Endpoint::announced(host, 1, "seed").map(|endpoint| endpoint.to_string());
        for unsaid in ["", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"] {
            assert_eq!(read(unsaid).as_deref(), Some("seed:1"), "{unsaid:?}");
        }
        assert_eq!(read("?"), None);
        assert_eq!(read("::1").as_deref(), Some("[::1]:1"));
        assert_eq!(read("node-1").as_deref(), Some("node-1:1"));
    }

    #[test]
    fn the_host_is_kept_as_announced() {
        assert_ne!(Endpoint::new("Node-1", 1), Endpoint::new("node-1", 1));
        assert_eq!(Endpoint::new("10.0.0.4", 1).ip(), Some(IpAddr::from([10, 0, 0, 4])));
        assert_eq!(Endpoint::new("node-1", 1).ip(), None);
    }

    proptest! {
        #[test]
        fn display_parses_back(ip: IpAddr, name in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,40}", port in 1u16..) {
            for host in [ip.to_string(), name] {
                let endpoint = Endpoint::new(host, port);
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }

        #[test]
        fn parse_never_panics(text in ".*", default: Option<u16>) {
            let _ = Endpoint::parse(&text, default);
        }
    }
}
