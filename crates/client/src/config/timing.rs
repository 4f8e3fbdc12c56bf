//! Every duration that a client observes, which of them follow from others, and which are refused: an interval of zero
//! would be a busy loop, and with a time-out of zero no call could ever succeed.

use std::time::Duration;

use crate::error::Error;

/// How long a server may be silent by default.
const STALL: Duration = Duration::from_secs(2);

/// The shortest interval of anything periodic.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest time-out.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// The longest time that makes sense to wait. Longer ones, which stand for "never", are taken as this one: sums of times
/// must not overflow.
pub(crate) const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

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

    /// Refuses what is too short.
    pub(super) fn check(&self) -> Result<(), Error> {
        let rows = [
            ("connect_timeout", self.connect, LEAST_TIMEOUT),
            ("node_connect_timeout", self.node_connect, LEAST_TIMEOUT),
            ("command_timeout", self.command, LEAST_TIMEOUT),
            ("stall_timeout", self.stall, LEAST_TIMEOUT),
            ("keepalive", self.keepalive, LEAST_INTERVAL),
            ("refresh_interval", self.refresh, LEAST_INTERVAL),
        ];
        for (name, value, least) in rows {
            if value < least {
                return Err(Error::config_with_remedy(
                    format!("{name} is {value:?}, which is too short"),
                    format!("give it at least {least:?}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

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

    #[test]
    fn what_is_too_short_is_refused() {
        let ms = Duration::from_millis;
        let config = || Config::new().seed("127.0.0.1", 6379);
        let rows: [(&str, Config, bool); 9] = [
            ("the defaults", config(), true),
            ("keepalive", config().keepalive(Duration::ZERO), false),
            ("keepalive", config().keepalive(ms(99)), false),
            ("keepalive", config().keepalive(ms(100)), true),
            ("refresh_interval", config().refresh_interval(ms(1)), false),
            ("connect_timeout", config().connect_timeout(Duration::ZERO), false),
            ("node_connect_timeout", config().node_connect_timeout(Duration::ZERO), false),
            ("command_timeout", config().command_timeout(Duration::ZERO), false),
            ("stall_timeout", config().stall_timeout(Duration::ZERO), false),
        ];
        for (name, config, is_valid) in rows {
            match config.validate() {
                Ok(()) => assert!(is_valid, "{name}"),
                Err(error) => assert!(!is_valid && error.to_string().contains(name), "{name}: {error}"),
            }
        }
    }
}
