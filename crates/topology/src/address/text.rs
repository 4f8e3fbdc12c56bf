//! Rules as text, for command lines and configuration files: `MATCH[:PORT|:LOW-HIGH]=TARGET`, as [`DialRule`] describes it.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;
use truename_resp::Untrusted;

use super::rule::split_template;
use super::{DialRule, DialTo, HostMatch, Pin, PortRule};
use crate::Typed;
use crate::endpoint::{is_ipv6, is_plausible_host, parse_port};

/// Why a text is not a rule; shows one that would be.
///
/// # Examples
/// ```
/// use truename_topology::DialRule;
/// use truename_topology::address::RuleProblem;
///
/// let error = "10.0.0.4".parse::<DialRule>().expect_err("it does not say where to");
/// assert_eq!(error.problem(), RuleProblem::NoTarget);
/// assert!(error.example().parse::<DialRule>().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{quoted} is not a dial rule: {problem}, for example `{}`", Untrusted(example))]
pub struct RuleError {
    /// The text as it may be shown.
    quoted: String,
    problem: RuleProblem,
    example: String,
}

impl RuleError {
    /// What is wrong. See the [example](RuleError#examples).
    pub fn problem(&self) -> RuleProblem {
        self.problem
    }

    /// A rule that would be accepted, as near to the given text as can be guessed. See the [example](RuleError#examples).
    pub fn example(&self) -> &str {
        &self.example
    }
}

/// What is wrong with the text of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleProblem {
    /// There is no `=`.
    #[error("write MATCH=TARGET")]
    NoTarget,
    /// The part before `=` is none of the forms.
    #[error("MATCH must be `*`, `ip`, a network, a host or `*.suffix`")]
    Match,
    /// An IPv6 address without brackets.
    #[error("IPv6 addresses and networks need brackets")]
    Brackets,
    /// The port or range of ports before `=`.
    #[error("ports are numbers from 1 to 65535, or LOW-HIGH in that order")]
    Ports,
    /// The host after `=`.
    #[error("TARGET must be `announced`, `seed`, a host or a template")]
    Target,
    /// The port after `=`.
    #[error(
        "the port of TARGET must be a number from 1 to 65535, or `+N` or `-N` to shift the announced one"
    )]
    TargetPort,
    /// A template with unknown or unbalanced braces, or with a port that is neither a number nor `{port}`.
    #[error(
        "a template knows {{host}}, {{port}} and {{seed}}, and ends in a number or in {{port}} if it has a port"
    )]
    Template,
    /// What follows the target.
    #[error("after TARGET only ` pin=sha256/BASE64` may follow, the SHA-256 digest of a public key")]
    Pin,
}

/// The digest of the empty string, to show the form.
const EXAMPLE_PIN: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// A problem and a guess at the rule that was meant.
type Flaw = (RuleProblem, String);

impl TryFrom<&str> for DialRule {
    type Error = RuleError;

    /// The same as [`str::parse`].
    fn try_from(text: &str) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl TryFrom<String> for DialRule {
    type Error = RuleError;

    /// The same as [`str::parse`].
    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl TryFrom<&String> for DialRule {
    type Error = RuleError;

    /// The same as [`str::parse`].
    fn try_from(text: &String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl FromStr for DialRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        parse(text).map_err(|(problem, guess)| {
            // The guess keeps the other half of the text, which may have a fault of its own.
            let is_usable = !text.contains('@') && parse(&guess).is_ok();
            let example = if is_usable { guess } else { "ip=seed".to_owned() };
            RuleError { quoted: Typed(text).to_string(), problem, example }
        })
    }
}

fn parse(text: &str) -> Result<DialRule, Flaw> {
    let Some((matched, target)) = text.split_once('=') else {
        return Err((RuleProblem::NoTarget, guess_target(text.trim())));
    };
    let (matched, target) = (matched.trim(), target.trim());
    let (target, pins) = target.split_once(char::is_whitespace).unwrap_or((target, ""));
    let (when, ports) = parse_match(matched, target)?;
    let to = parse_target(target, matched)?;
    let pins = parse_pins(pins)
        .ok_or_else(|| (RuleProblem::Pin, format!("{matched}={target} pin={EXAMPLE_PIN}")))?;
    Ok(DialRule { when, ports, to, pins })
}

/// What follows the target.
fn parse_pins(text: &str) -> Option<Vec<Pin>> {
    text.split_whitespace().map(|word| word.strip_prefix("pin=")?.parse().ok()).collect()
}

/// A rule around a lone MATCH, if it is one.
fn guess_target(text: &str) -> String {
    match parse_match(text, "seed") {
        Ok(_) => format!("{text}=seed"),
        Err(_) => "ip=seed".to_owned(),
    }
}

fn parse_match(text: &str, target: &str) -> Result<(HostMatch, RangeInclusive<u16>), Flaw> {
    let flaw = |problem, matched: &str| (problem, format!("{matched}={target}"));
    let (host, ports) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or_else(|| flaw(RuleProblem::Brackets, "[2001:db8::/32]"))?;
            let address = host.split('/').next().unwrap_or_default();
            if !is_ipv6(address) || !(after.is_empty() || after.starts_with(':')) {
                return Err(flaw(RuleProblem::Brackets, "[2001:db8::/32]:6379"));
            }
            (host, after.strip_prefix(':'))
        }
        None if text.matches(':').count() > 1 => {
            return Err(flaw(RuleProblem::Brackets, &format!("[{text}]")));
        }
        None => text.split_once(':').map_or((text, None), |(host, ports)| (host, Some(ports))),
    };
    let when = parse_host_match(host).ok_or_else(|| flaw(RuleProblem::Match, "10.0.0.0/8"))?;
    let ports = match ports {
        None => 0..=u16::MAX,
        Some(ports) => {
            parse_ports(ports).ok_or_else(|| flaw(RuleProblem::Ports, &format!("{host}:8500-8599")))?
        }
    };
    Ok((when, ports))
}

fn parse_host_match(host: &str) -> Option<HostMatch> {
    match host {
        "*" => Some(HostMatch::Any),
        "ip" => Some(HostMatch::Ip),
        _ if host.contains('/') => host.parse::<IpNet>().ok().map(HostMatch::Cidr),
        _ => match host.strip_prefix("*.") {
            Some(suffix) => is_literal_host(suffix).then(|| HostMatch::Suffix(suffix.into())),
            None => is_literal_host(host).then(|| HostMatch::Host(host.into())),
        },
    }
}

/// A host that is written out: neither a wildcard nor a template.
fn is_literal_host(host: &str) -> bool {
    is_plausible_host(host) && !host.contains('*') && !host.starts_with('.')
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let ports = parse_port(low)?..=parse_port(high)?;
    (!ports.is_empty()).then_some(ports)
}

fn parse_target(text: &str, matched: &str) -> Result<DialTo, Flaw> {
    let flaw = |problem, target: &str| (problem, format!("{matched}={target}"));
    if text == "announced" {
        return Ok(DialTo::Announced);
    }
    if text.contains(['{', '}']) {
        let template = Arc::from(text);
        return match is_template(text) {
            true => Ok(DialTo::Template(template)),
            false => Err(flaw(RuleProblem::Template, "{host}.example.net:{port}")),
        };
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(host, _)| is_ipv6(host)),
        None if text.matches(':').count() > 1 => {
            return Err(flaw(RuleProblem::Brackets, &format!("[{text}]")));
        }
        None => Some(text.split_at(text.find(':').unwrap_or(text.len()))),
    }
    .ok_or_else(|| flaw(RuleProblem::Brackets, "[::1]:6379"))?;
    if !is_literal_host(host) {
        return Err(flaw(RuleProblem::Target, "seed"));
    }
    let port =
        parse_port_rule(port).ok_or_else(|| flaw(RuleProblem::TargetPort, &format!("{host}:+1000")))?;
    match host {
        "seed" => Ok(DialTo::SeedHost { port }),
        // A port can be set only with a host; the announced address is kept whole.
        "announced" => Err(flaw(RuleProblem::Target, "announced")),
        _ => Ok(DialTo::Fixed { host: host.into(), port }),
    }
}

/// What follows the host of a target: nothing, `:N`, `:+N` or `:-N`.
fn parse_port_rule(text: &str) -> Option<PortRule> {
    if text.is_empty() {
        return Some(PortRule::Keep);
    }
    let text = text.strip_prefix(':')?;
    match text.strip_prefix(['+', '-']) {
        None => parse_port(text).map(PortRule::Set),
        Some(digits) => {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number).map(PortRule::Offset)
        }
    }
}

/// Whether a template can give an address: filled with a plain host and port it has to look like one.
fn is_template(text: &str) -> bool {
    let (host, port) = split_template(text);
    let port_ok = port.is_none_or(|port| port == "{port}" || parse_port(port).is_some());
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let filled = host.replace("{host}", "h").replace("{seed}", "s").replace("{port}", "1");
    port_ok && is_literal_host(&filled)
}

impl fmt::Display for DialRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.when.fmt(f)?;
        match (*self.ports.start(), *self.ports.end()) {
            (0, u16::MAX) => {}
            (low, high) if low == high => write!(f, ":{low}")?,
            (low, high) => write!(f, ":{low}-{high}")?,
        }
        write!(f, "={}", self.to)?;
        self.pins.iter().try_for_each(|pin| write!(f, " pin={pin}"))
    }
}

impl fmt::Display for HostMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip => f.write_str("ip"),
            Self::Cidr(network @ IpNet::V4(_)) => write!(f, "{network}"),
            Self::Cidr(network @ IpNet::V6(_)) => write!(f, "[{network}]"),
            Self::Host(host) => write_host(f, host),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl fmt::Display for DialTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced => f.write_str("announced"),
            Self::SeedHost { port } => write!(f, "seed{port}"),
            Self::Fixed { host, port } => {
                write_host(f, host)?;
                write!(f, "{port}")
            }
            Self::Template(template) => f.write_str(template),
            Self::Table(table) => write!(f, "(table of {} addresses)", table.len()),
        }
    }
}

impl fmt::Display for PortRule {
    /// As it follows a host: nothing, `:6380`, `:+1000` or `:-1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => Ok(()),
            Self::Set(port) => write!(f, ":{port}"),
            Self::Offset(offset) => write!(f, ":{offset:+}"),
        }
    }
}

fn write_host(f: &mut fmt::Formatter<'_>, host: &str) -> fmt::Result {
    if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    #[test]
    fn written_as_read() {
        for text in [
            "ip=seed",
            "*=announced",
            "10.0.0.0/8:8500-8599=seed",
            "*.svc.local={host}.example.net:{port}",
            "10.0.0.4:8501=127.0.0.1:18501",
            "[2001:db8::/32]:6379=[::1]:+10000",
            "[::1]=seed:-1",
            "node-1.example.net=seed:6380",
            "ip={seed}",
            "ip=seed pin=sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert_eq!(text.parse::<DialRule>().unwrap().to_string(), text);
        }
        assert_eq!(" ip = seed ".parse::<DialRule>().unwrap().to_string(), "ip=seed");
    }

    #[test]
    fn errors_show_a_rule_that_works() {
        use RuleProblem::*;
        for (text, problem, example) in [
            ("10.0.0.4:8501", NoTarget, "10.0.0.4:8501=seed"),
            ("", NoTarget, "ip=seed"),
            ("2001:db8::1=seed", Brackets, "[2001:db8::1]=seed"),
            ("[host]=seed", Brackets, "[2001:db8::/32]:6379=seed"),
            ("10.0.0.0/33=seed", Match, "10.0.0.0/8=seed"),
            ("*redis=seed", Match, "10.0.0.0/8=seed"),
            ("=seed", Match, "10.0.0.0/8=seed"),
            ("ip:0=seed", Ports, "ip:8500-8599=seed"),
            ("ip:8599-8500=seed", Ports, "ip:8500-8599=seed"),
            ("ip:+5=seed", Ports, "ip:8500-8599=seed"),
            ("ip=", Target, "ip=seed"),
            ("ip=https://x", TargetPort, "ip=https:+1000"),
            ("ip=announced:1", Target, "ip=announced"),
            ("ip=seed:", TargetPort, "ip=seed:+1000"),
            ("ip=seed:+", TargetPort, "ip=seed:+1000"),
            ("ip=host:70000", TargetPort, "ip=host:+1000"),
            ("ip=::1", Brackets, "ip=[::1]"),
            ("ip={hots}:1", Template, "ip={host}.example.net:{port}"),
            ("ip=seed pin=sha256/x", Pin, &format!("ip=seed pin={EXAMPLE_PIN}")),
            ("ip=seed seed", Pin, &format!("ip=seed pin={EXAMPLE_PIN}")),
            ("ip={host}:x", Template, "ip={host}.example.net:{port}"),
        ] {
            let error = text.parse::<DialRule>().unwrap_err();
            assert_eq!((error.problem(), error.example()), (problem, example), "{text}");
            assert!(error.to_string().contains(example) && error.to_string().contains(text));
        }
    }

    fn host() -> impl Strategy<Value = String> {
        let name = "[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?(\\.[a-z][a-z0-9-]{0,8}){0,3}"
            .prop_filter("reserved words", |name| !matches!(name.as_str(), "ip" | "seed" | "announced"));
        prop_oneof![name, any::<IpAddr>().prop_map(|ip| ip.to_string())]
    }

    fn rule() -> impl Strategy<Value = DialRule> {
        let when = prop_oneof![
            Just(HostMatch::Any),
            Just(HostMatch::Ip),
            (any::<std::net::Ipv4Addr>(), 0u8..=32)
                .prop_map(|(ip, bits)| HostMatch::Cidr(IpNet::new(ip.into(), bits).unwrap())),
            (any::<std::net::Ipv6Addr>(), 0u8..=128)
                .prop_map(|(ip, bits)| HostMatch::Cidr(IpNet::new(ip.into(), bits).unwrap())),
            host().prop_map(|host| HostMatch::Host(host.into())),
            "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}".prop_map(|suffix| HostMatch::Suffix(suffix.into())),
        ];
        let port = prop_oneof![
            Just(PortRule::Keep),
            (1u16..).prop_map(PortRule::Set),
            any::<i32>().prop_map(PortRule::Offset),
        ];
        let to = prop_oneof![
            Just(DialTo::Announced),
            port.clone().prop_map(|port| DialTo::SeedHost { port }),
            (host(), port).prop_map(|(host, port)| DialTo::Fixed { host: host.into(), port }),
            "(\\{host\\}|\\{seed\\}|a\\{port\\})(\\.[a-z]{1,5})?(:\\{port\\}|:[1-9][0-9]{0,3})?"
                .prop_map(|template| DialTo::Template(template.into())),
        ];
        let pins = prop::collection::vec(any::<[u8; 32]>().prop_map(Pin::from_digest), 0..3);
        let ports = prop_oneof![Just(0..=u16::MAX), (1u16.., 1u16..).prop_map(|(a, b)| a.min(b)..=a.max(b)),];
        (when, ports, to, pins).prop_map(|(when, ports, to, pins)| DialRule { when, ports, to, pins })
    }

    proptest! {
        #[test]
        fn rules_round_trip(rule in rule()) {
            prop_assert_eq!(rule.to_string().parse::<DialRule>(), Ok(rule));
        }

        #[test]
        fn examples_are_rules(text in "[a-z0-9*.:/\\[\\]{}=+ -]{0,40}") {
            if let Err(error) = text.parse::<DialRule>() {
                prop_assert!(error.example().parse::<DialRule>().is_ok(), "{}", error);
            }
        }
    }
}
