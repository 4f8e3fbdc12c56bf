//! Commands that have no node to go to.

use std::fmt;

use bytes::Bytes;
use truename_resp::Untrusted;
use truename_topology::{Endpoint, Slot};

use super::command::Refusal;
use super::keys_by_slot::KeysBySlot;
use super::refused::instead_of;
use super::remedy::{Instead, Remedy, Spelling, Tell, as_calls, tell_remedy};
use super::text::{shown, shown_key};

/// A command that cannot be routed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// No node serves the slot.
    Unassigned {
        /// The slot of the command's key.
        slot: Slot,
    },
    /// The command is to be read from a replica and from no other node, and none of the slot's can be read from.
    NoReplica {
        /// The slot of the command's key.
        slot: Slot,
        /// What a replica said instead of taking `READONLY`, or the `READWRITE` that is to follow, if all of them refused; otherwise
        /// none is connected.
        refusal: Option<String>,
    },
    /// The command is to be read from replicas and from no other node ([`Command::read_from`](crate::Command::read_from)), and is
    /// not one that replicas can execute.
    NotForReplicas {
        /// The command's name.
        command: String,
        /// What keeps it from them.
        why: String,
    },
    /// The topology has no nodes at all.
    NoNodes,
    /// Redirects formed a cycle, or there were too many.
    TooManyRedirects {
        /// The slot of the command's key.
        slot: Option<Slot>,
        /// How many were followed.
        redirects: u32,
        /// The last of them.
        last: Option<Refusal>,
    },
    /// The command changes the state of its connection, and this connection is shared.
    /// [`Client::dedicated`](crate::Client::dedicated) gives one that is not.
    ConnectionState {
        /// The command's name.
        command: String,
    },
    /// Servers take the command for an HTTP request and end the connection, and this connection is shared.
    HttpRequest {
        /// The command's name.
        command: String,
    },
    /// The command concerns several nodes, and the call does not say which one of them is meant.
    SeveralNodes {
        /// The command's name.
        command: String,
    },
    /// The command's keys are in several slots, which no server takes, and it is not one that is split by slot.
    CrossSlot {
        /// The command's name.
        command: String,
        /// The first key of each slot, with the slot.
        keys: KeysBySlot,
    },
    /// A batch ends with `WAIT`, which is about the writes of one connection, and its commands are of several nodes.
    NotOneNode {
        /// The name of the last command.
        command: String,
        /// The first key of each node, with its slot.
        keys: KeysBySlot,
    },
    /// `WAIT` is alone in its batch or not at its end, or what comes before it cannot be sent with it on the same connection.
    NotConfirmed {
        /// The name of the command that waits.
        command: String,
        /// Which rule is broken: what stands in the way.
        why: String,
    },
    /// The command is part of a transaction and names a node, but a transaction goes where its keys are.
    NamedInTransaction {
        /// The command's name.
        command: String,
    },
    /// The command gets messages, a stream or nothing instead of one reply, even on a connection of its own.
    NotOneReply {
        /// The command's name.
        command: String,
    },
    /// Nothing says to which node a transaction goes: it has no keys.
    NoKey,
    /// The command writes, and what a transaction writes is queued ([`Transaction::queue`](crate::Transaction::queue)).
    NotQueued {
        /// The command's name.
        command: String,
    },
    /// The transaction that this was meant for has ended, and with it its `WATCH`.
    TransactionEnded,
    /// A connection that the caller has for itself ended before this command was sent on it. It is not made again: what its
    /// user had on it is gone with it.
    ConnectionEnded {
        /// The node.
        node: Endpoint,
        /// Why it ended.
        cause: String,
    },
    /// A [monitor](crate::Monitor) ended.
    MonitorEnded {
        /// The node.
        node: Endpoint,
        /// Why it ended.
        cause: String,
    },
    /// The command has no name.
    EmptyCommand,
    /// The command acts on the node that executes it, and the call does not say which one is meant.
    Administrative {
        /// The command's name.
        command: String,
    },
    /// The command needs a connection of its own, all that are allowed to the node were in use, and none became free in
    /// time.
    NoExclusiveConnection {
        /// The node.
        node: Endpoint,
        /// How many are allowed: [`Config::max_exclusive_connections`](crate::Config::max_exclusive_connections).
        limit: usize,
    },
    /// The topology does not contain the node that the command is for.
    NoSuchNode {
        /// The node, as the command names it.
        node: Endpoint,
    },
}

impl RouteError {
    /// Whether the same call may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unassigned { .. }
                | Self::NoReplica { refusal: None, .. }
                | Self::NoExclusiveConnection { .. }
        )
    }

    pub(super) fn node(&self) -> Option<&Endpoint> {
        match self {
            Self::NoExclusiveConnection { node, .. }
            | Self::ConnectionEnded { node, .. }
            | Self::MonitorEnded { node, .. } => Some(node),
            _ => None,
        }
    }

    pub(super) fn last_refusal(&self) -> Option<&Refusal> {
        match self {
            Self::TooManyRedirects { last, .. } => last.as_ref(),
            _ => None,
        }
    }

    pub(super) fn slot(&self) -> Option<Slot> {
        match self {
            Self::Unassigned { slot } | Self::NoReplica { slot, .. } => Some(*slot),
            Self::TooManyRedirects { slot, .. } => *slot,
            _ => None,
        }
    }

    /// What would make the call possible, where that is known.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::{Error, cmd};
    ///
    /// if let Err(Error::Route(error)) = client.run(cmd("FLUSHALL")).await {
    ///     // Say that all nodes are meant, with `Client::on_primaries`.
    ///     println!("{error} ({:?})", error.remedy());
    /// }
    /// # }
    /// ```
    pub fn remedy(&self) -> Option<&Remedy> {
        match self {
            Self::ConnectionState { command } => {
                Some(instead_of(command).unwrap_or(&Remedy::Instead(Instead::Dedicated)))
            }
            Self::NotOneReply { command } => instead_of(command),
            Self::NotConfirmed { .. } => Some(&Remedy::Instead(Instead::EndOfBatch)),
            Self::SeveralNodes { command } => Some(instead_of(command).unwrap_or(&Remedy::AllOrOne)),
            Self::Administrative { command } => Some(instead_of(command).unwrap_or(&Remedy::ChooseNode)),
            Self::CrossSlot { .. } | Self::NotOneNode { .. } => Some(&Remedy::HashTag),
            Self::NoSuchNode { .. } => Some(&Remedy::NameNode),
            Self::NoExclusiveConnection { .. } => Some(&Remedy::MoreExclusive),
            Self::NoReplica { .. } => Some(&Remedy::PrimaryToo),
            _ => None,
        }
    }

    /// What is wrong, without what would help.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Unassigned { slot } => format!("no node serves slot {slot}"),
            Self::NoReplica { slot, refusal: None } => {
                format!("no replica of slot {slot} is connected, and reads may go to no other node")
            }
            Self::NoReplica { slot, refusal: Some(refusal) } => format!(
                "the replicas of slot {slot} cannot be read from, and reads may go to no other node; READONLY was refused: {}",
                shown(refusal)
            ),
            Self::NotForReplicas { command, why } => {
                format!("{} may be read from replicas only, but {why}", Untrusted(command))
            }
            Self::NoNodes => "the topology has no nodes".to_owned(),
            Self::TooManyRedirects { slot, redirects, last } => {
                let slot = slot.map(|slot| format!(" of slot {slot}")).unwrap_or_default();
                let last =
                    last.as_ref().map(|last| format!("; the last one, from {}: {}", last.node, last.reply));
                format!("gave up after {redirects} redirects{slot}{}", last.unwrap_or_default())
            }
            Self::ConnectionState { command } => format!(
                "{} changes the state of its connection, or depends on that of earlier calls, and connections are \
                 shared: a plain call cannot run it",
                Untrusted(command)
            ),
            Self::NotOneReply { command } => {
                format!(
                    "{} is not answered by one reply, and so a plain call cannot run it",
                    Untrusted(command)
                )
            }
            Self::NoKey => "a transaction needs a key, which says to which node it goes".to_owned(),
            Self::NotQueued { command } => format!(
                "{} writes, and would be executed apart from the transaction: it has to be queued",
                Untrusted(command)
            ),
            Self::TransactionEnded => "the transaction has ended, and so has its WATCH".to_owned(),
            Self::ConnectionEnded { node, cause } => {
                format!("the connection to {node} had ended before the command was sent: {}", shown(cause))
            }
            Self::MonitorEnded { node, cause } => format!("the monitor of {node} ended: {}", shown(cause)),
            Self::HttpRequest { command } => format!(
                "servers take {} for an HTTP request and end its connection, and connections are shared: this client \
                 cannot run it",
                Untrusted(command)
            ),
            Self::SeveralNodes { command } => {
                format!("{} concerns every node of a cluster, but a call goes to one", Untrusted(command))
            }
            Self::Administrative { command } => format!(
                "{} acts on the node that executes it, and any primary could be the one",
                Untrusted(command)
            ),
            Self::NoSuchNode { node } => format!("the topology has no node {node}"),
            Self::NotOneNode { command, keys } => format!(
                "{} waits for the writes of one node, and those before it go to several, so nothing was sent: {}",
                Untrusted(command),
                of_slots(keys)
            ),
            Self::NotConfirmed { command, why } => {
                format!(
                    "{} waits for the writes before it, and was not sent: {}",
                    Untrusted(command),
                    shown(why)
                )
            }
            Self::CrossSlot { command, keys } => format!(
                "{} has keys of several slots, and was not sent: {}",
                Untrusted(command),
                of_slots(keys)
            ),
            Self::NamedInTransaction { command } => format!(
                "{} names a node, but is part of a transaction, which goes where its keys are",
                Untrusted(command)
            ),
            Self::EmptyCommand => "the command has no name".to_owned(),
            Self::NoExclusiveConnection { node, limit } => format!(
                "the command needs a connection of its own, and all {limit} allowed to {node} are in use"
            ),
        }
    }
}

/// Keys with their slots.
fn of_slots(keys: &KeysBySlot) -> String {
    let one = |(key, slot): &(Bytes, Slot)| match key.is_empty() && *slot != Slot::of_key(b"") {
        true => format!("what is sent to slot {slot}"),
        false => format!("{} of slot {slot}", shown_key(key)),
    };
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Tell for RouteError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        f.write_str(&self.what())?;
        tell_remedy(f, self.remedy(), spelling)
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The advice was part of the text, so that other programs could not put it into their own words.
    #[test]
    fn what_would_help_is_data() {
        let (node, command) = (|| Endpoint::new("10.0.0.4", 8501), || "FLUSHALL".to_owned());
        for (error, remedy, part) in [
            (
                RouteError::SeveralNodes { command: "INFO".to_owned() },
                Some(&Remedy::AllOrOne),
                "; run it on all with Client::on_primaries or Client::on_all_nodes, or say which one with",
            ),
            (
                RouteError::SeveralNodes { command: command() },
                Some(&Remedy::AllPrimaries),
                "every node of a cluster, but a call goes to one; run it on all primaries with Client::on_primaries, or",
            ),
            (
                RouteError::Administrative { command: "SHUTDOWN".to_owned() },
                Some(&Remedy::ChooseNode),
                "or Command::route_to_any",
            ),
            (
                RouteError::NoSuchNode { node: node() },
                Some(&Remedy::NameNode),
                "10.0.0.4:8501; give its address as Client::nodes",
            ),
            (
                RouteError::NoExclusiveConnection { node: node(), limit: 64 },
                Some(&Remedy::MoreExclusive),
                "all 64 allowed to 10.0.0.4:8501 are in use; raise Config::max_exclusive_connections",
            ),
            (
                RouteError::NoReplica {
                    slot: Slot::of_key(b"k"),
                    refusal: Some("NOPERM no\u{1b}".to_owned()),
                },
                Some(&Remedy::PrimaryToo),
                "READONLY was refused: NOPERM no\\u{1b}; let the primary serve reads where no replica can, with",
            ),
            (
                RouteError::CrossSlot {
                    command: "SINTER".to_owned(),
                    keys: ["a", "b\n"].map(|key| (key.into(), Slot::of_key(key.as_bytes()))).to_vec().into(),
                },
                Some(&Remedy::HashTag),
                "\"a\" of slot 15495, \"b\\n\" of slot",
            ),
            (
                RouteError::CrossSlot {
                    command: "the atomic batch".to_owned(),
                    keys: ["", "a"].map(|key| (key.into(), Slot::of_key(b"a"))).to_vec().into(),
                },
                Some(&Remedy::HashTag),
                ": what is sent to slot 15495, \"a\" of slot 15495",
            ),
            (
                RouteError::ConnectionState { command: "MODULE.OWN".to_owned() },
                Some(&Remedy::Instead(Instead::Dedicated)),
                "a plain call cannot run it; Client::dedicated gives",
            ),
            (
                RouteError::NotConfirmed { command: "WAIT".to_owned(), why: "it is\u{1b} alone".to_owned() },
                Some(&Remedy::Instead(Instead::EndOfBatch)),
                "was not sent: it is\\u{1b} alone; it goes at the end of Client::batch",
            ),
            (RouteError::NoKey, None, "a transaction needs a key"),
            (
                RouteError::NotForReplicas { command: command(), why: "it does not only read".to_owned() },
                None,
                "FLUSHALL may be read from replicas only, but it does not only read",
            ),
            (RouteError::NotQueued { command: command() }, None, "FLUSHALL writes, and would be executed"),
            (RouteError::TransactionEnded, None, "has ended"),
            (
                RouteError::NotOneReply { command: "MONITOR".to_owned() },
                Some(&Remedy::Instead(Instead::Monitor)),
                "not answered by one reply, and so a plain call cannot run it; Client::monitor",
            ),
            (
                RouteError::ConnectionEnded { node: node(), cause: "it was \u{1b}closed".to_owned() },
                None,
                "to 10.0.0.4:8501 had ended before the command was sent: it was \\u{1b}closed",
            ),
            (
                RouteError::MonitorEnded { node: node(), cause: "it was \u{1b}closed".to_owned() },
                None,
                "the monitor of 10.0.0.4:8501 ended: it was \\u{1b}closed",
            ),
            (
                RouteError::HttpRequest { command: "post".to_owned() },
                None,
                "servers take post for an HTTP request",
            ),
        ] {
            assert_eq!(error.remedy(), remedy, "{error}");
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.what().contains("::"), "{error}");
        }
    }
}
