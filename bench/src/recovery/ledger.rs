//! What one worker knows of its counter and its value, and what replies may therefore say.
//!
//! Counters show duplicates: every increment that was acknowledged counts once, every one that failed at most once.
//! Values name their key and their sequence, so a reply that belongs to another call gives itself away.

/// How many examples are kept.
const EXAMPLES: usize = 3;

/// What replies gave away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdicts {
    /// Increments beyond those that were asked for.
    pub(super) duplicates: u64,
    /// Acknowledged writes that are gone. Replication is asynchronous: a failover may lose some, whatever the client.
    pub(super) lost: u64,
    /// Replies that no history can contain.
    pub(super) wrong: u64,
    /// The first duplicates and wrong replies, in words.
    pub(super) evidence: Vec<String>,
}

impl Verdicts {
    pub(super) fn add(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.evidence.extend(other.evidence);
        self.evidence.truncate(EXAMPLES);
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.evidence.len() < EXAMPLES {
            self.evidence.push(text());
        }
    }
}

/// The increments of one key.
#[derive(Debug, Default)]
pub(super) struct Counter {
    last: u64,
    /// Increments that failed and were not seen to count; any of them may still.
    pending: u64,
}

impl Counter {
    pub(super) fn failed(&mut self) {
        self.pending += 1;
    }

    pub(super) fn acknowledged(&mut self, count: u64, verdicts: &mut Verdicts) {
        let expected = self.last + 1;
        let surplus = count.saturating_sub(expected);
        let explained = surplus.min(self.pending);
        if surplus > explained {
            verdicts.duplicates += surplus - explained;
            let pending = self.pending;
            verdicts.example(|| format!("INCR gave {count} in place of {expected}, {pending} had failed"));
        }
        verdicts.lost += expected.saturating_sub(count);
        self.pending -= explained;
        self.last = count;
    }
}

/// The writes of one key.
#[derive(Debug)]
pub(super) struct Value {
    key: String,
    sent: u64,
    acknowledged: u64,
}

impl Value {
    pub(super) fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), sent: 0, acknowledged: 0 }
    }

    /// What to write next.
    pub(super) fn next(&mut self) -> String {
        self.sent += 1;
        format!("{}#{}", self.key, self.sent)
    }

    pub(super) fn written(&mut self) {
        self.acknowledged = self.sent;
    }

    pub(super) fn read(&mut self, found: Option<&str>, verdicts: &mut Verdicts) {
        let sequence = match found {
            None => Some(0),
            Some(text) => text
                .strip_prefix(self.key.as_str())
                .and_then(|rest| rest.strip_prefix('#'))
                .and_then(|sequence| sequence.parse().ok())
                .filter(|sequence| *sequence <= self.sent),
        };
        match sequence {
            None => {
                verdicts.wrong += 1;
                let (key, sent) = (&self.key, self.sent);
                verdicts.example(|| format!("GET {key} gave {found:?}, the last write was {sent}"));
            }
            Some(sequence) if sequence < self.acknowledged => {
                verdicts.lost += 1;
                self.acknowledged = sequence;
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies to increments; `None` is one that failed.
    fn counted(replies: &[Option<u64>]) -> Verdicts {
        let (mut counter, mut verdicts) = (Counter::default(), Verdicts::default());
        for reply in replies {
            match reply {
                Some(count) => counter.acknowledged(*count, &mut verdicts),
                None => counter.failed(),
            }
        }
        verdicts
    }

    #[test]
    fn increments_that_failed_count_at_most_once() {
        let rows: [(&[Option<u64>], u64, u64); 8] = [
            (&[Some(1), Some(2), Some(3)], 0, 0),
            (&[Some(1), None, Some(2)], 0, 0),
            (&[Some(1), None, Some(3)], 0, 0),
            (&[Some(1), None, Some(4)], 1, 0),
            (&[Some(1), Some(3)], 1, 0),
            // It was executed only after the next one had been answered.
            (&[Some(1), None, Some(2), Some(4)], 0, 0),
            // A failover lost two; a new cluster begins anew.
            (&[Some(1), Some(2), Some(3), Some(2)], 0, 2),
            (&[Some(1), Some(2), Some(1), Some(2)], 0, 2),
        ];
        for (replies, duplicates, lost) in rows {
            let found = counted(replies);
            assert_eq!((found.duplicates, found.lost, found.wrong), (duplicates, lost, 0), "{replies:?}");
        }
    }

    #[test]
    fn a_read_gives_the_last_write_or_a_later_one() {
        let rows = [
            (Some("k#2"), (0, 0)),
            (Some("k#3"), (0, 0)),
            (Some("k#1"), (1, 0)),
            (None, (1, 0)),
            (Some("k#4"), (0, 1)),
            (Some("j#2"), (0, 1)),
            (Some("OK"), (0, 1)),
        ];
        for (found, expected) in rows {
            let (mut value, mut verdicts) = (Value::new("k"), Verdicts::default());
            for _ in 0..2 {
                value.next();
                value.written();
            }
            value.next();
            value.read(found, &mut verdicts);
            assert_eq!((verdicts.lost, verdicts.wrong), expected, "{found:?}");
        }
    }
}
