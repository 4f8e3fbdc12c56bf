//! One server process: finding the program, starting, signalling and ending it.
//!
//! A server starts only once the reaper knows its process id, and leads a process group of its own.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::LabError;
use crate::reaper::Reaper;

/// Overrides the search for a server program.
const PROGRAM_VARIABLE: &str = "TRUENAME_SERVER";
const PROGRAM_NAMES: [&str; 2] = ["valkey-server", "redis-server"];
const OLDEST: (u32, u32) = (7, 0);
const LOG_LINES: usize = 15;
/// File names inside a server's directory.
pub(crate) const CONFIG_FILE: &str = "server.conf";
pub(crate) const LOG_FILE: &str = "server.log";

/// Finds the server program: the given path, `$TRUENAME_SERVER`, `valkey-server` or `redis-server` on the path.
pub(crate) fn find_program(given: Option<&Path>) -> Result<PathBuf, LabError> {
    let named = given.map(Path::to_owned).or_else(|| env::var_os(PROGRAM_VARIABLE).map(PathBuf::from));
    let program = match named {
        Some(program) if program.is_file() => program,
        Some(program) => return Err(LabError::NoServer { searched: program.display().to_string() }),
        None => search_path().ok_or_else(|| LabError::NoServer {
            searched: format!("{} on PATH", PROGRAM_NAMES.join(", ")),
        })?,
    };
    check_version(&program)?;
    Ok(program)
}

fn search_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut candidates =
        PROGRAM_NAMES.iter().flat_map(|name| env::split_paths(&path).map(move |dir| dir.join(name)));
    candidates.find(|candidate| candidate.is_file())
}

fn check_version(program: &Path) -> Result<(), LabError> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(LabError::io(format!("run {}", program.display())))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&text) {
        None => Err(LabError::NotAServer { path: program.to_owned(), output: text }),
        Some((major, minor, version)) if (major, minor) < OLDEST => {
            Err(LabError::OldServer { path: program.to_owned(), version: version.to_owned() })
        }
        Some(_) => Ok(()),
    }
}

/// Reads `Redis server v=7.0.15 sha=...` or `Valkey server v=8.0.1 ...`.
fn parse_version(text: &str) -> Option<(u32, u32, &str)> {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, version))
}

/// A server that can be started, signalled and ended any number of times; ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    dir: PathBuf,
    reaper: Arc<Reaper>,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// A server that is not running yet; `dir` holds its configuration and receives its log.
    pub(crate) fn new(program: PathBuf, dir: PathBuf, reaper: Arc<Reaper>) -> Self {
        Self { program, dir, reaper, child: Mutex::new(None) }
    }

    /// Starts the process; does nothing if it runs already.
    pub(crate) fn start(&self) -> Result<(), LabError> {
        let mut slot = self.child();
        if slot.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            return Ok(());
        }
        self.collect(slot.take());
        *slot = Some(self.spawn().map_err(LabError::io(format!("start {}", self.program.display())))?);
        Ok(())
    }

    /// The shell waits for a line before it becomes the server: should this process die between the two steps, the
    /// shell reads end of file and no orphan is left.
    fn spawn(&self) -> std::io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut child = Command::new("sh")
            .args(["-c", r#"read -r go && exec "$0" "$1""#])
            .arg(&self.program)
            .arg(self.dir.join(CONFIG_FILE))
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let gate = child.stdin.take();
        let released = self.reaper.add(child.id()).and_then(|()| match gate {
            Some(mut gate) => gate.write_all(b"go\n"),
            None => Ok(()),
        });
        if let Err(error) = released {
            self.collect(Some(child));
            return Err(error);
        }
        Ok(child)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// The exit status if the process ended by itself.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends a signal to the server and the children it forked.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = self.child().as_mut() {
            // A child that was not collected yet keeps its number, so the signal cannot reach a stranger.
            if matches!(child.try_wait(), Ok(None)) {
                send(child.id(), signal);
            }
        }
    }

    /// Ends the process with SIGKILL and collects it.
    pub(crate) fn kill(&self) {
        let child = self.child().take();
        self.collect(child);
    }

    fn collect(&self, child: Option<Child>) {
        let Some(mut child) = child else { return };
        if matches!(child.try_wait(), Ok(None)) {
            send(child.id(), Signal::KILL);
        }
        self.reaper.remove(child.id());
        let _ = child.wait();
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join(LOG_FILE)
    }

    /// The last lines the server wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Turns an unexpected end into the error that says why.
    pub(crate) fn explain_exit(&self, node: usize, status: ExitStatus) -> LabError {
        let log = self.log_tail();
        if log.contains("Bad directive") && log.contains("tls-") {
            return LabError::ServerWithoutTls { path: self.program.clone() };
        }
        LabError::ServerExited { node, status: status.to_string(), log }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The process may have ended this very moment; then there is nothing left to signal.
        let _ = kill_process_group(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_servers_are_read() {
        let rows = [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some((7, 0))),
            ("Valkey server v=8.1.0 sha=00000000:0 malloc=jemalloc bits=64", Some((8, 1))),
            ("Redis server v=6.2.14 sha=0", Some((6, 2))),
            ("nginx version: nginx/1.22.1", None),
            ("v=x.y", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_version(text).map(|(major, minor, _)| (major, minor)), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_program_is_named_and_the_package_too() {
        let error = find_program(Some(Path::new("/nowhere/redis-server"))).unwrap_err();
        assert!(matches!(error, LabError::NoServer { .. }));
        assert!(error.to_string().contains("/nowhere/redis-server"));
        assert!(error.to_string().contains("install the package"));
    }

    #[test]
    fn another_program_is_not_a_server() {
        let error = find_program(Some(Path::new("/bin/true"))).unwrap_err();
        assert!(matches!(error, LabError::NotAServer { .. }), "{error}");
    }
}
