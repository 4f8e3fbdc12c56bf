//! The network's faults, by a proxy in front of every node: black holes, resets, cuts at every byte, slow and
//! chopped streams, and bytes that no server sent.

use std::time::Duration;

use crate::measure::pace::Pace;
use crate::measure::process::{idle_cpu, open_sockets};
use crate::measure::{alone, in_company, split_keys};
use crate::support::history::History;
use crate::support::{config, connect, eventually, key_of, proxied_lab, proxied_server, spread_keys};
use tokio::time::{Instant, sleep};
use truename::{Client, Config, Error, cmd};
use truename_lab::{Cut, CutPoint, Direction, Ending, Fault, FaultProxy, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
/// A deadline that is observed may be missed by this much.
const TICK: Duration = Duration::from_millis(250);

/// Connections with the first exchange of a client (`HELLO`, `CLIENT SETINFO` twice, `CLUSTER MYID`, `CLIENT INFO`)
/// have had this many replies.
const GREETING: u64 = 5;

/// Quick to notice, so that tests are short.
fn hasty(lab: &Lab) -> Config {
    config(lab).command_timeout(2 * SECOND).stall_timeout(SECOND).node_connect_timeout(SECOND)
}

async fn accepted(lab: &Lab) -> u64 {
    lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum()
}

async fn works(client: &Client, key: &str) -> bool {
    client.execute::<()>(cmd("SET").arg(key).arg("works").timeout(SECOND / 2)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_black_hole_is_noticed_and_costs_its_own_shard_only() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let (hurt, healthy) = split_keys("hole", 12, 0);
    let sockets = open_sockets();
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    let history = History::start(&client, hurt);
    sleep(SECOND).await;
    let baseline = pace.lap();
    lab.proxy(0).set(Fault::Blackhole);
    let cause = || async { client.nodes().iter().any(|node| !node.is_connected) };
    let started = Instant::now();
    eventually("the black hole is noticed", 2 * SECOND, cause).await;
    let noticed = started.elapsed();
    sleep(2 * SECOND).await;
    let lap = pace.lap();
    lab.proxy(0).pass();
    let started = Instant::now();
    history.healthy_for(100, 5 * SECOND).await;
    let recovered = started.elapsed();
    let outcome = history.finish().await;
    drop(pace);
    eprintln!(
        "F4 noticed {noticed:?}, recovered {recovered:?}, {baseline:?} then {lap:?}; {}",
        outcome.summary()
    );
    outcome.assert_sound();
    assert!(outcome.failed > 0 && outcome.slowest <= 2 * SECOND + TICK, "{outcome:?}");
    lap.assert_untouched(&baseline);
    assert!(recovered <= 3 * SECOND, "{recovered:?}");
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_black_holed_primary_is_left_when_its_replica_takes_over() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Azure).node_timeout(SECOND).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let (hurt, _) = split_keys("left", 12, 0);
    let history = History::start(&client, hurt);
    history.healthy_for(100, 5 * SECOND).await;
    lab.proxy(0).set(Fault::Blackhole);
    lab.failover(3).await.expect("the cluster itself is well");
    let started = Instant::now();
    history.healthy_for(100, 6 * SECOND).await;
    let recovered = started.elapsed();
    let outcome = history.finish().await;
    eprintln!("F4 with failover: recovered {recovered:?}; {}", outcome.summary());
    outcome.assert_sound();
    assert!(recovered <= 3 * SECOND, "{recovered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_storms_of_resets_lose_only_what_was_under_way() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let sockets = open_sockets();
    let history = History::start(&client, spread_keys("storm", 24));
    history.healthy_for(500, 5 * SECOND).await;
    let before = accepted(&lab).await;
    const STORMS: u64 = 8;
    for _ in 0..STORMS {
        lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Reset));
        history.healthy_for(200, 5 * SECOND).await;
    }
    let connects = accepted(&lab).await - before;
    let outcome = history.finish().await;
    eprintln!("F5: {connects} connections for {STORMS} storms; {}", outcome.summary());
    outcome.assert_sound();
    // GET and SET are sent again; an INCR whose reply was lost is reported.
    assert_eq!(outcome.failed, outcome.unknown, "{outcome:?}");
    assert!(outcome.failed <= STORMS * 24, "{outcome:?}");
    // Three lanes, and at most two refreshes that ask three nodes each.
    assert!(connects <= STORMS * 9, "{connects} connections");
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets }).await;
}

#[tokio::test]
async fn f5_an_idle_connection_that_was_closed_costs_no_call() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let ends: [fn(&FaultProxy); 4] = [
        |proxy| proxy.end_open(Ending::Close),
        |proxy| proxy.end_open(Ending::Reset),
        |proxy| proxy.half_close_open(Direction::Requests),
        |proxy| proxy.half_close_open(Direction::Replies),
    ];
    for end in ends {
        lab.proxies().iter().for_each(end);
        // The client cannot know better until the end arrives.
        sleep(TICK).await;
        for shard in 0..3 {
            client.execute::<i64>(cmd("INCR").arg(key_of(shard))).await.expect("sent on a new connection");
        }
    }
}

#[tokio::test]
async fn f17_a_greeting_that_fails_at_any_reply_is_never_used() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let config = hasty(&lab).node_connect_timeout(SECOND * 7 / 10);
    let client = Client::connect(&config).await.expect("connected");
    let proxy = lab.proxy(0);
    let mut sequence = 0;
    for ending in [Ending::Close, Ending::Reset, Ending::Silence] {
        for replies in 0..GREETING {
            let before = proxy.traffic().accepted;
            proxy.cut_every(Some(Cut::new(CutPoint::AfterReplies(replies), ending)));
            proxy.end_open(Ending::Close);
            let tried = || async { proxy.traffic().accepted >= before + 2 };
            eventually("a greeting fails", 3 * SECOND, tried).await;
            proxy.cut_every(None);
            sequence += 1;
            let started = Instant::now();
            client.execute::<()>(cmd("SET").arg("step").arg(sequence)).await.expect("a new connection");
            assert_eq!(client.execute::<i64>(cmd("GET").arg("step")).await.expect("a value"), sequence);
            assert!(started.elapsed() <= 2 * SECOND, "{ending:?} after {replies}: {:?}", started.elapsed());
        }
    }
    eventually("only the lane is left", 5 * SECOND, || async { proxy.traffic().open == 1 }).await;
}

/// The commands of one session. Each is sent alone; the replies tell what was executed.
async fn session(client: &Client) -> [Result<i64, Error>; 3] {
    let (a, b) = (cmd("INCR").arg("a"), cmd("INCRBY").arg("b").arg(7));
    let c = cmd("APPEND").arg("c").arg("0123456789");
    tokio::join!(client.execute(a), client.execute(b), client.execute(c)).into()
}

#[tokio::test]
async fn f18_a_cut_after_any_byte_is_classified_exactly() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let proxy = lab.proxy(0);
    // What the session amounts to on the wire.
    let before = proxy.traffic();
    for reply in session(&client).await {
        reply.expect("no fault yet");
    }
    let requests = proxy.traffic().from_clients - before.from_clients;
    let replies = proxy.traffic().from_server - before.from_server;
    let cuts = (0..=requests).map(CutPoint::Request).chain((0..=replies).map(CutPoint::Reply));
    drop(client);
    let (mut sound, mut interrupted) = (0, 0);
    for point in cuts.chain((0..3).map(CutPoint::AfterReplies)) {
        for ending in [Ending::Close, Ending::Reset] {
            for key in ["a", "b", "c"] {
                lab.command(0, &["DEL", key]).await.expect("DEL");
            }
            // A client of its own, whose pauses between attempts have not grown yet.
            let client = Client::connect(&hasty(&lab)).await.expect("connected");
            eventually("one connection", 3 * SECOND, || async { proxy.traffic().open == 1 }).await;
            proxy.cut_open(Cut::new(point, ending));
            let outcomes = session(&client).await;
            for (outcome, (key, once)) in outcomes.into_iter().zip([("a", 1), ("b", 7), ("c", 10)]) {
                let executed = effect(&lab, key).await;
                match outcome {
                    Ok(reply) => {
                        assert_eq!((reply, executed), (once, once), "{key} cut at {point:?}");
                        sound += 1;
                    }
                    Err(error) => {
                        assert!(error.may_have_executed(), "{point:?}: {error}");
                        assert!(matches!(error, Error::Interrupted(_)), "{point:?}: {error:?}");
                        assert!(executed == 0 || executed == once, "{key} cut at {point:?}: {executed}");
                        interrupted += 1;
                    }
                }
            }
        }
    }
    eprintln!(
        "F18: {requests} bytes of requests, {replies} of replies: {sound} sound, {interrupted} interrupted"
    );
    assert!(sound > 0 && interrupted > 0);
}

/// How far a key has come; waits until a connection that was cut has no more say in it.
async fn effect(lab: &Lab, key: &str) -> i64 {
    eventually("the cut is over", 3 * SECOND, || async { lab.proxy(0).traffic().open <= 1 }).await;
    let command: &[&str] = if key == "c" { &["STRLEN", key] } else { &["GET", key] };
    let reply = lab.command(0, command).await.expect("a reply");
    reply.as_integer().or_else(|| reply.as_str().and_then(|text| text.parse().ok())).unwrap_or(0)
}

#[tokio::test]
async fn f18_what_never_left_is_sent_again_and_executed_once() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let proxy = lab.proxy(0);
    // More than all socket buffers on the way hold, so that what follows is still with the client.
    let large = vec![b'x'; 32 << 20];
    proxy.set(Fault::Stall(Direction::Requests));
    let set = cmd("SET").arg("large").arg(&large[..]).repeatable(false);
    let increments = (0..50).map(|n| client.execute::<i64>(cmd("INCR").arg(format!("n{n}"))));
    let rounds = async {
        sleep(TICK).await;
        proxy.end_open(Ending::Reset);
        proxy.pass();
    };
    let set = client.execute::<()>(set);
    let (set, increments, ()) = tokio::join!(set, futures_util::future::join_all(increments), rounds);
    set.expect("its last byte never left either");
    for (n, reply) in increments.into_iter().enumerate() {
        assert_eq!(reply.expect("never sent"), 1);
        let count = lab.command(0, &["GET", &format!("n{n}")]).await.expect("a reply");
        assert_eq!(count.as_str(), Some("1"));
    }
}

#[tokio::test]
async fn b4_replies_lost_after_execution_are_reported_and_never_repeated() {
    let _company = in_company().await;
    for (ending, timeout) in [(Ending::Close, 2 * SECOND), (Ending::Silence, SECOND)] {
        let lab = proxied_lab(LabProfile::Plain).await;
        let hasty = hasty(&lab).stall_timeout(SECOND / 4).command_timeout(timeout);
        let client = Client::connect(&hasty).await.expect("connected");
        let cut = Cut::new(CutPoint::AfterReplies(GREETING + 4), ending);
        lab.proxies().iter().for_each(|proxy| {
            proxy.cut_every(Some(cut));
            proxy.end_open(Ending::Close);
        });
        let (mut ok, mut unknown, mut unsent) = (0, 0, 0);
        for _ in 0..60 {
            match client.execute::<i64>(cmd("INCR").arg("lost")).await {
                Ok(_) => ok += 1,
                Err(error) if error.may_have_executed() => unknown += 1,
                // It waited after one that is silent until its own time was up.
                Err(_) => unsent += 1,
            }
        }
        let shard = crate::support::shard_of("lost");
        let executed = lab.command(shard, &["GET", "lost"]).await.expect("a reply");
        let executed: i64 = executed.as_str().and_then(|text| text.parse().ok()).expect("a number");
        eprintln!("B4 {ending:?}: ok {ok}, reported {unknown}, unsent {unsent}, executed {executed}");
        assert!((ok..=ok + unknown).contains(&executed), "{executed} executions of {ok} successes");
        assert!(unknown >= 10, "every fifth reply was lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_large_values_both_ways_neither_lock_up_nor_delay_other_lanes() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).max_queued_bytes(1 << 20)).await.expect("connected");
    let (large, (_, healthy)) = (key_of(0), split_keys("small", 12, 0));
    let value = vec![b'v'; 4 << 20];
    client.execute::<()>(cmd("SET").arg(&large).arg(&value[..])).await.expect("stored");
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    sleep(SECOND / 2).await;
    let baseline = pace.lap();
    lab.proxy(0).set(Fault::Throttle { bytes_per_second: 64 << 20 });
    let started = Instant::now();
    let calls = (0..16).map(|n| {
        let (client, large, value) = (client.clone(), large.clone(), value.clone());
        tokio::spawn(async move {
            if n % 2 == 0 {
                client.execute::<()>(cmd("SET").arg(&large).arg(&value[..])).await.expect("stored");
            } else {
                let read: Vec<u8> = client.execute(cmd("GET").arg(&large)).await.expect("read");
                assert!(read == value, "{} bytes of another value", read.len());
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic");
    }
    let lap = pace.lap();
    eprintln!("F19: 16 times 4 MiB in {:?}; {baseline:?} then {lap:?}", started.elapsed());
    lap.assert_untouched(&baseline);
}

#[tokio::test]
async fn streams_in_crumbs_and_with_delays_are_the_same_streams() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let delay = Fault::Delay { by: Duration::from_millis(5), jitter: Duration::from_millis(10) };
    for (name, fault) in [("crumbs", Fault::Split { most: 3 }), ("delays", delay)] {
        lab.proxies().iter().for_each(|proxy| proxy.set(fault));
        let history = History::start(&client, spread_keys(name, 12));
        history.healthy_for(500, 10 * SECOND).await;
        let outcome = history.finish().await;
        outcome.assert_sound();
        assert_eq!(outcome.failed, 0, "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_slow_node_is_slow_alone() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let (slow, healthy) = split_keys("slow", 12, 1);
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    let slow = Pace::start(&client, &slow, Duration::from_millis(5));
    sleep(SECOND).await;
    let baseline = pace.lap();
    slow.lap();
    lab.proxy(1).set(Fault::Delay { by: SECOND / 5, jitter: Duration::ZERO });
    sleep(2 * SECOND).await;
    let lap = pace.lap();
    lap.assert_untouched(&baseline);
    assert!(slow.lap().p50 >= SECOND / 5);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_the_connection() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let proxy = lab.proxy(0);
    for (round, bytes) in
        ["+OK\r\n", ":1\r\n", "\r\n", "\0\0\0", "*-7\r\n", "$-2\r\n", "HTTP/1.1 400\r\n\r\n"]
            .into_iter()
            .enumerate()
    {
        let before = proxy.traffic().accepted;
        proxy.inject(bytes);
        eventually("a new connection", 3 * SECOND, || async { proxy.traffic().accepted > before }).await;
        let counted = client.execute::<usize>(cmd("INCR").arg("clean")).await.expect("a clean connection");
        assert_eq!(counted, round + 1, "after {bytes:?}");
    }
}

#[tokio::test]
async fn garbage_instead_of_a_reply_is_a_protocol_error() {
    let _company = in_company().await;
    let lab = proxied_server().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let proxy = lab.proxy(0);
    proxy.set(Fault::Stall(Direction::Requests));
    let increment = client.execute::<i64>(cmd("INCR").arg("garbage"));
    let garbage = async {
        sleep(TICK).await;
        proxy.inject("?what\r\n");
    };
    let (outcome, ()) = tokio::join!(increment, garbage);
    let error = outcome.expect_err("that was not a reply");
    assert!(matches!(error, Error::Protocol(_)) && error.may_have_executed(), "{error:?}");
    proxy.pass();
    eventually("a clean connection", 3 * SECOND, || works(&client, "after")).await;
}

#[tokio::test]
async fn i30_no_fault_makes_an_idle_client_busy() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = Client::connect(&hasty(&lab).keepalive(SECOND / 2)).await.expect("connected");
    let sockets = open_sockets();
    for fault in [Fault::Pass, Fault::Blackhole, Fault::Refuse, Fault::Reset] {
        lab.proxies().iter().for_each(|proxy| {
            proxy.set(fault);
            if fault != Fault::Blackhole {
                proxy.end_open(Ending::Close);
            }
        });
        // Notices in the first second, and by then tries again and again.
        sleep(SECOND).await;
        let cpu = idle_cpu().await;
        eprintln!("I30 {fault:?}: {cpu} %");
        assert!(cpu <= 10, "{fault:?}: {cpu} % of a processor while idle");
        lab.proxies().iter().for_each(|proxy| proxy.pass());
        eventually("service resumes", 5 * SECOND, || works(&client, "idle")).await;
    }
    lab.node(0).stop();
    sleep(SECOND).await;
    let cpu = idle_cpu().await;
    lab.node(0).cont();
    assert!(cpu <= 10, "a frozen node: {cpu} % of a processor while idle");
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets + 1 }).await;
}
