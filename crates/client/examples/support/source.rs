//! What `web_cache` is a cache of: a source that takes its time.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

/// Items with their versions.
#[derive(Default)]
pub(crate) struct Source {
    versions: Mutex<HashMap<u64, u64>>,
}

impl Source {
    /// The item's text: its version.
    pub(crate) async fn load(&self, item: u64) -> String {
        let version = self.versions.lock().get(&item).copied().unwrap_or(0);
        sleep(Duration::from_millis(30)).await;
        version.to_string()
    }

    /// Changes items; returns their new versions.
    pub(crate) fn change(&self, items: &[u64]) -> Vec<u64> {
        let mut versions = self.versions.lock();
        let next = |version: &mut u64| {
            *version += 1;
            *version
        };
        items.iter().map(|item| next(versions.entry(*item).or_default())).collect()
    }
}
