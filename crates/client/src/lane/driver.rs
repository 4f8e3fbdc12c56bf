//! The driver: the one future that reads and writes a lane's socket.
//!
//! Invariants:
//! - Reading comes first in every round and never stops because writing is blocked: two peers that both wait
//!   for the other to read would wait for ever.
//! - All replies of one read are decoded before the lock is taken once to hand them out, and callers are woken
//!   after it is released. Pushes keep their place: what came before one is handed out first.
//! - Before writing for more than one caller it steps back, so that everybody who is ready joins the same
//!   write ([`Coalescing`]). A lone caller is written at once.
//! - After a pause it takes nothing off the queue before it has looked whether there is something to read ([`Looks`]).
//! - It never waits without having polled its timers. While it is busy it reads the clock once per read, and polls them
//!   only when a check is due by that reading.
//! - Any surprise in the stream ends the connection: an unparseable byte, or a reply that nobody asked for.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};
use truename_resp::{Decoder, Limits};

use super::alarm::Alarm;
use super::closed::CloseCause;
use super::coalesce::Coalescing;
use super::handle::Shared;
use super::incoming::{Incoming, Stopped};
use super::inquiry::{Inquirer, Inquiry};
use super::look::{Looks, after_sockets};
use super::pipeline::{Concern, Habit, NextForm, Unsolicited};
use super::push::{LogPushes, PushSink};
use super::received::{Form, Received, Unit};
use super::waiter::RequestLimits;
use super::wake::Wake;
use crate::connect::{Carrier, PeerTrust};
use crate::observe::NodeMeter;

/// Rounds of reading and writing before other tasks get their turn.
pub(super) const ROUNDS_PER_POLL: usize = 16;
/// Capacity that a drained write buffer may keep.
const WRITE_KEEP: usize = 256 * 1024;

/// Limits and habits of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverOptions {
    /// An idle connection is asked for a sign of life this often.
    pub(crate) keepalive: Duration,
    /// What to expect of the server.
    pub(crate) habit: Habit,
    /// Whether the transport tolerates an unresponsive peer for as long as a command does.
    pub(crate) bears: bool,
    /// What a reply may hold.
    pub(crate) limits: Limits,
}

/// Bytes that the transport accepted and that are not yet reported to the pipeline. They are reported no
/// later than when the driver is dropped, wherever it was: what left is not `Unsent`.
#[derive(Debug)]
struct Accepted {
    bytes: usize,
    shared: Arc<Shared>,
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shared.lock().pipeline.accept(self.bytes);
        }
    }
}

/// Reads and writes one connection until it ends; resolves to why.
#[derive(Debug)]
pub(crate) struct Driver<S> {
    stream: S,
    shared: Arc<Shared>,
    incoming: Incoming,
    /// In which form the next replies are wanted, as of the last time that anything was taken or handed over.
    next_form: NextForm,
    /// Whether the server owed a reply after the last one was handed over.
    is_owed: bool,
    outbound: BytesMut,
    accepted: Accepted,
    needs_flush: bool,
    coalescing: Coalescing,
    looks: Looks,
    retired: bool,
    /// Nothing is in flight on a connection that is to be replaced.
    drained: bool,
    /// The pipeline's next check, as of the last read.
    next_check: Option<Instant>,
    received: Vec<Received>,
    wake: Wake,
    alarm: Alarm,
    inquirer: Option<Inquirer>,
    inquiry: Inquiry,
    /// How long the transport tolerates a peer that acknowledges nothing.
    endures: Duration,
    keepalive: Pin<Box<Sleep>>,
    last_heard: Instant,
    options: DriverOptions,
    pushes: Arc<dyn PushSink>,
    meter: Arc<NodeMeter>,
    /// Whether the peer is still the one to talk to.
    trust: Arc<PeerTrust>,
}

impl<S: AsyncRead + AsyncWrite + Carrier + Unpin> Driver<S> {
    /// Takes over a connection whose handshake is complete. `decoder` and `inbound` go on where it stopped.
    pub(crate) fn new(
        stream: S,
        shared: Arc<Shared>,
        decoder: Decoder,
        inbound: BytesMut,
        options: DriverOptions,
        meter: Arc<NodeMeter>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            incoming: Incoming::new(decoder, inbound, options.limits),
            next_form: NextForm::All(Form::Decoded),
            is_owed: false,
            outbound: BytesMut::new(),
            accepted: Accepted { bytes: 0, shared: shared.clone() },
            needs_flush: false,
            coalescing: Coalescing::new(),
            looks: Looks::default(),
            retired: false,
            drained: false,
            next_check: None,
            received: Vec::new(),
            wake: Wake::default(),
            shared,
            alarm: Alarm::new(),
            inquirer: None,
            inquiry: Inquiry::default(),
            endures: options.habit.stall,
            keepalive: Box::pin(tokio::time::sleep_until(now + options.keepalive)),
            last_heard: now,
            options,
            meter,
            pushes: Arc::new(LogPushes),
            trust: Arc::default(),
        }
    }

    /// Ends when this trust is withdrawn.
    pub(crate) fn trusting(mut self, trust: Arc<PeerTrust>) -> Self {
        self.trust = trust;
        self
    }

    /// Gives pushes to this one, and no longer to the log.
    pub(crate) fn pushing_to(mut self, pushes: Arc<dyn PushSink>) -> Self {
        self.pushes = pushes;
        self
    }

    /// Asks a silent server on another connection before the lane is given up.
    pub(crate) fn asking(mut self, inquirer: Inquirer) -> Self {
        self.inquirer = Some(inquirer);
        self
    }

    /// Gives the stream back, to close it.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Reads once and hands out every complete reply. `Ready` when bytes arrived.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseCause>> {
        self.incoming.make_room();
        let read = ready!(pin!(self.stream.read_buf(&mut self.incoming.buffer.bytes)).poll(cx));
        match read {
            Ok(0) => return Poll::Ready(Err(CloseCause::PeerClosed)),
            Ok(_) => {}
            Err(error) => return Poll::Ready(Err(CloseCause::of(error))),
        }
        self.last_heard = Instant::now();
        Poll::Ready(self.deliver())
    }

    /// Hands out every reply and push that arrived completely, in order.
    fn deliver(&mut self) -> Result<(), CloseCause> {
        loop {
            let decoded = self.incoming.decode(self.next_form, &mut self.received);
            self.hand_out()?;
            match decoded.map_err(CloseCause::of_reply)? {
                // Whoever is served next would get it.
                Stopped::Drained if !self.is_owed && self.incoming.is_inside_reply() => {
                    return Err(CloseCause::unsolicited());
                }
                Stopped::Drained => return Ok(()),
                Stopped::AtPush(push) => {
                    self.incoming.buffer.frame_taken();
                    self.pushes.push(push);
                }
                Stopped::AtNextForm => {}
                Stopped::Unsolicited => return Err(CloseCause::unsolicited()),
            }
        }
    }

    fn hand_out(&mut self) -> Result<(), CloseCause> {
        let delivered = {
            let mut state = self.shared.lock();
            state.pipeline.accept(std::mem::take(&mut self.accepted.bytes));
            state.pipeline.note_read(self.last_heard);
            let mut delivered = Ok(());
            for reply in self.received.drain(..) {
                match state.pipeline.complete(reply, &mut self.wake.0) {
                    Ok(Some(submitted)) => self.meter.replied(submitted, self.last_heard),
                    Ok(None) => {}
                    Err(Unsolicited) => {
                        delivered = Err(CloseCause::unsolicited());
                        break;
                    }
                }
            }
            state.pipeline.grant(&mut self.wake.0);
            self.next_check = state.pipeline.next_check();
            self.next_form = state.pipeline.next_form();
            self.is_owed = state.pipeline.is_owed();
            delivered
        };
        self.wake.all();
        delivered
    }

    /// Takes what callers encoded since the last time. False when it is wiser to let more of them join first.
    fn take_output(&mut self) -> bool {
        let mut state = self.shared.lock();
        state.unpark_task();
        state.pipeline.accept(std::mem::take(&mut self.accepted.bytes));
        self.retired = state.is_retired();
        if state.is_renewing() {
            self.drained = state.pipeline.is_drained();
            return true;
        }
        if !state.pipeline.has_output() {
            return true;
        }
        let may_wait = !self.retired && state.pipeline.outstanding() > 1;
        if may_wait && self.coalescing.wants_more(state.pipeline.queued_bytes()) {
            return false;
        }
        state.pipeline.take_output(&mut self.outbound);
        self.next_form = state.pipeline.next_form();
        let longest = state.pipeline.longest_patience().max(self.options.habit.stall);
        // A drained buffer frees room for callers who wait for it.
        state.pipeline.grant(&mut self.wake.0);
        drop(state);
        if longest != self.endures && self.options.bears {
            self.endure(longest);
        }
        self.wake.all();
        true
    }

    /// Writes until the transport takes no more. `Ready` when it accepted something.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseCause>> {
        let mut wrote = false;
        while !self.outbound.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outbound) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(CloseCause::PeerClosed)),
                Poll::Ready(Ok(count)) => {
                    self.outbound.advance(count);
                    self.accepted.bytes += count;
                    self.needs_flush = true;
                    wrote = true;
                }
                Poll::Ready(Err(error)) => {
                    // TLS sends record by record and reports only an error: any part may have left.
                    self.accepted.bytes += self.outbound.len();
                    return Poll::Ready(Err(CloseCause::of(error)));
                }
                Poll::Pending => break,
            }
        }
        if self.outbound.is_empty() {
            if self.needs_flush {
                match Pin::new(&mut self.stream).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.needs_flush = false,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(CloseCause::of(error))),
                    Poll::Pending => {}
                }
            }
            self.outbound.clear();
            if self.outbound.capacity() > WRITE_KEEP {
                self.outbound = BytesMut::new();
            }
        }
        if wrote { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Asks an idle server for a sign of life, so that a dead one is noticed before it is needed.
    fn poll_keepalive(&mut self, cx: &mut Context<'_>) {
        while self.keepalive.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let due = self.last_heard + self.options.keepalive;
            let mut state = self.shared.lock();
            if due <= now && state.pipeline.outstanding() == 0 {
                self.incoming.buffer.idle();
                let limits = RequestLimits {
                    submitted: now,
                    deadline: now + self.options.habit.stall,
                    patience: self.options.habit.stall,
                    unit: Unit::command(Form::Decoded),
                };
                let ticket = state.pipeline.submit(limits, Waker::noop(), |out| {
                    out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
                });
                state.pipeline.abandon(ticket, &mut self.wake.0);
            }
            drop(state);
            let next = if due <= now { now + self.options.keepalive } else { due };
            self.keepalive.as_mut().reset(next);
        }
    }

    /// Leaves the waker for the next caller, unless one came in the meantime.
    fn park(&mut self, cx: &Context<'_>) -> bool {
        let mut state = self.shared.lock();
        self.retired = state.is_retired();
        if self.retired || self.trust.withdrawn().is_some() || self.outbound.is_empty() && state.has_work() {
            return false;
        }
        state.park_task(cx.waker());
        true
    }

    fn poll_checks(&mut self, cx: &mut Context<'_>) -> Option<CloseCause> {
        if self.accepted.bytes > 0 {
            // A long write that goes on is a sign of life.
            self.shared.lock().pipeline.accept(std::mem::take(&mut self.accepted.bytes));
        }
        let cause = loop {
            match self.alarm.poll_checks(cx, &self.shared, &mut self.wake.0) {
                None => break None,
                Some(Concern::Ask) => self.ask(),
                Some(Concern::Stalled(silence)) => break Some(CloseCause::Stalled(silence)),
                Some(Concern::Overdue(late)) => break Some(CloseCause::Overdue(late)),
            }
        };
        if self.inquiry.is_under_way() {
            self.inquire(cx);
        }
        cause
    }

    /// Goes on asking. What is outstanding may be waited for longer after an answer, even while the server takes no
    /// more bytes, so that none of what follows is taken up to show it.
    #[cold]
    fn inquire(&mut self, cx: &mut Context<'_>) {
        let _ = self.inquiry.poll(cx);
        let longest = self.shared.lock().pipeline.longest_patience();
        if longest > self.endures && self.options.bears {
            self.endure(longest);
        }
    }

    #[cold]
    fn ask(&mut self) {
        if let (Some(inquirer), false) = (&self.inquirer, self.inquiry.is_under_way()) {
            self.inquiry = inquirer.start(self.shared.clone());
        }
    }

    /// Makes the transport tolerate the peer for as long as what is outstanding does, and no longer.
    #[cold]
    fn endure(&mut self, longest: Duration) {
        self.endures = longest;
        self.stream.endure(longest);
    }

    fn poll_rounds(&mut self, cx: &mut Context<'_>) -> Poll<CloseCause> {
        let mut heard = false;
        for _ in 0..ROUNDS_PER_POLL {
            if let Some(cause) = self.trust.withdrawn() {
                return Poll::Ready(CloseCause::TrustChanged(cause.clone()));
            }
            let read = match self.poll_read(cx) {
                Poll::Ready(Err(cause)) => return Poll::Ready(cause),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            let due = read && self.next_check.is_some_and(|at| at <= self.last_heard);
            if due && let Some(cause) = self.poll_checks(cx) {
                return Poll::Ready(cause);
            }
            heard |= read;
            if self.outbound.is_empty() && !heard {
                match self.looks.should_read_first(&self.stream, self.last_heard) {
                    Ok(false) => heard = true,
                    Ok(true) => {
                        after_sockets(cx);
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(CloseCause::of(error)),
                }
            }
            if self.outbound.is_empty() && !self.take_output() {
                self.coalescing.step_back(cx);
                return Poll::Pending;
            }
            let wrote = match self.poll_write(cx) {
                Poll::Ready(Err(cause)) => return Poll::Ready(cause),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            if self.retired {
                return Poll::Ready(CloseCause::Retired);
            }
            if self.drained {
                return Poll::Ready(CloseCause::Renewed);
            }
            if read || wrote {
                continue;
            }
            self.poll_keepalive(cx);
            if let Some(cause) = self.poll_checks(cx) {
                return Poll::Ready(cause);
            }
            if self.park(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Carrier + Unpin> Future for Driver<S> {
    type Output = CloseCause;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseCause> {
        let this = self.get_mut();
        let cause = ready!(this.poll_rounds(cx));
        // What was accepted in this very round decides between `Unsent` and `Lost`.
        this.shared.lock().pipeline.accept(std::mem::take(&mut this.accepted.bytes));
        Poll::Ready(cause)
    }
}
