//! The FIFO of what was submitted and is not answered yet, oldest first.

use std::collections::VecDeque;

use crate::lane::received::{Form, Unit};

/// In which form the next replies are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextForm {
    /// All that are outstanding in this one.
    All(Form),
    /// The next one in this form; those after it may differ.
    One(Form),
}

/// Indices of waiters, in the order of their bytes in the stream.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: VecDeque<u32>,
    /// The replies still to be collected beyond one for each entry.
    further: usize,
    /// How many entries want their replies as they come.
    raw: usize,
}

impl InFlight {
    #[inline(always)]
    pub(super) fn push(&mut self, index: u32, unit: Unit) {
        self.entries.push_back(index);
        if !unit.is_plain {
            self.further += unit.collected as usize - 1;
            self.raw += usize::from(unit.form == Form::Raw);
        }
    }

    /// A reply to the oldest entry was collected, and is not its last one.
    #[inline(always)]
    pub(super) fn answered(&mut self) {
        self.further -= 1;
    }

    /// Removes the oldest entry, of which no more than one reply was outstanding.
    #[inline(always)]
    pub(super) fn pop(&mut self, unit: Unit) {
        self.entries.pop_front();
        if !unit.is_plain {
            self.raw -= usize::from(unit.form == Form::Raw);
        }
    }

    #[inline(always)]
    pub(super) fn oldest(&self) -> Option<u32> {
        self.entries.front().copied()
    }

    pub(super) fn at(&self, position: usize) -> Option<u32> {
        self.entries.get(position).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().copied()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Commands without a reply: an entry can be several.
    #[inline]
    pub(super) fn commands(&self) -> usize {
        self.entries.len() + self.further
    }

    /// In which form the next replies are wanted; `oldest` is that of the oldest entry.
    #[inline]
    pub(super) fn next_form(&self, oldest: impl FnOnce(u32) -> Form) -> NextForm {
        match self.oldest() {
            None => NextForm::All(Form::Decoded),
            Some(_) if self.raw == 0 => NextForm::All(Form::Decoded),
            Some(_) if self.raw == self.entries.len() => NextForm::All(Form::Raw),
            Some(index) => NextForm::One(oldest(index)),
        }
    }
}
