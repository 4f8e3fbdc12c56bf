//! Looking at nodes without a client: questions of one's own on verified connections, and how many of them
//! that takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::info::{executions, info};
use crate::support::scripted::{Scripted, node};
use crate::support::{config, eventually, lab, one_node, proxied_lab, tell};
use parking_lot::Mutex;
use truename::error::{Cause, Phase};
use truename::probe::{Budget, Probe, Session, Subject, examine};
use truename::topology::{DialAddress, Endpoint, View, parse_slots};
use truename::{Certificate, Client, Config, Credentials, Reply, Tls};
use truename_lab::{Ending, Fault, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const SLOTS: &[&[u8]] = &[b"CLUSTER", b"SLOTS"];
/// A wait that ends when somebody pushes.
const WAIT: &[&[u8]] = &[b"BLPOP", b"nobody-pushes", b"0"];
const SET: &[&[u8]] = &[b"SET", b"marker", b"1"];

fn soon() -> Instant {
    Instant::now() + 10 * SECOND
}

fn first_seed(lab: &Lab) -> Endpoint {
    let (host, port) = lab.seed();
    Endpoint::new(host, port)
}

async fn probe(config: &Config) -> Probe {
    Probe::new(config).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A session that came up at once.
async fn session(probe: &Probe, subject: &Subject) -> Session {
    let mut reached = probe.reach(subject, soon()).await;
    assert!(reached.failures.is_empty(), "{:?}", reached.failures);
    let (session, plan) = (reached.session.take().expect("a session"), reached.plan.expect("a plan"));
    assert_eq!(session.facts().dialled.as_ref(), Some(plan.dial.first()));
    session
}

/// A session with the first seed of a lab.
async fn seed_session(config: &Config, lab: &Lab) -> (Probe, Session) {
    let probe = probe(config).await;
    let session = session(&probe, &Subject::Seed(first_seed(lab))).await;
    (probe, session)
}

/// The text of each reply.
fn texts(replies: &[Reply]) -> Vec<String> {
    let text = |reply: &Reply| match reply.as_error() {
        Some(error) => error.code().to_owned(),
        None => reply.as_str().expect("text").to_owned(),
    };
    replies.iter().map(text).collect()
}

async fn view_of(session: &mut Session, seed: &Endpoint) -> View {
    let asked = session.ask(&[SLOTS], Budget::Topology, soon()).await;
    assert_eq!(asked.end, None);
    parse_slots(&asked.replies[0], seed.host()).expect("a view")
}

/// How many connections each fault proxy of a lab has accepted.
fn accepted(lab: &Lab) -> Vec<u64> {
    lab.proxies().iter().map(|proxy| proxy.traffic().accepted).collect()
}

/// How often each node of three was asked for the topology.
async fn times_asked(lab: &Lab) -> [u64; 3] {
    let mut times = [0; 3];
    for (node, times) in times.iter_mut().enumerate() {
        *times = executions(lab, node, "cluster|slots").await;
    }
    times
}

/// Whether somebody executed what was asked after the session was over.
async fn was_set(lab: &Lab) -> bool {
    !tell(lab, 0, &["GET", "marker"]).await.is_nil()
}

#[tokio::test]
async fn every_question_has_its_answer_whatever_the_others_have() {
    let lab = one_node(LabProfile::Plain).await;
    let guest = ["ACL", "SETUSER", "guest", "on", ">sesame", "~*", "+@all", "-ping"];
    tell(&lab, 0, &guest).await;
    let config = config(&lab).credentials(Credentials::user("guest", "sesame"));
    let (_probe, mut session) = seed_session(&config, &lab).await;
    assert_eq!(session.facts().greeting.user.as_deref(), Some("guest"));
    let questions: [&[&[u8]]; 4] = [&[b"PING"], &[b"ECHO", b"one"], &[b"NOSUCH"], &[b"ECHO", b"two"]];
    for _ in 0..2 {
        let asked = session.ask(&questions, Budget::Small, soon()).await;
        assert_eq!(
            (texts(&asked.replies), asked.end),
            (["NOPERM", "one", "ERR", "two"].map(str::to_owned).to_vec(), None)
        );
        assert!(asked.took < 5 * SECOND, "{:?}", asked.took);
    }
    // What is not sent at all changes nothing.
    let nothing = session.ask(&[], Budget::Small, soon()).await;
    assert_eq!((nothing.replies.len(), nothing.end), (0, None));
    let late = session.ask(&[SET], Budget::Small, Instant::now()).await;
    assert_eq!((late.replies.len(), late.end), (0, Some(Cause::TimedOut)));
    assert!(!was_set(&lab).await);
    let asked = session.ask(&[&[b"ECHO", b"three"]], Budget::Small, soon()).await;
    assert_eq!(texts(&asked.replies), ["three"]);
}

#[tokio::test]
async fn a_session_is_over_with_the_first_reply_that_does_not_come() {
    let lab = one_node(LabProfile::Plain).await;
    let (_probe, mut session) = seed_session(&config(&lab), &lab).await;
    let until = Instant::now() + SECOND / 4;
    let asked = session.ask(&[&[b"ECHO", b"one"], WAIT, SET], Budget::Small, until).await;
    assert_eq!((texts(&asked.replies), &asked.end), (vec!["one".to_owned()], &Some(Cause::TimedOut)));
    assert!((SECOND / 5..5 * SECOND).contains(&asked.took), "{:?}", asked.took);
    let after = session.ask(&[SET], Budget::Small, soon()).await;
    assert_eq!((after.replies.len(), after.end), (0, Some(Cause::TimedOut)));
    assert!(!session.also_serves(&Subject::Seed(first_seed(&lab))));
    let failure = session.failure(Phase::Ping, Cause::TimedOut, asked.took);
    assert!(
        failure.is_seed && failure.node == first_seed(&lab) && failure.elapsed == asked.took,
        "{failure}"
    );
    assert!(failure.peer.is_some() && failure.remedy.is_some(), "{failure}");
    // The server is done with what it was sent: the end of the connection ends the wait as well.
    drop(session);
    let is_free = || async { info(&lab, 0, "clients", "blocked_clients").await == 0 };
    eventually("the connection is closed", 5 * SECOND, is_free).await;
    assert!(!was_set(&lab).await);
}

#[tokio::test]
async fn a_session_is_over_when_a_question_is_dropped() {
    let lab = one_node(LabProfile::Plain).await;
    let (_probe, mut session) = seed_session(&config(&lab), &lab).await;
    let waiting = session.ask(&[WAIT], Budget::Small, soon());
    tokio::time::timeout(SECOND / 4, waiting).await.expect_err("nobody pushes");
    // The answer to what was dropped would be taken for that to the next question.
    tell(&lab, 0, &["RPUSH", "nobody-pushes", "late"]).await;
    let after = session.ask(&[SET], Budget::Small, soon()).await;
    assert!(after.replies.is_empty() && matches!(after.end, Some(Cause::Io(_))), "{after:?}");
    assert!(!was_set(&lab).await);
}

#[tokio::test]
async fn a_reply_beyond_the_budget_is_not_read() {
    let lab = one_node(LabProfile::Plain).await;
    let (probe, mut session) = seed_session(&config(&lab), &lab).await;
    let (fits, exceeds) = ("x".repeat(60 << 10), "x".repeat(70 << 10));
    let echo = async |session: &mut Session, text: &str, budget| {
        session.ask(&[&[b"ECHO", text.as_bytes()]], budget, soon()).await
    };
    for (text, budget, is_read) in
        [(&fits, Budget::Small, true), (&exceeds, Budget::Topology, true), (&exceeds, Budget::Small, false)]
    {
        let asked = echo(&mut session, text, budget).await;
        assert_eq!(asked.end.is_none(), is_read, "{budget:?} {}: {:?}", text.len(), asked.end);
        assert_eq!(asked.replies.len(), usize::from(is_read));
        assert!(is_read || matches!(asked.end, Some(Cause::NotRedis(_))), "{:?}", asked.end);
    }
    // Only that session is over.
    let mut another = probe.again(&session, soon()).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(echo(&mut another, "here", Budget::Small).await.end.is_none());
}

/// A server that repeats what it does not like would have had the password shown by whoever asks it
/// something.
#[tokio::test]
async fn the_password_is_in_nothing_that_a_server_says_in_its_own_words() {
    let server = Scripted::listen("127.0.0.1:0", |words| {
        Some(match words[0].as_str() {
            "ECHO" => "*2\r\n-ERR no sesame\r\n+sesame\r\n".to_owned(),
            "INFO" => "-NOPERM bob has sesame\r\n".to_owned(),
            "CLUSTER" => "-ERR sesame is no cluster\r\n".to_owned(),
            "TIME" => "?sesame\r\n".to_owned(),
            _ => node(words, "id", ""),
        })
    })
    .await;
    let (host, port) = ("127.0.0.1", server.address.port());
    let config = Config::new().plaintext().seed(host, port).credentials(Credentials::user("bob", "sesame"));
    let probe = probe(&config).await;
    let mut session = session(&probe, &Subject::Seed(Endpoint::new(host, port))).await;
    let asked = session.ask(&[&[b"ECHO"], &[b"INFO"], &[b"TIME"], &[b"PING"]], Budget::Small, soon()).await;
    assert_eq!(asked.replies.len(), 2, "{asked:?}");
    assert_eq!(asked.replies[1].as_error().expect("an error").message(), "NOPERM bob has [hidden]");
    let failure = session.failure(Phase::Ping, Cause::ServerRefused("ERR sesame".to_owned()), asked.took);
    let report = examine(&config).await.expect("a report");
    assert_eq!(report.failures.len(), 1, "{report:?}");
    let error = Client::connect(&config).await.expect_err("no topology");
    for shown in [
        format!("{error} {error:#?}"),
        format!("{asked:?}"),
        format!("{session:?}"),
        format!("{failure} {failure:?}"),
        format!("{report:?} {}", report.failures[0]),
    ] {
        assert!(!shown.contains("sesame"), "{shown}");
    }
    assert!(report.failures[0].to_string().contains("[hidden] is no cluster"), "{}", report.failures[0]);
}

/// What a refused peer presented could not be looked at: only some of the leaf's texts were kept.
#[tokio::test]
async fn a_refused_handshake_comes_with_the_chain_that_was_presented() {
    let lab = one_node(LabProfile::Azure).await;
    let stranger = Tls::new().ca_pem(include_bytes!("../support/stranger.pem")).expect("a bundle");
    let seed = Subject::Seed(first_seed(&lab));
    let refused = probe(&config(&lab).tls(stranger)).await.reach(&seed, soon()).await;
    assert!(refused.session.is_none() && refused.plan.is_some());
    let [failure] = refused.failures.as_slice() else { panic!("{:?}", refused.failures) };
    assert_eq!((failure.phase, &failure.cause), (Phase::Tls, &Cause::UnknownIssuer));
    let presented = failure.certificate.as_ref().expect("a certificate");
    let chain: Vec<&[u8]> = presented.der_chain().collect();
    assert_eq!(chain.len(), presented.chain_length);
    assert_eq!(Certificate::from_chain(&chain).as_ref(), Some(&**presented));
    // It is what those see who trust it.
    let (_probe, session) = seed_session(&config(&lab), &lab).await;
    assert_eq!(session.facts().certificate, failure.certificate);
}

/// Only the sum was known, which does not tell a distant node from a slow one.
#[tokio::test]
async fn tcp_and_tls_are_timed_apart() {
    let by = SECOND / 20;
    for tls in [false, true] {
        let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).tls(tls).fault_proxies(true);
        let lab = lab.start().await.expect("the lab starts");
        lab.proxy(0).set(Fault::Delay { by, jitter: Duration::ZERO });
        let (_probe, session) = seed_session(&config(&lab), &lab).await;
        let facts = session.facts();
        assert!(!facts.tcp.is_zero() && facts.round_trip >= 2 * by, "{facts:?}");
        // The proxy answers for TCP at once. TLS takes a round trip at least, each direction of which is
        // delayed.
        assert_eq!(facts.tls.map(|took| took >= 2 * by), tls.then_some(true), "{facts:?}");
        let sum = facts.tcp + facts.tls.unwrap_or_default() + facts.round_trip;
        assert!(sum <= facts.elapsed, "{facts:?}");
        assert!(facts.elapsed - sum < SECOND, "{facts:?}");
    }
}

#[tokio::test]
async fn a_seeds_connection_serves_for_the_node_that_it_is_and_for_no_other() {
    for tls in [false, true] {
        let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).tls(tls).fault_proxies(true);
        let lab = lab.start().await.expect("the lab starts");
        let (seed, before) = (first_seed(&lab), accepted(&lab));
        let (probe, mut first) = seed_session(&config(&lab), &lab).await;
        let view = view_of(&mut first, &seed).await;
        let announced: Vec<Subject> = view
            .nodes()
            .map(|node| Subject::Announced { node: node.clone(), told_by: seed.clone() })
            .collect();
        assert_eq!(announced.len(), 3);
        let served: Vec<bool> = announced.iter().map(|subject| first.also_serves(subject)).collect();
        let is_first = |subject: &Subject| match subject {
            Subject::Announced { node, .. } => {
                node.id.as_ref().is_some_and(|id| id.as_str() == lab.node(0).id)
            }
            _ => false,
        };
        assert_eq!(served, announced.iter().map(is_first).collect::<Vec<_>>());
        assert_eq!(first.facts().identity.is_some(), tls);
        let mut others = Vec::new();
        for subject in announced.iter().filter(|subject| !is_first(subject)) {
            others.push(session(&probe, subject).await);
        }
        let one_each: Vec<u64> = before.iter().map(|before| before + 1).collect();
        assert_eq!(accepted(&lab), one_each);
        // It goes on, and so does the other one.
        let mut second = probe.again(&first, soon()).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(accepted(&lab), [one_each[0] + 1, one_each[1], one_each[2]]);
        for session in [&mut first, &mut second] {
            assert_eq!(view_of(session, &seed).await.nodes().count(), 3);
            assert_eq!(session.facts().greeting.node_id.as_deref(), Some(lab.node(0).id.as_str()));
        }
    }
}

#[tokio::test]
async fn another_connection_goes_where_the_first_one_went_or_nowhere() {
    let lab = one_node(LabProfile::Plain).await;
    let moved = Arc::new(AtomicBool::new(false));
    let is_moved = Arc::clone(&moved);
    let elsewhere =
        move |_: &_, _: &_| is_moved.load(Ordering::Relaxed).then(|| DialAddress::new("127.0.0.9", 1));
    let config = config(&lab).map_node_addresses(elsewhere).node_address_map_for_seeds(true);
    let (probe, session) = seed_session(&config, &lab).await;
    let again = probe.again(&session, soon()).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(again.facts().dialled, session.facts().dialled);
    moved.store(true, Ordering::Relaxed);
    let failure = probe.again(&session, soon()).await.expect_err("it would be dialled elsewhere");
    assert!(failure.phase == Phase::Plan && matches!(failure.cause, Cause::Unplannable(_)), "{failure}");
}

#[tokio::test]
async fn what_cannot_be_planned_is_not_dialled() {
    let server = Scripted::listen("127.0.0.1:0", |words| Some(node(words, "id", ""))).await;
    let config = Config::new().plaintext().seed("127.0.0.1", server.address.port());
    let config = config.map_node_addresses(|_, _| panic!("no map")).node_address_map_for_seeds(true);
    let (probe, seed) =
        (probe(&config).await, Subject::Seed(Endpoint::new("127.0.0.1", server.address.port())));
    let reached = probe.reach(&seed, soon()).await;
    assert!(reached.session.is_none() && reached.plan.is_none());
    let [failure] = reached.failures.as_slice() else { panic!("{:?}", reached.failures) };
    assert!(matches!(failure.cause, Cause::Panicked(_)) && failure.dialled.is_none(), "{failure}");
    assert_eq!(probe.plan(&seed).expect_err("no plan").cause, failure.cause);
    assert!(server.times("HELLO").is_empty());
}

/// A seed was dialled for itself, for the topology, and as the node that it is.
#[tokio::test]
async fn examining_a_healthy_cluster_takes_one_connection_an_address() {
    for tls in [false, true] {
        let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(1).tls(tls).fault_proxies(true);
        let lab = lab.start().await.expect("the lab starts");
        let all = config(&lab);
        let (one, before) = (first_seed(&lab), accepted(&lab));
        let report = examine(&all).await.expect("a report");
        assert!(report.is_healthy(), "{report:?}");
        assert_eq!((report.seeds.len(), report.nodes.len()), (6, 6));
        let one_each: Vec<u64> = before.iter().map(|before| before + 1).collect();
        assert_eq!(accepted(&lab), one_each);
        for node in &report.nodes {
            let facts = node.facts.as_ref().expect("reached");
            assert_eq!(facts.dialled.as_ref().map(ToString::to_string), Some(node.node.endpoint.to_string()));
            assert_eq!(facts.greeting.node_id.as_deref(), node.node.id.as_ref().map(|id| id.as_str()));
        }
        // With one seed as well.
        let mut single = Config::new().seed(one.host(), one.port());
        single = match lab.ca_pem() {
            Some(pem) => single.tls(Tls::new().ca_pem(pem).expect("the lab's CA")),
            None => single.plaintext(),
        };
        if let Some(password) = lab.password() {
            single = single.password(password);
        }
        assert!(examine(&single).await.expect("a report").is_healthy());
        assert_eq!(accepted(&lab), one_each.iter().map(|before| before + 1).collect::<Vec<_>>());
    }
}

/// While another seed keeps silent, an idle connection may be closed by the server or by what is in between.
#[tokio::test]
async fn a_connection_that_was_closed_while_it_lay_idle_is_no_fault_of_the_node() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let silent = Scripted::listen("127.0.0.1:0", |_| Some(String::new())).await;
    let config = config(&lab).seed("127.0.0.1", silent.address.port());
    let (before, asked_before) = (accepted(&lab), times_asked(&lab).await);
    let examining = tokio::spawn(async move { examine(&config).await });
    let asked = || async { times_asked(&lab).await.iter().zip(&asked_before).all(|(now, then)| now > then) };
    eventually("every seed but one has been asked", 10 * SECOND, asked).await;
    let traffic = || lab.proxies().iter().map(|proxy| proxy.traffic()).collect::<Vec<_>>();
    let seen = Mutex::new(Vec::new());
    let is_quiet = || async { traffic() == std::mem::replace(&mut *seen.lock(), traffic()) };
    eventually("every answer has been delivered", 10 * SECOND, is_quiet).await;
    lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
    let is_closed = || async { traffic().iter().all(|now| now.open == 0) };
    eventually("the connections are closed", 10 * SECOND, is_closed).await;
    drop(silent);
    let report = examining.await.expect("no panic").expect("a report");
    assert!(report.nodes.len() == 3 && report.nodes.iter().all(|node| node.is_healthy()), "{report:?}");
    assert_eq!(report.seeds.iter().filter(|seed| !seed.is_healthy()).count(), 1, "{report:?}");
    assert_eq!(accepted(&lab), before.iter().map(|before| before + 2).collect::<Vec<_>>());
}

/// The view that came first counts, and a single server only if nobody has one.
#[tokio::test]
async fn a_seed_without_a_cluster_does_not_hide_one() {
    let lab = lab(LabProfile::Plain).await;
    let alone = Scripted::listen("127.0.0.1:0", |words| {
        Some(node(words, "id", "-ERR This instance has cluster support disabled\r\n"))
    })
    .await;
    let config = |config: Config| config.seed("127.0.0.1", alone.address.port());
    let single = examine(&config(Config::new().plaintext())).await.expect("a report");
    assert!(single.is_single_node && single.is_healthy() && single.source.is_none(), "{single:?}");
    let report = examine(&config(crate::support::config(&lab))).await.expect("a report");
    assert!(!report.is_single_node && report.nodes.len() == 3, "{report:?}");
    assert!(report.source.is_some_and(|source| source.port() != alone.address.port()));
}
