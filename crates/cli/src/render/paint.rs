//! Colours, where they are wanted.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    enabled: bool,
}

impl Paint {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled }
    }

    pub(crate) fn is_enabled(self) -> bool {
        self.enabled
    }

    pub(crate) fn apply(self, style: Style, text: impl Display) -> String {
        if self.enabled { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    pub(crate) fn heading(self, text: impl Display) -> String {
        self.apply(Style::new().bold(), text)
    }

    pub(crate) fn error(self, text: impl Display) -> String {
        self.apply(BAD, text)
    }

    pub(crate) fn warning(self, text: impl Display) -> String {
        self.apply(DOUBTFUL, text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.apply(GOOD, text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.apply(Style::new().dimmed(), text)
    }
}

/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What needs a look.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_means_no_escape() {
        assert_eq!(Paint::new(false).error("x"), "x");
        assert!(Paint::new(true).error("x").starts_with('\u{1b}'));
    }
}
