//! A lane's life: connect, drive the connection until it ends, back off, connect again. Or once only, for a connection
//! whose user must know when it is gone ([`spawn_connection`]).
//!
//! Trouble of one lane stays here: its task waits for no other, and no other waits for it. A panic ends a connection
//! and not the task. However the task ends, even with its runtime, every caller waiting for a reply gets an error.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::time::Instant;
use truename_resp::Limits;

use super::alarm::Alarm;
use super::backoff::Backoff;
use super::closed::CloseCause;
use super::driver::{Driver, DriverOptions};
use super::fence::Fence;
use super::handle::{Lane, LanePhase, Shared};
use super::inquiry::Inquirer;
use super::pipeline::{Habit, PipelineBounds};
use super::push::PushSink;
use crate::connect::{Connected, ConnectionFacts, Connector, Explain, KnownNode, Target};
use crate::error::NodeFailure;
use crate::observe::NodeMeter;
use crate::panics;

/// The first and the longest pause between attempts to reconnect.
pub(crate) const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A connection that lived this long starts its backoff over.
pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(1);
/// How long a polite goodbye may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// What a lane needs to know besides its node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneOptions {
    pub(crate) bounds: PipelineBounds,
    pub(crate) driver: DriverOptions,
    /// Whether its node is to be read from while it is a replica, if the client does that at all.
    is_for_reads: bool,
}

impl LaneOptions {
    pub(crate) fn new(bounds: PipelineBounds, keepalive: Duration, habit: Habit, limits: Limits) -> Self {
        let driver = DriverOptions { keepalive, habit, bears: true, limits };
        Self { bounds, driver, is_for_reads: true }
    }

    /// For a connection of one user, which leads to a primary. Commands block on it: the server takes what it is sent at once
    /// all the same, so their patience is not the transport's. Where the primary is none any more, it is to say so.
    pub(crate) fn for_one_user(self) -> Self {
        Self { driver: DriverOptions { bears: false, ..self.driver }, is_for_reads: false, ..self }
    }
}

/// Told of a lane's changes. Called from the lane's task, outside of any lock.
pub(crate) trait LaneObserver: Send + Sync + 'static {
    /// A connection is up.
    fn connected(&self, facts: &Arc<ConnectionFacts>);
    /// A connection ended, or could not be made.
    fn disconnected(&self, cause: &Arc<CloseCause>);
}

/// What all lanes of one node have in common.
#[derive(Debug, Clone)]
pub(crate) struct LaneContext {
    pub(crate) connector: Arc<Connector>,
    /// What the next connection leads to.
    pub(crate) target: Arc<ArcSwap<Target>>,
    /// What earlier connections learnt.
    pub(crate) known: Arc<KnownNode>,
    pub(crate) meter: Arc<NodeMeter>,
    /// Who takes the server's pushes.
    pub(crate) pushes: Arc<dyn PushSink>,
    /// A connection that is made already.
    pub(crate) made: Arc<Handover>,
}

/// A connection to the node that somebody else made: its next one, if that still leads to the target that it was judged for.
/// There is none for long, as it is put here when one is wanted.
#[derive(Debug, Default)]
pub(crate) struct Handover(Mutex<Option<(Arc<Target>, Connected)>>);

impl Handover {
    pub(crate) fn put(&self, judged_for: Arc<Target>, connected: Connected) {
        *self.0.lock() = Some((judged_for, connected));
    }

    /// The connection, if it was judged for this description of the node; one that was judged for another is closed.
    pub(super) fn take(&self, target: &Arc<Target>) -> Option<Connected> {
        let (judged_for, connected) = self.0.lock().take()?;
        Arc::ptr_eq(&judged_for, target).then_some(connected)
    }
}

/// Makes a lane and starts its task on a runtime, wherever the caller is.
pub(crate) fn spawn_lane(
    runtime: &Handle,
    context: LaneContext,
    options: LaneOptions,
    observer: impl LaneObserver,
) -> Lane {
    let (lane, task) = LaneTask::new(runtime, context, options, observer);
    runtime.spawn(task.run());
    lane
}

/// Makes a lane that is connected once: when its connection ends, it is down for good.
pub(crate) fn spawn_connection(
    runtime: &Handle,
    context: LaneContext,
    options: LaneOptions,
    observer: impl LaneObserver,
) -> Lane {
    let (lane, task) = LaneTask::new(runtime, context, options, observer);
    runtime.spawn(task.run_once());
    lane
}

struct LaneTask<O> {
    shared: Arc<Shared>,
    connector: Arc<Connector>,
    target: Arc<ArcSwap<Target>>,
    known: Arc<KnownNode>,
    options: LaneOptions,
    observer: O,
    meter: Arc<NodeMeter>,
    pushes: Arc<dyn PushSink>,
    made: Arc<Handover>,
    alarm: Alarm,
    /// To be raised before the next connection is used.
    fence: Option<Fence>,
    /// Its end was reported to everybody concerned.
    is_over: bool,
}

impl<O: LaneObserver> LaneTask<O> {
    fn new(runtime: &Handle, context: LaneContext, options: LaneOptions, observer: O) -> (Lane, Self) {
        let _entered = runtime.enter();
        let (lane, shared) = Lane::new(options.bounds, options.driver.habit);
        let LaneContext { connector, target, known, meter, pushes, made } = context;
        let alarm = Alarm::new();
        let (fence, is_over) = (None, false);
        let task = Self {
            shared,
            connector,
            target,
            known,
            options,
            observer,
            meter,
            pushes,
            made,
            alarm,
            fence,
            is_over,
        };
        (lane, task)
    }

    /// One connection and no other.
    async fn run_once(mut self) {
        self.until(|phase| !matches!(phase, LanePhase::Idle)).await;
        if self.is_retired() {
            return;
        }
        self.shared.enter_connecting();
        let mut since = None;
        if let Some(cause) = self.connection_or_panic(&mut since).await {
            let cause = Arc::new(cause);
            // However it ended: there is no other one, not even where it was to be replaced.
            self.shared.enter_down(cause.clone());
            self.end(&cause, since.is_some());
            self.is_over = true;
        }
    }

    async fn run(mut self) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        self.until(|phase| !matches!(phase, LanePhase::Idle)).await;
        while !self.is_retired() {
            self.shared.enter_connecting();
            let mut since = None;
            let Some(cause) = self.connection_or_panic(&mut since).await else { break };
            let cause = Arc::new(cause);
            let is_renewed = matches!(*cause, CloseCause::Renewed);
            // What queues while a connection is replaced goes to the next one.
            if !is_renewed {
                self.shared.enter_down(cause.clone());
            }
            // Logs and metrics are the user's code too.
            if !panics::catch("an observer", || self.end(&cause, since.is_some()))
                .unwrap_or_else(|_| !self.is_retired())
            {
                break;
            }
            if since.is_some_and(|since| since.elapsed() > STABLE_AFTER) {
                backoff.reset();
            }
            if !is_renewed {
                let opens = self.known.not_before().map(|at| at.saturating_duration_since(Instant::now()));
                let delay = backoff.next_delay().max(opens.unwrap_or_default());
                self.pause(delay).await;
            }
        }
        self.shared.enter_down(Arc::new(CloseCause::Retired));
    }

    async fn connection_or_panic(&mut self, since: &mut Option<Instant>) -> Option<CloseCause> {
        panics::catch_in("the connection's task", self.connection(since))
            .await
            .unwrap_or_else(|panicked| Some(CloseCause::Panicked(panicked.to_string())))
    }

    /// One connection, from the dial to its end; `since` is set when it came up. `None` when the lane was retired before
    /// that.
    async fn connection(&mut self, since: &mut Option<Instant>) -> Option<CloseCause> {
        let target = self.target.load_full();
        Some(match self.connect(&target).await? {
            Ok(connected) => {
                *since = Some(Instant::now());
                self.drive(&target, connected).await
            }
            Err(failures) => CloseCause::Connect(failures),
        })
    }

    /// Reports a connection's end to whoever observes it. False when no other one is wanted.
    fn end(&self, cause: &Arc<CloseCause>, was_connected: bool) -> bool {
        if self.is_retired() {
            return false;
        }
        if was_connected {
            self.meter.disconnected();
        }
        self.observer.disconnected(cause);
        true
    }

    fn is_retired(&self) -> bool {
        self.shared.lock().is_retired()
    }

    /// Waits for a phase that the lane's callers bring about.
    async fn until(&self, reached: impl Fn(&LanePhase) -> bool) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if reached(&state.phase) {
                return Poll::Ready(());
            }
            state.park_task(cx.waker());
            Poll::Pending
        })
        .await;
    }

    async fn pause(&self, delay: Duration) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.until(|phase| matches!(phase, LanePhase::Retired)) => {}
        }
    }

    /// Connects while the deadlines of what queues are kept. `None` when the lane was retired meanwhile.
    async fn connect(&mut self, target: &Arc<Target>) -> Option<Result<Connected, Vec<NodeFailure>>> {
        if let Some(made) = self.options.is_for_reads.then(|| self.made.take(target)).flatten() {
            return Some(Ok(made));
        }
        let deadline = Instant::now() + self.connector.env.timing.node_connect;
        let was_connected = self.known.was_connected();
        let explain = if was_connected { Explain::Briefly } else { Explain::Fully };
        let mut connecting = pin!(async {
            let is_for_reads = self.options.is_for_reads;
            let connecting = self.connector.connect(target, &self.known, explain, is_for_reads, deadline);
            let mut connected = connecting.await?;
            if let Some(fence) = &self.fence {
                let since = Instant::now();
                fence.raise(&mut connected.wire, deadline).await.map_err(|(phase, cause)| {
                    let facts = &connected.facts;
                    vec![self.connector.failure_after(target, facts, phase, cause, since.elapsed())]
                })?;
            }
            Ok(connected)
        });
        let shared = &self.shared;
        let alarm = &mut self.alarm;
        let mut wake = Vec::new();
        poll_fn(|cx| {
            if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            alarm.poll_checks(cx, shared, &mut wake);
            let mut state = shared.lock();
            if state.is_retired() {
                return Poll::Ready(None);
            }
            state.park_task(cx.waker());
            Poll::Pending
        })
        .await
    }

    async fn drive(&mut self, target: &Arc<Target>, mut connected: Connected) -> CloseCause {
        self.meter.connected();
        // Whatever is left over from the greeting would answer the first caller's command.
        if !matches!(connected.wire.holds_more(), Ok(false)) {
            return CloseCause::Protocol("an unsolicited reply".to_owned());
        }
        let facts = Arc::new(connected.facts);
        let connector = self.connector.clone();
        let listed = connector.live.list(self.shared.clone(), target, &facts);
        if let Some(cause) = connector.refuses(target, &facts) {
            return CloseCause::TrustChanged(cause);
        }
        self.observer.connected(&facts);
        let (stream, decoder, inbound) = connected.wire.into_parts();
        let inquirer = Inquirer {
            connector: self.connector.clone(),
            target: target.clone(),
            known: self.known.clone(),
            interval: self.options.driver.habit.lead(),
        };
        let mut driver = Driver::new(
            stream,
            self.shared.clone(),
            decoder,
            inbound,
            self.options.driver,
            self.meter.clone(),
        )
        .trusting(listed.trust.clone())
        .pushing_to(self.pushes.clone())
        .asking(inquirer);
        self.shared.note_mode(facts.greeting.is_readonly);
        self.shared.enter_open(Instant::now());
        if !Arc::ptr_eq(target, &self.target.load()) {
            // The node's description changed while it was being dialled.
            self.shared.renew();
        }
        let cause = (&mut driver).await;
        self.fence = Fence::against(&facts, &cause);
        if matches!(cause, CloseCause::Retired | CloseCause::Renewed) {
            let mut stream = driver.into_stream();
            // Dropping the socket would do; a TLS peer logs less if it gets a goodbye.
            let _ = tokio::time::timeout(GOODBYE, stream.shutdown()).await;
        }
        cause
    }
}

impl<O> Drop for LaneTask<O> {
    /// After an orderly end nobody is left to notify.
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.enter_down(Arc::new(CloseCause::Abandoned));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use truename_topology::Endpoint;

    use super::*;
    use crate::connect::{Transport, Wire};

    /// A connection that was judged for what a node had been described as was used for what it was described as since.
    #[tokio::test]
    async fn a_connection_is_taken_for_what_it_was_judged_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let described = || Arc::new(Target::seed(&Endpoint::new("node", 1)));
        let (earlier, later) = (described(), described());
        let handover = Handover::default();
        let put = async || {
            let stream = TcpStream::connect(address).await.expect("connected");
            let wire = Wire::new(Transport::Tcp(stream));
            handover.put(earlier.clone(), Connected { wire, facts: ConnectionFacts::default() });
        };
        put().await;
        assert!(handover.take(&earlier).is_some() && handover.take(&earlier).is_none());
        put().await;
        assert!(handover.take(&later).is_none() && handover.take(&earlier).is_none());
    }
}
