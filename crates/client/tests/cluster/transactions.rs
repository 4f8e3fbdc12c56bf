//! Transactions: all or nothing, again after a race, and a clear answer whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::info::{executions, info};
use crate::support::scripted::{Scripted, node, slots};
use crate::support::{config, connect, eventually, key_of, lab, one_node};
use tokio::time::Instant;
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Client, Config, Error, Protocol, cmd};
use truename_lab::LabProfile;

/// Adds one, the hard way.
async fn count(client: &Client, key: &str) -> Result<u64, Error> {
    let counted = client.transaction([key], |tx| async move {
        let count: Option<u64> = tx.execute(cmd("GET").arg(key)).await?;
        let count = count.unwrap_or(0) + 1;
        tx.queue(cmd("SET").arg(key).arg(count));
        Ok(count)
    });
    Ok(counted.await?.value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_transactions_lose_no_update() {
    const TASKS: u64 = 8;
    const EACH: u64 = 25;
    let lab = lab(LabProfile::Azure).await;
    for protocol in [Protocol::Auto, Protocol::Resp2, Protocol::Resp3] {
        let patient = config(&lab).protocol(protocol).command_timeout(Duration::from_secs(30));
        let client = Client::connect(&patient).await.expect("connected");
        let key = key_of(0);
        client.run(cmd("DEL").arg(&key)).await.expect("a number");
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (client, key) = (client.clone(), key.clone());
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        count(&client, &key).await.unwrap_or_else(|error| panic!("{error}"));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no error");
        }
        let counted: u64 = client.execute(cmd("GET").arg(&key)).await.expect("a value");
        assert_eq!(counted, TASKS * EACH);
    }
}

#[tokio::test]
async fn it_is_all_or_nothing_and_has_typed_replies() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let done = client
        .transaction(["{a}list", "{a}n"], |tx| async move {
            let length: u64 = tx.execute(cmd("LLEN").arg("{a}list")).await?;
            tx.queue(cmd("RPUSH").arg("{a}list").arg("x")).queue(cmd("SET").arg("{a}n").arg(length + 1));
            tx.queue(cmd("LRANGE").arg("{a}list").arg(0).arg(-1));
            Ok("done")
        })
        .await
        .expect("executed");
    assert_eq!((done.value, done.replies.len()), ("done", 3));
    assert!(!format!("{done:?}").contains('x'));
    let replies: (i64, String, Vec<String>) = done.all().expect("their types");
    assert_eq!(replies, (1, "OK".to_owned(), vec!["x".to_owned()]));
    // Nothing queued: nothing executed. An error of the closure's: likewise, and it is the caller's.
    let before = executions(&lab, 0, "exec").await;
    let none =
        client.transaction(["{a}n"], |tx| async move { tx.execute::<u64>(cmd("GET").arg("{a}n")).await });
    assert_eq!(none.await.expect("a value").value, 1);
    let failed = client.transaction(["{a}n"], |tx| async move {
        tx.queue(cmd("SET").arg("{a}n").arg("never"));
        tx.execute::<u64>(cmd("GET").arg("{a}list")).await
    });
    let error = failed.await.expect_err("of another type");
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    assert_eq!(executions(&lab, 0, "exec").await, before);
    assert_eq!(client.execute::<u64>(cmd("GET").arg("{a}n")).await.expect("a value"), 1);
    // One connection served all of them, and watches nothing any more.
    let list = lab.command(0, &["CLIENT", "LIST"]).await.expect("a list");
    assert!(!list.as_str().expect("text").contains(" watch=1"), "{list:?}");
    let connections = executions(&lab, 0, "watch").await;
    assert_eq!(connections, 3, "WATCH was sent once by each");
}

#[tokio::test]
async fn one_command_that_fails_is_an_error_and_the_others_are_executed() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    client.run(cmd("SET").arg("{a}text").arg("text")).await.expect("OK");
    let error = client
        .transaction(["{a}text"], |tx| async move {
            tx.queue(cmd("SET").arg("{a}1").arg(1)).queue(cmd("INCR").arg("{a}text"));
            tx.queue(cmd("SET").arg("{a}2").arg(2));
            Ok(())
        })
        .await
        .expect_err("not a number");
    assert!(matches!(error, Error::Server(_)) && error.may_have_executed(), "{error}");
    let both: (u64, u64) = client.execute(cmd("MGET").arg("{a}1").arg("{a}2")).await.expect("values");
    assert_eq!(both, (1, 2));
    // A command that is refused while it is queued: nothing was executed.
    let error = client
        .transaction(["{a}1"], |tx| async move {
            tx.queue(cmd("SET").arg("{a}1").arg("never")).queue(cmd("SET").arg("{a}2"));
            Ok(())
        })
        .await
        .expect_err("an argument lacks");
    assert!(matches!(error, Error::Server(_)) && !error.may_have_executed(), "{error}");
    assert!(error.to_string().contains("wrong number of arguments"), "{error}");
    assert_eq!(client.execute::<u64>(cmd("GET").arg("{a}1")).await.expect("a value"), 1);
}

#[tokio::test]
async fn what_cannot_be_part_of_it_is_refused_before_anything_is_sent() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let [here, elsewhere] = [key_of(0), key_of(1)];
    let cross_slot = || RouteError::CrossSlot {
        command: "the transaction".to_owned(),
        keys: [&here, &elsewhere]
            .map(|key| (key.clone().into(), Slot::of_key(key.as_bytes())))
            .to_vec()
            .into(),
    };
    let refused = |error: Error| match error {
        Error::Route(error) => *error,
        other => panic!("{other}"),
    };
    let watched = async || executions(&lab, 0, "watch").await + executions(&lab, 1, "watch").await;
    let error = client.transaction([&here, &elsewhere], async |_| Ok(())).await.expect_err("two slots");
    assert_eq!(refused(error), cross_slot());
    let none: [&str; 0] = [];
    let error = client.transaction(none, async |_| Ok(())).await.expect_err("no key");
    assert_eq!(refused(error), RouteError::NoKey);
    assert_eq!(watched().await, 0);

    let queued = |command: truename::Command<'static>| {
        client.transaction([here.clone()], move |tx| {
            tx.queue(command.clone());
            async { Ok(()) }
        })
    };
    let error = queued(cmd("SET").arg(elsewhere.clone()).arg(1)).await.expect_err("another slot");
    assert_eq!(refused(error), cross_slot());
    for stateful in ["MULTI", "EXEC", "DISCARD", "RESET", "MONITOR", "WAIT"] {
        let error = queued(cmd(stateful).arg(0).arg(0)).await.expect_err("not in a transaction");
        assert!(matches!(refused(error), RouteError::ConnectionState { .. }), "{stateful}");
    }
    let key = here.as_str();
    let error = client
        .transaction([key], |tx| async move { tx.execute::<String>(cmd("SET").arg(key).arg(1)).await })
        .await
        .expect_err("it writes");
    assert!(!error.may_have_executed());
    assert_eq!(refused(error), RouteError::NotQueued { command: "SET".to_owned() });
    // A transaction that is kept is of no use.
    let kept = client.transaction([key], async |tx| Ok(tx)).await.expect("nothing queued").value;
    let error = kept.execute::<Option<String>>(cmd("GET").arg(key)).await.expect_err("it has ended");
    assert_eq!(refused(error), RouteError::TransactionEnded);
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg(key)).await.expect("nil"), None);
}

#[tokio::test]
async fn a_closure_that_never_ends_or_panics_costs_nobody_else_anything() {
    let lab = one_node(LabProfile::Plain).await;
    let few = config(&lab).max_exclusive_connections(1).command_timeout(Duration::from_secs(1));
    let client = Client::connect(&few).await.expect("connected");
    let started = Instant::now();
    let endless = client.transaction_within(Duration::from_millis(300), ["key"], |tx| async move {
        tx.queue(cmd("SET").arg("key").arg("never"));
        std::future::pending::<Result<(), Error>>().await
    });
    let error = endless.await.expect_err("its time is over");
    assert!(matches!(error, Error::Timeout(_)) && !error.may_have_executed(), "{error}");
    assert!(error.to_string().contains("closure"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
    // There is one connection: the next transaction needs the place of the one before.
    let panicking = client.clone();
    let panicked = tokio::spawn(async move {
        let doomed = panicking.transaction(["key"], |tx| async move {
            tx.queue(cmd("SET").arg("key").arg("never"));
            let value: Option<u64> = tx.execute(cmd("GET").arg("key")).await?;
            assert!(value.is_some(), "the closure's own trouble");
            Ok(())
        });
        doomed.await
    });
    assert!(panicked.await.is_err_and(|error| error.is_panic()), "it is the caller's");
    assert_eq!(count(&client, "key").await.expect("executed"), 1);
    // A future that is dropped meanwhile: likewise.
    let dropped = client.transaction(["key"], |_| std::future::pending::<Result<(), Error>>());
    assert!(tokio::time::timeout(Duration::from_millis(100), dropped).await.is_err());
    assert_eq!(count(&client, "key").await.expect("executed"), 2);
    let list = lab.command(0, &["CLIENT", "LIST"]).await.expect("a list");
    assert!(!list.as_str().expect("text").contains(" watch=1"), "{list:?}");
}

/// The closure sees the key of the slot that moves; the `WATCH` at the old owner is worth nothing.
#[tokio::test]
async fn it_starts_over_at_the_new_owner_of_its_slot() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    assert_eq!(count(&client, &key).await.expect("executed"), 1);
    let calls = AtomicU32::new(0);
    let (slot, name, lab, calls) = (Slot::of_key(key.as_bytes()).value(), key.as_str(), &lab, &calls);
    let counted = client.transaction([name], |tx| async move {
        let count: u64 = tx.execute(cmd("GET").arg(name)).await?;
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            lab.migrate_slots(&[slot], 0, 1).await.expect("moved");
        }
        tx.queue(cmd("SET").arg(name).arg(count + 1));
        Ok(count + 1)
    });
    assert_eq!(counted.await.expect("executed").value, 2);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(executions(lab, 1, "exec").await, 1);
    assert_eq!(client.execute::<u64>(cmd("GET").arg(name)).await.expect("a value"), 2);
}

#[tokio::test]
async fn races_without_an_end_end_with_the_deadline() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let calls = AtomicU32::new(0);
    let (calls, others, limit) = (&calls, &client, Duration::from_millis(500));
    let started = Instant::now();
    let raced = client.transaction_within(limit, ["key"], |tx| async move {
        others.run(cmd("INCR").arg("key")).await?;
        calls.fetch_add(1, Ordering::Relaxed);
        tx.queue(cmd("SET").arg("key").arg("mine"));
        Ok(())
    });
    let error = raced.await.expect_err("somebody is always faster");
    assert!(matches!(error, Error::Timeout(_)) && !error.may_have_executed(), "{error}");
    assert!(error.is_retryable() && error.to_string().contains("changed by somebody else"), "{error}");
    assert!(started.elapsed() < limit * 3, "{:?}", started.elapsed());
    let calls = calls.load(Ordering::Relaxed);
    assert!((3..100).contains(&calls), "{calls} calls, with pauses");
    assert_eq!(client.execute::<u32>(cmd("GET").arg("key")).await.expect("a value"), calls);
}

/// A server that takes the transaction and closes the connection: was it executed?
#[tokio::test]
async fn a_connection_lost_over_exec_is_reported_and_the_transaction_never_sent_again() {
    for (is_refused, expected_execs) in [(false, 1), (true, 2)] {
        let execs = Arc::new(AtomicU64::new(0));
        let seen = execs.clone();
        let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
        let map = slots(&[(0, 16_383, peer.address, "one")]);
        peer.becomes(move |words| match words[0].as_str() {
            // The first one is refused while it is queued: then it is void, and is done again.
            "SET" if is_refused && seen.load(Ordering::SeqCst) == 0 => {
                Some("-CLUSTERDOWN The cluster is down\r\n".to_owned())
            }
            "SET" => Some("+QUEUED\r\n".to_owned()),
            "EXEC" => {
                seen.fetch_add(1, Ordering::SeqCst);
                None
            }
            _ => Some(node(words, "one", &map)),
        });
        let config = Config::new().seed("127.0.0.1", peer.address.port()).plaintext();
        let client = Client::connect(&config).await.expect("connected");
        let sent = client.transaction(["key"], |tx| async move {
            tx.queue(cmd("SET").arg("key").arg(1));
            Ok(())
        });
        let error = sent.await.expect_err("nobody knows");
        assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
        assert_eq!(execs.load(Ordering::SeqCst), expected_execs);
    }
}

/// Nothing but `EXEC` changes anything: what breaks a connection before it was told as if it might have.
#[tokio::test]
async fn a_connection_that_breaks_before_exec_costs_another_attempt_and_no_more() {
    for broken in ["WATCH", "GET"] {
        let (times, execs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, executed) = (times.clone(), execs.clone());
        let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
        let map = slots(&[(0, 16_383, peer.address, "one")]);
        peer.becomes(move |words| match words[0].as_str() {
            // Not RESP.
            word if word == broken && seen.fetch_add(1, Ordering::SeqCst) < 2 => Some(":x\r\n".to_owned()),
            "GET" => Some("$-1\r\n".to_owned()),
            "SET" => Some("+QUEUED\r\n".to_owned()),
            "EXEC" => {
                executed.fetch_add(1, Ordering::SeqCst);
                Some("*1\r\n+OK\r\n".to_owned())
            }
            "WATCH" | "MULTI" => Some("+OK\r\n".to_owned()),
            _ => Some(node(words, "one", &map)),
        });
        let config = Config::new().seed("127.0.0.1", peer.address.port()).plaintext();
        let client = Client::connect(&config).await.expect("connected");
        let sent = client.transaction(["key"], |tx| async move {
            let value: Option<String> = tx.execute(cmd("GET").arg("key")).await?;
            tx.queue(cmd("SET").arg("key").arg(1));
            Ok(value)
        });
        let done = sent.await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert_eq!((done.value, execs.load(Ordering::SeqCst)), (None, 1), "{broken}");
        assert_eq!(times.load(Ordering::SeqCst), 3, "{broken}");
    }
}

#[tokio::test]
async fn connections_of_transactions_are_used_again_and_closed_when_idle() {
    let lab = one_node(LabProfile::Plain).await;
    let client =
        Client::connect(&config(&lab).keepalive(Duration::from_millis(200))).await.expect("connected");
    client.run(cmd("PING")).await.expect("PONG");
    let connections = || async { info(&lab, 0, "clients", "connected_clients").await };
    let before = connections().await;
    let made = info(&lab, 0, "stats", "total_connections_received").await;
    for _ in 0..20 {
        count(&client, "key").await.expect("executed");
    }
    let made = info(&lab, 0, "stats", "total_connections_received").await - made;
    assert!(made <= 3, "{made} connections for 20 transactions, those of the lab among them");
    eventually("it is closed", Duration::from_secs(5), || async { connections().await == before }).await;
}
