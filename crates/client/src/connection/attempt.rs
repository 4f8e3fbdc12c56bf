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
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use truename_topology::{DialAddress, Identity, IdentityName, NodePlan};

use super::greeting::{self, Greeting};
use super::remedy;
use super::transport::Transport;
use super::wire::Wire;
use super::{Environment, Target};
use crate::error::{Cause, NodeFailure, Phase};
use crate::tls::{Certificate, TlsContext, classify_tls_error};

/// Time between starting to dial one address of a host and starting the next.
const ADDRESS_STAGGER: Duration = Duration::from_millis(250);
/// Time that is kept back from a TLS handshake to find out what else the port speaks.
const PROBE_TIME: Duration = Duration::from_millis(400);

/// Connections that this process brings up at a time, by TLS handshake and greeting: after a mass disconnect they must not
/// starve everything else.
static HANDSHAKES: Semaphore = Semaphore::const_new(64);
/// How long one of them counts. A peer that is silent for longer costs nothing, and must not keep others waiting.
const HANDSHAKE_WORK: Duration = Duration::from_millis(200);

/// What was learnt about a connection while it was made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// Where it was dialled.
    pub dialled: Option<DialAddress>,
    /// The socket address of the peer.
    pub peer: Option<SocketAddr>,
    /// The TLS version, such as `TLSv1_3`; `None` for plaintext.
    pub tls_version: Option<String>,
    /// The cipher suite.
    pub cipher_suite: Option<String>,
    /// Whether an earlier TLS session was resumed.
    pub is_resumed: bool,
    /// The name that the certificate proved. `None` for plaintext, or when names were not checked.
    pub identity: Option<Identity>,
    /// What the peer presented.
    pub certificate: Option<Arc<Certificate>>,
    /// What the server said of itself.
    pub greeting: Greeting,
    /// How long the first exchange took: a round trip, and the server's work.
    pub round_trip: Duration,
    /// How long it took from the lookup to the last handshake reply.
    pub elapsed: Duration,
}

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
        self.check_identity()?;
        Ok(wire)
    }

    async fn within<T>(&self, phase: Phase, step: impl Future<Output = T>) -> Step<T> {
        tokio::time::timeout_at(self.deadline, step).await.map_err(|_| (phase, Cause::TimedOut))
    }

    async fn resolve(&self, address: &DialAddress) -> Step<Vec<SocketAddr>> {
        self.within(Phase::Resolve, self.env.resolver.lookup(address.host(), address.port()))
            .await?
            .map_err(|error| (Phase::Resolve, Cause::NameNotFound(error.to_string())))
    }

    /// Dials the host's addresses, each a little after the one before; the first that answers wins.
    async fn tcp(&mut self, addresses: &[SocketAddr]) -> Step<TcpStream> {
        let mut dials = FuturesUnordered::new();
        for (position, &address) in addresses.iter().enumerate() {
            dials.push(async move {
                tokio::time::sleep(ADDRESS_STAGGER * position as u32).await;
                (address, TcpStream::connect(address).await)
            });
        }
        self.facts.peer = addresses.first().copied();
        let mut last = None;
        loop {
            match self.within(Phase::Tcp, dials.next()).await? {
                Some((address, Ok(stream))) => {
                    self.facts.peer = Some(address);
                    drop(dials);
                    tune(&stream, self.env.timing.stall);
                    return Ok(stream);
                }
                Some((address, Err(error))) => {
                    self.facts.peer = Some(address);
                    last = Some(error);
                }
                None => break,
            }
        }
        let cause =
            last.map_or_else(|| Cause::NameNotFound("no address".to_owned()), |error| tcp_cause(&error));
        Err((Phase::Tcp, cause))
    }

    async fn tls(&mut self, tcp: TcpStream) -> Step<Transport> {
        let context = self.env.tls.as_ref().expect("called for TLS only").load_full();
        let config = context
            .config_for(&self.plan.identities)
            .map_err(|error| (Phase::Plan, Cause::Unplannable(error.to_string())))?;
        let name = server_name(self.plan)
            .ok_or_else(|| (Phase::Plan, Cause::Unplannable("no name to verify".to_owned())))?;
        let handshake = TlsConnector::from(config).connect(name, tcp);
        let time_box = self.deadline.checked_sub(PROBE_TIME).unwrap_or(self.deadline);
        match tokio::time::timeout_at(time_box, handshake).await {
            Ok(Ok(stream)) => {
                self.note_session(&context, &stream);
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

    fn note_session(&mut self, context: &TlsContext, stream: &tokio_rustls::client::TlsStream<TcpStream>) {
        let (_, session) = stream.get_ref();
        self.facts.tls_version = session.protocol_version().and_then(|v| v.as_str()).map(str::to_owned);
        self.facts.is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        self.facts.cipher_suite =
            session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned);
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

    /// Whether the port answers a plaintext `PING`. On a connection of its own, and with nothing secret.
    async fn answers_plaintext(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        let ping = async {
            let mut wire = Wire::new(TcpStream::connect(peer).await.ok()?);
            wire.round_trip(&[&[b"PING"]]).await.ok()
        };
        tokio::time::timeout(PROBE_TIME, ping).await.ok().flatten().is_some()
    }

    /// Whether the port answers a TLS handshake, whatever its certificate. Nothing is sent over it.
    async fn answers_tls(&self) -> bool {
        let Some(peer) = self.peer_to_probe() else { return false };
        let handshake = async {
            let tcp = TcpStream::connect(peer).await.ok()?;
            let config = self.env.probe_tls.clone()?;
            let name = ServerName::IpAddress(peer.ip().into());
            match TlsConnector::from(config).connect(name, tcp).await {
                Ok(_) => Some(()),
                Err(error) => match classify_tls_error(&error) {
                    Some((Cause::PlaintextPort, _)) | None => None,
                    Some(_) => Some(()),
                },
            }
        };
        tokio::time::timeout(PROBE_TIME, handshake).await.ok().flatten().is_some()
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

    /// Refuses a node that is not the announced one: a crossed tunnel, a wrong rule, a recycled address.
    fn check_identity(&self) -> Step<()> {
        let Some(announced) = &self.target.expected else { return Ok(()) };
        let answered = self.facts.greeting.node_id.as_deref();
        let wrong = match answered {
            Some(answered) => answered != announced.as_str(),
            // A server that does not tell is believed when its certificate proved a name, or when it is dialled
            // at the very address that was announced.
            None => self.env.tls.is_none() && self.is_detour(),
        };
        if !wrong {
            return Ok(());
        }
        let answered = answered.map(str::to_owned);
        Err((Phase::Identity, Cause::WrongNode { announced: announced.to_string(), answered }))
    }

    fn is_detour(&self) -> bool {
        let node = &self.target.node.endpoint;
        self.facts.dialled.as_ref().is_some_and(|d| d.host() != node.host() || d.port() != node.port())
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

/// The name for SNI: a DNS name wherever one is known.
fn server_name(plan: &NodePlan) -> Option<ServerName<'static>> {
    if let Some(sni) = &plan.sni {
        return ServerName::try_from(sni.to_string()).ok();
    }
    plan.identities.iter().find_map(|identity| match &identity.name {
        IdentityName::Ip(address) => Some(ServerName::IpAddress((*address).into())),
        IdentityName::Dns(name) => ServerName::try_from(name.to_string()).ok(),
    })
}

/// No delay for small writes; a peer that stopped acknowledging is noticed by the system too.
fn tune(stream: &TcpStream, silence: Duration) {
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(15));
    let tuned = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| socket.set_tcp_user_timeout(Some(silence.max(Duration::from_secs(1)))));
    #[cfg(not(target_os = "linux"))]
    let _ = silence;
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options");
    }
}

fn tcp_cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Cause::Unreachable(error.to_string())
        }
        io::ErrorKind::AddrNotAvailable => Cause::NoLocalAddress(error.to_string()),
        io::ErrorKind::TimedOut => Cause::TimedOut,
        _ => Cause::Io(error.to_string()),
    }
}

pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}
