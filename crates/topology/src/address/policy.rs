//! [`AddressPolicy`]: the one place where addresses and identities are decided.

use std::fmt;
use std::sync::Arc;

use super::trust::same;
use super::{
    Boundary, DialAddress, DialPlan, DialRule, Identity, IdentityName, IdentityPolicy, NodePlan, Pin,
    PlanError, Profile, Scope,
};
use crate::{AnnouncedNode, Endpoint, Role};

/// The user's own answer to "where do I dial?", for one node and the seed that led to it.
pub type DialMap = dyn Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync;

/// How announced endpoints become connections: see the [module](super) for every rule.
///
/// The default has no rules and accepts [any of](IdentityPolicy::AnyOf) the names a node has, of which none but the
/// seed's counts without a [`Scope`].
#[derive(Clone, Default)]
pub struct AddressPolicy {
    rules: Vec<DialRule>,
    /// Rules of a profile: defaults, not the user's consent to dial a name that is out of scope.
    habits: Vec<DialRule>,
    map: Option<Arc<DialMap>>,
    identity: IdentityPolicy,
    verify_as: Option<IdentityName>,
    scope: Scope,
}

impl AddressPolicy {
    /// A policy without rules: automatic dialling, any of a node's names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule after the existing ones.
    #[must_use]
    pub fn with_rule(mut self, rule: DialRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules after the existing ones.
    #[must_use]
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = DialRule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Takes the defaults of a profile: its rules, which come after all others, and its identity policy.
    #[must_use]
    pub fn with_profile(mut self, profile: &Profile) -> Self {
        self.habits = profile.dial.to_vec();
        self.with_identity(profile.identity.clone())
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

    /// Sets a name that is acceptable for every node and seed in addition to those of the policy, and may be announced.
    /// Without effect where [one name alone counts, or a closure decides](IdentityPolicy::takes_further_names).
    #[must_use]
    pub fn with_verify_as(mut self, name: IdentityName) -> Self {
        self.verify_as = Some(name);
        self
    }

    /// Sets which announced names count. Without it only the seed's own host does.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The rules in the order in which they are asked.
    pub fn rules(&self) -> impl Iterator<Item = &DialRule> {
        self.rules.iter().chain(&self.habits)
    }

    /// Which names will do.
    pub fn identity(&self) -> &IdentityPolicy {
        &self.identity
    }

    /// Which announced names count.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The plan for a node of the cluster, or for the target of a redirect.
    ///
    /// `seed` is the configured seed whose authenticated answer led to the node; `boundary` is what bounds announced
    /// names now.
    ///
    /// # Errors
    /// [`PlanError`] if a rule gives no address, if there is no acceptable name, or if what is announced is out of
    /// scope and nothing else leads to the node.
    pub fn plan_node(
        &self,
        node: &AnnouncedNode,
        seed: &Endpoint,
        boundary: Boundary,
    ) -> Result<NodePlan, PlanError> {
        let counts = |name: &IdentityName| self.counts(name, seed, boundary);
        let identities = self.identity.identities(node, seed, self.verify_as.as_ref(), counts);
        let mut out_of_scope = self.identity.announced(node);
        out_of_scope.retain(|name| !counts(name));
        if identities.is_empty() {
            let endpoint = node.endpoint.clone();
            return Err(match out_of_scope.is_empty() {
                true => PlanError::NoIdentity { endpoint },
                false => PlanError::OutOfScope { endpoint },
            });
        }
        let (dial, pins) = self.dial(node, seed, counts)?;
        let sni = sni(&identities, node, seed, counts);
        Ok(NodePlan { dial, sni, identities, pins, out_of_scope, boundary })
    }

    /// The plan for a seed: that of a node announced as the seed is configured.
    ///
    /// # Errors
    /// Those of [`plan_node`](Self::plan_node).
    pub fn plan_seed(&self, seed: &Endpoint, boundary: Boundary) -> Result<NodePlan, PlanError> {
        let node = AnnouncedNode::new(seed.clone(), Role::Primary);
        let mut plan = self.plan_node(&node, seed, boundary)?;
        for identity in &mut plan.identities {
            // The user configured this host; no cluster announced it.
            if identity.source == super::IdentitySource::Announced {
                identity.source = super::IdentitySource::Seed;
            }
        }
        Ok(plan)
    }

    /// Whether an announced name counts: everything does where the scope is lifted, and where a closure decides.
    fn counts(&self, name: &IdentityName, seed: &Endpoint, boundary: Boundary) -> bool {
        let is_verified = match &self.identity {
            IdentityPolicy::Custom(_) => return true,
            IdentityPolicy::Only(only) => same(only, name),
            _ => self.verify_as.as_ref().is_some_and(|also| same(also, name)),
        };
        boundary == Boundary::Lifted
            || is_verified
            || self.scope.admits(name)
            || IdentityName::parse(seed.host()).is_ok_and(|seed| same(&seed, name))
    }

    /// Where to dial, and the pins of the rule that says so.
    fn dial(
        &self,
        node: &AnnouncedNode,
        seed: &Endpoint,
        counts: impl Fn(&IdentityName) -> bool,
    ) -> Result<(DialPlan, Vec<Pin>), PlanError> {
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
        let is_dialled = same_host || may_be_dialled(announced.host(), counts);
        for habit in &self.habits {
            match habit.dial(&node.endpoint, seed)? {
                Some(address) if !is_dialled && address.host().eq_ignore_ascii_case(announced.host()) => {
                    return Err(PlanError::OutOfScope { endpoint: node.endpoint.clone() });
                }
                Some(address) => return Ok((DialPlan::Ruled(address), habit.pins.clone())),
                None => {}
            }
        }
        let at_seed = || DialAddress::new(seed.host(), announced.port());
        if !is_dialled {
            return Ok((DialPlan::Detour(at_seed()), Vec::new()));
        }
        let fallback = (!same_host).then(at_seed);
        Ok((DialPlan::Auto { announced, fallback }, Vec::new()))
    }
}

/// Whether an announced host is dialled at all: an address always is, for that is all that some providers announce and it
/// proves nothing by itself; a name only if it counts.
fn may_be_dialled(host: &str, counts: impl Fn(&IdentityName) -> bool) -> bool {
    match IdentityName::parse(host) {
        Ok(IdentityName::Ip(_)) => true,
        Ok(name) => counts(&name),
        Err(_) => false,
    }
}

/// The server name to send: an acceptable name, or else any name that is known for the node and counts.
fn sni(
    identities: &[Identity],
    node: &AnnouncedNode,
    seed: &Endpoint,
    counts: impl Fn(&IdentityName) -> bool,
) -> Option<Arc<str>> {
    let acceptable = identities.iter().find_map(|identity| identity.name.as_dns().cloned());
    let known = || {
        let hosts = [Some(node.endpoint.host()), node.hostname.as_deref(), Some(seed.host())];
        let names = hosts.into_iter().flatten().filter_map(|host| IdentityName::parse(host).ok());
        names.filter(counts).find_map(|name| name.as_dns().cloned())
    };
    acceptable.or_else(known)
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPolicy")
            .field("rules", &self.rules)
            .field("habits", &self.habits)
            .field("map", &self.map.as_ref().map(|_| "closure"))
            .field("identity", &self.identity)
            .field("verify_as", &self.verify_as)
            .field("scope", &self.scope)
            .finish()
    }
}

impl Profile {
    /// The policy of the profile, without the user's rules.
    pub fn policy(&self) -> AddressPolicy {
        AddressPolicy::new().with_profile(self)
    }
}
