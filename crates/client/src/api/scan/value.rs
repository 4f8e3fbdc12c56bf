//! Reading one hash, set or sorted set, step by step.
//!
//! Its cursors, too, hold for the process that gave them. A value that fits into one reply of the slot's primary needs no
//! cursor, and no question about processes either. For any other, all replies have to come from one process that had the slot
//! all the time: it is asked who it is and what it has before the first one and after the last one, and all of that on one
//! connection to one node, which follows no redirect. If anything is otherwise, all elements are read again.
//!
//! What must stay true: nothing comes from a replica unnoticed. Where the client reads from replicas, every connection takes
//! reads of a replica's slots, so that a primary that became a replica answers as before: what it has is looked at, too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use truename_topology::{Endpoint, Slot};

use super::ask::{Moment, on_one, witness, witness_and_others};
use super::error::MissingCause;
use super::troubles::may_pass;
use super::verdict::kept;
use super::walk::Walk;
use super::witness::Memo;
use crate::api::client::Client;
use crate::clock;
use crate::command::{Command, cmd};
use crate::config::ReadFrom;
use crate::error::{Error, InterruptedError, TypeError};
use crate::from_reply::FromReply;

/// How often all elements are read again, at least, before the patience can be over.
const LEAST_RESTARTS: u32 = 5;
/// The first and the longest pause before that.
const REST: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What is asked for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) command: &'static str,
    pub(super) key: Bytes,
    pub(super) pattern: Option<Bytes>,
    pub(super) count: u32,
}

impl Wanted {
    fn command(&self, cursor: u64) -> Command<'_> {
        let mut scan = cmd(self.command).arg(&self.key[..]).arg(cursor);
        if let Some(pattern) = &self.pattern {
            scan = scan.arg("MATCH").arg(&pattern[..]);
        }
        scan.arg("COUNT").arg(self.count)
    }
}

/// Of what, with what, and how often it came to nothing.
#[derive(Clone)]
pub(super) struct Place {
    client: Client,
    pub(super) wanted: Arc<Wanted>,
    patience: Duration,
    restarts: u32,
    first_restart: Option<Instant>,
}

/// What comes next.
#[derive(Clone)]
pub(super) enum State {
    /// Perhaps all fits into one reply.
    First,
    /// Find the node, and ask who it is.
    Begin,
    Read(Run),
    /// See whether all replies came from one process that had the slot.
    Check(Run),
    /// From the beginning.
    Again(Option<Error>),
    Over,
}

/// A process whose cursors are followed, on one connection.
#[derive(Clone)]
pub(super) struct Run {
    node: Endpoint,
    connection: u64,
    memo: Memo,
    cursor: u64,
    walk: Walk,
}

impl Place {
    pub(super) fn new(client: Client, wanted: Arc<Wanted>, patience: Duration) -> Self {
        Self { client, wanted, patience, restarts: 0, first_restart: None }
    }

    /// Counts an attempt that came to nothing.
    pub(super) fn failed(&mut self, now: Instant) {
        self.restarts += 1;
        self.first_restart.get_or_insert(now);
    }

    fn slot(&self) -> Slot {
        Slot::of_key(&self.wanted.key)
    }

    pub(super) async fn advance<T: FromReply>(self, state: State) -> Result<(Vec<T>, State), Error> {
        match state {
            State::First => self.first().await,
            State::Begin => Ok((Vec::new(), self.begin().await?)),
            State::Read(run) => self.read(run).await,
            State::Check(run) => Ok((Vec::new(), self.check(run).await?)),
            State::Again(error) => Ok((Vec::new(), self.again(error).await?)),
            State::Over => Ok((Vec::new(), State::Over)),
        }
    }

    /// One call for all, if calls go to primaries.
    async fn first<T: FromReply>(&self) -> Result<(Vec<T>, State), Error> {
        if self.client.router().cluster().read_from != ReadFrom::Primary && !self.client.is_single_node() {
            return Ok((Vec::new(), State::Begin));
        }
        match self.client.execute::<(u64, Vec<T>)>(self.wanted.command(0)).await {
            Ok((0, page)) => Ok((page, State::Over)),
            // What it says of the others means nothing to another process.
            Ok(_) => Ok((Vec::new(), State::Begin)),
            Err(error) => Ok((Vec::new(), again(error)?)),
        }
    }

    async fn begin(&self) -> Result<State, Error> {
        let Some(node) = self.client.topology().primary(self.slot()).map(|node| node.endpoint.clone()) else {
            return Ok(State::Again(None));
        };
        let said = match witness(&self.client, &node, Moment::Before).await {
            Ok(said) => said,
            Err(cause) => return self.unknown(cause, &node),
        };
        if !said.claims.own().is_some_and(|own| own.slots.contains(self.slot())) {
            return Ok(self.interrupted(&node, "the node does not have the slot any more"));
        }
        let (connection, memo) = (said.connection, said.memo());
        Ok(State::Read(Run { node, connection, memo, cursor: 0, walk: Walk::new(0) }))
    }

    async fn read<T: FromReply>(&self, mut run: Run) -> Result<(Vec<T>, State), Error> {
        let scan = self.client.execute::<(u64, Vec<T>)>(self.wanted.command(run.cursor).route_to(&run.node));
        match on_one(&self.client, &run.node, run.connection, scan).await {
            Ok((0, page)) => Ok((page, State::Check(run))),
            Ok((cursor, page)) => match run.walk.step(cursor) {
                Ok(()) => Ok((page, State::Read(Run { cursor, ..run }))),
                Err(error) => {
                    let error = Error::from(error);
                    Err(error.in_reply_to(self.wanted.command, Some(&run.node), Some(self.slot())))
                }
            },
            Err(error) => Ok((Vec::new(), again(error)?)),
        }
    }

    async fn check(&self, run: Run) -> Result<State, Error> {
        let (after, others) = match witness_and_others(&self.client, &run.node).await {
            Ok(said) => said,
            Err(cause) => return self.unknown(cause, &run.node),
        };
        Ok(match kept(self.slot(), &run.memo, &after, &others) {
            Ok(()) => State::Over,
            Err(why) => self.interrupted(&run.node, why),
        })
    }

    /// Rests, and begins anew, unless the patience is over.
    async fn again(&self, error: Option<Error>) -> Result<State, Error> {
        let now = Instant::now();
        let is_late = self.first_restart.is_some_and(|first| now >= first + self.patience);
        if let Some(error) = error.filter(|_| is_late && self.restarts >= LEAST_RESTARTS) {
            return Err(error);
        }
        self.client.router().cluster().hints.refresh();
        let rest = REST.1.min(REST.0 * (1 << self.restarts.min(10)));
        clock::sleep_until(now + rest).await;
        // Without an owner, an ordinary call says so.
        let is_owned = self.client.topology().primary(self.slot()).is_some();
        if is_owned {
            return Ok(State::Begin);
        }
        let call = self.client.run(self.wanted.command(0)).await;
        call.map_or_else(again, |()| Ok(State::Begin))
    }

    /// A node did not say who it is, or what it has.
    fn unknown(&self, cause: MissingCause, node: &Endpoint) -> Result<State, Error> {
        match cause {
            MissingCause::Failed(error) => again(error),
            silent => {
                let wanted = "what tells owners apart";
                let error = Error::from(TypeError::new(wanted, "none of it").with_detail(silent.to_string()));
                Err(error.in_reply_to("CLUSTER NODES", Some(node), Some(self.slot())))
            }
        }
    }

    fn interrupted(&self, node: &Endpoint, why: &str) -> State {
        let slot = Some(self.slot());
        let error = InterruptedError::new(node.clone(), slot, why.to_owned(), self.restarts + 1);
        State::Again(Some(Error::Interrupted(Box::new(error))))
    }
}

/// Whether another node, or the same one later, may do better.
fn again(error: Error) -> Result<State, Error> {
    if may_pass(&error) { Ok(State::Again(Some(error))) } else { Err(error) }
}
