//! What was written, and whether an answer fits it. Pure: no clock, no connection.
//!
//! Every key has one writer, which waits for each answer. So a read must return the last acknowledged value or a later
//! one that was sent. A write whose fate is unknown may take effect at any time, even late; one that was refused,
//! never.

/// A value that says where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) key: String,
    pub(super) writer: usize,
    pub(super) sequence: u64,
}

impl Stamp {
    /// The value as it is stored.
    pub(super) fn text(&self) -> String {
        format!("{}|{}|{}", self.key, self.writer, self.sequence)
    }

    /// The sequence of a stored value, if it belongs to this key and writer.
    pub(super) fn sequence_of(text: &str, key: &str, writer: usize) -> Option<u64> {
        let mut parts = text.split('|');
        let fits = parts.next() == Some(key) && parts.next()?.parse() == Ok(writer);
        let sequence = parts.next()?.parse().ok()?;
        (fits && parts.next().is_none()).then_some(sequence)
    }
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    /// It had no effect and never will.
    Refused,
    /// It may have been executed, or be executed later.
    Unknown,
}

/// What a read shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// An acknowledged write is not there.
    Lost,
    /// A value that nobody wrote here.
    Foreign,
}

/// The history of one key.
#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    sent: u64,
    /// The last value that is known to have been there.
    seen: u64,
    unknown: Vec<u64>,
}

impl KeyHistory {
    /// The sequence of the next write.
    pub(super) fn next(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Notes how the latest write ended.
    pub(super) fn note(&mut self, fate: Fate) {
        match fate {
            Fate::Acknowledged => self.seen = self.sent,
            Fate::Refused => {}
            Fate::Unknown => self.unknown.push(self.sent),
        }
    }

    /// Judges a read: the sequence found, or nothing.
    pub(super) fn judge(&mut self, found: Option<u64>) -> Verdict {
        let found = found.unwrap_or(0);
        if found == self.seen {
            return Verdict::Right;
        }
        if self.unknown.contains(&found) {
            self.seen = found;
            return Verdict::Right;
        }
        if found < self.seen { Verdict::Lost } else { Verdict::Foreign }
    }
}

/// The history of one counter.
#[derive(Debug, Default)]
pub(super) struct CounterHistory {
    acknowledged: u64,
    unknown: u64,
}

impl CounterHistory {
    /// Notes how an increment ended.
    pub(super) fn note(&mut self, fate: Fate) {
        match fate {
            Fate::Acknowledged => self.acknowledged += 1,
            Fate::Refused => {}
            Fate::Unknown => self.unknown += 1,
        }
    }

    /// Whether a counter may stand there. Exactly so if nothing is unknown.
    pub(super) fn admits(&self, value: u64) -> bool {
        self.lost(value) == 0 && self.duplicates(value) == 0
    }

    /// Acknowledged increments that are missing.
    pub(super) fn lost(&self, value: u64) -> u64 {
        self.acknowledged.saturating_sub(value)
    }

    /// Increments that were executed more often than they were sent.
    pub(super) fn duplicates(&self, value: u64) -> u64 {
        value.saturating_sub(self.acknowledged + self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_back_by_their_owner_only() {
        let text = Stamp { key: "k:1".to_owned(), writer: 3, sequence: 17 }.text();
        assert_eq!(Stamp::sequence_of(&text, "k:1", 3), Some(17));
        for (text, key, writer) in [
            (text.as_str(), "k:2", 3),
            (text.as_str(), "k:1", 4),
            ("k:1|3", "k:1", 3),
            ("k:1|3|x", "k:1", 3),
            ("k:1|3|1|", "k:1", 3),
        ] {
            assert_eq!(Stamp::sequence_of(text, key, writer), None, "{text} {key} {writer}");
        }
    }

    /// Writes with these fates, then judges a read.
    fn judged(fates: &[Fate], found: Option<u64>) -> Verdict {
        let mut history = KeyHistory::default();
        for &fate in fates {
            history.next();
            history.note(fate);
        }
        history.judge(found)
    }

    #[test]
    fn reads_are_judged_by_what_was_written() {
        use Fate::{Acknowledged as A, Refused as R, Unknown as U};
        use Verdict::{Foreign, Lost, Right};
        let rows: [(&[Fate], Option<u64>, Verdict); 14] = [
            (&[], None, Right),
            (&[], Some(1), Foreign),
            (&[A], Some(1), Right),
            (&[A], None, Lost),
            (&[A, A], Some(1), Lost),
            (&[A, A], Some(3), Foreign),
            (&[A, R], Some(1), Right),
            (&[A, R], Some(2), Foreign),
            (&[A, U], Some(1), Right),
            (&[A, U], Some(2), Right),
            (&[U], None, Right),
            // The unknown write took effect late, after the acknowledged one.
            (&[A, U, A], Some(2), Right),
            (&[A, U, A], Some(1), Lost),
            (&[A, U, U], Some(3), Right),
        ];
        for (fates, found, verdict) in rows {
            assert_eq!(judged(fates, found), verdict, "{fates:?} {found:?}");
        }
    }

    #[test]
    fn what_was_seen_once_is_not_unseen() {
        let mut history = KeyHistory::default();
        for fate in [Fate::Acknowledged, Fate::Unknown] {
            history.next();
            history.note(fate);
        }
        assert_eq!(history.judge(Some(2)), Verdict::Right);
        assert_eq!(history.judge(Some(1)), Verdict::Lost);
    }

    #[test]
    fn counters_are_judged_by_what_was_sent() {
        let history = CounterHistory { acknowledged: 10, unknown: 2 };
        for (value, lost, duplicates) in [(9, 1, 0), (10, 0, 0), (12, 0, 0), (13, 0, 1)] {
            assert_eq!((history.lost(value), history.duplicates(value)), (lost, duplicates), "{value}");
            assert_eq!(history.admits(value), lost + duplicates == 0);
        }
    }
}
