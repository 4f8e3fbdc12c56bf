//! [`AddressPolicy`]: the one place where addresses and identities are decided.

use std::fmt;
use std::sync::Arc;

use super::{
    DialAddress, DialPlan, DialRule, Identity, IdentityName, IdentityPolicy, NodePlan, Pin, PlanError,
};
use crate::{AnnouncedNode, Endpoint, Role};

/// The user's own answer to "where do I dial?", for one node and the seed that led to it.
pub type DialMap = dyn Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync;

/// How announced endpoints become connections: see the [module](super) for every rule.
///
/// The default has no rules and accepts [any of](IdentityPolicy::AnyOf) the names a node has.
#[derive(Clone, Default)]
pub struct AddressPolicy {
    rules: Vec<DialRule>,
    map: Option<Arc<DialMap>>,
    identity: IdentityPolicy,
}

impl AddressPolicy {
    /// A policy without rules: automatic dialling, any of a node's names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind those that are there.
    #[must_use]
    pub fn with_rule(mut self, rule: DialRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules behind those that are there.
    #[must_use]
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = DialRule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Sets a closure that is asked before the rules. Where it returns `None`, they are.
    #[must_use]
    pub fn with_map(
        mut self,
        map: impl Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync + 'static,
    ) -> Self {
        self.map = Some(Arc::new(map));
        self
    }

    /// Sets which names will do.
    #[must_use]
    pub fn with_identity(mut self, identity: IdentityPolicy) -> Self {
        self.identity = identity;
        self
    }

    /// The rules in the order in which they are asked.
    pub fn rules(&self) -> &[DialRule] {
        &self.rules
    }

    /// Which names will do.
    pub fn identity(&self) -> &IdentityPolicy {
        &self.identity
    }

    /// The plan for a node of the cluster, or for the target of a redirect.
    ///
    /// `seed` is the configured seed whose authenticated answer led to the node.
    ///
    /// # Errors
    /// [`PlanError`] if a rule gives no address, or if nobody could be trusted to answer.
    pub fn plan_node(&self, node: &AnnouncedNode, seed: &Endpoint) -> Result<NodePlan, PlanError> {
        let identities = self.identity.identities(node, seed);
        if identities.is_empty() {
            return Err(PlanError::NoIdentity { endpoint: node.endpoint.clone() });
        }
        let (dial, pins) = self.dial(node, seed)?;
        Ok(NodePlan { dial, sni: sni(&identities, node, seed), identities, pins })
    }

    /// The plan for a seed: that of a node announced as the seed is configured.
    ///
    /// # Errors
    /// Those of [`plan_node`](Self::plan_node).
    pub fn plan_seed(&self, seed: &Endpoint) -> Result<NodePlan, PlanError> {
        let mut plan = self.plan_node(&AnnouncedNode::new(seed.clone(), Role::Primary), seed)?;
        for identity in &mut plan.identities {
            // The user configured this host; no cluster announced it.
            if identity.source == super::IdentitySource::Announced {
                identity.source = super::IdentitySource::Seed;
            }
        }
        Ok(plan)
    }

    /// Where to dial, and the pins of the rule that says so.
    fn dial(&self, node: &AnnouncedNode, seed: &Endpoint) -> Result<(DialPlan, Vec<Pin>), PlanError> {
        if let Some(address) = self.map.as_ref().and_then(|map| map(node, seed)) {
            return Ok((DialPlan::Ruled(address), Vec::new()));
        }
        for rule in &self.rules {
            if let Some(address) = rule.dial(&node.endpoint, seed)? {
                return Ok((DialPlan::Ruled(address), rule.pins.clone()));
            }
        }
        let announced = DialAddress::from(&node.endpoint);
        let same_host = announced.host().eq_ignore_ascii_case(seed.host());
        let fallback = (!same_host).then(|| DialAddress::new(seed.host(), announced.port()));
        Ok((DialPlan::Auto { announced, fallback }, Vec::new()))
    }
}

/// The server name to send: a name that will do, or else any name known for the node.
fn sni(identities: &[Identity], node: &AnnouncedNode, seed: &Endpoint) -> Option<Arc<str>> {
    let acceptable = identities.iter().find_map(|identity| identity.name.as_dns().cloned());
    let known = || {
        let hosts = [Some(node.endpoint.host()), node.hostname.as_deref(), Some(seed.host())];
        hosts.into_iter().flatten().find_map(|host| IdentityName::parse(host).ok()?.as_dns().cloned())
    };
    acceptable.or_else(known)
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPolicy")
            .field("rules", &self.rules)
            .field("map", &self.map.as_ref().map(|_| "closure"))
            .field("identity", &self.identity)
            .finish()
    }
}
