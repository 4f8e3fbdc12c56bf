//! One run of a program: what it is told, the line that it prints, and that it ends.
//!
//! The contract is in `tools/clients/README.md`. A program ends by itself when its standard input does, so none is left
//! behind however this process ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::process::{self, Ended, summary};
use super::roster::Contestant;
use crate::failure::Failure;

/// How long a program may take beyond its warm-up and window: to start, to connect, and for calls under way at the end. A
/// thousand callers with a TLS connection each to every node take some clients a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a program is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) contestant: Contestant,
    pub(super) cell: Cell,
    pub(super) seed: &'a (String, u16),
    /// The authority to trust.
    pub(super) ca: Option<&'a Path>,
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

/// What a program saw in its window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) version: String,
    /// What runs it, or built it, with its version.
    pub(super) runtime: String,
    pub(super) commands: u64,
    pub(super) seconds: f64,
    pub(super) cpu_us: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Latencies that were not kept.
    pub(super) missed: u64,
    /// In the window; `None` if the client does not tell.
    pub(super) connections_opened: Option<u64>,
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

/// Runs a program once.
pub(super) fn run(program: &[String], job: Job<'_>) -> Result<Line, Failure> {
    let limit = job.warm_up + job.window + PATIENCE;
    let Ended { status, output, errors } = start(program, job, limit)?;
    match status {
        None => Err(Failure::new(format!("the program did not end within {limit:?}: {}", summary(&errors)))),
        Some(status) if status.success() => judge(&output),
        Some(status) => Err(Failure::new(format!("the program failed ({status}): {}", summary(&errors)))),
    }
}

/// Whether a program said within `limit` that it cannot do what it is told; if not, what it did instead.
pub(super) fn refuses(program: &[String], job: Job<'_>, limit: Duration) -> Result<(), Failure> {
    let Ended { status, output, errors } = start(program, job, limit)?;
    match status {
        None => Err(Failure::new(format!("it did not end within {limit:?}: {}", summary(&errors)))),
        Some(status) if status.success() && judge(&output).is_ok() => Err(Failure::new("it got replies")),
        Some(_) => Ok(()),
    }
}

fn start(program: &[String], job: Job<'_>, limit: Duration) -> Result<Ended, Failure> {
    let (executable, first) = program.split_first().ok_or_else(|| Failure::new("there is no program"))?;
    let (host, port) = job.seed;
    let mut command = Command::new(executable);
    command.args(first).args(["--client", &job.contestant.to_string(), "--host", host]);
    command.args(["--port", &port.to_string(), "--workload", &job.cell.reads.to_string()]);
    command.args(["--callers", &job.cell.callers.to_string()]);
    command.args(["--warm-up", &job.warm_up.as_secs_f64().to_string()]);
    command.args(["--window", &job.window.as_secs_f64().to_string()]);
    if let Some(ca) = job.ca {
        command.arg("--ca").arg(ca);
    }
    process::run(command.stdin(Stdio::piped()), limit, false, remove_sockets)
}

/// glide's two halves talk over a socket in this directory, and nobody removes it where the process was killed.
fn remove_sockets(process: u32) {
    let ours = format!("glide-socket-{process}-");
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&ours)) {
            // The program may have been quicker.
            let _ = fs::remove_file(entry.path());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::super::cell;
    use super::*;

    fn with_job<T>(work: impl FnOnce(Job<'_>) -> T) -> T {
        work(Job {
            contestant: Contestant::TruenameCt,
            cell: cell::all()[0],
            seed: &("127.0.0.1".to_owned(), 1),
            ca: None,
            warm_up: Duration::from_millis(500),
            window: Duration::from_millis(100),
        })
    }

    fn program(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn outcome(script: &str) -> Result<Line, Failure> {
        with_job(|job| run(&program(script), job))
    }

    fn line(commands: u64, failure: &str) -> String {
        format!(
            r#"echo '{{"version":"1","runtime":"sh","commands":{commands},"seconds":0.1,"cpu_us":50,"p50_us":1,"p99_us":2,"missed":0,"connections_opened":null,"failed":0,"first_failure":{failure}}}'"#
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

    #[test]
    fn only_a_program_that_says_so_refuses() {
        let refusal = |script: &str, limit| with_job(|job| refuses(&program(script), job, limit));
        let long = Duration::from_secs(30);
        assert_eq!(refusal("echo no >&2; exit 1", long), Ok(()));
        assert_eq!(refusal(&line(0, r#""refused""#), long), Ok(()));
        assert_eq!(refusal(&line(100, "null"), long), Err(Failure::new("it got replies")));
        let stuck = refusal("echo trying >&2; sleep 600", Duration::from_millis(300)).unwrap_err();
        assert!(stuck.to_string().ends_with("trying"), "{stuck}");
    }

    #[test]
    fn the_sockets_of_a_process_that_is_gone_are_removed() {
        // No process has this number: the highest is 4,194,304.
        let socket = |process: u32| format!("/tmp/glide-socket-{process}-{}", std::process::id());
        let (gone, other) = (socket(4_200_001), socket(4_200_002));
        for path in [&gone, &other] {
            fs::write(path, "").unwrap();
        }
        remove_sockets(4_200_001);
        let left = [&gone, &other].map(|path| fs::exists(path).unwrap());
        fs::remove_file(&other).unwrap();
        assert_eq!(left, [false, true]);
    }
}
