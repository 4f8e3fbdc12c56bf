//! A connection for one caller: it has the state that its user gives it, goes nowhere else, and is closed afterwards.

use std::time::Duration;

use crate::support::info::{executions, info};
use crate::support::{config, connect, eventually, key_of, lab, one_node, refusal, tell};
use truename::error::RouteError;
use truename::{Client, Error, Protocol, cmd};
use truename_lab::{Lab, LabProfile};

#[tokio::test]
async fn it_runs_what_needs_a_connection_of_its_own() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let client = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
        let key = key_of(1);
        client.run(cmd("SET").arg(&key).arg("before")).await.expect("OK");
        let connection = client.dedicated(&key).await.expect("a connection");
        assert!(connection.is_connected());
        let owner = lab.primary_of_slot(connection.slot().value()).await.expect("an owner");
        assert_eq!(connection.node().port(), lab.node(owner).announced().1);
        // A transaction by hand, with a read between its parts; others' commands do not become part of it.
        connection.run(cmd("WATCH").arg(&key)).await.expect("OK");
        let seen: String = connection.execute(cmd("GET").arg(&key)).await.expect("a value");
        assert_eq!(seen, "before");
        let queued: String = {
            connection.run(cmd("MULTI")).await.expect("OK");
            client.run(cmd("PING")).await.expect("not queued");
            connection.execute(cmd("SET").arg(&key).arg("after")).await.expect("queued")
        };
        assert_eq!(queued, "QUEUED");
        let done: Option<(String,)> = connection.execute(cmd("EXEC")).await.expect("executed");
        assert_eq!(done, Some(("OK".to_owned(),)));
        // Lost the race: nil.
        connection.run(cmd("WATCH").arg(&key)).await.expect("OK");
        client.run(cmd("SET").arg(&key).arg("others")).await.expect("OK");
        connection.run(cmd("MULTI")).await.expect("OK");
        connection.execute::<String>(cmd("SET").arg(&key).arg("mine")).await.expect("queued");
        let raced: Option<(String,)> = connection.execute(cmd("EXEC")).await.expect("an answer");
        assert_eq!(raced, None);
        // What EXEC refuses was not executed, and the error says so.
        connection.run(cmd("MULTI")).await.expect("OK");
        let wrong = connection.execute::<String>(cmd("SET").arg(&key)).await.expect_err("an argument lacks");
        assert!(matches!(wrong, Error::Server(_)), "{wrong}");
        let aborted = connection.execute::<Option<(String,)>>(cmd("EXEC")).await.expect_err("aborted");
        assert!(aborted.to_string().contains("EXECABORT") && !aborted.may_have_executed(), "{aborted}");
        // Nobody replicates; the answer is about this connection's own writes.
        connection.run(cmd("SET").arg(&key).arg("waited")).await.expect("OK");
        let replicas: u64 = connection.execute(cmd("WAIT").arg(0).arg(100)).await.expect("a number");
        assert_eq!(replicas, 0);
        // What concerns every node concerns this one.
        let size: u64 = connection.execute(cmd("DBSIZE")).await.expect("a number");
        assert_eq!(size, 1);
        connection.run(cmd("CLIENT").arg("NO-EVICT").arg("on")).await.expect("OK");
    }
}

#[tokio::test]
async fn it_is_refused_what_is_not_answered_by_one_reply() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let connection = client.dedicated("key").await.expect("a connection");
    for command in [
        cmd("SUBSCRIBE").arg("c"),
        cmd("ssubscribe").arg("c"),
        cmd("MONITOR"),
        cmd("CLIENT").arg("REPLY").arg("OFF"),
        cmd("SCRIPT").arg("DEBUG").arg("YES"),
    ] {
        let refused = connection.execute::<truename::Reply>(command).await.expect_err("refused");
        assert!(matches!(refusal(refused), RouteError::NotOneReply { .. }));
    }
    let refused = connection.execute::<truename::Reply>(cmd("")).await.expect_err("refused");
    assert_eq!(refusal(refused), RouteError::EmptyCommand);
    // Nothing of that was sent.
    assert_eq!(connection.execute::<String>(cmd("PING")).await.expect("its own reply"), "PONG");
}

#[tokio::test]
async fn it_follows_no_redirect() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let connection = client.dedicated(key_of(0)).await.expect("a connection");
    let error = connection.run(cmd("SET").arg(key_of(1)).arg(1)).await.expect_err("another node's key");
    let Error::Server(answer) = &error else { panic!("{error}") };
    assert!(answer.code() == "MOVED" && answer.is_refusal(), "{error}");
    assert_eq!(executions(&lab, 1, "set").await, 0, "it went nowhere else");
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg(key_of(1))).await.expect("nil"), None);
}

async fn client_id(connection: &truename::Dedicated) -> String {
    connection.execute(cmd("CLIENT").arg("ID")).await.expect("its number")
}

async fn is_listed(lab: &Lab, id: &str) -> bool {
    let list = tell(lab, 0, &["CLIENT", "LIST", "ID", id]).await;
    list.as_str().expect("text").contains(&format!("id={id} "))
}

#[tokio::test]
async fn it_is_closed_when_it_is_dropped_and_counts_until_then() {
    let lab = one_node(LabProfile::Plain).await;
    let few = config(&lab).max_exclusive_connections(2).command_timeout(Duration::from_secs(1));
    let client = Client::connect(&few).await.expect("connected");
    let first = client.dedicated("key").await.expect("a connection");
    let second = client.dedicated("key").await.expect("a connection");
    let (id, other) = (client_id(&first).await, client_id(&second).await);
    assert_ne!(id, other);
    let error = client.dedicated("key").await.expect_err("no room");
    assert!(error.is_retryable());
    assert!(matches!(refusal(error), RouteError::NoExclusiveConnection { limit: 2, .. }));
    first.run(cmd("WATCH").arg("key")).await.expect("OK");
    drop(first);
    eventually("it is closed", Duration::from_secs(5), || async { !is_listed(&lab, &id).await }).await;
    let third = client.dedicated("key").await.expect("there is room again");
    let fresh = client_id(&third).await;
    assert!(fresh != id && fresh != other, "a connection of unknown state was used again");
    // A closed client sends nothing on it.
    client.close();
    assert!(matches!(third.run(cmd("PING")).await, Err(Error::Closed)));
    assert!(matches!(client.dedicated("key").await, Err(Error::Closed)));
}

#[tokio::test]
async fn it_stays_ended_once_it_has_ended() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let connection = client.dedicated("key").await.expect("a connection");
    let id = client_id(&connection).await;
    connection.run(cmd("WATCH").arg("key")).await.expect("OK");
    let waiting = connection.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg(0));
    let killing = async {
        let blocked = || async { info(&lab, 0, "clients", "blocked_clients").await == 1 };
        eventually("it waits", Duration::from_secs(5), blocked).await;
        tell(&lab, 0, &["CLIENT", "KILL", "ID", &id]).await;
    };
    let (popped, ()) = tokio::join!(waiting, killing);
    let error = popped.expect_err("lost");
    assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
    assert!(!connection.is_connected());
    let error = connection.run(cmd("SET").arg("key").arg(1)).await.expect_err("it has ended");
    assert!(!error.is_retryable() && error.node().is_some(), "{error}");
    assert!(matches!(refusal(error), RouteError::ConnectionEnded { .. }));
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg("key")).await.expect("nil"), None);
}

#[tokio::test]
async fn its_state_is_its_own() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let connection = client.dedicated("key").await.expect("a connection");
    connection.run(cmd("SELECT").arg(1)).await.expect("OK");
    connection.run(cmd("SET").arg("key").arg("one")).await.expect("OK");
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg("key")).await.expect("nil"), None);
    // A dropped call's reply goes to no other.
    let dropped = connection.execute::<String>(cmd("ECHO").arg("dropped"));
    assert!(futures_util::FutureExt::now_or_never(dropped).is_none());
    assert_eq!(connection.execute::<String>(cmd("GET").arg("key")).await.expect("a value"), "one");
    // Out of order only for who waits: commands are sent when they are first polled.
    let calls = (0..100).map(|n| connection.execute::<u32>(cmd("ECHO").arg(n)));
    let echoes = futures_util::future::try_join_all(calls).await.expect("echoes");
    assert_eq!(echoes, (0..100).collect::<Vec<u32>>());
}
