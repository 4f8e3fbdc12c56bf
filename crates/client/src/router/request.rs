//! A command with what is known about it: by the table, or by a server where the table lacks it.

use std::time::Duration;

use truename_topology::Slot;

use super::attempts::Attempts;
use super::judge::RetryTraits;
use crate::command::{Arguments, BlockTime, Command, Flags, Learned, Refusal, Spec};
use crate::config::FOREVER;
use crate::error::{Error, RouteError};

/// A command with what the client knows of it.
#[derive(Clone, Copy)]
pub(super) struct Request<'r, 'a> {
    pub(super) command: &'r Command<'a>,
    pub(super) spec: Option<&'static Spec>,
    /// How long the server may hold the reply back; such a command gets a connection of its own.
    pub(super) blocks: Option<Duration>,
    /// It is unknown where the command's keys are.
    pub(super) slot_is_guessed: bool,
}

impl<'r, 'a> Request<'r, 'a> {
    /// The request, and the slot that decides where it goes first.
    #[inline]
    pub(super) fn new(command: &'r Command<'a>, is_single: bool) -> Result<(Self, Option<Slot>), Error> {
        let spec = command.spec();
        if spec.is_none() && command.at(0).is_none_or(<[u8]>::is_empty) {
            return Err(nameless());
        }
        let slot = command.slot(spec);
        if let Some(spec) = spec.filter(|spec| spec.is_unusual()) {
            let is_placed = is_single || command.is_routed() || slot.is_some();
            if let Some(refusal) = spec.refusal(is_placed) {
                return Err(refused(spec.name, refusal));
            }
        }
        let slot_is_guessed = spec.is_none() && !command.is_routed() && slot.is_some();
        Ok((Self { command, spec, blocks: blocking_time(command, spec), slot_is_guessed }, slot))
    }

    /// Notes what a server said about a command that the table lacks.
    pub(super) fn learn(
        &mut self,
        learned: &Learned,
        is_single: bool,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        let learned = learned.of(self.command);
        if learned.is_stateful {
            return Err(refused(self.command.name(), Refusal::ConnectionState));
        }
        if let Some(slot) = learned.slot(self.command)
            && !self.command.is_routed()
        {
            attempts.slot = slot;
            self.slot_is_guessed = false;
        }
        let is_placed = is_single || self.command.is_routed() || attempts.slot.is_some();
        if learned.is_for_many && !is_placed {
            return Err(refused(self.command.name(), Refusal::SeveralNodes));
        }
        if learned.is_administrative && !is_placed {
            return Err(refused(self.command.name(), Refusal::Administrative));
        }
        if learned.blocks {
            // Where it has its time-out is not known: the command's own deadline is all there is.
            self.blocks = Some(Duration::ZERO);
        }
        Ok(())
    }

    pub(super) fn is_read(&self) -> bool {
        self.blocks.is_none() && self.spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY))
    }

    #[cold]
    pub(super) fn traits(&self, repeats_writes: bool, attempts: &Attempts) -> RetryTraits {
        let compound = self.spec.is_none_or(|spec| spec.flags.contains(Flags::COMPOUND));
        RetryTraits {
            repeat: self.command.repeat(self.spec, repeats_writes),
            compound,
            names_script: self.spec.is_some_and(|spec| matches!(spec.name, "EVALSHA" | "EVALSHA_RO")),
            // A caller may send a command to a node that does not have its keys; a server's redirect is about the keys.
            slot: self.spec.map_or(attempts.slot, |spec| self.command.own_slot(spec)),
            slot_is_guessed: self.slot_is_guessed,
            is_for_one_node: self.command.named_node().is_some(),
            was_bystander: attempts.was_bystander(),
            times_oldest: attempts.times_oldest(),
        }
    }
}

#[cold]
fn refused(name: &str, refusal: Refusal) -> Error {
    let command = name.to_owned();
    Error::Route(Box::new(match refusal {
        Refusal::ConnectionState => RouteError::ConnectionState { command },
        Refusal::SeveralNodes => RouteError::SeveralNodes { command },
        Refusal::Administrative => RouteError::Administrative { command },
    }))
}

#[cold]
fn nameless() -> Error {
    Error::Route(Box::new(RouteError::EmptyCommand))
}

/// How long the server may hold the reply back; `None` for commands that it answers at once.
#[inline]
fn blocking_time(command: &Command<'_>, spec: Option<&'static Spec>) -> Option<Duration> {
    spec.filter(|spec| spec.flags.contains(Flags::BLOCKING)).and_then(|spec| time_blocked(command, spec))
}

fn time_blocked(command: &Command<'_>, spec: &'static Spec) -> Option<Duration> {
    if !spec.blocks(command) {
        return None;
    }
    Some(match spec.block_time(command) {
        Some(BlockTime::AtMost(time)) => time.min(FOREVER),
        Some(BlockTime::Forever) => FOREVER,
        None => Duration::ZERO,
    })
}
