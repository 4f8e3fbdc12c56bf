//! One call that becomes several commands: keys of several slots, or all nodes.
//!
//! The parts go out as a batch, so each has its own redirects and retries; what they return becomes one reply by the servers'
//! own policy.
//!
//! What must stay true: every part's outcome is reported. There is a value only if all parts have one, and all slots an owner
//! where the command is about all of them; otherwise it is [`Error::Partial`], with whatever came.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use super::state::Router;
use crate::command::{
    Arguments, Command, Part, RANDOM_KEY, RequestPolicy, ResponsePolicy, RouteRefusal, Spec,
    in_order_of_keys, split,
};
use crate::error::{Error, PartOutcome, RouteError, TypeError};
use crate::lane::{Form, Received};

/// A command as several.
pub(super) struct Fan<'c> {
    spec: &'static Spec,
    parts: Vec<Part<'c>>,
    /// Nobody serves this slot, nor perhaps others: whatever the nodes say is not all there is.
    unserved: Option<Slot>,
}

impl Router {
    /// The command as several, if it is to go to several nodes although the caller says nothing.
    pub(super) fn fan<'c>(&self, command: &'c Command<'_>) -> Option<Fan<'c>> {
        let spec = command.spec()?;
        let is_single = self.cluster.is_single();
        match command.route(Some(spec), is_single) {
            Err(RouteRefusal::SeveralSlots) => {
                Some(Fan { spec, parts: split(command, spec)?, unserved: None })
            }
            Err(RouteRefusal::SeveralNodes | RouteRefusal::Administrative) if spec.fans_out(command) => {
                Some(self.fan_to_nodes(command, spec))
            }
            _ => None,
        }
    }

    /// A primary is meant by one of its slots, so that its successor answers if it fails meanwhile.
    fn fan_to_nodes<'c>(&self, command: &'c Command<'_>, spec: &'static Spec) -> Fan<'c> {
        let topology = self.cluster.topology();
        if spec.request == RequestPolicy::AllNodes {
            let nodes = topology.nodes().iter();
            let parts =
                nodes.map(|node| Part::whole(command.borrowed().route_to(node.endpoint()), None)).collect();
            return Fan { spec, parts, unserved: None };
        }
        let (mut parts, mut unserved, mut seen) = (Vec::new(), None, HashSet::new());
        for (range, shard) in topology.map().ranges() {
            let slot = range.first();
            match shard {
                Some(shard) if seen.insert(shard) => {
                    parts.push(Part::whole(command.borrowed().route_by_slot(slot), Some(slot)));
                }
                Some(_) => {}
                None => unserved = unserved.or(Some(slot)),
            }
        }
        Fan { spec, parts, unserved }
    }

    /// Runs a command as several. `timeout` replaces its own.
    pub(super) async fn run_fan(
        &self,
        fan: Fan<'_>,
        command: &Command<'_>,
        started: Instant,
        timeout: Option<Duration>,
    ) -> Result<Reply, Error> {
        let timeout = timeout.or(command.own_timeout()).unwrap_or(self.cluster.timing.command);
        let Fan { spec, parts, unserved } = fan;
        let (commands, places): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|Part { command, slot, keys }| (command, (slot, keys))).unzip();
        let left = timeout.saturating_sub(started.elapsed());
        let outcomes = Box::pin(self.batch(&commands, Some(left), Form::Decoded, false)).await;
        let outcomes: Vec<_> =
            outcomes.into_iter().map(|outcome| outcome.map(Received::into_reply)).collect();
        let missing = unserved.map(|slot| Error::Route(Box::new(RouteError::Unassigned { slot })));
        if spec.name == RANDOM_KEY
            && let Some(found) = any_key(&outcomes)
        {
            return Ok(found);
        }
        if missing.is_some() || outcomes.iter().any(Result::is_err) {
            if let Some(Err(error @ (Error::Closed | Error::Config(_)))) = outcomes.first() {
                return Err(error.clone());
            }
            let parts = commands.iter().zip(places).zip(outcomes);
            let mut parts: Vec<_> = parts
                .map(|((part, (slot, keys)), outcome)| self.report(part, slot, &keys, outcome, spec))
                .collect();
            parts.extend(missing.map(|error| PartOutcome::new(None, unserved, Vec::new(), Err(error))));
            let only_reads = spec.changes_nothing(command);
            return Err(Error::partial(spec.name, parts, only_reads));
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
        let of_slot = || Some(self.cluster.topology().primary(slot?)?.endpoint().clone());
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

/// A key of those that the shards found.
fn any_key(outcomes: &[Result<Reply, Error>]) -> Option<Reply> {
    let found: Vec<_> = outcomes.iter().flatten().filter(|reply| !reply.is_nil()).collect();
    found.get(fastrand::usize(..found.len().max(1))).map(|&reply| reply.clone())
}
