//! A process and whatever it starts, as one group: all of it is killed when nobody waits for it any more.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::failure::Failure;

/// How long pipes may stay open after everything that held them was killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process left.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if it did not end in time.
    pub(super) status: Option<ExitStatus>,
    pub(super) output: String,
    pub(super) errors: String,
}

/// A group that is killed unless its first process was waited for.
struct Group {
    child: Child,
    has_ended: bool,
}

impl Group {
    fn kill(&mut self) {
        if self.has_ended {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // All of it may be gone.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        self.has_ended = true;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command in a group of its own, and kills it where it takes longer than `limit`. With `shows_errors` standard error
/// is shown as it comes. `ended` is told the number of the process when it is gone.
pub(super) fn run(
    command: &mut Command,
    limit: Duration,
    shows_errors: bool,
    ended: fn(u32),
) -> Result<Ended, Failure> {
    let deadline = Instant::now() + limit;
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut group = Group { child: command.spawn()?, has_ended: false };
    let process = group.child.id();
    // Both pipes are read at once, so that the process never waits for a reader.
    let output = read(group.child.stdout.take(), false);
    let errors = read(group.child.stderr.take(), shows_errors);
    let (all, is_over) = gather(&output, deadline);
    let (mut all_errors, errors_are_over) = gather(&errors, deadline);
    let status = if is_over && errors_are_over {
        let status = group.child.wait()?;
        group.has_ended = true;
        Some(status)
    } else {
        group.kill();
        all_errors.extend(gather(&errors, Instant::now() + PATIENCE).0);
        None
    };
    ended(process);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { status, output: text(all), errors: text(all_errors) })
}

/// Everything until the pipe is closed, and whether it was before the deadline.
fn gather(pipe: &Receiver<Vec<u8>>, deadline: Instant) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        match pipe.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(part) => all.extend(part),
            Err(mpsc::RecvTimeoutError::Disconnected) => return (all, true),
            Err(mpsc::RecvTimeoutError::Timeout) => return (all, false),
        }
    }
}

fn read(pipe: Option<impl Read + Send + 'static>, is_shown: bool) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || forward(pipe, &sender, is_shown));
    }
    receiver
}

fn forward(mut pipe: impl Read, sender: &Sender<Vec<u8>>, is_shown: bool) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        if is_shown {
            eprint!("{}", String::from_utf8_lossy(&buffer[..length]));
        }
        if sender.send(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

/// The end of what a process complained about: the last lines, which say most.
pub(super) fn summary(errors: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<_> = errors.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ended {
        run(Command::new("sh").args(["-c", script]).stdin(Stdio::null()), limit, false, |_| ()).unwrap()
    }

    #[test]
    fn what_is_printed_on_both_sides_comes_back() {
        let ended = shell("echo one; echo two >&2; exit 7", Duration::from_secs(30));
        assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("one\n", "two\n"));
        assert_eq!(ended.status.and_then(|status| status.code()), Some(7));
    }

    #[test]
    fn a_process_that_takes_too_long_is_killed_with_what_it_started_and_its_complaints_stay() {
        let began = Instant::now();
        let ended = shell("echo working; echo why >&2; sleep 600 & wait", Duration::from_millis(300));
        assert!(ended.status.is_none() && began.elapsed() < Duration::from_secs(60));
        assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("working\n", "why\n"));
    }
}
