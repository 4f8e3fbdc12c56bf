//! What a client remembers about a node between its connections: the way that led to it, the ways that led to strangers,
//! and that it reports its id.
//!
//! A stranger has seen the password. So a way that led to one is avoided for a second or two, then for twice as long, up to
//! half a minute; and so is the fallback after any of them. A way on which nothing answered is not affected: a node that is
//! down while something else answers at the seed's host is dialled again as soon as any other.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use truename_topology::{DialAddress, NodeId};

use super::Target;
use super::way::{Via, Way};
use crate::error::NodeFailure;

/// The most ids that are remembered; more than a topology can have at a time.
const MAX_IDS: usize = 4096;
/// How long a way is avoided after a stranger: at first, and at most.
pub(super) const ASTRAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What all connections to one node share.
#[derive(Debug, Default)]
pub(crate) struct KnownNode(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The way that worked last time.
    first: Option<DialAddress>,
    /// The id that the node reported.
    id: Option<NodeId>,
    astray: Vec<Astray>,
    /// Before this, no way is worth trying.
    not_before: Option<Instant>,
}

/// A way that led to a stranger.
#[derive(Debug)]
struct Astray {
    address: DialAddress,
    met: Instant,
    until: Instant,
    strikes: u32,
    failure: NodeFailure,
}

impl KnownNode {
    /// The way that worked last time.
    pub(super) fn first_way(&self) -> Option<DialAddress> {
        self.0.lock().first.clone()
    }

    /// The node was reached, and maybe reported its id.
    pub(super) fn reached(&self, way: &DialAddress, id: Option<&str>) {
        let mut known = self.0.lock();
        known.first = Some(way.clone());
        known.astray.retain(|astray| astray.address != *way);
        known.not_before = None;
        if let Some(id) = id {
            known.id = Some(NodeId::from(id));
        }
    }

    /// The ways that may be tried now, and what was met on the others; an error with that when there is none.
    pub(super) fn open(
        &self,
        ways: &[Way],
        now: Instant,
    ) -> Result<(Vec<Way>, Vec<NodeFailure>), Vec<NodeFailure>> {
        let known = self.0.lock();
        let (open, closed): (Vec<Way>, Vec<Way>) =
            ways.iter().cloned().partition(|way| known.opens(way).is_none_or(|at| at <= now));
        let of_these =
            |astray: &&Astray| open.is_empty() || closed.iter().any(|way| way.address == astray.address);
        let met: Vec<NodeFailure> =
            known.astray.iter().filter(of_these).map(|astray| astray.failure.clone()).collect();
        if open.is_empty() { Err(met) } else { Ok((open, met)) }
    }

    /// An attempt over some of these ways failed.
    pub(super) fn failed(&self, ways: &[Way], failures: &[NodeFailure], now: Instant) {
        let mut known = self.0.lock();
        for failure in failures.iter().filter(|failure| failure.cause.is_wrong_node()) {
            known.note_stranger(failure, now);
        }
        known.not_before = ways.iter().map(|way| known.opens(way)).min().flatten();
    }

    /// When a way to the node is open again, if none is.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.0.lock().not_before
    }

    /// Whether a connection to the node was ever made.
    pub(crate) fn was_connected(&self) -> bool {
        self.0.lock().first.is_some()
    }

    /// The id that must answer: the announced one, else the one that the node reported before. A configured seed may lead
    /// to any node at any time.
    pub(super) fn expected(&self, target: &Target) -> Option<NodeId> {
        if target.is_seed { None } else { target.expected.clone().or_else(|| self.0.lock().id.clone()) }
    }
}

impl Known {
    fn note_stranger(&mut self, failure: &NodeFailure, now: Instant) {
        let Some(address) = failure.dialled.clone() else { return };
        let known = self.astray.iter().position(|astray| astray.address == address);
        let strikes = known.map_or(0, |at| self.astray.swap_remove(at).strikes) + 1;
        let least = ASTRAY.0.saturating_mul(1 << (strikes - 1).min(10)).min(ASTRAY.1 / 2);
        let until = now + least.mul_f64(1.0 + fastrand::f64());
        self.astray.push(Astray { address, met: now, until, strikes, failure: failure.clone() });
        let soonest = now + ASTRAY.0;
        self.astray.iter_mut().for_each(|astray| astray.until = astray.until.max(soonest));
    }

    /// When a way may be tried; `None` for at any time.
    fn opens(&self, way: &Way) -> Option<Instant> {
        let own = self.astray.iter().find(|astray| astray.address == way.address).map(|astray| astray.until);
        let latest = self.astray.iter().map(|astray| astray.met).max();
        let after_any = latest.filter(|_| way.via == Via::Fallback).map(|met| met + ASTRAY.0);
        own.max(after_any)
    }
}

/// The ids that nodes reported, in any way: a connection that claims to lead to one of these nodes must report its id.
#[derive(Debug, Default)]
pub(crate) struct ProvedIds(Mutex<HashSet<NodeId>>);

impl ProvedIds {
    pub(super) fn add(&self, id: &NodeId) {
        let mut ids = self.0.lock();
        if ids.len() >= MAX_IDS && !ids.contains(id) {
            let some = ids.iter().next().cloned();
            some.map(|some| ids.remove(&some));
        }
        ids.insert(id.clone());
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.0.lock().contains(id)
    }
}

#[cfg(test)]
mod tests {
    use truename_topology::{AnnouncedNode, Endpoint, Role};

    use super::*;
    use crate::connect::ConnectionFacts;
    use crate::connect::failure::report;
    use crate::error::{Cause, Phase};

    fn node() -> (AnnouncedNode, Endpoint) {
        (AnnouncedNode::new(Endpoint::new("node", 1), Role::Primary), Endpoint::new("seed", 1))
    }

    #[test]
    fn the_announced_id_counts_before_the_one_that_was_told_and_a_seed_has_none() {
        let (mut node, seed) = node();
        let way = DialAddress::new("host", 1);
        let known = KnownNode::default();
        assert_eq!(known.expected(&Target::announced(&node, &seed)), None);
        assert!(!known.was_connected());
        known.reached(&way, None);
        assert_eq!(known.expected(&Target::announced(&node, &seed)), None);
        known.reached(&way, Some("told"));
        known.reached(&way, None);
        assert_eq!(known.expected(&Target::announced(&node, &seed)), Some(NodeId::from("told")));
        assert_eq!(known.expected(&Target::seed(&seed)), None);
        node.id = Some(NodeId::from("announced"));
        assert_eq!(known.expected(&Target::announced(&node, &seed)), Some(NodeId::from("announced")));
        assert!(known.was_connected() && known.first_way() == Some(way));
    }

    fn met(way: &Way, cause: Cause) -> NodeFailure {
        let (node, seed) = node();
        let facts = ConnectionFacts { dialled: Some(way.address.clone()), ..ConnectionFacts::default() };
        let target = Target::announced(&node, &seed);
        report(&target, None, None, &facts, (Phase::Identity, cause), Duration::ZERO)
    }

    fn stranger(way: &Way) -> NodeFailure {
        met(way, Cause::WrongNode { announced: "a".to_owned(), answered: None })
    }

    #[test]
    fn ways_to_strangers_are_left_alone_and_no_others() {
        let announced = Way { address: DialAddress::new("node", 1), via: Via::Announced };
        let fallback = Way { address: DialAddress::new("seed", 1), via: Via::Fallback };
        let ways = vec![announced.clone(), fallback.clone()];
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let known = KnownNode::default();
        let open = |seconds: f64| known.open(&ways, at(seconds)).map(|(open, _)| open);

        // The node is down, and another one is at the seed's host.
        known.failed(&ways, &[met(&announced, Cause::Refused), stranger(&fallback)], start);
        assert_eq!(open(0.0).expect("one"), std::slice::from_ref(&announced));
        assert_eq!(known.not_before(), None);
        assert_eq!(open(2.1).expect("both"), ways);
        known.failed(&ways, &[stranger(&fallback)], at(2.1));
        assert_eq!(open(4.0).expect("one"), std::slice::from_ref(&announced), "twice as long");
        known.reached(&fallback.address, None);
        assert_eq!(open(2.1).expect("both"), ways);

        // A stranger is at the node's address.
        known.failed(&ways, &[stranger(&announced)], start);
        assert_eq!(open(0.9).expect_err("none").len(), 1);
        assert_eq!(known.not_before(), Some(at(1.0)));
        assert!(open(1.0).expect("the fallback").contains(&fallback));
        for round in 1..20 {
            known.failed(&ways, &[stranger(&announced)], at(f64::from(round)));
        }
        assert_eq!(open(33.0).expect("the fallback"), std::slice::from_ref(&fallback));
        assert_eq!(open(50.0).expect("both"), ways, "half a minute at most");
    }

    #[test]
    fn remembered_ids_are_bounded() {
        let ids = ProvedIds::default();
        for n in 0..MAX_IDS + 10 {
            ids.add(&NodeId::from(n.to_string().as_str()));
        }
        assert_eq!(ids.0.lock().len(), MAX_IDS);
        assert!(ids.contains(&NodeId::from((MAX_IDS + 9).to_string().as_str())));
    }
}
