//! Where nodes are dialled, and what is given as text for that: seeds, rules, addresses.
//!
//! What must stay true: a text that is not what it should be is an error of [`Client::connect`](crate::Client::connect), and
//! nothing is dialled.

use std::fmt::Display;

use truename_topology::{AnnouncedNode, DialAddress, DialRule, Endpoint, Profile};

use super::{Config, NodeAddressMap};
use crate::error::Error;

impl Config {
    /// Several seeds as text: `host:port`, or `host` for the provider's usual port, else 6379. [`Config::seeds`] takes them in
    /// parts, and [`Config::from_url`] a whole URL.
    ///
    /// Any other text is an error when the client connects, which does not repeat it.
    ///
    /// ```
    /// let config = truename::Config::new().root_nodes(["redis-1.example.net:6380", "[::1]:6381"]);
    /// assert_eq!(config.settings().seeds()[0].port(), 6380);
    /// ```
    #[must_use]
    #[doc(alias = "rootNodes")]
    pub fn root_nodes<T: AsRef<str>>(mut self, nodes: impl IntoIterator<Item = T>) -> Self {
        for (position, text) in nodes.into_iter().enumerate() {
            let text = text.as_ref();
            let profile = self.profile.or_else(|| Profile::detect(text));
            let usual = profile.and_then(|profile| profile.default_seed_port).unwrap_or(6379);
            match Endpoint::parse(text, Some(usual)).map_err(|error| error.problem()) {
                Ok(seed) => self.seeds.push(seed),
                Err(problem) => self.misspelt.push(Error::config_with_remedy(
                    format!("root node {}: {problem}", position + 1),
                    "write HOST:PORT such as cache.example.net:6379 or [::1]:6379; Config::from_url reads URLs",
                )),
            }
        }
        self
    }

    /// Adds a rule for where to dial; the first one that matches a node applies. [`DialRule`] describes the text form, and text
    /// that is not a rule is an error when the client connects.
    ///
    /// ```
    /// use truename::Config;
    ///
    /// let config = Config::new()
    ///     .seed("bastion.example.net", 10000)
    ///     // One node is somewhere else ...
    ///     .dial_rule("10.0.0.9=192.0.2.7:6379")
    ///     // ... and the others are behind the seed's host, where their ports are shifted.
    ///     .dial_rule("10.0.0.0/8=seed:+1000");
    /// ```
    #[must_use]
    pub fn dial_rule<R>(mut self, rule: R) -> Self
    where
        R: TryInto<DialRule>,
        R::Error: Display,
    {
        match rule.try_into() {
            Ok(rule) => self.rules.push(rule),
            Err(error) => self.misspelt.push(Error::config(error.to_string())),
        }
        self
    }

    /// Where to dial nodes instead of their announced addresses: a table, asked before the rules.
    /// [`map_node_addresses`](Self::map_node_addresses) takes a closure.
    ///
    /// Most users need none: an announced address that cannot be reached is automatically tried at the seed's host with
    /// the announced port. Seeds are dialled as they are configured, unless
    /// [`node_address_map_for_seeds`](Self::node_address_map_for_seeds) says otherwise.
    ///
    /// ```
    /// use truename::topology::{DialAddress, Endpoint};
    ///
    /// // When the addresses are known and never change.
    /// let config = truename::Config::new().node_address_map([
    ///     ("10.0.0.4:8501", "localhost:18501"),
    ///     ("10.0.0.5:8501", "localhost:18502"),
    /// ]);
    /// // The same in parts.
    /// let config = truename::Config::new()
    ///     .node_address_map([(Endpoint::new("10.0.0.4", 8501), DialAddress::new("localhost", 18501))]);
    /// ```
    #[must_use]
    #[doc(alias = "nodeAddressMap")]
    pub fn node_address_map(mut self, map: impl Into<NodeAddressMap>) -> Self {
        let mut map = map.into();
        self.misspelt.extend(map.misspelt.take());
        self.map = Some(map);
        self
    }

    /// The closure form of [`node_address_map`](Self::node_address_map): it gets the node as announced and the seed that led to
    /// it. Where it returns `None`, the rules are asked.
    ///
    /// ```
    /// use truename::topology::DialAddress;
    ///
    /// // When only the rule is known: whatever has an address is behind the seed's host.
    /// let config = truename::Config::new().map_node_addresses(|node, seed| {
    ///     node.endpoint.ip().map(|_| DialAddress::new(seed.host(), node.endpoint.port()))
    /// });
    /// ```
    #[must_use]
    #[doc(alias = "nodeAddressMap")]
    pub fn map_node_addresses<F>(self, map: F) -> Self
    where
        F: Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync + 'static,
    {
        self.node_address_map(map)
    }

    /// Whether the [`node_address_map`](Self::node_address_map) is asked for the configured seeds as well. By default they are
    /// dialled where you said.
    ///
    /// ```
    /// let config = truename::Config::new()
    ///     .seed("10.0.0.4", 8501)
    ///     .node_address_map([("10.0.0.4:8501", "localhost:18501")])
    ///     .node_address_map_for_seeds(true);
    /// assert!(config.settings().node_address_map_for_seeds());
    /// ```
    #[must_use]
    pub fn node_address_map_for_seeds(mut self, asks: bool) -> Self {
        self.maps_seeds = asks;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What would be said when it connects.
    fn wrong(config: Config) -> String {
        config.plaintext().validate().expect_err("misspelt").to_string()
    }

    #[test]
    fn root_nodes_are_hosts_with_their_ports() {
        let config = Config::new().root_nodes(["a.test:1", "b.test", "[::1]:2", "c.westus3.redis.azure.net"]);
        let seeds: Vec<String> = config.seeds.iter().map(ToString::to_string).collect();
        assert_eq!(seeds, ["a.test:1", "b.test:6379", "[::1]:2", "c.westus3.redis.azure.net:10000"]);
        for text in ["a.test:port", "redis://bob:sesame@a.test", "bob:sesame", ""] {
            let said = wrong(Config::new().root_nodes(["a.test".to_owned(), text.to_owned()]));
            assert!(said.contains("root node 2: ") && !said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn rules_and_addresses_may_be_text() {
        let config = Config::new().seed("a.test", 1).plaintext();
        let (one, two) = ("ip=seed".to_owned(), "10.0.0.0/8=seed:+1".to_owned());
        let parsed: DialRule = "*=announced".parse().expect("a rule");
        let config = config.dial_rule(&one).dial_rule(two).dial_rule("[::1]=h").dial_rule(parsed);
        assert_eq!((config.rules.len(), config.validate().is_ok()), (4, true));
        let mapped = config.clone().node_address_map(vec![("10.0.0.4:1".to_owned(), "h.test:2".to_owned())]);
        let plan = mapped.address_policy().plan_node(
            &AnnouncedNode::new(Endpoint::new("10.0.0.4", 1), truename_topology::Role::Primary),
            &Endpoint::new("a.test", 1),
            truename_topology::Boundary::Lifted,
        );
        assert_eq!(plan.expect("a plan").dial.to_string(), "h.test:2");

        assert!(wrong(config.clone().dial_rule("ip")).contains("is not a dial rule"));
        assert!(wrong(config.clone().node_address_map([("10.0.0.4:1", "h.test")])).contains("`h.test`"));
        let said = wrong(config.node_address_map([("bob:sesame@h.test", "h.test:1")]));
        assert!(said.contains("address map") && !said.contains("sesame"), "{said}");
    }
}
