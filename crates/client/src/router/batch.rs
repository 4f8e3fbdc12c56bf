//! Many commands at once: sorted by lane, each lane's sent unit by unit, with one lock for each unit.
//!
//! What must stay true:
//! - Every command has exactly one outcome, in its place, judged as that of any other call.
//! - The commands of one slot that go to its primary are sent in the order of the batch, also those that are sent again
//!   because they were not sent ([`Failure::Unsent`]). So at any time one future has all of them that are still to be sent,
//!   and they are sorted by one snapshot. Whatever else needs another attempt goes on by itself.
//! - With an order, a command is sent once all that come before it in its slot have their outcomes.
//! - Trouble of one lane or slot delays no other: each has a future of its own, and none waits for a slot but its own.
//! - A value that its caller will not get is an orphan ([`Unread`]), if something was taken by waiting.
//! - No turn without progress: what was sorted is sent, waits, or fails by its deadline, before it is sorted again.

mod lanes;
mod member;
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
use self::unit::{fits_in_unit, submit_unit};
use self::usual::{Common, UsualPart, Values};
use super::fan::Fan;
use super::judge::Setback;
use super::orphans::Unread;
use super::state::Router;
use crate::clock;
use crate::cluster::{Node, Topology};
use crate::command::Command;
use crate::error::Error;
use crate::lane::{CloseCause, Failure, Form, Received};

/// How many members are looked at before other tasks get their turn.
const LOOKED_AT_ONCE: usize = 4096;

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

/// What a future of the batch brought about.
#[derive(Default)]
struct Step<'r, 'a> {
    values: Values,
    settled: Vec<(usize, Outcome)>,
    setbacks: Vec<(Member<'r, 'a>, Setback, Arc<Node>)>,
    next: Next<'r, 'a>,
}

/// What the members of a future that are still to be sent need.
#[derive(Default)]
enum Next<'r, 'a> {
    #[default]
    Nothing,
    /// The next unit of each.
    SendUsual(Vec<UsualPart<'r, 'a>>),
    /// The next unit.
    Send(Part<'r, 'a>),
    /// A pause for those that were not sent, which the others of the part wait for as well.
    Pause { unsent: Vec<Unsent<'r, 'a>>, part: Part<'r, 'a> },
    /// To be sorted by what is known now.
    Sort(Vec<Member<'r, 'a>>),
}

/// A member that was not sent, and why.
type Unsent<'r, 'a> = (Member<'r, 'a>, Arc<CloseCause>);

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
            let may_be_sent = member.is_known && member.request.blocks.is_none();
            match if may_be_sent { self.choose_for(&member, &topology) } else { None } {
                Some(node) => by_lane.add(node, member),
                None if member.request.blocks.is_none() && self.has_order(&member) => held.push(member),
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

    /// Sends a part's next unit.
    async fn send_unit<'r, 'a>(&self, mut part: Part<'r, 'a>) -> Step<'r, 'a> {
        let count = fits_in_unit(part.members.iter().map(|member| member.request.command));
        let unit: Vec<_> = part.members.drain(..count).collect();
        part.sent += count;
        let node = part.node.clone();
        let outcomes = submit_unit(&node, unit).await;
        self.step_after(part, outcomes)
    }

    /// What comes next after a unit, of which this became, and for the rest of its part.
    fn step_after<'r, 'a>(
        &self,
        part: Part<'r, 'a>,
        outcomes: impl Iterator<Item = (Member<'r, 'a>, Result<Received, Failure>)>,
    ) -> Step<'r, 'a> {
        let mut step = Step { settled: Vec::with_capacity(outcomes.size_hint().0), ..Step::default() };
        let (mut unsent, mut count) = (Vec::new(), 0);
        for (member, outcome) in outcomes {
            count += 1;
            match Setback::or_value(outcome) {
                Ok(value) => step.settled.push((member.position, Ok(value))),
                Err(Setback::Failure(Failure::Unsent(cause))) => unsent.push((member, cause)),
                Err(setback) => step.setbacks.push((member, setback, part.node.clone())),
            }
        }
        step.next = match (unsent.is_empty(), part.members.is_empty()) {
            (true, true) => Next::Nothing,
            (true, false) if self.is_worth_sorting(&part, step.setbacks.len(), count) => {
                Next::Sort(part.members.into())
            }
            (true, false) => Next::Send(part),
            (false, _) => Next::Pause { unsent, part },
        };
        step
    }

    /// Whether the slots have other owners by now, as setbacks of the latest unit suggest. Sorting costs as much as there is
    /// left: so either enough was sent that it costs little beside that, or nothing of the unit had a value.
    fn is_worth_sorting(&self, part: &Part<'_, '_>, setbacks: usize, of: usize) -> bool {
        let is_cheap = part.sent >= part.members.len() / 16;
        setbacks > 0 && (is_cheap || setbacks == of) && !part.is_by(&self.cluster.topology())
    }

    /// Waits before members that were not sent are sent again, as each of them would by itself.
    async fn pause_part<'r, 'a>(&self, unsent: Vec<Unsent<'r, 'a>>, mut part: Part<'r, 'a>) -> Step<'r, 'a> {
        let permanent = unsent.last().map(|(_, cause)| cause.clone()).filter(|cause| !cause.is_transient());
        let pauses = unsent.into_iter().map(|(mut member, cause)| {
            let node = part.node.clone();
            async move {
                let paused = self.pause(&cause, false, &node, &mut member.attempts).await;
                (member, paused)
            }
        });
        let (mut settled, mut is_over) = (Vec::new(), part.has_order);
        for (member, paused) in join_all(pauses).await.into_iter().rev() {
            match paused {
                Ok(()) => {
                    is_over = false;
                    part.members.push_front(member);
                }
                Err(error) => settled.push(member.failed(error)),
            }
        }
        let stays = part.is_by(&self.cluster.topology()) && (part.has_order || part.node.is_up());
        if let (Some(cause), true, true) = (permanent, is_over, stays) {
            // Trying would be in vain for the others, too.
            for mut member in part.members.drain(..) {
                member.attempts.note_closed(&part.node, &cause, false);
                settled.push(member.failed(member.attempts.timed_out(false)));
            }
        }
        let next = match stays {
            _ if part.members.is_empty() => Next::Nothing,
            true => Next::Send(part),
            false => Next::Sort(part.members.into()),
        };
        Step { settled, next, ..Step::default() }
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

/// Whether other tasks of this thread are to run before the next member is looked at.
#[inline]
pub(super) fn is_others_turn(count: usize) -> bool {
    count % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1
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
