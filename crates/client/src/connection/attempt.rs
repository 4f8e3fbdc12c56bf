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
use truename_topology::{DialAddress, NodePlan};

use super::facts::ConnectionFacts;
use super::greeting;
use super::io_cause::{is_closed, lookup_cause};
use super::permits::{HANDSHAKE_WORK, HANDSHAKES};
use super::probing::{self, PROBE_TIME};
use super::sni::server_name;
use super::transport::Transport;
use super::wire::Wire;
use super::{Environment, Target};
use super::{identity, remedy, secured, tcp};
use crate::error::{Cause, NodeFailure, Phase};
use crate::tls::{Certificate, TlsContext, classify_tls_error};

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

/// An attempt's state: the deadline, and what a failure would have to say.
struct Attempt<'a> {
    env: &'a Environment,
    target: &'a Target,
    plan: &'a NodePlan,
    explain: Explain,
    started: Instant,
    deadline: Instant,
    facts: ConnectionFacts,
}

/// Dials one address. The result passed every check that the target asks for.
pub(super) async fn dial(
    env: &Environment,
    target: &Target,
    plan: &NodePlan,
    address: &DialAddress,
    explain: Explain,
    deadline: Instant,
) -> Result<Connected, NodeFailure> {
    let mut attempt = Attempt {
        env,
        target,
        plan,
        explain,
        started: Instant::now(),
        deadline,
        facts: ConnectionFacts { dialled: Some(address.clone()), ..ConnectionFacts::default() },
    };
    match attempt.run(address).await {
        Ok(wire) => {
            attempt.facts.elapsed = attempt.started.elapsed();
            Ok(Connected { wire, facts: attempt.facts })
        }
        Err((phase, cause)) => Err(attempt.failure(phase, cause)),
    }
}

type Step<T> = Result<T, (Phase, Cause)>;

impl Attempt<'_> {
    async fn run(&mut self, address: &DialAddress) -> Step<Wire<Transport>> {
        if let Some(provider) = self.env.guard.provider(self.target.hosts(address)) {
            return Err((Phase::Plan, Cause::PlaintextCredentials { provider: provider.title }));
        }
        let addresses = self.resolve(address).await?;
        let tcp = self.tcp(&addresses).await?;
        let phase = if self.env.tls.is_some() { Phase::Tls } else { Phase::Hello };
        let permit = self.within(phase, HANDSHAKES.acquire()).await?;
        let mut shaking = pin!(self.shake_hands(tcp));
        let shaken = tokio::time::timeout(HANDSHAKE_WORK, &mut shaking).await;
        drop(permit);
        match shaken {
            Ok(shaken) => shaken,
            Err(_) => shaking.await,
        }
    }

    async fn shake_hands(&mut self, tcp: TcpStream) -> Step<Wire<Transport>> {
        let transport = match &self.env.tls {
            None => Transport::Tcp(tcp),
            Some(_) => self.tls(tcp).await?,
        };
        let mut wire = Wire::new(transport);
        self.greet(&mut wire).await?;
        identity::check(self.target, &self.facts, self.env.tls.is_some())
            .map_err(|cause| (Phase::Identity, cause))?;
        Ok(wire)
    }

    async fn within<T>(&self, phase: Phase, step: impl Future<Output = T>) -> Step<T> {
        tokio::time::timeout_at(self.deadline, step).await.map_err(|_| (phase, Cause::TimedOut))
    }

    async fn resolve(&self, address: &DialAddress) -> Step<Vec<SocketAddr>> {
        self.within(Phase::Resolve, self.env.resolver.lookup(address.host(), address.port()))
            .await?
            .map_err(|error| (Phase::Resolve, lookup_cause(&error)))
    }

    async fn tcp(&mut self, addresses: &[SocketAddr]) -> Step<TcpStream> {
        let silence = self.env.timing.stall;
        tcp::connect(addresses, &mut self.facts.peer, silence, self.deadline)
            .await
            .map_err(|cause| (Phase::Tcp, cause))
    }

    async fn tls(&mut self, tcp: TcpStream) -> Step<Transport> {
        let context = self.env.tls.as_ref().expect("called for TLS only").load_full();
        if context.boundary() != self.plan.boundary {
            return Err((
                Phase::Tls,
                Cause::TlsFailed("the trusted roots were replaced meanwhile".to_owned()),
            ));
        }
        let name = server_name(self.plan)
            .ok_or_else(|| (Phase::Plan, Cause::Unplannable("no name to verify".to_owned())))?;
        let silence = self.env.timing.stall;
        let handshake = secured::shake_hands(&context, self.plan, name, tcp, silence, self.deadline);
        let time_box = self.deadline.checked_sub(PROBE_TIME).unwrap_or(self.deadline);
        match tokio::time::timeout_at(time_box, handshake).await {
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

    /// The TLS options may have been replaced during the handshake: nothing is said to a peer that the new ones refuse.
    fn judge_again(&mut self, accepted_by: &Arc<TlsContext>) -> Step<()> {
        let in_force = self.env.tls.as_ref().expect("called for TLS only").load_full();
        let Some(presented) = self.facts.presented.as_ref().filter(|_| !Arc::ptr_eq(&in_force, accepted_by))
        else {
            return Ok(());
        };
        in_force.judge(self.plan, presented).map_err(|rejection| (Phase::Tls, rejection.cause()))
    }

    fn note_session(&mut self, context: &TlsContext, stream: &tokio_rustls::client::TlsStream<TcpStream>) {
        let (_, session) = stream.get_ref();
        self.facts.tls_version = session.protocol_version().and_then(|v| v.as_str()).map(str::to_owned);
        self.facts.is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        self.facts.cipher_suite =
            session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned);
        self.facts.presented = Some(Arc::new(context.presented(session)));
        if let Some(chain) = session.peer_certificates() {
            self.facts.certificate =
                chain.first().and_then(|leaf| Certificate::read(leaf, chain.len())).map(Arc::new);
            self.facts.identity = context.proven(chain, &self.plan.identities).cloned();
        }
    }

    async fn explain_tls(&mut self, error: &io::Error) -> Cause {
        match classify_tls_error(error) {
            Some((cause @ Cause::PlaintextPort, _)) => {
                if self.explain == Explain::Briefly || self.answers_plaintext().await {
                    return cause;
                }
                Cause::TlsFailed("the peer answered with something that is not TLS".to_owned())
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
        self.facts.peer.filter(|_| self.explain == Explain::Fully)
    }

    async fn answers_plaintext(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        probing::answers_plaintext(peer).await
    }

    async fn answers_tls(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        probing::answers_tls(peer, self.env.probe_tls.clone()).await
    }

    async fn greet(&mut self, wire: &mut Wire<Transport>) -> Step<()> {
        let time_box = match self.env.tls {
            Some(_) => self.deadline,
            None => self.deadline.checked_sub(PROBE_TIME).unwrap_or(self.deadline),
        };
        let asked = Instant::now();
        let greeted = tokio::time::timeout_at(time_box, greeting::exchange(wire, &self.env.login)).await;
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
        if self.env.tls.is_none() && silent && self.answers_tls().await {
            return Err((Phase::Hello, Cause::TlsPort));
        }
        Err((phase, cause))
    }

    fn failure(&self, phase: Phase, cause: Cause) -> NodeFailure {
        let remedy = remedy::advise(self.target, self.plan, &self.facts, phase, &cause);
        NodeFailure {
            node: self.target.node.endpoint.clone(),
            is_seed: self.target.is_seed,
            dialled: self.facts.dialled.clone(),
            peer: self.facts.peer,
            phase,
            cause,
            acceptable: self.plan.identities.clone(),
            certificate: self.facts.certificate.clone(),
            remedy,
            elapsed: self.started.elapsed(),
        }
    }
}
