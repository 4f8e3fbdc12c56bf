//! Scans of the whole cluster by redis-rs's iterators.

use std::collections::HashSet;

use redis::{AsyncCommands, ErrorKind, ScanOptions};
use truename_lab::LabProfile;
use truename_redis::may_have_executed;

use crate::support::{PROTOCOLS, connect, keys, lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_iterator_sees_every_key_of_every_shard() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let keys = keys("scan", 2000);
        let mut pipeline = redis::pipe();
        keys.iter().for_each(|key| _ = pipeline.set(key, 1).ignore());
        let () = pipeline.query_async(&mut connection).await.expect("written");
        let () = connection.sadd("other", "x").await.expect("written");

        let mut seen = HashSet::new();
        let mut iter = connection.scan_match::<_, String>("scan:*").await.expect("begun");
        while let Some(key) = iter.next_item().await {
            seen.insert(key.expect("a key"));
        }
        drop(iter);
        assert_eq!(seen, keys.iter().cloned().collect());

        let options = ScanOptions::default().with_count(100).with_type("set");
        let mut of_type = connection.scan_options::<String>(options).await.expect("begun");
        let mut sets = Vec::new();
        while let Some(key) = of_type.next_item().await {
            sets.push(key.expect("a key"));
        }
        drop(of_type);
        assert_eq!(sets, ["other"]);
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_cursor_is_an_error_and_never_an_end() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[0]).await;
    let mut pipeline = redis::pipe();
    keys("cursor", 500).iter().for_each(|key| _ = pipeline.set(key, 1).ignore());
    let () = pipeline.query_async(&mut connection).await.expect("written");
    let scan = |cursor: u64| {
        let mut connection = connection.clone();
        async move { redis::cmd("SCAN").arg(cursor).query_async::<(u64, Vec<String>)>(&mut connection).await }
    };
    let error = scan(42).await.expect_err("no such cursor");
    assert!(error.kind() == ErrorKind::Client && !may_have_executed(&error), "{error}");
    // A step can be repeated, as its reply may not have come.
    let (first, _) = scan(0).await.expect("begun");
    let (_, second) = scan(first).await.expect("goes on");
    let (next, again) = scan(first).await.expect("repeated");
    assert_eq!(second, again);
    let (_, _) = scan(next).await.expect("goes on");
    scan(first).await.expect_err("that is too long ago");
}
