//! Atomic batches: all of it or nothing, on a connection that others share, through redirects and failovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::info::{all_executions, executions};
use crate::support::{config, connect, key_of, lab, tell};
use truename::error::{Execution, RouteError};
use truename::topology::Slot;
use truename::{Client, Error, Protocol, ReadFrom, Reply, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_returns_every_value_in_its_place() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in [Protocol::Resp2, Protocol::Auto] {
        let client = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
        assert!(client.batch().atomic().execute::<Reply>().await.is_empty());
        for shard in 0..3 {
            let (key, list) = (key_of(shard), format!("{{{}}}list", key_of(shard)));
            client.execute::<i64>(cmd("DEL").arg(&key).arg(&list)).await.expect("deleted");
            let batch = client.batch().atomic().with(cmd("SET").arg(&key).arg(5)).with(cmd("INCR").arg(&key));
            let batch = batch.with(cmd("RPUSH").arg(&list).arg("a").arg("b")).with(cmd("PING"));
            // It does not wait in a transaction.
            let batch =
                batch.with(cmd("BLPOP").arg(format!("{{{key}}}none")).arg(0)).with(cmd("GET").arg(&key));
            let (set, six, length, pong, none, value): (String, i64, i64, String, Option<Reply>, i64) =
                batch.all().await.expect("all values");
            assert_eq!((set.as_str(), six, length, pong.as_str(), value), ("OK", 6, 2, "PONG", 6));
            assert!(none.is_none());
            // A command that fails while it is executed undoes nothing, and is the only one.
            let batch = client.batch().atomic().with(cmd("INCR").arg(&key)).with(cmd("INCR").arg(&list));
            let outcomes = batch.with(cmd("INCR").arg(&key)).execute::<i64>().await;
            let [Ok(7), Err(Error::Server(error)), Ok(8)] = &outcomes[..] else { panic!("{outcomes:?}") };
            assert_eq!((error.code(), error.execution), ("WRONGTYPE", Execution::Possible));
        }
    }
    // One question for each node and client, however many transactions there are: they executed 12.
    assert_eq!(all_executions(&lab, "multi").await, 12 + 6);
}

/// Each new connection of one user made it forget what was found out about the node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_ones_own_says_nothing_about_those_that_are_shared() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    let increment = async || {
        let (count,): (u64,) =
            client.batch().atomic().with(cmd("INCR").arg(&key)).all().await.expect("executed");
        count
    };
    assert_eq!((increment().await, executions(&lab, 0, "multi").await), (1, 2));
    let own = client.dedicated(&key).await.expect("a connection");
    assert_eq!((increment().await, executions(&lab, 0, "multi").await), (2, 3));
    drop(own);
    // One that all share does: it may lead to another server.
    tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
    assert_eq!(client.execute::<u64>(cmd("GET").arg(&key)).await.expect("on a new connection"), 2);
    assert_eq!((increment().await, executions(&lab, 0, "multi").await), (3, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_transaction_is_not_sent_and_what_is_not_queued_is_not_executed() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let set = |key: &'static str| cmd("SET").arg(key).arg(1);
    let node = client.nodes()[0].node.clone();
    let rows = [
        (client.batch().with(set("foo")).with(set("bar")), "\"foo\" of slot 12182, \"bar\" of slot 5061"),
        (
            client.batch().with(cmd("PING").route_by_key("foo")).with(set("bar")),
            "what is sent to slot 12182, \"bar\" of slot 5061",
        ),
        (client.batch().with(set("foo")).with(cmd("MULTI")), "MULTI changes the state"),
        (client.batch().with(set("foo")).with(cmd("WATCH").arg("foo")), "WATCH changes the state"),
        (client.batch().with(set("foo")).with(cmd("FLUSHALL")), "FLUSHALL concerns every node"),
        (client.batch().with(set("foo")).with(cmd("PING").route_to(&node)), "PING names a node"),
        (
            client.batch().with(set("foo")).with(cmd("MGET").args(["foo", "bar"])),
            "MGET has keys of several slots",
        ),
    ];
    for (batch, text) in rows {
        for outcome in batch.atomic().execute::<Reply>().await {
            let error = outcome.expect_err("refused");
            assert!(matches!(error, Error::Route(_)) && error.to_string().contains(text), "{error}");
            assert!(!error.may_have_executed());
        }
    }
    assert_eq!((all_executions(&lab, "multi").await, all_executions(&lab, "set").await), (0, 0));
    // Refused by the server, when it is queued.
    for wrong in [cmd("GET").args(["foo", "too", "many"]), cmd("NOSUCHCOMMAND").arg("foo")] {
        let batch = client.batch().atomic().with(set("foo")).with(wrong).with(set("foo"));
        for outcome in batch.execute::<Reply>().await {
            let error = outcome.expect_err("refused");
            assert!(
                matches!(&error, Error::Server(error) if error.is_refusal() && error.code() == "ERR"),
                "{error}"
            );
        }
    }
    assert_eq!(all_executions(&lab, "set").await, 0);
    // Without MULTI, they would be executed one by one.
    for node in 0..3 {
        tell(&lab, node, &["ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@all", "-multi"]).await;
    }
    let limited = config(&lab).credentials(truename::Credentials::user("plain", "pw"));
    let limited = Client::connect(&limited).await.expect("connected");
    for outcome in limited.batch().atomic().with(set("foo")).with(set("foo")).execute::<Reply>().await {
        let error = outcome.expect_err("refused");
        assert!(error.to_string().contains("NOPERM") && !error.may_have_executed(), "{error}");
    }
    assert_eq!(all_executions(&lab, "set").await, 0);
    // The connection is shared: nobody else's command may be queued because a transaction could not be ended.
    for node in 0..3 {
        tell(&lab, node, &["ACL", "SETUSER", "endless", "on", ">pw", "~*", "+@all", "-exec", "-discard"])
            .await;
    }
    let endless = config(&lab).credentials(truename::Credentials::user("endless", "pw"));
    let endless = Client::connect(&endless).await.expect("connected");
    for _ in 0..3 {
        let outcomes = endless.batch().atomic().with(set("foo")).with(set("foo")).execute::<Reply>().await;
        let error = outcomes.into_iter().next().expect("two").expect_err("refused");
        assert!(error.to_string().contains("NOPERM") && !error.may_have_executed(), "{error}");
        let value: Option<String> = endless.execute(cmd("GET").arg("foo")).await.expect("not queued");
        assert_eq!(value, None);
    }
    // Where EXEC has another name, nothing ends what MULTI began but the end of the connection.
    let renamed = crate::support::renamed_lab(LabProfile::Plain, "EXEC MYEXEC").await;
    let client = connect(&renamed).await;
    for _ in 0..3 {
        let error = client.batch().atomic().with(set("foo")).all::<()>().await.expect_err("refused");
        assert!(!error.may_have_executed(), "{error}");
        let value: Option<String> = client.execute(cmd("GET").arg("foo")).await.expect("not queued");
        assert_eq!(value, None);
    }
}

/// `ASK`, `TRYAGAIN` and `MOVED` are answers to a queued command, or to `EXEC`: the whole goes on elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_goes_along_with_its_slot() {
    let lab = lab(LabProfile::UnknownEndpoint).await;
    let client = connect(&lab).await;
    let slot = Slot::of_key(b"half").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    client.run(cmd("MSET").args(["{half}a", "0", "{half}b", "0"])).await.expect("set");
    let add = || {
        let batch = client.batch().atomic().with(cmd("INCR").arg("{half}a"));
        batch.with(cmd("INCR").arg("{half}b")).all::<(i64, i64)>()
    };
    assert_eq!(add().await.expect("both"), (1, 1));
    lab.begin_migration(slot, from, to).await.expect("begun");
    assert_eq!(add().await.expect("both"), (2, 2));
    lab.migrate_keys(slot, from, to, 1).await.expect("one of them");
    // One key here and one there: nobody can do it now, and it is done when the other key has come along.
    let (both, ()) = tokio::join!(add(), async {
        while executions(&lab, from, "multi").await < 4 {}
        lab.migrate_keys(slot, from, to, 10).await.expect("the other one");
    });
    assert_eq!(both.expect("both"), (3, 3));
    assert_eq!(add().await.expect("both"), (4, 4));
    assert!(executions(&lab, to, "asking").await > 0);
    lab.finish_migration(slot, from, to).await.expect("finished");
    assert_eq!(add().await.expect("both"), (5, 5));
    assert_eq!(add().await.expect("both"), (6, 6));
}

/// Two keys change together or not at all, whoever else uses the connection, and whatever happens to the nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_or_none_under_load_through_kills_and_failovers() {
    let lab =
        Lab::builder(LabProfile::Plain).replicas(1).node_timeout(SECOND).start().await.expect("the lab");
    let client = connect(&lab).await;
    let ends = Arc::new(AtomicBool::new(false));
    let accounts =
        |shard: usize| (format!("{{{}}}ada", key_of(shard)), format!("{{{}}}grace", key_of(shard)));
    let mut tasks = Vec::new();
    for n in 0..12 {
        let (client, ends, (ada, grace)) = (client.clone(), ends.clone(), accounts(n % 3));
        tasks.push(tokio::spawn(async move {
            let (mut moved, mut unknown) = (0, 0);
            while !ends.load(Ordering::Relaxed) {
                let batch = client.batch().atomic().with(cmd("DECR").arg(&ada)).with(cmd("INCR").arg(&grace));
                match batch.all::<(i64, i64)>().await {
                    Ok((ada, grace)) => {
                        assert_eq!(ada + grace, 0, "somebody saw half of a transaction");
                        moved += 1;
                    }
                    Err(error) if error.may_have_executed() => unknown += 1,
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
                let read: (Option<i64>, Option<i64>) =
                    client.execute(cmd("MGET").arg(&ada).arg(&grace)).await.unwrap_or_default();
                assert_eq!(read.0.unwrap_or(0) + read.1.unwrap_or(0), 0);
            }
            (n % 3, moved, unknown)
        }));
    }
    tokio::time::sleep(SECOND).await;
    lab.failover(3).await.expect("an orderly failover");
    lab.node(1).kill();
    lab.wait_ready().await.ok();
    tokio::time::sleep(2 * SECOND).await;
    ends.store(true, Ordering::Relaxed);
    let mut sums = [(0, 0); 3];
    for task in tasks {
        let (shard, moved, unknown) = task.await.expect("no assertion failed");
        sums[shard] = (sums[shard].0 + moved, sums[shard].1 + unknown);
    }
    for (shard, (moved, unknown)) in sums.into_iter().enumerate() {
        let (ada, grace) = accounts(shard);
        let (ada, grace): (i64, i64) = client.execute(cmd("MGET").arg(ada).arg(grace)).await.expect("values");
        assert_eq!(ada + grace, 0);
        // A killed primary may lose what it had acknowledged; an orderly failover does not.
        let lost_by_servers = shard == 1;
        assert!(moved > 0 && grace <= moved + unknown, "{grace} of {moved} and {unknown}");
        assert!(lost_by_servers || grace >= moved, "{grace} of {moved} and {unknown}");
    }
}

/// A deadline that passes while the node is silent is unknown where `EXEC` was sent, and certain where it was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_says_whether_it_may_have_been_executed() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    let batch = || client.batch().atomic().with(cmd("INCR").arg(&key)).timeout(SECOND / 4);
    assert_eq!(batch().all::<(i64,)>().await.expect("one"), (1,));
    tell(&lab, 0, &["CLIENT", "PAUSE", "1000", "ALL"]).await;
    let error = batch().all::<(i64,)>().await.expect_err("late");
    assert!(matches!(error, Error::Timeout(_)) && error.may_have_executed(), "{error}");
    let unowned = client.batch().atomic().with(cmd("INCR").arg(&key)).timeout(Duration::ZERO);
    let error = unowned.all::<(i64,)>().await.expect_err("no time");
    assert!(!error.may_have_executed(), "{error}");
    let is_route =
        |error: &Error| matches!(error, Error::Route(error) if matches!(**error, RouteError::EmptyCommand));
    let error = client.batch().atomic().with(cmd("")).all::<()>().await.expect_err("no name");
    assert!(is_route(&error), "{error}");
}

/// What ran between a `READWRITE` that was refused and `READONLY` counted as refused: a script was executed, and the error said
/// that it was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_executed_where_its_error_says_so_and_nowhere_else() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab");
    let rights = async |rights: &str| {
        for node in lab.nodes() {
            tell(&lab, node.index, &["ACL", "SETUSER", "default", rights]).await;
        }
    };
    let count = async || match tell(&lab, 0, &["GET", "k"]).await {
        Reply::Nil => 0,
        count => count.as_str().expect("text").parse::<i64>().expect("a number"),
    };
    let script = || cmd("EVAL").arg("return redis.call('INCR', KEYS[1])").arg(1).arg("k");
    let refused = async |client: &Client| {
        let before = count().await;
        let error = client.batch().atomic().with(script()).all::<(i64,)>().await.expect_err("refused");
        assert!(error.to_string().contains("'readwrite'"), "{error}");
        assert_eq!(count().await - before, i64::from(error.may_have_executed()), "{error}");
        error.may_have_executed()
    };
    let config = config(&lab).read_from(ReadFrom::PreferReplica);
    rights("-readwrite").await;
    let client = Client::connect(&config).await.expect("connected");
    for _ in 0..3 {
        assert!(!refused(&client).await, "it is known before anything is sent");
    }
    rights("+readwrite").await;
    assert_eq!(client.batch().atomic().with(script()).all::<(i64,)>().await.expect("one"), (1,));
    // The right goes while the connection is used.
    rights("-readwrite").await;
    assert!(refused(&client).await, "nobody asked again");
    assert!(!refused(&client).await, "now it is known");
}
