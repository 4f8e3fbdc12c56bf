//! When calls are taken: not before the cluster is found, and not once the client ends, which waits for those under way.
//!
//! A call that goes well is known by its node and its lane, and costs nothing more; what takes longer, such as a call that is
//! sent again, a batch or a connection that somebody holds, is counted here.
//!
//! What must stay true: a call that is under way is seen here or at a lane at any time.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::Cluster;
use super::count::Counted;
use crate::clock;
use crate::error::{Error, Execution, TimeoutError};

/// The shortest and the longest pause between looks.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

impl Cluster {
    /// A call begins, unless no more calls are taken. It is under way until what this returns is dropped.
    pub(crate) fn begin(&self) -> Result<Counted, Error> {
        // In this order: who does not see that the client ends is seen by it.
        let counted = self.go_on();
        if self.store.is_ending() { Err(Error::Closed) } else { Ok(counted) }
    }

    /// A call that has begun takes longer. It is under way until what this returns is dropped.
    pub(crate) fn go_on(&self) -> Counted {
        self.calls.one()
    }

    /// Takes no more calls, waits for those under way, no longer than `limit`, and closes. True if all of them had ended.
    pub(crate) async fn shut_down(&self, limit: Duration) -> bool {
        self.store.end();
        let deadline = Instant::now() + limit;
        let (mut pause, mut was_drained) = (LOOK_AGAIN.0, false);
        let is_drained = loop {
            // A call that began at the same time gets that long to be seen.
            clock::sleep_until((Instant::now() + pause).min(deadline)).await;
            let is_drained = self.is_drained();
            // Twice: a call that has left its lane may be about to be counted.
            if (is_drained && was_drained) || Instant::now() >= deadline {
                break is_drained;
            }
            pause = if is_drained { LOOK_AGAIN.0 } else { (pause * 2).min(LOOK_AGAIN.1) };
            was_drained = is_drained;
        };
        self.close();
        is_drained
    }

    fn is_drained(&self) -> bool {
        let topology = self.store.load_full();
        // Lanes first: a call that leaves its lane and goes on is counted from then on. A node that is in no topology any more
        // is kept by its calls.
        topology.all_nodes().all(|node| node.is_idle())
            && self.factory.nodes.now() == topology.all_nodes().count()
            && self.calls.now() == 0
    }

    /// Waits until the cluster is found, no later than `deadline`; then says what stood in the way.
    pub(crate) async fn found(&self, started: Instant, deadline: Instant) -> Result<(), Error> {
        if self.outset.is_over() {
            return Ok(());
        }
        let (found, closed) = (pin!(self.outset.wait()), pin!(self.closed()));
        let found = select(found, closed);
        match clock::timeout_at(deadline, found).await {
            Some(Either::Left(_)) => Ok(()),
            Some(Either::Right(_)) => Err(Error::Closed),
            None => Err(self.not_found(started, deadline)),
        }
    }

    fn not_found(&self, started: Instant, deadline: Instant) -> Error {
        let failures = self.outset.failures();
        if !failures.is_empty() {
            return Error::connect(Vec::clone(&failures), started.elapsed());
        }
        Error::Timeout(Box::new(TimeoutError {
            after: deadline.saturating_duration_since(started),
            execution: Execution::NotSent,
            node: None,
            slot: None,
            attempts: 0,
            last_cause: Some("no seed has answered yet".to_owned()),
            last_refusal: None,
            remedy: None,
        }))
    }
}
