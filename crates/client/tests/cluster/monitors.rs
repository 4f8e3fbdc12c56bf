//! What one node executes, as it tells itself.

use std::time::Duration;

use crate::support::{config, connect, eventually, key_of, keys_of, lab, one_node, tell};
use truename::error::RouteError;
use truename::topology::Endpoint;
use truename::{Client, Credentials, Error, Monitor, cmd};
use truename_lab::{Lab, LabProfile};

const SOON: Duration = Duration::from_secs(10);

fn endpoint(lab: &Lab, node: usize) -> Endpoint {
    let (host, port) = lab.node(node).announced();
    Endpoint::new(host, port)
}

async fn next(monitor: &mut Monitor) -> Option<Result<String, Error>> {
    tokio::time::timeout(SOON, monitor.next()).await.expect("a line in time")
}

/// Lines about a key of a test's own, without the client's housekeeping.
async fn next_of(monitor: &mut Monitor, prefix: &str) -> String {
    loop {
        let line = next(monitor).await.expect("it goes on").expect("a line");
        if line.contains(prefix) {
            return line;
        }
    }
}

#[tokio::test]
async fn a_node_tells_what_it_executes_and_nothing_is_left_of_the_monitor() {
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let mut monitor = client.monitor(&endpoint(&lab, 0)).await.expect("it begins");
    assert_eq!(*monitor.node(), endpoint(&lab, 0));
    client.run(cmd("SET").arg(key_of(1)).arg("elsewhere")).await.expect("OK");
    for (n, key) in keys_of(0, "told").take(50).enumerate() {
        client.run(cmd("SET").arg(&key).arg(n)).await.expect("OK");
    }
    for (n, key) in keys_of(0, "told").take(50).enumerate() {
        let line = next_of(&mut monitor, "told:").await;
        assert!(line.ends_with(&format!("\"SET\" \"{key}\" \"{n}\"")), "{line}");
        assert!(!line.contains("elsewhere"));
    }
    let monitors = || async {
        let list = tell(&lab, 0, &["CLIENT", "LIST"]).await;
        list.as_str().expect("text").lines().filter(|line| line.contains(" flags=O")).count()
    };
    assert_eq!(monitors().await, 1);
    drop(monitor);
    eventually("its connection is closed", SOON, || async { monitors().await == 0 }).await;
    client.run(cmd("SET").arg(key_of(0)).arg("after")).await.expect("the others are not concerned");
}

#[tokio::test]
async fn a_reader_that_is_slow_misses_nothing() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let mut monitor = client.monitor(&endpoint(&lab, 0)).await.expect("it begins");
    let key = key_of(0);
    let mut batch = client.batch();
    batch.extend((0..20_000).map(|n| cmd("SETBIT").arg(&key).arg(n).arg(1)));
    batch.execute::<truename::Reply>().await.into_iter().for_each(|reply| drop(reply.expect("a bit")));
    for n in 0..20_000 {
        let line = next_of(&mut monitor, "SETBIT").await;
        assert!(line.ends_with(&format!("\"{n}\" \"1\"")), "{n}: {line}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_monitor_is_told() {
    let lab = one_node(LabProfile::Plain).await;
    tell(&lab, 0, &["ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-monitor"]).await;
    let blind = config(&lab).credentials(Credentials::user("blind", "secret"));
    let client = Client::connect(&blind).await.expect("connected");
    let error = client.monitor(&endpoint(&lab, 0)).await.expect_err("refused");
    assert!(matches!(&error, Error::Server(server) if server.reply.code() == "NOPERM"), "{error}");
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn the_end_of_a_monitor_says_why() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let nobody = Endpoint::new("127.0.0.1", 1);
    let error = client.monitor(&nobody).await.expect_err("not a node");
    assert!(
        matches!(&error, Error::Route(route) if matches!(**route, RouteError::NoSuchNode { .. })),
        "{error}"
    );

    let mut closed = client.monitor(&endpoint(&lab, 1)).await.expect("it begins");
    let mut killed = client.monitor(&endpoint(&lab, 2)).await.expect("it begins");
    lab.node(2).kill();
    let last = async |monitor: &mut Monitor| loop {
        match next(monitor).await.expect("an end is told") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let error = last(&mut killed).await;
    assert!(
        matches!(&error, Error::Route(route) if matches!(**route, RouteError::MonitorEnded { .. })),
        "{error}"
    );
    assert!(next(&mut killed).await.is_none());
    client.close();
    assert!(matches!(last(&mut closed).await, Error::Closed));
    assert!(next(&mut closed).await.is_none());
}
