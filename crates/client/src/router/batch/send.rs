//! Sends what is sorted, unit by unit, and sees what has to come next.
//!
//! What must stay true: what was not sent is sent again before what follows it in its part.

use bytes::BytesMut;
use futures_util::future::join_all;

use super::lanes::Part;
use super::member::Member;
use super::step::{Next, Step, Unsent};
use super::unit::{fits_in_unit, outcomes_of, submit_in_time, submit_unit};
use super::usual::{UsualPart, Values};
use crate::lane::{Failure, Received};
use crate::router::judge::{Setback, may_be_error};
use crate::router::state::Router;

impl Router {
    /// Most batches have one part, and that has one unit: then there is nothing to run beside it.
    pub(super) async fn begin_usual<'r, 'a>(&self, mut parts: Vec<UsualPart<'r, 'a>>) -> Step<'r, 'a> {
        let is_alone = parts.len() == 1;
        match parts.pop_if(|_| is_alone) {
            Some(part) => self.send_usual(part).await,
            None => Step { next: Next::SendUsual(parts), ..Step::default() },
        }
    }

    /// Sends a part's next unit.
    pub(super) async fn send_usual<'r, 'a>(&self, mut part: UsualPart<'r, 'a>) -> Step<'r, 'a> {
        let unit = part.next_unit();
        let encode = |out: &mut BytesMut| part.encode(&unit, out);
        match submit_in_time(part.lane_of(&unit), part.limits_of(&unit), encode).await {
            Ok(Received::Replies(replies))
                if replies.cut_short.is_none() && !replies.received.iter().any(may_be_error) =>
            {
                let next = if part.is_over() { Next::Nothing } else { Next::SendUsual(vec![part]) };
                Step { values: Values::of(unit, replies.received), next, ..Step::default() }
            }
            outcome => {
                let members = part.begun(&unit);
                let rest = part.into_part(|member| self.has_order(member)).await;
                self.step_after(rest, outcomes_of(members, outcome))
            }
        }
    }

    /// Sends a part's next unit.
    pub(super) async fn send_unit<'r, 'a>(&self, mut part: Part<'r, 'a>) -> Step<'r, 'a> {
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
    pub(super) async fn pause_part<'r, 'a>(
        &self,
        unsent: Vec<Unsent<'r, 'a>>,
        mut part: Part<'r, 'a>,
    ) -> Step<'r, 'a> {
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
}
