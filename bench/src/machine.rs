//! Where and with what a result was measured.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use truename_lab::Lab;

/// What does not change while the harness runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    pub(crate) clients: Vec<(String, String)>,
    pub(crate) server: String,
    pub(crate) counts_allocations: bool,
}

impl Machine {
    /// Asks the system, and a server of this lab for its version.
    pub(crate) async fn look(lab: &Lab) -> Self {
        let info = lab.command(0, &["INFO", "server"]).await.ok();
        let text = info.as_ref().and_then(|reply| reply.as_str()).unwrap_or_default();
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let server = match (field("valkey_version:"), field("redis_version:")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, version) => format!("redis {}", version.unwrap_or("unknown")),
        };
        Self {
            processor: processor().unwrap_or_else(|| "unknown".to_owned()),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            clients: versions(),
            server,
            counts_allocations: cfg!(feature = "count-allocations"),
        }
    }
}

/// The load averages of 1, 5 and 15 minutes: how much else was going on.
pub(crate) fn load() -> String {
    line_of("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The date of today in UTC, as `2026-11-23`.
pub(crate) fn today() -> String {
    date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The Gregorian calendar repeats every 400 years; years that begin in March end with the leap day.
fn date(since_epoch: Duration) -> String {
    const DAYS_FROM_MARCH_OF_0_TO_1970: u64 = 719_468;
    let days = since_epoch.as_secs() / 86_400 + DAYS_FROM_MARCH_OF_0_TO_1970;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The pinned versions of the peers, from the manifest that pins them.
fn versions() -> Vec<(String, String)> {
    let pinned = include_str!("../Cargo.toml").lines().filter_map(|line| {
        let (name, rest) = line.split_once(" = { version = \"=")?;
        Some((name.to_owned(), rest.split('"').next()?.to_owned()))
    });
    let own = ("truename".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    std::iter::once(own).chain(pinned).collect()
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_known_days() {
        let rows = [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_767_225_599, "2025-12-31"),
            (1_795_392_000, "2026-11-23"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(date(Duration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn every_peer_has_a_pinned_version() {
        let names: Vec<_> = versions().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["truename", "redis", "fred", "rustis"]);
    }
}
