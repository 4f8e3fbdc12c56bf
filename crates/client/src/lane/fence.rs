//! A fence between a connection that was given up and the next one to the same node.
//!
//! What was sent on a connection that *we* gave up may lie unread in the socket of a frozen server, and would be
//! executed when it thaws, after what was acknowledged on a newer connection. So before the newer one is used, the
//! server is asked to drop the older one: what it has not read by then, it never executes.
//!
//! The older one is named by its id *and* its address as the server sees them (`CLIENT INFO`, since 6.2): ids start
//! anew when a server restarts, and nobody else's connection may be dropped. Where `CLIENT KILL` is not allowed,
//! everything else still holds: a write that got no reply is reported and never repeated.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::closed::CloseCause;
use crate::connect::{ConnectionFacts, Wire, handshake_cause};
use crate::error::{Cause, Phase};

/// A connection that the server may still read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fence {
    id: String,
    address: String,
}

impl Fence {
    /// The fence that a connection with this end needs; `None` when the server ended it, or did not say how to name it.
    pub(super) fn against(facts: &ConnectionFacts, cause: &CloseCause) -> Option<Self> {
        // One that is replaced on request had nothing in flight.
        if cause.is_by_server() || matches!(cause, CloseCause::Renewed) {
            return None;
        }
        let greeting = &facts.greeting;
        Some(Self { id: greeting.client_id?.to_string(), address: greeting.client_address.clone()? })
    }

    /// Raises it from a new connection, within `deadline`. A refusal is not a failure.
    pub(super) async fn raise<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        wire: &mut Wire<S>,
        deadline: Instant,
    ) -> Result<(), (Phase, Cause)> {
        let command: [&[u8]; 6] =
            [b"CLIENT", b"KILL", b"ID", self.id.as_bytes(), b"ADDR", self.address.as_bytes()];
        let answered = tokio::time::timeout_at(deadline, wire.round_trip(&command)).await;
        let reply = answered.map_err(|_| (Phase::Hello, Cause::TimedOut))?.map_err(handshake_cause)?;
        tracing::debug!(id = self.id, ?reply, "dropped the connection that was given up");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_we_gave_up_and_can_name_is_fenced_off() {
        let mut facts = ConnectionFacts::default();
        let stalled = CloseCause::Stalled(Duration::from_secs(2));
        assert_eq!(Fence::against(&facts, &stalled), None);
        facts.greeting.client_id = Some(7);
        assert_eq!(Fence::against(&facts, &stalled), None);
        facts.greeting.client_address = Some("10.0.0.1:50000".to_owned());
        let fence = Fence { id: "7".to_owned(), address: "10.0.0.1:50000".to_owned() };
        assert_eq!(Fence::against(&facts, &stalled), Some(fence));
        assert_eq!(Fence::against(&facts, &CloseCause::PeerClosed), None);
        let reset = CloseCause::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(Fence::against(&facts, &reset), None);
    }
}
