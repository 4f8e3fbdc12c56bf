//! However the owner of a lab ends, nothing of the lab stays: no server, no reaper, no directory.
//!
//! The owner is this test program itself, run again as a child.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use truename_lab::{Lab, LabProfile};

const ROLE: &str = "TRUENAME_LAB_TEST_OWNER";
const BOUND: Duration = Duration::from_secs(10);

/// Not a test by itself: the child that the others start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the other tests as a child process"]
async fn owner() {
    let Ok(role) = std::env::var(ROLE) else { panic!("{ROLE} says how this process should end") };
    let lab = Lab::builder(LabProfile::Azure).replicas(0).start().await.unwrap();
    let pids: Vec<_> = lab.nodes().iter().map(|node| node.pid().unwrap().to_string()).collect();
    lab.node(1).stop();
    println!("\nLAB {} {}", lab.dir().display(), pids.join(" "));
    match role.as_str() {
        "panic" => panic!("on purpose"),
        "exit" => std::process::exit(3),
        "shutdown" => lab.shutdown().await,
        _ => std::future::pending::<()>().await,
    }
}

/// What a child said about its lab.
struct Owned {
    child: Child,
    dir: PathBuf,
    pids: Vec<u32>,
}

impl Owned {
    fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.starts_with("LAB ")).expect("the lab is up");
        let mut words = line.split(' ').skip(1);
        let dir = PathBuf::from(words.next().unwrap());
        Self { child, dir, pids: words.map(|pid| pid.parse().unwrap()).collect() }
    }

    /// As the terminal does it on Ctrl-C: the whole foreground group gets the signal.
    fn signal(&self, signal: Signal) {
        assert!(self.pids.iter().all(|pid| is_alive(*pid)), "the servers run");
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process_group(group, signal).unwrap();
    }

    fn assert_nothing_is_left(mut self) {
        self.child.wait().unwrap();
        let started = Instant::now();
        while let Some(left) = self.left() {
            assert!(started.elapsed() < BOUND, "still there: {left}");
            std::thread::yield_now();
        }
    }

    fn left(&self) -> Option<String> {
        if let Some(pid) = self.pids.iter().find(|pid| is_alive(**pid)) {
            return Some(format!("server {pid}"));
        }
        if self.dir.exists() {
            return Some(self.dir.display().to_string());
        }
        processes_naming(&self.dir).first().map(|pid| format!("process {pid} names the lab's directory"))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that ended but was not collected by its parent (state Z) does no harm.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn processes_naming(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| {
            fs::read(entry.path().join("cmdline")).is_ok_and(|line| contains(&line, dir.as_bytes()))
        })
        .map(|entry| entry.file_name().display().to_string())
        .collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn after_a_panic() {
    Owned::start("panic").assert_nothing_is_left();
}

#[test]
fn after_exit_without_unwinding() {
    Owned::start("exit").assert_nothing_is_left();
}

#[test]
fn after_a_shutdown() {
    Owned::start("shutdown").assert_nothing_is_left();
}

#[test]
fn after_sigkill() {
    let owned = Owned::start("wait");
    assert!(!processes_naming(&owned.dir).is_empty(), "the reaper can be seen");
    owned.signal(Signal::KILL);
    owned.assert_nothing_is_left();
}

#[test]
fn after_ctrl_c_and_a_lost_terminal() {
    for signal in [Signal::INT, Signal::HUP] {
        let owned = Owned::start("wait");
        owned.signal(signal);
        owned.assert_nothing_is_left();
    }
}
