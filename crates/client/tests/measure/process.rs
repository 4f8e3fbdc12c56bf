//! What the operating system says about this process, and other processes made of the same test program.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

/// Clock ticks per second in `/proc`: fixed for user space on Linux.
const TICKS: u64 = 100;

/// Processor time of a process so far, to a hundredth of a second. `process` is a process id, or `self`.
fn cpu_time(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("procfs");
    // The second field is the program's name in parentheses and may hold spaces; user and system time are the
    // 14th and 15th.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// The share of one processor that this process uses while nothing asks anything of it, in percent.
pub(crate) async fn idle_cpu() -> u64 {
    cpu_in_a_second("self").await
}

async fn cpu_in_a_second(process: &str) -> u64 {
    let before = cpu_time(process);
    sleep(Duration::from_secs(1)).await;
    (cpu_time(process) - before).as_millis() as u64 / 10
}

/// Sockets that this process has open.
pub(crate) fn open_sockets() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("procfs");
    let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// This test program running one of its ignored tests as a process of its own. It is killed when this is dropped.
pub(crate) struct Role {
    child: Child,
}

impl Role {
    /// Starts the ignored test `name` with these environment variables, after `prelude` in a shell.
    pub(crate) fn start(name: &str, prelude: &str, variables: &[(&str, String)]) -> Self {
        let program: PathBuf = std::env::current_exe().expect("our own program");
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("{prelude} exec \"$0\" \"$@\""))
            .arg(program)
            .args(["--exact", name, "--ignored", "--nocapture"])
            .envs(variables.iter().map(|(key, value)| (key, value)))
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { child }
    }

    /// Sends a signal such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {signal}");
    }

    /// The share of one processor that it uses in the next second, in percent.
    pub(crate) async fn cpu(&self) -> u64 {
        cpu_in_a_second(&self.child.id().to_string()).await
    }

    /// Waits for its end; panics unless the test passed.
    pub(crate) async fn passed(mut self, limit: Duration) {
        let started = tokio::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                assert!(status.success(), "the other process failed: {status}");
                return;
            }
            assert!(started.elapsed() < limit, "the other process did not end within {limit:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
