//! Scans: the keys of a whole cluster ([`Client::scan`](crate::Client::scan)), and the elements of one hash, set or sorted set.
//!
//! # Why every key that is there throughout is returned
//! `SCAN` promises: whoever follows its cursors from 0 to 0 gets every key that the *process* had from the first call to the
//! last one. A cluster breaks this in three ways, and each has its remedy here.
//!
//! 1. **A cursor holds for one process.** It is a place in a hash table, and every process draws a hash seed of its own. A
//!    replica that took over, or a server that was started again at the same address, would take an old cursor and skip keys.
//!    So before the first page and after the last one of a *pass* over a node, the node is asked for its `run_id`, which every
//!    start draws anew. One address may lead to several processes, one after the other or behind a load balancer, so the first
//!    question and all pages have to come from one connection; on another one the question is asked again, and the pass goes
//!    on only if the answer is the same. If it is not, the pass counts for nothing and the node is scanned again from 0.
//! 2. **Keys move with their slots.** A key can go from a node that was not yet scanned up to it to one that was scanned
//!    already. So a pass counts only for slots that its node had at both ends and that were not on their way at either:
//!    by the node's own word (`CLUSTER NODES`), not by the client's map, which learns of a move later. Between the ends a slot
//!    may have left and come back: that raises the node's config epoch, and then no slot of the pass counts. A
//!    move that was begun and taken back between the ends shows only in how often the node sent or took keys, and how long that
//!    took it (`MIGRATE` and `RESTORE-ASKING` in `INFO commandstats`; after a `CONFIG RESETSTAT` both numbers do not come back
//!    the same). These are asked for before the first view and after the last one, so that they enclose the views: if they changed
//!    and no slot that left, came or is on its way explains it, no slot counts.
//!    Every other slot stays to do, and is scanned at the node that has it by then. Slots that are on their way are waited for,
//!    and cost no other slot anything.
//! 3. **A node may be wrong about itself.** One that was frozen while its replica took over speaks of its slots until it
//!    hears of that. So after a pass other primaries are asked, too: slots that they give to another node by a higher
//!    config epoch do not count. Their silence is not consent: enough of them must answer that a voter would be among them (of
//!    seven primaries, three others; those without slots have no vote; where one does not answer, others are asked), or the pass
//!    waits until they do. A node that reaches so few others that these could have replaced it has to wait as well, and is no
//!    witness for others. Only the one primary of a cluster that has no other is taken at its word.
//!
//! So a slot is done only if one process had all of its keys from before the first page to after the last one, and
//! returned them. A key that was there throughout is in some slot, and every slot gets done or is reported. That holds for
//! any number of passes, in any order, in one scan or several: a [`ScanCursor`] holds what a pass had begun with, and its
//! end is judged by that, whoever sees it. It goes on only while its node has the same process and epoch.
//!
//! Two cases are not noticed: a move that is begun and taken back within one pass while other slots leave or reach the same
//! node, or are on their way, so that the keys that moved are put down to those; and one after which, still within the pass, the
//! counts are reset (`CONFIG RESETSTAT`) on a node that had not moved any key before.
//!
//! A server without cluster support has all slots, and what stands in for the epoch is whose data it has (role and
//! `master_replid` in `INFO replication`): a failover within one process shows there.
//!
//! # Servers that say less
//! Managed services and proxies may leave out of `INFO` what they like: Redis Software and Redis Cloud, and so Azure Managed
//! Redis, document that it has other fields there. What then holds is less, and the scan goes on:
//!
//! - Without `run_id`, a process is recognised by the connection that it answers on, and by its `process_id`, if that is
//!   reported. A server ends its connections when it ends, so that every key that is there throughout is still returned, as long as the
//!   connection leads to the server itself. A proxy that keeps its callers' connections while another process takes over behind
//!   it, and passes the old cursors to that process, hides the change. Whenever a connection is replaced, its node is scanned
//!   from 0, and a [`ScanCursor`] goes on in another client only with nodes that report their `run_id`.
//! - Without `commandstats`, a move that was begun and taken back within a pass is not noticed.
//! - Without `master_replid`, neither is a failover within one process of a server without cluster support.
//!
//! A `run_id` that a proxy makes up and never changes is believed, as is everything that a server says; pages still have to come
//! from one connection. Without `CLUSTER NODES` a node of a cluster is not scanned ([`MissingCause::Silent`]).
//!
//! A server whose cursors go in a circle would be asked for ever: its slots are reported missing instead. A program that follows a
//! node's cursors itself can look for that with [`Walk`].
//!
//! Where slots have to be scanned again and the server has `CLUSTERSCAN` (Valkey 9.1), few of them are scanned one by one. That
//! command alone would not do: it does not see a key that moves ahead of it while its slot is between two nodes. Nor
//! is it the quickest way through all keys, since it takes two calls for each of 16,384 slots.
//!
//! A key that was written, acknowledged and then lost in a failover was not there throughout, whatever the caller thinks.
//!
//! # What a user must be allowed
//! `SCAN`, `INFO` and `CLUSTER NODES` for keys; `CLUSTERSCAN` is used where it is allowed. `HSCAN`, `SSCAN` or `ZSCAN` for a
//! value, and `INFO` and `CLUSTER NODES` too, unless the value fits into one reply and the client reads from primaries. A server
//! without cluster support is not asked for `CLUSTER NODES`. What a user may not do is an error at once, which names the node and
//! says what to allow, on the node that is scanned and on those that are asked about it: without these commands nobody can tell
//! whether all keys were returned.
//!
//! # Inventory
//! `plan` decides, over its `pass`es and the client's idea of `owners`; `troubles` knows what to wait for and what to give up,
//! `witness` reads what nodes say, `verdict` judges it (all pure); `slots`, `digest` and `walk` are their tools; `ask` sends
//! commands, `page` reads keys out of a reply, `keys` is the stream; `builder`, `cursor`, `error` and `walk` are what users see of it;
//! `elements` is the stream of one value, and `value` reads it.

mod ask;
mod builder;
mod cursor;
mod digest;
mod elements;
mod error;
mod keys;
mod owners;
mod page;
mod pass;
mod plan;
mod slots;
mod troubles;
mod value;
mod verdict;
mod walk;
mod witness;

pub use builder::Scan;
pub use cursor::{ScanCursor, ScanCursorError};
pub use elements::{ElementScan, Elements};
pub use error::{MissingCause, MissingSlots, ScanError};
pub use keys::Keys;
pub use walk::Walk;
