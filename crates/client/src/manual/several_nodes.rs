//! One call that goes to several nodes: keys of several slots, commands that concern all nodes, and what is said when one of
//! them fails.
//!
//! # Keys of several slots
//!
//! Servers take no command whose keys are in several slots. `MGET`, `MSET`, `DEL`, `UNLINK`, `EXISTS`, `TOUCH`, and `MSETEX`
//! without `NX` and `XX`, are sent as one command for each slot, all at once ([`Batch`]), and their replies become one: `MGET`'s
//! values stand where their keys do, the others' numbers are added up.
//!
//! **That costs `MSET` its atomicity**: others may see some of the keys set and others not yet, and if a node fails, some remain
//! as they were. Keys that must change together belong in one slot (`{user:42}:name`, `{user:42}:cart`); then the command is sent
//! as it is.
//!
//! Every other command with keys of several slots (`RENAME`, `SINTER`, `MSETNX`, a script) is refused before anything is sent,
//! with the keys and their slots in the error ([`RouteError::CrossSlot`]). [`Command::route_by_key`] sends it all the same, for
//! servers that are known to accept it.
//!
//! # All nodes
//!
//! | commands | where they go | what comes back |
//! |---|---|---|
//! | `DBSIZE` | every primary | the sum |
//! | `KEYS`, `CLUSTER SLOT-STATS` | every primary | all of it, in no particular order |
//! | `SCRIPT EXISTS` | every primary | whether all of them have it |
//! | `RANDOMKEY` | every primary | one of the keys that they drew, nil if none has any; a primary that is late is not waited for |
//! | `FUNCTION LOAD` | every primary, and any other that the client knows of | the name of the library, once every primary has it |
//! | `SCRIPT LOAD` | every node, replicas too, and any other that the client knows of | the digest, once every primary has the script |
//! | `SLOWLOG LEN`, `COMMANDLOG LEN` | every node | the sum |
//! | `PING`, and whatever else has no key | one primary, drawn at random | its reply |
//! | `FLUSHALL`, `CONFIG SET`, `SCRIPT FLUSH`, `FUNCTION DELETE`, `ACL SETUSER` and the like | refused, unless the call says where to | |
//! | `INFO`, `MEMORY STATS`, `SLOWLOG GET`, `LATENCY`, `CLUSTER SLOT-STATS` with `ORDERBY` and the like | refused, likewise | |
//!
//! Which command goes where, and how replies become one, are the servers' own policies ([`Spec::request`], [`Spec::response`],
//! [`ResponsePolicy::aggregate`]). [`Client::on_primaries`] and [`Client::on_all_nodes`] send any command to all and return what
//! each node said; [`Command::route_to`] names one. "Every primary" is every node that serves slots, replica reads or not. Raw
//! replies ([`Client::execute_raw`]) are those of one node.
//!
//! `CLUSTER SLOTS` does not list a primary without slots, so the client does not know of one until it is redirected there (`ASK`).
//! From then on it gets what is loaded, too; a failure there is no error.
//!
//! While slots move between nodes, keys that are on their way may be counted twice or not at all: no server locks the others. A
//! node that takes another one's place meanwhile is not counted in addition to it: the client waits until its topology is
//! confirmed, and does a read again if it changed. A primary that cannot be reached costs the call's whole time. A replica that
//! cannot be reached lacks a script that is loaded meanwhile, and so does a node that starts later; a [`Script`] needs no
//! loading.
//!
//! # When a part fails
//!
//! Each part is redirected, waited for and repeated as a command by itself ([`retries`](super::retries)), all within the call's
//! deadline. If one fails all the same, or slots have no owner and a command is about all of them, the call is
//! [`Error::Partial`]: never a shorter list, and never a sum without the rest. It holds every part with its keys, its node and
//! its outcome, so what came is not lost: [`PartialError::values_in_order`] has the values of an `MGET` where their keys stand, and
//! why the others are missing.
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::{Error, cmd};
//!
//! match client.execute::<u64>(cmd("DEL").args(["session:1", "session:2", "session:3"])).await {
//!     Ok(deleted) => println!("{deleted} deleted"),
//!     Err(Error::Partial(partial)) => {
//!         for (part, error) in partial.failed() {
//!             println!("{:?} at {:?}: {error}", part.keys, part.node);
//!         }
//!     }
//!     Err(other) => return Err(other),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Batch`]: crate::Batch
//! [`Client::execute_raw`]: crate::Client::execute_raw
//! [`Client::on_all_nodes`]: crate::Client::on_all_nodes
//! [`Client::on_primaries`]: crate::Client::on_primaries
//! [`Command::route_by_key`]: crate::Command::route_by_key
//! [`Command::route_to`]: crate::Command::route_to
//! [`Error::Partial`]: crate::Error::Partial
//! [`PartialError::values_in_order`]: crate::error::PartialError::values_in_order
//! [`ResponsePolicy::aggregate`]: crate::command::ResponsePolicy::aggregate
//! [`RouteError::CrossSlot`]: crate::error::RouteError::CrossSlot
//! [`Script`]: crate::Script
//! [`Spec::request`]: crate::command::Spec::request
//! [`Spec::response`]: crate::command::Spec::response
