//! Programs of other languages: `tools/clients/build.sh` makes them, or says which toolchain is missing.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{self, Ended};
use super::roster::Language;
use crate::failure::Failure;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/clients/build.sh");
/// The script's exit code for a toolchain that is not installed.
const IS_MISSING: i32 = 3;
/// Long enough to fetch all packages over a slow line.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What became of a language's program.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// The command that starts it, with its first arguments.
    Built(Vec<String>),
    /// The toolchain is not installed, which is no fault of anybody's.
    Missing(String),
    /// It is installed, and the program could not be built.
    Failed(Failure),
}

/// Builds the program of a language. What the tools print goes to standard error.
pub(super) fn build(language: Language) -> Program {
    attempt(Command::new(SCRIPT).arg(language.to_string()), LIMIT).unwrap_or_else(Program::Failed)
}

fn attempt(script: &mut Command, limit: Duration) -> Result<Program, Failure> {
    let Ended { status, output, errors } = process::run(script.stdin(Stdio::null()), limit, true, |_| ())?;
    let reason = errors.lines().last().unwrap_or_default().trim_start_matches("clients: ").to_owned();
    let Some(status) = status else {
        return Err(Failure::new(format!("the program was not built within {limit:?}: {reason}")));
    };
    Ok(match status.code() {
        Some(0) => Program::Built(output.lines().map(str::to_owned).collect()),
        Some(IS_MISSING) => Program::Missing(reason),
        _ => Program::Failed(Failure::new(format!("the program was not built ({status}): {reason}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str) -> Program {
        attempt(Command::new("sh").args(["-c", script]), LIMIT).unwrap()
    }

    #[test]
    fn a_program_is_started_by_what_the_script_prints() {
        let program = outcome("echo noise >&2; printf '%s\\n' java -cp 'a b:c'");
        assert!(
            matches!(&program, Program::Built(command) if command == &["java", "-cp", "a b:c"]),
            "{program:?}"
        );
    }

    #[test]
    fn what_is_not_installed_and_what_does_not_build_are_two_things() {
        let program = outcome("echo one >&2; echo 'clients: there is no go on PATH' >&2; exit 3");
        assert!(
            matches!(&program, Program::Missing(reason) if reason == "there is no go on PATH"),
            "{program:?}"
        );
        let program = outcome("echo 'clients: a syntax error' >&2; exit 1");
        assert!(
            matches!(&program, Program::Failed(failure) if failure.to_string().contains("a syntax error")),
            "{program:?}"
        );
    }

    #[test]
    fn a_build_that_takes_too_long_is_a_failure_with_what_it_was_at() {
        let mut script = Command::new("sh");
        script.args(["-c", "echo 'clients: fetching' >&2; sleep 600"]);
        let failure = attempt(&mut script, Duration::from_millis(300)).unwrap_err().to_string();
        assert!(failure.ends_with("not built within 300ms: fetching"), "{failure}");
    }
}
