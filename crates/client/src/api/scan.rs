//! Scans: the keys of a whole cluster ([`Client::scan`](crate::Client::scan)), and the elements of one hash, set or sorted set.
//!
//! # Why every key that is there throughout is returned
//! `SCAN` promises: whoever follows its cursors from 0 to 0 gets every key that the *process* had from the first call to the
//! last one. A cluster breaks this in three ways, and each has its remedy here.
//!
//! 1. **A cursor holds for one process.** It is a place in a hash table, and every process draws a hash seed of its own. A
//!    replica that took over, or a server that was started again at the same address, would take an old cursor and skip keys.
//!    So before the first page and after the last one of a *pass* over a node, the node is asked for its `run_id`, which every
//!    start draws anew. If both are the same, all pages between came from that process; if not, the pass counts for
//!    nothing and the node is scanned again from 0.
//! 2. **Keys move with their slots.** A key can go from a node that was not yet scanned up to it to one that was scanned
//!    already. So a pass counts only for slots that its node had at both ends and that were not on their way at either:
//!    by the node's own word (`CLUSTER NODES`), not by the client's map, which learns of a move later. Between the ends a slot
//!    may have left and come back: that raises the node's config epoch, and then no slot of the pass counts. A
//!    move that was begun and taken back between the ends shows only in how many keys the node sent or took (`MIGRATE` and
//!    `RESTORE-ASKING` in `INFO commandstats`): if that changed and nothing else explains it, no slot counts. Every other slot
//!    stays to do, and is scanned at the node that has it by then. Slots that are on their way are waited for.
//! 3. **A node may be wrong about itself.** One that was frozen while its replica took over speaks of its slots until it
//!    hears of that. So after a pass two other primaries are asked, too: slots that they give to another node by a higher
//!    config epoch do not count. A node that reaches so few others that these could have replaced it counts for none.
//!
//! So a slot is done only if one process had all of its keys from before the first page to after the last one, and
//! returned them. A key that was there throughout is in some slot, and every slot gets done or is reported. That holds for
//! any number of passes, in any order, in one scan or several: a [`ScanCursor`] holds what a pass had begun with, and its
//! end is judged by that, whoever sees it.
//!
//! One case is not noticed: a move that is begun and taken back within one pass while other slots leave or reach the same
//! node, so that the keys that moved are put down to those.
//!
//! Where slots have to be scanned again and the server has `CLUSTERSCAN` (Valkey 9.1), few of them are scanned one by one. That
//! command alone would not do: it does not see a key that moves ahead of it while its slot is between two nodes. Nor
//! is it the quickest way through all keys, since it takes two calls for each of 16,384 slots.
//!
//! A key that was written, acknowledged and then lost in a failover was not there throughout, whatever the caller thinks.
//!
//! # Inventory
//! `plan` decides, `troubles` knows what to wait for and what to give up, `witness` judges what nodes say about themselves (all pure);
//! `slots` and `digest` are their tools;
//! `ask` sends commands, `page` reads keys out of a reply, `keys` is the stream; `builder`, `cursor` and `error` are what users see of it; `elements` scans
//! one key.

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
mod witness;

pub use builder::Scan;
pub use cursor::{ScanCursor, ScanCursorError};
pub use elements::{ElementScan, Elements};
pub use error::{MissingCause, MissingSlots, ScanError};
pub use keys::Keys;
