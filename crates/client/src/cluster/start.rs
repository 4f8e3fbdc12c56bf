//! Starting a client: the first answer of a seed, connections to the primaries, and the worker. Either before there is a
//! client, or when one is first used.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::time::Instant;
use truename_topology::{Endpoint, SlotMap};

use super::count::Count;
use super::discover::{NodeView, SourceAnswer, ask_seeds};
use super::hint::HintQueue;
use super::node::NodeFactory;
use super::outset::{Outset, Stage};
use super::own_views::OwnViews;
use super::store::{Pen, TopologyStore};
use super::{Cluster, Topology, worker};
use crate::clock;
use crate::config::Config;
use crate::connect::{Connected, Connector, Target};
use crate::error::{Cause, Error, NodeFailure};
use crate::event::{Event, EventBus};
use crate::lane::{Backoff, Habit, LaneOptions, PipelineBounds, RECONNECT};
use crate::observe;
use crate::panics;
use crate::runtime::{off_the_runtime, runtime_here};

/// Pause between questions to a cluster that is still forming or loading.
const FORMING_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

impl Cluster {
    /// Finds the cluster through its seeds and connects to the primaries, within the connect time-out.
    pub(crate) async fn connect(config: &Config) -> Result<Arc<Self>, Error> {
        let (runtime, connector) = prepare(config).await?;
        let started = Instant::now();
        let deadline = started + config.timing.connect;
        let (first, asked) = first_view(&connector, &config.seeds, deadline)
            .await
            .map_err(|failures| Error::connect(failures, started.elapsed()))?;
        let seed = first.source.seed.clone();
        let factory = NodeFactory::of(config, runtime, connector);
        let topology = Topology::first(&first.answer, &factory, &seed);
        topology.adopt(asked, &first.source);
        let (cluster, pen) = Self::assemble(config, factory, topology, seed, Outset::over());
        cluster.warm_up(started, deadline).await?;
        if cluster.read_from.uses_replicas() {
            // Replicas are connected to as well, but nobody waits for them.
            cluster.topology().nodes().iter().for_each(|node| node.warm_up());
        }
        tokio::spawn(worker::run(Arc::downgrade(&cluster), pen));
        Ok(cluster)
    }

    /// Makes a client that looks for its cluster when it is first used.
    pub(crate) async fn lazy(config: &Config) -> Result<Arc<Self>, Error> {
        let (runtime, connector) = prepare(config).await?;
        Self::found_later(config, runtime, connector)
    }

    /// The same without awaiting anything: what is read from files is read here.
    pub(crate) fn lazy_here(config: &Config) -> Result<Arc<Self>, Error> {
        let runtime = ready_runtime()?;
        let connector = Arc::new(Connector::build(config)?);
        Self::found_later(config, runtime, connector)
    }

    fn found_later(config: &Config, runtime: Handle, connector: Arc<Connector>) -> Result<Arc<Self>, Error> {
        let seed = config.seeds.first().cloned().ok_or_else(|| Error::config("no seed is given"))?;
        let factory = NodeFactory::of(config, runtime, connector);
        let nothing = Topology::new(SlotMap::empty(), &factory, &seed);
        let (cluster, pen) = Self::assemble(config, factory, nothing, seed, Outset::ahead());
        tokio::spawn(find(Arc::downgrade(&cluster), pen));
        Ok(cluster)
    }

    fn assemble(
        config: &Config,
        factory: NodeFactory,
        topology: Topology,
        seed: Endpoint,
        outset: Outset,
    ) -> (Arc<Self>, Pen) {
        let (store, pen) = TopologyStore::new(topology);
        let cluster = Self {
            store,
            hints: factory.hints.clone(),
            bus: factory.bus.clone(),
            factory,
            seeds: config.seeds.clone(),
            current_seed: ArcSwap::from_pointee(seed),
            timing: config.timing,
            read_from: config.read_from.clone(),
            own_views: OwnViews::default(),
            repeats_writes: config.repeats_writes,
            on_orphan: config.on_orphan.clone(),
            calls: Count::default(),
            outset,
        };
        (Arc::new(cluster), pen)
    }
}

/// What is needed before anything is dialled.
async fn prepare(config: &Config) -> Result<(Handle, Arc<Connector>), Error> {
    let runtime = ready_runtime()?;
    if config.tls.is_none() {
        return Ok((runtime, Arc::new(Connector::build(config)?)));
    }
    // Loading the system's roots reads files.
    let owned = config.clone();
    let connector = off_the_runtime(&runtime, move || Connector::build(&owned)).await?;
    Ok((runtime, Arc::new(connector)))
}

/// The runtime of this place, and the clock beside it.
fn ready_runtime() -> Result<Handle, Error> {
    let runtime = runtime_here()?;
    clock::start().map_err(|error| Error::config(format!("no thread for the client's clock: {error}")))?;
    Ok(runtime)
}

impl NodeFactory {
    fn of(config: &Config, runtime: Handle, connector: Arc<Connector>) -> Self {
        Self {
            runtime,
            connector,
            hints: Arc::new(HintQueue::default()),
            bus: EventBus::new(),
            lanes: config.lanes_per_node,
            max_exclusive: config.max_exclusive_connections,
            nodes: Count::default(),
            options: LaneOptions::new(
                PipelineBounds { commands: config.max_in_flight, bytes: config.max_queued_bytes },
                config.timing.keepalive,
                Habit { stall: config.timing.stall, usual: config.timing.command },
                config.reply_limits,
            ),
        }
    }
}

impl Topology {
    /// The snapshot of a seed's answer.
    fn first(answer: &SourceAnswer, factory: &NodeFactory, seed: &Endpoint) -> Self {
        match answer {
            SourceAnswer::View(view) => Self::new(SlotMap::from_view(view), factory, seed),
            SourceAnswer::NotACluster => Self::single(factory, seed),
        }
    }

    /// Uses the connection that the first answer came on for the primary that gave it, if that is to be dialled there.
    fn adopt(&self, mut connected: Connected, source: &Target) {
        for node in self.primaries() {
            let Some(left) = node.adopt(connected, source) else { return };
            connected = left;
        }
    }
}

/// Looks for the cluster once it is wanted, for as long as it takes, and then keeps its topology.
async fn find(cluster: Weak<Cluster>, mut pen: Pen) {
    let Some(strong) = cluster.upgrade() else { return };
    let mut closing = strong.store.closing();
    let (mut wanted, connector) = (strong.outset.wanted(), strong.factory.connector.clone());
    let (seeds, limit) = (strong.seeds.clone(), strong.timing.connect);
    drop(strong);
    let finding = async {
        // The sender goes with the client.
        wanted.wait_for(|stage| *stage != Stage::Ahead).await.ok()?;
        let mut pauses = Backoff::new(RECONNECT.0, RECONNECT.1);
        loop {
            // The user's resolver and address map may panic.
            let asking = ask_seeds(&connector, &seeds, Instant::now() + limit);
            let asked = panics::catch_in("a search for the cluster", asking).await;
            let strong = cluster.upgrade()?;
            match asked {
                Ok(Ok((first, connected))) => {
                    let seed = first.source.seed.clone();
                    strong.current_seed.store(Arc::new(seed.clone()));
                    let topology = Topology::first(&first.answer, &strong.factory, &seed);
                    topology.adopt(connected, &first.source);
                    topology.warm_up(strong.read_from.uses_replicas());
                    strong.store.replace(&mut pen, topology);
                    strong.outset.found();
                    return Some(());
                }
                Ok(Err(failures)) => strong.note_not_found(failures),
                Err(panicked) => tracing::warn!(%panicked),
            }
            drop(strong);
            tokio::time::sleep(pauses.next_delay()).await;
        }
    };
    let found = tokio::select! {
        _ = closing.wait_for(|is_closed| *is_closed) => None,
        found = finding => found,
    };
    if found.is_some() {
        worker::run(cluster, pen).await;
    }
}

impl Cluster {
    fn note_not_found(&self, failures: Vec<NodeFailure>) {
        observe::refreshed("failed");
        let cause = NodeFailure::decisive(&failures).map(NodeFailure::summary).unwrap_or_default();
        self.bus.emit(|| Event::RefreshFailed { cause });
        self.outset.failed(failures);
    }
}

/// The first usable answer of a seed. A cluster that is still forming or loading is asked again.
async fn first_view(
    connector: &Connector,
    seeds: &[Endpoint],
    deadline: Instant,
) -> Result<(NodeView, Connected), Vec<NodeFailure>> {
    loop {
        let failures = match ask_seeds(connector, seeds, deadline).await {
            Ok(first) => return Ok(first),
            Err(failures) => failures,
        };
        let is_forming = failures.iter().any(|f| matches!(f.cause, Cause::Loading | Cause::BadTopology(_)));
        if !is_forming || Instant::now() + FORMING_PAUSE >= deadline {
            return Err(failures);
        }
        tokio::time::sleep(FORMING_PAUSE).await;
    }
}
