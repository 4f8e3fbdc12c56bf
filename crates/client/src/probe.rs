//! Looking at a cluster node by node, without a client: what the doctor shows.
//!
//! A probe makes fresh connections, one for each way to a node, and reports every step of them. It never changes anything
//! on a server. [`examine`] is the only entry, and has an example.

// What is found out about one node is a `report`; what follows from the reports as a whole is in `verdict`.

mod report;
mod verdict;

use std::time::Duration;

use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Disagreement, Endpoint, Skipped, SlotMap, View};

pub use self::report::NodeReport;
use crate::cluster::{SourceAnswer, ask_seeds, slots};
use crate::config::Config;
use crate::connect::{Connector, Target, Transport, Wire, handshake_cause};
use crate::error::{Cause, Error, NodeFailure, Phase, Remedy};
use crate::runtime::{off_the_runtime, runtime_here};

/// What was found out about a cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterReport {
    /// One report per configured seed.
    pub seeds: Vec<NodeReport>,
    /// One report per node that the first seed that answered announced.
    pub nodes: Vec<NodeReport>,
    /// The topology that it announced; `None` when no seed returned one.
    pub topology: Option<SlotMap>,
    /// The seed that announced it.
    pub source: Option<Endpoint>,
    /// Whether the seed is not a cluster node: then it is used as a single server.
    pub is_single_node: bool,
    /// Why no seed returned a topology; empty when one did.
    pub failures: Vec<NodeFailure>,
    /// How long it took.
    pub elapsed: Duration,
    /// Nodes that the topology mentions and that cannot be addressed.
    pub skipped: Vec<Skipped>,
    /// What the seeds' and nodes' own views do not agree on.
    pub disagreements: Vec<Disagreement>,
}

impl ClusterReport {
    /// Whether a topology was found on which all nodes agree, every slot has an owner, and every seed and node can be used;
    /// or that there is no cluster and the server can be used. See the [example](examine#examples).
    pub fn is_healthy(&self) -> bool {
        (self.topology.is_some() || self.is_single_node)
            && self.slots_without_owner() == 0
            && self.disagreements.is_empty()
            && self.seeds.iter().chain(&self.nodes).all(NodeReport::is_healthy)
    }

    /// How many slots of the topology have no owner that can be addressed: commands for their keys fail.
    /// See the [example](examine#examples).
    pub fn slots_without_owner(&self) -> usize {
        self.topology.as_ref().map_or(0, verdict::slots_without_owner)
    }

    /// What would make the nodes addressable that the topology mentions and that are not, where that is known.
    /// See the [example](examine#examples).
    pub fn remedy_for_skipped(&self) -> Option<Remedy> {
        verdict::remedy_for_skipped(&self.skipped)
    }

    /// The most informative failure of a seed or node that cannot be used. See the [example](examine#examples).
    pub fn decisive(&self) -> Option<&NodeFailure> {
        let reports = self.seeds.iter().chain(&self.nodes).filter(|report| !report.is_healthy());
        let failures = reports.flat_map(|report| &report.failures).chain(&self.failures);
        NodeFailure::decisive(failures)
    }
}

/// Examines all seeds and nodes, all at once.
///
/// The seeds have [`Config::connect_timeout`] for it, and the nodes that they announce at least
/// [`Config::node_connect_timeout`] after that. Must be called within a tokio runtime.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), truename::Error> {
/// use truename::error::NodeFailure;
/// use truename::{Config, probe};
///
/// let config = Config::from_url("rediss://:password@my-redis.example.net:10000")?;
/// let report = probe::examine(&config).await?;
/// for node in report.seeds.iter().chain(&report.nodes) {
///     match NodeFailure::decisive(&node.failures).filter(|_| !node.is_healthy()) {
///         Some(failure) => println!("{failure}"),
///         None => println!("{} answered after {:?}", node.node.endpoint, node.ping),
///     }
/// }
/// println!("{} slots have no owner", report.slots_without_owner());
/// if let Some(failure) = report.decisive().filter(|_| !report.is_healthy()) {
///     eprintln!("start with {}", failure.summary());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`] only, also outside of a tokio runtime: what fails on the network is part of the report.
///
/// # Cancel safety
/// Dropping the future closes its connections.
pub async fn examine(config: &Config) -> Result<ClusterReport, Error> {
    let started = Instant::now();
    let deadline = started + config.timing.connect;
    let owned = config.clone();
    let connector = off_the_runtime(&runtime_here()?, move || Connector::build(&owned)).await?;

    let seeds: Vec<Target> = config.seeds.iter().map(Target::seed).collect();
    let (seeds, view) = tokio::join!(
        examine_all(&connector, &seeds, deadline),
        ask_seeds(&connector, &config.seeds, deadline)
    );
    let mut report = ClusterReport {
        seeds,
        nodes: Vec::new(),
        topology: None,
        source: None,
        is_single_node: false,
        failures: Vec::new(),
        elapsed: Duration::ZERO,
        skipped: Vec::new(),
        disagreements: Vec::new(),
    };
    match view {
        Err(failures) => report.failures = failures,
        Ok((said, _)) => match said.answer {
            SourceAnswer::NotACluster => report.is_single_node = true,
            SourceAnswer::View(view) => {
                let map = SlotMap::from_view(&view);
                let targets: Vec<Target> =
                    map.nodes().iter().map(|node| Target::announced(node, &said.source.seed)).collect();
                let deadline = deadline.max(Instant::now() + config.timing.node_connect);
                report.nodes = examine_all(&connector, &targets, deadline).await;
                report.topology = Some(map);
                report.source = Some(said.source.seed.clone());
                verdict::tell_the_dead_from_the_hidden(&mut report.nodes);
                let others = report.seeds.iter().chain(&report.nodes).filter_map(|node| node.view.as_ref());
                report.disagreements = verdict::disagreements(std::iter::once(&*view).chain(others));
                report.skipped = view.skipped;
            }
        },
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

async fn examine_all(connector: &Connector, targets: &[Target], deadline: Instant) -> Vec<NodeReport> {
    futures_util::future::join_all(targets.iter().map(|target| examine_one(connector, target, deadline)))
        .await
}

async fn examine_one(connector: &Connector, target: &Target, deadline: Instant) -> NodeReport {
    let mut report = NodeReport {
        node: target.node.clone(),
        is_seed: target.is_seed,
        facts: None,
        ping: None,
        failures: Vec::new(),
        view: None,
    };
    match connector.examine(target, deadline).await {
        Err(failures) => report.failures = failures,
        Ok((mut connected, failures)) => {
            report.failures = failures;
            let asked = Instant::now();
            let pong = tokio::time::timeout_at(deadline, connected.wire.round_trip(&[b"PING"])).await;
            let cause = match pong {
                Ok(Ok(reply)) => ping_refusal(&reply),
                Ok(Err(error)) => Some(handshake_cause(error).1),
                Err(_) => Some(Cause::TimedOut),
            };
            match cause {
                None => {
                    report.ping = Some(asked.elapsed());
                    report.view = view_of(&mut connected.wire, target, deadline).await;
                }
                Some(cause) => {
                    let failure =
                        connector.failure_after(target, &connected.facts, Phase::Ping, cause, asked);
                    report.failures.push(failure);
                }
            }
            report.facts = Some(connected.facts);
        }
    }
    report
}

/// What the node thinks of the topology. A node that does not answer has no opinion, which does not count as a fault here.
async fn view_of(wire: &mut Wire<Transport>, target: &Target, deadline: Instant) -> Option<View> {
    match tokio::time::timeout_at(deadline, slots(wire, target)).await {
        Ok(Ok(SourceAnswer::View(view))) => Some(*view),
        _ => None,
    }
}

/// A server that refuses `PING` to this user is alive all the same.
fn ping_refusal(reply: &Reply) -> Option<Cause> {
    let error = reply.as_error().filter(|error| error.code() != "NOPERM")?;
    Some(Cause::ServerRefused(error.message().to_owned()))
}
