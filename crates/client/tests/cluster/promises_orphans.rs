//! What was popped for a caller that is gone: handed over, or at least counted, and never taken twice.

use std::time::Duration;

use crate::support::info::info;
use crate::support::{config, eventually, key_of, one_node, proxied_lab, proxied_server, tell};
use futures_util::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use truename::{Client, Config, Error, Event, FromReply, Notice, Orphan, Protocol, cmd};
use truename_lab::{Direction, Fault, Lab, LabProfile};

const SOON: Duration = Duration::from_secs(5);

type Popped = Result<Option<(String, String)>, Error>;

fn taking_orphans(config: Config) -> (Config, UnboundedReceiver<Orphan>) {
    let (sender, orphans) = unbounded_channel();
    let config = config.on_orphan(move |orphan| {
        let _ = sender.send(orphan);
    });
    (config, orphans)
}

async fn next(orphans: &mut UnboundedReceiver<Orphan>) -> Orphan {
    tokio::time::timeout(SOON, orphans.recv()).await.expect("in time").expect("the client lives")
}

/// The item of `BLPOP`'s reply.
fn item(orphan: &Orphan) -> String {
    let reply = orphan.reply.as_ref().unwrap_or_else(|error| panic!("{error}"));
    reply.as_array().and_then(|pair| pair[1].as_str()).expect("a pair").to_owned()
}

async fn eventually_blocked(lab: &Lab, count: u64) {
    let reached = || async { info(lab, 0, "clients", "blocked_clients").await == count };
    eventually(&format!("{count} clients are blocked"), SOON, reached).await;
}

/// `BLPOP` in a task of its own.
fn pop(client: &Client, patience: Duration) -> JoinHandle<Popped> {
    let client = client.clone();
    tokio::spawn(async move { client.execute(cmd("BLPOP").arg("queue").arg(0).timeout(patience)).await })
}

/// Until the events tell of an orphan: whether it is certain.
async fn told(events: &mut truename::Events) -> (String, bool) {
    let telling = async {
        loop {
            if let Some(Notice::Event(Event::Orphaned { command, is_certain, .. })) = events.next().await {
                return (command, is_certain);
            }
        }
    };
    tokio::time::timeout(SOON, telling).await.expect("an event")
}

/// The server pops while the reply cannot come, so that the caller is gone before it does: what it had popped was lost.
#[tokio::test]
async fn what_was_popped_for_a_caller_that_is_gone_is_handed_over() {
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        for has_deadline in [false, true] {
            let lab = proxied_server().await;
            let patient = config(&lab).protocol(protocol).stall_timeout(SOON).command_timeout(SOON);
            let (config, mut orphans) = taking_orphans(patient);
            let client = Client::connect(&config).await.expect("connected");
            let mut events = client.events();
            let patience = if has_deadline { Duration::from_millis(700) } else { 6 * SOON };
            let popping = pop(&client, patience);
            eventually_blocked(&lab, 1).await;
            lab.proxy(0).set(Fault::Stall(Direction::Replies));
            tell(&lab, 0, &["RPUSH", "queue", "item"]).await;
            assert_eq!(tell(&lab, 0, &["LLEN", "queue"]).await.as_integer(), Some(0), "it was popped");
            if has_deadline {
                let error = popping.await.expect("no panic").expect_err("its time is over");
                assert!(matches!(error, Error::Timeout(_)) && error.may_have_executed(), "{error}");
            } else {
                popping.abort();
                assert!(popping.await.is_err_and(|error| error.is_cancelled()));
            }
            assert!(orphans.recv().now_or_never().is_none(), "the reply is still under way");
            lab.proxy(0).pass();
            let orphan = next(&mut orphans).await;
            assert_eq!((item(&orphan).as_str(), orphan.command.as_str()), ("item", "BLPOP"));
            assert_eq!(orphan.keys, ["queue"]);
            assert!(!format!("{orphan:?}").contains("item"));
            assert_eq!(told(&mut events).await, ("BLPOP".to_owned(), true));
            // The connection serves the next caller.
            tell(&lab, 0, &["RPUSH", "queue", "next"]).await;
            let popped = pop(&client, SOON).await.expect("no panic").expect("popped");
            assert_eq!(popped, Some(("queue".to_owned(), "next".to_owned())));
            assert!(orphans.recv().now_or_never().is_none(), "one orphan, and one only");
        }
    }
}

/// The reply has the element alone: whoever took the orphan had to look for it in every list.
#[tokio::test]
async fn what_was_moved_comes_with_the_keys_of_both_lists() {
    let lab = proxied_server().await;
    let (config, mut orphans) = taking_orphans(config(&lab).stall_timeout(SOON));
    let client = Client::connect(&config).await.expect("connected");
    let moving = {
        let client = client.clone();
        let command = cmd("BLMOVE").args(["queue", "mine", "LEFT", "RIGHT", "0"]);
        tokio::spawn(async move { client.execute::<Option<String>>(command).await })
    };
    eventually_blocked(&lab, 1).await;
    lab.proxy(0).set(Fault::Stall(Direction::Replies));
    tell(&lab, 0, &["RPUSH", "queue", "item"]).await;
    assert_eq!(tell(&lab, 0, &["LLEN", "mine"]).await.as_integer(), Some(1), "it was moved");
    moving.abort();
    assert!(moving.await.is_err_and(|error| error.is_cancelled()));
    lab.proxy(0).pass();
    let orphan = next(&mut orphans).await;
    assert_eq!((orphan.command.as_str(), orphan.keys), ("BLMOVE", vec!["queue".into(), "mine".into()]));
    let item = String::from_reply(orphan.reply.expect("it was read")).expect("text");
    assert_eq!(item, "item");
}

/// Each dropped call cost a connection.
#[tokio::test]
async fn a_dropped_wait_is_ended_and_its_connection_used_again() {
    let lab = one_node(LabProfile::Plain).await;
    let (config, mut orphans) = taking_orphans(config(&lab));
    let client = Client::connect(&config).await.expect("connected");
    client.run(cmd("SET").arg("a").arg(1)).await.expect("OK");
    let ids = async || {
        let list = tell(&lab, 0, &["CLIENT", "LIST"]).await;
        let list = list.as_str().expect("text").lines().filter(|line| line.contains("cmd=blpop"));
        list.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    for _ in 0..10 {
        let popping = pop(&client, 6 * SOON);
        eventually_blocked(&lab, 1).await;
        seen.extend(ids().await);
        popping.abort();
        eventually_blocked(&lab, 0).await;
        // It is given back when its reply was read.
        client.run(cmd("PING")).await.expect("PONG");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() < 10, "a connection for each of ten calls: {seen:?}");
    assert!(orphans.recv().now_or_never().is_none(), "nothing was popped");
    // What is read may be read again: nobody is told.
    let read = cmd("XREAD").arg("BLOCK").arg(0).arg("STREAMS").arg("stream").arg("$");
    let reading = client.execute::<truename::Reply>(read);
    assert!(tokio::time::timeout(Duration::from_millis(50), reading).await.is_err());
    eventually_blocked(&lab, 0).await;
    assert!(orphans.recv().now_or_never().is_none());
}

/// Callers that were gone before their connection was up closed it: none ever came up.
#[tokio::test]
async fn callers_that_leave_early_get_a_connection_in_the_end() {
    let lab = proxied_lab(LabProfile::Azure).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let queue = key_of(0);
    client.run(cmd("DEL").arg(&queue)).await.expect("a number");
    // Too little time for the two round trips of a greeting over TLS, enough for the one of a command.
    lab.proxy(0).set(Fault::Delay { by: Duration::from_millis(10), jitter: Duration::ZERO });
    let popped = || async {
        tell(&lab, 0, &["RPUSH", &queue, "item"]).await;
        let pop = client.execute::<Option<(String, String)>>(cmd("BLPOP").arg(&queue).arg(0));
        let popped = tokio::time::timeout(Duration::from_millis(30), pop).await;
        popped.is_ok_and(|popped| popped.expect("popped").is_some())
    };
    eventually("somebody pops", SOON, popped).await;
}

/// Where `CLIENT UNBLOCK` is refused, somebody who takes orphans gets what comes in the end; without one, nothing is taken.
#[tokio::test]
async fn where_unblock_is_refused_the_reply_is_read_when_it_comes_or_the_connection_closed() {
    for takes in [true, false] {
        let lab = one_node(LabProfile::Plain).await;
        tell(&lab, 0, &["ACL", "SETUSER", "default", "-client|unblock"]).await;
        let (taking, mut orphans) = taking_orphans(config(&lab));
        let config = if takes { taking } else { config(&lab) };
        let client = Client::connect(&config).await.expect("connected");
        let mut events = client.events();
        let popping = pop(&client, 6 * SOON);
        eventually_blocked(&lab, 1).await;
        popping.abort();
        if takes {
            assert!(popping.await.is_err());
            client.run(cmd("RPUSH").arg("queue").arg("item")).await.expect("pushed");
            assert_eq!(item(&next(&mut orphans).await), "item");
            assert_eq!(told(&mut events).await, ("BLPOP".to_owned(), true));
        } else {
            eventually_blocked(&lab, 0).await;
            client.run(cmd("RPUSH").arg("queue").arg("item")).await.expect("pushed");
            assert_eq!(client.execute::<String>(cmd("LPOP").arg("queue")).await.expect("there"), "item");
            assert_eq!(told(&mut events).await, ("BLPOP".to_owned(), false));
        }
    }
}

#[tokio::test]
async fn an_orphan_whose_connection_is_lost_is_reported_as_unknown() {
    let lab = proxied_server().await;
    let (config, mut orphans) = taking_orphans(config(&lab));
    let client = Client::connect(&config).await.expect("connected");
    let popping = pop(&client, 6 * SOON);
    eventually_blocked(&lab, 1).await;
    lab.proxy(0).set(Fault::Stall(Direction::Replies));
    tell(&lab, 0, &["RPUSH", "queue", "item"]).await;
    popping.abort();
    assert!(popping.await.is_err());
    lab.proxy(0).set(Fault::Reset);
    let orphan = next(&mut orphans).await;
    assert_eq!(orphan.keys, ["queue"]);
    let error = orphan.reply.expect_err("lost");
    assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
    lab.proxy(0).pass();
    client.run(cmd("PING")).await.expect("it goes on");
}

/// The function is the user's, and may panic.
#[tokio::test]
async fn a_panic_of_who_takes_orphans_costs_nothing_else() {
    let lab = one_node(LabProfile::Plain).await;
    tell(&lab, 0, &["ACL", "SETUSER", "default", "-client|unblock"]).await;
    let config = config(&lab).on_orphan(|_| panic!("the user's own trouble"));
    let client = Client::connect(&config).await.expect("connected");
    let mut events = client.events();
    for _ in 0..2 {
        let popping = pop(&client, 6 * SOON);
        eventually_blocked(&lab, 1).await;
        popping.abort();
        assert!(popping.await.is_err());
        client.run(cmd("RPUSH").arg("queue").arg("item")).await.expect("pushed");
        assert_eq!(told(&mut events).await, ("BLPOP".to_owned(), true));
    }
}

/// A connection that somebody holds: likewise, and it stays theirs.
#[tokio::test]
async fn a_wait_on_a_dedicated_connection_leaves_no_element_behind_either() {
    let lab = proxied_server().await;
    let (config, mut orphans) = taking_orphans(config(&lab).stall_timeout(SOON));
    let client = Client::connect(&config).await.expect("connected");
    let connection = client.dedicated("queue").await.expect("a connection");
    {
        let popping = connection.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg(0));
        let mut popping = std::pin::pin!(popping);
        assert!(popping.as_mut().now_or_never().is_none());
        eventually_blocked(&lab, 1).await;
        lab.proxy(0).set(Fault::Stall(Direction::Replies));
        tell(&lab, 0, &["RPUSH", "queue", "item"]).await;
    }
    lab.proxy(0).pass();
    assert_eq!(item(&next(&mut orphans).await), "item");
    assert_eq!(connection.execute::<String>(cmd("PING")).await.expect("its own reply"), "PONG");
}

/// What one command of a batch had popped was lost with the others.
#[tokio::test]
async fn what_a_batch_popped_is_handed_over_when_another_command_takes_it_along() {
    let lab = one_node(LabProfile::Plain).await;
    let (config, mut orphans) = taking_orphans(config(&lab));
    let client = Client::connect(&config).await.expect("connected");
    let pop = |queue: &'static str, time: u32| cmd("BLPOP").arg(queue).arg(time);
    for is_ordered in [false, true] {
        // Dropped while another one waits, of the same slot if there is an order.
        tell(&lab, 0, &["RPUSH", "{a}queue", "item"]).await;
        let batch = client.batch().with(pop("{a}queue", 0)).with(pop("{a}empty", 0));
        let batch = if is_ordered { batch.ordered() } else { batch };
        let popping = tokio::spawn(batch.execute::<truename::Reply>());
        eventually("it is popped", SOON, || async {
            tell(&lab, 0, &["LLEN", "{a}queue"]).await.as_integer() == Some(0)
        })
        .await;
        eventually_blocked(&lab, 1).await;
        popping.abort();
        let orphan = next(&mut orphans).await;
        assert_eq!((item(&orphan).as_str(), orphan.command.as_str()), ("item", "BLPOP"));
        assert_eq!(orphan.keys, ["{a}queue"]);
        eventually_blocked(&lab, 0).await;
    }
    // Another one has an error.
    tell(&lab, 0, &["RPUSH", "{a}queue", "item"]).await;
    let batch = client.batch().with(pop("{a}queue", 0)).with(cmd("GET").arg("{a}").arg("wrong"));
    batch.all::<(truename::Reply, truename::Reply)>().await.expect_err("a wrong number of arguments");
    assert_eq!(item(&next(&mut orphans).await), "item");
    assert!(orphans.recv().now_or_never().is_none());
}

/// The server went on waiting, and popped for nobody.
#[tokio::test]
async fn a_dedicated_connection_whose_wait_cannot_be_ended_is_closed() {
    let lab = one_node(LabProfile::Plain).await;
    tell(&lab, 0, &["ACL", "SETUSER", "default", "-client|unblock"]).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let connection = client.dedicated("queue").await.expect("a connection");
    {
        let popping = connection.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg(0));
        let mut popping = std::pin::pin!(popping);
        assert!(popping.as_mut().now_or_never().is_none());
        eventually_blocked(&lab, 1).await;
    }
    eventually_blocked(&lab, 0).await;
    tell(&lab, 0, &["RPUSH", "queue", "item"]).await;
    assert_eq!(client.execute::<String>(cmd("LPOP").arg("queue")).await.expect("there"), "item");
    let error = connection.run(cmd("PING")).await.expect_err("it is closed");
    assert!(error.to_string().contains("could not be ended") && !error.may_have_executed(), "{error}");
    assert!(!connection.is_connected());
}

#[tokio::test]
async fn shutdown_waits_for_what_is_under_way_and_takes_no_more() {
    let lab = one_node(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    client.run(cmd("SET").arg("a").arg(1)).await.expect("OK");
    // Calls of every kind: in flight, waiting on the server, held, in a batch.
    let popping = {
        let client = client.clone();
        tokio::spawn(async move { client.execute(cmd("BLPOP").arg("queue").arg("0.6")).await })
    };
    // Redis 8.0.2 never ends a wait that begins while writes are paused.
    let waits = || async { info(&lab, 0, "clients", "blocked_clients").await == 1 };
    eventually("BLPOP waits", SOON, waits).await;
    tell(&lab, 0, &["CLIENT", "PAUSE", "400", "WRITE"]).await;
    let writing = {
        let client = client.clone();
        tokio::spawn(async move { client.execute::<i64>(cmd("INCR").arg("a")).await })
    };
    let batching = {
        let batch = client.batch().with(cmd("INCR").arg("a")).with(cmd("INCR").arg("a"));
        tokio::spawn(batch.execute::<i64>())
    };
    let connection = client.dedicated("a").await.expect("a connection");
    tokio::task::yield_now().await;
    let ending = {
        let client = client.clone();
        tokio::spawn(async move { client.shutdown(SOON).await })
    };
    let refused = || async { matches!(client.run(cmd("PING")).await, Err(Error::Closed)) };
    eventually("new calls are refused", SOON, refused).await;
    assert!(matches!(client.dedicated("a").await, Err(Error::Closed)));
    let late = client.transaction(["a"], async |_| Ok(())).await;
    assert!(matches!(late, Err(Error::Closed)));
    let late = client.batch().with(cmd("PING")).execute::<String>().await;
    assert!(matches!(late[..], [Err(Error::Closed)]));
    let late = client.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg("0.1")).await;
    assert!(matches!(late, Err(Error::Closed)));
    assert!(!ending.is_finished(), "calls are under way");
    assert_eq!(connection.execute::<String>(cmd("PING")).await.expect("it is held"), "PONG");
    let counts = (writing.await.expect("no panic").expect("a number"), batching.await.expect("no panic"));
    assert!(counts.0 > 1 && counts.1.iter().all(Result::is_ok), "{counts:?}");
    let popped: Popped = popping.await.expect("no panic");
    assert_eq!(popped.expect("nothing"), None);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!ending.is_finished(), "a connection is held");
    drop(connection);
    assert!(ending.await.expect("no panic"), "all had ended");
    let connections = || async { info(&lab, 0, "clients", "connected_clients").await == 1 };
    eventually("only the lab's connection is left", SOON, connections).await;
}

#[tokio::test]
async fn shutdown_ends_at_its_limit_and_what_is_under_way_is_completed() {
    let lab = one_node(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    client.run(cmd("SET").arg("a").arg(1)).await.expect("OK");
    tell(&lab, 0, &["CLIENT", "PAUSE", "600", "WRITE"]).await;
    let writing = {
        let client = client.clone();
        tokio::spawn(async move { client.execute::<i64>(cmd("INCR").arg("a")).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    assert!(!client.shutdown(Duration::from_millis(200)).await, "it was still under way");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(writing.await.expect("no panic").expect("completed"), 2);
    // Nothing is left to wait for.
    assert!(client.shutdown(SOON).await);
}
