//! Handles that watch, and live on: transactions that a server refuses for good, watches that expire, what is read and routed
//! meanwhile.

use std::time::{Duration, Instant};

use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{AsyncCommands, ErrorKind, Value, cmd, pipe};
use truename::topology::Slot;
use truename_lab::{Lab, LabProfile};
use truename_redis::cluster_async::ClusterConnection;
use truename_redis::may_have_executed;

use crate::support::{builder, calls, count, eventually, lab, replicated};

const SECOND: Duration = Duration::from_secs(1);

async fn says(lab: &Lab, node: usize, command: &[&str], what: &str) -> bool {
    lab.command(node, command).await.is_ok_and(|reply| reply.as_str().is_some_and(|text| text.contains(what)))
}

/// The server refuses `EXEC`, or what comes before it, as long as it is asked: that went on for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_always_refused_ends_with_the_servers_words() {
    let down = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(SECOND);
    let down = down.server_arg("cluster-allow-reads-when-down", "yes").start().await.expect("the lab starts");
    let owner = down.primary_of_key(b"k").await.expect("an owner");
    down.node((owner + 1) % 3).kill();
    let fails = || says(&down, owner, &["CLUSTER", "INFO"], "cluster_state:fail");
    eventually("the cluster is down", 20 * SECOND, fails).await;
    let alone = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    alone.command(0, &["REPLICAOF", "127.0.0.1", "1"]).await.expect("OK");
    for (lab, word) in [(&down, "CLUSTERDOWN"), (&alone, "READONLY")] {
        let client = builder(lab).response_timeout(SECOND).build().expect("usable options");
        let connection = client.get_async_connection().await.expect("connected");
        let started = Instant::now();
        let ended = tokio::time::timeout(6 * SECOND, count(&connection, "k")).await;
        let error = ended.unwrap_or_else(|_| panic!("{word}: it ends")).expect_err("it is refused");
        assert!(error.to_string().contains(word), "{error}");
        assert!(started.elapsed() < 3 * SECOND, "{:?}", started.elapsed());
        if word == "READONLY" {
            // What was refused then says nothing about what comes now.
            alone.command(0, &["REPLICAOF", "NO", "ONE"]).await.expect("OK");
            assert_eq!(count(&connection, "k").await, Ok(1));
        }
    }
}

/// Every clone that was ever made of a handle whose `WATCH` had expired was told of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_is_told_once_and_then_over() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).watch_limit(Duration::from_millis(200)).build().expect("usable options");
    let mut lasting = client.get_async_connection().await.expect("connected");
    let add = |mut handle: ClusterConnection| async move {
        pipe().atomic().incr("k", 1).query_async::<(u64,)>(&mut handle).await
    };
    let () = cmd("WATCH").arg("k").query_async(&mut lasting).await.expect("OK");
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    let mut early = lasting.clone();
    let is_closed = || async { !says(&lab, owner, &["CLIENT", "LIST"], " cmd=watch ").await };
    eventually("it ends", 5 * SECOND, is_closed).await;
    let error = add(lasting.clone()).await.expect_err("too late");
    assert!(error.kind() == ErrorKind::Client && error.to_string().contains("watch_limit"), "{error}");
    for n in 1..4 {
        assert_eq!(add(lasting.clone()).await, Ok((n,)), "somebody was told");
        assert_eq!(cmd("WATCH").arg("k").query_async(&mut lasting.clone()).await, Ok(()));
    }
    // Those that may rely on it are, each for itself.
    for handle in [&mut early, &mut lasting] {
        let error = pipe().atomic().incr("k", 1).query_async::<()>(handle).await.expect_err("too late");
        assert!(error.to_string().contains("watch_limit") && !may_have_executed(&error), "{error}");
        let (counted,): (u64,) = pipe().atomic().incr("k", 1).query_async(handle).await.expect("executed");
        assert!(counted > 3);
    }
}

/// A client that reads from replicas, and has written a key.
async fn reader(lab: &Lab, key: &str) -> ClusterConnection {
    let client = builder(lab).read_from_replicas().build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    let () = connection.set(key, 1).await.expect("OK");
    let all_up = || async { connection.client().nodes().iter().all(|node| node.is_connected) };
    eventually("replicas are connected", 5 * SECOND, all_up).await;
    connection
}

/// A replica may lack what is watched: a script read it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_of_a_watching_handle_read_from_the_primary() {
    let lab = replicated().await;
    let mut c = reader(&lab, "k").await;
    let body = "return redis.call('GET', KEYS[1])";
    let digest: String = cmd("SCRIPT").arg("LOAD").arg(body).query_async(&mut c).await.expect("loaded");
    let short = |keys: &[&str]| cmd("EVALSHA_RO").arg(&digest).arg(keys.len()).arg(keys).clone();
    let whole = cmd("EVAL_RO").arg(body).arg(1).arg("k").clone();
    let at_replicas = async || {
        let mut count = 0;
        for replica in lab.replicas() {
            for command in ["evalsha_ro", "eval_ro", "mget"] {
                count += calls(&lab, replica.index, command).await;
            }
        }
        count
    };
    let () = short(&["k"]).query_async(&mut c).await.expect("a value");
    let before = at_replicas().await;
    assert!(before > 0, "otherwise a replica is read from");
    // With its body known, and through a handle that never saw it.
    let mut stranger = reader(&lab, "k").await;
    for handle in [&mut c, &mut stranger] {
        let () = cmd("WATCH").arg("k").query_async(handle).await.expect("OK");
        for _ in 0..5 {
            assert_eq!(short(&["k"]).query_async(handle).await, Ok(1));
            assert_eq!(whole.query_async(handle).await, Ok(1));
            let mut plain = pipe();
            plain.add_command(short(&["k"])).add_command(whole.clone()).mget(&["k", "elsewhere"]);
            let read: (u64, u64, (u64, Option<u64>)) = plain.query_async(handle).await.expect("values");
            assert_eq!(read, (1, 1, (1, None)));
        }
        assert_eq!(at_replicas().await, before);
        let done: Option<(u64,)> = pipe().atomic().get("k").query_async(handle).await.expect("executed");
        assert_eq!(done, Some((1,)));
    }
}

/// What waits was sent on the connection that watches, and everything else waited behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_holds_up_nothing_that_watches() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).response_timeout(SECOND).build().expect("usable options");
    let mut c = client.get_async_connection().await.expect("connected");
    let mut other = c.clone();
    let () = cmd("WATCH").arg("{s}k").query_async(&mut c).await.expect("OK");
    let mut waits = c.clone();
    let waiting = tokio::spawn(async move {
        let read = cmd("XREAD").arg("BLOCK").arg(0).arg("STREAMS").arg("{s}").arg("$").clone();
        read.query_async::<Value>(&mut waits).await
    });
    let owner = lab.primary_of_key(b"{s}k").await.expect("an owner");
    let is_waiting = || says(&lab, owner, &["INFO", "clients"], "blocked_clients:1");
    eventually("it waits", 5 * SECOND, is_waiting).await;
    assert_eq!(c.get::<_, Option<u64>>("{s}k").await, Ok(None));
    let mut last = pipe();
    last.cmd("XREAD").arg("BLOCK").arg(50).arg("STREAMS").arg("{s}").arg("$").get("{s}k");
    assert_eq!(last.query_async(&mut c).await, Ok((Value::Nil, Value::Nil)));
    let done: Option<(u64,)> = pipe().atomic().incr("{s}k", 1).query_async(&mut c).await.expect("executed");
    assert_eq!(done, Some((1,)));
    let _: String = other.xadd("{s}", "*", &[("f", "v")]).await.expect("added");
    let read = waiting.await.expect("no panic").expect("an entry");
    assert!(matches!(read, Value::Array(_)), "{read:?}");
}

/// A caller's route is followed; one that leaves the node open leads to the primary while keys are watched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_of_a_watching_handle() {
    let lab = replicated().await;
    let mut c = reader(&lab, "k").await;
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    let slot = Slot::of_key(b"k").value();
    let place = |address| SingleNodeRoutingInfo::SpecificNode(Route::new(slot, address));
    let to = |address| RoutingInfo::SingleNode(place(address));
    let get = cmd("GET").arg("k").clone();
    let () = cmd("WATCH").arg("k").query_async(&mut c).await.expect("OK");
    for (address, at_primary) in
        [(SlotAddr::ReplicaOptional, 5), (SlotAddr::Master, 5), (SlotAddr::ReplicaRequired, 0)]
    {
        let before = calls(&lab, owner, "get").await;
        for _ in 0..5 {
            let read = c.route_command(get.clone(), to(address)).await.expect("a value");
            assert_eq!(read, Value::BulkString(b"1".to_vec()));
        }
        assert_eq!(calls(&lab, owner, "get").await - before, at_primary, "{address:?}");
        let before = calls(&lab, owner, "get").await;
        let mut plain = pipe();
        plain.get("k");
        let read = c.route_pipeline(plain, 0, 1, place(address)).await.expect("a value");
        assert_eq!(read, [Value::BulkString(b"1".to_vec())]);
        assert_eq!(calls(&lab, owner, "get").await - before, at_primary / 5, "{address:?}");
    }
    // What belongs to the connection that watches has no route of its own.
    for word in [&["WATCH", "k"][..], &["UNWATCH"], &["MULTI"], &["EXEC"]] {
        let mut routed = cmd(word[0]);
        routed.arg(&word[1..]);
        let error = c.route_command(routed, to(SlotAddr::Master)).await.expect_err("it cannot be");
        assert!(error.to_string().contains(word[0]) && !may_have_executed(&error), "{error}");
    }
    let done: Option<(u64,)> = pipe().atomic().incr("k", 1).query_async(&mut c).await.expect("executed");
    assert_eq!(done, Some((2,)), "it watched all the time");
}
