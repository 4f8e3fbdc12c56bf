//! A client that connects when it is first used.

use std::time::Duration;

use crate::support::{config, eventually, lab, tell};
use tokio::time::Instant;
use truename::{Client, Config, Error, Event, Notice, cmd};
use truename_lab::{Fault, Lab, LabProfile};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_client_starts_while_its_cluster_is_down() {
    let lab = Lab::builder(LabProfile::Azure)
        .replicas(0)
        .fault_proxies(true)
        .start()
        .await
        .expect("the lab starts");
    lab.proxies().iter().for_each(|proxy| proxy.set(Fault::Refuse));
    let short = config(&lab).command_timeout(Duration::from_millis(700));
    let client = Client::lazy(&short).await.expect("nothing is dialled");
    let mut events = client.events();
    let accepted = || lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum::<u64>();
    let before = accepted();
    // Every kind of call says why, in time.
    let started = Instant::now();
    let (set, popped, batch, transaction, dedicated) = tokio::join!(
        client.run(cmd("SET").arg("key").arg(1)),
        client.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg("0.1")),
        client.batch().with(cmd("PING")).all::<(String,)>(),
        client.transaction(["key"], async |_| Ok(())),
        client.dedicated("key"),
    );
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    let errors = [set.err(), popped.err(), batch.err(), transaction.err(), dedicated.err()]
        .map(|error| error.expect("down"));
    for error in errors {
        assert!(matches!(error, Error::Connect(_)) && !error.may_have_executed(), "{error}");
        assert!(error.to_string().contains("cannot connect to seed"), "{error}");
    }
    let failed = tokio::time::timeout(SOON, async {
        while !matches!(events.next().await, Some(Notice::Event(Event::RefreshFailed { .. }))) {}
    });
    failed.await.expect("an event for each search in vain");
    // It goes on looking while nobody calls.
    lab.proxies().iter().for_each(|proxy| proxy.pass());
    eventually("it is found without a call", SOON, || async { client.nodes().len() == 3 }).await;
    assert!(accepted() > before);
    client.run(cmd("SET").arg("key").arg(1)).await.expect("OK");
    assert_eq!(client.execute::<u64>(cmd("GET").arg("key")).await.expect("a value"), 1);
}

/// The time began anew once the cluster was found.
#[tokio::test]
async fn the_search_is_part_of_a_calls_time() {
    let lab = crate::support::proxied_server().await;
    lab.proxy(0).set(Fault::Refuse);
    tell(&lab, 0, &["CLIENT", "PAUSE", "20000", "WRITE"]).await;
    let client = Client::lazy(&config(&lab).command_timeout(Duration::from_secs(2))).await.expect("made");
    let started = Instant::now();
    let finding = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        lab.proxy(0).pass();
    };
    let batch = client.batch().with(cmd("SET").arg("key").arg(1)).all::<(String,)>();
    let transaction = client.transaction(["key"], async |tx| {
        tx.queue(cmd("SET").arg("key").arg(1));
        Ok(())
    });
    let (batch, transaction, ()) = tokio::join!(batch, transaction, finding);
    assert!(batch.is_err() && transaction.is_err(), "writes are paused");
    assert!(started.elapsed() < Duration::from_millis(3200), "{:?}", started.elapsed());
}

/// What goes to several nodes began anew.
#[tokio::test]
async fn the_search_is_part_of_the_time_of_a_call_to_several_nodes() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(Duration::from_secs(30));
    let lab = lab.fault_proxies(true).start().await.expect("the lab starts");
    lab.proxies().iter().for_each(|proxy| proxy.set(Fault::Refuse));
    lab.node(1).stop();
    let client = Client::lazy(&config(&lab).command_timeout(Duration::from_secs(3))).await.expect("made");
    let keys: Vec<String> = (0..3).map(crate::support::key_of).collect();
    let started = Instant::now();
    let finding = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        lab.proxies().iter().for_each(|proxy| proxy.pass());
    };
    let (values, loaded, size, ()) = tokio::join!(
        client.run(cmd("MGET").args(&keys)),
        client.run(cmd("SCRIPT").arg("LOAD").arg("return 7")),
        client.run(cmd("DBSIZE")),
        finding,
    );
    let took = started.elapsed();
    lab.node(1).cont();
    for error in [values, loaded, size].map(|outcome| outcome.expect_err("one node is silent")) {
        assert!(matches!(&error, Error::Partial(partial) if partial.failed().count() == 1), "{error}");
    }
    assert!(took < Duration::from_millis(4000), "{took:?}");
}

#[tokio::test]
async fn it_dials_nobody_before_its_first_call_and_what_is_wrong_is_said_at_once() {
    let lab = lab(LabProfile::Plain).await;
    let connected = || async {
        let received = tell(&lab, 0, &["INFO", "stats"]).await;
        let line = received.as_str().and_then(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("total_connections_received:"))?
                .trim()
                .parse()
                .ok()
        });
        line.unwrap_or(0u64)
    };
    let client = Client::lazy(&config(&lab)).await.expect("nothing is dialled");
    let before = connected().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.nodes().len(), 0);
    assert!(connected().await <= before + 2, "the lab's own");
    // The first calls wait for the cluster.
    let calls = (0..20).map(|n| client.run(cmd("SET").arg(format!("key:{n}")).arg(n)));
    futures_util::future::try_join_all(calls).await.expect("OK");
    assert_eq!(client.nodes().len(), 3);
    // A lazy client can be closed before it was used, and while it looks.
    let unused = Client::lazy(&config(&lab)).await.expect("nothing is dialled");
    unused.close();
    assert!(matches!(unused.run(cmd("PING")).await, Err(Error::Closed)));
    let nowhere = Config::new().seed("127.0.0.1", 1).plaintext();
    let searching = Client::lazy(&nowhere).await.expect("nothing is dialled");
    let (called, ()) = tokio::join!(searching.run(cmd("PING")), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        searching.close();
    });
    assert!(matches!(called, Err(Error::Closed)), "{called:?}");
    assert!(searching.shutdown(SOON).await);
    let wrong = Client::lazy(&Config::new()).await.expect_err("no seed");
    assert!(matches!(wrong, Error::Config(_)), "{wrong}");
    let late = Config::new().seed("127.0.0.1", 1).plaintext().keepalive(Duration::ZERO);
    assert!(matches!(Client::lazy(&late).await, Err(Error::Config(_))));
}

/// A server that is not a cluster is known to be one only once it was found.
#[tokio::test]
async fn a_single_server_is_found_to_be_one_before_its_first_command_is_judged() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let client = Client::lazy(&config(&lab)).await.expect("nothing is dialled");
    assert_eq!(client.execute::<u64>(cmd("DBSIZE")).await.expect("a number"), 0);
    assert!(client.is_single_node());
}

/// A scan asked nobody, and reported all slots as missing.
#[tokio::test]
async fn a_scan_is_a_first_use_too() {
    let lab = lab(LabProfile::Azure).await;
    let client = Client::lazy(&config(&lab)).await.expect("nothing is dialled");
    let mut keys = client.scan().keys();
    assert!(keys.next().await.is_none(), "it is empty");
    assert!(keys.is_complete());
    client.run(cmd("SET").arg("key").arg(1)).await.expect("OK");

    let nowhere = Config::new().seed("127.0.0.1", 1).plaintext().command_timeout(Duration::from_millis(300));
    let client = Client::lazy(&nowhere).await.expect("nothing is dialled");
    let mut keys = client.scan().patience(Duration::from_millis(200)).keys();
    let missing = keys.next().await.expect("it is told").expect_err("nobody is there");
    assert!(missing.to_string().contains("127.0.0.1:1"), "{missing}");
    assert!(keys.next().await.is_none());
    assert!(!keys.is_complete());
}
