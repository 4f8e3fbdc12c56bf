//! An error in one line: for a log, and as part of another error's text.

use super::command::{InterruptedError, ProtocolError, ServerError, TimeoutError};
use super::remedy::Remedy;
use super::text::shown;
use super::{ConnectError, Error};

impl Error {
    /// The error in one line, without its [remedy](Self::remedy), for a log. `Display` is the whole of it: for [`Error::Connect`] a report of several
    /// lines, and with what would help.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::cmd;
    ///
    /// if let Err(error) = client.run(cmd("SET").arg("city").arg("Oslo")).await {
    ///     // cannot connect to 10.0.0.4:8501: tcp: connection refused (1 of 3 attempts that failed)
    ///     println!("{}", error.summary());
    ///     // All attempts, and what would help.
    ///     eprintln!("{error}");
    /// }
    /// # }
    /// ```
    pub fn summary(&self) -> String {
        match self {
            Self::Connect(error) => format!("cannot connect to {}{}", error.brief(), error.among_others()),
            Self::InBatch(error) => format!("{}: {}", error.place(), error.error.summary()),
            Self::Config(error) => {
                let lines: Vec<_> = error.what.lines().map(str::trim).collect();
                shown(&lines.join(" ")).to_string()
            }
            other => other.in_brief().0,
        }
    }

    /// The error in one line, to be part of another error's text, and what would fix it.
    pub(crate) fn in_brief(&self) -> (String, Option<Remedy>) {
        let text = match self {
            Self::Connect(error) => error.brief(),
            Self::Timeout(error) => TimeoutError { remedy: None, ..TimeoutError::clone(error) }.to_string(),
            Self::Interrupted(error) => InterruptedError::clone(error).with_remedy(None).to_string(),
            Self::Protocol(error) => {
                ProtocolError { remedy: None, ..ProtocolError::clone(error) }.to_string()
            }
            Self::Partial(error) => error.what(),
            Self::Route(error) => error.what(),
            Self::Server(error) => ServerError { remedy: None, ..ServerError::clone(error) }.to_string(),
            Self::InBatch(error) => format!("{}: {}", error.place(), error.error.in_brief().0),
            other => other.to_string(),
        };
        (text, self.remedy().cloned())
    }
}

impl ConnectError {
    /// The decisive failure in one line.
    fn brief(&self) -> String {
        self.decisive().map_or_else(|| self.to_string(), |decisive| decisive.summary())
    }

    /// How many failed besides the one that is told of.
    fn among_others(&self) -> String {
        match self.failures.len() + self.omitted {
            0 | 1 => String::new(),
            all => format!(" (1 of {all} attempts that failed)"),
        }
    }
}
