//! Every duration that a client observes, and which of them follow from others.

use std::time::Duration;

/// How long a server may be silent by default.
const STALL: Duration = Duration::from_secs(2);

/// Every duration that the client observes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) connect: Duration,
    pub(crate) node_connect: Duration,
    pub(crate) command: Duration,
    pub(crate) stall: Duration,
    pub(crate) keepalive: Duration,
    pub(crate) refresh: Duration,
    /// Whether `stall` was set, and does not follow from `command`.
    is_stall_set: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            node_connect: Duration::from_secs(3),
            command: Duration::from_secs(5),
            stall: STALL,
            keepalive: Duration::from_secs(10),
            refresh: Duration::from_secs(60),
            is_stall_set: false,
        }
    }
}

impl Timing {
    /// Sets how long commands may take. A long time means that slow commands are expected, during which a server is silent.
    pub(super) fn set_command(&mut self, command: Duration) {
        self.command = command;
        if !self.is_stall_set {
            self.stall = command.max(STALL);
        }
    }

    /// Sets how long a server may be silent.
    pub(super) fn set_stall(&mut self, stall: Duration) {
        (self.stall, self.is_stall_set) = (stall, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stall_time_follows_the_command_time_unless_it_is_set() {
        type Set = fn(&mut Timing);
        let rows: [(Set, u64); 6] = [
            (|_| {}, 2),
            (|timing| timing.set_command(Duration::from_secs(1)), 2),
            (|timing| timing.set_command(Duration::from_secs(20)), 20),
            (
                |timing| {
                    timing.set_command(Duration::from_secs(20));
                    timing.set_command(Duration::from_secs(5));
                },
                5,
            ),
            (
                |timing| {
                    timing.set_stall(Duration::from_secs(1));
                    timing.set_command(Duration::from_secs(20));
                },
                1,
            ),
            (
                |timing| {
                    timing.set_command(Duration::from_secs(20));
                    timing.set_stall(Duration::from_secs(1));
                },
                1,
            ),
        ];
        for (position, (set, stall)) in rows.into_iter().enumerate() {
            let mut timing = Timing::default();
            set(&mut timing);
            assert_eq!(timing.stall, Duration::from_secs(stall), "row {position}");
        }
    }
}
