//! What the adapter does, whatever the version of redis-rs: commands in, replies out.
//!
//! | file | what it has |
//! |---|---|
//! | `failure` | how a call ends that has no reply |
//! | `spread` | commands for several nodes, and how their replies become one |
//! | `special` | which commands do not simply go where their key is |
//! | `scripts` | bodies of scripts |
//! | `scan` | where scans are |
//! | `pin`, `watch` | keys that are watched on behalf of a handle; watching, and reading |
//! | `calls` | [`Engine`]: single commands |
//! | `pipeline` | many at once |
//! | `settings` | what a builder was told, and the configuration that follows |
//!
//! What must stay true: a command that is not special costs no more than [`Client::execute`](truename::Client::execute).

mod calls;
mod failure;
mod pin;
mod pipeline;
mod scan;
mod scripts;
mod settings;
mod special;
mod spread;
mod watch;

pub(crate) use calls::{Engine, Memory};
pub(crate) use failure::Failure;
pub(crate) use pin::Pinned;
pub(crate) use settings::{Seed, Settings, Unusable};
pub(crate) use special::{Special, among_others, special};
pub(crate) use spread::{Join, To, complete};
