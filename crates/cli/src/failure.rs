//! [`Failure`]: why a command of this tool did not do what it was asked to.
//!
//! One type for the whole tool, so that every way to fail has an exit code and a text.

use std::fmt;
use std::io;

use truename::Error;
use truename_lab::LabError;

use crate::exit::Exit;
use crate::spelling::as_options;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed cannot be understood.
    Usage {
        /// What is wrong, and where.
        what: String,
        /// What to write instead.
        remedy: String,
    },
    /// What was typed cannot work on this machine, such as a file that is not there.
    Config {
        /// What is wrong, and where.
        what: String,
        /// What to write instead.
        remedy: String,
    },
    /// The client library says so.
    Client(Box<Error>),
    /// The lab says so.
    Lab(Box<LabError>),
    /// The output could not be written.
    Output(io::Error),
    /// The operating system refuses something that normally works.
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), remedy: remedy.into() }
    }

    pub(crate) fn config(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Config { what: what.into(), remedy: remedy.into() }
    }

    /// Whether it is only that the reader of our output went away.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::Config { .. } => Exit::Config,
            Self::Client(error) => error.as_ref().into(),
            Self::Lab(_) => Exit::Lab,
            Self::Output(_) if self.is_closed_pipe() => Exit::Ok,
            Self::Output(_) | Self::System { .. } => Exit::Internal,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { what, remedy } | Self::Config { what, remedy } => {
                write!(f, "{what}\n  remedy: {remedy}")
            }
            Self::Client(error) => error.spelled(as_options).fmt(f),
            Self::Lab(error) => write!(f, "the lab: {error}"),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::Lab(Box::new(error))
    }
}

/// Only writing our own output gives a bare I/O error; everything else says what it was doing.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
