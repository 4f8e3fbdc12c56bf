//! Showing results: for people and for programs, through one buffered writer.
//!
//! - [`Report`] is what a command found out; it knows both forms.
//! - [`Output`] is standard output: it picks the form and writes it.
//! - [`human`], [`paint`], [`json`], [`table`], [`reply`] are what the forms are made of.
//! - [`Harmless`] is what everything for people goes through, on both streams.
//!
//! What stays true: results go to standard output and nothing else does; a JSON document is one line; every
//! complete result is flushed, so a reader sees it at once. No control character leaves this module but our own line
//! breaks and colours, and no character that turns text around: not in text, not in JSON, where they are `\u` escapes.
//! The one exception is data: the reply that `exec` writes to a pipe.

mod harmless;
pub(crate) mod human;
pub(crate) mod json;
mod paint;
pub(crate) mod reply;
pub(crate) mod table;

use std::io::{self, BufWriter, IsTerminal, StderrLock, StdoutLock, Write};

use anstream::{AutoStream, ColorChoice};
use serde_json::Value;

use crate::args::{ColorWhen, OutputArgs};
use crate::failure::Failure;
pub(crate) use harmless::Harmless;
pub(crate) use human::Page;
pub(crate) use paint::Paint;

/// What a command found out, in both forms.
pub(crate) trait Report {
    /// For people.
    fn human(&self, page: &mut Page<'_>) -> io::Result<()>;

    /// For programs. Keys are never renamed.
    fn json(&self) -> Value;
}

/// Standard output, and how to colour both streams.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    paint: Paint,
    paint_errors: Paint,
    width: Option<usize>,
    is_json: bool,
    is_terminal: bool,
}

impl Output {
    /// Looks at the streams once; nothing changes afterwards.
    pub(crate) fn new(args: &OutputArgs) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Self {
            paint: Paint::new(is_coloured(args.color, AutoStream::choice(&stdout))),
            paint_errors: Paint::new(is_coloured(args.color, AutoStream::choice(&stderr))),
            width: human::terminal_width(),
            is_json: args.json,
            is_terminal: stdout.is_terminal(),
            out: BufWriter::new(stdout.lock()),
        }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether a person is likely to look at standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How to colour standard error.
    pub(crate) fn paint_errors(&self) -> Paint {
        self.paint_errors
    }

    /// Shows a report in the form that was asked for.
    pub(crate) fn show(&mut self, report: &dyn Report) -> Result<(), Failure> {
        if self.is_json {
            return self.document(&report.json());
        }
        self.page(|page| report.human(page))
    }

    /// Writes a JSON document.
    pub(crate) fn document(&mut self, document: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{}", json::ascii_where_harmful(&document.to_string()))?;
        Ok(self.out.flush()?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// Writes for people; nothing at all when results are JSON.
    pub(crate) fn page(
        &mut self,
        write: impl FnOnce(&mut Page<'_>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.is_json {
            return Ok(());
        }
        let mut harmless = Harmless::new(&mut self.out, self.paint.is_enabled());
        write(&mut Page::new(&mut harmless, self.paint, self.width))?;
        Ok(self.out.flush()?)
    }

    /// Warns on standard error.
    pub(crate) fn warn(&self, text: &str) {
        self.complain(&self.paint_errors.warning("warning:"), text);
    }

    /// Reports progress on standard error. If that fails, there is nowhere else to report it.
    pub(crate) fn progress(&self, text: &str) {
        let _ = writeln!(self.errors(), "{text}");
    }

    /// Reports a failure: on standard error for people, on standard output for programs.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if failure.is_closed_pipe() {
            return;
        }
        // A program that asked for JSON gets the reason in JSON; if even that cannot be written, people get it.
        if self.is_json && self.document(&json::failure(failure)).is_ok() {
            return;
        }
        self.complain(&self.paint_errors.error("error:"), &failure.to_string());
    }

    /// One message on standard error. If that fails, there is nowhere else to report it.
    fn complain(&self, label: &str, text: &str) {
        let _ = writeln!(self.errors(), "{label} {text}");
    }

    fn errors(&self) -> Harmless<StderrLock<'static>> {
        Harmless::new(io::stderr().lock(), self.paint_errors.is_enabled())
    }
}

fn is_coloured(when: ColorWhen, detected: ColorChoice) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => detected != ColorChoice::Never,
    }
}
