//! Members that are sent as one unit, with one lock, and what came back for each.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::member::Member;
use crate::cluster::Node;
use crate::command::Command;
use crate::lane::{CutShort, Failure, Form, Lane, LanePhase, Received, RequestLimits, Unit, request_limits};

/// The most commands of one unit, so that others on its lane are not kept waiting for long.
const UNIT_COMMANDS: usize = 1000;
/// The least bytes that end a unit.
const UNIT_BYTES: usize = 256 * 1024;

/// How many of these commands go into the next unit.
pub(super) fn fits_in_unit<'c, 'a: 'c>(commands: impl Iterator<Item = &'c Command<'a>>) -> usize {
    let mut bytes = 0;
    let fits = |command: &&Command<'_>| {
        let before = bytes;
        bytes += command.size();
        before < UNIT_BYTES
    };
    commands.take(UNIT_COMMANDS).take_while(fits).count()
}

/// Sends members as one unit; returns what came back for each.
pub(super) async fn submit_unit<'r, 'a>(
    node: &Node,
    mut unit: Vec<Member<'r, 'a>>,
) -> impl Iterator<Item = (Member<'r, 'a>, Result<Received, Failure>)> {
    let lane = lane_of(node, &unit);
    let limits = limits_of(&unit);
    for member in &mut unit {
        member.attempts.begin();
    }
    let encode = |out: &mut BytesMut| unit.iter().for_each(|member| member.request.command.encode(out));
    let outcome = submit_in_time(lane, limits, encode).await;
    outcomes_of(unit, outcome)
}

/// Sends a unit, unless its turn comes too late: then nobody waits for it any more.
pub(super) async fn submit_in_time(
    lane: &Lane,
    limits: RequestLimits,
    encode: impl Fn(&mut BytesMut),
) -> Result<Received, Failure> {
    if limits.submitted < limits.deadline {
        return lane.submit(limits, encode).await;
    }
    Err(match lane.phase() {
        LanePhase::Down(cause) => Failure::Unsent(cause),
        _ => Failure::TimedOut { submitted: false },
    })
}

/// What came back for each member of a unit.
pub(super) fn outcomes_of<'r, 'a>(
    unit: Vec<Member<'r, 'a>>,
    outcome: Result<Received, Failure>,
) -> impl Iterator<Item = (Member<'r, 'a>, Result<Received, Failure>)> {
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
fn limits_of(unit: &[Member<'_, '_>]) -> RequestLimits {
    let count = unit.len() as u32;
    let now = Instant::now();
    let (mut deadline, mut patience, mut form) = (now, Duration::ZERO, Form::Decoded);
    for Member { request, attempts, .. } in unit {
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
