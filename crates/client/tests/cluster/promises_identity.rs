//! What counts as the announced node: its id decides, asked in the greeting, and never where that went wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::scripted::{Scripted, bulk, node, slots};
use crate::support::{config, eventually, key_of, tell};
use tokio::time::{Instant, sleep};
use truename::{Client, Config, Error, cmd};
use truename_lab::{Ending, Lab, LabConfig, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

fn lab() -> LabConfig {
    Lab::builder(LabProfile::Plain).replicas(0).password(Some("same")).fault_proxies(true)
}

fn cause_of(error: &Error) -> &'static str {
    let Error::Connect(report) = error else { return "not a connect error" };
    report.decisive().map_or("nothing", |failure| failure.cause.code())
}

/// A node that loads its data answers `CLUSTER MYID` with an error. That was taken for "not reported", so the node of
/// another cluster that was loading when it was met was used from then on, and acknowledged 20 of 20 writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_loads_its_data_is_never_written_to() {
    let (ours, theirs) = tokio::join!(lab().start(), lab().start());
    let (ours, theirs) = (ours.expect("the lab starts"), theirs.expect("the lab starts"));
    let config = config(&ours).command_timeout(SECOND / 4);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let write = async || client.execute::<()>(cmd("SET").arg(key_of(0)).arg("ours")).await;
    write().await.expect("nothing is wrong yet");

    tell(&theirs, 0, &["DEBUG", "POPULATE", "10000", "theirs"]).await;
    tell(&theirs, 0, &["CONFIG", "SET", "key-load-delay", "100"]).await;
    tell(&theirs, 0, &["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"]).await;
    let reloading = theirs.command(0, &["DEBUG", "RELOAD"]);
    let meeting = async {
        let loads = || async {
            let reply = theirs.command(0, &["GET", "theirs:1"]).await.expect("it answers");
            reply.as_error().is_some_and(|error| error.code() == "LOADING")
        };
        eventually("the other cluster's node loads", 5 * SECOND, loads).await;
        // Valkey 9 reports its id meanwhile.
        let told = theirs.command(0, &["CLUSTER", "MYID"]).await.expect("it answers");
        ours.proxy(0).retarget(theirs.node(0).socket_addr());
        ours.proxy(0).end_open(Ending::Reset);
        let mut codes = Vec::new();
        let watched = Instant::now();
        while !codes.contains(&"wrong-node") && watched.elapsed() < 15 * SECOND {
            match write().await {
                Ok(()) => panic!("a stranger acknowledged a write; before: {codes:?}"),
                Err(error) => codes.push(cause_of(&error)),
            }
        }
        (codes, told.as_error().is_none())
    };
    let (reloaded, (codes, told)) = tokio::join!(reloading, meeting);
    assert!(reloaded.expect("reloaded").as_error().is_none());
    assert!((told || codes.contains(&"loading")) && codes.contains(&"wrong-node"), "{codes:?}");
    let strayed = tell(&theirs, 0, &["EXISTS", &key_of(0)]).await;
    assert_eq!(strayed.as_integer(), Some(0), "a write reached the other cluster");
}

/// One node that has all slots.
async fn alone(answer: impl Fn(&[String], &str) -> Option<String> + Send + Sync + 'static) -> Scripted {
    let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
    let slots = slots(&[(0, 16383, peer.address, A)]);
    peer.becomes(move |words| answer(words, &slots));
    peer
}

fn is(words: &[String], name: &str) -> bool {
    words.join(" ").eq_ignore_ascii_case(name)
}

fn config_of(address: SocketAddr) -> Config {
    let config =
        Config::new().plaintext().seed(address.ip().to_string(), address.port()).connect_timeout(SECOND);
    config.command_timeout(SECOND / 2).node_connect_timeout(SECOND)
}

/// The greeting was decoded backwards and its length was not checked: with one reply too many in it, the reply to
/// another command was taken for the node's id; what was left over answered the first caller's command (`key-1` got the
/// value of `key-0`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_with_one_reply_too_many_is_refused_before_a_command_is_sent() {
    // Where the additional reply comes, and what it is.
    for (before, extra) in [
        ("HELLO 3", "+OK\r\n"),
        ("HELLO 3", "-ERR what\r\n"),
        ("CLIENT SETINFO LIB-NAME truename", "-ERR what\r\n"),
        ("CLUSTER MYID", "-ERR what\r\n"),
        ("CLUSTER MYID", &bulk(A)),
        ("CLIENT INFO", "-ERR what\r\n"),
        ("CLIENT INFO", &bulk("key-0")),
        ("CLIENT INFO", "$5\r\nkey"),
    ] {
        let (place, added) = (before.to_owned(), extra.to_owned());
        let spoilt = Arc::new(AtomicBool::new(false));
        let spoils = spoilt.clone();
        let peer = alone(move |words, slots| {
            let mut said = node(words, A, slots);
            if is(words, &place) && spoils.load(Ordering::Relaxed) {
                said += &added;
            }
            (!is(words, "GET end")).then_some(said)
        })
        .await;
        let client =
            Client::connect(&config_of(peer.address)).await.unwrap_or_else(|error| panic!("{error}"));
        let get = async |key: &str| client.execute::<String>(cmd("GET").arg(key)).await;
        spoilt.store(true, Ordering::Relaxed);
        get("end").await.expect_err("the connection ends");
        let value = get("key-1").await;
        assert!(value.is_err(), "after one reply too many for {before}, key-1 is {value:?}");
        assert_eq!(peer.times("GET").len(), 1, "{before}: a command was sent after {extra:?}");
        let error = Client::connect(&config_of(peer.address)).await.expect_err("refused");
        assert!(matches!(error, Error::Connect(_)), "{before}: {error:?}");
    }
}

/// Pushes may come at any time and are not replies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_after_the_greeting_is_not_a_reply_too_many() {
    let peer = alone(|words, slots| {
        let mut said = node(words, A, slots);
        if is(words, "CLIENT INFO") {
            said += ">2\r\n+invalidate\r\n*1\r\n+key-0\r\n>2\r\n+inval";
        } else if is(words, "GET key-1") {
            said = format!("idate\r\n_\r\n{said}");
        }
        Some(said)
    })
    .await;
    // The second push is complete with the reply to the first command.
    let client = Client::connect(&config_of(peer.address)).await;
    let Ok(client) = client else { return };
    let value = client.execute::<String>(cmd("GET").arg("key-1")).await;
    assert_eq!(value.expect("a value"), "key-1");
}

/// Replies that are not an id were taken for one, or for a server that does not report it; only `ERR` and `NOPERM` mean that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_error_of_the_right_kind_means_that_a_node_does_not_tell_its_id() {
    let long = bulk(&"a".repeat(65));
    let rows = [
        ("-ERR unknown command 'CLUSTER'\r\n", true),
        ("-NOPERM this user has no permissions\r\n", true),
        ("-LOADING the data set\r\n", false),
        ("-BUSY with a script\r\n", false),
        ("-MASTERDOWN link\r\n", false),
        ("-CLUSTERDOWN hash slot\r\n", false),
        ("-TRYAGAIN\r\n", false),
        (":7\r\n", false),
        ("_\r\n", false),
        ("+OK\r\n", false),
        ("$0\r\n\r\n", false),
        ("$3\r\na\u{1b}b\r\n", false),
        ("*1\r\n$1\r\na\r\n", false),
        (&long, false),
        ("$7\r\nnot-hex\r\n", true),
    ];
    for (said, is_usable) in rows {
        let script = said.to_owned();
        let id = if said.contains("not-hex") { "not-hex" } else { A };
        let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
        let slots = slots(&[(0, 16383, peer.address, id)]);
        peer.becomes(move |words| {
            Some(if is(words, "CLUSTER MYID") { script.clone() } else { node(words, A, &slots) })
        });
        let connected = Client::connect(&config_of(peer.address)).await;
        assert_eq!(connected.is_ok(), is_usable, "{said:?}: {:?}", connected.err());
    }
}

/// A node that reported its id once and refuses to later is not accepted any more: something else may listen there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_told_its_id_must_tell_it_from_then_on() {
    let tells = Arc::new(AtomicBool::new(true));
    let told = tells.clone();
    let peer = alone(move |words, slots| match words[0].as_str() {
        "CLUSTER" if is(words, "CLUSTER MYID") && !told.load(Ordering::Relaxed) => {
            Some("-ERR unknown command\r\n".to_owned())
        }
        "GET" if words[1] == "end" => None,
        _ => Some(node(words, A, slots)),
    })
    .await;
    let client = Client::connect(&config_of(peer.address)).await.unwrap_or_else(|error| panic!("{error}"));
    let get = async |key: &str| client.execute::<String>(cmd("GET").arg(key)).await;
    get("key").await.expect("it told its id");
    tells.store(false, Ordering::Relaxed);
    get("end").await.expect_err("the connection ends");
    let error = get("key").await.expect_err("it no longer tells");
    assert_eq!(cause_of(&error), "wrong-node", "{error}");
    tells.store(true, Ordering::Relaxed);
    let works = || async { get("key").await.is_ok() };
    eventually("it tells again", 6 * SECOND, works).await;
}

/// Node B is announced at an address where C answers, and, as behind a tunnel, B answers at the seed's host.
struct Crossed {
    seed: Scripted,
    stranger: Scripted,
    detour: Scripted,
}

impl Crossed {
    /// `at_detour` answers at the seed's host with the port that B announces.
    async fn new(at_detour: &'static str) -> Self {
        let detour = Scripted::listen("127.0.0.1:0", |_| None).await;
        let port = detour.address.port();
        let stranger = Scripted::listen(&format!("127.0.0.2:{port}"), |_| None).await;
        let seed = Scripted::listen("127.0.0.1:0", |_| None).await;
        let slots = slots(&[(0, 8191, seed.address, A), (8192, 16383, stranger.address, B)]);
        for (peer, id) in [(&seed, A), (&stranger, C), (&detour, at_detour)] {
            let slots = slots.clone();
            peer.becomes(move |words| Some(node(words, id, &slots)));
        }
        Self { seed, stranger, detour }
    }

    async fn connect(&self) -> Client {
        let config = config_of(self.seed.address).password("secret").connect_timeout(5 * SECOND);
        Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The password precedes the node's id. After a wrong node had answered, the fallback got it in the same moment, and
/// both got it again up to twenty times a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_node_is_not_met_again_at_once() {
    let site = Crossed::new(C).await;
    let started = Instant::now();
    let _client = site.connect().await;
    sleep(Duration::from_millis(3800)).await;
    let mut logins = [site.stranger.times("HELLO"), site.detour.times("HELLO")].concat();
    logins.sort();
    let after: Vec<_> = logins.iter().map(|at| at.duration_since(started)).collect();
    assert!(after.len() <= 4 && after.len() >= 2, "{after:?}");
    let gaps: Vec<_> = logins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= SECOND * 9 / 10), "{gaps:?}");
}

/// Where the fallback is right, it is used all the same, if later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_way_is_tried_after_a_wrong_node() {
    let site = Crossed::new(B).await;
    let client = site.connect().await;
    let key = key_of(2);
    let works = || async { client.execute::<String>(cmd("GET").arg(&key)).await.is_ok() };
    eventually("the node is reached at the seed's host", 5 * SECOND, works).await;
    assert_eq!(site.stranger.times("GET").len(), 0);
    assert_eq!(site.stranger.times("HELLO").len(), 1, "the way that led to a stranger was taken again");
}

/// Where `CLUSTER MYID` is refused, as by Redis Enterprise, the detour through the seed's host was taken over TLS whoever
/// answered there, and never in plaintext. The `myself` line of `CLUSTER NODES` decides now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_myself_line_proves_a_detour() {
    let line = |id: &str, flags: &str| format!("{id} 127.0.0.2:1@2 {flags} - 0 0 1 connected\n");
    let rows = [
        (bulk(&(line(B, "myself,master") + &line(A, "master"))), true),
        (bulk(&(line(C, "myself,master") + &line(B, "master"))), false),
        (bulk(&line(B, "master")), false),
        (bulk(&(line(B, "myself,master") + &line(C, "myself,master"))), false),
        ("-NOPERM no\r\n".to_owned(), false),
        ("-BUSY script\r\n".to_owned(), false),
    ];
    let key = key_of(2);
    for (nodes, is_proof) in rows {
        let mut site = Crossed::new(B).await;
        // The announced address refuses connections.
        site.stranger = Scripted::listen("127.0.0.1:0", |_| None).await;
        let answer = nodes.clone();
        let slots = slots(&[]);
        site.detour.becomes(move |words| {
            Some(match words[0].as_str() {
                "CLUSTER" if is(words, "CLUSTER MYID") => "-ERR unknown subcommand\r\n".to_owned(),
                "CLUSTER" if is(words, "CLUSTER NODES") => answer.clone(),
                _ => node(words, B, &slots),
            })
        });
        let client = site.connect().await;
        let value = client.execute::<String>(cmd("GET").arg(&key)).await;
        assert_eq!(value.is_ok(), is_proof, "{nodes}: {value:?}");
        assert_eq!(site.detour.times("GET").len(), usize::from(is_proof), "{nodes}");
        if let Err(error) = value
            && nodes.starts_with("-NOPERM")
        {
            let Error::Connect(report) = &error else { panic!("{error:?}") };
            assert!(report.failures.iter().any(|failure| failure.cause.code() == "wrong-node"), "{error}");
            assert!(
                error.to_string().contains("cluster|myid") && error.to_string().contains("Config::dial_rule"),
                "{error}"
            );
        }
    }
}

/// A way that led to a stranger is avoided, or the password is sent there again and again. Refreshes remembered nothing:
/// a node whose connection lasts, while its address leads elsewhere by now, was logged in to at every one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_leave_a_way_alone_that_led_to_a_stranger() {
    let [ours, other] = [(); 2].map(|()| Scripted::listen("127.0.0.1:0", |_| None));
    let (ours, other) = tokio::join!(ours, other);
    let map = slots(&[(0, 8000, ours.address, A), (8001, 16383, other.address, B)]);
    let answers = |id: &'static str| {
        let map = map.clone();
        move |words: &[String]| Some(node(words, id, &map))
    };
    ours.becomes(answers(A));
    other.becomes(answers(B));
    let config = config_of(ours.address).password("same").refresh_interval(SECOND / 10);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let refreshed = || async { ours.times("CLUSTER").len() > 20 };
    eventually("some refreshes", 5 * SECOND, refreshed).await;

    other.becomes(answers(C));
    let (before, since) = (other.times("HELLO").len(), Instant::now());
    sleep(6 * SECOND).await;
    assert!(client.nodes().iter().all(|status| status.is_connected), "their connections last");
    let logins = other.times("HELLO").len() - before;
    // At once, after one or two seconds, after two to four more, and one that was under way.
    assert!((1..=5).contains(&logins), "{logins} logins at a stranger in {:?}", since.elapsed());
}
