//! Looking at a cluster node by node, without a client: what the doctor shows.
//!
//! A probe makes fresh connections, tries every way to a node, and reports every step. [`examine`] looks at a
//! whole cluster, and changes nothing on a server; with [`Probe`] a tool asks questions of its own, on
//! connections that were made and checked as a client's are. Both have an example.

// | part | what it is |
// |---|---|
// | `subject`, `reach` | a seed or node, and the ways to it |
// | `session` | a connection to ask questions on |
// | `look`, `report` | one look at one node, and what was found out |
// | `verdict` | what follows from the reports as a whole |

mod look;
mod reach;
mod report;
mod session;
mod subject;
mod verdict;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use truename_topology::{Disagreement, Endpoint, Skipped, SlotMap, View};

use self::look::{first_view, look_at, look_on};
pub use self::reach::{Probe, Reached};
pub use self::report::NodeReport;
pub use self::session::{Asked, Budget, Session};
pub use self::subject::Subject;
use crate::config::Config;
use crate::error::{Error, NodeFailure, Remedy};

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

/// Examines all seeds and nodes, all at once. The connection to a seed serves for the node that the seed is.
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
    let until = started + config.timing.connect;
    let probe = Probe::new(config).await?;
    let seeds: Vec<Subject> = config.seeds.iter().cloned().map(Subject::Seed).collect();
    let looked = join_all(seeds.iter().map(|seed| look_at(&probe, seed, until))).await;
    let first = first_view(&looked);
    let (seeds, sessions): (Vec<_>, Vec<_>) =
        looked.into_iter().map(|looked| (looked.report, looked.session)).unzip();
    let mut report = ClusterReport {
        seeds,
        nodes: Vec::new(),
        topology: None,
        source: None,
        is_single_node: matches!(first, Ok(None)),
        failures: Vec::new(),
        elapsed: Duration::ZERO,
        skipped: Vec::new(),
        disagreements: Vec::new(),
    };
    match first {
        Err(failures) => report.failures = failures,
        Ok(None) => {}
        Ok(Some(first)) => {
            let until = until.max(Instant::now() + config.timing.node_connect);
            report.follow(&probe, first, sessions.into_iter().flatten().collect(), until).await;
        }
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

impl ClusterReport {
    /// Looks at the nodes that a seed announced. `sessions` are the connections that are there already.
    async fn follow(
        &mut self,
        probe: &Probe,
        (seed, view): (Endpoint, View),
        sessions: Vec<Session>,
        until: Instant,
    ) {
        let map = SlotMap::from_view(&view);
        self.nodes = examine_nodes(probe, &map, &seed, sessions, until).await;
        verdict::tell_the_dead_from_the_hidden(&mut self.nodes);
        let others = self.seeds.iter().chain(&self.nodes).filter_map(|node| node.view.as_ref());
        self.disagreements = verdict::disagreements(std::iter::once(&view).chain(others));
        (self.topology, self.source, self.skipped) = (Some(map), Some(seed), view.skipped);
    }
}

/// Looks at all nodes of a map at once. A seed's connection serves for the node that the seed is.
async fn examine_nodes(
    probe: &Probe,
    map: &SlotMap,
    told_by: &Endpoint,
    mut sessions: Vec<Session>,
    until: Instant,
) -> Vec<NodeReport> {
    let mut looks = Vec::with_capacity(map.nodes().len());
    for node in map.nodes() {
        let subject = Subject::Announced { node: node.clone(), told_by: told_by.clone() };
        let serving = sessions.iter_mut().position(|session| session.also_serves(&subject));
        let serving = serving.map(|at| sessions.swap_remove(at));
        looks.push(async move {
            if let Some(session) = serving {
                let looked = look_on(session, Vec::new(), until).await;
                if looked.report.is_healthy() {
                    return looked.report;
                }
                // It may have lain idle for too long, until all seeds had answered.
            }
            look_at(probe, &subject, until).await.report
        });
    }
    drop(sessions);
    join_all(looks).await
}
