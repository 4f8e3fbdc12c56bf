//! Who reads the pages of `web_cache` while somebody changes items, over HTTP like everybody.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::http::request;

/// What the visitors saw.
#[derive(Default)]
pub(crate) struct Visits {
    pub(crate) pages: u64,
    /// Pages that were not served.
    pub(crate) failed: u64,
    /// Items that were older than a change that had been confirmed when their page was asked for.
    pub(crate) outdated: u64,
}

/// Reads pages, and changes items ten times a second, for this time.
pub(crate) async fn come(
    server: SocketAddr,
    visitors: u64,
    time: Duration,
    items: u64,
    pages: u64,
) -> Visits {
    let end = Instant::now() + time;
    let changed: Arc<Mutex<HashMap<u64, u64>>> = Arc::default();
    let mut readers = JoinSet::new();
    for _ in 0..visitors {
        let changed = Arc::clone(&changed);
        readers.spawn(async move {
            let mut visits = Visits::default();
            while Instant::now() < end {
                let confirmed = changed.lock().clone();
                match request(server, format!("GET /page/{}", fastrand::u64(..pages))).await {
                    Ok(page) => {
                        let is_old = |(item, version)| {
                            confirmed.get(&item).is_some_and(|confirmed| version < *confirmed)
                        };
                        visits.outdated += versions(&page).filter(|read| is_old(*read)).count() as u64;
                    }
                    Err(error) => {
                        eprintln!("{error}");
                        visits.failed += 1;
                    }
                }
                visits.pages += 1;
            }
            visits
        });
    }
    while Instant::now() < end {
        let some: Vec<String> = (0..5).map(|_| fastrand::u64(..items).to_string()).collect();
        match request(server, format!("PUT /items/{}", some.join(","))).await {
            Ok(confirmed) => changed.lock().extend(versions(&confirmed)),
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sum = |sum: Visits, visits: Visits| Visits {
        pages: sum.pages + visits.pages,
        failed: sum.failed + visits.failed,
        outdated: sum.outdated + visits.outdated,
    };
    readers.join_all().await.into_iter().fold(Visits::default(), sum)
}

fn versions(body: &str) -> impl Iterator<Item = (u64, u64)> {
    body.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(item, version)| Some((item.parse().ok()?, version.parse().ok()?)))
}
