//! Starting a client: the first answer of a seed, connections to the primaries, and the worker.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use truename_topology::{Endpoint, SlotMap};

use super::discover::{NodeView, SourceAnswer, ask_seeds};
use super::hint::HintQueue;
use super::node::NodeFactory;
use super::own_views::OwnViews;
use super::store::TopologyStore;
use super::{Cluster, Topology, worker};
use crate::clock;
use crate::config::Config;
use crate::connect::Connector;
use crate::error::{Cause, Error, NodeFailure};
use crate::event::EventBus;
use crate::lane::{Habit, LaneOptions, PipelineBounds};
use crate::runtime::{off_the_runtime, runtime_here};

/// Pause between questions to a cluster that is still forming or loading.
const FORMING_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

impl Cluster {
    /// Finds the cluster through its seeds and connects to the primaries, within the connect time-out.
    pub(crate) async fn connect(config: &Config) -> Result<Arc<Self>, Error> {
        let runtime = runtime_here()?;
        clock::start()
            .map_err(|error| Error::config(format!("no thread for the client's clock: {error}")))?;
        let started = Instant::now();
        let deadline = started + config.timing.connect;
        // Loading the system's roots reads files.
        let owned = config.clone();
        let connector = off_the_runtime(&runtime, move || Connector::build(&owned)).await?;
        let connector = Arc::new(connector);
        let first = first_view(&connector, &config.seeds, deadline)
            .await
            .map_err(|failures| Error::connect(failures, started.elapsed()))?;

        let seed = first.source.seed.clone();
        let (hints, bus) = (Arc::new(HintQueue::default()), EventBus::new());
        let factory = NodeFactory {
            runtime,
            connector,
            hints: hints.clone(),
            bus: bus.clone(),
            lanes: config.lanes_per_node,
            max_exclusive: config.max_exclusive_connections,
            options: LaneOptions::new(
                PipelineBounds { commands: config.max_in_flight, bytes: config.max_queued_bytes },
                config.timing.keepalive,
                Habit { stall: config.timing.stall, usual: config.timing.command },
                config.reply_limits,
            ),
        };
        let topology = match &first.answer {
            SourceAnswer::View(view) => Topology::new(SlotMap::from_view(view), &factory, &seed),
            SourceAnswer::NotACluster => Topology::single(&factory, &seed),
        };
        let (store, pen) = TopologyStore::new(topology);
        let cluster = Arc::new(Self {
            store,
            factory,
            hints,
            bus,
            seeds: config.seeds.clone(),
            current_seed: ArcSwap::from_pointee(seed),
            timing: config.timing,
            read_from: config.read_from.clone(),
            own_views: OwnViews::default(),
            repeats_writes: config.repeats_writes,
        });
        cluster.warm_up(started, deadline).await?;
        if cluster.read_from.uses_replicas() {
            // Replicas are connected to as well, but nobody waits for them.
            cluster.topology().nodes().iter().for_each(|node| node.warm_up());
        }
        tokio::spawn(worker::run(Arc::downgrade(&cluster), pen));
        Ok(cluster)
    }
}

/// The first usable answer of a seed. A cluster that is still forming or loading is asked again.
async fn first_view(
    connector: &Connector,
    seeds: &[Endpoint],
    deadline: Instant,
) -> Result<NodeView, Vec<NodeFailure>> {
    loop {
        let failures = match ask_seeds(connector, seeds, deadline).await {
            Ok(view) => return Ok(view),
            Err(failures) => failures,
        };
        let is_forming = failures.iter().any(|f| matches!(f.cause, Cause::Loading | Cause::BadTopology(_)));
        if !is_forming || Instant::now() + FORMING_PAUSE >= deadline {
            return Err(failures);
        }
        tokio::time::sleep(FORMING_PAUSE).await;
    }
}
