//! The client without `async`: the same outcomes, on every thread that may block, and what happens between its calls.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::hosted::with_a_worker;
use crate::support::info::executions;
use crate::support::{config, eventually, key_of, lab, one_node, spread_keys, tell};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, spawn_blocking};
use truename::blocking::Client;
use truename::error::RouteError;
use truename::{Error, FromReply, Protocol, Reply, Script, cmd};
use truename_lab::{Lab, LabProfile};

const NAME: &str = "synchronous";

/// A client that servers know by its name.
fn open(lab: &Lab, protocol: Protocol) -> Client {
    let config = config(lab).client_name(NAME).protocol(protocol);
    Client::connect(&config).unwrap_or_else(|error| panic!("{error}"))
}

/// The ids of the connections of [`open`]'s clients, as a node knows them.
async fn connections(lab: &Lab, node: usize) -> HashSet<String> {
    let list = tell(lab, node, &["CLIENT", "LIST"]).await;
    let list = list.as_str().expect("text");
    let own = list.lines().filter(|line| line.split(' ').any(|field| field == format!("name={NAME}")));
    own.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_call_has_the_outcome_of_the_asynchronous_client() {
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Azure));
    for protocol in [Protocol::Resp2, Protocol::Auto] {
        let client = open(&lab, protocol);
        let keys = spread_keys("key", 12);
        client.on_primaries::<()>(cmd("FLUSHALL")).expect("it may block");

        for key in &keys {
            client.run(cmd("SET").arg(key).arg(key)).expect("OK");
            assert_eq!(client.execute::<String>(cmd("GET").arg(key)).expect("a value"), *key);
        }
        let nil = client.execute::<Option<String>>(cmd("GET").arg("nothing"));
        assert_eq!(nil.expect("nil"), None);
        let refused = client.execute::<i64>(cmd("INCR").arg(&keys[0])).expect_err("not a number");
        assert!(matches!(&refused, Error::Server(_)), "{refused}");
        let crossing = client.run(cmd("RENAME").arg(&keys[0]).arg(&keys[5])).expect_err("two slots");
        let Error::Route(reason) = &crossing else { panic!("{crossing}") };
        assert!(matches!(**reason, RouteError::CrossSlot { .. }), "{crossing}");

        let mut batch = client.batch();
        batch.extend(keys.iter().map(|key| cmd("GET").arg(key)));
        batch.add(cmd("INCR").arg(&keys[0]));
        assert_eq!(batch.len(), keys.len() + 1);
        let mut outcomes = batch.execute::<String>();
        assert!(matches!(outcomes.pop(), Some(Err(Error::Server(_)))));
        let values: Vec<String> = outcomes.into_iter().collect::<Result<_, _>>().expect("values");
        assert_eq!(values, keys);
        let ordered = client.batch().ordered().timeout(Duration::from_secs(20));
        let ordered = ordered.with(cmd("SET").arg("n").arg(1)).with(cmd("INCR").arg("n"));
        assert_eq!(ordered.all::<(String, i64)>().expect("both"), ("OK".to_owned(), 2));
        let atomic = client.batch().atomic().with(cmd("INCR").arg("n")).with(cmd("INCR").arg("n"));
        assert_eq!(atomic.all::<Vec<i64>>().expect("both"), [3, 4]);

        let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        assert_eq!(client.execute_script::<i64>(script.key("n").arg(6)).expect("a sum"), 10);
        client.run_script(script.key("n").arg(1)).expect("it ran");

        assert_eq!(client.execute::<i64>(cmd("DBSIZE")).expect("a sum"), 13);
        assert_eq!(client.on_all_nodes::<()>(cmd("PING")).expect("it may block").len(), 3);
        assert_eq!(client.client().topology().nodes().len(), 3);
        let both = async {
            let get = |key: &str| client.client().execute::<String>(cmd("GET").arg(key).into_owned());
            tokio::join!(get(&keys[0]), get(&keys[11]))
        };
        let (first, last) = client.block_on(both).expect("it may block");
        assert_eq!((first.expect("a value"), last.expect("a value")), (keys[0].clone(), keys[11].clone()));
    }
}

/// What a call says here.
fn increment(client: &Client) -> Result<i64, Error> {
    client.execute(cmd("INCR").arg("calls"))
}

fn assert_refused(error: &Error) {
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(error.to_string().contains("spawn_blocking"), "{error}");
    assert!(!error.may_have_executed());
}

#[test]
fn it_works_where_threads_may_block_and_is_an_error_where_they_poll_tasks() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let single: fn() -> Runtime = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = config(&lab);
    let client = Client::connect(&config).unwrap_or_else(|error| panic!("{error}"));
    let mut calls = 0;
    let mut counts = |outcome: Result<i64, Error>| {
        calls += 1;
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error}")), calls);
    };
    for runtime in [single(), with_a_worker()] {
        counts(thread::scope(|scope| scope.spawn(|| increment(&client)).join()).expect("no panic"));
        {
            let _current = runtime.enter();
            counts(increment(&client));
        }
        let (own, other) = (client.clone(), config.clone());
        runtime.block_on(async {
            counts(spawn_blocking(move || increment(&own)).await.expect("no panic"));
            let connecting = spawn_blocking(move || increment(&Client::connect(&other)?));
            counts(connecting.await.expect("no panic"));

            assert_refused(&increment(&client).expect_err("the future of block_on"));
            let own = client.clone();
            let task = tokio::spawn(async move { increment(&own) });
            assert_refused(&task.await.expect("no panic").expect_err("a task"));
            assert_refused(&Client::connect(&config).expect_err("connecting"));
            let batch = client.batch().with(cmd("INCR").arg("calls")).with(cmd("INCR").arg("calls"));
            let outcomes = batch.execute::<i64>();
            assert_eq!(outcomes.len(), 2);
            outcomes.into_iter().for_each(|outcome| assert_refused(&outcome.expect_err("a batch")));
            assert_refused(&client.on_primaries::<()>(cmd("PING")).expect_err("all of it"));
        });
    }
    with_a_worker().block_on(async {
        counts(block_in_place(|| increment(&client)));
        let own = client.clone();
        counts(tokio::spawn(async move { block_in_place(|| increment(&own)) }).await.expect("no panic"));
        let own = client.clone();
        let mixed = tokio::spawn(async move {
            let inside = block_in_place(|| increment(&own));
            (inside, increment(&own))
        });
        let (inside, outside) = mixed.await.expect("no panic");
        counts(inside);
        assert_refused(&outside.expect_err("block_in_place is over"));
    });
    assert_eq!(client.execute::<i64>(cmd("GET").arg("calls")).expect("a number"), calls, "what was refused");
}

/// Nobody waits for a reply when the server closes: the housekeeper notices, and connects anew before anybody calls.
#[test]
fn a_connection_that_is_closed_between_calls_is_replaced_without_a_call() {
    let servers = with_a_worker();
    for profile in [LabProfile::Plain, LabProfile::Azure] {
        let lab = servers.block_on(one_node(profile));
        let client = open(&lab, Protocol::Auto);
        client.run(cmd("SET").arg("key").arg(0)).expect("OK");
        let before = servers.block_on(connections(&lab, 0));
        assert!(!before.is_empty(), "the server knows it by its name");
        let replaced = |old: HashSet<String>| {
            let anew = || async { connections(&lab, 0).await.difference(&old).next().is_some() };
            servers.block_on(eventually("there is another connection", Duration::from_secs(10), anew));
        };

        servers.block_on(tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]));
        replaced(before);
        client.run(cmd("SET").arg("key").arg(1)).expect("OK");

        let before = servers.block_on(connections(&lab, 0));
        servers.block_on(tell(&lab, 0, &["CONFIG", "SET", "timeout", "1"]));
        replaced(before);
        client.run(cmd("SET").arg("key").arg(2)).expect("OK");
        servers.block_on(tell(&lab, 0, &["CONFIG", "SET", "timeout", "0"]));
        assert_eq!(client.execute::<i64>(cmd("GET").arg("key")).expect("a value"), 2);
    }
}

/// The next call comes before the housekeeper does: it looks at the sockets before it sends a write that could be lost.
#[test]
fn a_connection_that_was_closed_a_moment_ago_costs_no_write() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let client = open(&lab, Protocol::Auto);
    for n in 1..=12_i64 {
        // Longer than calls in a row are apart, and shorter or longer than the housekeeper waits.
        #[expect(
            clippy::disallowed_methods,
            reason = "calls at any distance from the end of the quiet time"
        )]
        thread::sleep(Duration::from_micros(800 * n.unsigned_abs()));
        servers.block_on(tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]));
        assert_eq!(increment(&client).unwrap_or_else(|error| panic!("call {n}: {error}")), n);
    }
    assert_eq!(servers.block_on(executions(&lab, 0, "incr")), 12);
}

#[test]
fn threads_share_one_client_and_its_connections() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 300;
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Azure));
    let client = open(&lab, Protocol::Auto);
    let sums: Vec<u64> = thread::scope(|scope| {
        let client = &client;
        let work = move |thread: u64| {
            (0..CALLS)
                .map(|n| {
                    let own = format!("{thread}:{n}");
                    client.run(cmd("SET").arg(&own).arg(&own)).expect("OK");
                    assert_eq!(client.execute::<String>(cmd("GET").arg(&own)).expect("a value"), own);
                    client.execute::<u64>(cmd("INCR").arg("all")).expect("a number")
                })
                .sum::<u64>()
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let all = THREADS * CALLS;
    assert_eq!(sums.iter().sum::<u64>(), all * (all + 1) / 2, "every number was told once");
    for node in 0..3 {
        // One for commands, and one for views of the topology while it is asked for.
        assert!((1..=2).contains(&servers.block_on(connections(&lab, node)).len()));
    }
}

#[test]
fn a_call_that_waits_on_the_server_keeps_nobody() {
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let client = open(&lab, Protocol::Auto);
    let (sender, popped) = mpsc::channel();
    let waiting = client.clone();
    let list = key_of(1);
    let waits = list.clone();
    let thread = thread::spawn(move || {
        let pop = || waiting.execute::<(String, String)>(cmd("BLPOP").arg(&waits).arg(0));
        (0..3).for_each(|_| sender.send(pop()).expect("a receiver"));
    });
    for n in 0..3 {
        let is_blocked = || async {
            let told = tell(&lab, 1, &["INFO", "clients"]).await;
            told.as_str().is_some_and(|text| text.contains("blocked_clients:1"))
        };
        servers.block_on(eventually("it waits", Duration::from_secs(10), is_blocked));
        for shard in 0..3 {
            client.run(cmd("SET").arg(format!("{{{}}}:other", key_of(shard))).arg(n)).expect("OK");
        }
        client.run(cmd("RPUSH").arg(&list).arg(n)).expect("it is pushed");
        let pair = popped.recv_timeout(Duration::from_secs(10)).expect("in time").expect("an element");
        assert_eq!(pair, (list.clone(), n.to_string()));
    }
    thread.join().expect("no panic");
}

#[test]
fn dropped_anywhere_it_closes_its_connections() {
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Azure));
    let client = open(&lab, Protocol::Auto);
    client.batch().with(cmd("GET").arg(key_of(0))).with(cmd("GET").arg(key_of(1))).execute::<Reply>();
    let clone = client.clone();
    let asynchronous = client.client().clone();
    drop(client);
    clone.run(cmd("SET").arg("key").arg(1)).expect("a clone goes on");
    servers.block_on(async {
        // Where nothing may block.
        drop(clone);
        let late = asynchronous.run(cmd("SET").arg("key").arg(2)).await;
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        for node in 0..3 {
            let gone = || async { connections(&lab, node).await.is_empty() };
            eventually("the connections are closed", Duration::from_secs(10), gone).await;
        }
    });
}

#[test]
fn a_conversion_that_panics_or_calls_ends_its_own_call() {
    #[derive(Debug)]
    struct Panics;
    impl FromReply for Panics {
        fn from_reply(_: Reply) -> Result<Self, truename::error::TypeError> {
            panic!("a test's own panic")
        }
    }
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let client = open(&lab, Protocol::Auto);
    for _ in 0..3 {
        let call = || client.execute::<Panics>(cmd("PING"));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err("the panic is the caller's");
    }
    let nested = client.block_on(async { increment(&client) }).expect("this thread may block");
    assert_refused(&nested.expect_err("this call is polling"));
    assert_eq!(increment(&client).expect("a number"), 1);
}
