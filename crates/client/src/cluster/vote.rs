//! Which cluster is meant, where the configured addresses lead to several.
//!
//! - **At the start the seeds decide.** The first one to answer is believed at once, and the nodes that it named would confirm
//!   whatever it said. So refreshes ask the seeds, at growing pauses for up to a minute, until half of them say
//!   the same or all have answered; the nodes are asked only while too few seeds answer. Of three seeds a single liar
//!   does not prevail; two that contradict each other cannot be told apart, and the first to answer stays. The known
//!   cluster is left only for one that more than half of the seeds mean.
//! - **From then on it is left only when it is gone.** Before seeds replace it, all of them and as many of its nodes as could
//!   outvote them are asked, whether connected or not, and have a second to answer.

use std::time::Duration;

use truename_topology::{Reconciled, SlotMap, Standing};

use super::ask::{SOURCES, shuffled};
use super::discover::{NodeView, Source, TopologyConnections};
use super::start_vote::StartVote;
use super::views::Views;
use super::{Cluster, Topology};

/// How long to wait for all whose word decides. The first vote has as long as any connection may take.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Whether another cluster replaces the known one, or would if all of this many seeds described it.
pub(super) fn may_replace(reconciled: &Reconciled, seeds: usize) -> bool {
    match reconciled.standing {
        Standing::Replaced => true,
        Standing::Contested => reconciled.counted < seeds,
        _ => false,
    }
}

impl Cluster {
    /// Asks every seed, if the vote is open, and waits until half of them say the same. `None` if nothing follows from what
    /// they say; then the nodes are to be asked.
    pub(super) async fn hold_vote(
        &self,
        vote: &mut StartVote,
        known: &SlotMap,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) -> Option<Reconciled> {
        let open = vote.open_now()?;
        let within = if open.was_held { LAST_CALL } else { self.timing.node_connect };
        let all = self.seeds.len();
        let is_enough = |said: &[NodeView]| Views::of(said).is_decided(all);
        let answered = self.ask_until(is_enough, within, &self.all_seeds(), views, connections).await;
        // Once all were heard, asking again changes nothing.
        vote.record(views.is_decided(all) || answered == all);
        views.elect(known, all)
    }

    /// Asks whoever could still change what the seeds say about another cluster: one of several addresses may have been given to
    /// a stranger, and each node of the known cluster that answers counts against it.
    pub(super) async fn ask_the_electorate(
        &self,
        current: &Topology,
        views: &mut Views,
        connections: &mut TopologyConnections,
    ) {
        let mut nodes = shuffled(current);
        nodes.sort_by_key(|node| !node.is_up());
        let unheard = |source: &Source| !views.has_heard(&source.target);
        let nodes = nodes.into_iter().map(|node| node.source()).filter(unheard);
        let nodes = nodes.take(self.seeds.len().max(SOURCES));
        let all: Vec<Source> = self.all_seeds().into_iter().chain(nodes).collect();
        self.ask_until(|_| false, LAST_CALL, &all, views, connections).await;
    }
}
