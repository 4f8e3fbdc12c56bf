//! Crates that take a connection of redis-rs's, on a TLS cluster whose primaries change under load: what they count at the end is
//! exact. `make test-adoption` runs them.
//!
//! | module | crate |
//! |---|---|
//! | `apalis` | apalis-redis 1.0: a queue of jobs, by scripts |
//! | `poem` | poem 3: sessions, over redis-rs 0.32 |
//! | `support` | the lab and its troubles |

mod apalis;
mod poem;
mod support;
