//! Whether the node that answered is the announced one: a crossed tunnel, a wrong rule or a recycled address leads to
//! another.
//!
//! The id protects commands against misrouting. It is not authentication: it is asked after the login, and whoever has
//! the certificate's key can claim any id.

use tokio::io::{AsyncRead, AsyncWrite};

use super::budget;
use super::greeting::{handshake_cause, read_id};
use super::step::StepResult;
use super::way::Via;
use super::wire::Wire;
use crate::error::Cause;

/// The longest `CLUSTER NODES` reply that is read for one id: some thousand nodes with scattered slots.
const MAX_NODES_TEXT: usize = 2 * 1024 * 1024;

/// What is known when a node is to be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) via: Via,
    pub(super) is_tls: bool,
    /// It was dialled at an address other than its announced one.
    pub(super) is_detour: bool,
    /// The expected node reported its id to this client before.
    pub(super) has_reported_id: bool,
}

impl Circumstances {
    /// Whether a node that does not report its id is refused.
    ///
    /// Otherwise it is accepted at the very address that was announced, and where a rule or map dials it elsewhere and
    /// its certificate proved a name.
    pub(super) fn need_proof(self) -> bool {
        self.has_reported_id || self.via == Via::Fallback || (self.is_detour && !self.is_tls)
    }

    /// Judges the id that answered.
    pub(super) fn judge(self, announced: &str, answered: Option<&str>) -> Result<(), Cause> {
        let is_right = answered.map_or(!self.need_proof(), |answered| answered == announced);
        if is_right {
            return Ok(());
        }
        let answered = answered.map(str::to_owned);
        Err(Cause::WrongNode { announced: announced.to_owned(), answered })
    }
}

/// Asks the node for its id in a way other than `CLUSTER MYID`, which Redis Enterprise rejects. `None` when it does
/// not report it.
pub(super) async fn ask_nodes<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
) -> StepResult<Option<String>> {
    let limits = budget::topology().with_bulk_len(MAX_NODES_TEXT);
    let reply = wire.round_trip_within(limits, &[b"CLUSTER", b"NODES"]).await.map_err(handshake_cause)?;
    read_id("CLUSTER NODES", &reply, myself)
}

/// The id on the line of the node that answered; `None` unless there is exactly one.
fn myself(nodes: &str) -> Option<&str> {
    let mut mine = nodes.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (id, _address, flags) = (fields.next()?, fields.next()?, fields.next()?);
        flags.split(',').any(|flag| flag == "myself").then_some(id)
    });
    mine.next().filter(|_| mine.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_believed() {
        let here =
            Circumstances { via: Via::Announced, is_tls: true, is_detour: false, has_reported_id: false };
        let plain = Circumstances { is_tls: false, ..here };
        let ruled = Circumstances { via: Via::Ruled, is_detour: true, ..here };
        let fallback = Circumstances { via: Via::Fallback, is_detour: true, ..here };
        let told = |at| Circumstances { has_reported_id: true, ..at };
        let rows = [
            ("the announced address over TLS", here, true),
            ("the announced address in plaintext", plain, true),
            ("a rule over TLS", ruled, true),
            ("a rule in plaintext", Circumstances { is_tls: false, ..ruled }, false),
            ("the fallback over TLS", fallback, false),
            ("the fallback in plaintext", Circumstances { is_tls: false, ..fallback }, false),
            ("one that told before", told(here), false),
            ("one that told before, by a rule", told(ruled), false),
        ];
        for (what, circumstances, is_believed_silent) in rows {
            assert_eq!(circumstances.judge("a", None).is_ok(), is_believed_silent, "{what}");
            assert_eq!(circumstances.need_proof(), !is_believed_silent, "{what}");
            assert!(circumstances.judge("a", Some("a")).is_ok(), "{what}");
            assert!(circumstances.judge("a", Some("b")).is_err(), "{what}");
        }
    }

    #[test]
    fn the_line_of_myself() {
        let line = |id: &str, flags: &str| format!("{id} 127.0.0.1:1@2 {flags} - 0 0 1 connected 0-5\n");
        let rows = [
            (line("a", "myself,master") + &line("b", "master"), Some("a")),
            (line("a", "master") + &line("b", "slave,myself"), Some("b")),
            (line("a", "master"), None),
            (line("a", "myself") + &line("b", "myself"), None),
            (line("a", "notmyself"), None),
            (String::new(), None),
            ("myself\n".to_owned(), None),
        ];
        for (text, expected) in rows {
            assert_eq!(myself(&text), expected, "{text}");
        }
    }
}
