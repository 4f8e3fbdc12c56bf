//! Live connections and whether they are still trusted: how a change of the TLS options reaches what was accepted before.
//!
//! Every driven connection of a TLS client is listed with what its peer presented. When the options change, all of them
//! are judged by the new ones, and the drivers of those that fail end before they read or write another octet. A
//! connection that was being made meanwhile is listed first and judged after that: one of the two sees it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::facts::ConnectionFacts;
use super::lane::Shared;
use super::target::Target;
use crate::error::Cause;

/// Whether one connection is still trusted; it never is again once it was not.
#[derive(Debug, Default)]
pub(crate) struct Trust(OnceLock<Cause>);

impl Trust {
    /// Why the connection must not be used any more.
    pub(super) fn withdrawn(&self) -> Option<&Cause> {
        self.0.get()
    }
}

/// The connections that are driven now.
#[derive(Debug, Default)]
pub(crate) struct LiveConnections {
    listed: Mutex<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    next: u64,
    connections: HashMap<u64, Live>,
}

/// A connection with what it takes to judge and to end it.
#[derive(Debug, Clone)]
struct Live {
    trust: Arc<Trust>,
    lane: Arc<Shared>,
    target: Arc<Target>,
    facts: Arc<ConnectionFacts>,
}

impl LiveConnections {
    /// Lists a connection until what is returned is dropped.
    pub(super) fn list(
        &self,
        lane: &Arc<Shared>,
        target: &Arc<Target>,
        facts: &Arc<ConnectionFacts>,
    ) -> ListedConnection<'_> {
        let trust = Arc::new(Trust::default());
        let live =
            Live { trust: trust.clone(), lane: lane.clone(), target: target.clone(), facts: facts.clone() };
        let mut listed = self.listed.lock();
        let id = listed.next;
        listed.next += 1;
        listed.connections.insert(id, live);
        ListedConnection { all: self, id, trust }
    }

    /// Ends all connections that `refuses` gives a cause for.
    pub(super) fn judge(&self, refuses: impl Fn(&Target, &ConnectionFacts) -> Option<Cause>) {
        let all: Vec<Live> = self.listed.lock().connections.values().cloned().collect();
        for live in all {
            if let Some(cause) = refuses(&live.target, &live.facts) {
                // Before the driver is woken: it looks when it runs.
                let _ = live.trust.0.set(cause);
                live.lane.wake_task();
            }
        }
    }
}

/// A connection's entry among the live ones.
#[derive(Debug)]
pub(super) struct ListedConnection<'a> {
    all: &'a LiveConnections,
    id: u64,
    pub(super) trust: Arc<Trust>,
}

impl Drop for ListedConnection<'_> {
    fn drop(&mut self) {
        self.all.listed.lock().connections.remove(&self.id);
    }
}
