//! The reaper: a tiny shell process that outlives the lab's owner just long enough to clean up after it.
//!
//! It learns the servers' process ids over a pipe. When the pipe closes (the lab was dropped, or its process
//! panicked, was interrupted or was killed with SIGKILL) it kills the servers that are left and removes the
//! lab's directory. It sits in a process group of its own, so a Ctrl-C on the terminal does not reach it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Servers lead process groups of their own, so `kill -- -PID` ends their forked children too; `-s KILL --` is the
/// one spelling of it that dash and bash both take. The removal is
/// repeated because a server that is still dying may create a file while `rm` runs.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=
while read -r verb pid; do
  case $verb in
    add) pids="$pids $pid" ;;
    del)
      kept=
      for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done
      pids=$kept ;;
  esac
done
for p in $pids; do
  kill -s CONT -- "-$p" 2>/dev/null
  kill -s KILL -- "-$p" 2>/dev/null
done
for try in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf -- "$1" 2>/dev/null && break
  sleep 0.1
done
"#;

/// Handle of the reaper process; dropping it makes the reaper do its work and waits for it.
#[derive(Debug)]
pub(crate) struct Reaper {
    pipe: Mutex<Option<ChildStdin>>,
    shell: Child,
}

impl Reaper {
    /// Starts the reaper that will remove `dir`.
    pub(crate) fn start(dir: &Path) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "truename-lab-reaper"])
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { pipe, shell })
    }

    /// From now on the process group led by `pid` dies with the lab.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        self.tell(&format!("add {pid}\n"))
    }

    /// The process is about to be collected; its number may be given to a stranger afterwards.
    pub(crate) fn remove(&self, pid: u32) {
        // A reaper that is gone cannot kill anyone, so a failed message is harmless here.
        let _ = self.tell(&format!("del {pid}\n"));
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(line.as_bytes()))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_dies_and_what_was_removed_lives() {
        let sleeper = || Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let dir = tempfile::tempdir().unwrap().keep();
        let (mut doomed, mut spared) = (sleeper(), sleeper());
        let reaper = Reaper::start(&dir).unwrap();
        reaper.add(doomed.id()).unwrap();
        reaper.add(spared.id()).unwrap();
        reaper.remove(spared.id());
        drop(reaper);
        assert!(!doomed.wait().unwrap().success());
        assert!(spared.try_wait().unwrap().is_none());
        assert!(!dir.exists());
        spared.kill().unwrap();
        spared.wait().unwrap();
    }
}
