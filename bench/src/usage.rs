//! Processor time: of this process, in which nothing but the client under test works, and of the servers.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time that this process has used, user and system.
pub(crate) fn own() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // The clock of a process starts at zero and its nanoseconds stay below a second.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time that all threads of these processes have used. A process that is gone counts nothing.
pub(crate) fn of(processes: &[u32]) -> Duration {
    processes.iter().flat_map(|process| threads(*process)).filter_map(|path| on_processor(&path)).sum()
}

fn threads(process: u32) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    tasks.filter_map(|task| Some(task.ok()?.path().join("schedstat"))).collect()
}

/// The first number of `schedstat`: nanoseconds on a processor. `stat` counts in steps of 10 ms, too coarse for
/// windows of half a second.
fn on_processor(path: &PathBuf) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_up_in_both_views() {
        let before = (own(), of(&[std::process::id()]));
        let mut sum = 0_u64;
        while own() - before.0 < Duration::from_millis(50) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let others = of(&[std::process::id()]) - before.1;
        assert!(others >= Duration::from_millis(30), "{others:?}");
    }

    #[test]
    fn a_process_that_is_gone_counts_nothing() {
        assert_eq!(of(&[u32::MAX]), Duration::ZERO);
    }
}
