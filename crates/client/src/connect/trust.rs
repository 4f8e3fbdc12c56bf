//! Live connections and whether they are still trusted: how a change of the TLS options reaches what was accepted before.
//!
//! Every driven connection of a TLS client is listed with what its peer presented. When the options change, all of them
//! are judged by the new ones, and the drivers of those that fail end before they read or write another octet. A
//! connection that was being made meanwhile is listed first and judged after that: one of the two sees it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::facts::ConnectionFacts;
use super::target::Target;
use crate::error::Cause;

/// What drives a connection, and ends it once the connection's trust is withdrawn.
pub(crate) trait Driven: Debug + Send + Sync {
    /// Has the driver run.
    fn wake(&self);
}

/// Whether one connection is still trusted; it never is again once it was not.
#[derive(Debug, Default)]
pub(crate) struct PeerTrust(OnceLock<Cause>);

impl PeerTrust {
    /// Why the connection must not be used any more.
    pub(crate) fn withdrawn(&self) -> Option<&Cause> {
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
    trust: Arc<PeerTrust>,
    driven: Arc<dyn Driven>,
    target: Arc<Target>,
    facts: Arc<ConnectionFacts>,
}

impl LiveConnections {
    /// Lists a connection until what is returned is dropped.
    pub(crate) fn list(
        &self,
        driven: Arc<dyn Driven>,
        target: &Arc<Target>,
        facts: &Arc<ConnectionFacts>,
    ) -> ListedConnection<'_> {
        let trust = Arc::new(PeerTrust::default());
        let live = Live { trust: trust.clone(), driven, target: target.clone(), facts: facts.clone() };
        let mut listed = self.listed.lock();
        let id = listed.next;
        listed.next += 1;
        listed.connections.insert(id, live);
        ListedConnection { all: self, id, trust }
    }

    /// Ends all connections for which `refuses` returns a cause.
    pub(crate) fn judge(&self, refuses: impl Fn(&Target, &ConnectionFacts) -> Option<Cause>) {
        let all: Vec<Live> = self.listed.lock().connections.values().cloned().collect();
        for live in all {
            if let Some(cause) = refuses(&live.target, &live.facts) {
                // Before the driver is woken: it looks when it runs.
                let _ = live.trust.0.set(cause);
                live.driven.wake();
            }
        }
    }
}

#[cfg(test)]
impl LiveConnections {
    pub(crate) fn is_empty(&self) -> bool {
        self.listed.lock().connections.is_empty()
    }
}

/// A connection's entry among the live ones.
#[derive(Debug)]
pub(crate) struct ListedConnection<'a> {
    all: &'a LiveConnections,
    id: u64,
    pub(crate) trust: Arc<PeerTrust>,
}

impl Drop for ListedConnection<'_> {
    fn drop(&mut self) {
        self.all.listed.lock().connections.remove(&self.id);
    }
}
