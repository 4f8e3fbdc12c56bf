//! The trail of one command: how often it was tried, how much time is left, and what the last attempt met.
//!
//! Invariant: once an attempt may have been executed, no error of a later one says that the command was not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truename_resp::ErrorReply;
use truename_topology::{Endpoint, Redirect, Slot};

use crate::clock;
use crate::cluster::Node;
use crate::command::Route;
use crate::error::{
    Error, Execution, InterruptedError, ProtocolError, Refusal, Remedy, RouteError, ServerError, TimeoutError,
};
use crate::lane::{Backoff, CloseCause};

/// Redirects in a row before the route is reconsidered.
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
    /// Where the command goes, as far as is known by now.
    pub(super) route: Route,
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
    /// What a node said last instead of executing the command.
    refusal: Option<Refusal>,
    /// An attempt may have been executed.
    unknown: Option<Unknown>,
    /// A node refused the command for now.
    was_refused: bool,
    /// It was lost on a connection that some command may have brought down.
    was_bystander: bool,
    times_oldest: u32,
    /// Nodes that answered a compound command with the text of a redirect.
    doubted: Vec<Endpoint>,
}

/// An attempt whose fate is unknown.
#[derive(Debug)]
struct Unknown {
    /// The node that it went to.
    node: Endpoint,
    /// Why it is unknown.
    why: String,
    /// What would help.
    remedy: Option<Remedy>,
    /// The node's words, if they are the command's result unless it is executed after all.
    said: Option<ErrorReply>,
}

/// What the last attempt met.
#[derive(Debug)]
enum Last {
    Closed(Arc<CloseCause>),
    Refused(Refused),
}

/// Why a node did not execute the command, and what would help.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) text: String,
    pub(super) remedy: Option<Remedy>,
    /// What it said, if that was it.
    pub(super) said: Option<ErrorReply>,
}

impl From<&str> for Refused {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), remedy: None, said: None }
    }
}

impl From<ErrorReply> for Refused {
    fn from(said: ErrorReply) -> Self {
        Self { said: Some(said.clone()), ..said.message().into() }
    }
}

impl From<&Redirect> for Refused {
    fn from(redirect: &Redirect) -> Self {
        ErrorReply::new(redirect.to_string()).into()
    }
}

impl Attempts {
    pub(super) fn new(started: Instant, timeout: Duration, route: Route) -> Self {
        Self { started, timeout, count: 0, route, trail: None }
    }

    fn trail(&mut self) -> &mut Trail {
        self.trail.get_or_insert_with(|| {
            Box::new(Trail {
                redirects: 0,
                redirects_in_a_row: 0,
                backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
                node: None,
                last: None,
                refusal: None,
                unknown: None,
                was_refused: false,
                was_bystander: false,
                times_oldest: 0,
                doubted: Vec::new(),
            })
        })
    }

    /// The slot that decides where the command goes, if one does.
    #[inline]
    pub(super) fn slot(&self) -> Option<Slot> {
        self.route.slot()
    }

    /// How long all attempts may take together.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn deadline(&self) -> Instant {
        self.started + self.timeout
    }

    /// Notes the start of an attempt and returns its time. A command of a batch may have waited for its turn.
    pub(super) fn begin(&mut self) -> Instant {
        self.count += 1;
        Instant::now()
    }

    /// Its time begins now: it had to wait for its turn.
    pub(super) fn begin_turn(&mut self) {
        self.started = Instant::now();
    }

    /// A node refused the command, or sent it elsewhere.
    pub(super) fn note_refused(&mut self, node: &Node, refused: impl Into<Refused>) {
        let (trail, refused) = (self.trail(), refused.into());
        trail.node = Some(node.endpoint().clone());
        if let Some(said) = &refused.said {
            trail.refusal = Some(Refusal::new(said.clone(), node.endpoint().clone()));
        }
        trail.last = Some(Last::Refused(refused));
        trail.was_refused = true;
    }

    /// A node's connection ended. `is_lost`: the command was on it, and its fate is unknown.
    pub(super) fn note_closed(&mut self, node: &Node, cause: &Arc<CloseCause>, is_lost: bool) {
        let trail = self.trail();
        trail.node = Some(node.endpoint().clone());
        trail.last = Some(Last::Closed(cause.clone()));
        if is_lost {
            trail.was_bystander |= cause.may_be_a_commands_doing();
            let node = node.endpoint().clone();
            trail.unknown = Some(Unknown { node, why: cause.no_reply(), remedy: cause.remedy(), said: None });
        }
    }

    /// It was the oldest command on a connection that ended.
    pub(super) fn note_oldest(&mut self) {
        self.trail().times_oldest += 1;
    }

    /// How often it was the oldest command on a connection that ended.
    pub(super) fn times_oldest(&self) -> u32 {
        self.trail.as_ref().map_or(0, |trail| trail.times_oldest)
    }

    /// A node answered a compound command with what may be a refusal, after executing it or not. It is the result if no attempt
    /// has another one.
    pub(super) fn note_unproved(&mut self, node: &Node, error: &ErrorReply) {
        self.note_words(node, error, Some(error.clone()));
    }

    fn note_words(&mut self, node: &Node, error: &ErrorReply, said: Option<ErrorReply>) {
        let trail = self.trail();
        trail.node = Some(node.endpoint().clone());
        trail.last = Some(Last::Refused(error.message().into()));
        let why = format!("the script or module itself may have returned the error: {}", error.message());
        trail.unknown = Some(Unknown { node: node.endpoint().clone(), why, remedy: None, said });
    }

    /// A node answered it with the text of a redirect, after executing it or not. False if the node said so before.
    pub(super) fn note_doubt(&mut self, node: &Node, error: &ErrorReply) -> bool {
        self.note_words(node, error, None);
        let trail = self.trail();
        let is_first = !trail.doubted.contains(node.endpoint());
        if is_first {
            trail.doubted.push(node.endpoint().clone());
        }
        is_first
    }

    /// The command's time is over while this node had it, or before it could have it.
    pub(super) fn note_node(&mut self, node: &Node) {
        self.trail().node = Some(node.endpoint().clone());
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
    pub(super) fn admit(&self, error: Error) -> Error {
        match self.trail.as_ref().and_then(|trail| trail.unknown.as_ref()) {
            Some(Unknown { node, said: Some(said), .. }) if !error.may_have_executed() => {
                self.answer_of(said.clone(), Execution::Possible, node)
            }
            Some(Unknown { node, why, remedy, .. }) if !error.may_have_executed() => {
                let interrupted = InterruptedError::new(node.clone(), self.slot(), why.clone(), self.count);
                let interrupted = interrupted.with_remedy(remedy.clone());
                Error::Interrupted(Box::new(interrupted.followed_by(error.in_brief())))
            }
            _ => error,
        }
    }

    /// The error reply as the caller gets it.
    pub(super) fn answer(&self, reply: ErrorReply, execution: Execution, node: &Node) -> Error {
        self.answer_of(reply, execution, node.endpoint())
    }

    fn answer_of(&self, reply: ErrorReply, execution: Execution, node: &Endpoint) -> Error {
        Error::Server(Box::new(ServerError {
            reply,
            node: node.clone(),
            slot: self.slot(),
            attempts: self.count,
            execution,
            remedy: None,
        }))
    }

    /// Counts a redirect. True when it is time to reconsider the route.
    pub(super) fn redirect(&mut self) -> Result<bool, Error> {
        let slot = self.slot();
        let trail = self.trail();
        trail.redirects += 1;
        trail.redirects_in_a_row += 1;
        if trail.redirects > REDIRECTS {
            let (redirects, last) = (trail.redirects, trail.refusal.clone());
            return Err(Error::Route(Box::new(RouteError::TooManyRedirects { slot, redirects, last })));
        }
        Ok(trail.redirects_in_a_row > REDIRECTS_IN_A_ROW)
    }

    /// Waits a little, or fails when there is no time left to wait.
    pub(super) async fn back_off(&mut self) -> Result<(), Error> {
        let trail = self.trail();
        trail.redirects_in_a_row = 0;
        let until = Instant::now() + trail.backoff.next_delay();
        if until >= self.deadline() {
            clock::sleep_until(self.deadline()).await;
            return Err(self.timed_out(false));
        }
        clock::sleep_until(until).await;
        Ok(())
    }

    /// Waits before a command that a lane gave back is sent again, unless it was only routed too early.
    pub(super) async fn pause_before_resend(&mut self, cause: &CloseCause) -> Result<(), Error> {
        if matches!(cause, CloseCause::Recalled) {
            return Ok(());
        }
        // A certificate or password that is wrong now will be wrong in a moment: say so at once.
        if !cause.is_transient() && self.count > 1 {
            return Err(self.timed_out(false));
        }
        self.back_off().await
    }

    pub(super) fn interrupted(&self, cause: &CloseCause, node: &Node) -> Error {
        let node = node.endpoint().clone();
        let remedy = cause.remedy();
        match cause {
            CloseCause::Protocol(what) | CloseCause::ReplyTooLarge(what) => {
                Error::Protocol(Box::new(ProtocolError { what: what.clone(), node, remedy }))
            }
            cause => {
                let interrupted = InterruptedError::new(node, self.slot(), cause.no_reply(), self.count);
                Error::Interrupted(Box::new(interrupted.with_remedy(remedy)))
            }
        }
    }

    /// Time is up: says what stood in the way.
    pub(super) fn timed_out(&self, submitted: bool) -> Error {
        let trail = self.trail.as_deref();
        let (last_cause, remedy) = match trail.and_then(|trail| trail.last.as_ref()) {
            Some(Last::Closed(cause)) => match &**cause {
                CloseCause::Connect(failures) if !submitted => {
                    return Error::connect(failures.clone(), self.started.elapsed());
                }
                cause => (Some(cause.to_string()), cause.remedy()),
            },
            Some(Last::Refused(Refused { text, remedy, .. })) => (Some(text.clone()), remedy.clone()),
            None => (None, None),
        };
        Error::Timeout(Box::new(TimeoutError {
            after: self.timeout,
            execution: match submitted {
                true => Execution::Possible,
                false if self.was_refused() => Execution::RefusedForNow,
                false => Execution::NotSent,
            },
            node: trail.and_then(|trail| trail.node.clone()),
            slot: self.slot(),
            attempts: self.count,
            last_cause,
            last_refusal: trail.and_then(|trail| trail.refusal.clone()),
            remedy,
        }))
    }
}
