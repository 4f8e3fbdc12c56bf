//! Connecting to a node: where to dial it, and which of several ways wins.
//!
//! Without a rule the announced address is dialled; when that fails, or is silent for a quarter of a second, the
//! seed's host with the announced port is raced in parallel. The winner has passed every check of an attempt.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use truename_topology::{AddressPolicy, Boundary, DialPlan, NodePlan, PlanError};

use super::attempt::{Connected, Dialling, Explain, dial};
use super::environment::Environment;
use super::facts::ConnectionFacts;
use super::failure;
use super::greeting::{Login, without_secret};
use super::known::{KnownNode, ProvedIds};
use super::permits::Permits;
use super::probing::probe_config;
use super::target::Target;
use super::trust::LiveConnections;
use super::way::{Way, dial_candidates};
use crate::config::Config;
use crate::config::plaintext::PlaintextGuard;
use crate::error::{Cause, Error, NodeFailure, Phase};
use crate::panics;
use crate::tls::{Outdated, TlsContext};

/// How long the first way may be silent before the second is tried in parallel.
const RACE_AFTER: Duration = Duration::from_millis(250);

/// Makes connections for one client.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) env: Environment,
    pub(crate) live: LiveConnections,
    policy: AddressPolicy,
}

impl Connector {
    /// Builds the shared state. Loads certificates, so it may block.
    pub(crate) fn build(config: &Config) -> Result<Self, Error> {
        config.validate()?;
        let tls = config.tls.clone().map(TlsContext::build).transpose()?.map(ArcSwap::from_pointee);
        let probe_tls = match tls {
            Some(_) => None,
            None => Some(probe_config()?),
        };
        Ok(Self {
            env: Environment {
                tls,
                probe_tls,
                resolver: config.resolver.for_client(),
                login: Login {
                    protocol: config.protocol,
                    credentials: config.credentials.clone(),
                    client_name: config.client_name.clone(),
                    database: config.database,
                    readonly: config.read_from.uses_replicas(),
                },
                timing: config.timing,
                guard: PlaintextGuard::of(config),
                permits: Permits::default(),
                proved: ProvedIds::default(),
            },
            live: LiveConnections::default(),
            policy: config.address_policy(),
        })
    }

    /// Applies new TLS options from now on: to connections that are being made, and to all live ones; those that they
    /// refuse end. A check takes a fraction of a millisecond per connection.
    pub(crate) fn replace_tls(&self, context: TlsContext) -> Result<(), Error> {
        let tls = self.env.tls.as_ref().ok_or_else(|| {
            Error::config("a plaintext client cannot change to TLS: that is chosen when it is created")
        })?;
        tls.store(Arc::new(context));
        self.live.judge(|target, facts| self.refuses(target, facts));
        Ok(())
    }

    /// Why the current TLS options refuse a connection that earlier ones may have accepted.
    pub(crate) fn refuses(&self, target: &Target, facts: &ConnectionFacts) -> Option<Cause> {
        let tls = self.env.tls.as_ref()?.load_full();
        let presented = facts.presented.as_ref().filter(|presented| !presented.is_accepted_by(tls.id()))?;
        match self.plan(target) {
            Ok(plan) => tls.judge(&plan, presented).err().map(|rejection| rejection.cause()),
            Err(failure) => Some(failure.cause),
        }
    }

    /// Current revocation lists that have become outdated, each reported once.
    pub(crate) fn newly_outdated_lists(&self) -> Vec<Outdated> {
        self.env.tls.as_ref().map(|tls| tls.load().newly_outdated()).unwrap_or_default()
    }

    /// Where the target would be dialled and which names it may prove.
    pub(crate) fn plan(&self, target: &Target) -> Result<NodePlan, Box<NodeFailure>> {
        let boundary = self.boundary();
        let planned = panics::catch("the address map or identity policy", || {
            if target.is_seed {
                self.policy.plan_seed(&target.seed, boundary)
            } else {
                self.policy.plan_node(&target.node, &target.seed, boundary)
            }
        });
        let plan = match planned {
            Ok(plan) => plan,
            Err(panicked) => return Err(Box::new(undialled(target, Cause::Panicked(panicked.to_string())))),
        };
        plan.map_err(|error| {
            Box::new(match error {
                PlanError::OutOfScope { .. } => out_of_scope(target),
                error => undialled(target, Cause::Unplannable(error.to_string())),
            })
        })
    }

    /// Why the target would not be dialled at all: it cannot be planned, or its name is out of scope and it has no id
    /// by which a detour could be proved.
    pub(crate) fn refuses_to_dial(&self, target: &Target) -> Option<Box<NodeFailure>> {
        match self.plan(target) {
            Err(failure) => Some(failure),
            Ok(plan) if dial_candidates(&plan.dial, target.expected.is_some(), None).is_empty() => {
                Some(Box::new(out_of_scope(target)))
            }
            Ok(_) => None,
        }
    }

    /// What bounds announced names now: the scope, unless the user's own authority does, or nothing is checked anyway.
    fn boundary(&self) -> Boundary {
        self.env.tls.as_ref().map_or(Boundary::Lifted, |tls| tls.load().boundary())
    }

    /// Connects within the time of one node, and no later than `deadline`.
    ///
    /// `known` is what earlier connections to the node learnt, and learns from this one. `is_for_reads`: it may be read from
    /// while it is a replica.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        known: &KnownNode,
        explain: Explain,
        is_for_reads: bool,
        deadline: Instant,
    ) -> Result<Connected, Vec<NodeFailure>> {
        let deadline = deadline.min(Instant::now() + self.env.timing.node_connect);
        loop {
            let plan = self.plan(target).map_err(|failure| vec![*failure])?;
            match self.follow(target, &plan, known, explain, is_for_reads, deadline).await {
                Ok(connected) => return Ok(connected),
                // The roots were replaced meanwhile, and with them what counts: the plan was for others.
                Err(_) if plan.boundary != self.boundary() => {}
                Err(failures) => return Err(with_scope(failures, target, &plan)),
            }
        }
    }

    /// Connects by the ways of a plan that are open.
    async fn follow(
        &self,
        target: &Target,
        plan: &NodePlan,
        known: &KnownNode,
        explain: Explain,
        is_for_reads: bool,
        deadline: Instant,
    ) -> Result<Connected, Vec<NodeFailure>> {
        let expected = known.expected(target);
        let ways = dial_candidates(&plan.dial, expected.is_some(), known.first_way().as_ref());
        let (open, met) = known.open(&ways, Instant::now())?;
        let dialling = Dialling {
            env: &self.env,
            target,
            plan,
            expected: expected.as_ref(),
            explain,
            is_for_reads,
            deadline,
        };
        let connected = race(dialling, &open).await.map_err(|mut failures| {
            known.failed(&ways, &failures, Instant::now());
            failures.extend(met);
            match known.was_connected() {
                true => failures.into_iter().map(NodeFailure::after_success).collect(),
                false => failures,
            }
        })?;
        if let Some(way) = &connected.facts.dialled {
            known.reached(way, connected.facts.greeting.node_id.as_deref());
        }
        Ok(connected)
    }

    /// A failure that happened after the connection was made, and took this long.
    pub(crate) fn failure_after(
        &self,
        target: &Target,
        facts: &ConnectionFacts,
        phase: Phase,
        cause: Cause,
        elapsed: Duration,
    ) -> NodeFailure {
        let plan = self.plan(target).ok();
        let expected = target.expected.as_ref();
        let failed = (phase, without_secret(cause, self.env.login.credentials.as_ref()));
        failure::report(target, expected, plan.as_ref(), facts, failed, elapsed).after_tls()
    }
}

/// The failures of a node's ways, and why its announced name was not among them.
pub(super) fn with_scope(
    mut failures: Vec<NodeFailure>,
    target: &Target,
    plan: &NodePlan,
) -> Vec<NodeFailure> {
    if matches!(plan.dial, DialPlan::Detour(_)) {
        failures.push(out_of_scope(target));
    }
    failures
}

/// The failure of a node whose announced name is out of scope.
fn out_of_scope(target: &Target) -> NodeFailure {
    undialled(target, Cause::OutOfScope(target.node.endpoint.host().to_owned()))
}

/// A failure before anything was dialled.
pub(super) fn undialled(target: &Target, cause: Cause) -> NodeFailure {
    let (expected, facts) = (target.expected.as_ref(), ConnectionFacts::default());
    failure::report(target, expected, None, &facts, (Phase::Plan, cause), Duration::ZERO)
}

/// Tries the first way, and the second one when that fails or is silent. After a wrong node the other way has to wait for
/// another attempt: otherwise two strangers would get the password at once.
async fn race(dialling: Dialling<'_>, ways: &[Way]) -> Result<Connected, Vec<NodeFailure>> {
    let [first, rest @ ..] = ways else { return Err(Vec::new()) };
    let mut leading = Box::pin(dial(dialling, first));
    let Some(second) = rest.first() else {
        return leading.await.map_err(|failure| vec![failure]);
    };
    let early = match tokio::time::timeout(RACE_AFTER, &mut leading).await {
        Ok(Ok(connected)) => return Ok(connected),
        Ok(Err(failure)) if failure.cause.is_wrong_node() => return Err(vec![failure]),
        Ok(Err(failure)) => Some(failure),
        Err(_) => None,
    };
    let mut trailing = Box::pin(dial(dialling, second));
    if let Some(failure) = early {
        return trailing.await.map_err(|other| vec![failure, other]);
    }
    tokio::select! {
        won = &mut leading => match won {
            Ok(connected) => Ok(connected),
            Err(failure) => trailing.await.map_err(|other| vec![failure, other]),
        },
        won = &mut trailing => match won {
            Ok(connected) => Ok(connected),
            Err(failure) => leading.await.map_err(|other| vec![other, failure]),
        },
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair};
    use truename_topology::{AnnouncedNode, Endpoint, Role};

    use super::*;
    use crate::tls::Tls;

    /// An authority that looks like a public one, so that announced names are bounded.
    fn public() -> Tls {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in [
            (DnType::CountryName, "US"),
            (DnType::OrganizationName, "Internet Security Research Group"),
            (DnType::CommonName, "ISRG Root X2"),
        ] {
            params.distinguished_name.push(kind, DnValue::PrintableString(name.try_into().expect("ASCII")));
        }
        let namesake = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        Tls::new().ca_pem(namesake.pem()).expect("a bundle")
    }

    /// A redirect's target has no id. It was believed to be dialled wherever a node with an id may be reached by a detour.
    #[test]
    fn what_a_redirect_names_is_refused_before_anything_follows_it() {
        let seed = Endpoint::new("seed.example.net", 6379);
        let config = Config::new().seed(seed.host(), seed.port());
        let scoped = Connector::build(&config.clone().tls(public())).expect("a connector");
        let plaintext = Connector::build(&config.plaintext()).expect("a connector");
        for (host, has_id, refused) in [
            ("node-1.example.net", false, false),
            ("10.0.0.4", false, false),
            ("evil.test", false, true),
            ("evil.test", true, false),
            ("redis-0", false, true),
        ] {
            let node = AnnouncedNode::new(Endpoint::new(host, 7), Role::Primary);
            let node = if has_id { node.with_id("id".into()) } else { node };
            let target = Target::announced(&node, &seed);
            let code = scoped.refuses_to_dial(&target).map(|failure| failure.cause.code());
            assert_eq!(code, refused.then_some("out-of-scope"), "{host} {has_id}");
            assert!(plaintext.refuses_to_dial(&target).is_none(), "{host} {has_id}");
        }
    }

    /// A node that only a redirect had named was not looked for at the seed's host, although it had reported its id.
    #[tokio::test]
    async fn a_node_that_told_its_id_is_looked_for_at_the_seeds_host_as_well() {
        use std::net::TcpListener;
        use truename_topology::DialAddress;

        let bound = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let closed = bound.local_addr().expect("bound").port();
        drop(bound);
        let seed = Endpoint::new("127.0.0.1", closed);
        let config = Config::new().seed(seed.host(), seed.port()).plaintext();
        let connector = Connector::build(&config).expect("a connector");
        let node = AnnouncedNode::new(Endpoint::new("127.0.0.6", closed), Role::Primary);
        let target = Target::announced(&node, &seed);
        let known = KnownNode::default();
        let dialled = async || {
            let deadline = Instant::now() + Duration::from_secs(5);
            let failures = connector.connect(&target, &known, Explain::Briefly, true, deadline).await;
            let failures = failures.expect_err("nobody is there");
            failures.iter().filter_map(|failure| failure.dialled.clone()).collect::<Vec<_>>()
        };
        let (announced, at_seed) =
            (DialAddress::new("127.0.0.6", closed), DialAddress::new("127.0.0.1", closed));
        assert_eq!(dialled().await, std::slice::from_ref(&announced));
        known.reached(&announced, Some("told"));
        assert_eq!(dialled().await, [announced, at_seed]);
    }
}
