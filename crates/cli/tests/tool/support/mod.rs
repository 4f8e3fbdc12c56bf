//! What the tests share: running the real binary with a deadline, and the options that lead to a lab.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod peers;

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use truename_lab::Lab;

/// The variable in which the tests hand the password over.
pub(crate) const VARIABLE: &str = "TRUENAME_TEST_PASSWORD";
/// A certificate to trust where none will be seen: tests must not depend on the system's roots.
pub(crate) const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/support/authority.pem");
/// No run may take longer, whatever the server does; those with deadlines of their own take much less.
const LIMIT: Duration = Duration::from_secs(30);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// The binary with these arguments and a quiet environment.
pub(crate) fn truename<S: AsRef<str>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truename"));
    command.args(args.iter().map(AsRef::as_ref)).stdin(Stdio::null()).kill_on_drop(true);
    let ours = ["TRUENAME_URL", "TRUENAME_PASSWORD", "TRUENAME_RESOLVE"];
    let others = ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "RUST_LOG", "SSL_CERT_FILE"];
    for name in ours.into_iter().chain(others) {
        command.env_remove(name);
    }
    command
}

/// Runs the binary with the lab's password in [`VARIABLE`].
pub(crate) async fn run<S: AsRef<str>>(args: &[S], password: Option<&str>) -> Run {
    let mut command = truename(args);
    command.env(VARIABLE, password.unwrap_or("none"));
    let line = args.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
    finished(line, command).await
}

/// Waits for a run to end; one that hangs is killed and fails the test.
pub(crate) async fn finished(line: String, mut command: Command) -> Run {
    let started = Instant::now();
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .unwrap_or_else(|_| panic!("hangs: truename {line}"))
        .unwrap();
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: started.elapsed(),
        line,
    };
    println!("{}", run.row());
    run
}

impl Run {
    /// Everything that was said.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// A row of the table that `cargo test -p truename-cli -- --nocapture | grep '^| truename'` makes.
    fn row(&self) -> String {
        let text = self.text();
        let cause = text.lines().find_map(|line| line.trim().strip_prefix("cause "));
        let told = cause.or_else(|| text.lines().next()).unwrap_or_default().trim();
        format!("| truename {} | {} | {} ms | {told} |", self.line, self.code, self.took.as_millis())
    }

    /// Asserts the exit code.
    pub(crate) fn ends_with(self, code: u8) -> Self {
        assert_eq!(self.code, i32::from(code), "truename {}\n{}", self.line, self.text());
        self
    }

    /// Asserts that all of this was said, on whatever stream.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        let text = self.text();
        for part in parts {
            assert!(text.contains(part), "`{part}` is missing: truename {}\n{text}", self.line);
        }
        self
    }

    /// Asserts that it did not take longer.
    pub(crate) fn within(self, limit: Duration) -> Self {
        assert!(self.took < limit, "took {:?}: truename {}\n{}", self.took, self.line, self.text());
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: truename {}\n{}", self.line, self.text()))
    }
}

/// The arguments of one command line, from pieces of it.
pub(crate) fn words(parts: &[&str]) -> Vec<String> {
    parts.iter().flat_map(|part| part.split_whitespace()).map(str::to_owned).collect()
}

/// The seed of a lab and the options without which no client can use it.
pub(crate) fn options(lab: &Lab) -> String {
    let (host, port) = lab.seed();
    let mut line = format!("{host}:{port} --password-env {VARIABLE}");
    line.push_str(&match lab.ca_pem_path() {
        Some(path) => format!(" --cacert {}", path.display()),
        None => " --plain".to_owned(),
    });
    for (host, _, address) in lab.resolve() {
        line.push_str(&format!(" --resolve {host}:{address}"));
    }
    for rule in lab.map_rules() {
        line.push_str(&format!(" --map {rule}"));
    }
    line
}

/// A command against a lab, with options before and words after.
pub(crate) async fn on(lab: &Lab, command: &str, more: &str, behind: &[&str]) -> Run {
    let mut args = words(&[command, &options(lab), more]);
    args.extend(behind.iter().map(|word| (*word).to_owned()));
    run(&args, lab.password()).await
}

/// Types a line into a running process.
pub(crate) async fn type_line(stdin: &mut tokio::process::ChildStdin, line: &str) {
    stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    stdin.flush().await.unwrap();
}
