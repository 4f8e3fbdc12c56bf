//! [`AddressPolicy`]: the one place where addresses and identities are decided.

use std::fmt;
use std::sync::Arc;

use super::trust::same;
use super::{
    Boundary, DialAddress, DialPlan, DialRule, Identity, IdentityName, IdentityPolicy, NodePlan, Pin,
    PlanError, Profile, RuledBy, Scope,
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
    maps_seeds: bool,
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

    /// Sets a closure that is asked before the rules, for nodes but not for seeds. Where it returns `None`, they are.
    #[must_use]
    pub fn with_map(
        mut self,
        map: impl Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync + 'static,
    ) -> Self {
        self.map = Some(Arc::new(map));
        self
    }

    /// Sets whether the closure is asked for seeds as well, which are where the user said.
    #[must_use]
    pub fn with_map_for_seeds(mut self, maps_seeds: bool) -> Self {
        self.maps_seeds = maps_seeds;
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
        self.plan(node, seed, boundary, self.map.as_deref())
    }

    fn plan(
        &self,
        node: &AnnouncedNode,
        seed: &Endpoint,
        boundary: Boundary,
        map: Option<&DialMap>,
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
        let Dial { to: dial, pins, ruled_by } = self.dial(node, seed, map, counts)?;
        let sni = sni(&identities, node, seed, counts);
        Ok(NodePlan { dial, sni, identities, pins, out_of_scope, ruled_by, boundary })
    }

    /// The plan for a seed: that of a node announced as the seed is configured.
    ///
    /// # Errors
    /// Those of [`plan_node`](Self::plan_node).
    pub fn plan_seed(&self, seed: &Endpoint, boundary: Boundary) -> Result<NodePlan, PlanError> {
        let node = AnnouncedNode::new(seed.clone(), Role::Primary);
        let map = self.map.as_deref().filter(|_| self.maps_seeds);
        let mut plan = self.plan(&node, seed, boundary, map)?;
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

    fn dial(
        &self,
        node: &AnnouncedNode,
        seed: &Endpoint,
        map: Option<&DialMap>,
        counts: impl Fn(&IdentityName) -> bool,
    ) -> Result<Dial, PlanError> {
        if let Some(address) = map.and_then(|map| map(node, seed)) {
            return Ok(Dial::ruled(address, RuledBy::Map, &[]));
        }
        for rule in &self.rules {
            if let Some(address) = rule.dial(&node.endpoint, seed)? {
                return Ok(Dial::ruled(address, RuledBy::Rule(rule.to_string()), &rule.pins));
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
                Some(address) => return Ok(Dial::ruled(address, RuledBy::Profile, &habit.pins)),
                None => {}
            }
        }
        let at_seed = || DialAddress::new(seed.host(), announced.port());
        if !is_dialled {
            return Ok(Dial::unruled(DialPlan::Detour(at_seed())));
        }
        let fallback = (!same_host).then(at_seed);
        Ok(Dial::unruled(DialPlan::Auto { announced, fallback }))
    }
}

/// Where to dial, what says so, and the pins of the rule that does.
struct Dial {
    to: DialPlan,
    pins: Vec<Pin>,
    ruled_by: Option<RuledBy>,
}

impl Dial {
    fn ruled(address: DialAddress, by: RuledBy, pins: &[Pin]) -> Self {
        Self { to: DialPlan::Ruled(address), pins: pins.to_vec(), ruled_by: Some(by) }
    }

    fn unruled(to: DialPlan) -> Self {
        Self { to, pins: Vec::new(), ruled_by: None }
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
