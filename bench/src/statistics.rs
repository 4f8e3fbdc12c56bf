//! Medians with their range, of one quantity or of a ratio of two that were measured side by side.

use std::fmt;

/// The middle of several rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of the numbers among these; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Self { median, least, most })
    }
}

/// The spread of these as text; `-` if there are none.
pub(crate) fn shown(values: impl IntoIterator<Item = f64>) -> String {
    Spread::of(values).map_or_else(|| "-".to_owned(), |spread| spread.to_string())
}

/// Three significant digits, also with a precision: `{:#}` leaves the range out.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.pad(&short(self.median));
        }
        f.pad(&format!("{} [{}-{}]", short(self.median), short(self.least), short(self.most)))
    }
}

/// A number with about three significant digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 99.95 => format!("{value:.0}"),
        magnitude if magnitude >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
        assert_eq!(spread(&[f64::NAN, 1.0]), Some(Spread { median: 1.0, least: 1.0, most: 1.0 }));
        assert_eq!(spread(&[f64::NAN]), None);
    }

    #[test]
    fn three_digits() {
        let rows = [
            (0.0, "0.00"),
            (1.234, "1.23"),
            (9.999, "10.0"),
            (12.34, "12.3"),
            (99.97, "100"),
            (1234.5, "1234"),
        ];
        for (value, expected) in rows {
            assert_eq!(short(value), expected);
        }
    }
}
