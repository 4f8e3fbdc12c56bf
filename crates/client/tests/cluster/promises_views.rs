//! What the client accepts as the topology, and as a single server: which nodes count when they contradict each other, when
//! "not a cluster" is accepted, and when a connection is replaced because its server is not the intended one.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::recorder::Recorder;
use crate::support::{config, eventually, key_of, tell};
use tokio::time::Instant;
use truename::{Client, Config, Event, Notice, cmd};
use truename_lab::{Announced, Fault, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

async fn server() -> Lab {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().fault_proxies(true).password(Some("same"));
    lab.start().await.expect("the lab starts")
}

/// A server without cluster support, reached directly by the test and through its proxy by the client.
async fn server_behind_a_name() -> (Lab, Client) {
    let lab = server().await;
    let config = config(&lab).command_timeout(3 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    (lab, client)
}

/// A primary that was demoted keeps its connections. A client of a single server that never resolved the name again wrote to it for
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
    // Connections that a blocking command left in the pool lead to the new primary, too.
    let popped = client.execute::<Vec<String>>(cmd("BLPOP").arg("list").arg(1)).await.expect("popped");
    assert_eq!(popped[0], "list");
}

/// What a script says on a server that was demoted is the script's own error; one that may be executed twice met the same server
/// until its time was over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_may_be_executed_twice_finds_who_took_the_place_of_a_demoted_server() {
    let ((old, client), new) = (server_behind_a_name().await, server().await);
    let add = truename::Script::new("return redis.call('SADD', KEYS[1], ARGV[1])");
    add.key("early").arg("a").run(&client).await.expect("the connection is there");
    old.proxy(0).retarget(new.node(0).socket_addr());
    let (host, port) = (new.node(0).address.to_string(), new.node(0).port.to_string());
    tell(&old, 0, &["REPLICAOF", &host, &port]).await;
    let added = add.key("set").arg("a").repeatable(true).execute::<i64>(&client).await;
    assert_eq!(added.unwrap_or_else(|error| panic!("{error}")), 1);
    assert_eq!(tell(&new, 0, &["SCARD", "set"]).await.as_integer(), Some(1));
}

/// An endpoint that is read-only for good (a replica's own name) must not lose its connection with every write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_server_keeps_its_connection_for_a_second_at_least() {
    let (lab, client) = server_behind_a_name().await;
    let elsewhere = server().await;
    let (host, port) = (elsewhere.node(0).address.to_string(), elsewhere.node(0).port.to_string());
    tell(&lab, 0, &["REPLICAOF", &host, &port]).await;
    let mut events = client.events();
    let reads = async {
        for _ in 0..200 {
            client.execute::<Option<String>>(cmd("GET").arg("k")).await.expect("reads go on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let write = client.execute::<()>(cmd("SET").arg("k").arg("v").timeout(SECOND));
    let ((), refused) = tokio::join!(reads, write);
    assert!(refused.expect_err("read-only").to_string().contains("READONLY"));
    let (mut lost, end) = (0, Instant::now() + SECOND / 2);
    while let Ok(Some(notice)) = tokio::time::timeout_at(end, events.next()).await {
        lost += usize::from(matches!(notice, Notice::Event(Event::Disconnected { .. })));
    }
    assert!((1..=2).contains(&lost), "{lost} connections in a second");
}

/// Views were counted by node id, and then every address came from the first node to answer: one node of three that announced
/// the others elsewhere had the client log in there, with its password, within seconds, and no disagreement was reported.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rogue_node_of_three_leads_nobody_astray() {
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).fault_proxies(true);
    let lab = lab.password(Some("top-secret")).start().await.expect("the lab starts");
    let traps = [Recorder::listen().await, Recorder::listen().await];
    let elsewhere = [0, 1].map(|node| (lab.node(node).announced(), traps[node].address));
    lab.proxy(2).rewrite(move |announced| {
        let is_meant = |((host, port), _): &&((String, u16), SocketAddr)| {
            announced.host.as_deref() == Some(host) && announced.port == *port
        };
        let evil = elsewhere.iter().find(is_meant).map(|(_, evil)| evil);
        evil.map_or_else(|| announced.clone(), |evil| Announced::new(evil.ip().to_string(), evil.port()))
    });
    // It answers first.
    for node in [0, 1] {
        lab.proxy(node).set(Fault::Delay { by: SECOND / 50, jitter: Duration::ZERO });
    }
    let honest = lab.seeds().into_iter().take(2);
    let config = Config::new().plaintext().password("top-secret").seeds(honest).refresh_interval(SECOND / 10);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let (mut events, mut disagreements) = (client.events(), 0);
    let watch = async {
        while let Some(notice) = events.next().await {
            disagreements += usize::from(matches!(notice, Notice::Event(Event::Disagreement { .. })));
        }
    };
    let _ = tokio::time::timeout(6 * SECOND, watch).await;
    for trap in &traps {
        assert_eq!(trap.connections(), 0, "at an address that one node of three announced: {}", trap.text());
    }
    assert!(disagreements > 0);
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("v")).await.expect("served");
    }
}

/// A cluster and a server that is not one, with the same password.
async fn cluster_and_server() -> (Lab, Lab) {
    let cluster = Lab::builder(LabProfile::Plain).shards(3).replicas(0).fault_proxies(true);
    (cluster.password(Some("same")).start().await.expect("the lab starts"), server().await)
}

fn both(cluster: &Lab, server: &Lab) -> Config {
    let seeds = server.seeds().into_iter().chain(cluster.seeds().into_iter().take(1));
    Config::new()
        .plaintext()
        .password("same")
        .seeds(seeds)
        .refresh_interval(SECOND / 4)
        .node_connect_timeout(SECOND)
}

/// The first usable answer won, also "not a cluster": a standalone server among the seeds captured the client for life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standalone_server_among_the_seeds_does_not_capture_the_client() {
    let (cluster, server) = cluster_and_server().await;
    cluster.proxy(0).set(Fault::Delay { by: SECOND / 50, jitter: Duration::ZERO });
    for _ in 0..5 {
        let client =
            Client::connect(&both(&cluster, &server)).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!client.is_single_node());
    }
}

/// What a client found at its start used to be final. Now a seed that gives a view makes it a client of that cluster; and of
/// a single server only if no server gives a view and every seed says that it is not a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_or_single_server_is_decided_anew_by_every_refresh() {
    let (cluster, server) = cluster_and_server().await;
    cluster.proxy(0).set(Fault::Blackhole);
    let client = Client::connect(&both(&cluster, &server)).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(client.is_single_node(), "the other seed did not answer in time");
    client.execute::<()>(cmd("SET").arg("k").arg("at the server")).await.expect("OK");

    cluster.proxy(0).set(Fault::Reset);
    cluster.proxy(0).pass();
    eventually("a seed gave a view", 5 * SECOND, || async { !client.is_single_node() }).await;
    assert_eq!(client.nodes().len(), 3);
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("in the cluster")).await.expect("OK");
    }

    // One seed of two says "not a cluster", the other one nothing.
    cluster.proxies().iter().for_each(|proxy| proxy.set(Fault::Reset));
    let watched = Instant::now();
    while watched.elapsed() < 2 * SECOND {
        assert!(!client.is_single_node());
        tokio::time::sleep(SECOND / 20).await;
    }
    // Both do.
    cluster.proxies().iter().for_each(|proxy| {
        proxy.retarget(server.node(0).socket_addr());
        proxy.pass();
    });
    eventually("no seed is a cluster", 5 * SECOND, || async { client.is_single_node() }).await;
    let value = || async { client.execute::<String>(cmd("GET").arg("k")).await.ok() };
    eventually("it is used", 3 * SECOND, || async { value().await.as_deref() == Some("at the server") })
        .await;
}

/// The seed that was a cluster and answered late was asked again only after the whole refresh interval.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_starts_as_one_of_a_single_server_soon_finds_its_cluster() {
    let (cluster, server) = cluster_and_server().await;
    cluster.proxy(0).set(Fault::Blackhole);
    let config = both(&cluster, &server).refresh_interval(60 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(client.is_single_node(), "the other seed did not answer in time");
    // Past the first refresh.
    tokio::time::sleep(3 * SECOND / 2).await;
    cluster.proxy(0).set(Fault::Reset);
    cluster.proxy(0).pass();
    eventually("a seed gave a view", 10 * SECOND, || async { !client.is_single_node() }).await;
}
