//! Asking nodes for their view of the topology, each on a connection of its own.
//!
//! While refreshes follow each other, as they do while a node is away, these connections are kept: a fleet of clients that
//! made new ones about once a second each would keep the surviving nodes busy with handshakes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use truename_resp::{ErrorReply, Reply};
use truename_topology::{Endpoint, View, parse_slots};

use crate::connect::{
    Connected, Connector, Explain, KnownNode, Target, Transport, Wire, budget, handshake_cause, refusal,
};
use crate::error::{Cause, NodeFailure, Phase};

/// How long to wait for further views once the first one has arrived.
const SECOND_OPINION: Duration = Duration::from_millis(300);
/// How long a seed has to itself before the next one is asked as well, if there is time for all. With one answer there is no
/// need for others yet ([`super::vote`] asks them), and every question costs a handshake.
const HEAD_START: Duration = Duration::from_millis(100);
/// How old a connection may be to be used again: names are looked up again for the next one, and a seed's may lead
/// elsewhere by then.
const KEEP_AT_MOST: Duration = Duration::from_secs(10);

/// How the topology is asked for.
pub(crate) const SLOTS: [&[u8]; 2] = [b"CLUSTER", b"SLOTS"];

/// What a source said.
#[derive(Debug)]
pub(crate) enum SourceAnswer {
    /// Its view.
    View(Box<View>),
    /// It is not a cluster node: cluster support is disabled, or its proxy hides the cluster.
    NotACluster,
}

/// An answer, and where it came from.
#[derive(Debug)]
pub(crate) struct NodeView {
    pub(crate) answer: SourceAnswer,
    pub(crate) source: Target,
    /// The node id of the server that answered, where it reports one.
    pub(crate) node_id: Option<String>,
    /// The socket address that it answered at.
    pub(crate) peer: Option<SocketAddr>,
}

/// A server to ask, with what earlier connections to it learnt: a way that led to a stranger is avoided by all.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) target: Target,
    pub(crate) known: Arc<KnownNode>,
}

impl Source {
    /// A configured seed. It may lead to any node at any time, so nothing is remembered of it.
    pub(crate) fn seed(seed: &Endpoint) -> Self {
        Self { target: Target::seed(seed), known: Arc::default() }
    }
}

/// A connection that was used to ask.
pub(crate) struct TopologyConnection {
    connected: Connected,
    since: Instant,
}

/// Connections to ask on again, by the server that they lead to: a seed and a node of one address count as two.
#[derive(Default)]
pub(crate) struct TopologyConnections {
    kept: HashMap<(Endpoint, bool), TopologyConnection>,
    /// Those that the current refresh used; `kept` has what is left from the one before.
    used: HashMap<(Endpoint, bool), TopologyConnection>,
}

impl TopologyConnections {
    /// Ends a refresh: only connections to those that it asked are kept.
    pub(crate) fn end_refresh(&mut self) {
        self.kept = std::mem::take(&mut self.used);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, source: &Target) -> Option<TopologyConnection> {
        let whom = (source.node.endpoint.clone(), source.is_seed);
        let asked = self.used.remove(&whom).or_else(|| self.kept.remove(&whom))?;
        (asked.since.elapsed() < KEEP_AT_MOST).then_some(asked)
    }

    fn keep(&mut self, source: &Target, asked: TopologyConnection) {
        self.used.insert((source.node.endpoint.clone(), source.is_seed), asked);
    }
}

/// Asks one source, on the connection that is kept to it, if there is one that still works.
async fn ask(
    connector: &Connector,
    source: &Source,
    kept: Option<TopologyConnection>,
    explain: Explain,
    deadline: Instant,
) -> Result<(NodeView, TopologyConnection), Vec<NodeFailure>> {
    let started = Instant::now();
    let Source { target: source, known } = source;
    // The TLS options may have been replaced since it was made.
    if let Some(mut asked) = kept.filter(|asked| connector.refuses(source, &asked.connected.facts).is_none())
    {
        let in_time = deadline.min(started + SECOND_OPINION);
        let wire = &mut asked.connected.wire;
        if let Ok(Ok(answer)) = tokio::time::timeout_at(in_time, slots(wire, source)).await {
            return Ok((NodeView::new(answer, source, &asked), asked));
        }
    }
    // Greeted as a lane's: it may become one.
    let connected = connector.connect(source, known, explain, true, deadline).await?;
    let mut asked = TopologyConnection { connected, since: Instant::now() };
    let answered = tokio::time::timeout_at(deadline, slots(&mut asked.connected.wire, source)).await;
    // Or while it was made and asked.
    let refused = connector.refuses(source, &asked.connected.facts).map(|cause| Ok(Err((Phase::Tls, cause))));
    let (phase, cause) = match refused.unwrap_or(answered) {
        Ok(Ok(answer)) => return Ok((NodeView::new(answer, source, &asked), asked)),
        Ok(Err(failure)) => failure,
        Err(_) => (Phase::Topology, Cause::TimedOut),
    };
    Err(vec![connector.failure_after(source, &asked.connected.facts, phase, cause, started.elapsed())])
}

impl NodeView {
    fn new(answer: SourceAnswer, source: &Target, asked: &TopologyConnection) -> Self {
        let facts = &asked.connected.facts;
        let node_id = facts.greeting.node_id.clone();
        Self { answer, source: source.clone(), node_id, peer: facts.peer }
    }
}

/// Asks for the topology.
async fn slots(wire: &mut Wire<Transport>, source: &Target) -> Result<SourceAnswer, (Phase, Cause)> {
    let asked = wire.round_trip_within(budget::topology(), &SLOTS).await;
    let read = asked.map_err(|error| handshake_cause(error).1).and_then(|reply| read_slots(&reply, source));
    read.map_err(|cause| (Phase::Topology, cause))
}

/// What a source says in its reply to [`SLOTS`].
pub(crate) fn read_slots(reply: &Reply, source: &Target) -> Result<SourceAnswer, Cause> {
    if let Reply::Error(error) = reply {
        return match hides_cluster(error) {
            true => Ok(SourceAnswer::NotACluster),
            false => Err(refusal("CLUSTER SLOTS", error).1),
        };
    }
    let view = parse_slots(reply, source.node.endpoint.host())
        .map_err(|error| Cause::BadTopology(error.to_string()))?;
    if view.assigned_slots() == 0 {
        let why = "no slot is assigned to any node: the cluster is not formed yet".to_owned();
        return Err(Cause::BadTopology(why));
    }
    Ok(SourceAnswer::View(Box::new(view)))
}

/// `ERR This instance has cluster support disabled` (server source), and what is said by proxies that do not know or
/// allow the command.
fn hides_cluster(error: &ErrorReply) -> bool {
    let text = error.message().to_ascii_lowercase();
    error.code() == "ERR"
        && [
            "cluster support disabled",
            "unknown command",
            "unknown subcommand",
            "not allowed",
            "not supported",
        ]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Asks the configured seeds, in random order, each a little after the one before or as soon as that has failed; the first
/// view wins, and comes with the connection that it was asked on. That a seed is not a cluster is believed only if none of
/// the others gives a view within a short time: one of several addresses may have been given to somebody else.
pub(crate) async fn ask_seeds(
    connector: &Connector,
    seeds: &[Endpoint],
    deadline: Instant,
) -> Result<(NodeView, Connected), Vec<NodeFailure>> {
    let mut sources: Vec<Source> = seeds.iter().map(Source::seed).collect();
    fastrand::shuffle(&mut sources);
    let mut later = sources.iter().map(|source| ask(connector, source, None, Explain::Fully, deadline));
    let mut asking: FuturesUnordered<_> = later.next().into_iter().collect();
    let mut next_at = turn(deadline, later.len());
    let mut failures = Vec::new();
    let mut single: Option<((NodeView, Connected), Instant)> = None;
    loop {
        let pause = match &single {
            Some((_, until)) => Some(*until),
            None => (later.len() > 0).then_some(next_at),
        };
        let answered = match pause {
            Some(pause) => tokio::time::timeout_at(pause, asking.next()).await,
            None => Ok(asking.next().await),
        };
        let Ok(Some(answered)) = answered else {
            if let Some((single, _)) = single {
                return Ok(single);
            }
            let Some(next) = later.next() else { return Err(failures) };
            asking.push(next);
            next_at = turn(deadline, later.len());
            continue;
        };
        match answered {
            Ok((view, asked)) if matches!(view.answer, SourceAnswer::View(_)) => {
                return Ok((view, asked.connected));
            }
            Ok((view, asked)) => {
                asking.extend(later.by_ref());
                let until = || deadline.min(Instant::now() + SECOND_OPINION);
                single.get_or_insert_with(|| ((view, asked.connected), until()));
            }
            Err(failed) => {
                failures.extend(failed);
                asking.extend(later.next());
                next_at = turn(deadline, later.len());
            }
        }
    }
}

/// When the next seed has its turn, if those before it are silent and this many are left: early enough for the last one.
fn turn(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    let turns = u32::try_from(left).unwrap_or(u32::MAX).saturating_add(1);
    now + HEAD_START.min(deadline.saturating_duration_since(now) / turns)
}

/// Asks several sources at once; returns all that answered within a short time of the first, or of the latest for which
/// `is_enough` did not hold.
pub(crate) async fn ask_several(
    connector: &Connector,
    sources: &[Source],
    connections: &mut TopologyConnections,
    deadline: Instant,
    is_enough: impl Fn(&[NodeView]) -> bool,
) -> (Vec<NodeView>, Vec<NodeFailure>) {
    let mut asking: FuturesUnordered<_> = sources
        .iter()
        .map(|source| ask(connector, source, connections.take(&source.target), Explain::Briefly, deadline))
        .collect();
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    let mut until = deadline;
    loop {
        match tokio::time::timeout_at(until, asking.next()).await {
            Ok(Some(Ok((view, connection)))) => {
                connections.keep(&view.source, connection);
                views.push(view);
                if until == deadline {
                    until = deadline.min(Instant::now() + SECOND_OPINION);
                }
            }
            Ok(Some(Err(failed))) => failures.extend(failed),
            Ok(None) => break,
            Err(_) if until >= deadline || is_enough(&views) => break,
            Err(_) => until = deadline,
        }
    }
    (views, failures)
}
