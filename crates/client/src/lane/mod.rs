//! A lane: one pipelined connection that many callers share, kept up by a task of its own.
//!
//! | part | what it is |
//! |---|---|
//! | [`handle`], [`submission`] | the callers' side of a pipeline |
//! | [`pipeline`], [`waiter`] | sans-IO: bytes out, replies in, who waits for which |
//! | [`received`], [`failure`] | what is submitted as one, and what comes back for it, or why nothing does |
//! | [`driver`] | the one future that reads and writes the socket |
//! | [`incoming`], [`inbound`] | from the bytes that were read to replies and pushes; the read buffer |
//! | [`push`] | where pushes go |
//! | [`coalesce`] | when the driver writes: whom it waits for |
//! | [`look`] | whether the socket holds something, or its end, that nobody has been told of |
//! | [`wake`] | callers to be woken once no lock is held |
//! | [`alarm`] | the one timer of a lane |
//! | [`inquiry`] | whether a node that is silent on a lane answers on another connection |
//! | [`watch`], [`overdue`] | deadlines while nothing drives the lane's runtime |
//! | [`task`] | a lane's life: connect, drive, back off, again |
//! | [`backoff`], [`closed`] | how long to wait before trying again; why there is no connection |
//! | [`fence`] | makes sure that a connection that was given up executes nothing any more |
//!
//! Invariants: byte order is reply order; a reply goes to the oldest outstanding command, once; a command that a
//! connection took with it fails exactly once, with what is known about its fate.

mod alarm;
mod backoff;
mod closed;
mod coalesce;
mod driver;
#[cfg(test)]
mod driver_tests;
mod failure;
mod fence;
mod handle;
mod inbound;
mod incoming;
#[cfg(test)]
mod incoming_tests;
mod inquiry;
mod look;
#[cfg(test)]
mod look_tests;
#[cfg(test)]
mod once_tests;
mod overdue;
mod pipeline;
#[cfg(test)]
mod pipeline_model_tests;
#[cfg(test)]
mod pipeline_tests;
mod push;
mod received;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod silence_tests;
mod submission;
mod task;
#[cfg(test)]
mod trust_tests;
mod waiter;
mod wake;
mod watch;
#[cfg(test)]
mod write_tests;

pub(crate) use backoff::Backoff;
pub(crate) use closed::CloseCause;
pub(crate) use failure::Failure;
pub(crate) use handle::{Lane, LanePhase};
pub(crate) use pipeline::{Habit, PipelineBounds};
pub(crate) use push::LogPushes;
#[cfg(test)]
pub(crate) use received::Replies;
pub(crate) use received::{CutShort, Form, Received, Unit};
pub(crate) use submission::{Detached, Leaves, Submission, request_limits};
pub(crate) use task::{BACKOFF as RECONNECT, STABLE_AFTER};
pub(crate) use task::{LaneContext, LaneObserver, LaneOptions, spawn_connection, spawn_lane};
pub(crate) use waiter::RequestLimits;
