//! Batches that keep the order of each slot's commands whatever happens to single ones.
//!
//! What must stay true: a command is sent once all that come before it in its slot have their outcomes; slots do not wait
//! for each other.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::FutureExt;
use futures_util::stream::FuturesUnordered;
use truename_topology::Slot;

use super::member::Member;
use super::{Next, Outcome};
use crate::command::Command;
use crate::error::Error;
use crate::lane::Form;
use crate::router::state::Router;

impl Router {
    /// Runs commands to their final outcomes, those of one slot one after the other. `timeout` replaces the commands' own.
    pub(crate) async fn batch_in_order(
        &self,
        commands: &[Command<'_>],
        timeout: Option<Duration>,
        form: Form,
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(commands.len(), || None);
        let step = self.begin(commands, timeout, form).await;
        for (position, outcome) in step.settled {
            outcomes[position] = Some(outcome);
        }
        let members = if let Next::Sort(members) = step.next { members } else { Vec::new() };
        let lines = self.line_up(members, &mut outcomes).await;
        let mut running: FuturesUnordered<_> =
            lines.into_iter().map(|line| self.run_in_turn(line).boxed()).collect();
        while let Some(settled) = running.next().await {
            for (position, outcome) in settled {
                outcomes[position] = Some(outcome);
            }
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Error::Closed))).collect()
    }

    /// One line for each slot. What has no slot is in none, so it is alone.
    async fn line_up<'r, 'a>(
        &self,
        members: Vec<Member<'r, 'a>>,
        outcomes: &mut [Option<Outcome>],
    ) -> Vec<Vec<Member<'r, 'a>>> {
        let mut lines: Vec<Vec<_>> = Vec::new();
        let mut by_slot: HashMap<Slot, usize> = HashMap::new();
        for mut member in members {
            // Which slot it is may follow from a server's description.
            if let Err(error) = self.make_known(&mut member).await {
                outcomes[member.position] = Some(Err(member.attempts.admit(error)));
                continue;
            }
            let line = match member.attempts.slot() {
                Some(slot) => *by_slot.entry(slot).or_insert(lines.len()),
                None => lines.len(),
            };
            match lines.get_mut(line) {
                Some(line) => line.push(member),
                None => lines.push(vec![member]),
            }
        }
        lines
    }

    async fn run_in_turn(&self, line: Vec<Member<'_, '_>>) -> Vec<(usize, Outcome)> {
        let mut settled = Vec::with_capacity(line.len());
        for Member { position, request, mut attempts, .. } in line {
            settled.push((position, self.run_prepared(request, &mut attempts).await));
        }
        settled
    }
}
