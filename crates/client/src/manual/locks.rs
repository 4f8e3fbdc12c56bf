//! A distributed lock, for work that should not be done by two processes at a time; and what it cannot promise.
//!
//! One key per lock, set if it is not there (`NX`), with a token that only its holder knows, for a limited time (`PX`). Whoever
//! releases it compares the token first, in a script, because the lock may have expired and be somebody else's by then. Both
//! steps may be executed twice, and so both are sent again when an answer is lost ([`Command::repeatable`]). `GET` together with
//! `NX` needs a server of 7.0 or later.
//!
//! ```no_run
#![doc = include_str!("../../examples/support/lock.rs")]
//! ```
//!
//! It needs `fastrand`, or any other source of random tokens. The caller: `let Some(held) = locks.acquire("{report}:lock").await? else
//! { return Ok(()) };`, work that ends before `held.until`, `locks.release(held).await?`.
//!
//! An error of `acquire` for which [`Error::may_have_executed`] is true, or a call that is dropped, may leave a lock that nobody
//! holds. It expires.
//!
//! # What it promises
//!
//! At most one holder at a time, as long as every holder stops in time (`until`; it may have passed when `acquire` returns), clocks run
//! at the same speed, and no primary is replaced, is restarted without its data, or evicts the lock (`maxmemory-policy`). This is
//! not a consensus lock, and not Redlock:
//!
//! - **Failover.** Replication is asynchronous: a holder may be answered before any replica has the lock. A primary that dies before takes the lock along, and its
//!   successor gives it to the next one who asks: two processes have it. A batch of the `SET` and a [`WAIT`](crate::Batch) makes
//!   that rarer; it does not exclude it, as the replica that confirmed need not be the one that is promoted.
//! - **Pauses.** A process that is stopped in the middle of its work (by the scheduler, a page that is swapped out, a virtual machine
//!   that is moved) goes on afterwards, and does not know that its time is over.
//!
//! So a lock like this saves work that would be done twice. It does not protect what must never be done twice. There,
//! whatever is changed has to decide: a version that is compared when a row is written (a fencing token), or an idempotency key, by
//! which a second payment is the same as the first. Where that is impossible, use a store that decides by consensus.
//!
//! # What is in the cluster itself
//!
//! If what the lock protects is in the same slot (`{item:7}:lock`, `{item:7}`), let one script compare the token and write.
//! Then nobody writes without having the lock at that very moment, whatever expired, was paused or failed over before: the
//! primary that executes the script has one lock and one value. The example `web_cache` of the repository does that.
//! [`Client::transaction`] needs no lock at all.
//!
//! [`Client::transaction`]: crate::Client::transaction
//! [`Command::repeatable`]: crate::Command::repeatable
//! [`Error::may_have_executed`]: crate::Error::may_have_executed
