//! Durations that make no sense are refused: an interval of zero would be a busy loop, and with a time-out of zero no call
//! could ever succeed.

use std::time::Duration;

use super::Timing;
use crate::error::Error;

/// The shortest interval of anything periodic.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest time-out.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

impl Timing {
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
                    format!("give Config::{name} at least {least:?}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    use super::*;

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
