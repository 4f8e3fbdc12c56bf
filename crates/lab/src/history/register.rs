//! A key that is set to values of its own and read back.
//!
//! Every value names the key, its writer and its place in the order of writes, so that a read says which write it
//! shows. A `SET` that is executed a second time is seen when it brings an old value back.

use super::fate::Fate;
use super::findings::{Defect, Findings};
use super::marks::{Mark, Marks};

/// The history of one key that did not exist at its beginning.
#[derive(Debug, Clone)]
pub struct Register {
    key: String,
    /// What its values begin with. It differs from that of any other register, even one of the same key.
    stamp: String,
    /// Writes are counted from 1 on; 0 is the key that does not exist.
    sent: u64,
    /// The write that an answer showed last.
    shown: u64,
    /// Of writes that were not acknowledged: all that came after `shown`, and some of those before it.
    marks: Marks,
}

impl Register {
    /// A key before anything was written to it.
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        let stamp = format!("{key}#{:08x}#", fastrand::u32(..));
        Self { key, stamp, sent: 0, shown: 0, marks: Marks::default() }
    }

    /// Its name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Begins a write, and says of which value. Until its end is reported it may have been executed.
    pub fn write(&mut self) -> String {
        self.sent += 1;
        self.marks.set(self.sent, self.sent, Some(Mark::Unknown), self.shown);
        self.value(self.sent)
    }

    /// The latest write has ended.
    pub fn wrote(&mut self, fate: Fate<()>) -> Findings {
        let mut findings = Findings::default();
        match fate {
            Fate::Acknowledged(()) => {
                self.shown = self.sent;
                self.marks.set(self.sent, self.sent, None, self.shown);
            }
            Fate::Refused => self.marks.set(self.sent, self.sent, Some(Mark::Refused), self.shown),
            // The own reply may still come, or have gone to another call.
            Fate::Foreign(reply) => {
                findings.note(Defect::Foreign, 1, || format!("SET {} gave {reply:?}", self.key));
            }
            Fate::Unknown => {}
        }
        findings
    }

    /// A read has ended: with this value, or none.
    pub fn read(&mut self, fate: Fate<Option<String>>) -> Findings {
        let mut findings = Findings::default();
        let foreign = match fate {
            Fate::Acknowledged(None) => return self.shows(0),
            Fate::Acknowledged(Some(value)) => match self.sequence(&value) {
                Some(sequence) => return self.shows(sequence),
                None => value,
            },
            Fate::Foreign(reply) => reply,
            Fate::Refused | Fate::Unknown => return findings,
        };
        findings.note(Defect::Foreign, 1, || {
            format!("GET {} gave {foreign:?}, the last of its writes was {}", self.key, self.sent)
        });
        findings
    }

    /// The value of a write.
    pub(super) fn value(&self, sequence: u64) -> String {
        format!("{}{sequence}", self.stamp)
    }

    /// The write that a value comes from, if it is one of ours.
    fn sequence(&self, value: &str) -> Option<u64> {
        let sequence = value.strip_prefix(&self.stamp)?.parse().ok()?;
        ((1..=self.sent).contains(&sequence) && value == self.value(sequence)).then_some(sequence)
    }

    /// An answer shows this write.
    fn shows(&mut self, found: u64) -> Findings {
        let (shown, mark) = (self.shown, self.marks.of(found));
        let text =
            || format!("GET {} showed write {found} of {}, and before that {shown}", self.key, self.sent);
        let mut findings = Findings::default();
        findings.note(Defect::Lost, u64::from(found < shown), text);
        findings.note(Defect::Late, u64::from(mark == Some(Mark::Absent)), text);
        findings.note(Defect::Denied, u64::from(mark == Some(Mark::Refused)), text);
        self.shown = found;
        self.marks.set(found, found, None, found);
        if found < shown {
            // If any of them is seen again, it was not gone.
            self.marks.set(found + 1, shown, Some(Mark::Absent), found);
        }
        self.marks.pass(found);
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Defect::{Denied, Foreign, Late, Lost};
    use Step::{Done, Gives, Refused, Unknown};

    /// Three ways in which a write ends, and a read that gives the value of a write.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Done,
        Refused,
        Unknown,
        Gives(u64),
    }

    fn judged(steps: &[Step]) -> Findings {
        let (mut register, mut findings) = (Register::new("key"), Findings::default());
        for &step in steps {
            let fate = match step {
                Done => Fate::Acknowledged(()),
                Refused => Fate::Refused,
                Unknown => Fate::Unknown,
                Gives(sequence) => {
                    let value = (sequence > 0).then(|| register.value(sequence));
                    findings.add(register.read(Fate::Acknowledged(value)));
                    continue;
                }
            };
            register.write();
            findings.add(register.wrote(fate));
        }
        findings
    }

    #[test]
    fn a_read_shows_the_last_write_or_one_since_whose_fate_is_unknown() {
        let rows: [&[Step]; 9] = [
            &[Gives(0)],
            &[Done, Gives(1), Done, Gives(2)],
            &[Done, Refused, Gives(1)],
            &[Done, Unknown, Gives(1)],
            &[Done, Unknown, Gives(2), Gives(2)],
            &[Unknown, Gives(0)],
            &[Done, Unknown, Refused, Unknown, Gives(2)],
            &[Done, Unknown, Refused, Unknown, Gives(4)],
            &[Done, Unknown, Gives(1), Done, Gives(3)],
        ];
        for steps in rows {
            assert!(judged(steps).is_clean(), "{steps:?}");
        }
    }

    /// The defects of a history, each with its number.
    type Row<'a> = (&'a [Step], &'a [(Defect, u64)]);

    #[test]
    fn every_defect_is_found_and_counted_once() {
        let rows: [Row<'_>; 13] = [
            (&[Done, Gives(0)], &[(Lost, 1)]),
            (&[Done, Done, Gives(1), Gives(1)], &[(Lost, 1)]),
            // What was shown once is there.
            (&[Done, Unknown, Gives(2), Gives(1)], &[(Lost, 1)]),
            // Either the third was lost, or the second was executed late.
            (&[Done, Unknown, Done, Gives(2)], &[(Lost, 1)]),
            (&[Done, Unknown, Gives(1), Gives(2)], &[(Late, 1)]),
            (&[Done, Unknown, Gives(1), Done, Gives(2)], &[(Lost, 1), (Late, 1)]),
            (&[Unknown, Unknown, Gives(1), Gives(2)], &[(Late, 1)]),
            // It was not gone after all.
            (&[Done, Done, Gives(1), Gives(2)], &[(Lost, 1), (Late, 1)]),
            (&[Done, Done, Gives(1), Done, Gives(2)], &[(Lost, 2), (Late, 1)]),
            (&[Done, Refused, Gives(2)], &[(Denied, 1)]),
            (&[Refused, Done, Gives(1)], &[(Lost, 1), (Denied, 1)]),
            (&[Done, Gives(2)], &[(Foreign, 1)]),
            (&[Done, Gives(2), Gives(1), Done, Gives(1)], &[(Lost, 1), (Foreign, 1)]),
        ];
        for (steps, defects) in rows {
            assert_eq!(judged(steps).counts(), defects, "{steps:?}");
        }
        for defect in [Lost, Late, Denied, Foreign] {
            let is_alone = |(_, found): &Row<'_>| matches!(found, [(only, _)] if *only == defect);
            assert!(rows.iter().any(is_alone), "{defect:?} has no history of its own");
        }
    }

    #[test]
    fn replies_to_others_give_themselves_away() {
        let mut register = Register::new("key");
        let value = register.write();
        assert!(register.wrote(Fate::Acknowledged(())).is_clean());
        let mut other = Register::new("key");
        let texts = [other.write(), "OK".to_owned(), format!("{value}0"), value.replace("#1", "#+1")];
        for text in texts.into_iter().chain([String::new(), register.value(0), register.value(2)]) {
            let findings = register.read(Fate::Acknowledged(Some(text.clone())));
            assert_eq!(findings.count(Foreign), 1, "{text}");
        }
        assert_eq!(register.read(Fate::Foreign("an array".to_owned())).count(Foreign), 1);
        register.write();
        assert_eq!(register.wrote(Fate::Foreign("an array".to_owned())).count(Foreign), 1);
        // Of that write nothing is known.
        let mut second = register.clone();
        assert!(register.read(Fate::Acknowledged(Some(value))).is_clean());
        let value = second.value(2);
        assert!(second.read(Fate::Acknowledged(Some(value))).is_clean());
    }

    #[test]
    fn what_did_not_end_may_have_been_executed_and_reads_that_failed_say_nothing() {
        for found in [1, 2, 3] {
            let mut register = Register::new("key");
            register.write();
            assert!(register.wrote(Fate::Acknowledged(())).is_clean());
            register.write();
            register.write();
            assert!(register.read(Fate::Unknown).is_clean());
            assert!(register.read(Fate::Refused).is_clean());
            let value = register.value(found);
            assert!(register.read(Fate::Acknowledged(Some(value))).is_clean(), "{found}");
        }
    }

    #[test]
    fn a_long_outage_accuses_nobody() {
        for found in [0, 1, 999, 1999] {
            let mut register = Register::new("key");
            for fate in [Fate::Unknown, Fate::Refused].into_iter().cycle().take(2000) {
                register.write();
                assert!(register.wrote(fate).is_clean());
            }
            let value = (found > 0).then(|| register.value(found));
            assert!(register.read(Fate::Acknowledged(value)).is_clean(), "{found}");
            let refused = register.value(2000);
            assert_eq!(register.read(Fate::Acknowledged(Some(refused))).count(Denied), 1);
        }
    }
}
