//! What becomes of errors: what certainly was not executed is told from what may have been.

use std::time::Duration;

use redis::{AsyncCommands, ErrorKind, RedisResult, ServerErrorKind, Value};
use truename::Error;
use truename::topology::Slot;
use truename_lab::{Lab, LabProfile};
use truename_redis::{may_have_executed, native_error};

use crate::support::{PROTOCOLS, builder, connect, keys, lab};

/// A key that the shard of the lab's first, second or third node serves.
fn key_of(shard: usize) -> String {
    let is_there = |key: &String| (Slot::of_key(key.as_bytes()).index() * 3 + 2) / Slot::COUNT == shard;
    keys("key", 1000).into_iter().find(is_there).expect("some key")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_error_is_the_same_error() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let () = connection.set("k", "text").await.expect("OK");
        let error = connection.lpush::<_, _, i64>("k", 1).await.expect_err("not a list");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Extension, Some("WRONGTYPE")));
        assert!(may_have_executed(&error), "its text proves nothing");
        let forged = "return redis.error_reply('MAYBEEXECUTED I was not')";
        let error = redis::cmd("EVAL").arg(forged).arg(0).query_async::<()>(&mut connection).await;
        let error = error.expect_err("a script's error");
        assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError), "{error}");
        // Words at which redis-rs would repeat it, although it ran; and words of ours.
        for words in ["TRYAGAIN", "NOSCRIPT", "LOADING", "NOTEXECUTED\\tx", " NOTEXECUTED x"] {
            let body = format!("redis.call('INCR', KEYS[1]) return {{err = '{words} says a script'}}");
            let mut eval = redis::cmd("EVAL");
            let error = eval.arg(body).arg(1).arg("n").query_async::<()>(&mut connection).await;
            let error = error.expect_err("a script's error");
            assert!(may_have_executed(&error), "{words:?}: {error}");
            assert!(matches!(error.retry_method(), redis::RetryMethod::NoRetry), "{words:?}: {error}");
            assert_ne!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript), "{words:?}: {error}");
        }
        let () = connection.del("n").await.expect("OK");
        let unknown =
            redis::cmd("EVALSHA").arg("0".repeat(40)).arg(0).query_async::<()>(&mut connection).await;
        assert_eq!(unknown.expect_err("no script").kind(), ErrorKind::Server(ServerErrorKind::NoScript));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_no_reason_to_retry() {
    let lab = lab(LabProfile::Azure).await;
    let client = builder(&lab).password("wrong").build().expect("usable options");
    let error = client.get_async_connection().await.expect_err("refused");
    assert!(matches!(native_error(&error), Some(Error::Connect(_))), "{error}");
    assert!(matches!(error.retry_method(), redis::RetryMethod::NoRetry), "{error}");
    assert!(error.is_io_error() && !may_have_executed(&error), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_sent_is_an_io_error_with_the_clients_own() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).response_timeout(Duration::from_millis(300)).build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    let () = connection.set(key_of(0), 0).await.expect("OK");
    lab.node(0).kill();
    let mut error = connection.set::<_, _, ()>(key_of(0), 1).await.expect_err("nobody serves it");
    // The connection that was lost may have had it.
    if may_have_executed(&error) {
        error = connection.set::<_, _, ()>(key_of(0), 1).await.expect_err("nobody serves it");
    }
    assert!(error.is_io_error() && !may_have_executed(&error), "{error}");
    assert!(matches!(native_error(&error), Some(Error::Timeout(_) | Error::Connect(_))), "{error}");
    assert!(!error.is_unrecoverable_error(), "a pool may keep the connection");

    // In a pipeline, what others say is kept.
    let mut pipeline = redis::pipe();
    pipeline.set(key_of(0), 2).set(key_of(1), 2).ignore_errors();
    let results: Vec<RedisResult<Value>> = pipeline.query_async(&mut connection).await.expect("items");
    let error = results[0].as_ref().expect_err("nobody serves it");
    assert_eq!((error.code(), may_have_executed(error)), (Some("NOTEXECUTED"), false));
    assert_eq!(results[1], Ok(Value::Okay));
    let alone = redis::pipe().set(key_of(0), 2).query_async::<()>(&mut connection).await.expect_err("nobody");
    assert!(alone.is_io_error() && !may_have_executed(&alone), "{alone}");

    // What goes to all is not passed off as complete.
    let error =
        redis::cmd("DBSIZE").query_async::<i64>(&mut connection).await.expect_err("a shard is missing");
    assert!(error.is_io_error(), "{error}");
    let error =
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect_err("a shard is missing");
    assert!(error.code() == Some("MAYBEEXECUTED") && may_have_executed(&error), "{error}");
    // A shard that is down fails no health check.
    for _ in 0..20 {
        assert_eq!(redis::cmd("PING").query_async::<String>(&mut connection).await.as_deref(), Ok("PONG"));
    }

    connection.client().close();
    let closed = connection.get::<_, Option<String>>(key_of(1)).await.expect_err("closed");
    assert!(matches!(native_error(&closed), Some(Error::Closed)) && closed.is_connection_dropped());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_fate_has_a_code_that_nobody_retries() {
    let lab: Lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).response_timeout(Duration::from_millis(300)).build().expect("usable options");
    let mut connection = client.get_async_connection().await.expect("connected");
    let () = connection.set(key_of(1), 0).await.expect("OK");
    let () = connection.set(key_of(2), 0).await.expect("OK");
    lab.node(1).stop();
    let mut pipeline = redis::pipe();
    pipeline.incr(key_of(1), 1).incr(key_of(2), 1).ignore_errors();
    let results: Vec<RedisResult<i64>> = pipeline.query_async(&mut connection).await.expect("items");
    lab.node(1).cont();
    let unknown = results[0].as_ref().expect_err("the server was frozen");
    assert_eq!((unknown.code(), may_have_executed(unknown)), (Some("MAYBEEXECUTED"), true), "{unknown}");
    assert_eq!(results[1], Ok(1));

    lab.node(2).stop();
    let unknown = connection.incr::<_, _, i64>(key_of(2), 1).await.expect_err("the server is frozen");
    lab.node(2).cont();
    assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::Extension, Some("MAYBEEXECUTED")), "{unknown}");
    assert!(may_have_executed(&unknown) && matches!(unknown.retry_method(), redis::RetryMethod::NoRetry));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_supported_is_an_error_at_once() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[1]).await;
    for error in [
        connection.subscribe("news").await,
        connection.psubscribe("news*").await,
        connection.ssubscribe("news").await,
        connection.unsubscribe("news").await,
        connection.punsubscribe("news*").await,
        connection.sunsubscribe("news").await,
        redis::cmd("SUBSCRIBE").arg("news").query_async(&mut connection).await,
        redis::cmd("MULTI").query_async(&mut connection).await,
        redis::pipe().atomic().set("k", 1).set("of another slot", 1).query_async(&mut connection).await,
        redis::cmd("SELECT").arg(1).query_async(&mut connection).await,
    ] {
        let error = error.expect_err("not supported");
        assert!(!may_have_executed(&error), "{error}");
    }
    assert_eq!(redis::cmd("DBSIZE").query_async::<i64>(&mut connection).await, Ok(0));
}
