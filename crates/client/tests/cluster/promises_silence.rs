//! Silent servers: paused ones are waited for, frozen ones are given up, and what is slow is executed once.

use std::time::Duration;

use crate::support::info::executions;
use crate::support::{config, tell, warm_client};
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use truename::{Client, Error, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

/// Keeps the server busy for that many milliseconds. Only the script's own clock tells it apart from a frozen server.
const SPIN: &str = "local t = redis.call('TIME'); local function ms(t) return t[1] * 1000 + t[2] / 1000 end; \
                    local s = ms(t); while ms(redis.call('TIME')) - s < tonumber(ARGV[1]) do end; return 'spun'";

async fn debuggable_node() -> Lab {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).server_arg("enable-debug-command", "yes");
    lab.start().await.expect("the lab starts")
}

fn call<T>(client: &Client, command: truename::Command<'static>) -> JoinHandle<Result<T, Error>>
where
    T: truename::FromReply + Send + 'static,
{
    let client = client.clone();
    tokio::spawn(async move { client.execute(command).await })
}

fn increments(client: &Client, count: usize) -> Vec<JoinHandle<Result<i64, Error>>> {
    (0..count).map(|_| call(client, cmd("INCR").arg("counter"))).collect()
}

async fn all_succeed(calls: Vec<JoinHandle<Result<i64, Error>>>) {
    for outcome in join_all(calls).await {
        outcome.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A manual failover, a slot migration or an operator pauses writes for seconds: every write in flight used to be
/// reported as "may have been executed" after 2 s, though another connection to the same node answers at once.
#[tokio::test]
async fn a_pause_of_writes_costs_no_write() {
    let lab = debuggable_node().await;
    let client = warm_client(&config(&lab).stall_timeout(SECOND)).await;
    tell(&lab, 0, &["CLIENT", "PAUSE", "2700", "WRITE"]).await;
    let started = Instant::now();
    let mut calls = increments(&client, 20);
    let read = call::<Option<String>>(&client, cmd("GET").arg("behind the writes"));
    sleep(SECOND * 3 / 2).await;
    calls.extend(increments(&client, 20));
    all_succeed(calls).await;
    read.await.expect("no panic").expect("an answer");
    assert!(started.elapsed() > 2 * SECOND, "the server paused");
    let count: i64 = client.execute(cmd("GET").arg("counter")).await.expect("a number");
    assert_eq!(count, 40);
}

/// A script past `busy-reply-threshold` lets the server answer `BUSY` on other connections: it is not dead either.
#[tokio::test]
async fn a_busy_server_is_waited_for() {
    let lab = debuggable_node().await;
    tell(&lab, 0, &["CONFIG", "SET", "busy-reply-threshold", "100"]).await;
    let client = warm_client(&config(&lab).stall_timeout(SECOND)).await;
    let script = call::<String>(&client, cmd("EVAL").arg(SPIN).arg(0).arg(2500));
    let calls = increments(&client, 20);
    assert_eq!(script.await.expect("no panic").expect("it ends"), "spun");
    all_succeed(calls).await;
    assert_eq!((executions(&lab, 0, "eval").await, executions(&lab, 0, "incr").await), (1, 21));
}

/// A script's own connection is not read from while it runs, so a large write after it fills the server's window. The
/// system took that for a dead peer, though the server had said on another connection that it is busy.
#[tokio::test]
async fn a_busy_server_is_waited_for_by_a_large_write_behind_the_script() {
    let lab = debuggable_node().await;
    tell(&lab, 0, &["CONFIG", "SET", "busy-reply-threshold", "100"]).await;
    let client = warm_client(&config(&lab).stall_timeout(SECOND)).await;
    let script = call::<String>(&client, cmd("EVAL").arg(SPIN).arg(0).arg(2500));
    sleep(SECOND / 10).await;
    let write = call::<()>(&client, cmd("SET").arg("large").arg(vec![b'l'; 20 << 20]));
    assert_eq!(script.await.expect("no panic").unwrap_or_else(|error| panic!("{error}")), "spun");
    write.await.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((executions(&lab, 0, "eval").await, executions(&lab, 0, "set").await), (1, 1));
}

/// One slow read used to be sent again and again until its deadline: executed six times, with a hundred writes of
/// others interrupted on the way. A `command_timeout` that was set says that commands may be slow.
#[tokio::test]
async fn a_slow_script_is_executed_once() {
    let lab = debuggable_node().await;
    let patient = warm_client(&config(&lab).command_timeout(20 * SECOND)).await;
    let script = call::<String>(&patient, cmd("EVAL_RO").arg(SPIN).arg(0).arg(2500));
    let calls = increments(&patient, 100);
    assert_eq!(script.await.expect("no panic").expect("it ends"), "spun");
    all_succeed(calls).await;
    assert_eq!(executions(&lab, 0, "eval_ro").await, 1);

    // Without the setting the lane is given up, and the script is not sent again all the same.
    let hasty = warm_client(&config(&lab).command_timeout(20 * SECOND).stall_timeout(SECOND)).await;
    let script = call::<String>(&hasty, cmd("EVAL_RO").arg(SPIN).arg(0).arg(2500));
    let error = script.await.expect("no panic").expect_err("given up");
    assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
    hasty.execute::<i64>(cmd("INCR").arg("counter")).await.expect("once it is over");
    assert_eq!(executions(&lab, 0, "eval_ro").await, 2);
}

/// Nothing answers during `DEBUG SLEEP`: the lane is given up after the stall time. What is oldest on it is not sent
/// again, and every read after it once.
#[tokio::test]
async fn of_a_lane_that_stalled_only_what_was_behind_is_sent_again() {
    let lab = debuggable_node().await;
    let client = warm_client(&config(&lab).stall_timeout(SECOND)).await;
    let sleeping = lab.command(0, &["DEBUG", "SLEEP", "2.5"]);
    let calls = async {
        sleep(SECOND / 5).await;
        let started = Instant::now();
        let head = call::<Option<String>>(&client, cmd("GET").arg("head"));
        tokio::task::yield_now().await;
        let read = call::<Option<String>>(&client, cmd("GET").arg("behind"));
        let write = call::<i64>(&client, cmd("INCR").arg("counter"));
        let head = head.await.expect("no panic").expect_err("the oldest one is final");
        assert!(matches!(head, Error::Interrupted(_)) && head.may_have_executed(), "{head}");
        let took = started.elapsed();
        assert!(took > SECOND * 9 / 10 && took < SECOND * 2, "given up after {took:?}");
        assert!(write.await.expect("no panic").expect_err("unknown").may_have_executed());
        assert_eq!(read.await.expect("no panic").expect("sent again"), None);
    };
    tokio::join!(sleeping, calls).0.expect("OK");
}

/// A dropped call with a long deadline used to keep a dead lane for as long, and everybody else's calls with it.
#[tokio::test]
async fn the_patience_of_a_dropped_call_goes_with_it() {
    let lab = debuggable_node().await;
    let client = warm_client(&config(&lab).stall_timeout(SECOND)).await;
    lab.node(0).stop();
    let patient = client.execute::<String>(cmd("GET").arg("a").timeout(20 * SECOND));
    assert!(tokio::time::timeout(SECOND / 5, patient).await.is_err(), "nobody answers");
    let started = Instant::now();
    let error = client.execute::<i64>(cmd("INCR").arg("counter")).await.expect_err("nobody answers");
    let took = started.elapsed();
    lab.node(0).cont();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert!(took < 2 * SECOND, "{took:?}");
}

/// The system's own patience with a peer that takes no more bytes was 2 s whatever the caller had asked for.
#[tokio::test]
async fn a_long_write_outlives_a_pause_that_its_deadline_allows_for() {
    let lab = debuggable_node().await;
    let client = warm_client(&config(&lab)).await;
    lab.node(0).stop();
    let value = vec![b'v'; 1 << 20];
    let append = call::<i64>(&client, cmd("APPEND").arg("long").arg(value).timeout(30 * SECOND));
    sleep(4 * SECOND).await;
    lab.node(0).cont();
    let length = append.await.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(length, 1 << 20);
}
