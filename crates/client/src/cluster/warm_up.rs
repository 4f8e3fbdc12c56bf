//! Connecting to the primaries before `connect` returns.
//!
//! One connected primary is enough: a silent node delays only itself. The others get about the time that the
//! first one took, so that on a healthy cluster all of them are connected.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::{Cluster, Node};
use crate::connect::ConnectionFacts;
use crate::error::{Cause, Error, NodeFailure, Phase, Remedy};
use crate::event::Event;

/// The least time that the other primaries have once one is connected.
const COMPANY: Duration = Duration::from_millis(250);
/// How long to wait for a second attempt: a node in whose place another one answered is dialled elsewhere after a
/// pause.
const SECOND_ATTEMPT: Duration = Duration::from_secs(3);

impl Cluster {
    /// Connects to the primaries. Fails only if none of them can be reached.
    pub(super) async fn warm_up(&self, started: Instant, deadline: Instant) -> Result<(), Error> {
        let topology = self.store.load_full();
        let primaries: Vec<&Arc<Node>> = topology.primaries().collect();
        if primaries.is_empty() {
            return Err(Error::connect(vec![self.nobody()], started.elapsed()));
        }
        let events = self.bus.listen();
        let begun = Instant::now();
        primaries.iter().for_each(|node| node.warm_up());
        let settle = |node| async move { (node, Node::settled(node).await) };
        let mut settling: FuturesUnordered<_> = primaries.iter().map(|node| settle(node)).collect();
        let (mut reached, mut settled, mut failures) = (0, 0, Vec::new());
        let mut until = deadline;
        while let Ok(Some((_, outcome))) = timeout_at(until, settling.next()).await {
            settled += 1;
            match outcome {
                Ok(()) => {
                    if reached == 0 {
                        until = deadline.min(Instant::now() + begun.elapsed().max(COMPANY));
                    }
                    reached += 1;
                }
                Err(failed) => failures.extend(failed),
            }
        }
        drop(settling);
        if reached > 0 || self.comes_up_later(events, &failures, deadline).await {
            return Ok(());
        }
        if settled < primaries.len() {
            let silent = primaries.iter().filter(|node| node.is_connecting());
            failures.extend(silent.map(|node| self.out_of_time(node, begun)));
        }
        Err(Error::connect(failures, started.elapsed()))
    }

    /// Whether a node comes up on its second attempt, where that takes a different way from the first.
    async fn comes_up_later(
        &self,
        mut events: Receiver<Event>,
        failures: &[NodeFailure],
        deadline: Instant,
    ) -> bool {
        if !failures.iter().any(|failure| failure.cause.is_wrong_node()) {
            return false;
        }
        let connected = async {
            loop {
                match events.recv().await {
                    Ok(Event::Connected { .. }) => return true,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return false,
                }
            }
        };
        let until = deadline.min(Instant::now() + SECOND_ATTEMPT);
        timeout_at(until, connected).await.unwrap_or(false)
    }

    /// The failure of a cluster that announces no primary that could be dialled.
    fn nobody(&self) -> NodeFailure {
        let seed = crate::connect::Target::seed(&self.current_seed());
        let why = "no primary with a usable address is announced".to_owned();
        let nothing = ConnectionFacts::default();
        let failed = (Phase::Topology, Cause::BadTopology(why));
        self.factory.connector.failure_after(&seed, &nothing, failed.0, failed.1, Duration::ZERO)
    }

    /// The failure of a node whose own attempt goes on although the time to connect is up.
    fn out_of_time(&self, node: &Node, begun: Instant) -> NodeFailure {
        let connector = &self.factory.connector;
        let nothing = ConnectionFacts::default();
        let target = node.target();
        let failure = connector.failure_after(target, &nothing, Phase::Tcp, Cause::TimedOut, begun.elapsed());
        failure.with_remedy(Remedy::MoreTime)
    }
}
