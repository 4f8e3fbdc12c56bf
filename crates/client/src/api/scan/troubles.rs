//! Slots that could not be scanned so far: since when, how often it was tried, and when they are given up. Pure.
//!
//! What must stay true: time alone gives nothing up, and failures alone do not. A reader may let hours pass between two
//! attempts, and sixteen may fail within a second: what counts is an attempt that fails when the patience is over, and not the
//! first few. What is noted of some slots changes nothing about others.

use std::time::Duration;

use truename_topology::Endpoint;

use super::error::{MissingCause, MissingSlots};
use super::slots::SlotSet;
use crate::error::Error;

/// How many passes over a slot come to nothing, at least, before it is given up for that.
pub(super) const LEAST_PASSES: u32 = 16;
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
#[derive(Debug, Clone)]
struct Trouble {
    slots: SlotSet,
    /// Since when there was no progress.
    since: Option<Duration>,
    rest_until: Duration,
    /// Attempts since then.
    tries: u32,
    /// The last one failed when the patience was over.
    is_late: bool,
    /// Passes that came to nothing, and when the first one did.
    passes: u32,
    first_pass: Option<Duration>,
    /// The last one did when the patience was over.
    is_spent: bool,
    node: Option<Endpoint>,
    cause: MissingCause,
}

impl Troubles {
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn new(patience: Duration) -> Self {
        Self { list: Vec::new(), patience }
    }

    /// Notes that slots cannot be scanned at the moment, and lets them rest.
    pub(super) fn note(
        &mut self,
        slots: &SlotSet,
        node: Option<&Endpoint>,
        cause: &MissingCause,
        now: Duration,
    ) {
        let known = self.split(slots);
        let new = slots.without(&known);
        if !new.is_empty() {
            self.list.push(Trouble::new(new, cause));
        }
        let patience = self.patience;
        for trouble in self.within(slots) {
            trouble.tries = trouble.since.map_or(1, |_| trouble.tries + 1);
            let since = *trouble.since.get_or_insert(now);
            trouble.rest_until = now + rest_after(trouble.tries);
            trouble.is_late = trouble.tries >= LEAST_TRIES && now >= since + patience;
            (trouble.node, trouble.cause) = (node.cloned(), cause.clone());
        }
    }

    /// Counts a pass over these slots that came to nothing, and lets them rest the longer the more there were: keys that
    /// were returned meanwhile are no progress.
    pub(super) fn came_to_nothing(&mut self, slots: &SlotSet, now: Duration) {
        self.split(slots);
        let patience = self.patience;
        for trouble in self.within(slots) {
            trouble.passes += 1;
            let first = *trouble.first_pass.get_or_insert(now);
            trouble.rest_until = trouble.rest_until.max(now + rest_after(trouble.passes));
            trouble.is_spent = trouble.passes >= LEAST_PASSES && now >= first + patience;
        }
    }

    /// Keys of these slots were returned, and will not be read again.
    pub(super) fn progressed(&mut self, slots: &SlotSet) {
        if self.list.is_empty() {
            return;
        }
        self.split(slots);
        self.within(slots).for_each(|trouble| (trouble.since, trouble.is_late) = (None, false));
        self.merge();
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
            if !(trouble.is_late || trouble.is_spent || is_final(&trouble.cause)) {
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

    /// Sees to it that every trouble is of these slots alone or of none of them. Returns which of them have one.
    fn split(&mut self, slots: &SlotSet) -> SlotSet {
        let (mut known, mut apart) = (SlotSet::empty(), Vec::new());
        for trouble in &mut self.list {
            let common = trouble.slots.common(slots);
            known.add(&common);
            if !common.is_empty() && common != trouble.slots {
                trouble.slots.take_away(&common);
                apart.push(Trouble { slots: common, ..trouble.clone() });
            }
        }
        self.list.extend(apart);
        known
    }

    /// The troubles of these slots, after [`split`](Self::split).
    fn within(&mut self, slots: &SlotSet) -> impl Iterator<Item = &mut Trouble> {
        self.list.iter_mut().filter(move |trouble| !trouble.slots.common(slots).is_empty())
    }

    /// Makes one trouble of those that differ in nothing that still counts: slots that make progress one by one would make as
    /// many otherwise.
    fn merge(&mut self) {
        let mut merged: Vec<Trouble> = Vec::new();
        for trouble in self.list.drain(..) {
            match merged
                .iter_mut()
                .find(|other| other.is_over() && trouble.is_over() && other.counts_as(&trouble))
            {
                Some(other) => other.slots.add(&trouble.slots),
                None => merged.push(trouble),
            }
        }
        self.list = merged;
    }
}

impl Trouble {
    fn new(slots: SlotSet, cause: &MissingCause) -> Self {
        Self {
            slots,
            since: None,
            rest_until: Duration::ZERO,
            tries: 0,
            is_late: false,
            passes: 0,
            first_pass: None,
            is_spent: false,
            node: None,
            cause: cause.clone(),
        }
    }

    /// Whether there was progress since.
    fn is_over(&self) -> bool {
        self.since.is_none() && !self.is_spent
    }

    fn counts_as(&self, other: &Self) -> bool {
        (self.passes, self.first_pass, self.rest_until) == (other.passes, other.first_pass, other.rest_until)
    }
}

/// How long slots rest after so many failures.
fn rest_after(failures: u32) -> Duration {
    REST.1.min(REST.0 * (1 << failures.saturating_sub(1).min(10)))
}

/// Whether it is no use trying again.
fn is_final(cause: &MissingCause) -> bool {
    match cause {
        MissingCause::Failed(error) => !may_pass(error),
        cause => matches!(cause, MissingCause::Silent),
    }
}

/// Whether the same question may be answered later, or by another node.
pub(super) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Closed | Error::Config(_) | Error::Type(_) | Error::Protocol(_) => false,
        Error::Server(answer) => {
            error.is_retryable()
                || matches!(
                    answer.reply.code(),
                    "BUSY"
                        | "MOVED"
                        | "ASK"
                        | "READONLY"
                        | "MASTERDOWN"
                        | "LOADING"
                        | "TRYAGAIN"
                        | "CLUSTERDOWN"
                )
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use truename_resp::ErrorReply;

    use super::super::slots::slots;
    use super::*;
    use crate::error::{Execution, ServerError, TypeError};

    fn said(text: &'static str, execution: Execution) -> Error {
        Error::Server(Box::new(ServerError {
            reply: ErrorReply::new(text),
            node: Endpoint::new("node", 1),
            slot: None,
            attempts: 1,
            execution,
            remedy: None,
        }))
    }

    /// Where `CLUSTERSCAN` meets what does not pass, there is `SCAN`; and what does not pass ends a scan at once.
    #[test]
    fn some_answers_pass_and_others_do_not() {
        let rows = [
            ("NOPERM User app has no permissions to run the 'clusterscan' command", false),
            ("ERR unknown command 'clusterscan'", false),
            ("ERR syntax error", false),
            ("NOAUTH Authentication required.", false),
            ("MOVED 7 10.0.0.1:7000", true),
            ("ASK 7 10.0.0.1:7000", true),
            ("LOADING the dataset", true),
            ("BUSY a script runs", true),
            ("CLUSTERDOWN the cluster is down", true),
        ];
        for (text, passes) in rows {
            assert_eq!(may_pass(&said(text, Execution::Possible)), passes, "{text}");
        }
        assert!(!may_pass(&Error::from(TypeError::new("a cursor", "another text"))));
        assert!(may_pass(&Error::connect(Vec::new(), Duration::ZERO)));
    }

    /// What was noted of one slot reset, or used up, what was known of others with the same trouble.
    #[test]
    fn what_is_noted_of_some_slots_changes_nothing_about_others() {
        let mut troubles = Troubles::new(Duration::from_secs(1));
        for second in 0..5 {
            troubles.note(&slots(0, 9), None, &MissingCause::Moving, Duration::from_secs(second));
        }
        troubles.progressed(&slots(0, 4));
        let given_up = troubles.give_up(&SlotSet::all());
        assert!(matches!(&given_up[..], [missing] if missing.slots == slots(5, 9).ranges()), "{given_up:?}");
        for second in 0..20 {
            let now = Duration::from_secs(second);
            troubles.note(&slots(0, 4), None, &MissingCause::Moving, now);
            troubles.progressed(&slots(0, 4));
            troubles.came_to_nothing(&slots(0, 1), now);
        }
        let given_up = troubles.give_up(&SlotSet::all());
        assert!(matches!(&given_up[..], [missing] if missing.slots == slots(0, 1).ranges()), "{given_up:?}");
    }

    #[test]
    fn slots_that_make_progress_one_by_one_do_not_make_as_many_troubles() {
        let mut troubles = Troubles::new(Duration::from_secs(1));
        troubles.note(&slots(0, 999), None, &MissingCause::Moving, Duration::ZERO);
        for slot in 0..900 {
            troubles.progressed(&slots(slot, slot));
        }
        assert_eq!(troubles.list.len(), 2);
    }
}
