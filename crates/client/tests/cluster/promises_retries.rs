//! What is sent again, what is sent at all, and what an error says about it.

use std::time::Duration;

use crate::support::info::all_executions;
use crate::support::{config, connect, eventually, key_of, lab, proxied_server, tell};
use futures_util::future::join_all;
use tokio::time::Instant;
use truename::error::{Execution, RouteError};
use truename::topology::{Endpoint, Slot};
use truename::{Client, Command, Error, Reply, cmd};
use truename_lab::{Cut, CutPoint, Ending, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a command 25 times while every fifth reply is lost after the execution; returns the number of errors.
async fn run(lab: &Lab, client: &Client, command: impl Fn(usize) -> Command<'static>) -> u64 {
    let mut unknown = 0;
    for n in 0..25 {
        if n % 5 == 0 {
            client.execute::<()>(cmd("PING")).await.expect("the connection is there");
            lab.proxy(0).cut_open(Cut::new(CutPoint::AfterReplies(0), Ending::Close));
        }
        if let Err(error) = client.execute::<Reply>(command(n)).await {
            assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
            assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
            unknown += 1;
        }
    }
    unknown
}

/// A `SET` whose reply was lost was executed again by default, and overwrote what others had written meanwhile and had
/// acknowledged: 74 times for 60 calls, while the documents said "reported, never repeated".
#[tokio::test]
async fn a_write_whose_reply_was_lost_is_reported_and_never_repeated() {
    let lab = proxied_server().await;
    let set = |n: usize| cmd("SET").arg("k").arg(n);
    let cautious = connect(&lab).await;
    assert_eq!(run(&lab, &cautious, set).await, 5, "every fifth reply was lost");
    assert_eq!(all_executions(&lab, "set").await, 25, "one execution for each call");
    // Reads change nothing.
    assert_eq!(run(&lab, &cautious, |_| cmd("GET").arg("k")).await, 0);
    // On request it is sent again: for a call,
    assert_eq!(run(&lab, &cautious, |n| set(n).repeatable(true)).await, 0);
    assert_eq!(all_executions(&lab, "set").await, 55, "25 calls before, 25 calls and 5 times again");
    drop(cautious);
    // or for a client, where twice leaves what once leaves.
    let bold = config(&lab).repeat_writes_of_unknown_fate(true);
    let bold = Client::connect(&bold).await.expect("connected");
    assert_eq!(run(&lab, &bold, set).await, 0);
    assert_eq!(run(&lab, &bold, |_| cmd("INCR").arg("n")).await, 5);
    assert_eq!(all_executions(&lab, "incr").await, 25);
}

/// "The command was not sent" was said about commands that were sent and refused.
#[tokio::test]
async fn a_timeout_says_whether_the_command_was_sent_refused_or_lost() {
    let lab = proxied_server().await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND / 2)).await.expect("connected");
    let fate = |error: Error| match &error {
        Error::Timeout(timeout) => (timeout.execution, error.to_string(), error.may_have_executed()),
        _ => panic!("{error:?}"),
    };
    tell(&lab, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = client.execute::<()>(cmd("SET").arg("k").arg("v")).await.expect_err("read only");
    let (execution, text, may_have_executed) = fate(error);
    assert_eq!((execution, may_have_executed), (Execution::RefusedForNow, false), "{text}");
    assert!(text.contains("refused") && !text.contains("not sent") && text.contains("READONLY"), "{text}");
    tell(&lab, 0, &["REPLICAOF", "NO", "ONE"]).await;
    eventually("it is a primary again", 5 * SECOND, || async {
        client.execute::<()>(cmd("SET").arg("k").arg("v")).await.is_ok()
    })
    .await;
    lab.node(0).stop();
    let error = client.execute::<()>(cmd("SET").arg("k").arg("v")).await.expect_err("nobody answers");
    lab.node(0).cont();
    let (execution, text, may_have_executed) = fate(error);
    assert_eq!((execution, may_have_executed), (Execution::Possible, true), "{text}");
}

/// `SHUTDOWN` shut down a random primary, `CLUSTER RESET` was answered with OK by some node.
#[tokio::test]
async fn what_an_operator_sends_goes_to_no_node_by_chance() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    for line in [
        "SHUTDOWN NOSAVE",
        "CLUSTER RESET",
        "CLUSTER FAILOVER",
        "BGSAVE",
        "SAVE",
        "CLIENT PAUSE 100",
        "CLIENT LIST",
        "CONFIG GET maxmemory",
        "DEBUG SLEEP 0",
        "REPLICAOF NO ONE",
    ] {
        let mut words = line.split(' ');
        let command = cmd(words.next().expect("a name")).args(words);
        let error = client.execute::<Reply>(command).await.expect_err("refused");
        let Error::Route(why) = &error else { panic!("{line}: {error:?}") };
        assert!(matches!(**why, RouteError::Administrative { .. }), "{line}: {error}");
        assert!(error.to_string().contains("route_by_key") && error.to_string().contains("route_to_any"));
        assert!(!error.may_have_executed() && !error.is_retryable());
    }
    for shard in 0..3 {
        let key = key_of(shard);
        client
            .execute::<()>(cmd("CONFIG").arg("GET").arg("maxmemory").route_by_key(&key))
            .await
            .expect("said");
        client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect("OK");
    }
    client.execute::<()>(cmd("DEBUG").arg("SLEEP").arg(0).route_to_any()).await.expect("said");
    // What has a key or a slot has a node: each of these was wrong in two of three calls.
    for n in 0..30 {
        let key = key_of(n % 3);
        let slot = Slot::of_key(key.as_bytes()).value();
        let count = cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(slot);
        assert_eq!(client.execute::<i64>(count).await.expect("a number"), 1);
        let keys = cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(10);
        assert_eq!(client.execute::<Vec<String>>(keys).await.expect("keys"), std::slice::from_ref(&key));
        client.execute::<()>(cmd("DEBUG").arg("OBJECT").arg(&key)).await.expect("it has the key");
    }
}

/// A command can be for one node, without a search for a key of that node.
#[tokio::test]
async fn a_command_for_one_node_goes_to_that_node_and_to_no_other() {
    let lab = Lab::builder(LabProfile::Plain).replicas(1).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let key = key_of(0);
    client.execute::<()>(cmd("SET").arg(&key).arg("value")).await.expect("OK");
    let owner = client.topology().primary(Slot::of_key(key.as_bytes())).expect("an owner").endpoint.clone();
    for status in client.nodes() {
        let id: String =
            client.execute(cmd("CLUSTER").arg("MYID").route_to(&status.node)).await.expect("an id");
        assert_eq!(Some(id.as_str()), status.id.as_ref().map(|id| id.as_str()));
        client.execute::<()>(cmd("CLIENT").arg("LIST").route_to(&status.node)).await.expect("a list");
        let read = client.execute::<String>(cmd("GET").arg(&key).route_to(&status.node)).await;
        match read {
            Ok(value) => assert_eq!((value.as_str(), &status.node), ("value", &owner)),
            Err(Error::Server(error)) => {
                assert!(status.node != owner && error.code() == "MOVED" && error.is_refusal(), "{error}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    // A replica's refusal was retried until the deadline, 43 times, and reported as "no reply".
    for status in client.nodes().iter().filter(|status| status.role == truename::topology::Role::Replica) {
        let error =
            client.execute::<()>(cmd("FLUSHALL").route_to(&status.node)).await.expect_err("read only");
        let Error::Server(why) = &error else { panic!("{error:?}") };
        assert!(why.code() == "READONLY" && why.is_refusal() && why.attempts == 1, "{error:?}");
    }
    let nobody = Endpoint::new("127.0.0.1", 1);
    let call = cmd("PING").route_to(&nobody).timeout(SECOND / 4);
    let error = client.execute::<()>(call).await.expect_err("there is no such node");
    assert!(
        matches!(&error, Error::Route(why) if matches!(**why, RouteError::NoSuchNode { .. })),
        "{error:?}"
    );
}

/// On a single server there is nothing to choose from.
#[tokio::test]
async fn what_an_operator_sends_to_a_single_server_is_sent() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let client = connect(&lab).await;
    client.execute::<()>(cmd("CONFIG").arg("GET").arg("maxmemory")).await.expect("OK");
    client.execute::<()>(cmd("CLIENT").arg("LIST")).await.expect("OK");
    client.execute::<()>(cmd("DEBUG").arg("SLEEP").arg(0)).await.expect("OK");
}

/// A script's answer says nothing about its execution, with one exception: a script that the server lacks did not run.
#[tokio::test]
async fn a_script_that_the_server_does_not_have_did_not_run() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let digest = "f".repeat(40);
    for name in ["EVALSHA", "EVALSHA_RO"] {
        let error = client.execute::<Reply>(cmd(name).arg(&digest).arg(0)).await.expect_err("unknown");
        assert!(!error.may_have_executed() && !error.is_retryable(), "{error}");
        let Error::Server(error) = error else { panic!("{error:?}") };
        assert_eq!((error.code(), error.execution), ("NOSCRIPT", Execution::Refused));
    }
    for text in ["NOSCRIPT No matching script of mine", "LOADING", "READONLY no", "TRYAGAIN", "CLUSTERDOWN"] {
        let say = cmd("EVAL").arg("return redis.error_reply(ARGV[1])").arg(0).arg(text);
        let error = client.execute::<Reply>(say).await.expect_err("the script's");
        assert!(error.may_have_executed() && !error.is_retryable() && error.attempts() == 1, "{error}");
    }
}

/// Commands that the table lacks were guessed: their key was argument 1, they did not wait, they changed no connection. Now
/// a server is asked, once for each name. Renamed commands stand for those of modules and of newer servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_asked_about_commands_that_the_client_does_not_know() {
    let renamed =
        ["BLPOP MYBLPOP", "MULTI MYMULTI", "SUBSCRIBE MYSUBSCRIBE", "BGSAVE MYBGSAVE", "OBJECT MYOBJECT"];
    let lab = renamed.iter().fold(Lab::builder(LabProfile::Plain).replicas(0), |lab, names| {
        lab.server_arg("rename-command", *names)
    });
    let lab = lab.start().await.expect("the lab starts");
    let client = Client::connect(&config(&lab).stall_timeout(SECOND)).await.expect("connected");
    let keys = [0, 1, 2].map(key_of);
    for key in &keys {
        client.execute::<()>(cmd("SET").arg(key).arg(1)).await.expect("OK");
    }
    // One question for fifty calls at a time. The key is argument 2, and a redirect would have been needed for a guess.
    let encodings = (0..50).map(|n| cmd("MYOBJECT").arg("ENCODING").arg(&keys[n % 3]));
    for encoding in join_all(encodings.map(|command| client.execute::<String>(command))).await {
        assert_eq!(encoding.expect("text"), "int");
    }
    assert_eq!(all_executions(&lab, "command|info").await, 1);

    let refused = async |command: Command<'static>| match client.execute::<Reply>(command).await {
        Err(Error::Route(why)) => *why,
        other => panic!("{other:?}"),
    };
    for _ in 0..3 {
        assert!(matches!(refused(cmd("MYMULTI")).await, RouteError::ConnectionState { .. }));
        let subscribe = cmd("MYSUBSCRIBE").arg("channel");
        assert!(matches!(refused(subscribe).await, RouteError::ConnectionState { .. }));
        assert!(matches!(refused(cmd("MYBGSAVE")).await, RouteError::Administrative { .. }));
    }
    assert_eq!(all_executions(&lab, "command|info").await, 4);

    // It waits on a connection of its own, for as long as the call may take, and holds nobody up.
    let pop = || cmd("MYBLPOP").arg("{empty}list").arg(2).timeout(4 * SECOND);
    let started = Instant::now();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.execute::<Option<Vec<String>>>(pop()).await }
    });
    tokio::time::sleep(SECOND / 5).await;
    client.execute::<()>(cmd("SET").arg("{empty}other").arg(1)).await.expect("OK");
    assert!(!waiting.is_finished() && started.elapsed() < SECOND, "{:?}", started.elapsed());
    assert_eq!(waiting.await.expect("no panic").expect("nil, in time"), None);
    client.execute::<()>(cmd("RPUSH").arg("{empty}list").arg("x")).await.expect("OK");
    let popped = client.execute::<Option<Vec<String>>>(pop()).await.expect("an element");
    assert_eq!(popped.expect("an element")[1], "x");

    // That no server knows a command is remembered, but only for a while.
    let before = all_executions(&lab, "command|info").await;
    for _ in 0..5 {
        let error = client.execute::<Reply>(cmd("NOSUCH").arg("x")).await.expect_err("unknown");
        assert!(error.to_string().contains("unknown command"), "{error}");
    }
    assert_eq!(all_executions(&lab, "command|info").await, before + 1);
}
