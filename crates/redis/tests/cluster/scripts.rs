//! Scripts that servers have and have not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::{AsyncCommands, Script};
use truename_lab::LabProfile;

use crate::support::{PROTOCOLS, connect, eventually, keys, lab, replicated};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_runs_wherever_its_keys_are() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        for key in keys("script", 30) {
            let sum: i64 = script.key(&key).arg(5).invoke_async(&mut connection).await.expect("it runs");
            assert_eq!(sum, 5);
        }
        let keyless: i64 = Script::new("return 7").invoke_async(&mut connection).await.expect("it runs");
        assert_eq!(keyless, 7);
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.expect("emptied");
        let hash = script.get_hash();
        let have: Vec<bool> =
            redis::cmd("SCRIPT").arg("EXISTS").arg(hash).query_async(&mut connection).await.expect("told");
        assert_eq!(have, [false]);
    }
}

/// A node that lost its scripts, as one that was restarted, gets the body with the call; so does one in a pipeline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_a_script_gets_its_body() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[0]).await;
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    let hash = script.load_async(&mut connection).await.expect("loaded");
    let have: Vec<bool> =
        redis::cmd("SCRIPT").arg("EXISTS").arg(&hash).query_async(&mut connection).await.expect("told");
    assert_eq!(have, [true], "every primary has it");
    let keys = keys("lost", 30);
    for index in 0..3 {
        lab.command(index, &["SCRIPT", "FLUSH"]).await.expect("flushed");
    }
    let mut pipeline = redis::pipe();
    for key in &keys {
        pipeline.cmd("EVALSHA").arg(&hash).arg(1).arg(key);
    }
    let first: Vec<i64> = pipeline.query_async(&mut connection).await.expect("all run");
    assert!(first.iter().all(|count| *count == 1), "{first:?}");
    // In its place: what stands after it in the pipeline is executed after it.
    let append = Script::new("return redis.call('APPEND', KEYS[1], 'a')");
    let hash_of_append = append.load_async(&mut connection).await.expect("loaded");
    for index in 0..3 {
        lab.command(index, &["SCRIPT", "FLUSH"]).await.expect("flushed");
    }
    let (length, text): (i64, String) = redis::pipe()
        .cmd("EVALSHA")
        .arg(hash_of_append)
        .arg(1)
        .arg("order")
        .append("order", "b")
        .ignore()
        .get("order")
        .query_async(&mut connection)
        .await
        .expect("all run");
    assert_eq!((length, text.as_str()), (1, "ab"));
    for index in 0..3 {
        lab.command(index, &["SCRIPT", "FLUSH"]).await.expect("flushed");
    }
    for key in &keys {
        let count: i64 = redis::cmd("EVALSHA")
            .arg(&hash)
            .arg(1)
            .arg(key)
            .query_async(&mut connection)
            .await
            .expect("runs");
        assert_eq!(count, 2, "once and not twice");
    }
    // EVAL's own error is final, also when it looks the same.
    let forged = "redis.call('INCR', KEYS[1]) return redis.error_reply('NOSCRIPT No matching script. Please use EVAL.')";
    let error = redis::cmd("EVAL").arg(forged).arg(1).arg("forged").query_async::<()>(&mut connection).await;
    assert_eq!(error.expect_err("its own error").code(), Some("MAYBEEXECUTED"), "nobody repeats it");
    assert_eq!(connection.get::<_, i64>("forged").await, Ok(1));
}

/// A primary that became a replica answers a script with a redirect, and the new one does not have the script: that was told as
/// if nobody knew what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_executed_through_a_failover_whoever_has_it() {
    let lab = replicated().await;
    let connection = connect(&lab, PROTOCOLS[1]).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let tasks = (0..4).map(|_| {
        let (stop, done, mut c) = (stop.clone(), done.clone(), connection.clone());
        tokio::spawn(async move {
            let script = Script::new("return redis.call('INCR', KEYS[1])");
            while !stop.load(Relaxed) {
                let counted: Result<u64, _> = script.key("failover").invoke_async(&mut c).await;
                counted.unwrap_or_else(|error| panic!("{error}"));
                done.fetch_add(1, Relaxed);
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for _ in 0..2 {
        let owner = lab.primary_of_key(b"failover").await.expect("an owner");
        let shard = lab.node(owner).shard;
        let is_other = |index: &usize| lab.node(*index).shard == shard && *index != owner;
        let replica = (0..lab.nodes().len()).find(is_other).expect("a replica");
        // Until then, servers hold up what writes.
        let is_linked = || async {
            let told = lab.command(replica, &["INFO", "replication"]).await.expect("told");
            told.as_str().expect("text").contains("master_link_status:up")
        };
        eventually("it replicates", Duration::from_secs(20), is_linked).await;
        lab.command(replica, &["SCRIPT", "FLUSH"]).await.expect("flushed");
        lab.failover(replica).await.expect("failed over");
        let since = done.load(Relaxed);
        let goes_on = || async { done.load(Relaxed) >= since + 1000 };
        eventually("scripts are executed", Duration::from_secs(10), goes_on).await;
    }
    stop.store(true, Relaxed);
    for task in tasks {
        task.await.expect("no error");
    }
    assert_eq!(connection.clone().get::<_, u64>("failover").await, Ok(done.load(Relaxed)));
}
