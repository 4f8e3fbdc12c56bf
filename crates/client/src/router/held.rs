//! A connection that one caller holds: to the primary of a slot, apart from those that all callers share.
//!
//! What must stay true: what is sent on it is sent once, goes nowhere else, and follows no redirect: the state that its
//! commands depend on is the connection's. It is not made again when it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truename_resp::ErrorReply;
use truename_topology::{Endpoint, Slot};

use super::attempts::Attempts;
use super::blocking::{first_of, no_room};
use super::for_replicas::refuse_replica;
use super::judge::{RetryTraits, Setback, Verdict, is_refusal, judge};
use super::orphans::{Settling, Wait, Waiting, WaitsFor, reply_deadline};
use super::request::{blocking_time, is_compound, nameless, names_script};
use super::state::Router;
use super::submit::submit;
use crate::clock;
use crate::cluster::{Counted, ExclusiveLane, ExclusiveRefusal, Node};
use crate::command::{Affinity, Arguments, Command, Route, Spec, names_several_keys};
use crate::error::{Error, Execution, RouteError};
use crate::lane::{CloseCause, Failure, Form, LanePhase, Received, Unit, request_limits};

/// A connection to the primary of a slot that nobody else uses. It is closed when this is dropped.
pub(crate) struct Held {
    pub(super) lane: Arc<ExclusiveLane>,
    pub(super) node: Arc<Node>,
    pub(super) slot: Slot,
    settling: Settling,
    /// It counts as a call under way.
    pub(super) _under_way: Counted,
}

impl Held {
    pub(crate) fn node(&self) -> &Endpoint {
        self.node.endpoint()
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// Waits until it is known what became of waits whose callers are gone, no later than `until`.
    async fn is_settled(&self, until: Instant) -> bool {
        self.settling.try_lock().is_ok() || clock::timeout_at(until, self.settling.lock()).await.is_some()
    }

    /// Whether it is connected.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.lane.phase(), LanePhase::Open)
    }
}

impl Router {
    /// A connection to the primary of a slot, within the time of an ordinary command.
    pub(crate) async fn dedicate(&self, slot: Slot) -> Result<Held, Error> {
        let started = Instant::now();
        let _under_way = self.begin_call(None).await?;
        let (timeout, _) = self.times(None, None);
        self.hold(slot, &mut Attempts::new(started, timeout, Route::Slot(slot)), timeout).await
    }

    /// A connection to the primary of a slot. Waits for an owner of the slot, for room (each time no longer than
    /// `room_within`) and for the connection, and tries again until the deadline. Cancel safe.
    pub(super) async fn hold(
        &self,
        slot: Slot,
        attempts: &mut Attempts,
        room_within: Duration,
    ) -> Result<Held, Error> {
        loop {
            let node = self.owner(slot, attempts).await?;
            attempts.begin();
            let until = attempts.deadline();
            let lost = pin!(self.cluster.loses(&node, Some(slot)));
            let connecting = async {
                let lane = node.exclusive(until.min(Instant::now() + room_within)).await?;
                lane.warm_up();
                let phase = clock::timeout_at(until, lane.settled()).await;
                Ok((lane, phase))
            };
            let cause = match first_of(connecting, lost).await {
                Some(Ok((lane, Some(LanePhase::Open)))) => {
                    let (lane, _under_way) = (Arc::new(lane), self.cluster.go_on());
                    return Ok(Held { lane, node, slot, settling: Settling::default(), _under_way });
                }
                Some(Ok((_, Some(LanePhase::Down(cause))))) | Some(Err(ExclusiveRefusal::Down(cause))) => {
                    cause
                }
                Some(Ok((_, Some(_)))) | None => Arc::new(CloseCause::Recalled),
                Some(Ok((_, None))) => {
                    attempts.note_node(&node);
                    return Err(attempts.timed_out(false));
                }
                Some(Err(ExclusiveRefusal::Full { limit })) => return Err(no_room(&node, limit)),
            };
            self.cluster.hints.refresh();
            attempts.note_closed(&node, &cause, false);
            match *cause {
                CloseCause::Recalled => attempts.back_off().await?,
                _ => attempts.pause_before_resend(&cause).await?,
            }
        }
    }

    /// The primary of a slot; waits while there is none.
    pub(super) async fn owner(&self, slot: Slot, attempts: &mut Attempts) -> Result<Arc<Node>, Error> {
        loop {
            if self.cluster.is_closed() {
                return Err(Error::Closed);
            }
            if let Some(node) = self.cluster.topology().primary(slot) {
                return Ok(node.clone());
            }
            if self.cluster.topology().nodes().is_empty() {
                return Err(Error::Route(Box::new(RouteError::NoNodes)));
            }
            self.cluster.hints.refresh();
            let waited = attempts.back_off().await;
            waited.map_err(|_| Error::Route(Box::new(RouteError::Unassigned { slot })))?;
        }
    }

    /// Runs a command on a connection that its caller holds.
    pub(crate) async fn execute_on(&self, held: &Held, command: &Command<'_>) -> Result<Received, Error> {
        self.attempt_on(held, command, None).await.map_err(|no_value| no_value.error)
    }

    /// The same, with what follows for the connection; ends no later than `until`.
    pub(super) async fn attempt_on(
        &self,
        held: &Held,
        command: &Command<'_>,
        until: Option<Instant>,
    ) -> Result<Received, NoValue> {
        let spec = command.spec();
        admit(command, spec)?;
        if self.cluster.is_closed() {
            return Err(Error::Closed.into());
        }
        let blocks = blocking_time(command, spec);
        let (timeout, patience) = self.times(command.own_timeout(), blocks);
        let started = Instant::now();
        let left = until.map_or(timeout, |until| timeout.min(until.saturating_duration_since(started)));
        let mut attempts = Attempts::new(started, left, Route::Slot(held.slot));
        let now = attempts.begin();
        let until = attempts.deadline();
        let limits = |deadline| request_limits(now, deadline, patience, Unit::command(Form::Decoded));
        let outcome = if !held.is_settled(until).await {
            Err(Failure::TimedOut { submitted: false })
        } else if blocks.is_some() {
            let Held { lane, node, slot, settling, .. } = held;
            let (cluster, slot) = (&self.cluster, Some(*slot));
            let waits_for = WaitsFor::the(command, spec);
            let waiting = Waiting { cluster, node, lane, slot, waits_for, settling: Some(settling) };
            let limits = limits(reply_deadline(until, blocks, cluster.timing.stall));
            let mut wait = pin!(Wait::new(submit(lane, command, false, limits), waiting));
            match clock::timeout_at(until, wait.as_mut()).await {
                Some(outcome) => outcome,
                None => wait.timed_out(),
            }
        } else {
            submit(&held.lane, command, false, limits(until)).await
        };
        Setback::or_value(outcome).map_err(|setback| {
            let is_of_connection = match &setback {
                Setback::Error(error) => !is_compound(spec) && is_refusal(error.code()),
                Setback::Failure(failure) => !matches!(failure, Failure::TimedOut { .. }),
            };
            if is_of_connection {
                self.cluster.hints.refresh();
            }
            let of_connection = is_of_connection.then(|| setback.clone());
            NoValue { error: explain(setback, held, command, spec, &mut attempts), setback: of_connection }
        })
    }
}

/// Why a command on a held connection has no value.
pub(super) struct NoValue {
    pub(super) error: Error,
    /// What shows that the connection is no use any more: it ended, or its node does not serve the slot.
    pub(super) setback: Option<Setback>,
}

impl From<Error> for NoValue {
    fn from(error: Error) -> Self {
        Self { error, setback: None }
    }
}

/// Refuses what is not answered by one reply: the replies after it would belong to other commands.
fn admit(command: &Command<'_>, spec: Option<&Spec>) -> Result<(), Error> {
    if command.at(0).is_none_or(<[u8]>::is_empty) {
        return Err(nameless());
    }
    refuse_replica(command, "this connection leads to the primary")?;
    match spec.map(|spec| (spec.name, spec.affinity(command))) {
        Some((name, Affinity::Subscription | Affinity::Stream | Affinity::Replies | Affinity::Debugger)) => {
            Err(Error::Route(Box::new(RouteError::NotOneReply { command: name.to_owned() })))
        }
        _ => Ok(()),
    }
}

/// Why there is no value, and what that proves.
pub(super) fn explain(
    setback: Setback,
    held: &Held,
    command: &Command<'_>,
    spec: Option<&Spec>,
    attempts: &mut Attempts,
) -> Error {
    let traits = RetryTraits {
        compound: is_compound(spec),
        names_script: names_script(spec),
        has_several_keys: spec.is_some_and(|spec| names_several_keys(spec, command)),
        is_for_one_node: true,
        ..RetryTraits::once(spec.and_then(|spec| command.own_slot(spec)))
    };
    let node = &held.node;
    let answer = |attempts: &Attempts, error, execution| attempts.answer(error, execution, node);
    match judge(setback, traits, node.endpoint()) {
        Verdict::Answer { error, .. } if is_exec(spec) => answer(attempts, error, Execution::Refused),
        Verdict::Answer { error, execution } => answer(attempts, error, execution),
        Verdict::Wait(error) | Verdict::Reconnect(error) => answer(attempts, error, Execution::RefusedForNow),
        Verdict::Retry(error) | Verdict::Doubt { error, .. } => answer(attempts, error, Execution::Possible),
        // Not for a command that goes to one node and no other.
        Verdict::Moved(redirect) | Verdict::Ask(redirect) => {
            answer(attempts, ErrorReply::new(redirect.to_string()), Execution::RefusedForNow)
        }
        Verdict::Resend { cause, .. } => ended(node, &cause),
        Verdict::Interrupted(cause) => attempts.interrupted(&cause, node),
        Verdict::TimedOut { submitted } => {
            attempts.note_node(node);
            attempts.timed_out(submitted)
        }
    }
}

/// An error in place of `EXEC`'s array means that none of the queued commands was executed.
fn is_exec(spec: Option<&Spec>) -> bool {
    spec.is_some_and(|spec| spec.name == "EXEC")
}

/// The connection had ended.
fn ended(node: &Node, cause: &CloseCause) -> Error {
    let cause = match cause {
        // Its holder has it still: nothing else ends it like this.
        CloseCause::Retired => "its time was over, or a wait on it could not be ended".to_owned(),
        cause => cause.to_string(),
    };
    let node = node.endpoint().clone();
    Error::Route(Box::new(RouteError::ConnectionEnded { node, cause }))
}
