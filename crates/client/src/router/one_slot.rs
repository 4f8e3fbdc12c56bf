//! Keys that must all be of one slot: the first key of each slot, for the error that says that they are not.

use bytes::Bytes;
use truename_topology::Slot;

use crate::command::{Arguments, Command, Spec, keys};
use crate::error::{Error, KeysBySlot, RouteError};

/// Of how many slots an error tells.
const TOLD_SLOTS: usize = 8;

/// The first key of each slot; of many slots, some.
#[derive(Clone, Default)]
pub(super) struct FirstKeys(Vec<(Bytes, Slot)>);

impl FirstKeys {
    /// Those of a command.
    pub(super) fn of(command: &Command<'_>, spec: &Spec) -> Self {
        let mut found = Self::default();
        keys(spec, command, &mut |index| {
            if let Some(key) = command.at(index) {
                found.note(key, Slot::of_key(key));
            }
        });
        found
    }

    pub(super) fn note(&mut self, key: &[u8], slot: Slot) {
        if self.0.len() < TOLD_SLOTS && self.0.iter().all(|(_, known)| *known != slot) {
            self.0.push((Bytes::copy_from_slice(key), slot));
        }
    }

    /// The first key of all, and its slot.
    pub(super) fn first(&self) -> Option<&(Bytes, Slot)> {
        self.0.first()
    }

    pub(super) fn are_of_several_slots(&self) -> bool {
        self.0.len() > 1
    }

    pub(super) fn into_keys(self) -> KeysBySlot {
        self.0.into()
    }

    /// The refusal of what has these keys.
    pub(super) fn cross_slot(self, command: impl Into<String>) -> Error {
        Error::Route(Box::new(RouteError::CrossSlot { command: command.into(), keys: self.into_keys() }))
    }
}
