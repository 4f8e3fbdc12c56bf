//! The loop: submit, judge, follow, until there is a final outcome. It decides nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truename_resp::{RawFrame, Reply};
use truename_topology::Slot;

use super::attempts::Attempts;
use super::destination::{Destination, any_primary};
use super::directory::Says;
use super::judge::Setback;
use super::mode::{InMode, attempt_in};
use super::request::{Request, blocking_time, is_compound};
use super::state::Router;
use super::submit::submit;
use crate::cluster::Node;
use crate::command::{Command, Flags, Learned, Route, Spec, first_key};
use crate::error::Error;
use crate::from_reply::FromReply;
use crate::lane::{Form, Received, Unit, request_limits};

/// A first attempt, and what it was decided by.
struct First {
    node: Arc<Node>,
    spec: &'static Spec,
    route: Route,
    /// Whether there was only one node then.
    was_single: bool,
}

impl Router {
    /// Runs one command to its final outcome, a value of the caller's type.
    #[inline(always)]
    pub(crate) fn execute<T: FromReply>(
        &self,
        command: Command<'_>,
    ) -> impl Future<Output = Result<T, Error>> {
        self.run(command, Form::Decoded, |received, _| Ok(T::from_reply(received.into_reply())?))
    }

    /// Runs one command whose value does not matter; nil is an error where it may say that nothing was done.
    #[inline(always)]
    pub(crate) fn run_only(&self, command: Command<'_>) -> impl Future<Output = Result<(), Error>> {
        self.run(command, Form::Decoded, |received, command| match received.into_reply() {
            Reply::Nil if is_compound(command.spec()) => Ok(()),
            reply => Ok(<()>::from_reply(reply)?),
        })
    }

    /// Runs one command to its final outcome, a reply as it came.
    #[inline(always)]
    pub(crate) fn execute_raw(&self, command: Command<'_>) -> impl Future<Output = Result<RawFrame, Error>> {
        self.run(command, Form::Raw, |received, _| Ok(received.into_raw()))
    }

    /// Runs a script by its digest; as a whole, on the same node, where that does not have it. Both have the time of one.
    pub(crate) async fn run_script<'r, 'a>(
        &self,
        by_digest: &'r Command<'a>,
        whole: &'r Command<'a>,
    ) -> Result<Reply, Error> {
        let started = Instant::now();
        let _under_way = self.begin_call(by_digest.own_timeout()).await?;
        let (request, mut attempts) = self.prepare(by_digest, Form::Decoded, started, None)?;
        let received = self.run_prepared(request.or_whole(whole), &mut attempts).await?;
        Ok(received.into_reply())
    }

    /// Dropping the future at any point leaves a command that was submitted to be executed; its reply is discarded.
    ///
    /// Inlined up to the caller, so that the command is moved into the call once and not at every step on the way.
    ///
    /// The first attempt is made here, and the reply is converted here, too: another future around this one would cost as
    /// much as finding the slot. What is rare is boxed: thousands of calls in flight should be small.
    #[inline(always)]
    #[expect(clippy::manual_async_fn, reason = "it would keep the command twice in every call in flight")]
    fn run<T>(
        &self,
        command: Command<'_>,
        form: Form,
        convert: impl FnOnce(Received, &Command<'_>) -> Result<T, Error>,
    ) -> impl Future<Output = Result<T, Error>> {
        async move {
            let started = Instant::now();
            let Some(first) = self.first(&command) else {
                let received = Box::pin(self.run_unusual(&command, form, started)).await?;
                return convert(received, &command)
                    .map_err(|error| error.in_reply_to(command.name(), None, None));
            };
            let (timeout, patience) = self.times(command.own_timeout(), None);
            let limits = request_limits(started, started + timeout, patience, Unit::command(form));
            let outcome = submit(first.node.lane(first.route.slot()), &command, false, limits).await;
            // Decided before anything is awaited, so that the outcome is not kept in the call.
            let setback = match Setback::or_value(outcome) {
                Ok(received) => {
                    return convert(received, &command).map_err(|error| {
                        let (node, slot) = (first.node.endpoint(), first.route.slot());
                        error.in_reply_to(command.name(), Some(node), slot)
                    });
                }
                Err(setback) => setback,
            };
            let slot = first.route.slot();
            let received = Box::pin(self.run_on(setback, first, &command, form, started)).await?;
            convert(received, &command).map_err(|error| error.in_reply_to(command.name(), None, slot))
        }
    }

    /// The first attempt of a command of which nothing has to be found out, or waited for, before it is sent.
    #[inline(always)]
    fn first(&self, command: &Command<'_>) -> Option<First> {
        let spec = command.spec()?;
        let mode = self.cluster.mode();
        if mode.is_ending() {
            return None;
        }
        let was_single = mode.is_single();
        let route = command.route(Some(spec), was_single).ok()?;
        if blocking_time(command, Some(spec)).is_some() || command.says_where_to_read() {
            return None;
        }
        let node = self.choose_by(route, command, || spec.flags.contains(Flags::READONLY), true)?;
        Some(First { node, spec, route, was_single })
    }

    /// Runs a command that has no [`First`], goes to several nodes, or is refused.
    async fn run_unusual(
        &self,
        command: &Command<'_>,
        form: Form,
        started: Instant,
    ) -> Result<Received, Error> {
        let _under_way = self.begin_call(command.own_timeout()).await?;
        // One reply of several is a value: there are no bytes of it that came.
        if form == Form::Decoded
            && let Some(fan) = self.fan(command)
        {
            return self.run_fan(fan, command, started, None).await.map(Received::Reply);
        }
        let (request, mut attempts) = self.prepare(command, form, started, None)?;
        self.run_prepared(request, &mut attempts).await
    }

    /// Goes on after a first attempt that returned no value.
    async fn run_on(
        &self,
        setback: Setback,
        first: First,
        command: &Command<'_>,
        form: Form,
        started: Instant,
    ) -> Result<Received, Error> {
        let _under_way = self.cluster.go_on();
        let (timeout, patience) = self.times(command.own_timeout(), None);
        let request = Request::known(command, first.spec, form, patience, first.was_single);
        let mut attempts = Attempts::new(started, timeout, first.route);
        attempts.begin();
        self.resume(setback, first.node, request, &mut attempts).await
    }

    /// What is known about a command, and the start of its trail. `timeout` replaces the command's own.
    #[inline(always)]
    pub(super) fn prepare<'r, 'a>(
        &self,
        command: &'r Command<'a>,
        form: Form,
        now: Instant,
        timeout: Option<Duration>,
    ) -> Result<(Request<'r, 'a>, Attempts), Error> {
        let (mut request, route) = Request::new(command, form, self.cluster.is_single())?;
        let own = timeout.or(command.own_timeout());
        let (timeout, patience) = self.times(own, request.blocks);
        request.patience = patience;
        Ok((request, Attempts::new(now, timeout, route)))
    }

    /// The same for one of several commands that are sent as one: where the table lacks it, a server is asked. And its slot, with
    /// its first key if that is in it: the caller may say where it goes, whatever its key is.
    pub(super) async fn prepare_known<'r, 'a>(
        &self,
        command: &'r Command<'a>,
        now: Instant,
        timeout: Duration,
    ) -> Result<(Request<'r, 'a>, Attempts, Option<(&'r [u8], Slot)>), Error> {
        let (mut request, mut attempts) = self.prepare(command, Form::Decoded, now, Some(timeout))?;
        if request.spec.is_none() && !self.recall(&mut request, &mut attempts)? {
            self.ask_about(&mut request, &mut attempts).await?;
        }
        let place = attempts.slot().map(|slot| {
            let key = request.spec.and_then(|spec| first_key(spec, command));
            (key.filter(|key| Slot::of_key(key) == slot).unwrap_or_default(), slot)
        });
        Ok((request, attempts, place))
    }

    /// Runs a command of which all is known but what a server must be asked.
    pub(super) async fn run_prepared(
        &self,
        mut request: Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Received, Error> {
        if request.spec.is_none() && !self.recall(&mut request, attempts)? {
            self.ask_about(&mut request, attempts).await?;
        }
        let destination = self.resolve(&request, attempts).await?;
        self.finish(destination, &mut request, attempts).await
    }

    /// Goes on after an attempt that returned no value.
    pub(super) async fn resume(
        &self,
        setback: Setback,
        node: Arc<Node>,
        mut request: Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Received, Error> {
        let destination = self.follow(setback, node, &request, attempts).await?;
        self.finish(destination, &mut request, attempts).await
    }

    /// Each round is one attempt: submit, judge, follow.
    async fn finish(
        &self,
        mut destination: Destination,
        request: &mut Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Received, Error> {
        loop {
            request
                .admit_again(self.cluster.is_single(), attempts.route)
                .map_err(|error| attempts.admit(error))?;
            let now = attempts.begin();
            if now >= attempts.deadline() {
                return Err(attempts.admit(attempts.timed_out(false)));
            }
            let outcome = if request.blocks.is_some() {
                let attempt = self.attempt_blocking(&destination, request, attempts);
                attempt.await.map_err(|error| attempts.admit(error))?
            } else if let Some(mode) = self.mode(&destination, request, attempts) {
                match attempt_in(mode, &destination.node, request, attempts, now).await {
                    InMode::Outcome(outcome) => outcome,
                    InMode::Refused => {
                        let elsewhere = self.resolve(request, attempts).await;
                        destination = elsewhere.map_err(|error| attempts.admit(error))?;
                        continue;
                    }
                }
            } else {
                let lane = destination.node.lane(attempts.slot());
                let unit = Unit::command(request.form);
                let limits = request_limits(now, attempts.deadline(), request.patience, unit);
                submit(lane, request.command, destination.asking, limits).await
            };
            let Destination { node, asking } = destination;
            match Setback::or_value(outcome) {
                Ok(received) => return Ok(received),
                Err(setback) if request.goes_on_whole(&setback) => destination = Destination { node, asking },
                Err(setback) => destination = self.follow(setback, node, request, attempts).await?,
            }
        }
    }

    /// Uses what is already known about a command that the table lacks. False if a server must be asked.
    #[inline(never)]
    pub(super) fn recall(
        &self,
        request: &mut Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<bool, Error> {
        let Some(says) = self.directory.known(request.command) else { return Ok(false) };
        if let Says::Described(learned) = says {
            self.learn(&learned, request, attempts)?;
        }
        Ok(true)
    }

    fn learn(
        &self,
        learned: &Learned,
        request: &mut Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        request.learn(learned, self.cluster.is_single(), attempts)?;
        if request.blocks.is_some() {
            // The server may take all the time that the call has.
            request.patience = request.patience.max(attempts.timeout());
        }
        Ok(())
    }

    /// Asks a server about a command that the table lacks.
    #[cold]
    pub(super) async fn ask_about(
        &self,
        request: &mut Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        // First the node that the command would go to: trouble at another node must not delay it.
        let mut first = self.choose(request, attempts).filter(|node| node.is_up());
        loop {
            // Without a node to ask, the command fails by itself.
            let node = first.take().or_else(|| any_primary(&self.cluster.topology()));
            let Some(node) = node else { return Ok(()) };
            let says = self.directory.ask(request.command, &node, attempts.deadline()).await;
            match says {
                Some(Says::Described(learned)) => {
                    return self.learn(&learned, request, attempts);
                }
                Some(Says::NoSuchCommand | Says::Nothing) => return Ok(()),
                None => attempts.back_off().await?,
            }
        }
    }

    /// How long a command may take, and how long the server may be silent meanwhile. `own`: the time that was set for this
    /// one; `blocks`: how long the server may hold its reply back.
    #[inline]
    pub(super) fn times(&self, own: Option<Duration>, blocks: Option<Duration>) -> (Duration, Duration) {
        let timing = &self.cluster.timing;
        let blocks = blocks.unwrap_or_default();
        // The server counts from later on, and takes its time to notice that the time is over.
        (
            own.unwrap_or(timing.command + blocks),
            own.map_or(timing.stall + blocks, |own| timing.stall.max(own)),
        )
    }
}
