//! What one node tells clients about itself, where that is to differ from what the profile says.

/// Where one node says that it is, in place of what its profile would say. Others connect to it where it really is:
/// its bus address stays the same.
///
/// ```
/// use truename_lab::{Announce, Lab, LabProfile};
///
/// // Nobody is at the address of node 1, and node 2 is `?`; the others announce their own addresses.
/// let config = Lab::builder(LabProfile::Plain)
///     .replicas(0)
///     .announce(1, Announce::new().host("10.1.2.3").port(6379))
///     .announce(2, Announce::new().no_host());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "it is for `LabConfig::announce`"]
pub struct Announce {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Host {
    #[default]
    OfProfile,
    Named(String),
    None,
}

impl Announce {
    /// What the profile says.
    pub fn new() -> Self {
        Self::default()
    }

    /// A host name, or an IPv4 address, which servers take for a name (`cluster-announce-hostname`). Nobody needs to
    /// listen there, and the certificate stays the profile's.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Host::Named(host.into());
        self
    }

    /// No host name, while host names are what clients are told: they see `?`.
    pub fn no_host(mut self) -> Self {
        self.host = Host::None;
        self
    }

    /// The port (`cluster-announce-port`, `cluster-announce-tls-port`). Replicas of the node go there as well.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Whether clients must be told host names for this to be seen.
    pub(crate) const fn is_about_the_host(&self) -> bool {
        !matches!(self.host, Host::OfProfile)
    }

    /// The host name it has in place of the one that the profile gives it.
    pub(crate) fn hostname(&self, of_profile: Option<String>) -> Option<String> {
        match &self.host {
            Host::OfProfile => of_profile,
            Host::Named(host) => Some(host.clone()),
            Host::None => None,
        }
    }

    pub(crate) fn port_or(&self, port: u16) -> u16 {
        self.port.unwrap_or(port)
    }

    /// Why no server would take it.
    pub(crate) fn fault(&self) -> Option<String> {
        let is_valid = |host: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            !host.is_empty() && host.len() < 256 && host.bytes().all(known)
        };
        match &self.host {
            Host::Named(host) if !is_valid(host) => {
                Some(format!("{host:?} cannot be announced: a host name has letters, digits, `-` and `.`"))
            }
            _ if self.port == Some(0) => Some("port 0 cannot be announced".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_takes_the_place_of_the_profiles() {
        let of_profile = || Some("a.test".to_owned());
        let rows = [
            (Announce::new().port(7), Some("a.test"), 7),
            (Announce::new().host("b.test"), Some("b.test"), 6379),
            (Announce::new().host("b.test").no_host(), None, 6379),
        ];
        for (announce, host, port) in rows {
            assert_eq!(announce.hostname(of_profile()).as_deref(), host, "{announce:?}");
            assert_eq!(announce.port_or(6379), port, "{announce:?}");
            assert_eq!(announce.is_about_the_host(), host != Some("a.test"), "{announce:?}");
            assert_eq!(announce.fault(), None, "{announce:?}");
        }
    }

    #[test]
    fn what_no_server_takes_has_a_fault() {
        for host in ["", "a b", "::1", "a\nrequirepass x", &"a".repeat(256)] {
            assert!(Announce::new().host(host).fault().is_some(), "{host:?}");
        }
        assert!(Announce::new().port(0).fault().is_some());
    }
}
