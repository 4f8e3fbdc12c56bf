//! How many connections one client brings up at a time. Every client has its own permits, so that
//! no client delays another.

use std::time::Duration;

use tokio::sync::Semaphore;

/// How many TLS handshakes at a time: after a mass disconnect they must not starve everything else.
const HANDSHAKES: usize = 64;
/// How long one of them counts. A peer that is silent for longer costs nothing, and must not keep others waiting.
pub(super) const HANDSHAKE_WORK: Duration = Duration::from_millis(200);
/// How many sockets are being connected, or greeted, at a time: well below the usual limit of 1,024 descriptors.
const DIALS: usize = 256;

/// The permits of one client.
#[derive(Debug)]
pub(crate) struct Permits {
    pub(super) handshakes: Semaphore,
    pub(super) dials: Semaphore,
}

impl Default for Permits {
    fn default() -> Self {
        Self { handshakes: Semaphore::new(HANDSHAKES), dials: Semaphore::new(DIALS) }
    }
}
