//! What is known about the writes to a register that were not acknowledged, as ranges of their sequences.
//!
//! What stays true: ranges are in order, do not overlap and are at most [`MOST`]. When there would be more, the oldest
//! gives way. Below the write that was shown last it is forgotten: if one of its writes comes back, that still counts
//! as a loss. Above, where every write has a mark, two become one of unknown writes: that may excuse a refused write
//! that was executed, and accuses nobody.

/// Neighbours of one kind share a range, and an outage has one kind of failure or two: real histories have a few.
const MOST: usize = 64;

/// What is known about a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It may have been executed.
    Unknown,
    /// A later call was answered without it.
    Absent,
    /// The client said that it was not executed.
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    first: u64,
    last: u64,
    mark: Mark,
}

/// The marks of all writes to one register.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks(Vec<Range>);

impl Marks {
    /// The mark of a write, if it has one.
    pub(super) fn of(&self, sequence: u64) -> Option<Mark> {
        let range = self.0.iter().find(|range| (range.first..=range.last).contains(&sequence))?;
        Some(range.mark)
    }

    /// Gives the writes from `first` to `last` this mark, or none. `shown` is the write that was shown last.
    pub(super) fn set(&mut self, first: u64, last: u64, mark: Option<Mark>, shown: u64) {
        let (mut ranges, mut above) = (Vec::new(), Vec::new());
        for range in &self.0 {
            if range.first < first {
                ranges.push(Range { last: range.last.min(first - 1), ..*range });
            }
            if range.last > last {
                above.push(Range { first: range.first.max(last + 1), ..*range });
            }
        }
        ranges.extend(mark.map(|mark| Range { first, last, mark }));
        ranges.extend(above);
        self.0 = ranges;
        self.join();
        self.limit(shown);
    }

    /// An answer showed write `shown`: what is unknown of those after it was not executed before that.
    pub(super) fn pass(&mut self, shown: u64) {
        for range in &mut self.0 {
            if range.first > shown && range.mark == Mark::Unknown {
                range.mark = Mark::Absent;
            }
        }
        self.join();
    }

    /// Neighbours of one kind become one.
    fn join(&mut self) {
        self.0.dedup_by(|next, range| {
            let joins = range.mark == next.mark && range.last + 1 == next.first;
            if joins {
                range.last = next.last;
            }
            joins
        });
    }

    fn limit(&mut self, shown: u64) {
        while self.0.len() > MOST {
            let oldest = self.0.remove(0);
            if oldest.first > shown {
                self.0[0] = Range { first: oldest.first, mark: Mark::Unknown, ..self.0[0] };
                self.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: Option<Mark> = Some(Mark::Unknown);
    const A: Option<Mark> = Some(Mark::Absent);
    const R: Option<Mark> = Some(Mark::Refused);

    fn of(marks: &Marks, sequences: std::ops::RangeInclusive<u64>) -> Vec<Option<Mark>> {
        sequences.map(|sequence| marks.of(sequence)).collect()
    }

    #[test]
    fn ranges_are_split_and_joined() {
        let mut marks = Marks::default();
        for sequence in 1..=6 {
            marks.set(sequence, sequence, U, 0);
        }
        assert_eq!(marks.0.len(), 1);
        marks.set(3, 3, R, 0);
        assert_eq!(of(&marks, 0..=7), [None, U, U, R, U, U, U, None]);
        marks.set(5, 5, None, 5);
        marks.pass(5);
        assert_eq!(of(&marks, 1..=7), [U, U, R, U, None, A, None]);
        marks.set(2, 5, A, 1);
        assert_eq!(of(&marks, 1..=7), [U, A, A, A, A, A, None]);
        assert_eq!(marks.0.len(), 2);
    }

    #[test]
    fn what_was_shown_since_is_forgotten_first() {
        let mut marks = Marks::default();
        // Each was acknowledged after one that was refused.
        for sequence in (1..=1001).step_by(2) {
            marks.set(sequence, sequence, R, sequence - 1);
        }
        assert_eq!(marks.0.len(), MOST);
        assert_eq!((marks.of(1), marks.of(1000), marks.of(1001)), (None, None, R));
    }

    #[test]
    fn of_what_was_not_shown_the_oldest_becomes_unknown() {
        let mut marks = Marks::default();
        for sequence in 1..=300 {
            marks.set(sequence, sequence, if sequence % 2 == 0 { U } else { R }, 0);
            assert!(marks.0.len() <= MOST);
            assert!((1..=sequence).all(|sequence| marks.of(sequence).is_some()));
            assert!((2..=sequence).step_by(2).all(|sequence| marks.of(sequence) == U));
        }
        assert_eq!((marks.of(1), marks.of(299)), (U, R));
    }
}
