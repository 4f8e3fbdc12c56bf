//! What was wrong with a history: how often, of which kind, and a few examples in words.
//!
//! What stays true: nothing that was noted gets lost when findings are added up, except for examples beyond the first few.

use std::collections::BTreeMap;

/// How many examples of each kind are kept.
const EXAMPLES: usize = 3;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// A write that was acknowledged, or that an answer showed, is gone. Replication is asynchronous: a failover that was
    /// not coordinated may lose some, whatever the client does. Nothing else has such an excuse.
    Lost,
    /// A write is there that the answer to a later call of its task had shown not to be: it was executed late, out of its
    /// order; or that answer came from a server that lagged behind.
    Late,
    /// A write is there of which the client said that it was not executed.
    Denied,
    /// A write was executed more often than it was asked for.
    Twice,
    /// A reply belongs to another call, or shows a value that was never written to this key.
    Foreign,
}

/// What was found wrong. Nothing, to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a defect that nobody looks at was not found"]
pub struct Findings(BTreeMap<Defect, Finding>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Finding {
    count: u64,
    examples: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    /// How many calls have this defect.
    pub fn count(&self, defect: Defect) -> u64 {
        self.0.get(&defect).map_or(0, |finding| finding.count)
    }

    /// The first few calls with this defect, in words.
    pub fn examples(&self, defect: Defect) -> &[String] {
        self.0.get(&defect).map_or(&[], |finding| &finding.examples)
    }

    /// All but this defect, for where it has an excuse.
    pub fn without(mut self, defect: Defect) -> Self {
        self.0.remove(&defect);
        self
    }

    /// Adds what was found elsewhere or later.
    pub fn add(&mut self, other: Self) {
        for (defect, found) in other.0 {
            let finding = self.0.entry(defect).or_default();
            finding.count = finding.count.saturating_add(found.count);
            finding.examples.extend(found.examples);
            finding.examples.truncate(EXAMPLES);
        }
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> Vec<(Defect, u64)> {
        self.0.iter().map(|(defect, finding)| (*defect, finding.count)).collect()
    }

    /// This many calls have the defect; none is not a finding.
    pub(super) fn note(&mut self, defect: Defect, count: u64, example: impl FnOnce() -> String) {
        if count > 0 {
            self.add(Self(BTreeMap::from([(defect, Finding { count, examples: vec![example()] })])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_add_up_and_keep_a_few_examples_of_each_kind() {
        let mut sum = Findings::default();
        sum.note(Defect::Twice, 0, || unreachable!("nothing happened"));
        assert!(sum.is_clean());
        for number in 0..5 {
            let mut one = Findings::default();
            one.note(Defect::Lost, 2, || format!("lost {number}"));
            sum.add(one);
        }
        sum.note(Defect::Foreign, 1, || "foreign".to_owned());
        assert_eq!([Defect::Lost, Defect::Foreign, Defect::Late].map(|defect| sum.count(defect)), [10, 1, 0]);
        assert_eq!(sum.examples(Defect::Lost), ["lost 0", "lost 1", "lost 2"]);
        assert_eq!(sum.examples(Defect::Foreign), ["foreign"]);
        assert!(sum.examples(Defect::Late).is_empty());
        let rest = sum.without(Defect::Lost);
        assert!(!rest.is_clean() && rest.without(Defect::Foreign).is_clean());
    }
}
