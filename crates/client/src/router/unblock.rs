//! Ending the wait of a connection of ours, from another one to the same node.

use std::time::Duration;

use truename_resp::Reply;

use crate::cluster::Node;

/// What a node says to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unblocked {
    /// The connection was waiting until now.
    Now,
    /// It is not waiting: its command was answered, or has not arrived.
    NotWaiting,
    /// The node does not do that, or the connection is none of its own any more.
    Refused,
    /// The node does not answer.
    Silent,
}

/// Has a node end the wait of a connection, if it has it. Ids start again when a server restarts, so first it is asked whose
/// the id is: no other connection's wait may end.
pub(super) async fn unblock(node: &Node, id: u64, address: &str, within: Duration) -> Unblocked {
    let id = id.to_string();
    match node.ask(&[b"CLIENT", b"LIST", b"ID", id.as_bytes()], within).await {
        Ok(listed) if lists(&listed, &id, address) => {}
        Ok(_) => return Unblocked::Refused,
        Err(_) => return Unblocked::Silent,
    }
    match node.ask(&[b"CLIENT", b"UNBLOCK", id.as_bytes(), b"ERROR"], within).await {
        Ok(Reply::Integer(1)) => Unblocked::Now,
        Ok(Reply::Integer(_)) => Unblocked::NotWaiting,
        Ok(_) => Unblocked::Refused,
        Err(_) => Unblocked::Silent,
    }
}

/// Whether a reply to `CLIENT LIST` has the connection with this id, and it comes from this address.
fn lists(reply: &Reply, id: &str, address: &str) -> bool {
    reply.as_str().unwrap_or_default().lines().any(|line| {
        let has =
            |name, value| line.split_ascii_whitespace().any(|field| field.strip_prefix(name) == Some(value));
        has("id=", id) && has("addr=", address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_its_id_and_its_address() {
        let reply =
            Reply::Bulk("id=7 addr=10.0.0.1:5 laddr=10.0.0.2:6 cmd=blpop\nid=70 addr=10.0.0.1:9\n".into());
        let rows = [
            ("7", "10.0.0.1:5", true),
            ("7", "10.0.0.1:9", false),
            ("7", "10.0.0.2:6", false),
            ("8", "", false),
        ];
        for (id, address, is_listed) in rows {
            assert_eq!(lists(&reply, id, address), is_listed, "{id} {address}");
        }
    }
}
