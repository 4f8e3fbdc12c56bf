//! Many commands at once: sorted by lane, each lane's sent unit by unit, with one lock for each unit.
//!
//! What must stay true:
//! - Every command has exactly one outcome, in its place, judged as that of any other call.
//! - The commands of one slot that go to one node are sent in the order of the batch, also those that are sent again
//!   because they were not sent ([`Failure::Unsent`]). So at any time one future has all of them that are still to be sent.
//!   Whatever else needs another attempt goes on by itself.
//! - Trouble of one lane or slot delays no other: each has a future of its own.

mod lanes;
mod member;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use self::lanes::{ByLane, Part, group_by_slot};
use self::member::Member;
use self::unit::{submit_unit, unit_len};
use super::judge::Setback;
use super::state::Router;
use crate::cluster::Node;
use crate::command::Command;
use crate::error::Error;
use crate::lane::{Failure, Form, Received};

type Outcome = Result<Received, Error>;

/// Members by what comes next for them.
#[derive(Default)]
struct Sorted<'r, 'a> {
    parts: Vec<Part<'r, 'a>>,
    /// Of one slot each: a server must be asked about one of them, or the slot has no owner.
    held: Vec<Vec<Member<'r, 'a>>>,
    /// They wait on the server.
    blocking: Vec<Member<'r, 'a>>,
}

/// What a future of the batch brought about.
#[derive(Default)]
struct Step<'r, 'a> {
    settled: Vec<(usize, Outcome)>,
    setbacks: Vec<(Member<'r, 'a>, Setback, Arc<Node>)>,
    next: Next<'r, 'a>,
}

/// What the members of a future that are still to be sent need.
#[derive(Default)]
enum Next<'r, 'a> {
    #[default]
    Nothing,
    /// The next unit.
    Send(Part<'r, 'a>),
    /// A pause for those that were not sent, which the others wait for as well.
    Pause { node: Arc<Node>, unsent: Vec<(Member<'r, 'a>, Setback)>, rest: Vec<Member<'r, 'a>> },
    /// To be sorted by what is known now.
    Sort(Vec<Member<'r, 'a>>),
}

type Running<'f, 'r, 'a> = FuturesUnordered<BoxFuture<'f, Step<'r, 'a>>>;

impl Router {
    /// Runs commands to their final outcomes, which come in the commands' order. `timeout` replaces the commands' own.
    pub(crate) async fn batch(
        &self,
        commands: &[Command<'_>],
        timeout: Option<Duration>,
        form: Form,
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(commands.len(), || None);
        let mut running = Running::new();
        let mut step = self.begin(commands, timeout, form);
        loop {
            for (position, outcome) in step.settled {
                outcomes[position] = Some(outcome);
            }
            running.extend(step.setbacks.into_iter().map(|setback| self.go_on(setback).boxed()));
            let next = match step.next {
                Next::Sort(members) => self.sort(members, &mut outcomes),
                Next::Send(part) => Sorted { parts: vec![part], ..Sorted::default() },
                Next::Pause { node, unsent, rest } => {
                    running.push(self.pause(node, unsent, rest).boxed());
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
                Err(Sorted { parts, held, blocking }) => {
                    running.extend(parts.into_iter().map(|part| self.send_unit(part).boxed()));
                    running.extend(held.into_iter().map(|members| self.make_ready(members).boxed()));
                    running.extend(blocking.into_iter().map(|member| self.run_alone(member).boxed()));
                }
            }
            match running.next().await {
                Some(done) => step = done,
                None => break,
            }
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Error::Closed))).collect()
    }

    /// What is known about each command before anything is sent.
    fn begin<'r, 'a>(
        &self,
        commands: &'r [Command<'a>],
        timeout: Option<Duration>,
        form: Form,
    ) -> Step<'r, 'a> {
        let now = Instant::now();
        let (mut members, mut settled) = (Vec::with_capacity(commands.len()), Vec::new());
        for (position, command) in commands.iter().enumerate() {
            match self.prepare(command, form, now, timeout) {
                Ok((request, attempts)) => {
                    let is_known = request.spec.is_some();
                    members.push(Member { position, request, attempts, is_known });
                }
                Err(error) => settled.push((position, Err(error))),
            }
        }
        Step { settled, next: Next::Sort(members), ..Step::default() }
    }

    /// Sorts members by what is known now. What is refused by that is settled.
    fn sort<'r, 'a>(&self, members: Vec<Member<'r, 'a>>, outcomes: &mut [Option<Outcome>]) -> Sorted<'r, 'a> {
        let topology = self.cluster.topology().clone();
        let mut by_lane = ByLane::default();
        let (mut blocking, mut held) = (Vec::new(), Vec::new());
        for mut member in members {
            if let Err(error) = self.recall_member(&mut member) {
                outcomes[member.position] = Some(Err(member.attempts.admit(error)));
                continue;
            }
            if member.request.blocks.is_some() {
                blocking.push(member);
                continue;
            }
            let chosen = if member.is_known { self.choose(&member.request, &member.attempts) } else { None };
            match chosen {
                Some(node) => by_lane.add(node, member),
                None => held.push(member),
            }
        }
        let held = group_by_slot(held, &mut by_lane);
        Sorted { parts: by_lane.into_parts(&topology), held, blocking }
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
    async fn send_unit<'r, 'a>(&self, part: Part<'r, 'a>) -> Step<'r, 'a> {
        let Part { node, topology, mut members } = part;
        if !Arc::ptr_eq(&topology, &self.cluster.topology()) {
            // The slots may have other owners.
            return Step { next: Next::Sort(members.collect()), ..Step::default() };
        }
        let count = unit_len(members.as_slice());
        let unit: Vec<_> = members.by_ref().take(count).collect();
        let mut step = Step { settled: Vec::with_capacity(count), ..Step::default() };
        let mut unsent = Vec::new();
        for (member, outcome) in submit_unit(&node, unit).await {
            match Setback::or_value(outcome) {
                Ok(value) => step.settled.push((member.position, Ok(value))),
                Err(setback @ Setback::Failure(Failure::Unsent(_))) => unsent.push((member, setback)),
                Err(setback) => step.setbacks.push((member, setback, node.clone())),
            }
        }
        step.next = match (unsent.is_empty(), members.len()) {
            (true, 0) => Next::Nothing,
            (true, _) => Next::Send(Part { node, topology, members }),
            (false, _) => Next::Pause { node, unsent, rest: members.collect() },
        };
        step
    }

    /// Waits before members that were not sent are sent again, as each of them would by itself.
    async fn pause<'r, 'a>(
        &self,
        node: Arc<Node>,
        unsent: Vec<(Member<'r, 'a>, Setback)>,
        rest: Vec<Member<'r, 'a>>,
    ) -> Step<'r, 'a> {
        let pauses = unsent.into_iter().map(|(mut member, setback)| {
            let node = node.clone();
            async move {
                let followed = self.follow(setback, node, &member.request, &mut member.attempts).await;
                (member, followed.map(drop))
            }
        });
        let (mut members, mut settled) = (Vec::new(), Vec::new());
        for (member, followed) in join_all(pauses).await {
            match followed {
                Ok(()) => members.push(member),
                Err(error) => settled.push((member.position, Err(error))),
            }
        }
        members.extend(rest);
        Step { settled, next: Next::Sort(members), ..Step::default() }
    }

    /// Sees to it that all is known about the members of a slot, and that the first of them can be sent.
    async fn make_ready<'r, 'a>(&self, members: Vec<Member<'r, 'a>>) -> Step<'r, 'a> {
        let (mut ready, mut settled) = (Vec::with_capacity(members.len()), Vec::new());
        for mut member in members {
            match self.make_member_ready(&mut member, ready.is_empty()).await {
                Ok(()) => ready.push(member),
                Err(error) => settled.push((member.position, Err(member.attempts.admit(error)))),
            }
        }
        Step { settled, next: Next::Sort(ready), ..Step::default() }
    }

    async fn make_member_ready(&self, member: &mut Member<'_, '_>, is_first: bool) -> Result<(), Error> {
        let Member { request, attempts, is_known, .. } = member;
        if !*is_known {
            self.ask_about(request, attempts).await?;
            *is_known = true;
        }
        if is_first {
            self.resolve(request, attempts).await?;
        }
        Ok(())
    }

    /// Goes on with a member by itself.
    async fn go_on<'r, 'a>(
        &self,
        (member, setback, node): (Member<'r, 'a>, Setback, Arc<Node>),
    ) -> Step<'r, 'a> {
        let Member { position, request, mut attempts, .. } = member;
        Step::of(position, self.resume(setback, node, request, &mut attempts).await)
    }

    async fn run_alone<'r, 'a>(&self, member: Member<'r, 'a>) -> Step<'r, 'a> {
        let Member { position, request, mut attempts, .. } = member;
        Step::of(position, self.run_prepared(request, &mut attempts).await)
    }
}

impl Step<'_, '_> {
    fn of(position: usize, outcome: Outcome) -> Self {
        Self { settled: vec![(position, outcome)], ..Self::default() }
    }
}

impl<'r, 'a> Sorted<'r, 'a> {
    /// The part, if that is all there is.
    fn into_only_part(mut self) -> Result<Part<'r, 'a>, Self> {
        match self.parts.pop() {
            Some(part) if self.parts.is_empty() && self.held.is_empty() && self.blocking.is_empty() => {
                Ok(part)
            }
            Some(part) => {
                self.parts.push(part);
                Err(self)
            }
            None => Err(self),
        }
    }
}
