//! [`DialRule`]: which announced endpoints, and where they are dialled instead.
//!
//! Rules are plain values and can be written in a `const`. Their text form is in [`text`](super::text).

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use super::{DialAddress, Pin, PlanError};
use crate::Endpoint;
use crate::endpoint::{parse_port, split_port};

/// One rule: endpoints that match are dialled at the target.
///
/// Its text form, for command lines and configuration files, is `MATCH[:PORT|:LOW-HIGH]=TARGET`; ports before the `=` are the
/// announced ones.
///
/// | MATCH | hosts |
/// |---|---|
/// | `*` | any |
/// | `ip` | any IP address |
/// | `10.0.0.0/8`, `[2001:db8::/32]` | a network |
/// | `10.0.0.4`, `[::1]`, `node-1.example.net` | one host |
/// | `*.svc.local` | names with this ending |
///
/// | TARGET | dialled |
/// |---|---|
/// | `announced` | the announced address and nothing else |
/// | `seed`, `seed:6380`, `seed:+1000`, `seed:-1000` | the seed's host, with the announced, this, or a shifted port |
/// | `host`, `host:6380`, `host:+1000`, `[::1]:6380` | this host, likewise |
/// | `{host}.example.net:{port}` | a template of `{host}`, `{port}` and `{seed}` |
///
/// A rule may end in ` pin=sha256/BASE64`, several times: nodes that it dials must then present one of these public keys
/// ([`Pin`]), in addition to everything else that is asked of them: `ip=seed pin=sha256/47DEQpj8HBSa+/TImW+…`.
///
/// A host that is called `ip`, `announced` or `seed` cannot be written, and neither can a
/// [`DialTo::Table`]: write one rule per line of it, such as `10.0.0.4:8501=127.0.0.1:18501`.
///
/// # Examples
/// ```
/// use truename_topology::{DialAddress, DialRule, DialTo, Endpoint, HostMatch, PortRule};
///
/// let rule: DialRule = "10.0.0.0/8:8500-8599=seed".parse()?;
/// assert!(rule.matches(&Endpoint::new("10.0.0.4", 8501)));
/// assert!(!rule.matches(&Endpoint::new("10.0.0.4", 6379)));
///
/// let seed = Endpoint::new("cache.example.net", 10_000);
/// let dialled = rule.dial(&Endpoint::new("10.0.0.4", 8501), &seed)?;
/// assert_eq!(dialled, Some(DialAddress::new("cache.example.net", 8501)));
///
/// // The same in code, with a public key that these nodes have to present.
/// let network = HostMatch::Cidr("10.0.0.0/8".parse()?);
/// let same = DialRule::new(network, DialTo::SeedHost { port: PortRule::Keep }).on_ports(8500..=8599);
/// assert_eq!(same, rule);
/// let pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse()?;
/// assert_eq!(same.with_pins([pin]).pins.len(), 1);
///
/// // One address for each node.
/// let node = Endpoint::new("10.0.0.4", 8501);
/// let table = DialRule::table([(node.clone(), DialAddress::new("127.0.0.1", 18501))]);
/// assert!(table.matches(&node) && !table.matches(&seed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialRule {
    /// The hosts it applies to.
    pub when: HostMatch,
    /// The announced ports it applies to.
    pub ports: RangeInclusive<u16>,
    /// Where the endpoints are dialled.
    pub to: DialTo,
    /// Pinned public keys: a node that this rule dials must present one of them, in addition to everything else that is
    /// required of it. Empty for no such condition.
    pub pins: Vec<Pin>,
}

/// Which hosts a rule applies to. Names are compared without regard to case.
///
/// # Examples
/// ```
/// use truename_topology::HostMatch;
///
/// let suffix = HostMatch::Suffix("example.net".into());
/// assert!(suffix.matches("Node-1.Example.NET") && !suffix.matches("example.net"));
/// assert!(HostMatch::Ip.matches("10.0.0.4") && !HostMatch::Ip.matches("node-1.example.net"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostMatch {
    /// Every host.
    Any,
    /// Every IP address, of either version.
    Ip,
    /// The IP addresses of a network.
    Cidr(IpNet),
    /// This host only: a name, or an IP address in any spelling.
    Host(Arc<str>),
    /// The names that end in a dot and this text, which has no leading dot itself.
    Suffix(Arc<str>),
}

/// Where a matching endpoint is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialTo {
    /// At the announced address, and nowhere else.
    Announced,
    /// At the seed's host.
    SeedHost {
        /// The port there.
        port: PortRule,
    },
    /// At a fixed host.
    Fixed {
        /// The host; an IPv6 address has no brackets.
        host: Arc<str>,
        /// The port there.
        port: PortRule,
    },
    /// At `host` or `host:port`, with `{host}`, `{port}` and `{seed}` replaced by the announced host, the
    /// announced port and the seed's host. Without a port, the announced one is kept.
    Template(Arc<str>),
    /// At the address that the table lists; if it lists none, the next rule is asked.
    Table(HashMap<Endpoint, DialAddress>),
}

/// How the port to dial follows from the announced one.
///
/// # Examples
/// ```
/// use truename_topology::PortRule;
///
/// assert_eq!(PortRule::Offset(1000).apply(8501), Some(9501));
/// assert_eq!(PortRule::Offset(-9000).apply(8501), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortRule {
    /// The announced port.
    Keep,
    /// This port.
    Set(u16),
    /// The announced port plus this number. A result below 1 or above 65535 is an error when the plan is made.
    Offset(i32),
}

impl DialRule {
    /// A rule for these hosts on any port. See the [example](DialRule#examples).
    pub const fn new(when: HostMatch, to: DialTo) -> Self {
        Self { when, ports: 0..=u16::MAX, to, pins: Vec::new() }
    }

    /// The same rule for these announced ports only. See the [example](DialRule#examples).
    #[must_use]
    pub fn on_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = ports;
        self
    }

    /// The same rule, which accepts only nodes that present one of these public keys. This needs TLS. See the
    /// [example](DialRule#examples).
    #[must_use]
    pub fn with_pins(mut self, pins: impl IntoIterator<Item = Pin>) -> Self {
        self.pins.extend(pins);
        self
    }

    /// A rule that dials each listed endpoint at its own address, and leaves all others to later rules. See the
    /// [example](DialRule#examples).
    pub fn table(entries: impl IntoIterator<Item = (Endpoint, DialAddress)>) -> Self {
        Self::new(HostMatch::Any, DialTo::Table(entries.into_iter().collect()))
    }

    /// Whether the rule applies to this announced endpoint. See the [example](DialRule#examples).
    pub fn matches(&self, announced: &Endpoint) -> bool {
        let listed = match &self.to {
            DialTo::Table(table) => table.contains_key(announced),
            _ => true,
        };
        listed && self.ports.contains(&announced.port()) && self.when.matches(announced.host())
    }

    /// Where the endpoint is dialled; `None` if the rule does not apply. See the [example](DialRule#examples).
    ///
    /// # Errors
    /// [`PlanError`] if it applies but gives no address.
    pub fn dial(&self, announced: &Endpoint, seed: &Endpoint) -> Result<Option<DialAddress>, PlanError> {
        if !self.matches(announced) {
            return Ok(None);
        }
        let at = |host: &str, port: PortRule| {
            let port = port.apply(announced.port()).ok_or_else(|| PlanError::PortOutOfRange {
                endpoint: announced.clone(),
                rule: self.to_string(),
            })?;
            Ok(Some(DialAddress::new(host, port)))
        };
        match &self.to {
            DialTo::Announced => Ok(Some(announced.into())),
            // The seed's own address is what the user gave; a port rule speaks of the nodes behind it.
            DialTo::SeedHost { .. } if announced == seed => Ok(Some(seed.into())),
            DialTo::SeedHost { port } => at(seed.host(), *port),
            DialTo::Fixed { host, port } => at(host, *port),
            DialTo::Table(table) => Ok(table.get(announced).cloned()),
            DialTo::Template(template) => match expand(template, announced, seed) {
                Some(address) => Ok(Some(address)),
                None => Err(PlanError::Template { endpoint: announced.clone(), template: template.clone() }),
            },
        }
    }
}

impl HostMatch {
    /// Whether a host, as announced, is one of those meant. See the [example](HostMatch#examples).
    pub fn matches(&self, host: &str) -> bool {
        let ip = || host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        match self {
            Self::Any => true,
            Self::Ip => ip().is_some(),
            Self::Cidr(network) => ip().is_some_and(|ip| network.contains(&ip)),
            Self::Host(name) => {
                let same_ip =
                    || name.parse::<IpAddr>().is_ok_and(|wanted| ip() == Some(wanted.to_canonical()));
                name.eq_ignore_ascii_case(host) || same_ip()
            }
            Self::Suffix(suffix) => {
                let label = host.len().checked_sub(suffix.len() + 1).filter(|&length| length > 0);
                label.and_then(|length| host.split_at_checked(length)).is_some_and(|(_, rest)| {
                    rest.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(suffix))
                })
            }
        }
    }
}

impl PortRule {
    /// The port to dial for an announced port; `None` if there is no such port. See the [example](PortRule#examples).
    pub fn apply(self, announced: u16) -> Option<u16> {
        match self {
            Self::Keep => Some(announced),
            Self::Set(port) => Some(port),
            Self::Offset(offset) => u16::try_from(i32::from(announced).checked_add(offset)?).ok(),
        }
        .filter(|&port| port != 0)
    }
}

/// The address that a template makes; `None` if that is not one. Brackets around an IPv6 host may be written but
/// need not be, because host and port are separated before anything is filled in.
fn expand(template: &str, announced: &Endpoint, seed: &Endpoint) -> Option<DialAddress> {
    let (host, port) = split_template(template);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = host.replace("{host}", announced.host()).replace("{seed}", seed.host());
    let host = host.replace("{port}", &announced.port().to_string());
    let port = match port {
        None | Some("{port}") => announced.port(),
        Some(digits) => parse_port(digits)?,
    };
    // The same check as for any address that a user writes.
    let written = DialAddress::new(host, port);
    matches!(split_port(&written.to_string()), Ok((host, Some(_))) if crate::endpoint::is_plausible_host(host))
        .then_some(written)
}

/// Splits a template into host and port parts at the last colon outside of brackets.
pub(super) fn split_template(template: &str) -> (&str, Option<&str>) {
    match template.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (template, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str, host: &str, port: u16) -> bool {
        rule.parse::<DialRule>().unwrap().matches(&Endpoint::new(host, port))
    }

    #[test]
    fn host_matching() {
        for (rule, host, hit) in [
            ("*=x", "anything", true),
            ("ip=x", "10.0.0.4", true),
            ("ip=x", "2001:db8::1", true),
            ("ip=x", "node-1", false),
            ("10.0.0.0/8=x", "10.255.0.1", true),
            ("10.0.0.0/8=x", "11.0.0.1", false),
            ("10.0.0.0/8=x", "::ffff:10.0.0.1", true),
            ("[2001:db8::/32]=x", "2001:db8::1", true),
            ("[2001:db8::/32]=x", "10.0.0.1", false),
            ("Node-1.Example.Net=x", "node-1.example.net", true),
            ("node-1=x", "node-10", false),
            ("[2001:db8::1]=x", "2001:db8:0:0:0:0:0:1", true),
            ("*.svc.local=x", "redis-0.svc.local", true),
            ("*.svc.local=x", "a.b.SVC.local", true),
            ("*.svc.local=x", "svc.local", false),
            ("*.svc.local=x", ".svc.local", false),
            ("*.svc.local=x", "redis-0xsvc.local", false),
            ("*.svc.local=x", "redis-0.svc.local.evil", false),
            ("*.b=x", "ü.b", true),
        ] {
            assert_eq!(matches(rule, host, 6379), hit, "{rule} {host}");
        }
    }

    #[test]
    fn port_matching() {
        for (rule, port, hit) in [
            ("ip:8501=x", 8501, true),
            ("ip:8501=x", 8502, false),
            ("ip:8500-8599=x", 8599, true),
            ("ip:8500-8599=x", 8600, false),
        ] {
            assert_eq!(matches(rule, "10.0.0.4", port), hit, "{rule} {port}");
        }
    }

    #[test]
    fn dialling() {
        let seed = Endpoint::new("cache.example.net", 10_000);
        for (rule, host, port, dialled) in [
            ("ip=announced", "10.0.0.4", 8501, "10.0.0.4:8501"),
            ("ip=seed", "10.0.0.4", 8501, "cache.example.net:8501"),
            ("ip=seed:+1000", "10.0.0.4", 8501, "cache.example.net:9501"),
            ("ip=seed:-1000", "10.0.0.4", 8501, "cache.example.net:7501"),
            ("ip=seed:6380", "10.0.0.4", 8501, "cache.example.net:6380"),
            ("*=seed:+1", "cache.example.net", 10_000, "cache.example.net:10000"),
            ("*=127.0.0.1:+1", "cache.example.net", 10_000, "127.0.0.1:10001"),
            ("*=localhost", "10.0.0.4", 8501, "localhost:8501"),
            ("*=[::1]:+10000", "10.0.0.4", 8501, "[::1]:18501"),
            ("*={host}.example.net", "redis-0", 6379, "redis-0.example.net:6379"),
            ("*={host}.example.net:{port}", "redis-0", 6379, "redis-0.example.net:6379"),
            ("*={host}.{seed}:7000", "redis-0", 6379, "redis-0.cache.example.net:7000"),
            ("*=p{port}.example.net:443", "10.0.0.4", 8501, "p8501.example.net:443"),
            ("*={host}:7000", "2001:db8::1", 6379, "[2001:db8::1]:7000"),
            ("*=[{host}]:7000", "2001:db8::1", 6379, "[2001:db8::1]:7000"),
            ("*=[{host}]", "2001:db8::1", 6379, "[2001:db8::1]:6379"),
        ] {
            let rule: DialRule = rule.parse().unwrap();
            let address = rule.dial(&Endpoint::new(host, port), &seed).unwrap().unwrap();
            assert_eq!(address.to_string(), dialled, "{rule}");
        }
    }

    #[test]
    fn addresses_that_do_not_exist_are_errors() {
        let node = Endpoint::new("10.0.0.4", 8501);
        for rule in ["*=seed:+60000", "*=seed:-8501", "*=x:-9000", "*=x:+2147483647"] {
            let error = rule.parse::<DialRule>().unwrap().dial(&node, &Endpoint::new("s", 1)).unwrap_err();
            assert!(
                matches!(&error, PlanError::PortOutOfRange { rule: named, .. } if named == rule),
                "{error}"
            );
        }
        for template in ["", "{host}:no", "{host}/x", "{what}"] {
            let rule = DialRule::new(HostMatch::Any, DialTo::Template(template.into()));
            assert!(matches!(rule.dial(&node, &node), Err(PlanError::Template { .. })), "{template}");
        }
    }

    #[test]
    fn a_table_applies_to_what_it_lists() {
        let listed = Endpoint::new("10.0.0.4", 8501);
        let rule = DialRule::table([(listed.clone(), DialAddress::new("127.0.0.1", 18501))]);
        let seed = Endpoint::new("seed", 1);
        assert_eq!(rule.dial(&listed, &seed), Ok(Some(DialAddress::new("127.0.0.1", 18501))));
        assert_eq!(rule.dial(&Endpoint::new("10.0.0.4", 8502), &seed), Ok(None));
    }
}
