//! What was seen in one window, and what follows from it per command.

use serde::Serialize;

use super::caller::Tally;
use super::seen::Seen;
use crate::latency::Percentiles;

/// What was seen in one window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    pub(crate) commands: u64,
    pub(crate) seconds: f64,
    pub(crate) client_us: f64,
    pub(crate) server_us: f64,
    pub(crate) allocations: Option<u64>,
    pub(crate) allocated_bytes: Option<u64>,
    pub(crate) latency: Percentiles,
    /// The busiest task's calls over the mean of all tasks; absent where the arrivals decide.
    pub(crate) fairness: Option<f64>,
    pub(crate) failed: u64,
    /// Those of `failed` that never ended.
    pub(crate) stuck: u64,
    pub(crate) first_failure: Option<String>,
}

impl Measurement {
    /// `batch`: commands of a call; `is_closed`: tasks call as fast as they can, so that their calls can be compared.
    pub(super) fn of(seen: Seen, tally: Tally, batch: u64, is_closed: bool) -> Self {
        let Seen { counts, seconds, server_us, client_us, allocated } = seen;
        let calls: u64 = counts.iter().sum();
        let busiest = counts.iter().copied().max().unwrap_or(0);
        Self {
            commands: calls * batch,
            seconds,
            server_us,
            client_us,
            allocations: allocated.as_ref().map(|allocated| allocated.count),
            allocated_bytes: allocated.map(|allocated| allocated.bytes),
            latency: Percentiles::of(tally.samples),
            fairness: is_closed.then(|| busiest as f64 * counts.len() as f64 / calls as f64),
            failed: tally.failed,
            stuck: tally.stuck,
            first_failure: tally.first_failure,
        }
    }

    fn per_command(&self, sum: f64) -> f64 {
        sum / self.commands as f64
    }

    pub(crate) fn client_us_per_command(&self) -> f64 {
        self.per_command(self.client_us)
    }

    pub(crate) fn server_us_per_command(&self) -> f64 {
        self.per_command(self.server_us)
    }

    pub(crate) fn commands_per_second(&self) -> f64 {
        self.commands as f64 / self.seconds
    }

    pub(crate) fn allocations_per_command(&self) -> f64 {
        self.allocations.map_or(f64::NAN, |count| self.per_command(count as f64))
    }

    pub(crate) fn bytes_per_command(&self) -> f64 {
        self.allocated_bytes.map_or(f64::NAN, |bytes| self.per_command(bytes as f64))
    }
}
