//! One call that becomes several commands: keys of several slots, or all nodes.
//!
//! The parts go out as a batch, so each has its own redirects and retries; what they return becomes one reply by the servers'
//! own policy.
//!
//! What must stay true: every part's outcome is reported. There is a value only if all parts have one, and all slots an owner
//! where the command is about all of them; otherwise it is [`Error::Partial`], with whatever came. Two commands have a value
//! before: `RANDOMKEY`, once a shard has drawn a key, and `SCRIPT LOAD`, once all who serve slots have the script. What is loaded
//! is loaded where no slot is yet, too, as far as such nodes are known; what became of it there decides nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::FutureExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Role, Slot};

use super::attempts::Attempts;
use super::for_replicas::refuse_replica;
use super::split::{Part, can_be_split, in_order_of_keys, split};
use super::state::Router;
use crate::clock;
use crate::cluster::Node;
use crate::command::{Command, RANDOM_KEY, RequestPolicy, ResponsePolicy, Route, RouteRefusal, Spec};
use crate::config::ReadFrom;
use crate::error::{Error, PartOutcome, RouteError, TypeError};
use crate::lane::{Form, Received};

/// How often a command for all nodes is run at most, where slots move meanwhile.
const ROUNDS: u32 = 3;

/// It has a value where a replica was not reached, and no effect if it is run twice.
const SCRIPT_LOAD: &str = "SCRIPT LOAD";
/// Loads a library of functions.
const FUNCTION_LOAD: &str = "FUNCTION LOAD";
/// For so long these two wait at least for nodes that decide nothing, which may have to be connected to first.
const OTHERS_HAVE: Duration = Duration::from_secs(1);

type Outcome = Result<Reply, Error>;

/// What became of a part, if it has ended.
type Ended = Option<Outcome>;

/// What became of parts that were run apart from each other, each in its place.
enum Apart {
    /// Those that have ended were enough.
    Enough(Vec<Ended>),
    /// They were not, and there are no more.
    All(Vec<Outcome>),
}

/// What a command for several nodes is.
pub(super) struct Fan {
    spec: &'static Spec,
    /// By the slots of its keys; otherwise it is for all nodes.
    is_by_slot: bool,
}

impl Fan {
    /// What makes it several commands.
    pub(super) fn why_in_parts(&self) -> &'static str {
        if self.is_by_slot { "has keys of several slots" } else { "concerns several nodes" }
    }
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
    /// concerns all nodes waits for a refresh, and what reads is done again if slots went to other nodes meanwhile, and so is a
    /// script loaded again where it may not be. A few times: while slots keep moving, so do their keys, and no sum of several
    /// servers is exact.
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
            return self.run_parts(spec, command, parts, None, started, own).await;
        }
        refuse_replica(command, "all primaries are asked")?;
        let mut is_first = true;
        for again in (0..ROUNDS).rev() {
            is_first &= !self.cluster.await_confirmation(deadline).await;
            let before = self.cluster.topology().map().clone();
            let (parts, unserved) = self.parts_for_nodes(command, spec)?;
            // The time of the whole is not the silence that a server may keep, unless the caller set it.
            let (begun, timeout) = match is_first {
                true => (started, own),
                false => (Instant::now(), Some(left())),
            };
            let outcome = self.run_parts(spec, command, parts, unserved, begun, timeout).await;
            let is_settled = Arc::ptr_eq(&before, self.cluster.topology().map());
            let is_of_then = spec.changes_nothing(command) || (spec.name == SCRIPT_LOAD && outcome.is_err());
            if is_settled || again == 0 || left().is_zero() || !is_of_then {
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
        if spec.name == SCRIPT_LOAD {
            return Ok((topology.all_nodes().map(|node| named(node.endpoint(), None)).collect(), None));
        }
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
        if spec.name == FUNCTION_LOAD {
            // Primaries that may get slots later. Those that serve some have a slot in their part.
            let is_primary = |node: &Node| node.target().node.role == Role::Primary;
            let others =
                topology.all_nodes().filter(|node| is_primary(node) && !seen.contains(node.endpoint()));
            parts.extend(others.map(|node| named(node.endpoint(), None)));
        }
        Ok((parts, unserved))
    }

    /// Runs the parts and makes one reply of theirs. Their time began when the call did.
    async fn run_parts(
        &self,
        spec: &'static Spec,
        command: &Command<'_>,
        parts: Vec<Part<'_>>,
        unserved: Option<Slot>,
        started: Instant,
        timeout: Option<Duration>,
    ) -> Result<Reply, Error> {
        let (commands, places): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|Part { command, slot, keys }| (command, (slot, keys))).unzip();
        let times = (started, timeout);
        let mut missing = None;
        let outcomes = match spec.name {
            RANDOM_KEY => {
                let is_found = |ended: &[Ended]| any_key(ended).is_some();
                match self.run_until(&commands, times, Duration::ZERO, is_found).await {
                    Apart::Enough(ended) => return Ok(any_key(&ended).unwrap_or(Reply::Nil)),
                    Apart::All(outcomes) => outcomes,
                }
            }
            SCRIPT_LOAD => {
                let is_loaded = |ended: &[Ended]| {
                    let has = |place: usize| matches!(ended[place], Some(Ok(_)));
                    all_have_it(self.owners().iter().map(|owner| owner.endpoint()), &commands, has)
                };
                match self.run_until(&commands, times, OTHERS_HAVE, is_loaded).await {
                    // Whoever else was not reached served no slot then.
                    Apart::Enough(ended) => {
                        return Ok(ended.into_iter().flatten().flatten().next().unwrap_or(Reply::Nil));
                    }
                    Apart::All(outcomes) => {
                        missing = self.not_among(&commands, times);
                        outcomes
                    }
                }
            }
            FUNCTION_LOAD => {
                let deciding = places.iter().take_while(|(slot, _)| slot.is_some()).count();
                let have_ended = |ended: &[Ended]| ended[..deciding].iter().all(Option::is_some);
                match self.run_until(&commands, times, OTHERS_HAVE, have_ended).await {
                    Apart::Enough(ended) => ended.into_iter().take(deciding).flatten().collect(),
                    Apart::All(outcomes) => outcomes,
                }
            }
            _ => {
                let outcomes = self.batch(&commands, started, timeout, Form::Decoded, false);
                let outcomes = Box::pin(outcomes).await;
                outcomes.map(|outcome| outcome.map(Received::into_reply)).collect::<Vec<_>>()
            }
        };
        let unassigned = |slot| Error::Route(Box::new(RouteError::Unassigned { slot }));
        let missing = missing.or(unserved.map(|slot| (None, unassigned(slot))));
        if missing.is_some() || outcomes.iter().any(Result::is_err) {
            if let Some(error) = same_for_all(&outcomes) {
                return Err(error);
            }
            let parts = commands.iter().zip(places).zip(outcomes);
            let mut parts: Vec<_> = parts
                .map(|((part, (slot, keys)), outcome)| self.report(part, slot, &keys, outcome, spec))
                .collect();
            parts.extend(
                missing.map(|(node, error)| PartOutcome::new(node, unserved, Vec::new(), Err(error))),
            );
            // A script that is loaded twice is there once.
            let has_no_effect = spec.changes_nothing(command) || spec.name == SCRIPT_LOAD;
            return Err(Error::partial(spec.name, parts, has_no_effect));
        }
        let replies = outcomes.into_iter().flatten();
        one_of(spec, places.iter().map(|(_, keys)| keys.as_slice()).zip(replies).collect())
            .map_err(|error| Error::from(error).in_reply_to(spec.name, None, None))
    }

    /// Runs parts apart from each other. Once those that have ended are enough, which is decided once, the others have as long
    /// again, and this time at least: they may be about to end as well.
    async fn run_until(
        &self,
        commands: &[Command<'_>],
        (started, timeout): (Instant, Option<Duration>),
        others_have: Duration,
        is_enough: impl Fn(&[Ended]) -> bool,
    ) -> Apart {
        let begun = Instant::now();
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
            let Some((index, outcome)) = next else {
                return match until {
                    Some(_) => Apart::Enough(ended),
                    None => Apart::All(
                        ended.into_iter().map(|ended| ended.unwrap_or(Err(Error::Closed))).collect(),
                    ),
                };
            };
            ended[index] = Some(outcome);
            if until.is_none() && is_enough(&ended) {
                until = Some(Instant::now() + begun.elapsed().max(others_have));
            }
        }
    }

    /// Who serves slots now.
    fn owners(&self) -> Vec<Arc<Node>> {
        let topology = self.cluster.topology();
        let owners = topology.map().owners();
        owners.into_iter().filter_map(|shard| topology.node(shard.primary()).cloned()).collect()
    }

    /// Who serves slots now and has no part, with the error that says so: it would be asked next.
    fn not_among(
        &self,
        commands: &[Command<'_>],
        (started, timeout): (Instant, Option<Duration>),
    ) -> Option<(Option<Endpoint>, Error)> {
        let owner = self.owners().into_iter().find(|owner| part_of(owner.endpoint(), commands).is_none())?;
        let (timeout, _) = self.times(timeout, None);
        let mut attempts = Attempts::new(started, timeout, Route::NamedNode);
        attempts.note_node(&owner);
        Some((Some(owner.endpoint().clone()), attempts.timed_out(false)))
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
        let names = if keys.is_empty() { Vec::new() } else { part.own_keys(spec) };
        PartOutcome::new(node, slot, names, outcome).at(keys)
    }
}

/// The part that names this node.
fn part_of(node: &Endpoint, parts: &[Command<'_>]) -> Option<usize> {
    parts.iter().position(|part| part.named_node() == Some(node))
}

/// Whether all of these nodes have what the parts bring them, and there are any. `has`: whether the part at this place has a value.
fn all_have_it<'n>(
    nodes: impl IntoIterator<Item = &'n Endpoint>,
    parts: &[Command<'_>],
    has: impl Fn(usize) -> bool,
) -> bool {
    let mut nodes = nodes.into_iter().peekable();
    nodes.peek().is_some() && nodes.all(|node| part_of(node, parts).is_some_and(&has))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::cmd;

    #[test]
    fn a_script_is_loaded_once_all_owners_have_it() {
        let node = |port| Endpoint::new("10.0.0.1", port);
        let parts = [1, 2, 3].map(|port| cmd("SCRIPT").arg("LOAD").arg("x").route_to(&node(port)));
        // Each row: who serves slots, which parts have a value, and what follows.
        let rows: [(&[u16], &[usize], bool); 7] = [
            (&[1, 2], &[0, 1], true),
            (&[1, 2], &[0, 2], false),
            // A replica that took its primary's place.
            (&[3, 2], &[1, 2], true),
            // An owner that has no part.
            (&[1, 4], &[0, 1, 2], false),
            (&[4], &[0], false),
            // None of the parts' nodes is there any more, or none at all.
            (&[4, 5], &[], false),
            (&[], &[], false),
        ];
        for (owners, loaded, expected) in rows {
            let owners: Vec<_> = owners.iter().map(|port| node(*port)).collect();
            let found = all_have_it(&owners, &parts, |place| loaded.contains(&place));
            assert_eq!(found, expected, "{owners:?} {loaded:?}");
        }
    }
}
