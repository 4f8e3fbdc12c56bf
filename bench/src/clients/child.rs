//! One run of a program: what it is told, the line that it prints, and that it ends.
//!
//! The contract is in `tools/clients/README.md`. A program ends by itself when its standard input does, so none is left
//! behind however this process ends.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::roster::Contestant;
use crate::failure::Failure;
use crate::target::Target;

/// How long a program may take beyond its warm-up and window: to start, to connect, and for calls under way at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program saw in its window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) version: String,
    pub(super) commands: u64,
    pub(super) seconds: f64,
    pub(super) cpu_us: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<String>,
}

impl Line {
    pub(super) fn us_per_command(&self) -> f64 {
        self.cpu_us / self.commands as f64
    }

    pub(super) fn commands_per_second(&self) -> f64 {
        self.commands as f64 / self.seconds
    }
}

/// A program that is killed unless it has ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program once.
pub(super) fn run(
    program: &[String],
    contestant: Contestant,
    cell: Cell,
    target: &Target,
    ca_path: Option<&str>,
    window: Duration,
) -> Result<Line, Failure> {
    let (executable, first) = program.split_first().ok_or_else(|| Failure::new("there is no program"))?;
    let (host, port) = target.seeds.first().ok_or_else(|| Failure::new("there is no seed"))?;
    let warm_up = contestant.warm_up();
    let mut command = Command::new(executable);
    command.args(first).args(["--client", &contestant.to_string(), "--host", host]);
    command.args(["--port", &port.to_string(), "--workload", &cell.reads.to_string()]);
    command.args(["--callers", &cell.callers.to_string()]);
    command.args(["--warm-up", &warm_up.as_secs_f64().to_string()]);
    command.args(["--window", &window.as_secs_f64().to_string()]);
    command.args(ca_path.map(|path| ["--ca", path]).into_iter().flatten());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn()?);
    // Both pipes are read at once, so that the program never waits for a reader.
    let output = read(running.0.stdout.take());
    let errors = read(running.0.stderr.take());
    let limit = warm_up + window + PATIENCE;
    let Ok(output) = output.recv_timeout(limit) else {
        return Err(Failure::new(format!("the program did not end within {limit:?}")));
    };
    let status = running.0.wait()?;
    let errors = errors.recv_timeout(PATIENCE).unwrap_or_default();
    if !status.success() {
        return Err(Failure::new(format!("the program failed ({status}): {}", summary(&errors))));
    }
    judge(&output)
}

/// The end of what a program complained about: the last lines, which say most.
fn summary(errors: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<_> = errors.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

fn judge(output: &str) -> Result<Line, Failure> {
    let line: Line = serde_json::from_str(output.trim())
        .map_err(|error| Failure::new(format!("the program printed {output:?}: {error}")))?;
    match (line.commands, &line.first_failure) {
        (0, Some(failure)) => Err(Failure::new(failure.clone())),
        (0, None) => Err(Failure::new("no call ended within the window")),
        _ => Ok(line),
    }
}

fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::super::cell;
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    fn outcome(script: &str) -> Result<Line, Failure> {
        let target = Target {
            seeds: vec![("127.0.0.1".to_owned(), 1)],
            is_cluster: true,
            primaries: Vec::new(),
            ca_pem: None,
        };
        let program = ["sh", "-c", script].map(str::to_owned);
        run(&program, Contestant::TruenameCt, cell::all()[0], &target, None, WINDOW)
    }

    fn line(commands: u64, failure: &str) -> String {
        format!(
            r#"echo '{{"version":"1","commands":{commands},"seconds":0.1,"cpu_us":50,"p50_us":1,"p99_us":2,"failed":0,"first_failure":{failure}}}'"#
        )
    }

    #[test]
    fn a_line_becomes_numbers() {
        let found = outcome(&line(100, "null")).unwrap();
        assert_eq!((found.us_per_command(), found.commands_per_second()), (0.5, 1000.0));
    }

    #[test]
    fn what_is_no_measurement_is_a_failure() {
        let rows = [
            (line(0, r#""refused""#), "refused"),
            (line(0, "null"), "no call ended"),
            ("echo hello".to_owned(), "hello"),
            ("echo one; echo two >&2; exit 7".to_owned(), "two"),
            ("true".to_owned(), "printed"),
        ];
        for (script, expected) in rows {
            let failure = outcome(&script).unwrap_err().to_string();
            assert!(failure.contains(expected), "{script}: {failure}");
        }
    }

    #[test]
    fn a_program_is_told_what_to_do() {
        let failure = outcome(r#"echo "$0 $*" >&2; exit 1"#).unwrap_err().to_string();
        assert!(
            failure.contains("--client truename-ct --host 127.0.0.1 --port 1 --workload get64"),
            "{failure}"
        );
        assert!(failure.contains("--callers 1 --warm-up 0.5 --window 0.1"), "{failure}");
    }
}
