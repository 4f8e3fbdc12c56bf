//! Connections that are made when they are first used: a service starts while its cluster is down.

use std::time::Duration;

use redis::{AsyncCommands, RedisResult, cmd, pipe};
use truename_lab::LabProfile;
use truename_redis::cluster::ClusterConfig;
use truename_redis::{may_have_executed, native_error};

use crate::support::{builder, eventually, keys, lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_starts_while_its_cluster_is_down() {
    let lab = lab(LabProfile::Azure).await;
    lab.nodes().iter().for_each(|node| node.kill());
    let client = builder(&lab).response_timeout(Duration::from_millis(500)).build().expect("usable options");
    assert!(client.get_async_connection().await.is_err(), "there is no cluster");
    let mut lazy = client.get_lazy_async_connection().expect("nothing is dialled");
    let mut pending = client.get_pending_async_connection_with_config(ClusterConfig::new());
    for connection in [&mut lazy, &mut pending] {
        let error = connection.set::<_, _, ()>("k", 1).await.expect_err("there is no cluster");
        assert!(error.is_io_error() && !may_have_executed(&error), "{error}");
        assert!(native_error(&error).is_some_and(truename::Error::is_retryable), "{error}");
        let items: RedisResult<()> = pipe().set("a", 1).set("b", 1).query_async(connection).await;
        assert!(!may_have_executed(&items.expect_err("there is no cluster")));
        let watched = cmd("WATCH").arg("k").query_async::<()>(connection).await;
        assert!(!may_have_executed(&watched.expect_err("there is no cluster")));
    }
    for node in lab.nodes() {
        node.restart().await.expect("it starts");
    }
    lab.wait_ready().await.expect("a cluster again");
    for connection in [lazy, pending] {
        let is_set = || async { connection.clone().set::<_, _, ()>("k", 1).await.is_ok() };
        eventually("it was found", Duration::from_secs(20), is_set).await;
        assert_eq!(connection.clone().incr::<_, _, i64>("k", 1).await, Ok(2));
    }
}

/// Whatever comes first finds the cluster: commands for all nodes, scans and routes as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_first_finds_the_cluster() {
    use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).build().expect("usable options");
    let lazy = || client.get_lazy_async_connection().expect("nothing is dialled");
    let names = keys("lazy", 50);
    let pairs: Vec<_> = names.iter().map(|key| (key, 1)).collect();
    let () = lazy().mset(&pairs).await.expect("of several slots");
    let mut scanning = lazy();
    let mut iter = scanning.scan_match::<_, String>("lazy:*").await.expect("begun");
    let mut found = 0;
    while let Some(key) = iter.next_item().await {
        key.expect("a key");
        found += 1;
    }
    assert_eq!(found, 50);
    let master = SingleNodeRoutingInfo::SpecificNode(Route::new(7, SlotAddr::Master));
    let pong = lazy().route_command(cmd("PING"), RoutingInfo::SingleNode(master)).await;
    assert_eq!(pong, Ok(redis::Value::SimpleString("PONG".into())));
    let loaded = redis::Script::new("return 1").load_async(&mut lazy()).await;
    assert_eq!(loaded.map(|digest| digest.len()), Ok(40));
    let () = cmd("FLUSHALL").query_async(&mut lazy()).await.expect("everywhere");
    assert_eq!(cmd("DBSIZE").query_async::<i64>(&mut lazy()).await, Ok(0));
}

#[tokio::test]
async fn what_cannot_work_is_an_error_at_once() {
    let in_plaintext = truename_redis::ClusterClient::new(["redis://:secret@my-redis.redis.azure.net:10000"]);
    let missing = in_plaintext.expect("nothing is checked yet");
    let error = missing.get_lazy_async_connection().expect_err("a password in plaintext");
    assert_eq!(error.kind(), redis::ErrorKind::InvalidClientConfig, "{error}");
}
