//! What the client believes of a topology, and of a single server: who is trusted when nodes contradict each other, when
//! "not a cluster" is believed, and when a connection is made anew because its server is not the one that was meant.

mod support;

use std::time::Duration;

use support::{config, eventually, tell};
use truename::{Client, cmd};
use truename_lab::{Lab, Profile};

const SECOND: Duration = Duration::from_secs(1);

async fn server() -> Lab {
    let lab = Lab::builder(Profile::Plain).no_cluster().fault_proxies(true).password(Some("same"));
    lab.start().await.expect("the lab starts")
}

/// A server without cluster support, reached directly by the test and through its proxy by the client.
async fn server_behind_a_name() -> (Lab, Client) {
    let lab = server().await;
    let config = config(&lab).command_timeout(3 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    (lab, client)
}

/// A primary that was demoted keeps its connections. A client of a single server that followed no name again wrote to it for
/// ever, and every write failed: "READONLY" until the process was restarted, although the name led to the new primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_server_that_was_demoted_is_looked_up_anew() {
    let ((old, client), new) = (server_behind_a_name().await, server().await);
    client.execute::<()>(cmd("SET").arg("k").arg("before")).await.expect("OK");
    client.execute::<i64>(cmd("RPUSH").arg("early").arg(1)).await.expect("pushed");
    client.execute::<Vec<String>>(cmd("BLPOP").arg("early").arg(1)).await.expect("popped");
    old.proxy(0).retarget(new.node(0).socket_addr());
    let (host, port) = (new.node(0).address.to_string(), new.node(0).port.to_string());
    tell(&old, 0, &["REPLICAOF", &host, &port]).await;

    let write = |n: usize| client.execute::<i64>(cmd("RPUSH").arg("list").arg(n));
    let written = futures_util::future::join_all((0..50).map(write)).await;
    for length in written {
        length.unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(tell(&new, 0, &["LLEN", "list"]).await.as_integer(), Some(50));
    // Connections that a blocking command left behind lead to the new primary, too.
    let popped = client.execute::<Vec<String>>(cmd("BLPOP").arg("list").arg(1)).await.expect("popped");
    assert_eq!(popped[0], "list");
}

/// An endpoint that is read-only for good (a replica's own name) must not lose its connection with every write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_server_keeps_its_connection_for_a_second_at_least() {
    let (lab, client) = server_behind_a_name().await;
    let elsewhere = server().await;
    let (host, port) = (elsewhere.node(0).address.to_string(), elsewhere.node(0).port.to_string());
    tell(&lab, 0, &["REPLICAOF", &host, &port]).await;
    let accepted = lab.proxy(0).traffic().accepted;
    let reads = async {
        for _ in 0..200 {
            client.execute::<Option<String>>(cmd("GET").arg("k")).await.expect("reads go on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let write = client.execute::<()>(cmd("SET").arg("k").arg("v").timeout(SECOND));
    let ((), refused) = tokio::join!(reads, write);
    assert!(refused.expect_err("read-only").to_string().contains("READONLY"));
    let renewed = lab.proxy(0).traffic().accepted - accepted;
    assert!((1..=2).contains(&renewed), "{renewed} connections in a second");
    eventually("one connection is left", SECOND, || async { lab.proxy(0).traffic().open == 1 }).await;
}
