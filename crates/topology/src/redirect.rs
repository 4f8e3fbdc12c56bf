//! [`Redirect`]: the two errors that send a command elsewhere.
//!
//! `MOVED <slot> <host>:<port>` is for good, `ASK <slot> <host>:<port>` for one request. The host is
//! read like that of `CLUSTER SLOTS`, so that the endpoint of a redirect is the key of a node in the map.

use std::fmt;

use thiserror::Error;
use truename_resp::Untrusted;

use crate::endpoint::{is_announced_host, parse_port};
use crate::{Endpoint, Slot};

/// Where a command should go instead.
///
/// # Examples
/// ```
/// use truename_topology::{Endpoint, parse_redirect};
///
/// let said = parse_redirect("MOVED 3999 :8502", "10.0.0.4").expect("a redirect");
/// let redirect = said.expect("a usable one");
/// assert_eq!(redirect.slot().value(), 3999);
/// // No host means that of the node that answered.
/// assert_eq!(redirect.to(), &Endpoint::new("10.0.0.4", 8502));
///
/// assert!(parse_redirect("ERR unknown command", "10.0.0.4").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Redirect {
    /// The slot belongs to another node from now on.
    Moved {
        /// The slot of the command.
        slot: Slot,
        /// The node that owns it.
        to: Endpoint,
    },
    /// The slot is being moved: this one request goes to its future owner, after `ASKING`.
    Ask {
        /// The slot of the command.
        slot: Slot,
        /// The node that is taking it over.
        to: Endpoint,
    },
}

impl Redirect {
    /// The slot of the command. See the [example](Redirect#examples).
    pub fn slot(&self) -> Slot {
        match self {
            Self::Moved { slot, .. } | Self::Ask { slot, .. } => *slot,
        }
    }

    /// The node to send the command to. See the [example](Redirect#examples).
    pub fn to(&self) -> &Endpoint {
        match self {
            Self::Moved { to, .. } | Self::Ask { to, .. } => to,
        }
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { slot, to } => write!(f, "MOVED {slot} {to}"),
            Self::Ask { slot, to } => write!(f, "ASK {slot} {to}"),
        }
    }
}

/// Why a redirect leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The slot is missing or not below 16384.
    #[error("redirect without a usable slot: `{}`", Untrusted(.0))]
    Slot(String),
    /// The address is missing, or is not `host:port`.
    #[error("redirect without a usable address: `{}`", Untrusted(.0))]
    Address(String),
    /// The host is `?`: the cluster prefers host names and the owner announces none. A fault of the
    /// topology; a refresh may know more.
    #[error("slot {slot} moved to a node whose host name the cluster does not know (`?`)")]
    UnknownEndpoint {
        /// The slot of the command.
        slot: Slot,
    },
}

/// Reads a redirect from the text of an error reply, with or without the leading `-`. See the [example](Redirect#examples).
///
/// `answered_by` is the host of the node that redirected; an empty host means that one. The port
/// follows the last colon, since IPv6 addresses come without brackets. `None` if the error is not a redirect.
///
/// # Errors
/// [`RedirectError`] if it is one, but does not say where to go.
pub fn parse_redirect(error_text: &str, answered_by: &str) -> Option<Result<Redirect, RedirectError>> {
    let text = error_text.strip_prefix('-').unwrap_or(error_text);
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    let target = match code {
        "MOVED" | "ASK" => target(text, rest, answered_by),
        _ => return None,
    };
    Some(target.map(|(slot, to)| match code {
        "MOVED" => Redirect::Moved { slot, to },
        _ => Redirect::Ask { slot, to },
    }))
}

fn target(text: &str, rest: &str, answered_by: &str) -> Result<(Slot, Endpoint), RedirectError> {
    let mut words = rest.split_ascii_whitespace();
    let slot = words.next().and_then(|word| word.parse().ok()).and_then(Slot::new);
    let slot = slot.ok_or_else(|| RedirectError::Slot(text.to_owned()))?;
    let bad_address = || RedirectError::Address(text.to_owned());
    let (host, port) = words.next().and_then(|word| word.rsplit_once(':')).ok_or_else(bad_address)?;
    let port = parse_port(port).ok_or_else(bad_address)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !is_announced_host(host) {
        return Err(bad_address());
    }
    let to = Endpoint::announced(host, port, answered_by).ok_or(RedirectError::UnknownEndpoint { slot })?;
    Ok((slot, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(value: u16) -> Slot {
        Slot::new(value).unwrap()
    }

    #[test]
    fn redirects() {
        let to = |host: &str, port| Endpoint::new(host, port);
        for (text, redirect) in [
            ("MOVED 3999 127.0.0.1:6381", Redirect::Moved { slot: slot(3999), to: to("127.0.0.1", 6381) }),
            ("-ASK 3999 127.0.0.1:6381", Redirect::Ask { slot: slot(3999), to: to("127.0.0.1", 6381) }),
            (
                "MOVED 12182 node-3.example:8542",
                Redirect::Moved { slot: slot(12182), to: to("node-3.example", 8542) },
            ),
            ("MOVED 12182 :8542", Redirect::Moved { slot: slot(12182), to: to("seed", 8542) }),
            ("ASK 0 0.0.0.0:7", Redirect::Ask { slot: slot(0), to: to("seed", 7) }),
            ("MOVED 1 2001:db8::7:6379", Redirect::Moved { slot: slot(1), to: to("2001:db8::7", 6379) }),
            ("MOVED 1 :::6379", Redirect::Moved { slot: slot(1), to: to("seed", 6379) }),
            ("MOVED 1 [::1]:6379 later words", Redirect::Moved { slot: slot(1), to: to("::1", 6379) }),
        ] {
            assert_eq!(parse_redirect(text, "seed"), Some(Ok(redirect)), "{text}");
        }
    }

    #[test]
    fn redirects_that_lead_nowhere() {
        use RedirectError::*;
        let parse = |text| parse_redirect(text, "seed").unwrap().unwrap_err();
        assert_eq!(parse("MOVED 12182 ?:8542"), UnknownEndpoint { slot: slot(12182) });
        for text in ["MOVED", "MOVED ", "MOVED x 1:2", "ASK 16384 a:1", "ASK -1 a:1"] {
            assert_eq!(parse(text), Slot(text.to_owned()));
        }
        for text in
            ["MOVED 1", "MOVED 1 host", "ASK 1 host:", "ASK 1 host:0", "ASK 1 host:65536", "ASK 1 a/b:1"]
        {
            assert_eq!(parse(text), Address(text.to_owned()));
        }
    }

    #[test]
    fn other_errors() {
        for text in
            ["", "-", "ERR MOVED 1 a:1", "MOVEDX 1 a:1", "moved 1 a:1", "TRYAGAIN Multiple keys", "ASKING"]
        {
            assert_eq!(parse_redirect(text, "seed"), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(slot_value in 0u16..16384, port in 1u16.., host in "[a-z][a-z0-9.-]{0,30}", ask: bool) {
            let (slot, to) = (slot(slot_value), Endpoint::new(host, port));
            let redirect = if ask { Redirect::Ask { slot, to } } else { Redirect::Moved { slot, to } };
            prop_assert_eq!(parse_redirect(&redirect.to_string(), "seed"), Some(Ok(redirect)));
        }

        #[test]
        fn never_panics(text in "(MOVED|ASK)?.{0,60}") {
            let _ = parse_redirect(&text, "seed");
        }
    }
}
