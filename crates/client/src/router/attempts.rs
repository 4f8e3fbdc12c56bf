//! The trail of one command: how often it was tried, how much time is left, and what the last attempt met.
//!
//! Invariant: once an attempt may have been executed, no error of a later one says that the command was not.

use std::time::Duration;

use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use crate::clock;
use crate::cluster::Node;
use crate::connection::{Backoff, CloseCause, Failure};
use crate::error::{Error, InterruptedError, ProtocolError, RouteError, ServerError, TimeoutError};

/// Redirects in a row before the route is thought over.
const REDIRECTS_IN_A_ROW: u32 = 5;
/// Redirects of one command before it is given up.
const REDIRECTS: u32 = 25;
/// The first and the longest pause before a refused command is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(8), Duration::from_millis(250));

#[derive(Debug)]
pub(super) struct Attempts {
    started: Instant,
    timeout: Duration,
    count: u32,
    /// Made when an attempt was not the last one: most calls never need it, and calls in flight should be small.
    trail: Option<Box<Trail>>,
}

/// What is known after the first attempt that was not the last one.
#[derive(Debug)]
struct Trail {
    redirects: u32,
    redirects_in_a_row: u32,
    backoff: Backoff,
    node: Option<Endpoint>,
    last: Option<Last>,
    /// An attempt may have been executed: whom it went to, and why no reply came.
    lost: Option<(Endpoint, std::sync::Arc<CloseCause>)>,
    /// A node refused the command for now.
    was_refused: bool,
    /// It was lost on a connection that some command may have brought down.
    was_bystander: bool,
}

/// What the last attempt met.
#[derive(Debug)]
enum Last {
    Closed(std::sync::Arc<CloseCause>),
    Refused(String),
}

impl Attempts {
    pub(super) fn new(started: Instant, timeout: Duration) -> Self {
        Self { started, timeout, count: 0, trail: None }
    }

    fn trail(&mut self) -> &mut Trail {
        self.trail.get_or_insert_with(|| {
            Box::new(Trail {
                redirects: 0,
                redirects_in_a_row: 0,
                backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
                node: None,
                last: None,
                lost: None,
                was_refused: false,
                was_bystander: false,
            })
        })
    }

    pub(super) fn deadline(&self) -> Instant {
        self.started + self.timeout
    }

    /// Notes the start of an attempt and gives its time: the first one starts with the command.
    pub(super) fn begin(&mut self) -> Instant {
        self.count += 1;
        if self.count == 1 { self.started } else { Instant::now() }
    }

    /// Notes where an attempt went that was not the last one, and what it met.
    pub(super) fn note(&mut self, node: &Node, outcome: &Result<Reply, Failure>) {
        let trail = self.trail();
        trail.node = Some(node.endpoint().clone());
        match outcome {
            Ok(reply) => {
                trail.last = reply.as_error().map(|error| Last::Refused(error.message().to_owned()));
                trail.was_refused = true;
            }
            Err(Failure::Unsent(cause)) => trail.last = Some(Last::Closed(cause.clone())),
            Err(Failure::Lost(cause) | Failure::LostAtHead(cause)) => {
                trail.was_bystander |= cause.may_be_a_commands_doing();
                trail.last = Some(Last::Closed(cause.clone()));
                trail.lost = Some((node.endpoint().clone(), cause.clone()));
            }
            Err(Failure::TimedOut { .. }) => {}
        }
    }

    /// Whether a node answered with a refusal or a redirect.
    pub(super) fn was_refused(&self) -> bool {
        self.trail.as_ref().is_some_and(|trail| trail.was_refused)
    }

    /// Whether it was lost on a connection that some command may have brought down.
    pub(super) fn was_bystander(&self) -> bool {
        self.trail.as_ref().is_some_and(|trail| trail.was_bystander)
    }

    /// The error as the caller gets it: none may deny what an earlier attempt may have done.
    pub(super) fn admit(&self, error: Error, slot: Option<Slot>) -> Error {
        match self.trail.as_ref().and_then(|trail| trail.lost.as_ref()) {
            Some((node, cause)) if !error.may_have_executed() => {
                let interrupted = InterruptedError::new(node.clone(), slot, cause, self.count);
                Error::Interrupted(Box::new(interrupted.followed_by(&error)))
            }
            _ => error,
        }
    }

    /// The answer as the caller gets it.
    #[inline]
    pub(super) fn answer(
        &self,
        outcome: Result<Reply, Failure>,
        node: &Node,
        slot: Option<Slot>,
    ) -> Result<Reply, Error> {
        match outcome {
            Ok(reply) if reply.as_error().is_none() => Ok(reply),
            outcome => Err(self.admit(self.refusal(outcome, node, slot), slot)),
        }
    }

    #[cold]
    fn refusal(&self, outcome: Result<Reply, Failure>, node: &Node, slot: Option<Slot>) -> Error {
        match outcome.as_ref().ok().and_then(Reply::as_error) {
            Some(error) => Error::Server(Box::new(ServerError {
                reply: error.clone(),
                node: node.endpoint().clone(),
                slot,
                attempts: self.count,
            })),
            None => self.timed_out(&outcome, slot),
        }
    }

    /// Counts a redirect. True when it is time to think the route over.
    pub(super) fn redirect(&mut self, slot: Option<Slot>) -> Result<bool, Error> {
        let trail = self.trail();
        trail.redirects += 1;
        trail.redirects_in_a_row += 1;
        if trail.redirects > REDIRECTS {
            let redirects = trail.redirects;
            return Err(Error::Route(Box::new(RouteError::TooManyRedirects { slot, redirects })));
        }
        Ok(trail.redirects_in_a_row > REDIRECTS_IN_A_ROW)
    }

    /// Waits a little, or fails when there is no time left to wait.
    pub(super) async fn back_off(&mut self, slot: Option<Slot>) -> Result<(), Error> {
        let trail = self.trail();
        trail.redirects_in_a_row = 0;
        let until = Instant::now() + trail.backoff.next_delay();
        if until >= self.deadline() {
            clock::sleep_until(self.deadline()).await;
            return Err(self.timed_out(&Err(Failure::TimedOut { submitted: false }), slot));
        }
        clock::sleep_until(until).await;
        Ok(())
    }

    /// Waits before a command is sent again that a lane gave back, unless it was only routed too early.
    pub(super) async fn pause_before_resend(
        &mut self,
        outcome: &Result<Reply, Failure>,
        slot: Option<Slot>,
    ) -> Result<(), Error> {
        if let Err(Failure::Unsent(cause) | Failure::Lost(cause)) = outcome {
            if matches!(**cause, CloseCause::Recalled) {
                return Ok(());
            }
            // A certificate or password that is wrong now will be wrong in a moment: say so at once.
            if !cause.is_transient() && self.count > 1 {
                return Err(self.timed_out(&Err(Failure::TimedOut { submitted: false }), slot));
            }
        }
        self.back_off(slot).await
    }

    pub(super) fn interrupted(&self, outcome: &Result<Reply, Failure>, slot: Option<Slot>) -> Error {
        let node = self.node();
        match outcome {
            Err(Failure::Lost(cause) | Failure::LostAtHead(cause) | Failure::Unsent(cause)) => match &**cause
            {
                CloseCause::Protocol(what) => {
                    Error::Protocol(Box::new(ProtocolError { what: what.clone(), node }))
                }
                cause => Error::Interrupted(Box::new(InterruptedError::new(node, slot, cause, self.count))),
            },
            _ => self.timed_out(outcome, slot),
        }
    }

    /// Time is up: says what stood in the way.
    pub(super) fn timed_out(&self, outcome: &Result<Reply, Failure>, slot: Option<Slot>) -> Error {
        let submitted = matches!(outcome, Err(Failure::TimedOut { submitted: true }));
        let trail = self.trail.as_deref();
        let last_cause = match trail.and_then(|trail| trail.last.as_ref()) {
            Some(Last::Closed(cause)) => match &**cause {
                CloseCause::Connect(failures) if !submitted => {
                    return Error::connect(failures.clone(), self.started.elapsed());
                }
                cause => Some(cause.to_string()),
            },
            Some(Last::Refused(text)) => Some(text.clone()),
            None => None,
        };
        Error::Timeout(Box::new(TimeoutError {
            after: self.timeout,
            submitted,
            node: trail.and_then(|trail| trail.node.clone()),
            slot,
            attempts: self.count,
            last_cause,
        }))
    }

    /// The node of the latest attempt.
    pub(super) fn node(&self) -> Endpoint {
        let node = self.trail.as_ref().and_then(|trail| trail.node.clone());
        node.unwrap_or_else(|| Endpoint::new("?", 0))
    }
}
