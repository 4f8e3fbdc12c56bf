//! Reading a [`Config`]: [`Settings`] has a method for each setter whose value can be shown, of the same name where one
//! value is set. What is secret cannot be read, nor can what is code: the resolver, the address map.

use std::net::IpAddr;
use std::time::Duration;

use truename_resp::Limits;
use truename_topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Profile, Trust};

use super::{Config, Credentials, Protocol, ReadFrom};
use crate::tls::Tls;

/// What a [`Config`] holds. Made by [`Config::settings`].
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use truename::Config;
///
/// let config = Config::from_url("rediss://app:secret@cache.example.net:10000/3?timeout=2s")?;
/// let settings = config.settings();
/// assert_eq!(settings.seeds()[0].to_string(), "cache.example.net:10000");
/// assert_eq!((settings.login(), settings.database()), (Some("app"), 3));
/// assert_eq!(settings.command_timeout(), Duration::from_secs(2));
/// assert!(settings.tls().is_some_and(|tls| !tls.is_weakened()));
///
/// // Where nodes are dialled and who must answer: here nobody said more than the URL does.
/// assert!(settings.dial_rules().is_empty() && !settings.has_node_address_map());
/// assert!(!settings.node_address_map_for_seeds());
/// assert!(settings.identity().is_none() && settings.verify_as().is_none() && settings.trust().is_empty());
/// assert!(settings.resolved().next().is_none());
/// assert!(settings.profile().is_none() && !settings.danger_plaintext_credentials());
///
/// // What a program may log when it starts.
/// println!("name {:?}, protocol {:?}", settings.client_name(), settings.protocol());
/// println!("connecting: {:?}, a node {:?}", settings.connect_timeout(), settings.node_connect_timeout());
/// println!("silence {:?}, idleness {:?}", settings.stall_timeout(), settings.keepalive());
/// println!("topology every {:?}", settings.refresh_interval());
/// println!("connections {} + {}", settings.lanes_per_node(), settings.max_exclusive_connections());
/// println!("in flight {}, {} bytes", settings.max_in_flight(), settings.max_queued_bytes());
/// println!("reads from {:?}, replies {:?}", settings.read_from(), settings.reply_limits());
/// println!("writes again: {}", settings.repeat_writes_of_unknown_fate());
/// println!("somebody takes orphans: {}", settings.has_on_orphan());
/// # Ok::<(), truename::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Settings<'c>(&'c Config);

impl Config {
    /// Reads what is set. See the [example](Settings#examples).
    pub fn settings(&self) -> Settings<'_> {
        Settings(self)
    }
}

impl<'c> Settings<'c> {
    /// The seeds, in the order in which they were added. See the [example](Settings#examples).
    pub fn seeds(&self) -> &'c [Endpoint] {
        &self.0.seeds
    }

    /// How TLS is spoken; `None` for plaintext. See the [example](Settings#examples).
    pub fn tls(&self) -> Option<&'c Tls> {
        self.0.tls.as_ref()
    }

    /// The user that connections log in: `default` where there is only a password, `None` without credentials.
    /// See the [example](Settings#examples).
    pub fn login(&self) -> Option<&'c str> {
        self.0
            .credentials
            .as_ref()
            .map(|credentials| credentials.user_name().unwrap_or(Credentials::DEFAULT_USER))
    }

    /// Whether credentials may be sent in plaintext to a provider that speaks TLS.
    /// See the [example](Settings#examples).
    pub fn danger_plaintext_credentials(&self) -> bool {
        self.0.plaintext_credentials_allowed
    }

    /// The rules for where to dial, in their order. See the [example](Settings#examples).
    pub fn dial_rules(&self) -> &'c [DialRule] {
        &self.0.rules
    }

    /// The host names to which [`Config::resolve`] gave an address, for one port or for all. See the
    /// [example](Settings#examples).
    pub fn resolved(&self) -> impl Iterator<Item = (&'c str, Option<u16>, IpAddr)> + use<'c> {
        self.0.resolver.pinned.iter().map(|pinned| (pinned.host.as_str(), pinned.port, pinned.address))
    }

    /// Whether a function takes orphans ([`Config::on_orphan`]). See the [example](Settings#examples).
    pub fn has_on_orphan(&self) -> bool {
        self.0.on_orphan.is_some()
    }

    /// Whether a [`Config::node_address_map`] is asked before the rules. See the [example](Settings#examples).
    pub fn has_node_address_map(&self) -> bool {
        self.0.map.is_some()
    }

    /// Whether the [`Config::node_address_map`] is asked for seeds, too. See the [example](Settings#examples).
    pub fn node_address_map_for_seeds(&self) -> bool {
        self.0.maps_seeds
    }

    /// The identity policy, if one was chosen. See the [example](Settings#examples).
    pub fn identity(&self) -> Option<&'c IdentityPolicy> {
        self.0.identity.as_ref()
    }

    /// The further name that every node may prove. See the [example](Settings#examples).
    pub fn verify_as(&self) -> Option<&'c IdentityName> {
        self.0.verify_as.as_ref()
    }

    /// What a cluster may announce outside the domains of its seeds. See the [example](Settings#examples).
    pub fn trust(&self) -> &'c [Trust] {
        &self.0.trust
    }

    /// The profile that was chosen. [`Config::effective_profile`] says which one applies.
    /// See the [example](Settings#examples).
    pub fn profile(&self) -> Option<&'static Profile> {
        self.0.profile
    }

    /// Which version of the protocol is spoken. See the [example](Settings#examples).
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// The name that the connections carry. See the [example](Settings#examples).
    pub fn client_name(&self) -> Option<&'c str> {
        self.0.client_name.as_deref()
    }

    /// The database that connections select. See the [example](Settings#examples).
    pub fn database(&self) -> u32 {
        self.0.database
    }

    /// How long connecting may take in total. See the [example](Settings#examples).
    pub fn connect_timeout(&self) -> Duration {
        self.0.timing.connect
    }

    /// How long one attempt to connect to one node may take. See the [example](Settings#examples).
    pub fn node_connect_timeout(&self) -> Duration {
        self.0.timing.node_connect
    }

    /// How long a command may take in total. See the [example](Settings#examples).
    pub fn command_timeout(&self) -> Duration {
        self.0.timing.command
    }

    /// How long a server may be silent while it owes a reply, whether that was set or follows from the command time-out.
    /// See the [example](Settings#examples).
    pub fn stall_timeout(&self) -> Duration {
        self.0.timing.stall
    }

    /// How often an idle connection is probed. See the [example](Settings#examples).
    pub fn keepalive(&self) -> Duration {
        self.0.timing.keepalive
    }

    /// How often the topology is refreshed at least. See the [example](Settings#examples).
    pub fn refresh_interval(&self) -> Duration {
        self.0.timing.refresh
    }

    /// Shared connections per node. See the [example](Settings#examples).
    pub fn lanes_per_node(&self) -> usize {
        self.0.lanes_per_node
    }

    /// How many commands may be outstanding on one connection. See the [example](Settings#examples).
    pub fn max_in_flight(&self) -> usize {
        self.0.max_in_flight
    }

    /// How many bytes may wait to be written to one connection. See the [example](Settings#examples).
    pub fn max_queued_bytes(&self) -> usize {
        self.0.max_queued_bytes
    }

    /// How many connections to one node may be exclusive. See the [example](Settings#examples).
    pub fn max_exclusive_connections(&self) -> usize {
        self.0.max_exclusive_connections
    }

    /// Where read-only commands are sent. See the [example](Settings#examples).
    pub fn read_from(&self) -> &'c ReadFrom {
        &self.0.read_from
    }

    /// Whether writes of unknown fate are sent again. See the [example](Settings#examples).
    pub fn repeat_writes_of_unknown_fate(&self) -> bool {
        self.0.repeats_writes
    }

    /// What a reply may hold. See the [example](Settings#examples).
    pub fn reply_limits(&self) -> Limits {
        self.0.reply_limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_logs_in() {
        for (url, login) in [
            ("rediss://a.test", None),
            ("rediss://:pw@a.test", Some("default")),
            ("rediss://bob:pw@a.test", Some("bob")),
        ] {
            assert_eq!(Config::from_url(url).expect("a URL").settings().login(), login, "{url}");
        }
    }

    #[test]
    fn tls_options_are_told_from_the_default() {
        for (url, is_default) in [
            ("redis://a.test", None),
            ("rediss://a.test", Some(true)),
            ("rediss://a.test?tls_min=1.2", Some(false)),
            ("rediss://a.test?tls_min=1.3", Some(false)),
            ("rediss://a.test?pin=sha256/47DEQpj8HBSa%2B/TImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D", Some(false)),
        ] {
            let config = Config::from_url(url).expect("a URL");
            assert_eq!(config.settings().tls().map(Tls::is_default), is_default, "{url}");
        }
    }

    #[test]
    fn addresses_that_were_given_can_be_read() {
        let address = |last| IpAddr::from([127, 0, 0, last]);
        let config = Config::new().resolve("a.test", Some(1), address(1)).resolve("b.test", None, address(2));
        let resolved: Vec<_> = config.settings().resolved().collect();
        assert_eq!(resolved, [("a.test", Some(1), address(1)), ("b.test", None, address(2))]);
    }

    #[test]
    fn nothing_secret_can_be_read() {
        let config = Config::new().seed("a.test", 1).credentials(Credentials::user("bob", "hunter2"));
        assert!(!format!("{:?}", config.settings()).contains("hunter2"));
    }
}
