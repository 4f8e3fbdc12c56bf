//! One call that becomes several commands: keys of several slots, or all nodes.
//!
//! The parts go out as a batch, so each has its own redirects and retries; what they return becomes one reply by the servers'
//! own policy.
//!
//! What must stay true: every part's outcome is reported. There is a value only if all parts have one, and all slots an owner
//! where the command is about all of them; otherwise it is [`Error::Partial`], with whatever came. Two commands have a value
//! before: `RANDOMKEY`, once a shard has drawn a key, and `SCRIPT LOAD`, once all who serve slots have the script.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::FutureExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use super::for_replicas::refuse_replica;
use super::split::{Part, can_be_split, in_order_of_keys, split};
use super::state::Router;
use crate::clock;
use crate::command::{Arguments, Command, RANDOM_KEY, RequestPolicy, ResponsePolicy, RouteRefusal, Spec};
use crate::config::ReadFrom;
use crate::error::{Error, PartOutcome, RouteError, TypeError};
use crate::lane::{Form, Received};

/// How often a command for all nodes is run at most, where slots move meanwhile.
const ROUNDS: u32 = 3;

/// It has a value where a replica was not reached, and no effect if it is run twice.
const SCRIPT_LOAD: &str = "SCRIPT LOAD";
/// For so long it waits for replicas at least, which may have to be connected to first.
const REPLICAS_HAVE: Duration = Duration::from_secs(1);

/// What became of a part, if it has ended.
type Ended = Option<Result<Reply, Error>>;

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
        let outcomes = match spec.name {
            RANDOM_KEY => {
                let ended = self
                    .run_until(&commands, timeout, Duration::ZERO, |ended| any_key(ended).is_some())
                    .await;
                if let Some(found) = any_key(&ended) {
                    return Ok(found);
                }
                ended.into_iter().flatten().collect()
            }
            SCRIPT_LOAD => {
                let ended = self
                    .run_until(&commands, timeout, REPLICAS_HAVE, |ended| self.is_loaded(&commands, ended))
                    .await;
                if self.is_loaded(&commands, &ended) {
                    // Whoever else was not reached serves no slot now.
                    return Ok(ended.into_iter().flatten().flatten().next().unwrap_or(Reply::Nil));
                }
                ended.into_iter().flatten().collect()
            }
            _ => {
                let outcomes = self.batch(&commands, Instant::now(), timeout, Form::Decoded, false);
                let outcomes = Box::pin(outcomes).await;
                outcomes.map(|outcome| outcome.map(Received::into_reply)).collect::<Vec<_>>()
            }
        };
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
            let has_no_effect = spec.changes_nothing(command) || spec.name == SCRIPT_LOAD;
            return Err(Error::partial(spec.name, parts, has_no_effect));
        }
        let replies = outcomes.into_iter().flatten();
        one_of(spec, places.iter().map(|(_, keys)| keys.as_slice()).zip(replies).collect())
            .map_err(|error| Error::from(error).in_reply_to(spec.name, None, None))
    }

    /// Runs parts apart from each other. Once those that have ended are enough, the others have as long again, and this time at
    /// least: they may be about to end as well.
    async fn run_until(
        &self,
        commands: &[Command<'_>],
        timeout: Option<Duration>,
        others_have: Duration,
        is_enough: impl Fn(&[Ended]) -> bool,
    ) -> Vec<Ended> {
        let started = Instant::now();
        let parts = commands.iter().enumerate().map(|(index, command)| {
            let part = async move {
                let one = std::slice::from_ref(command);
                let outcome = self.batch(one, started, timeout, Form::Decoded, false).await.next();
                (index, outcome.unwrap_or(Err(Error::Closed)).map(Received::into_reply))
            };
            part.boxed()
        });
        let mut running: FuturesUnordered<_> = parts.collect();
        let (mut ended, mut until) = (vec![None; commands.len()], None);
        loop {
            let next = match until {
                Some(until) => clock::timeout_at(until, running.next()).await.flatten(),
                None => running.next().await,
            };
            let Some((index, outcome)) = next else { return ended };
            ended[index] = Some(outcome);
            if until.is_none() && is_enough(&ended) {
                until = Some(Instant::now() + started.elapsed().max(others_have));
            }
        }
    }

    /// Whether all who serve slots have a script.
    fn is_loaded(&self, commands: &[Command<'_>], ended: &[Ended]) -> bool {
        let topology = self.cluster.topology();
        let serves = |command: &Command<'_>| {
            let named = command.named_node();
            topology.map().owners().iter().any(|shard| {
                topology.node(shard.primary()).is_some_and(|primary| Some(primary.endpoint()) == named)
            })
        };
        let mut parts = commands.iter().zip(ended);
        parts.all(|(command, ended)| matches!(ended, Some(Ok(_))) || !serves(command))
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
fn any_key(outcomes: &[Ended]) -> Option<Reply> {
    let found: Vec<_> = outcomes.iter().flatten().flatten().filter(|reply| !reply.is_nil()).collect();
    found.get(fastrand::usize(..found.len().max(1))).map(|&reply| reply.clone())
}
