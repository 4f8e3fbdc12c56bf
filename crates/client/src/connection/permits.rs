//! How many connections are brought up at a time.

use std::time::Duration;

use tokio::sync::Semaphore;

/// Connections that this process brings up at a time, by TLS handshake and greeting: after a mass disconnect they must not
/// starve everything else.
pub(super) static HANDSHAKES: Semaphore = Semaphore::const_new(64);
/// How long one of them counts. A peer that is silent for longer costs nothing, and must not keep others waiting.
pub(super) const HANDSHAKE_WORK: Duration = Duration::from_millis(200);
