//! Batches of the usual kind: the table has every command, none waits on the server or says where it is read from, each has
//! a slot, and every slot an owner. Until anything but a value comes back, a command is no more than its place, its slot and
//! its table entry; then it becomes a [`Member`], with all that judging and repeating it takes.
//!
//! What must stay true: the commands of one lane are sent in the order of the batch, unit by unit; once one of them was not
//! sent, all that follow are members of the same part.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_topology::Slot;

use super::lanes::{Lanes, Part};
use super::member::Member;
use super::turns::is_others_turn;
use super::unit::fits_in_unit;
use crate::cluster::{Node, Topology};
use crate::command::{Command, Flags, Route, Spec};
use crate::lane::{Form, Lane, Received, RequestLimits, Unit, request_limits};
use crate::router::attempts::Attempts;
use crate::router::request::{Request, blocking_time};
use crate::router::state::Router;

/// For so many commands a part has room at first: of many parts most get few.
const ROOM: usize = 1024;

/// What all commands of a batch have in common.
#[derive(Clone, Copy)]
pub(super) struct Common<'r, 'a> {
    pub(super) commands: &'r [Command<'a>],
    pub(super) started: Instant,
    /// How long each may take, if that is not its own affair.
    pub(super) timeout: Option<Duration>,
    pub(super) form: Form,
}

/// A command whose outcome is not known.
#[derive(Clone, Copy)]
pub(super) struct Usual {
    position: u32,
    slot: Slot,
    spec: &'static Spec,
}

/// The commands of one lane.
pub(super) struct UsualPart<'r, 'a> {
    node: Arc<Node>,
    topology: Weak<Topology>,
    common: Common<'r, 'a>,
    was_single: bool,
    /// How long all attempts may take, and how long the server may be silent.
    times: (Duration, Duration),
    commands: Vec<Usual>,
    /// How many of them were sent.
    sent: usize,
}

/// The values of a unit, and whose they are, in the order of the batch.
#[derive(Default)]
pub(super) struct Values {
    commands: Vec<Usual>,
    values: Vec<Received>,
}

impl Values {
    pub(super) fn of(commands: Vec<Usual>, values: Vec<Received>) -> Self {
        Self { commands, values }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The values, if these are all of the batch.
    pub(super) fn in_order(self) -> impl Iterator<Item = Received> {
        self.values.into_iter()
    }

    /// Each value with its place in the batch.
    pub(super) fn in_place(self) -> impl Iterator<Item = (usize, Received)> {
        self.commands.into_iter().map(|usual| usual.position as usize).zip(self.values)
    }
}

impl<'r, 'a> UsualPart<'r, 'a> {
    fn command(&self, usual: &Usual) -> &'r Command<'a> {
        &self.common.commands[usual.position as usize]
    }

    /// The commands of the next unit, which count as sent.
    pub(super) fn next_unit(&mut self) -> Vec<Usual> {
        let rest = &self.commands[self.sent..];
        let count = fits_in_unit(rest.iter().map(|usual| self.command(usual)));
        self.sent += count;
        match count == self.commands.len() {
            true => std::mem::take(&mut self.commands),
            false => rest[..count].to_vec(),
        }
    }

    /// Whether all were sent.
    pub(super) fn is_over(&self) -> bool {
        self.sent >= self.commands.len()
    }

    pub(super) fn lane_of(&self, unit: &[Usual]) -> &Lane {
        self.node.lane(unit.first().map(|usual| usual.slot))
    }

    pub(super) fn limits_of(&self, unit: &[Usual]) -> RequestLimits {
        let (timeout, patience) = self.times;
        let commands = Unit::commands(unit.len() as u32, self.common.form);
        request_limits(Instant::now(), self.common.started + timeout, patience, commands)
    }

    pub(super) fn encode(&self, unit: &[Usual], out: &mut BytesMut) {
        unit.iter().for_each(|usual| self.command(usual).encode(out));
    }

    /// A unit that was sent, as members.
    pub(super) fn begun(&self, unit: &[Usual]) -> Vec<Member<'r, 'a>> {
        let mut members: Vec<_> = unit.iter().map(|usual| self.member(usual)).collect();
        for member in &mut members {
            member.attempts.begin();
        }
        members
    }

    fn member(&self, usual: &Usual) -> Member<'r, 'a> {
        let (timeout, patience) = self.times;
        let command = self.command(usual);
        Member {
            position: usual.position as usize,
            request: Request::known(command, usual.spec, self.common.form, patience, self.was_single),
            attempts: Attempts::new(self.common.started, timeout, Route::Slot(usual.slot)),
            is_known: true,
        }
    }

    /// What is left, as members.
    pub(super) async fn into_part(self, has_order: impl Fn(&Member<'r, 'a>) -> bool) -> Part<'r, 'a> {
        let left = self.commands.get(self.sent..).unwrap_or_default();
        let mut members = VecDeque::with_capacity(left.len());
        for (count, usual) in left.iter().enumerate() {
            if is_others_turn(count) {
                tokio::task::yield_now().await;
            }
            members.push_back(self.member(usual));
        }
        let has_order = members.iter().all(has_order);
        Part { node: self.node, topology: self.topology, members, sent: self.sent, has_order }
    }
}

impl Router {
    /// The commands by their lanes, if all of them are of the usual kind.
    pub(super) async fn sort_usual<'r, 'a>(&self, common: Common<'r, 'a>) -> Option<Vec<UsualPart<'r, 'a>>> {
        let mode = self.cluster.mode();
        if mode.is_ending() || u32::try_from(common.commands.len()).is_err() {
            return None;
        }
        let was_single = mode.is_single();
        let times = self.times(common.timeout, None);
        let topology = self.cluster.topology().clone();
        let mut lanes = Lanes::default();
        let mut parts: Vec<UsualPart<'r, 'a>> = Vec::new();
        for (position, command) in common.commands.iter().enumerate() {
            if is_others_turn(position) {
                tokio::task::yield_now().await;
            }
            let (slot, spec) = usual_route(command, was_single, common.timeout.is_some())?;
            let is_read = || spec.flags.contains(Flags::READONLY);
            let node = self.server_of(&self.cluster.read_from, &topology, slot, is_read, true)?;
            let index = lanes.index_of(node.lane(Some(slot)));
            if index == parts.len() {
                parts.push(UsualPart {
                    node: node.clone(),
                    topology: Arc::downgrade(&topology),
                    common,
                    was_single,
                    times,
                    commands: Vec::with_capacity((common.commands.len() - position).min(ROOM)),
                    sent: 0,
                });
            }
            parts[index].commands.push(Usual { position: position as u32, slot, spec });
        }
        Some(parts)
    }
}

/// Where a command goes, if it is of the usual kind.
#[inline]
fn usual_route(
    command: &Command<'_>,
    was_single: bool,
    has_common_time: bool,
) -> Option<(Slot, &'static Spec)> {
    let spec = command.spec()?;
    let Ok(Route::Slot(slot)) = command.route(Some(spec), was_single) else { return None };
    let is_like_others =
        (has_common_time || command.own_timeout().is_none()) && !command.says_where_to_read();
    (is_like_others && blocking_time(command, Some(spec)).is_none()).then_some((slot, spec))
}
