//! What redis-rs offers, over this client, against real clusters. `cargo test -p truename-redis --test cluster scans::` runs
//! one module.
//!
//! | module | what it shows |
//! |---|---|
//! | `both` | the same commands on redis-rs's own connection |
//! | `errors` | what becomes of errors, alone and in pipelines |
//! | `families` | redis-rs's commands, family by family, over RESP2 and RESP3 with TLS |
//! | `nodes` | commands for several nodes, and routing by hand |
//! | `older` | redis-rs 0.32 |
//! | `options` | what a builder refuses, and that what it accepts has an effect |
//! | `pipelines` | plain pipelines over any slots |
//! | `pools` | `bb8` |
//! | `scans` | scans of the whole cluster by redis-rs's iterators |
//! | `scripts` | scripts that servers have and have not |
//! | `lazily` | connections that are made when they are first used |
//! | `load` | counts that stay exact while nodes fail and slots move |
//! | `synchronous` | the same without async |
//! | `transactions` | `WATCH`, by `transaction_async` and by hand |
//! | `watches` | handles that watch: refusals without end, time limits, what they read and route meanwhile |
//! | `support` | what they share |

mod both;
mod errors;
mod families;
mod lazily;
mod load;
mod nodes;
#[cfg(feature = "v0_32")]
mod older;
mod options;
mod pipelines;
#[cfg(feature = "bb8")]
mod pools;
mod scans;
mod scripts;
mod support;
mod synchronous;
mod transactions;
mod watches;
