//! A key that is incremented: what shows whether something was executed twice.
//!
//! Every answer gives the exact number, so between two of them there were as many increments as the number grew, or
//! more if some were lost. What it grew by beyond the acknowledged ones is charged to those that could rightly have
//! caused it, and only then to those that could not.

use super::fate::Fate;
use super::findings::{Defect, Findings};

/// The history of one counter that did not exist at its beginning.
#[derive(Debug, Clone)]
pub struct Counter {
    key: String,
    /// The number that an answer showed last.
    shown: u64,
    /// Increments since then that may have been executed.
    unknown: u64,
    /// Increments of unknown fate that an answer showed not to have been executed by then.
    absent: u64,
    /// Increments of which the client said that they were not executed.
    refused: u64,
}

impl Counter {
    /// A counter before anything was added to it.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), shown: 0, unknown: 0, absent: 0, refused: 0 }
    }

    /// Its name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Begins an increment. Until its end is reported it may have been executed.
    pub fn increment(&mut self) {
        self.unknown += 1;
    }

    /// The latest increment has ended.
    pub fn incremented(&mut self, fate: Fate<u64>) -> Findings {
        match fate {
            Fate::Acknowledged(count) => {
                self.unknown = self.unknown.saturating_sub(1);
                self.shows(count, self.shown + 1)
            }
            Fate::Refused => {
                self.unknown = self.unknown.saturating_sub(1);
                self.refused += 1;
                Findings::default()
            }
            Fate::Foreign(reply) => self.foreign("INCR", &reply),
            Fate::Unknown => Findings::default(),
        }
    }

    /// A read has ended: with this text, or none.
    pub fn read(&mut self, fate: Fate<Option<String>>) -> Findings {
        match fate {
            Fate::Acknowledged(None) => self.shows(0, self.shown),
            Fate::Acknowledged(Some(text)) => match text.parse() {
                Ok(count) => self.shows(count, self.shown),
                Err(_) => self.foreign("GET", &text),
            },
            Fate::Foreign(reply) => self.foreign("GET", &reply),
            Fate::Refused | Fate::Unknown => Findings::default(),
        }
    }

    /// An answer shows this number. It would be the expected one if nothing were unknown.
    fn shows(&mut self, count: u64, expected: u64) -> Findings {
        let mut surplus = count.saturating_sub(expected);
        let mut charge = |most: u64| {
            let part = surplus.min(most);
            surplus -= part;
            part
        };
        let in_time = charge(self.unknown);
        let late = charge(self.absent);
        let denied = charge(self.refused);
        let Self { key, unknown, absent, refused, .. } = &*self;
        let text = || {
            format!(
                "{key} is {count} in place of {expected}; {unknown} increments may have been executed since the last \
                 answer, {absent} had not been by then, {refused} were refused"
            )
        };
        let mut findings = Findings::default();
        findings.note(Defect::Lost, expected.saturating_sub(count), text);
        findings.note(Defect::Late, late, text);
        findings.note(Defect::Denied, denied, text);
        findings.note(Defect::Twice, surplus, text);
        self.absent = self.absent - late + (self.unknown - in_time);
        self.refused -= denied;
        self.unknown = 0;
        self.shown = count;
        findings
    }

    fn foreign(&self, command: &str, reply: &str) -> Findings {
        let mut findings = Findings::default();
        findings.note(Defect::Foreign, 1, || format!("{command} {} gave {reply:?}", self.key));
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Defect::{Denied, Foreign, Late, Lost, Twice};
    use Step::{Done, Gives, Refused, Unknown};

    /// Three ways in which an increment ends, and a read.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Done(u64),
        Refused,
        Unknown,
        Gives(u64),
    }

    fn judged(steps: &[Step]) -> Findings {
        let (mut counter, mut findings) = (Counter::new("key"), Findings::default());
        for &step in steps {
            let fate = match step {
                Done(count) => Fate::Acknowledged(count),
                Refused => Fate::Refused,
                Unknown => Fate::Unknown,
                Gives(count) => {
                    let text = (count > 0).then(|| count.to_string());
                    findings.add(counter.read(Fate::Acknowledged(text)));
                    continue;
                }
            };
            counter.increment();
            findings.add(counter.incremented(fate));
        }
        findings
    }

    #[test]
    fn a_counter_grows_by_what_was_acknowledged_and_by_some_of_what_is_unknown() {
        let rows: [&[Step]; 8] = [
            &[Gives(0), Done(1), Done(2), Gives(2)],
            &[Done(1), Unknown, Done(2)],
            &[Done(1), Unknown, Done(3), Gives(3)],
            &[Done(1), Unknown, Unknown, Unknown, Done(3)],
            &[Unknown, Unknown, Gives(2)],
            &[Unknown, Refused, Gives(1)],
            &[Done(1), Refused, Done(2), Refused, Gives(2)],
            &[Done(1), Unknown, Gives(1), Unknown, Done(3)],
        ];
        for steps in rows {
            assert!(judged(steps).is_clean(), "{steps:?}");
        }
    }

    /// The defects of a history, each with its number.
    type Row<'a> = (&'a [Step], &'a [(Defect, u64)]);

    #[test]
    fn every_defect_is_found_and_counted_once() {
        let rows: [Row<'_>; 15] = [
            (&[Done(1), Gives(0)], &[(Lost, 1)]),
            (&[Done(1), Done(1)], &[(Lost, 1)]),
            (&[Done(1), Done(2), Done(3), Done(2), Done(3)], &[(Lost, 2)]),
            (&[Done(1), Done(2), Done(1), Done(2)], &[(Lost, 2)]),
            (&[Done(1), Unknown, Done(3), Gives(2)], &[(Lost, 1)]),
            (&[Done(1), Unknown, Done(2), Done(4)], &[(Late, 1)]),
            (&[Unknown, Gives(0), Gives(1)], &[(Late, 1)]),
            (&[Unknown, Gives(0), Gives(2)], &[(Late, 1), (Twice, 1)]),
            (&[Done(1), Refused, Done(3), Done(4)], &[(Denied, 1)]),
            (&[Unknown, Refused, Gives(2)], &[(Denied, 1)]),
            (&[Refused, Gives(2)], &[(Denied, 1), (Twice, 1)]),
            (&[Done(1), Done(3), Done(4)], &[(Twice, 1)]),
            (&[Done(1), Unknown, Done(4)], &[(Twice, 1)]),
            (&[Unknown, Gives(2), Gives(2)], &[(Twice, 1)]),
            // One that was lost and is back.
            (&[Done(1), Done(2), Gives(1), Gives(2)], &[(Lost, 1), (Twice, 1)]),
        ];
        for (steps, defects) in rows {
            assert_eq!(judged(steps).counts(), defects, "{steps:?}");
        }
        for defect in [Lost, Late, Denied, Twice] {
            let is_alone = |(_, found): &Row<'_>| matches!(found, [(only, _)] if *only == defect);
            assert!(rows.iter().any(is_alone), "{defect:?} has no history of its own");
        }
    }

    #[test]
    fn replies_to_others_give_themselves_away() {
        let mut counter = Counter::new("key");
        counter.increment();
        assert_eq!(counter.incremented(Fate::Foreign("OK".to_owned())).count(Foreign), 1);
        for text in ["OK", "", "-1", "key#1"] {
            assert_eq!(counter.read(Fate::Acknowledged(Some(text.to_owned()))).count(Foreign), 1, "{text}");
        }
        assert_eq!(counter.read(Fate::Foreign("an array".to_owned())).count(Foreign), 1);
        assert!(
            counter.read(Fate::Acknowledged(Some("1".to_owned()))).is_clean(),
            "it may have been executed"
        );
    }

    #[test]
    fn what_did_not_end_may_have_been_executed_and_reads_that_failed_say_nothing() {
        for count in ["0", "1", "2"] {
            let mut counter = Counter::new("key");
            counter.increment();
            counter.increment();
            assert!(counter.read(Fate::Unknown).is_clean());
            assert!(counter.read(Fate::Refused).is_clean());
            assert!(counter.read(Fate::Acknowledged(Some(count.to_owned()))).is_clean(), "{count}");
        }
    }
}
