//! One test for each defect that was found in use or in review: what once went wrong stays right.

use std::time::Duration;

use crate::support::{config, connect, eventually, key_of, lab, proxied_lab, spread_keys};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use truename::error::RouteError;
use truename::{Client, Error, ReadFrom, cmd};
use truename_lab::{Ending, Fault, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

/// The server notices the end of the time later than the client does: that is not silence.
#[tokio::test]
async fn a_blocking_command_that_finds_nothing_answers_nil() {
    let lab = lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).stall_timeout(SECOND)).await.expect("connected");
    let popped: Option<(String, String)> =
        client.execute(cmd("BLPOP").arg("empty").arg("1.2")).await.expect("an answer");
    assert_eq!(popped, None);
    let read: Option<Vec<String>> = client
        .execute(cmd("XREAD").arg("BLOCK").arg(1200).arg("STREAMS").arg("none").arg("$"))
        .await
        .expect("nil");
    assert_eq!(read, None);
}

/// A lane whose task went away with its runtime used to leave its callers waiting for ever.
#[test]
fn calls_end_when_the_runtime_of_the_client_is_gone() {
    let caller = Runtime::new().expect("a runtime");
    let lab = caller.block_on(lab(LabProfile::Plain));
    let owner = Runtime::new().expect("a runtime");
    let client = owner.block_on(connect(&lab));
    owner.shutdown_timeout(5 * SECOND);
    let started = Instant::now();
    let call = client.execute::<Option<String>>(cmd("GET").arg("city"));
    let error = caller.block_on(async { tokio::time::timeout(4 * SECOND, call).await }).expect("it ends");
    let error = error.expect_err("there is no connection");
    assert!(error.to_string().contains("runtime"), "{error}");
    assert!(!error.may_have_executed(), "{error}");
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
    caller.block_on(lab.shutdown());
}

/// Sums with such times used to overflow, in the caller or, unseen, in a task of the client's.
#[tokio::test]
async fn times_without_end_are_taken_as_such() {
    let lab = lab(LabProfile::Plain).await;
    let never = Duration::MAX;
    let config = config(&lab).connect_timeout(never).node_connect_timeout(never).command_timeout(never);
    let config = config.stall_timeout(never).keepalive(never).refresh_interval(never);
    let client = Client::connect(&config).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("city").arg("Oslo")).await.expect("OK");
    client.execute::<()>(cmd("SET").arg("city").arg("Oslo").timeout(never)).await.expect("OK");
    let pop = client.execute::<Option<(String, String)>>(cmd("BLPOP").arg("empty").arg("1e15"));
    assert!(tokio::time::timeout(SECOND / 5, pop).await.is_err(), "nothing was pushed");
}

/// The first attempt may have been executed, and the later ones never left: that does not prove that nothing happened.
#[tokio::test]
async fn an_error_admits_what_an_earlier_attempt_may_have_done() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND)).await.expect("connected");
    let key = key_of(0);
    client.execute::<()>(cmd("SET").arg(&key).arg("before")).await.expect("OK");
    lab.node(0).stop();
    let call = tokio::spawn({
        let (client, key) = (client.clone(), key.clone());
        async move { client.execute::<()>(cmd("SET").arg(&key).arg("after")).await }
    });
    let before = lab.proxy(0).traffic().to_server;
    let sent = || async { lab.proxy(0).traffic().to_server > before };
    eventually("the command is under way", SECOND / 2, sent).await;
    lab.proxy(0).set(Fault::Refuse);
    lab.proxy(0).end_open(Ending::Reset);
    let error = call.await.expect("no panic").expect_err("nobody answers");
    lab.node(0).cont();
    assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
}

/// One node's answer to these looks like the whole cluster's.
#[tokio::test]
async fn commands_that_concern_all_nodes_are_not_sent_to_any_one() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    for key in spread_keys("many", 6) {
        client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect("OK");
    }
    for command in [cmd("FLUSHALL"), cmd("INFO"), cmd("SCRIPT").arg("FLUSH"), cmd("SCAN").arg(0)] {
        let error = client.execute::<truename::Reply>(command).await.expect_err("refused");
        assert!(
            matches!(&error, Error::Route(error) if matches!(**error, RouteError::SeveralNodes { .. })),
            "{error}"
        );
    }
    client.execute::<()>(cmd("PING")).await.expect("any node will do");
    let mut sum = 0;
    for shard in 0..3 {
        sum += client.execute::<i64>(cmd("DBSIZE").route_by_key(key_of(shard))).await.expect("a number");
    }
    assert_eq!(sum, 6, "nothing was flushed");
    client.execute::<i64>(cmd("DBSIZE").route_to_any()).await.expect("a number");
}

/// A refresh that was under way used to bring a closed client back to life.
#[tokio::test]
async fn a_closed_client_stays_closed() {
    let lab = proxied_lab(LabProfile::Plain).await;
    for round in 0..10 {
        let client = connect(&lab).await;
        // The loss of connections starts refreshes.
        lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
        tokio::time::sleep(Duration::from_millis(5 * round)).await;
        client.close();
        let gone = || async { lab.proxies().iter().all(|proxy| proxy.traffic().open == 0) };
        eventually("its connections end", 3 * SECOND, gone).await;
        let error = client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect_err("closed");
        assert!(matches!(error, Error::Closed), "{error}");
    }
}

/// A replica that lost its primary answers `MASTERDOWN` to every read, and is connected all the same.
#[tokio::test]
async fn a_replica_that_refuses_is_passed_over() {
    let lab = Lab::builder(LabProfile::Plain).node_timeout(SECOND).start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab).read_from(ReadFrom::PreferReplica)).await.expect("connected");
    let key = key_of(0);
    client.execute::<()>(cmd("SET").arg(&key).arg("value")).await.expect("OK");
    let up = || async { client.nodes().iter().all(|node| node.is_connected) };
    eventually("the replicas are connected", 5 * SECOND, up).await;
    let replica =
        lab.replicas().iter().map(|node| node.index).find(|index| index % 3 == 0).expect("one of shard 0");
    // It no longer gets through to its primary, and does not serve what may be stale.
    lab.command(replica, &["CONFIG", "SET", "replica-serve-stale-data", "no"]).await.expect("OK");
    for (option, value) in [("masteruser", "nobody"), ("masterauth", "wrong")] {
        lab.command(replica, &["CONFIG", "SET", option, value]).await.expect("OK");
    }
    lab.command(0, &["CLIENT", "KILL", "TYPE", "replica"]).await.expect("killed");
    let refuses = || async {
        let info = lab.command(replica, &["INFO", "replication"]).await.expect("INFO");
        info.as_str().is_some_and(|text| text.contains("master_link_status:down"))
    };
    eventually("the replica is cut off", 5 * SECOND, refuses).await;
    for _ in 0..20 {
        let read = client.execute::<Option<String>>(cmd("GET").arg(&key).timeout(SECOND)).await;
        assert_eq!(read.expect("the primary serves").as_deref(), Some("value"));
    }
}

/// "May have been executed" was said about a command that no server executes.
#[tokio::test]
async fn keys_of_several_slots_are_refused_before_anything_is_executed() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let pair = cmd("MSETNX").args(["a", "1", "b", "2"]);
    let error = client.run(pair.clone()).await.expect_err("two slots");
    assert!(error.to_string().contains("keys of several slots") && !error.may_have_executed(), "{error}");
    // The server says so as well, to who sends it all the same.
    let error = client.run(pair.route_by_key("a")).await.expect_err("two slots");
    assert!(error.to_string().contains("CROSSSLOT") && !error.may_have_executed(), "{error}");
    // A script may say so after it has written.
    let script = "redis.call('SET', KEYS[1], 1) return redis.error_reply('CROSSSLOT of my own')";
    let error = client.execute::<()>(cmd("EVAL").arg(script).arg(1).arg("a")).await.expect_err("its own");
    assert!(error.may_have_executed(), "{error}");
    assert_eq!(client.execute::<i64>(cmd("GET").arg("a")).await.expect("a value"), 1);
}

/// A type that does not fit was reported without the command, its slot, or the node that sent the reply.
#[tokio::test]
async fn an_error_of_type_says_whose_reply_it_is() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(1);
    client.run(cmd("SET").arg(&key).arg("text")).await.expect("OK");
    let error = client.execute::<i64>(cmd("GET").arg(&key)).await.expect_err("no integer");
    let node = error.node().expect("it is known").to_string();
    assert!(error.to_string().ends_with(&format!(", in the reply of {node} to GET")), "{error}");
    assert!(error.slot().is_some() && error.may_have_executed());
    let outcomes = client.batch().with(cmd("GET").arg(&key)).execute::<i64>().await;
    let error = outcomes.into_iter().next().expect("one").expect_err("no integer");
    assert!(error.to_string().ends_with(", in the reply to GET"), "{error}");
}
