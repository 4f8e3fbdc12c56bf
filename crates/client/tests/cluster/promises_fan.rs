//! One call, several nodes: keys of several slots, and commands that concern all nodes. What one of them did not do is said.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::info::{all_executions, executions};
use crate::support::{config, connect, eventually, keys_of, lab, tell};
use truename::error::RouteError;
use truename::{Client, Error, Protocol, Reply, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key:{n}")).collect()
}

/// The same commands on the cluster, and on a server that has all slots for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_to_several_nodes_returns_what_one_server_would() {
    let lab = Lab::builder(LabProfile::Plain).replicas(1).start().await.expect("the lab starts");
    let alone =
        Lab::builder(LabProfile::Plain).shards(1).replicas(0).no_cluster().start().await.expect("alone");
    for protocol in [Protocol::Resp2, Protocol::Auto] {
        let ours = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
        let theirs = Client::connect(&config(&alone).protocol(protocol)).await.expect("connected");
        let all = keys(100);
        let pairs = || all.iter().flat_map(|key| [key.as_str(), "v"]);
        let rows = [
            cmd("MSET").args(pairs()),
            cmd("MGET").args(all.iter()),
            cmd("MGET").args(["key:1", "none", "key:2", "key:1"]),
            cmd("EXISTS").args(all.iter()).arg("none").arg("key:1"),
            cmd("TOUCH").args(["key:1", "key:2", "none"]),
            cmd("DBSIZE"),
            cmd("SCRIPT").arg("EXISTS").arg("0".repeat(40)).arg("1".repeat(40)),
            cmd("SCRIPT").arg("LOAD").arg("return 7"),
            cmd("SCRIPT").arg("EXISTS").arg("0".repeat(40)).arg("ac7e17f8cc83b9c4a8aa9b9a8a24a9bc1d2e3b4f"),
            cmd("DEL").args(["key:1", "key:2", "none", "key:1"]),
            cmd("UNLINK").args(["key:3", "key:4", "none"]),
            cmd("DBSIZE"),
            cmd("MGET").args(["key:1", "key:5"]),
            cmd("DEL").args(all.iter()),
            cmd("KEYS").arg("*"),
            cmd("RANDOMKEY"),
        ];
        for command in rows {
            let (here, there) = tokio::join!(
                ours.execute::<Reply>(command.clone()),
                theirs.execute::<Reply>(command.clone())
            );
            let there = there.expect("one server answers");
            assert_eq!(here.unwrap_or_else(|error| panic!("{command:?}: {error}")), there, "{command:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_executes_its_part_once() {
    let lab = Lab::builder(LabProfile::Azure).replicas(1).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let names = keys(60);
    client.run(cmd("MSET").args(names.iter().flat_map(|key| [key.as_str(), "1"]))).await.expect("set");
    let listed: BTreeSet<String> = client.execute(cmd("KEYS").arg("key:*")).await.expect("keys");
    assert_eq!(listed, names.iter().cloned().collect());
    let random: String = client.execute(cmd("RANDOMKEY")).await.expect("a key");
    assert!(listed.contains(&random), "{random}");
    let library = "#!lua name=mylib\nredis.register_function('f', function() return 7 end)";
    let name: String = client.execute(cmd("FUNCTION").arg("LOAD").arg(library)).await.expect("loaded");
    assert_eq!(name, "mylib");
    for primary in 0..3 {
        assert_eq!(executions(&lab, primary, "function|load").await, 1);
    }
    let digest: String = client.execute(cmd("SCRIPT").arg("LOAD").arg("return 7")).await.expect("loaded");
    // Replicas too, and each of them once.
    assert_eq!(all_executions(&lab, "script|load").await, 6);
    for key in &names {
        let seven: i64 =
            client.execute(cmd("EVALSHA").arg(&digest).arg(1).arg(key)).await.expect("it is there");
        assert_eq!(seven, 7);
    }
    // In a batch, beside others, and with the caller's own deadline.
    let batch =
        client.batch().with(cmd("GET").arg("key:1")).with(cmd("MGET").args(names.iter())).with(cmd("DBSIZE"));
    let (one, many, count): (i64, Vec<i64>, i64) = batch.timeout(5 * SECOND).all().await.expect("all");
    assert_eq!((one, many.len(), count), (1, 60, 60));
    // What destroys or configures goes to all nodes only if somebody says so.
    for (command, call) in [
        (cmd("FLUSHALL"), "Client::on_primaries"),
        (cmd("CONFIG").args(["SET", "maxmemory", "0"]), "Client::on_all_nodes"),
        (cmd("INFO"), "Client::on_primaries"),
        (cmd("SCAN").arg(0), "Client::scan"),
    ] {
        let error = client.execute::<Reply>(command.clone()).await.expect_err("refused");
        let is_refused =
            matches!(&error, Error::Route(error) if matches!(**error, RouteError::SeveralNodes { .. }));
        assert!(is_refused && error.to_string().contains(call), "{command:?}: {error}");
    }
    assert_eq!(client.on_all_nodes::<String>(cmd("INFO")).await.expect("all").len(), 6);
    for (node, outcome) in client.on_primaries::<()>(cmd("FLUSHALL")).await.expect("all") {
        outcome.unwrap_or_else(|error| panic!("{node}: {error}"));
    }
    assert_eq!(client.execute::<i64>(cmd("DBSIZE")).await.expect("a number"), 0);
}

/// Keys of several slots that cannot be split are refused before anything is sent, and the error says which they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_several_slots_are_named_before_anything_is_sent() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    for command in [
        cmd("RENAME").args(["foo", "bar"]),
        cmd("SINTER").args(["foo", "bar"]),
        cmd("MSETNX").args(["foo", "1", "bar", "2"]),
    ] {
        let error = client.execute::<Reply>(command).await.expect_err("refused");
        assert!(error.to_string().contains("\"foo\" of slot 12182, \"bar\" of slot 5061"), "{error}");
        assert!(
            !error.may_have_executed() && !error.is_retryable() && error.remedy().is_some(),
            "{error:#?}"
        );
    }
    for name in ["rename", "sinter", "msetnx"] {
        assert_eq!(all_executions(&lab, name).await, 0, "{name}");
    }
    // Who says where it goes, gets what the server says.
    let said = client.execute::<Reply>(cmd("SINTER").args(["foo", "bar"]).route_by_key("foo")).await;
    assert!(said.expect_err("refused").to_string().contains("CROSSSLOT"));
}

/// A dead shard: what the others said is kept, and who did not is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_failed_is_reported_with_its_keys_and_its_node() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab).command_timeout(SECOND)).await.expect("connected");
    let of_each: Vec<String> = (0..3).map(|shard| keys_of(shard, "key").next().expect("a key")).collect();
    client.run(cmd("MSET").args(of_each.iter().flat_map(|key| [key.as_str(), "1"]))).await.expect("set");
    lab.node(1).kill();
    eventually("it is seen to be down", 5 * SECOND, || async {
        client.nodes().iter().any(|status| !status.is_connected)
    })
    .await;
    let error =
        client.execute::<Vec<i64>>(cmd("MGET").args(of_each.iter())).await.expect_err("one is missing");
    let (host, port) = lab.nodes()[1].announced();
    let dead = format!("{host}:{port}");
    let Error::Partial(partial) = &error else { panic!("{error}") };
    assert_eq!((partial.parts.len(), partial.failed().count()), (3, 1), "{error}");
    let (part, why) = partial.failed().next().expect("one");
    assert_eq!(part.node.as_ref().map(ToString::to_string), Some(dead.clone()), "{why}");
    assert_eq!(part.keys, [of_each[1].as_bytes()]);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("MGET failed for 1 of 3 keys: \"{}\" at {dead}: ", of_each[1])),
        "{text}"
    );
    assert!(error.is_retryable() && error.may_have_executed(), "a read may be repeated");
    // Several keys of a shard, one of them twice and one that is not there, in an order that is not that of the shards.
    let [of_0, of_1, of_2] = [&of_each[0], &of_each[1], &of_each[2]];
    let [other_of_0, nothing] = [0, 2].map(|shard| keys_of(shard, "other").next().expect("a key"));
    client.run(cmd("SET").arg(&other_of_0).arg(2)).await.expect("OK");
    let asked = [of_2, of_1, &other_of_0, of_0, &nothing, of_1, of_0];
    let error = client.execute::<Vec<Option<i64>>>(cmd("MGET").args(asked)).await;
    let Err(Error::Partial(with_holes)) = &error else { panic!("{error:?}") };
    let values = with_holes.values_in_order::<Option<i64>>();
    assert!(values.iter().flat_map(|value| value.as_ref().err()).all(Error::is_retryable), "{values:?}");
    let values: Vec<_> = values.into_iter().map(Result::ok).collect();
    assert_eq!(values, [Some(Some(1)), None, Some(Some(2)), Some(Some(1)), Some(None), None, Some(Some(1))]);
    let values: Vec<_> =
        partial.parts.iter().filter_map(|part| part.outcome.as_ref().ok()).cloned().collect();
    assert_eq!(
        values,
        [Reply::Array(vec![Reply::Bulk("1".into())]), Reply::Array(vec![Reply::Bulk("1".into())])]
    );

    let error = client.execute::<i64>(cmd("DEL").args(of_each.iter())).await.expect_err("one is missing");
    assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
    let error = client.execute::<i64>(cmd("DBSIZE")).await.expect_err("one is missing");
    assert!(error.to_string().starts_with("DBSIZE failed for 1 of 3 parts: "), "{error}");

    // A slot that nobody serves: what the others have is not all there is.
    for node in [0, 2] {
        tell(&lab, node, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
    }
    let key_of_0 = &of_each[0];
    let slot = truename::topology::Slot::of_key(key_of_0.as_bytes()).value().to_string();
    for node in [0, 2] {
        tell(&lab, node, &["CLUSTER", "DELSLOTS", &slot]).await;
    }
    eventually("the slot has no owner", 10 * SECOND, || async {
        client.topology().primary(truename::topology::Slot::of_key(key_of_0.as_bytes())).is_none()
    })
    .await;
    let error = client.execute::<i64>(cmd("DBSIZE")).await.expect_err("a slot is missing");
    assert!(error.to_string().contains(&format!("no node serves slot {slot}")), "{error}");
}

/// A redirect after a failover put a slot of the shard to its successor: the shard was counted twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_is_counted_once_while_it_changes_hands() {
    let lab = Lab::builder(LabProfile::Plain).replicas(1).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let names = keys(300);
    client.run(cmd("MSET").args(names.iter().flat_map(|key| [key.as_str(), "1"]))).await.expect("set");
    let of_0 = keys_of(0, "of").next().expect("a key");
    for replica in [3, 0] {
        lab.failover(replica).await.expect("an orderly failover");
        // It meets a redirect, and what comes next meets what the redirect made of the topology.
        let (value, count): (Option<String>, _) = (
            client.execute(cmd("GET").arg(&of_0)).await.expect("nil"),
            client.execute::<i64>(cmd("DBSIZE")).await,
        );
        assert_eq!((value, count.expect("a number")), (None, 300));
        let listed: Vec<String> = client.execute(cmd("KEYS").arg("*")).await.expect("keys");
        assert_eq!(listed.len(), 300);
        let library = format!(
            "#!lua name=lib{replica}\nredis.register_function('f{replica}', function() return 7 end)"
        );
        client.run(cmd("FUNCTION").arg("LOAD").arg(library)).await.expect("loaded once");
    }
}

/// A closed client answered nil, nothing, or an error that promised success later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_client_says_so_of_all_nodes() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    client.close();
    for command in [cmd("DBSIZE"), cmd("SCRIPT").arg("LOAD").arg("return 1"), cmd("MGET").args(["a", "b"])] {
        let error = client.execute::<Reply>(command.clone()).await.expect_err("closed");
        assert!(matches!(error, Error::Closed), "{command:?}: {error}");
    }
    assert!(matches!(client.on_primaries::<Reply>(cmd("FLUSHALL")).await, Err(Error::Closed)));
    assert!(matches!(client.on_all_nodes::<Reply>(cmd("PING")).await, Err(Error::Closed)));
}

/// Nobody served a slot any more, so all who did were taken to have the script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_nobody_has_loaded_is_not_taken_for_loaded() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let nodes = || lab.nodes().iter();
    nodes().for_each(|node| node.stop());
    let load = client.execute::<Reply>(cmd("SCRIPT").arg("LOAD").arg("return 7"));
    let (loaded, ()) = tokio::join!(load, async { client.close() });
    nodes().for_each(|node| node.cont());
    let error = loaded.expect_err("no node has it");
    assert!(matches!(error, Error::Closed), "{error}");
}

/// Both waited for the shard that is gone, or for the replica, until the call's time was over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_shard_can_answer_waits_for_no_other() {
    let lab = Lab::builder(LabProfile::Plain).replicas(1).start().await.expect("the lab starts");
    let patient = config(&lab).command_timeout(30 * SECOND).stall_timeout(30 * SECOND);
    let client = Client::connect(&patient).await.expect("connected");
    let names = keys(60);
    client.run(cmd("MSET").args(names.iter().flat_map(|key| [key.as_str(), "1"]))).await.expect("set");
    let started = tokio::time::Instant::now();
    lab.node(3).stop();
    let load = |script: &'static str| cmd("SCRIPT").arg("LOAD").arg(script);
    let digest: String = client.execute(load("return 7")).await.expect("all primaries have it");
    lab.node(3).cont();
    for key in &names {
        let seven: i64 = client.execute(cmd("EVALSHA").arg(&digest).arg(1).arg(key)).await.expect("there");
        assert_eq!(seven, 7);
    }
    // A primary is waited for, and missed.
    tell(&lab, 1, &["ACL", "SETUSER", "default", "-script"]).await;
    let error = client.execute::<Reply>(load("return 8")).await.expect_err("one has it not");
    assert!(matches!(&error, Error::Partial(partial) if partial.failed().count() == 1), "{error}");
    // Last, since its replica may take its place.
    lab.node(0).stop();
    for _ in 0..10 {
        let key: String = client.execute(cmd("RANDOMKEY")).await.expect("a key of another shard");
        assert!(names.contains(&key), "{key}");
    }
    lab.node(0).cont();
    assert!(started.elapsed() < 10 * SECOND, "{:?}", started.elapsed());
}

/// A part was given all of the call's time as the silence that its node may keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_is_noticed_by_a_part_as_by_any_other_command() {
    let lab =
        Lab::builder(LabProfile::Plain).replicas(1).node_timeout(SECOND).start().await.expect("the lab");
    let client = Client::connect(&config(&lab).stall_timeout(SECOND).command_timeout(20 * SECOND)).await;
    let client = client.expect("connected");
    let names = keys(60);
    client.run(cmd("MSET").args(names.iter().flat_map(|key| [key.as_str(), "1"]))).await.expect("set");
    lab.node(0).stop();
    let started = tokio::time::Instant::now();
    let error = client.execute::<Vec<Option<i64>>>(cmd("MGET").args(names.iter())).await;
    lab.node(0).cont();
    // The oldest command is not sent again, the others are: to the successor.
    assert!(started.elapsed() < 15 * SECOND, "{:?} {error:?}", started.elapsed());
}

/// A node that was about to get its first slots got no library: a function called there was unknown once it had one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_loaded_reaches_a_primary_before_its_first_slot() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).server_arg("cluster-allow-replica-migration", "no");
    let lab = lab.start().await.expect("the lab starts");
    let slots = truename::topology::Slot::COUNT;
    let (first, last) = ((2 * slots / 3).to_string(), (slots - 1).to_string());
    for node in [2, 0, 1] {
        tell(&lab, node, &["CLUSTER", "DELSLOTSRANGE", &first, &last]).await;
    }
    tell(&lab, 0, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
    tell(&lab, 0, &["CLUSTER", "BUMPEPOCH"]).await;
    eventually("all agree", 10 * SECOND, || async { lab.cluster_ok().await.unwrap_or(false) }).await;
    let client = Client::connect(&config(&lab).command_timeout(20 * SECOND)).await.expect("connected");
    eventually("two serve slots", 10 * SECOND, || async { client.nodes().len() == 2 }).await;

    let key = keys_of(0, "key").next().expect("a key");
    let slot = truename::topology::Slot::of_key(key.as_bytes()).value();
    lab.begin_migration(slot, 0, 2).await.expect("it begins");
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg(&key)).await.expect("nil"), None);
    let library =
        |name: &str| format!("#!lua name={name}\nredis.register_function('{name}', function() return 7 end)");
    let load = |name: &str| client.execute::<String>(cmd("FUNCTION").arg("LOAD").arg(library(name)));
    let script = cmd("SCRIPT").arg("LOAD").arg("return 7");
    // What it refuses decides nothing; what who serves slots refuses does.
    tell(&lab, 2, &["ACL", "SETUSER", "default", "-function|load", "-script|load"]).await;
    assert_eq!(load("refused").await.expect("loaded by all who serve slots"), "refused");
    client.execute::<String>(script.clone()).await.expect("loaded by all who serve slots");
    tell(&lab, 2, &["ACL", "SETUSER", "default", "+function|load", "+script|load"]).await;
    tell(&lab, 1, &["ACL", "SETUSER", "default", "-function|load"]).await;
    let error = load("partly").await.expect_err("one has it not");
    assert!(matches!(&error, Error::Partial(partial) if partial.failed().count() == 1), "{error}");
    tell(&lab, 1, &["ACL", "SETUSER", "default", "+function|load"]).await;

    assert_eq!(load("early").await.expect("loaded"), "early");
    let digest: String = client.execute(script).await.expect("loaded");
    lab.finish_migration(slot, 0, 2).await.expect("it ends");
    let call = || client.execute::<i64>(cmd("FCALL").arg("early").arg(1).arg(&key));
    assert_eq!(call().await.expect("it is known there"), 7);
    let run = cmd("EVALSHA").arg(&digest).arg(1).arg(&key);
    assert_eq!(client.execute::<i64>(run).await.expect("it is known there"), 7);
    assert_eq!(lab.primary_of_slot(slot).await.expect("an owner"), 2);
}
