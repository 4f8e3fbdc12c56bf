//! Commands for several nodes, and routing by hand.

use std::collections::HashMap;

use redis::cluster_routing::{
    AggregateOp, MultiSlotArgPattern, MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo,
    SingleNodeRoutingInfo, SlotAddr,
};
use redis::{AsyncCommands, ErrorKind, Value, cmd};
use truename::topology::Slot;
use truename_lab::LabProfile;

use crate::support::{PROTOCOLS, builder, calls, connect, keys, lab, replicated};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_give_one_reply() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut c = connect(&lab, protocol).await;
        assert_eq!(cmd("RANDOMKEY").query_async::<Option<String>>(&mut c).await, Ok(None));
        let mut names = keys("nodes", 60);
        let mut pipeline = redis::pipe();
        names.iter().for_each(|key| _ = pipeline.set(key, 1).ignore());
        let () = pipeline.query_async(&mut c).await.expect("written");
        assert_eq!(cmd("DBSIZE").query_async::<i64>(&mut c).await, Ok(60));
        let ones: Vec<i64> = c.mget(&names).await.expect("of several slots");
        assert_eq!(ones, [1; 60]);
        let pairs: Vec<_> = names.iter().map(|key| (key, 2)).collect();
        let () = c.mset(&pairs).await.expect("of several slots");
        assert_eq!(c.exists::<_, i64>(&names).await, Ok(60));
        let (twos, gone): (Vec<i64>, i64) = redis::pipe()
            .mget(&names)
            .del("no such key")
            .query_async(&mut c)
            .await
            .expect("in a pipeline, too");
        assert_eq!((twos, gone), (vec![2; 60], 0));
        let refused = c.rename::<_, _, ()>(&names[0], &names[1]).await.expect_err("keys of two slots");
        assert!(refused.is_io_error() && !truename_redis::may_have_executed(&refused), "{refused}");
        let mut found: Vec<String> = c.keys("nodes:*").await.expect("all keys");
        found.sort();
        names.sort();
        assert_eq!(found, names);
        let some: Option<String> = cmd("RANDOMKEY").query_async(&mut c).await.expect("a key");
        assert!(names.contains(&some.expect("there are keys")));
        let told: HashMap<String, redis::InfoDict> =
            cmd("INFO").arg("server").query_async(&mut c).await.expect("by node");
        assert_eq!(told.len(), 3);
        assert!(told.values().all(|info| info.get::<String>("redis_version").is_some()));

        let () = cmd("CONFIG")
            .arg("SET")
            .arg("slowlog-max-len")
            .arg(7)
            .query_async(&mut c)
            .await
            .expect("everywhere");
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let mut get = cmd("CONFIG");
        get.arg("GET").arg("slowlog-max-len");
        let Ok(Value::Map(set)) = c.route_command(get.clone(), everywhere).await else { panic!("no map") };
        assert!(
            set.len() == 3
                && set.iter().all(|(_, value)| format!("{value:?}").contains("'7'")
                    || format!("{value:?}").contains("\"7\"")),
            "{set:?}"
        );
        let one: HashMap<String, String> = get.query_async(&mut c).await.expect("from any");
        assert_eq!(one["slowlog-max-len"], "7");
        let nodes: String = cmd("CLUSTER").arg("NODES").query_async(&mut c).await.expect("from any");
        assert_eq!(nodes.lines().count(), 3);
        let load = "#!lua name=lib\nredis.register_function('f', function(keys, args) return 7 end)";
        let () = cmd("FUNCTION").arg("LOAD").arg(load).query_async(&mut c).await.expect("everywhere");
        for key in ["a", "b", "c"] {
            assert_eq!(cmd("FCALL").arg("f").arg(1).arg(key).query_async::<i64>(&mut c).await, Ok(7));
        }
        let () = cmd("FUNCTION").arg("FLUSH").query_async(&mut c).await.expect("everywhere");
        let () = cmd("FLUSHALL").query_async(&mut c).await.expect("everywhere");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_where_its_caller_says() {
    let lab = lab(LabProfile::Plain).await;
    let mut c = connect(&lab, PROTOCOLS[0]).await;
    for key in keys("routed", 30) {
        let () = c.set(&key, &key).await.expect("written");
        let route = Route::new(Slot::of_key(key.as_bytes()).value(), SlotAddr::Master);
        let there = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
        let script = "return redis.call('CLUSTER', 'MYID')";
        let mut eval = cmd("EVAL");
        eval.arg(script).arg(0);
        let Ok(Value::BulkString(id)) = c.route_command(eval, there).await else { panic!("no id") };
        let owner = lab.primary_of_key(key.as_bytes()).await.expect("an owner");
        assert_eq!(String::from_utf8(id).as_deref(), Ok(lab.node(owner).id.as_str()));
    }
    let (host, port) = lab.node(1).announced();
    let by_address = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host: host.clone(), port });
    let mut my_id = cmd("CLUSTER");
    my_id.arg("MYID");
    let Ok(Value::BulkString(id)) = c.route_command(my_id.clone(), by_address).await else { panic!("no id") };
    assert_eq!(String::from_utf8(id).as_deref(), Ok(lab.node(1).id.as_str()));
    let mut pipeline = redis::pipe();
    pipeline.add_command(my_id.clone()).add_command(my_id);
    let node = SingleNodeRoutingInfo::ByAddress { host, port };
    let ids = c.route_pipeline(pipeline, 0, 2, node).await.expect("both");
    assert!(ids.iter().all(|id| *id == Value::BulkString(lab.node(1).id.as_bytes().to_vec())));

    let nobody =
        RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host: "10.9.9.9".into(), port: 1 });
    c.route_command(cmd("PING"), nobody).await.expect_err("the topology has no such node");
    let replica = SingleNodeRoutingInfo::SpecificNode(Route::new(1, SlotAddr::ReplicaRequired));
    let error = c
        .route_command(cmd("PING"), RoutingInfo::SingleNode(replica))
        .await
        .expect_err("reads from primaries");
    assert!(error.to_string().contains("read_from_replicas"), "{error}");

    // Split by hand.
    let names = keys("routed", 4);
    let parts = names.iter().enumerate().map(|(at, key)| {
        (Route::new(Slot::of_key(key.as_bytes()).value(), SlotAddr::ReplicaOptional), vec![at])
    });
    let split = MultipleNodeRoutingInfo::MultiSlot((parts.rev().collect(), MultiSlotArgPattern::KeysOnly));
    let mut get = cmd("MGET");
    get.arg(&names);
    let joined = RoutingInfo::MultiNode((split, Some(ResponsePolicy::CombineArrays)));
    let values = c.route_command(get, joined).await.expect("all of them");
    assert_eq!(redis::from_redis_value::<Vec<String>>(values), Ok(names.clone()));

    // What a part did is not forgotten over what another did not do.
    let () = c.del(&names).await.expect("deleted");
    let (at_owner, other) = (&names[0], &names[1]);
    let () = c.rpush(other, "x").await.expect("a list");
    let split = |policy| {
        let part =
            |at: usize| (Route::new(Slot::of_key(names[at].as_bytes()).value(), SlotAddr::Master), vec![at]);
        let parts =
            MultipleNodeRoutingInfo::MultiSlot((vec![part(0), part(1)], MultiSlotArgPattern::KeysOnly));
        RoutingInfo::MultiNode((parts, Some(policy)))
    };
    let mut incr = cmd("INCR");
    incr.arg(at_owner).arg(other);
    let sum = split(ResponsePolicy::Aggregate(AggregateOp::Sum));
    let error = c.route_command(incr.clone(), sum).await.expect_err("one is a list");
    assert!(error.code() == Some("MAYBEEXECUTED") && truename_redis::may_have_executed(&error), "{error}");
    assert_eq!(c.get::<_, i64>(at_owner).await, Ok(1));
    let () = c.del(other).await.expect("deleted");
    let error = c.route_command(incr.clone(), split(ResponsePolicy::CombineArrays)).await;
    let error = error.expect_err("numbers are no arrays");
    assert!(error.kind() == ErrorKind::UnexpectedReturnType, "{error}");
    assert!(truename_redis::may_have_executed(&error));
    assert_eq!(c.get::<_, i64>(at_owner).await, Ok(2));
}

/// Where reads go to replicas, `SlotAddr::Master` named a node, which was wrong once another took over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_slot_is_whoever_is_it() {
    let lab = replicated().await;
    let client = builder(&lab).read_from_replicas().build().expect("usable options");
    let mut c = client.get_async_connection().await.expect("connected");
    let () = c.set("k", 1).await.expect("OK");
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    let route = Route::new(Slot::of_key(b"k").value(), SlotAddr::Master);
    let master = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
    let mut get = cmd("GET");
    get.arg("k");
    for _ in 0..10 {
        assert_eq!(c.route_command(get.clone(), master.clone()).await, Ok(Value::BulkString(b"1".to_vec())));
    }
    assert_eq!(calls(&lab, owner, "get").await, 10, "no replica was asked");
    let shard = lab.node(owner).shard;
    let replica = lab.replicas().iter().find(|node| node.shard == shard).expect("a replica").index;
    let before = calls(&lab, replica, "set").await;
    lab.failover(replica).await.expect("failed over");
    let mut set = cmd("SET");
    set.arg("k").arg(2);
    assert_eq!(c.route_command(set, master.clone()).await, Ok(Value::Okay));
    assert_eq!(c.route_command(get, master).await, Ok(Value::BulkString(b"2".to_vec())));
    assert!(calls(&lab, replica, "set").await > before && calls(&lab, replica, "get").await > 0);
}
