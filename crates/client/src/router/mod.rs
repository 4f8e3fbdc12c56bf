//! The request path: from a command to its final outcome, on the caller's own task.
//!
//! | part | what it is |
//! |---|---|
//! | [`execute`] | the loop, which decides nothing |
//! | [`atomic`] | commands as one transaction |
//! | [`confirmed`] | the same with a `WAIT` at its end, on a connection of its own |
//! | [`wait_rules`] | where a batch has room for that `WAIT` |
//! | [`batch`] | many commands at once, in one unit for each lane |
//! | [`fan`], [`split`] | a command that goes to several nodes, as a batch, and one reply of theirs; one part for each slot |
//! | [`one_slot`] | keys that must be of one slot |
//! | [`request`] | a command with what is known about it |
//! | [`destination`] | where an attempt goes |
//! | [`submit`] | an attempt |
//! | [`mode`] | an attempt of a read that is not read from where the client reads |
//! | [`directory`] | what servers say about commands that the table lacks |
//! | [`judge`] | what an outcome means: a pure decision |
//! | [`follow`] | acting on it |
//! | [`blocking`] | an attempt of a command that waits on the server |
//! | [`orphans`], [`unblock`] | what becomes of it when its caller is gone; ending its wait |
//! | [`held`] | a connection that one caller holds, and commands on it |
//! | [`transaction`], [`draft`], [`exec`] | transactions on such a connection; one attempt; what the replies to one mean |
//! | [`watch`] | the same without a closure |
//! | [`attempts`] | the trail of one command |
//! | [`read_from`], [`for_replicas`] | which node of a shard serves reads; what may be read from replicas alone |
//!
//! [`state`] is what they all work on. Nothing here waits for another command, another node or the topology worker, except
//! for a node that only a redirect has named so far, and after an answer that proves nothing.
//!
//! Invariants: everything happens inside the command's own deadline; a command whose fate is unknown is sent
//! again only if it changes nothing or the user allowed it; `ASKING` and its command are one unit on one lane; no reply of a
//! compound command leads to a node that only the reply names.

mod atomic;
mod attempts;
mod batch;
mod blocking;
mod confirmed;
mod destination;
mod directory;
mod draft;
mod exec;
mod execute;
mod fan;
mod follow;
mod for_replicas;
mod held;
mod judge;
mod mode;
mod monitor;
mod one_slot;
mod orphans;
mod read_from;
mod request;
mod split;
mod state;
mod submit;
mod transaction;
mod unblock;
mod wait_rules;
mod watch;

pub(crate) use draft::{Draft, Watched};
pub(crate) use held::Held;
pub(crate) use monitor::Lines;
pub(crate) use state::Router;
pub(crate) use transaction::Commit;
pub(crate) use wait_rules::{is_confirmed, misplaced, refused_as_ordered};
