//! A read that is not to be answered as its client's connections are: `READONLY` around one that a replica is to serve, and
//! `READWRITE` around one that only a primary may.
//!
//! What must stay true: the command and what stands around it are one unit, so nobody else's command is executed in that
//! mode, and the connection is left as it was found. So `READONLY` is said only where `READWRITE` has been taken since the
//! latest connection was made; where that is refused later all the same, the connection is replaced at once, and for a moment
//! nothing is sent that would need such a mode. Only reads are sent like this: what becomes of the words around them changes
//! nothing. For what may write, both words are tried first ([`needs_readwrite`]).
//!
//! Which mode a connection is in, the connection knows and not the configuration: where `READONLY` was refused when it was
//! made, a replica refuses by itself, and no word is needed.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::{ErrorReply, Reply};
use truename_topology::Slot;

use super::attempts::Attempts;
use super::destination::Destination;
use super::exec::replies_of;
use super::judge::Setback;
use super::read_from::callers_preference;
use super::request::Request;
use super::state::Router;
use crate::cluster::{Node, Topology};
use crate::command::{Command, Route};
use crate::config::ReadFrom;
use crate::lane::{Failure, Form, Received, RequestLimits, Unit, request_limits};

pub(super) const READONLY: &[u8] = b"*1\r\n$8\r\nREADONLY\r\n";
pub(super) const READWRITE: &[u8] = b"*1\r\n$9\r\nREADWRITE\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// What a connection is to do for one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To read from a replica, on a connection that does not otherwise.
    ReadOnly,
    /// To have a replica refuse, on a connection that reads from replicas otherwise.
    ReadWrite,
}

impl Mode {
    /// The mode of a read, by where it and its client's others are read from. `may_be_replica`: it does not go to the primary.
    fn of(own: &ReadFrom, is_readonly: bool, may_be_replica: bool) -> Option<Self> {
        match (own.uses_replicas(), is_readonly) {
            (true, false) if may_be_replica => Some(Self::ReadOnly),
            (false, true) => Some(Self::ReadWrite),
            _ => None,
        }
    }

    /// What is sent before the command and after it.
    fn around(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::ReadOnly => (READONLY, READWRITE),
            Self::ReadWrite => (READWRITE, READONLY),
        }
    }
}

impl Router {
    /// The mode that an attempt needs, if it is not that of the client's connections.
    #[inline]
    pub(super) fn mode(
        &self,
        destination: &Destination,
        request: &Request<'_, '_>,
        attempts: &Attempts,
    ) -> Option<Mode> {
        let own = callers_preference(request.command)?;
        if destination.asking || !self.may_need_a_mode(request) {
            return None;
        }
        let may_be_replica = !is_primary(&destination.node, &self.cluster.topology(), attempts.route);
        Mode::of(own, self.is_readonly(), may_be_replica)
    }

    /// Whether an attempt may need a mode: such a command is sent in no unit with others.
    pub(super) fn may_need_a_mode(&self, request: &Request<'_, '_>) -> bool {
        let mode =
            callers_preference(request.command).and_then(|own| Mode::of(own, self.is_readonly(), true));
        mode.is_some() && request.only_reads() && !self.cluster.is_single()
    }
}

fn is_primary(node: &Arc<Node>, topology: &Topology, route: Route) -> bool {
    let primary = route.slot().and_then(|slot| topology.primary(slot));
    primary.is_some_and(|primary| Arc::ptr_eq(primary, node))
}

/// Whether a slot's connection at this node reads from replicas. Where there is none, one is waited for.
async fn is_readonly_there(
    node: &Node,
    slot: Option<Slot>,
    limits: impl Fn(Unit) -> RequestLimits,
) -> Result<bool, Failure> {
    let lane = node.lane(slot);
    if let Some(is_readonly) = lane.is_readonly() {
        return Ok(is_readonly);
    }
    // Whatever it answers, the next connection is up then.
    let asked = lane.submit(limits(Unit::command(Form::Decoded)), |out| out.extend_from_slice(PING));
    match asked.await {
        Ok(_) => Ok(lane.is_readonly() != Some(false)),
        Err(failure) => Err(unsent(failure)),
    }
}

/// Whether what only a primary may execute is to stand between `READWRITE` and `READONLY` on a slot's connection at this node.
/// If so, the node has taken both since the latest connection was made.
pub(super) async fn needs_readwrite(
    node: &Node,
    slot: Option<Slot>,
    limits: impl Fn(Unit) -> RequestLimits,
) -> Result<bool, Setback> {
    loop {
        if !is_readonly_there(node, slot, &limits).await.map_err(Setback::Failure)? {
            return Ok(false);
        }
        if node.found_out().takes_readwrite() {
            return Ok(true);
        }
        if let Some(refusal) = node.found_out().stays_in_mode() {
            return Err(Setback::Error(refusal));
        }
        let probe = node.lane(slot).submit(limits(Unit::commands(2, Form::Decoded)), |out| {
            out.extend_from_slice(READWRITE);
            out.extend_from_slice(READONLY);
        });
        let (replies, failure) = replies_of(probe.await, || u64::MAX);
        if let Some(failure) = failure {
            return Err(Setback::Failure(unsent(failure)));
        }
        let mut refusals = replies.iter().map(Reply::as_error);
        match (refusals.next().flatten(), refusals.next().flatten()) {
            (Some(refusal), _) => return Err(Setback::Error(refusal.clone())),
            // The next connection may be in no mode at all.
            (None, Some(refusal)) => node.leave_mode(slot, refusal.clone()),
            (None, None) => node.found_out().note_readwrite(),
        }
    }
}

/// What a node said instead of taking the words around a unit.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) readwrite: Option<ErrorReply>,
    pub(super) readonly: Option<ErrorReply>,
}

/// The outcome without the replies to `READWRITE` and `READONLY`, of a unit of so many replies, and which was refused.
pub(super) fn without_mode(
    count: u32,
    outcome: Result<Received, Failure>,
) -> (Result<Received, Failure>, Words) {
    let mut replies = match outcome {
        Ok(Received::Replies(replies)) => replies,
        other => return (other, Words::default()),
    };
    let mut refused = Words::default();
    if replies.received.len() == count as usize {
        refused.readonly = replies.received.pop().and_then(|readonly| readonly.error());
    } else if replies.received.len() + 1 == count as usize {
        // `EXEC` was answered, whatever came after it.
        replies.cut_short = None;
    }
    if !replies.received.is_empty() {
        refused.readwrite = replies.received.remove(0).error();
    }
    (Ok(Received::Replies(replies)), refused)
}

/// Whatever became of a probe, nothing of what it was for was sent.
pub(super) fn unsent(failure: Failure) -> Failure {
    match failure {
        Failure::Lost(cause) | Failure::LostAtHead(cause) => Failure::Unsent(cause),
        Failure::TimedOut { .. } => Failure::TimedOut { submitted: false },
        unsent @ Failure::Unsent(_) => unsent,
    }
}

/// What became of an attempt in a mode.
pub(super) enum InMode {
    Outcome(Result<Received, Failure>),
    /// The node is not to be read from, which is noted: another one may be.
    Refused,
}

/// One attempt of a read in this mode.
pub(super) async fn attempt_in(
    mode: Mode,
    node: &Node,
    request: &Request<'_, '_>,
    attempts: &Attempts,
    now: Instant,
) -> InMode {
    let limits = |unit| request_limits(now, attempts.deadline(), request.patience, unit);
    let slot = attempts.slot();
    if mode == Mode::ReadWrite {
        match is_readonly_there(node, slot, limits).await {
            Ok(true) => {}
            Ok(false) => {
                let limits = limits(Unit::command(request.form));
                let outcome = node.lane(slot).submit(limits, |out| request.command.encode(out)).await;
                return InMode::Outcome(outcome);
            }
            Err(failure) => return InMode::Outcome(Err(failure)),
        }
    }
    if let Some(refusal) = node.found_out().stays_in_mode() {
        return refused(mode, node, slot, refusal);
    }
    if mode == Mode::ReadOnly && !node.found_out().takes_readwrite() {
        let probe = node.lane(slot).submit(limits(Unit::command(Form::Decoded)), |out| {
            out.extend_from_slice(READWRITE);
        });
        match probe.await.map(|said| said.error()) {
            Ok(Some(refusal)) => return refused(mode, node, slot, refusal),
            Ok(None) => node.found_out().note_readwrite(),
            Err(failure) => return InMode::Outcome(Err(unsent(failure))),
        }
    }
    let (before, after) = mode.around();
    let limits = limits(Unit::commands(3, request.form));
    let encode = |out: &mut BytesMut| {
        out.extend_from_slice(before);
        request.command.encode(out);
        out.extend_from_slice(after);
    };
    let mut replies = match node.lane(slot).submit(limits, encode).await {
        Ok(Received::Replies(replies)) => replies,
        other => return InMode::Outcome(other),
    };
    if let Some(refusal) = replies.received.first().and_then(Received::error) {
        // Whatever the command answered, it was not in the mode that it was to be in.
        return refused(mode, node, slot, refusal);
    }
    if let Some(refusal) = replies.received.get(2).and_then(Received::error) {
        // It was left in the other mode, as by a user who may only say one of the two words since a moment ago.
        node.leave_mode(slot, refusal);
    }
    if replies.received.len() > 1 {
        return InMode::Outcome(Ok(replies.received.swap_remove(1)));
    }
    let is_first = replies.received.len() == 1;
    match replies.cut_short {
        Some(cut_short) => {
            InMode::Outcome(Err(cut_short.failure_of(end_of(before, request.command), is_first)))
        }
        None => unreachable!("a unit has all of its replies, or says why not"),
    }
}

/// The attempt ends with what the node said instead of a mode.
fn refused(mode: Mode, node: &Node, slot: Option<Slot>, refusal: ErrorReply) -> InMode {
    if mode == Mode::ReadOnly && is_lasting(&refusal) && slot.is_some() {
        node.found_out().note_refusal(refusal);
        return InMode::Refused;
    }
    InMode::Outcome(Ok(Received::Reply(Reply::Error(refusal))))
}

/// Whether a refusal of a mode says that it will be refused again: what the user may not do, and what the server does not know.
fn is_lasting(refusal: &ErrorReply) -> bool {
    matches!(refusal.code(), "ERR" | "NOPERM")
}

/// Where the command's last byte is in the unit.
fn end_of(before: &[u8], command: &Command<'_>) -> u64 {
    let mut encoded = BytesMut::new();
    command.encode(&mut encoded);
    (before.len() + encoded.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_asked_for_where_it_is_not_the_connections() {
        use Mode::{ReadOnly, ReadWrite};
        let zone = || ReadFrom::Zone("a".into());
        for (own, is_readonly, may_be_replica, expected) in [
            (ReadFrom::Primary, false, true, None),
            (ReadFrom::Primary, true, true, Some(ReadWrite)),
            (ReadFrom::Primary, true, false, Some(ReadWrite)),
            (ReadFrom::Replica, false, true, Some(ReadOnly)),
            (ReadFrom::Replica, true, true, None),
            (ReadFrom::PreferReplica, false, false, None),
            (ReadFrom::PreferReplica, false, true, Some(ReadOnly)),
            (ReadFrom::Nearest, true, false, None),
            (zone(), false, true, Some(ReadOnly)),
        ] {
            assert_eq!(Mode::of(&own, is_readonly, may_be_replica), expected, "{own:?} {is_readonly}");
        }
    }

    #[test]
    fn a_connection_is_left_as_it_was() {
        assert_eq!(Mode::ReadOnly.around(), (READONLY, READWRITE));
        assert_eq!(Mode::ReadWrite.around(), (READWRITE, READONLY));
        assert_eq!(end_of(READONLY, &crate::cmd("GET").arg("k")), 18 + 20);
    }
}
