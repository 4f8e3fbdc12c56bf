//! Dialling: which attempts wait for which, how many run at a time, and what an error says about them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::support::scripted::{Scripted, node, slots};
use crate::support::{config, eventually, lab, spread_keys};
use parking_lot::Mutex;
use tokio::time::Instant;
use truename::{Client, Config, Error, Lookup, cmd};
use truename_lab::LabProfile;

const SECOND: Duration = Duration::from_secs(1);
const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// One primary of three that accepts connections and says nothing held `connect` up for 3 s, although it promises a
/// client as soon as one primary is connected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_does_not_wait_for_a_silent_primary() {
    let lab = lab(LabProfile::Plain).await;
    lab.node(2).stop();
    let mut seeds = lab.seeds();
    seeds.truncate(1);
    let config = config(&lab);
    let started = Instant::now();
    let client = Client::connect(&config).await;
    let took = started.elapsed();
    lab.node(2).cont();
    let client = client.unwrap_or_else(|error| panic!("{error}"));
    assert!(took < 2 * SECOND, "{took:?}");
    for key in spread_keys("key", 6) {
        let set = || async { client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.is_ok() };
        eventually("the whole cluster is served", 5 * SECOND, set).await;
    }
}

/// Without a failure there was an error all the same ("no connection after 2 ms"), and a keepalive of zero sent 880
/// `PING`s a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_has_a_cause_and_a_duration_of_nothing_is_refused() {
    let silent = TcpListener::bind("127.0.0.3:0").expect("a free port");
    let at = silent.local_addr().expect("bound");
    let seed = Scripted::listen("127.0.0.1:0", |_| None).await;
    let only = slots(&[(0, 16383, at, ID)]);
    let told = only.clone();
    seed.becomes(move |words| Some(node(words, ID, &told)));
    let base = || Config::new().plaintext().seed("127.0.0.1", seed.address.port());
    for limit in [SECOND / 2, SECOND / 1000] {
        let error = Client::connect(&base().connect_timeout(limit)).await.expect_err("the primary is silent");
        let Error::Connect(report) = &error else { panic!("{error:?}") };
        assert!(!report.failures.is_empty() && report.decisive().is_some(), "{error}");
    }
    let nobody = only.replace("$9\r\n127.0.0.3", "$1\r\n?");
    seed.becomes(move |words| Some(node(words, ID, &nobody)));
    let error = Client::connect(&base().connect_timeout(SECOND / 2)).await.expect_err("no primary");
    let Error::Connect(report) = &error else { panic!("{error:?}") };
    assert_eq!(report.decisive().map(|failure| failure.cause.code()), Some("bad-topology"), "{error}");

    let error = Client::connect(&base().keepalive(Duration::ZERO)).await.expect_err("refused");
    assert!(matches!(error, Error::Config(_)) && error.to_string().contains("keepalive"), "{error}");
}

/// A name with several addresses was given up with the first one that accepted a connection, even when that one then
/// hung in TLS or in the greeting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_address_is_tried_while_the_first_hangs() {
    let lab = truename_lab::Lab::builder(LabProfile::Aws).replicas(0).start().await.expect("the lab starts");
    let port = lab.seed().1;
    // Both accept connections; one never answers, the other one hangs up at once.
    let silent = TcpListener::bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 4), port))).expect("free");
    let closing = Scripted::listen(&format!("127.0.0.5:{port}"), |_| None).await;
    drop(closing);
    let (seed, _) = lab.seed();
    let front = lab.resolve()[0].2;
    let names = lab.resolve();
    let resolver = move |host: &str, port: u16| -> Lookup {
        let known = |name: &str| names.iter().find(|(known, ..)| known == name).map(|entry| entry.2);
        let addresses: Vec<IpAddr> = match host == seed {
            true => vec![Ipv4Addr::new(127, 0, 0, 4).into(), Ipv4Addr::new(127, 0, 0, 5).into(), front],
            false => known(host).into_iter().collect(),
        };
        Box::pin(async move { Ok(addresses.into_iter().map(|at| SocketAddr::new(at, port)).collect()) })
    };
    let config = Config::new()
        .seed(lab.seed().0, port)
        .tls(truename::Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("the lab's CA"))
        .password(lab.password().expect("a password"))
        .resolver(resolver);
    let started = Instant::now();
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(started.elapsed() < 3 * SECOND, "{:?}", started.elapsed());
    client.execute::<()>(cmd("SET").arg("key").arg(1)).await.expect("OK");
    drop(silent);
}

/// 16,384 announced primaries produced an error of 118,401 lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_many_nodes_can_be_read() {
    let seed = Scripted::listen("127.0.0.1:0", |_| None).await;
    let closed = TcpListener::bind("127.0.0.6:0").expect("a free port").local_addr().expect("bound").port();
    let at = |n: u16| SocketAddr::from((Ipv4Addr::new(127, 1, (n >> 8) as u8, n as u8), closed));
    let ids: Vec<String> = (0..500).map(|n| format!("{n:040x}")).collect();
    let ranges: Vec<_> = (0..500u16).map(|n| (n, n, at(n), ids[usize::from(n)].as_str())).collect();
    let all = slots(&ranges);
    seed.becomes(move |words| Some(node(words, ID, &all)));
    let config = Config::new().plaintext().seed("127.0.0.1", seed.address.port());
    let error = Client::connect(&config).await.expect_err("nobody is there");
    let Error::Connect(report) = &error else { panic!("{error:?}") };
    let text = error.to_string();
    assert_eq!(report.failures.len(), 20, "{text}");
    assert_eq!(report.omitted + report.failures.len(), 1000, "announced address and fallback: {text}");
    assert!(text.contains("1000 attempts failed") && text.contains("980 more"), "{text}");
    assert!(text.lines().count() < 200, "{} lines", text.lines().count());
}

/// A cluster of 2,000 nodes that accept connections and say nothing.
async fn silent_cluster(net: u8) -> (Scripted, TcpListener) {
    // One listener for the whole of loopback. Nobody accepts: the kernel does, or drops what is too much, silently.
    let silent = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = silent.local_addr().expect("bound").port();
    let at = |n: u16| SocketAddr::from((Ipv4Addr::new(127, net, (n >> 8) as u8, n as u8), port));
    let ids: Vec<String> = (0..2000).map(|n| format!("{n:040x}")).collect();
    let ranges: Vec<_> = (0..2000u16).map(|n| (n, n, at(n), ids[usize::from(n)].as_str())).collect();
    let all = slots(&ranges);
    let seed = Scripted::listen(&format!("127.{net}.0.1:0"), move |words| Some(node(words, ID, &all))).await;
    (seed, silent)
}

/// Sockets that somebody has open to a listener, whichever of its addresses they were dialled at. Those of this process cannot
/// be counted: other tests run in it.
fn sockets_to(listener: &TcpListener) -> usize {
    let port = format!(":{:04X}", listener.local_addr().expect("bound").port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    // As the kernel's `proc_net_tcp` has it: the third field is the remote address, the tenth is the inode, which is 0 once
    // nobody has the socket open.
    let sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    sockets.filter(|fields| fields[2].ends_with(&port) && fields[9] != "0").count()
}

/// Handshakes of all clients of a process shared 64 permits, which silent peers held: with 4,000 such nodes about, to
/// connect to a healthy cluster took 5.5 s and failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_clusters_starve_no_healthy_one() {
    let healthy = lab(LabProfile::Plain).await;
    let (first, second) = (silent_cluster(7).await, silent_cluster(8).await);
    let hanging: Vec<_> = [&first, &second]
        .into_iter()
        .map(|(seed, _)| {
            let seed = seed.address;
            let config = Config::new().plaintext().seed(seed.ip().to_string(), seed.port());
            tokio::spawn(async move { Client::connect(&config).await })
        })
        .collect();
    let found = || async { [&first, &second].iter().all(|(seed, _)| !seed.times("CLUSTER").is_empty()) };
    eventually("both are being connected to", 5 * SECOND, found).await;
    let mut most = 0;
    for _ in 0..20 {
        let started = Instant::now();
        let client = Client::connect(&config(&healthy)).await.unwrap_or_else(|error| panic!("{error}"));
        client.execute::<()>(cmd("SET").arg("key").arg(1)).await.expect("OK");
        assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
        assert!(hanging.iter().all(|connecting| !connecting.is_finished()));
        most = most.max([&first, &second].iter().map(|(_, silent)| sockets_to(silent)).sum());
    }
    // A process usually has 1,024 descriptors.
    assert!((1..1000).contains(&most), "{most} sockets");
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Each seed had a tenth of a second to itself, however many there were: of more than a hundred, the last were not asked in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_seeds_leave_time_for_the_others_however_many_they_are() {
    const SEEDS: u8 = 100;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let in_time = Arc::new(Mutex::new(HashSet::new()));
    let started = Instant::now();
    let listening = tokio::spawn({
        let in_time = in_time.clone();
        async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                if started.elapsed() < 2 * SECOND {
                    in_time.lock().insert(stream.local_addr().expect("connected").ip());
                }
                open.push(stream);
            }
        }
    });
    let seeds = (1..=SEEDS).map(|n| (format!("127.0.77.{n}"), port));
    let config = Config::new().plaintext().seeds(seeds).connect_timeout(2 * SECOND);
    Client::connect(&config).await.expect_err("none of them answers");
    // Nearly all of them; a fifth, at a tenth of a second each.
    let asked = in_time.lock().len();
    assert!(asked > usize::from(SEEDS) / 2, "{asked} were asked in time");
    listening.abort();
}
