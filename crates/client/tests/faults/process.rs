//! Trouble with processes: servers killed, frozen and restarted one by one or all at once, and a client that was
//! itself frozen.

use std::time::Duration;

use crate::measure::pace::Pace;
use crate::measure::process::{Role, idle_cpu, open_sockets};
use crate::measure::{alone, in_company, split_keys};
use crate::support::history::History;
use crate::support::info::executions;
use crate::support::{config, eventually, key_of, proxied_lab, proxied_server, spread_keys};
use tokio::time::{Instant, sleep};
use truename::{Client, Config, Error, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

async fn replicated() -> Lab {
    // Otherwise the servers of all shards refuse service (CLUSTERDOWN) until the failed one has a primary again.
    let lab = Lab::builder(LabProfile::Azure).server_arg("cluster-require-full-coverage", "no");
    let lab = lab.node_timeout(SECOND).fault_proxies(true);
    lab.start().await.expect("the lab starts")
}

fn hasty(lab: &Lab) -> Config {
    config(lab).command_timeout(5 * SECOND).stall_timeout(SECOND).node_connect_timeout(SECOND)
}

/// Hurts node 0 under load. Its replica takes over; the other shards do not notice.
async fn one_primary(name: &str, hurt: impl Fn(&Lab), heal: impl AsyncFn(&Lab)) {
    let lab = replicated().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let sockets = open_sockets();
    let (keys, healthy) = split_keys(name, 24, 0);
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    let history = History::start(&client, keys);
    let elsewhere = History::start(&client, healthy);
    history.healthy_for(100, 5 * SECOND).await;
    pace.lap();
    sleep(SECOND).await;
    let baseline = pace.lap();

    let started = Instant::now();
    hurt(&lab);
    let promoted = || async {
        let role = lab.command(3, &["ROLE"]).await.ok();
        role.as_ref().and_then(|role| role.as_array()?.first()?.as_str()) == Some("master")
    };
    eventually("the replica takes over", 15 * SECOND, promoted).await;
    let promoted = started.elapsed();
    // The last of the others learns of it a moment later.
    lab.wait_ready().await.expect("the cluster is well again");
    let ready = started.elapsed();
    history.healthy_for(200, 10 * SECOND).await;
    let recovered = started.elapsed();
    let lap = pace.lap();
    heal(&lab).await;
    history.healthy_for(200, 10 * SECOND).await;
    elsewhere.healthy_for(200, 10 * SECOND).await;

    let (outcome, elsewhere) = (history.finish().await, elsewhere.finish().await);
    drop(pace);
    eprintln!(
        "{name}: promoted {promoted:?}, ready {ready:?}, recovered {recovered:?}; {}\n  elsewhere {baseline:?} then \
         {lap:?}; {}",
        outcome.summary(),
        elsewhere.summary()
    );
    outcome.assert_sound_but_for_losses();
    assert!(outcome.slowest <= 5 * SECOND + TICK, "{:?}", outcome.slowest);
    assert!(recovered <= ready + 3 * SECOND, "recovered {recovered:?}, ready {ready:?}");
    elsewhere.assert_sound();
    assert_eq!(elsewhere.failed, 0, "{:?}", elsewhere.failures);
    lap.assert_untouched(&baseline);
    // A replica that nobody asked is not connected to; the promoted one is.
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets + 2 }).await;
    assert!(idle_cpu().await <= 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_killed_primary_costs_its_own_shard_only() {
    let _alone = alone().await;
    one_primary("F1", |lab| lab.node(0).kill(), async |_: &Lab| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_a_frozen_primary_is_left_and_does_no_harm_when_it_wakes() {
    let _alone = alone().await;
    let wakes = async |lab: &Lab| {
        lab.node(0).cont();
        lab.wait_ready().await.expect("the old primary follows the new one");
    };
    one_primary("F2", |lab| lab.node(0).stop(), wakes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_short_hangs_make_calls_late_and_nothing_else() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let (keys, healthy) = split_keys("hang", 12, 0);
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    let history = History::start(&client, keys);
    history.healthy_for(100, 5 * SECOND).await;
    pace.lap();
    sleep(SECOND).await;
    let baseline = pace.lap();
    let accepted = || lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum::<u64>();
    let before = accepted();
    for _ in 0..8 {
        lab.node(0).stop();
        sleep(Duration::from_millis(300)).await;
        lab.node(0).cont();
        history.healthy_for(50, 5 * SECOND).await;
    }
    let lap = pace.lap();
    let outcome = history.finish().await;
    eprintln!("F3: {}; {baseline:?} then {lap:?}", outcome.summary());
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
    assert!(outcome.slowest <= SECOND, "{:?}", outcome.slowest);
    assert_eq!(accepted(), before, "nothing reconnects for a hang that is shorter than the stall time");
    lap.assert_untouched(&baseline);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_rolling_restart_loses_nothing() {
    let _company = in_company().await;
    let lab = replicated().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let history = History::start(&client, spread_keys("rolling", 24));
    history.healthy_for(300, 5 * SECOND).await;
    for shard in 0..3 {
        let (primary, replica) = (shard, shard + 3);
        lab.node(replica).restart().await.expect("the replica is back");
        lab.wait_ready().await.expect("it has the data again");
        lab.failover(replica).await.expect("handed over");
        lab.node(primary).restart().await.expect("the old primary is back");
        lab.wait_ready().await.expect("it follows the new one");
    }
    history.healthy_for(300, 5 * SECOND).await;
    let outcome = history.finish().await;
    eprintln!("F7: {}", outcome.summary());
    outcome.assert_sound();
    // What was under way on the connections of a restarted primary; it served nobody any more.
    assert!(outcome.failed <= 24 && outcome.failed == outcome.unknown, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f13_an_outage_of_everything_is_endured_and_ends_with_the_servers_return() {
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Azure).await;
    let timeout = SECOND;
    let client = Client::connect(&hasty(&lab).command_timeout(timeout)).await.expect("connected");
    client.execute::<()>(cmd("SET").arg(key_of(0)).arg("old")).await.expect("OK");
    let sockets = open_sockets();
    lab.nodes().iter().for_each(truename_lab::LabNode::kill);
    let accepted = || lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum::<u64>();
    sleep(SECOND).await;
    let before = accepted();

    // Many callers for three seconds: none is kept beyond its deadline, and none makes the client dial more.
    let outage = Instant::now();
    let callers = (0..100).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let (mut calls, mut slowest) = (0, Duration::ZERO);
            while outage.elapsed() < 3 * SECOND {
                let started = Instant::now();
                let key = key_of(n % 3);
                client.execute::<i64>(cmd("INCR").arg(key)).await.expect_err("nobody is there");
                slowest = slowest.max(started.elapsed());
                calls += 1;
            }
            (calls, slowest)
        })
    });
    let (mut calls, mut slowest) = (0, Duration::ZERO);
    for caller in callers.collect::<Vec<_>>() {
        let (made, slow) = caller.await.expect("no panic");
        (calls, slowest) = (calls + made, slowest.max(slow));
    }
    let dials = accepted() - before;
    let cpu = idle_cpu().await;
    for node in lab.nodes() {
        node.restart().await.expect("back");
    }
    lab.wait_ready().await.expect("the cluster is back");
    let back = Instant::now();
    for shard in 0..3 {
        let works = || async { client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("new")).await.is_ok() };
        eventually("service resumes", 5 * SECOND, works).await;
    }
    let recovered = back.elapsed();
    eprintln!(
        "F13: {calls} calls, slowest {slowest:?}, {dials} dials in {:?}, {cpu} % idle, recovered {recovered:?}",
        outage.elapsed()
    );
    assert!(slowest <= timeout + TICK, "{slowest:?}");
    assert!(cpu <= 10, "{cpu} % of a processor while idle");
    // In three seconds each of three lanes tries about six times, with two addresses and a look at each whether it
    // speaks plaintext; and a refresh asks the seed about once a second.
    assert!(dials <= 150, "{dials} connections");
    assert!(recovered <= 3 * SECOND, "{recovered:?}");
    eventually("no socket is left", 5 * SECOND, || async { open_sockets() <= sockets }).await;
}

/// Where the client that is to be frozen finds its cluster, and its command time-out in milliseconds.
const SEED: &str = "TRUENAME_TEST_SEED";
const TIMEOUT: &str = "TRUENAME_TEST_TIMEOUT";
const FREEZE: Duration = Duration::from_secs(3);
const WRITERS: usize = 12;

#[tokio::test]
async fn f30_a_client_that_was_frozen_finds_the_replies_that_came_meanwhile() {
    let connects = freeze(10 * SECOND).await;
    // Longer than a server may be silent, and yet none was: only a refresh or two may have been due.
    assert!(connects <= 8, "{connects} connections after the freeze");
}

#[tokio::test]
async fn f30_a_client_that_was_frozen_beyond_its_deadlines_loses_what_was_under_way_alone() {
    freeze(SECOND).await;
}

/// Freezes a client at work, lets it go on, and returns how many connections it made.
async fn freeze(timeout: Duration) -> u64 {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).password(None).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    let (host, port) = lab.seed();
    let variables = [(SEED, format!("redis://{host}:{port}")), (TIMEOUT, timeout.as_millis().to_string())];
    let frozen = Role::start("process::frozen_client", "", &variables);
    let sent = || lab.proxies().iter().map(|proxy| proxy.traffic().to_server).sum::<u64>();
    eventually("the client is at work", 10 * SECOND, || async { sent() > 50_000 }).await;
    let accepted = || lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum::<u64>();
    let before = accepted();
    frozen.signal("STOP");
    sleep(FREEZE).await;
    frozen.signal("CONT");
    let at_resume = sent();
    eventually("the client goes on", 5 * SECOND, || async { sent() > at_resume + 50_000 }).await;
    let connects = accepted() - before;
    frozen.signal("USR1");
    frozen.passed(10 * SECOND).await;
    eprintln!("F30: {connects} new connections after the freeze");
    connects
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of f30"]
async fn frozen_client() {
    let variable = |name| std::env::var(name).expect("started by f30");
    let timeout = Duration::from_millis(variable(TIMEOUT).parse().expect("a number"));
    let config =
        Config::from_url(&variable(SEED)).expect("a URL").stall_timeout(SECOND).command_timeout(timeout);
    let client = Client::connect(&config).await.expect("connected");
    let history = History::start(&client, spread_keys("frozen", WRITERS));
    let mut done =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).expect("signals");
    done.recv().await;
    let outcome = history.finish().await;
    eprintln!("F30 with {timeout:?}: {}", outcome.summary());
    outcome.assert_sound();
    // Commands that had not left yet are past their deadlines.
    let most = if timeout > FREEZE { 0 } else { WRITERS as u64 };
    assert!(outcome.failed <= most, "{outcome:?}");
}

#[tokio::test]
async fn b5_what_was_given_up_is_never_sent_twice_nor_executed_late() {
    let _company = in_company().await;
    for may_kill in [true, false] {
        let lab = proxied_server().await;
        let right = if may_kill { "+client|kill" } else { "-client|kill" };
        lab.command(0, &["ACL", "SETUSER", "default", right]).await.expect("OK");
        let client = Client::connect(&hasty(&lab).stall_timeout(SECOND / 4)).await.expect("connected");
        let proxy = lab.proxy(0);
        let set = |value: i64| client.execute::<()>(cmd("SET").arg("order").arg(value));
        set(0).await.expect("OK");
        // Nothing answers on other connections either.
        let freeze = || (proxy.hold_open(2 * SECOND), lab.node(0).stop());
        freeze();
        // SET is repeatable, but its first copy is still on its way and could overtake the second, and the next write.
        let error = set(1).await.expect_err("no reply came");
        assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error:?}");
        lab.node(0).cont();
        set(2).await.expect("OK, on a new connection");
        freeze();
        // A read that arrives late changes nothing; but the oldest command may be what the server is busy with.
        let get = || client.execute::<i64>(cmd("GET").arg("order"));
        let oldest = async { (get().await, lab.node(0).cont()).0 };
        let (oldest, behind) = tokio::join!(oldest, get());
        assert!(oldest.is_err() && behind.expect("sent again") == 2);
        eventually("the old connections are over", 5 * SECOND, || async { proxy.traffic().open == 1 }).await;
        let executed = (executions(&lab, 0, "set").await, executions(&lab, 0, "get").await);
        // What was held back is executed late only where the old connection may not be dropped.
        assert_eq!(executed, if may_kill { (2, 1) } else { (3, 3) }, "{right}: SET and GET");
    }
}
