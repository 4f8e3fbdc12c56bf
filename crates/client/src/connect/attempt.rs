//! One dial attempt, step by step, and the record of how far it got.
//!
//! resolve -> TCP -> TLS with the node's identities -> `HELLO` and login -> is it the announced node?
//!
//! Every step runs against the attempt's deadline; a failure carries everything that was learnt before it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio::time::Instant;
use truename_topology::{NodeId, NodePlan};

use super::addresses::{Turns, first_of};
use super::facts::ConnectionFacts;
use super::greeting::{self, without_secret};
use super::identity::Circumstances;
use super::io_cause::{is_closed, lookup_cause};
use super::permits::HANDSHAKE_WORK;
use super::probing;
use super::sni::sni;
use super::step::StepResult;
use super::transport::Transport;
use super::way::{Via, Way};
use super::wire::Wire;
use super::{Environment, Target, failure, identity, secured, tcp};
use crate::certificate::Certificate;
use crate::error::{Cause, NodeFailure, Phase};
use crate::tls::{TlsContext, classify_tls_error};

/// How much a failed attempt may do to explain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Explain {
    /// It may dial once more to find out what else the port speaks: somebody is going to read the answer.
    Fully,
    /// No further dials: the port has spoken as expected before, or is asked again and again. After an outage,
    /// thousands of clients would double the load of their return.
    Briefly,
}

/// A connection that is ready for commands.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) wire: Wire<Transport>,
    pub(crate) facts: ConnectionFacts,
}

/// What every attempt to reach a node has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialling<'a> {
    pub(super) env: &'a Environment,
    pub(super) target: &'a Target,
    pub(super) plan: &'a NodePlan,
    /// The node id that must answer.
    pub(super) expected: Option<&'a NodeId>,
    pub(super) explain: Explain,
    /// Whether it is to be read from while it is a replica, if the client does that at all.
    pub(super) is_for_reads: bool,
    pub(super) deadline: Instant,
}

/// An attempt's state at one address: what was learnt, which is what a failure reports.
struct Attempt<'a> {
    dialling: Dialling<'a>,
    via: Via,
    started: Instant,
    facts: ConnectionFacts,
}

/// Dials one way: the addresses of its host, one after the other, until one of them has passed every check that the
/// target asks for.
pub(super) async fn dial(dialling: Dialling<'_>, way: &Way) -> Result<Connected, NodeFailure> {
    let started = Instant::now();
    let begin = |peer| {
        let facts =
            ConnectionFacts { dialled: Some(way.address.clone()), peer, ..ConnectionFacts::default() };
        Attempt { dialling, via: way.via, started, facts }
    };
    let addresses = begin(None).resolve().await.map_err(|failed| begin(None).failure(failed))?;
    // A third each, so that there is time for a third address.
    let turns = Turns::new(dialling.deadline.saturating_duration_since(started) / 3);
    let turns = &turns;
    first_of(&addresses, turns, |peer| {
        let attempt = begin(Some(peer));
        async move { attempt.finish(peer, turns).await }
    })
    .await
}

impl Attempt<'_> {
    async fn finish(mut self, peer: SocketAddr, turns: &Turns) -> Result<Connected, NodeFailure> {
        match self.run(peer, turns).await {
            Ok(wire) => {
                self.facts.elapsed = self.started.elapsed();
                Ok(Connected { wire, facts: self.facts })
            }
            Err(failed) => Err(self.failure(failed)),
        }
    }

    async fn run(&mut self, peer: SocketAddr, turns: &Turns) -> StepResult<Wire<Transport>> {
        let dial = self.dialling.env.permits.dials.acquire();
        let _permit = tokio::time::timeout_at(self.dialling.deadline, dial)
            .await
            .map_err(|_| (Phase::Tcp, Cause::TooManyDials))?;
        let tcp = self.tcp(peer).await?;
        self.within(Phase::Tcp, turns.claim()).await?;
        let transport = match &self.dialling.env.tls {
            None => Transport::Tcp(tcp),
            Some(_) => self.timed_tls(tcp).await?,
        };
        let mut wire = Wire::new(transport);
        self.greet(&mut wire).await?;
        self.check_identity(&mut wire).await?;
        Ok(wire)
    }

    async fn within<T>(&self, phase: Phase, step: impl Future<Output = T>) -> StepResult<T> {
        tokio::time::timeout_at(self.dialling.deadline, step).await.map_err(|_| (phase, Cause::TimedOut))
    }

    async fn resolve(&self) -> StepResult<Vec<SocketAddr>> {
        let Dialling { env, target, .. } = self.dialling;
        let address = self.facts.dialled.as_ref().expect("set when it began");
        if let Some(provider) = env.guard.provider(target.hosts(address)) {
            return Err((Phase::Plan, Cause::PlaintextCredentials { provider: provider.title }));
        }
        self.within(Phase::Resolve, env.resolver.lookup(address.host(), address.port()))
            .await?
            .map_err(|error| (Phase::Resolve, lookup_cause(&error)))
    }

    async fn tcp(&mut self, peer: SocketAddr) -> StepResult<TcpStream> {
        let begun = Instant::now();
        let connecting = tcp::connect(peer, self.dialling.env.timing.stall);
        let stream = self.within(Phase::Tcp, connecting).await?.map_err(|cause| (Phase::Tcp, cause))?;
        self.facts.tcp = begun.elapsed();
        Ok(stream)
    }

    async fn timed_tls(&mut self, tcp: TcpStream) -> StepResult<Transport> {
        let begun = Instant::now();
        let transport = self.tls(tcp).await?;
        self.facts.tls = Some(begun.elapsed());
        Ok(transport)
    }

    async fn tls(&mut self, tcp: TcpStream) -> StepResult<Transport> {
        let Dialling { env, plan, deadline, .. } = self.dialling;
        let context = env.tls.as_ref().expect("called for TLS only").load_full();
        if context.boundary() != plan.boundary {
            return Err((Phase::Tls, roots_replaced()));
        }
        let name =
            sni(plan).ok_or_else(|| (Phase::Plan, Cause::Unplannable("no name to verify".to_owned())))?;
        let time_box = probing::time_box(deadline);
        let permit = self.within(Phase::Tls, env.permits.handshakes.acquire()).await?;
        let mut handshake = pin!(secured::shake_hands(&context, plan, name, tcp, env.timing.stall, deadline));
        let work = time_box.min(Instant::now() + HANDSHAKE_WORK);
        let early = tokio::time::timeout_at(work, &mut handshake).await;
        drop(permit);
        let shaken = match early {
            Ok(shaken) => Ok(shaken),
            Err(_) => tokio::time::timeout_at(time_box, handshake).await,
        };
        match shaken {
            Ok(Ok(stream)) => {
                self.note_session(&context, &stream);
                self.judge_again(&context)?;
                Ok(Transport::Tls(Box::new(stream)))
            }
            Ok(Err(error)) => Err((Phase::Tls, self.explain_tls(&error).await)),
            Err(_) => {
                // A plaintext server waits for the end of a line that the handshake does not contain.
                let cause =
                    if self.answers_plaintext().await { Cause::PlaintextPort } else { Cause::TimedOut };
                Err((Phase::Tls, cause))
            }
        }
    }

    /// The TLS options may have been replaced during the handshake: nothing is sent to a peer that the new ones refuse.
    fn judge_again(&self, accepted_by: &Arc<TlsContext>) -> StepResult<()> {
        let in_force = self.dialling.env.tls.as_ref().expect("called for TLS only").load_full();
        let Some(presented) = self.facts.presented.as_ref().filter(|_| !Arc::ptr_eq(&in_force, accepted_by))
        else {
            return Ok(());
        };
        // Other names count then: planned anew, the next attempt knows them.
        if in_force.boundary() != self.dialling.plan.boundary {
            return Err((Phase::Tls, roots_replaced()));
        }
        in_force.judge(self.dialling.plan, presented).map_err(|rejection| (Phase::Tls, rejection.cause()))
    }

    fn note_session(&mut self, context: &TlsContext, stream: &tokio_rustls::client::TlsStream<TcpStream>) {
        let (_, session) = stream.get_ref();
        self.facts.tls_version = session.protocol_version().and_then(|v| v.as_str()).map(str::to_owned);
        self.facts.is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        self.facts.cipher_suite =
            session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned);
        let presented = Arc::new(context.presented(session));
        self.facts.certificate = Certificate::of_kept(presented.chain()).map(Arc::new);
        self.facts.identity = context.proven(presented.chain(), &self.dialling.plan.identities).cloned();
        self.facts.presented = Some(presented);
    }

    async fn explain_tls(&mut self, error: &io::Error) -> Cause {
        match classify_tls_error(error) {
            // Most often it is plaintext Redis; whether it is, only another dial can tell.
            Some((Cause::NotTls, _)) => {
                if self.dialling.explain == Explain::Briefly || self.answers_plaintext().await {
                    return Cause::PlaintextPort;
                }
                Cause::NotTls
            }
            Some((cause, certificate)) => {
                self.facts.certificate = certificate;
                cause
            }
            None if is_closed(error) => {
                if self.answers_plaintext().await {
                    Cause::PlaintextPort
                } else {
                    Cause::ClosedByPeer
                }
            }
            None => Cause::Io(error.to_string()),
        }
    }

    fn peer_to_probe(&self) -> Option<SocketAddr> {
        self.facts.peer.filter(|_| self.dialling.explain == Explain::Fully)
    }

    async fn answers_plaintext(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        probing::answers_plaintext(peer).await
    }

    async fn answers_tls(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        probing::answers_tls(peer, self.dialling.env.probe_tls.clone()).await
    }

    async fn greet(&mut self, wire: &mut Wire<Transport>) -> StepResult<()> {
        let Dialling { env, deadline, is_for_reads, .. } = self.dialling;
        let time_box = match env.tls {
            Some(_) => deadline,
            None => probing::time_box(deadline),
        };
        let asked = Instant::now();
        let greeted =
            tokio::time::timeout_at(time_box, greeting::exchange(wire, &env.login, is_for_reads)).await;
        let (phase, cause) = match greeted {
            Ok(Ok(greeting)) => {
                self.facts.greeting = greeting;
                self.facts.round_trip = asked.elapsed();
                return Ok(());
            }
            Ok(Err(failure)) => failure,
            Err(_) => (Phase::Hello, Cause::TimedOut),
        };
        let silent = matches!(cause, Cause::TimedOut | Cause::ClosedByPeer | Cause::NotRedis(_));
        if env.tls.is_none() && silent && self.answers_tls().await {
            return Err((Phase::Hello, Cause::TlsPort));
        }
        Err((phase, cause))
    }

    /// Is it the node that was announced? Asks in a second way where an answer is needed and the first way gave none.
    async fn check_identity(&mut self, wire: &mut Wire<Transport>) -> StepResult<()> {
        let Dialling { env, target, expected, .. } = self.dialling;
        let Some(expected) = expected else { return Ok(()) };
        let circumstances = Circumstances {
            via: self.via,
            is_tls: env.tls.is_some(),
            is_detour: self.facts.dialled.as_ref().is_some_and(|dialled| target.is_elsewhere(dialled)),
            has_reported_id: env.proved.contains(expected),
        };
        if self.facts.greeting.node_id.is_none() && circumstances.need_proof() {
            let told = self.within(Phase::Identity, identity::ask_nodes(wire)).await?;
            self.facts.greeting.node_id = told?;
        }
        let answered = self.facts.greeting.node_id.as_deref();
        circumstances.judge(expected.as_str(), answered).map_err(|cause| (Phase::Identity, cause))?;
        if answered.is_some() {
            env.proved.add(expected);
        }
        Ok(())
    }

    fn failure(&self, (phase, cause): (Phase, Cause)) -> NodeFailure {
        let Dialling { env, target, plan, expected, .. } = self.dialling;
        let failed = (phase, without_secret(cause, env.login.credentials.as_ref()));
        failure::report(target, expected, Some(plan), &self.facts, failed, self.started.elapsed())
    }
}

/// A transient cause: the next attempt uses the roots that are current by then.
fn roots_replaced() -> Cause {
    Cause::Io("the TLS options were replaced during the handshake".to_owned())
}
