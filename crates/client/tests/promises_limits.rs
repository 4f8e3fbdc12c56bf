//! Limits that one caller meets and that must not affect others: replies of any legal shape, memory after large ones, and
//! room that is not taken up.

#[expect(dead_code, reason = "the other tests use the rest")]
mod measure;
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use measure::{alone, in_company};
use support::info::executions;
use support::{config, eventually, one_node, tell, warm_client};
use truename::resp::Limits;
use truename::{Error, Reply, cmd};
use truename_lab::LabProfile;

const SECOND: Duration = Duration::from_secs(1);

/// A table in a table, that many deep.
const NEST: &str = "local r = 1; for i = 1, tonumber(ARGV[1]) do r = {r} end; return r";
/// A status of that many bytes.
const LINE: &str = "return {ok = string.rep('x', tonumber(ARGV[1]))}";

fn depth(reply: &Reply) -> usize {
    let (mut reply, mut depth) = (reply, 0);
    while let Some([inner]) = reply.as_array() {
        (reply, depth) = (inner, depth + 1);
    }
    depth
}

/// Both are easily written in Lua, and each such reply used to close the shared connection.
#[tokio::test]
async fn deep_and_long_replies_are_replies() {
    let _company = in_company().await;
    let lab = one_node(LabProfile::Plain).await;
    let client = warm_client(&config(&lab)).await;
    let nested: Reply = client.execute(cmd("EVAL").arg(NEST).arg(0).arg(500)).await.expect("a reply");
    assert_eq!(depth(&nested), 500);
    for len in [100_000, 4 << 20] {
        let line: String = client.execute(cmd("EVAL").arg(LINE).arg(0).arg(len)).await.expect("a reply");
        assert_eq!(line.len(), len);
    }
    assert_eq!(client.nodes().len(), 1);
}

/// A reply beyond the limits used to be asked for again until its deadline, and closed the connection each time: 13
/// closures in 5 s, and up to 51 of 20 other callers' writes interrupted.
#[tokio::test]
async fn a_reply_beyond_the_limits_is_final_and_costs_others_one_connection() {
    let _company = in_company().await;
    let lab = one_node(LabProfile::Plain).await;
    let small =
        warm_client(&config(&lab).reply_limits(Limits::default().with_line_len(1000).with_depth(3))).await;
    let default = warm_client(&config(&lab)).await;
    let rows = [(&default, NEST, 600), (&small, NEST, 4), (&small, LINE, 1001), (&small, LINE, 100_000)];
    for (position, (client, script, size)) in rows.into_iter().enumerate() {
        tell(&lab, 0, &["CONFIG", "RESETSTAT"]).await;
        let call = client.execute::<Reply>(cmd("EVAL_RO").arg(script).arg(0).arg(size));
        let read = client.execute::<Option<String>>(cmd("GET").arg("behind"));
        let (outcome, read) = tokio::join!(call, read);
        let error = outcome.expect_err("it passes a limit");
        assert!(matches!(error, Error::Protocol(_)), "row {position}: {error}");
        assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
        assert!(error.to_string().ends_with("; allow larger replies with Config::reply_limits"), "{error}");
        assert_eq!(read.expect("sent again"), None);
        assert_eq!(executions(&lab, 0, "eval_ro").await, 1, "row {position}");
    }
}

/// A server closes the connection over a reply beyond its output buffer limit, every time: the read used to be sent again
/// until its deadline, and took everybody else's commands along each time.
#[tokio::test]
async fn a_reply_that_the_server_closes_over_is_asked_for_three_times() {
    let _company = in_company().await;
    let lab = one_node(LabProfile::Plain).await;
    tell(&lab, 0, &["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]).await;
    let client = warm_client(&config(&lab)).await;
    client.execute::<i64>(cmd("SETRANGE").arg("large").arg(16 << 20).arg("x")).await.expect("a length");
    // Valkey 9.1 sends what GET returns without a copy, which is in no output buffer.
    let range = cmd("GETRANGE").arg("large").arg(0).arg(-1);
    let error = client.execute::<Reply>(range).await.expect_err("it is beyond the limit");
    assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
    assert_eq!(executions(&lab, 0, "getrange").await, 3);
}

/// After one reply of 143 MB, its connection kept 143 MB for as long as it lived.
#[tokio::test]
async fn memory_of_a_large_reply_is_given_back() {
    let _alone = alone().await;
    let lab = one_node(LabProfile::Plain).await;
    let client = warm_client(&config(&lab)).await;
    const LARGE: usize = 128 << 20;
    client.execute::<i64>(cmd("SETRANGE").arg("large").arg(LARGE - 1).arg("x")).await.expect("a length");
    client.execute::<()>(cmd("SET").arg("small").arg(vec![b's'; 1000])).await.expect("OK");
    let before = resident();
    let mut kept = Vec::new();
    for round in 0..3 {
        let large = client.execute::<Reply>(cmd("GET").arg("large").timeout(60 * SECOND));
        // What comes right after it must not keep it alive either.
        let small = client.execute::<Reply>(cmd("GET").arg("small"));
        let (large, small) = tokio::join!(large, small);
        assert_eq!(large.expect("a value").as_bytes().map(<[u8]>::len), Some(LARGE));
        kept.push(small.expect("a value"));
        let given_back = || async { resident() < before + LARGE / 4 };
        eventually(&format!("the memory is given back in round {round}"), SECOND, given_back).await;
    }
    assert_eq!(kept.len(), 3);
}

/// Memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

/// Calls in a `buffered` stream are not polled while its consumer awaits something else: room that was granted to them
/// was held until then, and what the consumer awaited never got any.
#[tokio::test]
async fn calls_that_are_not_polled_do_not_keep_the_room_of_others() {
    let _company = in_company().await;
    let lab = one_node(LabProfile::Plain).await;
    let client = warm_client(&config(&lab).max_in_flight(2)).await;
    let increments = (0..60).map(|_| client.execute::<i64>(cmd("INCR").arg("counter")));
    let mut increments = stream::iter(increments).buffered(30);
    let mut last = 0;
    while let Some(count) = increments.next().await {
        last = count.expect("a number");
        client
            .execute::<()>(cmd("SET").arg("seen").arg(last))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(last, 60);
}
