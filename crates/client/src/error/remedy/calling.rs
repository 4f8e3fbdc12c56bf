//! Sentences on calls: which node they are for, which nodes may serve reads, how many wait at once, how long a server may be
//! silent, how large a reply may be.

use super::setting::{Setting, Spelling, spelled};

/// A command that could be for any of several nodes.
pub(super) fn choose_node(spelling: Spelling) -> String {
    format!("say which one with {}", spelled(Setting::NodeChoice, spelling))
}

/// A command that concerns all nodes.
pub(super) fn all_or_one(spelling: Spelling) -> String {
    let (all, one) = (spelled(Setting::AllNodes, spelling), spelled(Setting::NodeChoice, spelling));
    format!("run it on all with {all}, or say which one with {one}")
}

/// A command that concerns all primaries and is executed nowhere else.
pub(super) fn all_primaries(spelling: Spelling) -> String {
    let (all, one) = (spelled(Setting::AllPrimaries, spelling), spelled(Setting::NodeChoice, spelling));
    format!("run it on all primaries with {all}, or say which one with {one}")
}

/// A command that concerns every node, replicas too.
pub(super) fn every_node(spelling: Spelling) -> String {
    let (all, one) = (spelled(Setting::EveryNode, spelling), spelled(Setting::NodeChoice, spelling));
    format!("run it on every node with {all}, or say which one with {one}")
}

/// Keys of several slots.
pub(super) fn hash_tag() -> String {
    "keys with the same text in braces, such as {user:7}:cart and {user:7}:orders, are in one slot".to_owned()
}

/// A node that the topology does not have.
pub(super) fn name_node(spelling: Spelling) -> String {
    format!("give its address as {} shows it", spelled(Setting::NodeList, spelling))
}

/// Reads that only replicas may serve.
pub(super) fn primary_too(spelling: Spelling) -> String {
    format!(
        "let the primary serve reads where no replica can, with {}",
        spelled(Setting::PreferReplica, spelling)
    )
}

/// All connections for commands that need one of their own are in use.
pub(super) fn more_exclusive(spelling: Spelling) -> String {
    format!("raise {}", spelled(Setting::MaxExclusiveConnections, spelling))
}

/// A server that was silent for as long as it may be.
pub(super) fn more_patience(spelling: Spelling) -> String {
    let (own, all) = (spelled(Setting::CommandTimeout, spelling), spelled(Setting::StallTimeout, spelling));
    format!("a command that takes longer needs a longer {own} or {all}")
}

/// A reply beyond what it may hold.
pub(super) fn larger_replies(spelling: Spelling) -> String {
    format!("allow larger replies with {}", spelled(Setting::ReplyLimits, spelling))
}
