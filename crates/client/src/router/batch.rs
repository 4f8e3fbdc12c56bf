//! Many commands at once: sorted by lane, each lane's sent unit by unit, with one lock for each unit.
//!
//! What must stay true:
//! - Every command has exactly one outcome, in its place, judged as that of any other call.
//! - The commands of one slot that go to its primary are sent in the order of the batch, also those that are sent again
//!   because they were not sent (`Failure::Unsent`). So at any time one future has all of them that are still to be sent,
//!   and they are sorted by one snapshot. Whatever else needs another attempt goes on by itself.
//! - With an order, a command is sent once all that come before it in its slot have their outcomes.
//! - Trouble of one lane or slot delays no other: each has a future of its own, and none waits for a slot but its own.
//! - A value that its caller will not get is an orphan ([`Unread`]), if something was taken by waiting.
//! - No turn without progress: what was sorted is sent, waits, or fails by its deadline, before it is sorted again.

mod lanes;
mod member;
mod send;
mod step;
pub(super) mod turns;
mod unit;
mod usual;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use either::Either;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use self::lanes::{ByLane, Part, by_slot, take_slots};
use self::member::{Member, Outcome};
use self::step::{Next, Step};
use self::turns::is_others_turn;
use self::usual::Common;
use super::fan::Fan;
use super::judge::Setback;
use super::orphans::Unread;
use super::state::Router;
use crate::clock;
use crate::cluster::{Node, Topology};
use crate::command::Command;
use crate::error::Error;
use crate::lane::{Form, Received};

/// How long an ordered batch waits for what servers say about commands that nobody knows.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// Members by what comes next for them.
#[derive(Default)]
struct Sorted<'r, 'a> {
    parts: Vec<Part<'r, 'a>>,
    /// Of one slot each: a server must be asked about one of them, or the slot has no owner.
    held: Vec<Vec<Member<'r, 'a>>>,
    /// They have no order: they wait on the server, or have no slot or none but replicas to go to, and no node now.
    alone: Vec<Member<'r, 'a>>,
}

type Running<'f, 'r, 'a> = FuturesUnordered<BoxFuture<'f, Step<'r, 'a>>>;

impl Router {
    /// Runs commands to their final outcomes, which come in the commands' order. `timeout` replaces the commands' own;
    /// `is_ordered`: those of one slot are run one after the other.
    pub(crate) async fn batch<'r, 'a>(
        &'r self,
        commands: &'r [Command<'a>],
        started: Instant,
        timeout: Option<Duration>,
        form: Form,
        is_ordered: bool,
    ) -> impl Iterator<Item = Outcome> {
        // With a deadline for all, those that wait for their turn have what is left of it.
        let has_turn_of_its_own = timeout.is_none();
        let common = Common { commands, started, timeout, form };
        let usual = if is_ordered { None } else { self.sort_usual(common).await };
        let (mut step, fans) = match usual {
            Some(parts) => (self.begin_usual(parts).await, Vec::new()),
            None => self.begin(common).await,
        };
        if step.values.len() == commands.len() {
            return Either::Left(step.values.in_order().map(Ok));
        }
        let mut outcomes = Unread::of(self, commands);
        let mut running: Running<'_, '_, '_> = fans.into_iter().collect();
        if let (true, Next::Sort(members)) = (is_ordered, &mut step.next) {
            let (lines, rest) = self.line_up(std::mem::take(members), &mut step.settled).await;
            running.extend(lines.into_iter().map(|line| self.run_in_turn(line, has_turn_of_its_own).boxed()));
            *members = rest;
        }
        loop {
            for (position, value) in step.values.in_place() {
                outcomes.set(position, Ok(value));
            }
            for (position, outcome) in step.settled {
                outcomes.set(position, outcome);
            }
            running.extend(step.setbacks.into_iter().map(|setback| self.go_on(setback).boxed()));
            let next = match step.next {
                Next::SendUsual(parts) => {
                    running.extend(parts.into_iter().map(|part| self.send_usual(part).boxed()));
                    Sorted::default()
                }
                Next::Sort(members) => self.sort(members, &mut outcomes).await,
                Next::Send(part) => Sorted { parts: vec![part], ..Sorted::default() },
                Next::Pause { unsent, part } => {
                    running.push(self.pause_part(unsent, part).boxed());
                    Sorted::default()
                }
                Next::Nothing => Sorted::default(),
            };
            match next.into_only_part() {
                // Most batches have one part: then there is nothing to run beside it.
                Ok(part) if running.is_empty() => {
                    step = self.send_unit(part).await;
                    continue;
                }
                Ok(part) => running.push(self.send_unit(part).boxed()),
                Err(Sorted { parts, held, alone }) => {
                    running.extend(parts.into_iter().map(|part| self.send_unit(part).boxed()));
                    running.extend(held.into_iter().map(|members| self.make_ready(members).boxed()));
                    let alone = alone.into_iter().map(|member| vec![member]);
                    running.extend(alone.map(|member| self.run_in_turn(member, false).boxed()));
                }
            }
            match running.next().await {
                Some(done) => step = done,
                None => break,
            }
        }
        Either::Right(outcomes.read().map(|outcome| outcome.unwrap_or(Err(Error::Closed))))
    }

    /// What is known about each command before anything is sent. Those that go to several nodes are batches of their own.
    async fn begin<'f, 'r: 'f, 'a: 'f>(
        &'f self,
        common: Common<'r, 'a>,
    ) -> (Step<'r, 'a>, Vec<BoxFuture<'f, Step<'r, 'a>>>) {
        let Common { commands, started: now, timeout, form } = common;
        let (mut members, mut settled, mut fans) =
            (Vec::with_capacity(commands.len()), Vec::new(), Vec::new());
        for (position, command) in commands.iter().enumerate() {
            if is_others_turn(position) {
                tokio::task::yield_now().await;
            }
            match self.prepare(command, form, now, timeout) {
                Ok((request, attempts)) => {
                    let is_known = request.spec.is_some();
                    members.push(Member { position, request, attempts, is_known });
                }
                Err(error) => match self.fan(command).filter(|_| form == Form::Decoded) {
                    Some(fan) => fans.push(self.fan_out(position, fan, command, now, timeout)),
                    None => settled.push((position, Err(error))),
                },
            }
        }
        (Step { settled, next: Next::Sort(members), ..Step::default() }, fans)
    }

    /// Boxed here: what it runs is a batch, too.
    fn fan_out<'f, 'r: 'f, 'a: 'f>(
        &'f self,
        position: usize,
        fan: Fan,
        command: &'r Command<'a>,
        started: Instant,
        timeout: Option<Duration>,
    ) -> BoxFuture<'f, Step<'r, 'a>> {
        let outcome = async move {
            let outcome = self.run_fan(fan, command, started, timeout).await.map(Received::Reply);
            Step { settled: vec![(position, outcome)], ..Step::default() }
        };
        outcome.boxed()
    }

    /// Sorts members by what is known now, and by one snapshot. What is refused by that is settled.
    async fn sort<'r, 'a>(
        &self,
        members: Vec<Member<'r, 'a>>,
        outcomes: &mut Unread<'_, '_>,
    ) -> Sorted<'r, 'a> {
        let topology = self.cluster.topology().clone();
        let mut by_lane = ByLane::default();
        let (mut alone, mut held) = (Vec::new(), Vec::new());
        for (count, mut member) in members.into_iter().enumerate() {
            if is_others_turn(count) {
                tokio::task::yield_now().await;
            }
            if let Err(error) = self.recall_member(&mut member) {
                let (position, outcome) = member.failed(error);
                outcomes.set(position, outcome);
                continue;
            }
            if member.request.blocks.is_some() || self.may_need_a_mode(&member.request) {
                alone.push(member);
                continue;
            }
            match if member.is_known { self.choose_for(&member, &topology) } else { None } {
                Some(node) => by_lane.add(node, member),
                None if self.has_order(&member) => held.push(member),
                None => alone.push(member),
            }
        }
        let held = take_slots(held, &mut by_lane, |member| self.has_order(member));
        let parts = by_lane.into_parts(&topology, |member| self.has_order(member));
        Sorted { parts, held, alone }
    }

    fn choose_for(&self, member: &Member<'_, '_>, topology: &Topology) -> Option<Arc<Node>> {
        let Member { request, attempts, .. } = member;
        let is_read = || request.is_read();
        self.choose_in(topology, attempts.route, request.command, is_read, !attempts.was_refused())
    }

    /// Whether it is to be executed in its place among others of its slot.
    fn has_order(&self, member: &Member<'_, '_>) -> bool {
        member.attempts.slot().is_some() && !self.may_go_to_replicas(&member.request)
    }

    /// Uses what is known by now.
    fn recall_member(&self, member: &mut Member<'_, '_>) -> Result<(), Error> {
        let Member { request, attempts, is_known, .. } = member;
        if !*is_known {
            *is_known = self.recall(request, attempts)?;
        }
        request.admit_again(self.cluster.is_single(), attempts.route)
    }

    /// Does what members of a slot wait for: has servers asked about those that are not known, or else waits for an owner.
    async fn make_ready<'r, 'a>(&self, members: Vec<Member<'r, 'a>>) -> Step<'r, 'a> {
        // What is learned may say that the slot is another one.
        let must_ask = members.iter().any(|member| !member.is_known);
        let (mut ready, mut settled) = (Vec::with_capacity(members.len()), Vec::new());
        for (count, mut member) in members.into_iter().enumerate() {
            if is_others_turn(count) {
                tokio::task::yield_now().await;
            }
            let made = match must_ask {
                true => self.make_known(&mut member).await,
                false if ready.is_empty() => {
                    self.resolve(&member.request, &mut member.attempts).await.map(drop)
                }
                false => Ok(()),
            };
            match made {
                Ok(()) => ready.push(member),
                Err(error) => settled.push(member.failed(error)),
            }
        }
        Step { settled, next: Next::Sort(ready), ..Step::default() }
    }

    async fn make_known(&self, member: &mut Member<'_, '_>) -> Result<(), Error> {
        self.recall_member(member)?;
        let Member { request, attempts, is_known, .. } = member;
        if !*is_known {
            self.ask_about(request, attempts).await?;
            *is_known = true;
        }
        Ok(())
    }

    /// Goes on with a member by itself.
    async fn go_on<'r, 'a>(
        &self,
        (member, setback, node): (Member<'r, 'a>, Setback, Arc<Node>),
    ) -> Step<'r, 'a> {
        let Member { position, request, mut attempts, .. } = member;
        let outcome = self.resume(setback, node, request, &mut attempts).await;
        Step { settled: vec![(position, outcome)], ..Step::default() }
    }

    /// One line for each slot, and what has none and needs no line. Which slot it is may follow from a server's description:
    /// all names that nobody knows are asked about at once, and for so long; then a guess must do.
    async fn line_up<'r, 'a>(
        &self,
        mut members: Vec<Member<'r, 'a>>,
        settled: &mut Vec<(usize, Outcome)>,
    ) -> (Vec<Vec<Member<'r, 'a>>>, Vec<Member<'r, 'a>>) {
        let until = Instant::now() + ASK_WITHIN;
        let unknown = members.iter_mut().filter(|member| !member.is_known);
        let asks = unknown.map(|member| async move {
            let made = clock::timeout_at(until, self.make_known(member)).await;
            made.and_then(Result::err).map(|error| member.failed(error))
        });
        let refused: Vec<_> = join_all(asks).await.into_iter().flatten().collect();
        if !refused.is_empty() {
            let positions: HashSet<usize> = refused.iter().map(|(position, _)| *position).collect();
            members.retain(|member| !positions.contains(&member.position));
            settled.extend(refused);
        }
        let needs_line = |member: &Member<'_, '_>| member.attempts.slot().is_some() || !member.is_known;
        let (in_line, rest) = members.into_iter().partition(needs_line);
        (by_slot(in_line), rest)
    }

    /// Runs members by themselves, one after the other. `has_turn_of_its_own`: the time of each begins with its turn.
    async fn run_in_turn<'r, 'a>(
        &self,
        members: Vec<Member<'r, 'a>>,
        has_turn_of_its_own: bool,
    ) -> Step<'r, 'a> {
        let positions: Vec<_> = members.iter().map(|member| member.position).collect();
        let mut outcomes = Unread::with_room(self, members.len());
        for Member { request, mut attempts, .. } in members {
            if has_turn_of_its_own {
                attempts.begin_turn();
            }
            let command = request.command;
            outcomes.push(command, self.run_prepared(request, &mut attempts).await);
        }
        let settled = positions.into_iter().zip(outcomes.read().flatten()).collect();
        Step { settled, ..Step::default() }
    }
}

impl<'r, 'a> Sorted<'r, 'a> {
    /// The part, if that is all there is.
    fn into_only_part(mut self) -> Result<Part<'r, 'a>, Self> {
        match self.parts.pop() {
            Some(part) if self.parts.is_empty() && self.held.is_empty() && self.alone.is_empty() => Ok(part),
            Some(part) => {
                self.parts.push(part);
                Err(self)
            }
            None => Err(self),
        }
    }
}
