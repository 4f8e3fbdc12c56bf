//! Plain pipelines over any slots: each command has a result of its own.

use std::time::{Duration, Instant};

use redis::{RedisResult, Value};
use truename_lab::LabProfile;
use truename_redis::may_have_executed;

use crate::support::{PROTOCOLS, builder, connect, keys, lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_has_keys_of_any_slots() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let keys = keys("pipeline", 300);
        let mut pipeline = redis::pipe();
        for (n, key) in keys.iter().enumerate() {
            pipeline.set(key, n).ignore().incr(key, 1_000_000);
        }
        let sums: Vec<usize> = pipeline.query_async(&mut connection).await.expect("all of them");
        assert_eq!(sums, (1_000_000..1_000_300).collect::<Vec<_>>());
        let none: Vec<Value> = redis::pipe().query_async(&mut connection).await.expect("nothing to do");
        assert!(none.is_empty());
        let (a, size, b): (String, i64, Option<String>) = redis::pipe()
            .cmd("ECHO")
            .arg("here")
            .cmd("DBSIZE")
            .get("missing")
            .query_async(&mut connection)
            .await
            .expect("a special command among others");
        assert_eq!((a.as_str(), size, b), ("here", 300, None));
        // One after the other, in their places.
        let (emptied, left): (String, i64) = redis::pipe()
            .cmd("FLUSHALL")
            .set("first", 1)
            .ignore()
            .cmd("DBSIZE")
            .query_async(&mut connection)
            .await
            .expect("in order");
        assert_eq!((emptied.as_str(), left), ("OK", 1));
        let (both,): (Vec<i64>,) = redis::pipe()
            .set("first", 2)
            .ignore()
            .set("second", 3)
            .ignore()
            .mget(&["first", "second"])
            .query_async(&mut connection)
            .await
            .expect("after what comes before it");
        assert_eq!(both, [2, 3]);
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commands_error_is_its_own() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[1]).await;
    let mut pipeline = redis::pipe();
    pipeline.set("a", "text").incr("a", 1).cmd("MULTI").get("a");
    let results: Vec<RedisResult<Value>> =
        pipeline.clone().ignore_errors().query_async(&mut connection).await.expect("with errors as items");
    assert_eq!(results[0], Ok(Value::Okay));
    assert_eq!(results[1].as_ref().expect_err("not a number").code(), Some("ERR"));
    let refused = results[2].as_ref().expect_err("connections are shared");
    assert!(refused.code() == Some("NOTEXECUTED") && !may_have_executed(refused), "{refused}");
    assert_eq!(results[3], Ok(Value::BulkString(b"text".to_vec())));
    // By default they are an error together, which names the items.
    let error = pipeline.query_async::<()>(&mut connection).await.expect_err("two failed");
    assert!(may_have_executed(&error), "others were executed");
    assert_eq!(
        error.into_server_errors().expect("items").iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [1, 2]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_atomic_pipeline_is_a_transaction_of_one_slot() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let (ada, grace): (i64, i64) = redis::pipe()
            .atomic()
            .decr("{bank}:ada", 5)
            .incr("{bank}:grace", 5)
            .query_async(&mut connection)
            .await
            .expect("both");
        assert_eq!((ada, grace), (-5, 5));
        // A command that fails undoes nothing.
        let mut pipeline = redis::pipe();
        pipeline.atomic().lpush("{bank}:ada", 1).incr("{bank}:grace", 1).ignore_errors();
        let results: Vec<RedisResult<i64>> = pipeline.query_async(&mut connection).await.expect("items");
        assert_eq!(results[0].as_ref().expect_err("no list").code(), Some("WRONGTYPE"));
        assert_eq!(results[1], Ok(6));
        // One that is not queued keeps all from being executed.
        let mut pipeline = redis::pipe();
        pipeline.atomic().incr("{bank}:grace", 1).cmd("GET").arg("{bank}:grace").arg("too many");
        let error = pipeline.query_async::<()>(&mut connection).await.expect_err("not queued");
        assert_eq!(error.code(), Some("EXECABORT"), "{error}");
        let none: Vec<Value> =
            redis::pipe().atomic().query_async(&mut connection).await.expect("nothing to do");
        assert!(none.is_empty());
        let script = redis::Script::new("return redis.call('INCR', KEYS[1])");
        let hash = script.load_async(&mut connection).await.expect("loaded");
        for index in 0..3 {
            lab.command(index, &["SCRIPT", "FLUSH"]).await.expect("flushed");
        }
        let (sum,): (i64,) = redis::pipe()
            .atomic()
            .cmd("EVALSHA")
            .arg(hash)
            .arg(1)
            .arg("{bank}:grace")
            .query_async(&mut connection)
            .await
            .expect("with its body");
        assert_eq!(sum, 7);
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
    }
}

/// It was sent apart, where it is about nothing, and refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_may_end_with_wait() {
    let lab = lab(LabProfile::Plain).await;
    let owner = lab.primary_of_key(b"{k}").await.expect("an owner");
    let waits = || async {
        let stats = lab.command(owner, &["INFO", "commandstats"]).await.expect("statistics");
        stats.as_str().expect("text").contains("cmdstat_wait:calls=")
    };
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        for is_atomic in [false, true] {
            let mut pipeline = redis::pipe();
            if is_atomic {
                pipeline.atomic();
            }
            pipeline.set("{k}a", 1).ignore().incr("{k}b", 1).del("{k}b").cmd("WAIT").arg(0).arg(100);
            let counts: (u64, u64, u64) = pipeline.query_async(&mut connection).await.expect("all of them");
            assert_eq!((counts.0, counts.1), (1, 1));
            assert!(waits().await);
        }
        let mut refused = async |pipeline: &mut redis::Pipeline, why: &str| {
            let error = pipeline.query_async::<()>(&mut connection).await.expect_err("refused");
            assert!(error.to_string().contains(why), "{error}");
            error
        };
        // What is not of one node is not sent, and what was sent before apart is none of its business.
        let mut two = redis::pipe();
        let error = refused(two.set("foo", 1).set("bar", 1).cmd("WAIT").arg(0).arg(100), "WAIT").await;
        assert!(!may_have_executed(&error), "{error}");
        let mut apart = redis::pipe();
        refused(apart.blpop("{k}none", 0.01).set("{k}a", 1).cmd("WAIT").arg(0).arg(100), "WAIT").await;
        refused(redis::pipe().cmd("WAIT").arg(0).arg(100), "WAIT").await;
        // Its connection belongs to the keys that are watched.
        for is_atomic in [false, true] {
            let () = redis::cmd("WATCH").arg("{k}a").query_async(&mut connection).await.expect("watched");
            let mut watching = redis::pipe();
            if is_atomic {
                watching.atomic();
            }
            watching.set("{k}c", 1).cmd("WAIT").arg(0).arg(100);
            let error = watching.query_async::<()>(&mut connection).await.expect_err("refused");
            assert!(error.to_string().contains("WAIT"), "{error}");
            assert!(!is_atomic || !may_have_executed(&error), "{error}");
            let () = redis::cmd("UNWATCH").query_async(&mut connection).await.expect("nothing is watched");
        }
    }
}

/// What is split by slots is no exception: what stands after it is executed after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_for_several_nodes_keep_their_place() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[1]).await;
    let keys = keys("place", 60);
    for round in 0..30 {
        let mut pipeline = redis::pipe();
        keys.iter().for_each(|key| _ = pipeline.set(key, "old").ignore());
        pipeline.exists(&keys).del(&keys).exists(&keys);
        keys.iter().for_each(|key| _ = pipeline.set(key, round).ignore());
        pipeline.mget(&keys).cmd("DBSIZE");
        let all: (usize, usize, usize, Vec<usize>, usize) =
            pipeline.query_async(&mut connection).await.expect("all of them");
        assert_eq!(all, (60, 60, 0, vec![round; 60], 60));
    }
}

/// Each of its stretches took a time-out of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_ends_within_one_time_out_however_many_stretches_it_has() {
    let lab = lab(LabProfile::Plain).await;
    let limit = Duration::from_secs(1);
    let client = builder(&lab).response_timeout(limit).build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    // What waits on the server has its time beside that of the others.
    let (popped, size, value): (Option<(String, String)>, u64, Option<String>) = redis::pipe()
        .blpop("{k}empty", 1.5)
        .cmd("DBSIZE")
        .get("k")
        .query_async(&mut connection)
        .await
        .expect("all of them");
    assert_eq!((popped, size, value), (None, 0, None));
    lab.node(owner).stop();
    let mut pipeline = redis::pipe();
    for _ in 0..5 {
        pipeline.set("k", 1).cmd("DBSIZE");
    }
    let started = Instant::now();
    let results: Vec<RedisResult<Value>> =
        pipeline.ignore_errors().query_async(&mut connection).await.unwrap_or_default();
    let took = started.elapsed();
    lab.node(owner).cont();
    assert!(took < 2 * limit, "{took:?}");
    // What was never sent says so.
    let last = results.last().map(|last| last.as_ref().expect_err("the server was frozen"));
    assert!(last.is_none_or(|last| last.code() == Some("NOTEXECUTED")), "{last:?}");
}

/// What stood in one stretch with a command that waits had any time, and a `WATCH` had a whole call's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_waits_gives_no_time_to_others() {
    let lab = lab(LabProfile::Plain).await;
    let limit = Duration::from_secs(1);
    let client = builder(&lab).response_timeout(limit).build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    // In its place: what comes after it in its slot finds what it left.
    let (pushed, popped, again, length): (u64, (String, u64), Value, u64) = redis::pipe()
        .rpush("{k}list", 7)
        .blpop("{k}list", 0.5)
        .blpop("{k}list", 0.1)
        .rpush("{k}list", 8)
        .query_async(&mut connection)
        .await
        .expect("all of them");
    assert_eq!((pushed, popped.1, again, length), (1, 7, Value::Nil, 1));
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    let elsewhere = lab.primary_of_key(b"a").await.expect("an owner");
    assert_ne!(owner, elsewhere);
    let mut watching = redis::pipe();
    let mut waiting = redis::pipe();
    for _ in 0..3 {
        watching.set("k", 1).cmd("WATCH").arg("k").cmd("UNWATCH");
        waiting.blpop("{a}empty", 0.1).set("k", 1).cmd("DBSIZE");
    }
    lab.node(owner).stop();
    for (mut pipeline, waits) in [(watching, Duration::ZERO), (waiting, Duration::from_millis(300))] {
        let started = Instant::now();
        let results = pipeline.ignore_errors().clone();
        let results: RedisResult<Vec<RedisResult<Value>>> = results.query_async(&mut connection).await;
        let took = started.elapsed();
        drop(results);
        assert!(took < limit * 3 / 2 + waits, "{took:?}");
    }
    lab.node(owner).cont();
}
