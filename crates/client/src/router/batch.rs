//! Many commands at once: split by lane, each part one unit in the stream, with one lock for it.
//!
//! What must stay true: every command has exactly one outcome, in its place; a command whose first attempt returned no value
//! goes on by itself, judged as any other; the commands of one slot are in one part, in order, so they are executed in order
//! unless one of them goes on by itself; trouble of one part delays no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::judge::Setback;
use super::request::Request;
use super::state::Router;
use crate::cluster::Node;
use crate::command::Command;
use crate::error::Error;
use crate::lane::{CutShort, Failure, Form, Lane, Received, RequestLimits, Unit, request_limits};

/// The most commands of one unit, so that others on its lane are not kept waiting for long.
const UNIT_COMMANDS: usize = 1000;
/// The least bytes that end a unit.
const UNIT_BYTES: usize = 256 * 1024;

type Outcome = Result<Received, Error>;

/// A command until its outcome is known.
struct Member<'r, 'a> {
    /// Its place in the batch.
    position: usize,
    request: Request<'r, 'a>,
    attempts: Attempts,
}

/// The members that go to one lane.
struct Part<'r, 'a> {
    node: Arc<Node>,
    members: Vec<Member<'r, 'a>>,
}

impl Router {
    /// Runs commands to their final outcomes, which come in the commands' order. `timeout` replaces the commands' own.
    pub(crate) async fn batch(
        &self,
        commands: &[Command<'_>],
        timeout: Option<Duration>,
        form: Form,
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(commands.len(), || None);
        let (mut parts, singles) = self.sort(commands, timeout, form, &mut outcomes);
        let settled = match parts.len() {
            // Most batches have one: then there is nothing to run beside it.
            1 if singles.is_empty() => self.exchange(parts.remove(0)).await,
            _ => {
                let parts = parts.into_iter().map(|part| self.exchange(part).boxed());
                let singles = singles.into_iter().map(|single| self.run_single(single).boxed());
                let mut running: FuturesUnordered<BoxFuture<'_, Vec<(usize, Outcome)>>> =
                    parts.chain(singles).collect();
                let mut settled = Vec::with_capacity(commands.len());
                while let Some(part) = running.next().await {
                    settled.extend(part);
                }
                settled
            }
        };
        for (position, outcome) in settled {
            outcomes[position] = Some(outcome);
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Error::Closed))).collect()
    }

    /// Sorts commands by lane. Apart from these are those that need more than a unit can give: a server's description, a
    /// connection of their own, a slot that has an owner.
    fn sort<'r, 'a>(
        &self,
        commands: &'r [Command<'a>],
        timeout: Option<Duration>,
        form: Form,
        outcomes: &mut [Option<Outcome>],
    ) -> (Vec<Part<'r, 'a>>, Vec<Member<'r, 'a>>) {
        let now = Instant::now();
        let (mut parts, mut singles) = (Vec::<Part<'_, '_>>::new(), Vec::new());
        let mut by_lane: HashMap<usize, usize> = HashMap::new();
        let mut latest = (0, 0);
        for (position, command) in commands.iter().enumerate() {
            let (request, attempts) = match self.prepare(command, form, now, timeout) {
                Ok(prepared) => prepared,
                Err(error) => {
                    outcomes[position] = Some(Err(error));
                    continue;
                }
            };
            let is_plain = request.spec.is_some() && request.blocks.is_none();
            let node = if is_plain { self.choose(&request, &attempts) } else { None };
            let Some(node) = node else {
                singles.push(Member { position, request, attempts });
                continue;
            };
            let lane = std::ptr::from_ref(node.lane(attempts.slot())).addr();
            if latest.0 != lane {
                let part = *by_lane.entry(lane).or_insert_with(|| {
                    parts.push(Part { node, members: Vec::new() });
                    parts.len() - 1
                });
                latest = (lane, part);
            }
            parts[latest.1].members.push(Member { position, request, attempts });
        }
        (parts, singles)
    }

    /// Sends a part, unit by unit; what got no value goes on by itself afterwards.
    async fn exchange(&self, part: Part<'_, '_>) -> Vec<(usize, Outcome)> {
        let Part { node, members } = part;
        let mut settled = Vec::with_capacity(members.len());
        let mut rest = members.into_iter();
        let mut again = FuturesUnordered::new();
        while rest.len() > 0 {
            let count = unit_len(rest.as_slice());
            let unit: Vec<_> = rest.by_ref().take(count).collect();
            for (member, outcome) in submit_unit(&node, unit).await {
                match Setback::or_value(outcome) {
                    Ok(value) => settled.push((member.position, Ok(value))),
                    Err(setback) => again.push(self.go_on(member, setback, node.clone())),
                }
            }
        }
        while let Some(outcome) = again.next().await {
            settled.push(outcome);
        }
        settled
    }

    async fn go_on(&self, member: Member<'_, '_>, setback: Setback, node: Arc<Node>) -> (usize, Outcome) {
        let Member { position, request, mut attempts } = member;
        (position, Box::pin(self.resume(setback, node, request, &mut attempts)).await)
    }

    async fn run_single(&self, member: Member<'_, '_>) -> Vec<(usize, Outcome)> {
        let Member { position, request, mut attempts } = member;
        vec![(position, self.run_prepared(request, &mut attempts).await)]
    }
}

/// How many members go into the next unit.
fn unit_len(members: &[Member<'_, '_>]) -> usize {
    let mut bytes = 0;
    let fits = |member: &&Member<'_, '_>| {
        let before = bytes;
        bytes += member.request.command.size();
        before < UNIT_BYTES
    };
    members.iter().take(UNIT_COMMANDS).take_while(fits).count()
}

/// Sends members as one unit; returns what came back for each.
async fn submit_unit<'r, 'a>(
    node: &Node,
    mut unit: Vec<Member<'r, 'a>>,
) -> impl Iterator<Item = (Member<'r, 'a>, Result<Received, Failure>)> {
    let lane = lane_of(node, &unit);
    let limits = limits_of(&mut unit);
    let encode = |out: &mut BytesMut| unit.iter().for_each(|member| member.request.command.encode(out));
    let outcome = match limits.submitted < limits.deadline {
        true => lane.submit(limits, encode).await,
        // Its turn comes too late: nobody waits for it any more.
        false => Err(Failure::TimedOut { submitted: false }),
    };
    let (received, end) = match outcome {
        Ok(Received::Replies(replies)) => (replies.received, replies.cut_short.map(UnitEnd::CutShort)),
        Ok(_) => unreachable!("a unit was submitted"),
        Err(failure) => (Vec::new(), Some(UnitEnd::NeverSent(failure))),
    };
    let answered = received.len();
    let ends = if end.is_some() { ends_of(&unit) } else { Vec::new() };
    let mut received = received.into_iter();
    unit.into_iter().enumerate().map(move |(index, member)| {
        let outcome = match (received.next(), &end) {
            (Some(reply), _) => Ok(reply),
            (None, Some(end)) => Err(end.failure_of(ends[index], index == answered)),
            (None, None) => unreachable!("all replies came"),
        };
        (member, outcome)
    })
}

/// Why members of a unit got no reply.
enum UnitEnd {
    NeverSent(Failure),
    CutShort(CutShort),
}

impl UnitEnd {
    fn failure_of(&self, end: u64, is_first: bool) -> Failure {
        match self {
            Self::NeverSent(failure) => failure.clone(),
            Self::CutShort(cut_short) => cut_short.failure_of(end, is_first),
        }
    }
}

/// The lane that all members of a unit go to.
fn lane_of<'n>(node: &'n Node, unit: &[Member<'_, '_>]) -> &'n Lane {
    node.lane(unit.first().and_then(|member| member.attempts.slot()))
}

/// The limits of a unit: as wide as those of any member.
fn limits_of(unit: &mut [Member<'_, '_>]) -> RequestLimits {
    let count = unit.len() as u32;
    let now = Instant::now();
    let (mut deadline, mut patience, mut form) = (now, Duration::ZERO, Form::Decoded);
    for Member { request, attempts, .. } in unit {
        attempts.begin();
        deadline = deadline.max(attempts.deadline());
        patience = patience.max(request.patience);
        form = request.form;
    }
    request_limits(now, deadline, patience, Unit::commands(count, form))
}

/// Where each member's last byte is in the unit.
fn ends_of(unit: &[Member<'_, '_>]) -> Vec<u64> {
    let mut encoded = BytesMut::new();
    let mut end = 0;
    let ends = unit.iter().map(|member| {
        encoded.clear();
        member.request.command.encode(&mut encoded);
        end += encoded.len() as u64;
        end
    });
    ends.collect()
}
