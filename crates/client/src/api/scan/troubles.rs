//! Slots that could not be scanned so far: since when, how often it was tried, and when they are given up. Pure.
//!
//! What must stay true: time alone gives nothing up. A reader may let hours pass between two attempts, so what counts is an
//! attempt that fails when the patience is over, and not the first few.

use std::time::Duration;

use truename_topology::Endpoint;

use super::error::{MissingCause, MissingSlots};
use super::slots::SlotSet;
use crate::error::Error;

/// How often passes over a slot may come to nothing.
pub(super) const MOST_RESTARTS: u32 = 16;
/// How often a slot is tried, at least, before the patience can be over.
const LEAST_TRIES: u32 = 5;
/// The first and the longest pause before a slot is tried again.
const REST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// All slots that could not be scanned so far, each once.
#[derive(Debug)]
pub(super) struct Troubles {
    list: Vec<Trouble>,
    patience: Duration,
}

/// Slots with the same trouble.
#[derive(Debug)]
struct Trouble {
    slots: SlotSet,
    /// Since when there was no progress.
    since: Option<Duration>,
    rest_until: Duration,
    /// Attempts since then.
    tries: u32,
    /// The last one failed when the patience was over.
    is_late: bool,
    restarts: u32,
    node: Option<Endpoint>,
    cause: MissingCause,
}

impl Troubles {
    pub(super) fn new(patience: Duration) -> Self {
        Self { list: Vec::new(), patience }
    }

    /// Notes that slots cannot be scanned at the moment, and lets them rest.
    pub(super) fn note(
        &mut self,
        slots: &SlotSet,
        node: Option<Endpoint>,
        cause: &MissingCause,
        now: Duration,
    ) {
        let mut rest = slots.clone();
        let mut changed = Vec::new();
        for trouble in &mut self.list {
            let common = trouble.slots.common(&rest);
            if common.is_empty() {
                continue;
            }
            rest.take_away(&common);
            trouble.slots.take_away(&common);
            let tries = trouble.since.map_or(1, |_| trouble.tries + 1);
            changed.push((common, trouble.since.unwrap_or(now), tries, trouble.restarts));
        }
        if !rest.is_empty() {
            changed.push((rest, now, 1, 0));
        }
        self.list.retain(|trouble| !trouble.slots.is_empty());
        let changed = changed.into_iter().map(|(slots, since, tries, restarts)| Trouble {
            slots,
            since: Some(since),
            rest_until: now + REST.1.min(REST.0 * (1 << (tries - 1).min(10))),
            tries,
            is_late: tries >= LEAST_TRIES && now >= since + self.patience,
            restarts,
            node: node.clone(),
            cause: cause.clone(),
        });
        self.list.extend(changed);
    }

    /// Counts a pass over these slots that came to nothing.
    pub(super) fn restarted(&mut self, slots: &SlotSet) {
        self.of(slots).for_each(|trouble| trouble.restarts += 1);
    }

    /// Keys of these slots were returned.
    pub(super) fn progressed(&mut self, slots: &SlotSet) {
        self.of(slots).for_each(|trouble| (trouble.since, trouble.is_late) = (None, false));
    }

    /// These slots are done.
    pub(super) fn over(&mut self, done: &SlotSet) {
        self.list.iter_mut().for_each(|trouble| trouble.slots.take_away(done));
        self.list.retain(|trouble| !trouble.slots.is_empty());
    }

    /// The slots that are not to be tried yet.
    pub(super) fn resting(&self, now: Duration) -> SlotSet {
        let mut resting = SlotSet::empty();
        let tired = self.list.iter().filter(|trouble| trouble.rest_until > now);
        tired.for_each(|trouble| resting.add(&trouble.slots));
        resting
    }

    /// When the first of these slots can be tried again that cannot be tried now.
    pub(super) fn look_again(&self, todo: &SlotSet, now: Duration) -> Option<Duration> {
        let waiting = self.list.iter().filter(|trouble| !trouble.slots.common(todo).is_empty());
        waiting.map(|trouble| trouble.rest_until).filter(|until| *until > now).min()
    }

    /// Takes out of these slots what is not to be tried any more.
    pub(super) fn give_up(&mut self, todo: &SlotSet) -> Vec<MissingSlots> {
        let mut given_up = Vec::new();
        for trouble in &mut self.list {
            if !(trouble.is_late || trouble.restarts >= MOST_RESTARTS || is_final(&trouble.cause)) {
                continue;
            }
            let slots = trouble.slots.common(todo);
            if slots.is_empty() {
                continue;
            }
            trouble.slots.take_away(&slots);
            let (node, cause) = (trouble.node.clone(), trouble.cause.clone());
            given_up.push(MissingSlots { slots: slots.ranges(), node, cause });
        }
        self.list.retain(|trouble| !trouble.slots.is_empty());
        given_up
    }

    fn of(&mut self, slots: &SlotSet) -> impl Iterator<Item = &mut Trouble> {
        self.list.iter_mut().filter(move |trouble| !trouble.slots.common(slots).is_empty())
    }
}

/// Whether it is no use trying again.
fn is_final(cause: &MissingCause) -> bool {
    let MissingCause::Failed(error) = cause else { return matches!(cause, MissingCause::Silent) };
    match error {
        Error::Closed | Error::Config(_) | Error::Type(_) | Error::Protocol(_) => true,
        Error::Server(answer) => {
            let may_pass = matches!(answer.reply.code(), "BUSY" | "MOVED" | "READONLY" | "MASTERDOWN");
            !error.is_retryable() && !may_pass
        }
        _ => false,
    }
}
