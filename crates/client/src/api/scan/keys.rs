//! [`Keys`]: the stream. It does what the [plan](super::plan) says, and decides nothing.
//!
//! All work is done while the stream is polled; no task is spawned. At most two pages of each node that is being scanned are
//! kept: while nobody takes keys, nothing is asked for.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use truename_topology::{Slot, SlotMap};

use super::ask::{Moment, Wanted, advised, page, witness, witness_and_others};
use super::cursor::ScanCursor;
use super::error::{MissingCause, ScanError};
use super::owners::Owners;
use super::page::Page;
use super::pass::{Came, PassId, Request};
use super::plan::{Next, Plan};
use super::slots::SlotSet;
use super::troubles::may_pass;
use super::witness::{Claims, Witness};
use crate::api::client::Client;
use crate::clock;
use crate::error::Error;

/// The keys of a scan, as a [`Stream`]. Made by [`Scan::keys`](super::Scan::keys).
///
/// A key is a view into the buffer that it was read into, which costs nothing; whoever keeps few of many keys should copy
/// them, since each keeps its buffer (64 KiB or more).
///
/// Nothing is asked for while nobody polls, and dropping the stream at any time loses nothing but what it would have
/// returned. See the [example](super::Scan#examples).
#[must_use = "streams do nothing unless they are polled"]
pub struct Keys {
    client: Client,
    wanted: Arc<Wanted>,
    options: u64,
    plan: Plan,
    started: Instant,
    /// The map by which nodes were chosen last.
    owners: Option<(Arc<SlotMap>, Owners)>,
    work: FuturesUnordered<Work>,
    pages: VecDeque<Unread>,
    errors: VecDeque<ScanError>,
    alarm: Option<Instant>,
    /// The cluster was found, so that what its map lacks is missing.
    is_found: bool,
    /// Pages were asked for, and whoever sends the requests had no turn since.
    has_asked: bool,
    /// The cursor that it should have begun at, and which is of another scan.
    refused: Option<ScanCursor>,
}

/// A page that is being handed out.
struct Unread {
    id: PassId,
    came: Came,
    is_last: bool,
    keys: Page,
    /// The slots whose keys are wanted.
    targets: Arc<SlotSet>,
}

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Finds the cluster, if it was not found so far.
fn find(client: Client) -> Work {
    Box::pin(async move { Done::Found(client.router().begin_call(None).await.map(drop)) })
}

/// What has ended.
enum Done {
    /// The cluster was found, which a client that connects when it is first used has to do.
    Found(Result<(), Error>),
    Asked(PassId, Result<Witness, MissingCause>),
    /// And whether a single slot was asked for.
    Page(PassId, bool, Result<(Came, Page), Error>),
    Ended(PassId, Result<(Witness, Vec<Claims>), MissingCause>),
    Awake(Instant),
}

/// Keys may be secrets.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("is_complete", &self.is_complete()).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(
        client: Client,
        wanted: Wanted,
        options: u64,
        from: Option<ScanCursor>,
        (parallelism, patience): (usize, Duration),
    ) -> Self {
        let (from, refused) = match from {
            Some(cursor) if cursor.options != options => (None, Some(cursor)),
            from => (from, None),
        };
        let mut errors = VecDeque::new();
        if refused.is_some() {
            errors.push_back(ScanError::OtherScan);
        }
        let work = FuturesUnordered::new();
        work.push(find(client.clone()));
        Self {
            client,
            wanted: Arc::new(wanted),
            options,
            plan: Plan::new(from.map(|from| from.snapshot), parallelism, patience),
            started: Instant::now(),
            owners: None,
            work,
            pages: VecDeque::new(),
            errors,
            alarm: None,
            is_found: false,
            has_asked: false,
            refused,
        }
    }

    /// Waits for the next key. `None` at the end; [`is_complete`](Self::is_complete) says what that means. See the
    /// [example](super::Scan#examples).
    ///
    /// # Errors
    /// [`ScanError::Missing`] for slots whose keys could not all be returned; then the scan goes on with the others.
    ///
    /// # Cancel safety
    /// Dropping the future loses no key: the next call returns it.
    pub async fn next(&mut self) -> Option<Result<Bytes, ScanError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Whether every key that was there throughout the scan was returned. False until the stream has ended, and after it
    /// if something was reported missing. See the [example](super::Scan#examples).
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_none() && self.pages.is_empty() && self.plan.is_complete()
    }

    /// Where another scan can [go on](super::Scan::resume), in this process or another one: it returns what this one did not,
    /// what is missing, and perhaps some keys again. `None` when nothing is left. Cheap enough for once in a thousand keys,
    /// not for each. See the [example](ScanCursor#examples).
    #[must_use]
    pub fn cursor(&self) -> Option<ScanCursor> {
        if self.refused.is_some() {
            return self.refused.clone();
        }
        let is_left = !self.is_complete();
        is_left.then(|| ScanCursor::new(self.options, self.plan.snapshot()))
    }

    /// Does what can be done without waiting. False if nothing could be.
    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let mut went_on = self.step();
        while let Poll::Ready(Some(done)) = self.work.poll_next_unpin(cx) {
            self.take(done);
            self.step();
            went_on = true;
        }
        went_on
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Starts what the plan wants started.
    fn step(&mut self) -> bool {
        if self.client.router().cluster().is_closed() {
            self.abandon(Error::Closed);
            return true;
        }
        if !self.is_found {
            return false;
        }
        let map = self.client.topology();
        let owners = match &mut self.owners {
            Some((of, owners)) if Arc::ptr_eq(of, &map) => owners,
            stale => &mut stale.insert((map.clone(), Owners::of(&map))).1,
        };
        let step = self.plan.step(owners, self.started.elapsed());
        let went_on = !step.missing.is_empty();
        self.errors.extend(step.missing.into_iter().map(|missing| ScanError::Missing(Box::new(missing))));
        for (id, node) in step.ask {
            let client = self.client.clone();
            self.work.push(Box::pin(async move {
                Done::Asked(id, witness(&client, &node, Moment::Before).await)
            }));
        }
        if let Some(at) = step.look_again.map(|at| self.started + at)
            && self.alarm.is_none_or(|alarm| at < alarm)
        {
            self.alarm = Some(at);
            self.work.push(Box::pin(async move {
                clock::sleep_until(at).await;
                Done::Awake(at)
            }));
        }
        went_on
    }

    fn take(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Found(Err(error)) if error.is_retryable() && now < self.plan.patience() => {
                self.work.push(find(self.client.clone()));
            }
            Done::Found(Err(error)) => self.abandon(error),
            Done::Found(Ok(())) => self.is_found = true,
            Done::Asked(id, said) => {
                self.note(said.as_ref().err());
                let next = self.plan.asked(id, said, now);
                self.go_on(id, next);
            }
            Done::Page(id, is_slot, Ok((came, keys))) => {
                if let Err(error) = self.plan.leads_on(id, &came) {
                    return self.take(Done::Page(id, is_slot, Err(error.into())));
                }
                let Some((targets, is_last)) = self.plan.arrived(id, &came) else { return };
                let targets = targets.clone();
                self.pages.push_back(Unread { id, came, is_last, keys, targets });
                // The server works on the next page while this one is handed out.
                self.go_on(id, Next::Read);
            }
            // By its version the server should have it. Whatever it has against that, there is `SCAN`.
            Done::Page(id, true, Err(error)) if !may_pass(&error) => self.plan.refused_slot(id),
            Done::Page(id, _, Err(error)) => {
                let cause = MissingCause::Failed(advised(error));
                self.note(Some(&cause));
                self.plan.failed(id, cause, now);
            }
            Done::Ended(id, said) => {
                self.note(said.as_ref().err());
                self.plan.ended(id, said, now);
            }
            Done::Awake(at) => {
                if self.alarm == Some(at) {
                    self.alarm = None;
                }
                // What was waited for is told by a newer topology.
                self.refresh();
            }
        }
    }

    /// Ends with all that is left missing.
    fn abandon(&mut self, error: Error) {
        let missing = self.plan.abandon(MissingCause::Failed(error));
        self.errors.extend(missing.map(|missing| ScanError::Missing(Box::new(missing))));
    }

    fn note(&self, cause: Option<&MissingCause>) {
        if cause.is_some() {
            self.refresh();
        }
    }

    fn refresh(&self) {
        self.client.router().cluster().hints.refresh();
    }

    fn go_on(&mut self, id: PassId, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Read => {
                let Some(number) = self.plan.connection(id) else { return };
                let Some((node, request)) = self.plan.read(id) else { return };
                let (client, wanted) = (self.client.clone(), self.wanted.clone());
                self.has_asked = true;
                self.work.push(Box::pin(async move {
                    let is_slot = matches!(request, Request::Slot(..));
                    Done::Page(id, is_slot, page(&client, (&node, number), request, &wanted).await)
                }));
            }
            Next::End => {
                let Some(node) = self.plan.node(id).cloned() else { return };
                let client = self.client.clone();
                self.work
                    .push(Box::pin(async move { Done::Ended(id, witness_and_others(&client, &node).await) }));
            }
        }
    }
}

impl Stream for Keys {
    type Item = Result<Bytes, ScanError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if std::mem::take(&mut this.has_asked) {
                // Servers work while keys are handed out, if the requests are on their way before that.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(page) = this.pages.front_mut() {
                let targets = &page.targets;
                if let Some(key) = page.keys.find(|key| targets.contains(Slot::of_key(key))) {
                    return Poll::Ready(Some(Ok(key)));
                }
                let (id, next) = (page.id, this.plan.delivered(page.id, &page.came, page.is_last));
                this.pages.pop_front();
                this.go_on(id, next);
                this.pump(cx);
                continue;
            }
            if let Some(error) = this.errors.pop_front() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.refused.is_some() || this.plan.is_over() {
                return Poll::Ready(None);
            }
            if !this.pump(cx) {
                return Poll::Pending;
            }
        }
    }
}
