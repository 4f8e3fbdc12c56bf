//! One call that becomes several commands: keys of several slots, or all nodes.
//!
//! The parts go out as a batch, so each has its own redirects and retries; what they return becomes one reply by the servers'
//! own policy.
//!
//! What must stay true: every part's outcome is reported. There is a value only if all parts have one, and all slots an owner
//! where the command is about all of them; otherwise it is [`Error::Partial`], with whatever came.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use super::for_replicas::refuse_replica;
use super::split::{Part, can_be_split, in_order_of_keys, split};
use super::state::Router;
use crate::command::{Arguments, Command, RANDOM_KEY, RequestPolicy, ResponsePolicy, RouteRefusal, Spec};
use crate::config::ReadFrom;
use crate::error::{Error, PartOutcome, RouteError, TypeError};
use crate::lane::{Form, Received};

/// How often a command for all nodes is run at most, where slots move meanwhile.
const ROUNDS: u32 = 3;

/// What a command for several nodes is.
pub(super) struct Fan {
    spec: &'static Spec,
    /// By the slots of its keys; otherwise it is for all nodes.
    is_by_slot: bool,
}

impl Router {
    /// The command as several, if it is to go to several nodes although the caller says nothing.
    pub(super) fn fan(&self, command: &Command<'_>) -> Option<Fan> {
        let spec = command.spec()?;
        match command.route(Some(spec), self.cluster.is_single()) {
            Err(RouteRefusal::SeveralSlots) if can_be_split(command, spec) => {
                Some(Fan { spec, is_by_slot: true })
            }
            Err(RouteRefusal::SeveralNodes | RouteRefusal::Administrative) if spec.fans_out(command) => {
                Some(Fan { spec, is_by_slot: false })
            }
            _ => None,
        }
    }

    /// Runs a command as several. `timeout` replaces its own.
    ///
    /// A topology that only redirects made may have a shard twice, with the primary that it had and the one that it has: what
    /// concerns all nodes waits for a refresh, and what reads is done again if slots went to other nodes meanwhile. A few times:
    /// while slots keep moving, so do their keys, and no sum of several servers is exact.
    pub(super) async fn run_fan(
        &self,
        fan: Fan,
        command: &Command<'_>,
        started: Instant,
        timeout: Option<Duration>,
    ) -> Result<Reply, Error> {
        let Fan { spec, is_by_slot } = fan;
        let own = timeout.or(command.own_timeout());
        let deadline = started + own.unwrap_or(self.cluster.timing.command);
        let left = || deadline.saturating_duration_since(Instant::now());
        if is_by_slot {
            let parts = split(command, spec).unwrap_or_default();
            return self.run_parts(spec, command, parts, None, own).await;
        }
        refuse_replica(command, "all primaries are asked")?;
        let mut is_first = true;
        for again in (0..ROUNDS).rev() {
            is_first &= !self.cluster.await_confirmation(deadline).await;
            let before = self.cluster.topology().map().clone();
            let (parts, unserved) = self.parts_for_nodes(command, spec)?;
            // The time of the whole is not the silence that a server may keep, unless the caller set it.
            let timeout = if is_first { own } else { Some(left()) };
            let outcome = self.run_parts(spec, command, parts, unserved, timeout).await;
            let is_settled = Arc::ptr_eq(&before, self.cluster.topology().map());
            if is_settled || again == 0 || left().is_zero() || !spec.changes_nothing(command) {
                return outcome;
            }
            is_first = false;
        }
        unreachable!("the last round returns")
    }

    /// A primary is meant by one of its slots, so that its successor answers if it fails meanwhile; by its name where a slot
    /// could mean a replica. And a slot that nobody serves.
    fn parts_for_nodes<'c>(
        &self,
        command: &'c Command<'_>,
        spec: &Spec,
    ) -> Result<(Vec<Part<'c>>, Option<Slot>), Error> {
        let topology = self.cluster.topology();
        if self.cluster.is_closed() {
            return Err(Error::Closed);
        }
        if topology.nodes().is_empty() {
            return Err(Error::Route(Box::new(RouteError::NoNodes)));
        }
        let named =
            |node: &Endpoint, slot| Part::whole(command.borrowed().read_as_usual().route_to(node), slot);
        if spec.request == RequestPolicy::AllNodes {
            return Ok((topology.nodes().iter().map(|node| named(node.endpoint(), None)).collect(), None));
        }
        let (mut parts, mut unserved, mut seen) = (Vec::new(), None, HashSet::new());
        for (range, shard) in topology.map().ranges() {
            let slot = range.first();
            match shard.and_then(|_| topology.primary(slot)) {
                Some(primary) if seen.insert(primary.endpoint().clone()) => {
                    parts.push(match self.cluster.read_from {
                        ReadFrom::Primary => {
                            let part = command.borrowed().read_as_usual().route_by_slot(slot);
                            Part::whole(part, Some(slot))
                        }
                        _ => named(primary.endpoint(), Some(slot)),
                    });
                }
                Some(_) => {}
                None => unserved = unserved.or(Some(slot)),
            }
        }
        Ok((parts, unserved))
    }

    /// Runs the parts and makes one reply of theirs.
    async fn run_parts(
        &self,
        spec: &'static Spec,
        command: &Command<'_>,
        parts: Vec<Part<'_>>,
        unserved: Option<Slot>,
        timeout: Option<Duration>,
    ) -> Result<Reply, Error> {
        let (commands, places): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|Part { command, slot, keys }| (command, (slot, keys))).unzip();
        let outcomes = Box::pin(self.batch(&commands, Instant::now(), timeout, Form::Decoded, false)).await;
        let outcomes: Vec<_> = outcomes.map(|outcome| outcome.map(Received::into_reply)).collect();
        if spec.name == RANDOM_KEY
            && let Some(found) = any_key(&outcomes)
        {
            return Ok(found);
        }
        let missing = unserved.map(|slot| Error::Route(Box::new(RouteError::Unassigned { slot })));
        if missing.is_some() || outcomes.iter().any(Result::is_err) {
            if let Some(error) = same_for_all(&outcomes) {
                return Err(error);
            }
            let parts = commands.iter().zip(places).zip(outcomes);
            let mut parts: Vec<_> = parts
                .map(|((part, (slot, keys)), outcome)| self.report(part, slot, &keys, outcome, spec))
                .collect();
            parts.extend(missing.map(|error| PartOutcome::new(None, unserved, Vec::new(), Err(error))));
            // A script that is loaded twice is there once.
            let has_no_effect = spec.changes_nothing(command) || spec.name == "SCRIPT LOAD";
            return Err(Error::partial(spec.name, parts, has_no_effect));
        }
        let replies = outcomes.into_iter().flatten();
        one_of(spec, places.iter().map(|(_, keys)| keys.as_slice()).zip(replies).collect())
            .map_err(|error| Error::from(error).in_reply_to(spec.name, None, None))
    }

    fn report(
        &self,
        part: &Command<'_>,
        slot: Option<Slot>,
        keys: &[usize],
        outcome: Result<Reply, Error>,
        spec: &Spec,
    ) -> PartOutcome {
        let of_error = || outcome.as_ref().err().and_then(|error| error.node().cloned());
        let of_slot = || match self.read_from(part) {
            ReadFrom::Primary => Some(self.cluster.topology().primary(slot?)?.endpoint().clone()),
            _ => None,
        };
        let node: Option<Endpoint> = part.named_node().cloned().or_else(of_error).or_else(of_slot);
        let mut names = Vec::with_capacity(keys.len());
        if !keys.is_empty() {
            crate::command::keys(spec, part, &mut |index| {
                names.extend(part.at(index).map(Bytes::copy_from_slice));
            });
        }
        PartOutcome::new(node, slot, names, outcome)
    }
}

/// One reply of all parts' replies.
fn one_of(spec: &Spec, replies: Vec<(&[usize], Reply)>) -> Result<Reply, TypeError> {
    let has_keys = spec.request == RequestPolicy::MultiShard;
    match spec.response {
        ResponsePolicy::Default if has_keys => in_order_of_keys(replies),
        // Only `RANDOMKEY`, when no shard has a key.
        ResponsePolicy::Special => Ok(Reply::Nil),
        policy => policy.aggregate(replies.into_iter().map(|(_, reply)| reply).collect()),
    }
}

/// The error that all parts have in common, whichever node they went to.
fn same_for_all(outcomes: &[Result<Reply, Error>]) -> Option<Error> {
    let first = outcomes.first()?.as_ref().err()?;
    let is_same = |error: &Error| match (first, error) {
        (Error::Closed, Error::Closed) => true,
        (Error::Server(one), Error::Server(other)) => one.reply == other.reply,
        _ => false,
    };
    outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(is_same)).then(|| first.clone())
}

/// A key of those that the shards found.
fn any_key(outcomes: &[Result<Reply, Error>]) -> Option<Reply> {
    let found: Vec<_> = outcomes.iter().flatten().filter(|reply| !reply.is_nil()).collect();
    found.get(fastrand::usize(..found.len().max(1))).map(|&reply| reply.clone())
}
