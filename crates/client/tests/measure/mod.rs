//! What tests need, besides `support`, that measure time, or measure or change a process: they run alone among those of
//! their program, or in processes of their own.

mod control;
pub(crate) mod pace;
pub(crate) mod process;

use crate::support::{shard_of, spread_keys};

/// Tests that measure time or processor use run alone among those of their program.
pub(crate) async fn alone() -> tokio::sync::RwLockWriteGuard<'static, ()> {
    QUIET.write().await
}

/// For tests that do not mind company, next to those that do.
pub(crate) async fn in_company() -> tokio::sync::RwLockReadGuard<'static, ()> {
    QUIET.read().await
}

static QUIET: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

/// The keys that shard `shard` of three serves, and those of the other two.
pub(crate) fn split_keys(prefix: &str, count: usize, shard: usize) -> (Vec<String>, Vec<String>) {
    spread_keys(prefix, count).into_iter().partition(|key| shard_of(key) == shard)
}
