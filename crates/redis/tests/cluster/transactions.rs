//! `WATCH`, by `transaction_async` and by hand: nothing is lost to a race, nothing is executed twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::transaction_async;
use redis::{AsyncCommands, ErrorKind, RedisResult, Value, cmd, pipe};
use truename::topology::Slot;
use truename_lab::{Lab, LabProfile};
use truename_redis::may_have_executed;

use crate::support::{PROTOCOLS, builder, calls, connect, count, eventually, lab, replicated};

/// How many connections have `WATCH` as their last command; servers tell only since 7.4 which ones watch something.
async fn watching(lab: &Lab) -> usize {
    let mut count = 0;
    for node in lab.nodes().iter().filter(|node| node.is_running()) {
        let list = lab.command(node.index, &["CLIENT", "LIST"]).await.expect("a list");
        count += list.as_str().expect("text").matches(" cmd=watch ").count();
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_transactions_lose_no_update() {
    const TASKS: u64 = 8;
    const EACH: u64 = 25;
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let () = connection.del("visits").await.expect("OK");
        let tasks = (0..TASKS).map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    count(&connection, "visits").await.unwrap_or_else(|error| panic!("{error}"));
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no error");
        }
        assert_eq!(connection.get::<_, u64>("visits").await, Ok(TASKS * EACH));
        assert_eq!(watching(&lab).await, 0);
    }
    let made: u64 = {
        let owner = lab.primary_of_key(b"visits").await.expect("an owner");
        let stats = lab.command(owner, &["INFO", "stats"]).await.expect("told");
        let text = stats.as_str().expect("text").to_owned();
        let made =
            text.lines().find_map(|line| line.strip_prefix("total_connections_received:")?.parse().ok());
        made.expect("a number")
    };
    assert!(made < TASKS * EACH, "{made}: connections are used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_hand_it_is_what_redis_does() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut c = connect(&lab, protocol).await;
        let mut other = c.clone();
        let () = c.set("k", 1).await.expect("OK");
        // Nobody interferes.
        assert_eq!(cmd("WATCH").arg("k").query_async::<Value>(&mut c).await, Ok(Value::Okay));
        assert_eq!(watching(&lab).await, 1);
        let (seen, kept): (i64, i64) = pipe().get("k").strlen("k").query_async(&mut c).await.expect("values");
        assert_eq!((seen, kept), (1, 1));
        let done: (i64,) = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("executed");
        assert_eq!((done, watching(&lab).await), ((2,), 0));
        // Somebody else is faster; its transaction is its own.
        let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
        let _: (i64,) = pipe().atomic().incr("k", 1).query_async(&mut other).await.expect("executed");
        let raced: Option<(i64,)> = pipe().atomic().incr("k", 10).query_async(&mut c).await.expect("nil");
        assert_eq!((raced, c.get::<_, i64>("k").await), (None, Ok(3)));
        // It ended with that.
        let free: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("executed");
        assert_eq!(free, Some((4,)));
        // A second key of the slot, by a second command; and a change by oneself counts, too.
        let () = cmd("WATCH").arg("{k}a").query_async(&mut c).await.expect("OK");
        let () = cmd("WATCH").arg("{k}b").query_async(&mut c).await.expect("OK");
        let () = c.set("{k}b", 1).await.expect("OK");
        let raced: Option<(i64,)> = pipe().atomic().incr("k", 10).query_async(&mut c).await.expect("nil");
        assert_eq!(raced, None);
        // Not any more.
        let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
        let () = cmd("UNWATCH").query_async(&mut c).await.expect("OK");
        let () = cmd("UNWATCH").query_async(&mut c).await.expect("OK");
        let () = other.set("k", 7).await.expect("OK");
        let free: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("executed");
        assert_eq!((free, watching(&lab).await), (Some((8,)), 0));
        // A command that the server does not queue, and one that fails while it is executed.
        let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
        let refused = pipe().atomic().incr("k", 1).cmd("GET").query_async::<()>(&mut c).await;
        let refused = refused.expect_err("an argument lacks");
        assert!(refused.code() == Some("EXECABORT"), "{refused}");
        let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
        let results: Vec<RedisResult<i64>> =
            pipe().atomic().incr("k", 1).llen("k").ignore_errors().query_async(&mut c).await.expect("items");
        assert_eq!(results[0], Ok(9));
        assert_eq!(results[1].as_ref().expect_err("no list").code(), Some("WRONGTYPE"));
        let () = c.del(&["k", "{k}b"]).await.expect("OK");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_inherits_what_is_watched_and_others_do_not() {
    let lab = lab(LabProfile::Plain).await;
    let mut c = connect(&lab, PROTOCOLS[1]).await;
    let mut before = c.clone();
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    let mut after = c.clone();
    let () = before.set("k", 1).await.expect("OK");
    let done: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut before).await.expect("done");
    assert_eq!(done, Some((2,)), "it watches nothing");
    let raced: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut after).await.expect("nil");
    assert_eq!(raced, None);
    // That was the end of it, for both.
    let done: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("done");
    assert_eq!((done, watching(&lab).await), (Some((3,)), 0));
    // What the last handle leaves is gone with it.
    let mut dropped = c.clone();
    let () = cmd("WATCH").arg("k").query_async(&mut dropped).await.expect("OK");
    drop(dropped);
    eventually("it is closed", Duration::from_secs(5), || async { watching(&lab).await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_an_error_before_anything_is_executed() {
    let lab = lab(LabProfile::Plain).await;
    let mut c = connect(&lab, PROTOCOLS[0]).await;
    let mut errors = vec![
        cmd("WATCH").query_async::<()>(&mut c).await,
        cmd("WATCH").arg("k").arg("of another slot").query_async(&mut c).await,
    ];
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    errors.push(cmd("WATCH").arg("of another slot").query_async(&mut c).await);
    errors.push(pipe().atomic().set("of another slot", 1).query_async(&mut c).await);
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    let route = redis::cluster_routing::SingleNodeRoutingInfo::RandomPrimary;
    let mut routed = pipe();
    routed.atomic().set("k", 1);
    errors.push(c.route_pipeline(routed, 2, 1, route).await.map(drop));
    for error in errors {
        let error = error.expect_err("it cannot be");
        assert!(!may_have_executed(&error), "{error}");
    }
    assert_eq!(cmd("DBSIZE").query_async::<i64>(&mut c).await, Ok(0));
    eventually("nothing is watched", Duration::from_secs(5), || async { watching(&lab).await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_never_released_ends_by_a_limit() {
    let lab = lab(LabProfile::Azure).await;
    let client = builder(&lab).watch_limit(Duration::from_millis(300)).build().expect("usable options");
    let mut c = client.get_async_connection().await.expect("connected");
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    let (mut other, mut third) = (c.clone(), c.clone());
    assert_eq!(watching(&lab).await, 1);
    eventually("it ends", Duration::from_secs(5), || async { watching(&lab).await == 0 }).await;
    // Reads go on, what depends on it is told, and executes nothing; then everything is as before.
    assert_eq!(c.get::<_, Option<i64>>("k").await, Ok(None));
    for handle in [&mut c, &mut other] {
        let error = pipe().atomic().incr("k", 1).query_async::<()>(handle).await.expect_err("too late");
        assert!(error.kind() == ErrorKind::Client && error.to_string().contains("watch_limit"), "{error}");
        assert!(!may_have_executed(&error), "{error}");
        let done: (i64,) = pipe().atomic().incr("k", 1).query_async(handle).await.expect("executed");
        assert!(done.0 > 0);
    }
    // So is who would add to it.
    let error = cmd("WATCH").arg("{k}b").query_async::<()>(&mut third).await.expect_err("too late");
    assert!(error.to_string().contains("watch_limit") && !may_have_executed(&error), "{error}");
    let () = cmd("WATCH").arg("{k}b").query_async(&mut third).await.expect("anew");
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("again");
    let done: Option<(i64,)> = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("executed");
    assert_eq!(done, Some((3,)));
}

/// Between `WATCH` and `EXEC` the slot goes elsewhere, or the connection is lost: nothing is executed, and all is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_follows_no_redirect_and_is_made_anew() {
    let lab = lab(LabProfile::Plain).await;
    let connection = connect(&lab, PROTOCOLS[1]).await;
    let key = "moving";
    let slot = Slot::of_key(key.as_bytes()).value();
    let (from, to) = (lab.primary_of_slot(slot).await.expect("an owner"), 0);
    let to = if from == to { 1 } else { to };
    assert_eq!(count(&connection, key).await, Ok(1));
    let rounds = AtomicU64::new(0);
    let (lab, rounds) = (&lab, &rounds);
    let (counted,): (u64,) = transaction_async(connection.clone(), &[key], |mut c, mut pipe| async move {
        let seen: u64 = match rounds.fetch_add(1, Ordering::Relaxed) {
            // Before the read: it is redirected.
            0 => {
                lab.migrate_slots(&[slot], from, to).await.expect("moved");
                c.get(key).await?
            }
            // After it: what is queued is refused.
            1 => {
                let seen = c.get(key).await?;
                lab.migrate_slots(&[slot], to, from).await.expect("moved back");
                seen
            }
            2 => {
                let seen = c.get(key).await?;
                lab.command(from, &["CLIENT", "KILL", "TYPE", "normal"]).await.expect("killed");
                seen
            }
            _ => c.get(key).await?,
        };
        pipe.set(key, seen + 1).ignore().get(key).query_async(&mut c).await
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((counted, rounds.load(Ordering::Relaxed)), (2, 4));
}

/// What is read is what is watched: a replica may not have it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_in_a_transaction_go_to_the_primary() {
    let lab = replicated().await;
    let client = builder(&lab).read_from_replicas().build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    let key = "watched";
    let owner = lab.primary_of_key(key.as_bytes()).await.expect("an owner");
    let () = connection.set(key, 1).await.expect("OK");
    let all_up = || async { connection.client().nodes().iter().all(|node| node.is_connected) };
    eventually("replicas are connected", Duration::from_secs(5), all_up).await;
    let before = calls(&lab, owner, "get").await;
    for _ in 0..10 {
        let () = cmd("WATCH").arg(key).query_async(&mut connection).await.expect("OK");
        let seen: i64 = connection.get(key).await.expect("a value");
        let (again,): (i64,) = pipe().get(key).query_async(&mut connection).await.expect("a value");
        assert_eq!(seen, again);
        let _: (i64,) = pipe().atomic().incr(key, 1).query_async(&mut connection).await.expect("executed");
    }
    assert_eq!(calls(&lab, owner, "get").await - before, 20);
    // One that reads other slots, too, is split, and its parts read from primaries.
    let before_mget = calls(&lab, owner, "mget").await;
    for _ in 0..10 {
        let () = cmd("WATCH").arg(key).query_async(&mut connection).await.expect("OK");
        let _: Vec<Option<i64>> = connection.mget(&[key, "elsewhere"]).await.expect("values");
        let () = cmd("UNWATCH").query_async(&mut connection).await.expect("OK");
    }
    assert_eq!(calls(&lab, owner, "mget").await - before_mget, 10);
    for _ in 0..10 {
        let _: i64 = connection.get(key).await.expect("a value");
    }
    assert_eq!(calls(&lab, owner, "get").await - before, 20, "others go to a replica");
}

/// Its reply is lost: nobody knows, nobody repeats it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_over_exec_is_reported_and_nothing_is_sent_again() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).response_timeout(Duration::from_secs(1)).build().expect("usable options");
    let mut c = client.get_async_connection().await.expect("connected");
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    lab.node(owner).stop();
    let error = pipe().atomic().incr("k", 1).query_async::<()>(&mut c).await.expect_err("it is frozen");
    lab.node(owner).cont();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Extension, Some("MAYBEEXECUTED")), "{error}");
    assert!(may_have_executed(&error) && matches!(error.retry_method(), redis::RetryMethod::NoRetry));
    let once = || async { calls(&lab, owner, "exec").await == 1 };
    eventually("it was executed once", Duration::from_secs(5), once).await;
    assert_eq!(c.get::<_, i64>("k").await, Ok(1));
}

/// The same program with redis-rs 0.32, whose `WATCH` is by hand.
#[cfg(feature = "v0_32")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_watch_by_hand() {
    use redis_0_32::AsyncCommands as _;
    let lab = lab(LabProfile::Plain).await;
    let client = truename_redis::v0_32::ClusterClient::new(crate::support::urls(&lab)).expect("usable");
    let mut c = client.get_async_connection().await.expect("connected");
    let mut other = c.clone();
    let () = redis_0_32::cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    let () = other.set("k", 1).await.expect("OK");
    let mut pipe = redis_0_32::pipe();
    pipe.atomic().incr("k", 1);
    let raced: Option<(i64,)> = pipe.query_async(&mut c).await.expect("nil");
    let done: Option<(i64,)> = pipe.query_async(&mut c).await.expect("executed");
    assert_eq!((raced, done), (None, Some((2,))));
}

/// A transaction's connection is one of a bounded number, and gives its place back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_a_time_wait_for_their_turn() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).configure(|config| config.max_exclusive_connections(2)).build();
    let client = client.expect("usable options");
    let connection = client.get_async_connection().await.expect("connected");
    let tasks = (0..20).map(|n| {
        let connection = connection.clone();
        // All of one node.
        tokio::spawn(async move { count(&connection, &format!("{{turn}}{n}")).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.expect("no panic"), Ok(1));
    }
}

/// A script was run after the commands that stand behind it, and each had the reply of another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_a_watching_handle_keeps_its_order() {
    let lab = lab(LabProfile::Azure).await;
    let mut connection = connect(&lab, PROTOCOLS[1]).await;
    let script = "return redis.call('INCR', KEYS[1])";
    let digest: String =
        cmd("SCRIPT").arg("LOAD").arg(script).query_async(&mut connection).await.expect("loaded");
    let () = cmd("WATCH").arg("k").query_async(&mut connection).await.expect("OK");
    let mut pipe = pipe();
    pipe.cmd("EVALSHA").arg(&digest).arg(1).arg("k").get("k").cmd("EVALSHA").arg(&digest).arg(1).arg("k");
    let replies: (u64, u64, u64) =
        pipe.get("k").ignore().query_async(&mut connection).await.expect("in order");
    assert_eq!(replies, (1, 1, 2));
}
