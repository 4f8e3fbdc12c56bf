//! In which mode a connection is when a replica is read from, or when it is not to be: refusals, redirects, former primaries and
//! users who may say only one of the two words.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::support::info::{all_command_counts, executions};
use crate::support::scripted::{Scripted, bulk, node, slots};
use crate::support::{config, eventually, spread_keys, tell};
use truename::error::RouteError;
use truename::topology::{Role, Slot};
use truename::{Client, Config, Error, ReadFrom, Reply, cmd};
use truename_lab::{Lab, LabConfig, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

async fn replicated(shards: usize, replicas: usize) -> Lab {
    let lab = Lab::builder(LabProfile::Plain).shards(shards).replicas(replicas).node_timeout(SECOND);
    lab.start().await.expect("the lab starts")
}

async fn client_of(lab: &Lab, read_from: ReadFrom) -> Client {
    Client::connect(&config(lab).read_from(read_from)).await.unwrap_or_else(|error| panic!("{error}"))
}

fn strict(key: &str) -> truename::Command<'_> {
    cmd("GET").arg(key).read_from(ReadFrom::Replica)
}

/// Sets a key and waits until a replica has it, on every connection that the client needs for that.
async fn written(client: &Client, key: &str) {
    client.run(cmd("SET").arg(key).arg("value")).await.expect("OK");
    let seen = || async { matches!(client.execute::<Option<String>>(strict(key)).await, Ok(Some(_))) };
    eventually("the write arrives", 5 * SECOND, seen).await;
}

async fn reset(lab: &Lab) {
    for node in lab.nodes() {
        tell(lab, node.index, &["CONFIG", "RESETSTAT"]).await;
    }
}

async fn gets_of_primaries(lab: &Lab, command: &str) -> u64 {
    let mut sum = 0;
    for index in 0..3 {
        sum += executions(lab, index, command).await;
    }
    sum
}

/// One replica's refusal failed the read, whoever else could serve it, and each read met it again.
#[tokio::test]
async fn a_replica_that_refuses_is_passed_over_and_not_asked_again() {
    let lab = replicated(1, 2).await;
    let (refusing, other) = (lab.replicas()[0].index, lab.replicas()[1].index);
    for word in ["readonly", "readwrite"] {
        tell(&lab, refusing, &["ACL", "SETUSER", "default", &format!("-{word}")]).await;
        for read_from in [ReadFrom::Primary, ReadFrom::Replica] {
            if word == "readwrite" && read_from == ReadFrom::Replica {
                // Its connections never need that word.
                continue;
            }
            let client = client_of(&lab, read_from).await;
            let up = || async {
                let _ = client.execute::<Reply>(strict("k")).await;
                client.nodes().iter().all(|status| status.is_connected)
            };
            client.run(cmd("SET").arg("k").arg("value")).await.expect("OK");
            eventually("all nodes are connected", 5 * SECOND, up).await;
            written(&client, "k").await;
            reset(&lab).await;
            for _ in 0..30 {
                assert_eq!(client.execute::<String>(strict("k")).await.expect("the other has it"), "value");
            }
            let batch = client.batch();
            let batch = (0..30).fold(batch, |batch, _| batch.with(strict("k")));
            for outcome in batch.execute::<String>().await {
                assert_eq!(outcome.expect("the other has it"), "value");
            }
            assert_eq!(executions(&lab, other, "get").await, 60);
            assert!(all_command_counts(&lab, word, "rejected_calls").await <= 1);
        }
        tell(&lab, refusing, &["ACL", "SETUSER", "default", &format!("+{word}")]).await;
    }
    // A new connection is asked anew.
    tell(&lab, refusing, &["ACL", "SETUSER", "default", "-readonly"]).await;
    let client = client_of(&lab, ReadFrom::Primary).await;
    written(&client, "k").await;
    let refused = || async {
        client.execute::<Reply>(strict("k")).await.expect("the other has it");
        all_command_counts(&lab, "readonly", "rejected_calls").await > 0
    };
    eventually("it refuses", 5 * SECOND, refused).await;
    tell(&lab, refusing, &["ACL", "SETUSER", "default", "+readonly"]).await;
    tell(&lab, refusing, &["CLIENT", "KILL", "TYPE", "normal"]).await;
    reset(&lab).await;
    let serves = || async {
        client.execute::<Reply>(strict("k")).await.expect("one of them has it");
        executions(&lab, refusing, "get").await > 0
    };
    eventually("it serves", 5 * SECOND, serves).await;
    // All of them: the reason is told at once.
    for node in [refusing, other] {
        tell(&lab, node, &["ACL", "SETUSER", "default", "-readonly"]).await;
    }
    let client = client_of(&lab, ReadFrom::Primary).await;
    let refused = || async {
        let error = client.execute::<Reply>(strict("k")).await.expect_err("none may be read from");
        let Error::Route(route) = &error else { panic!("{error:?}") };
        matches!(&**route, RouteError::NoReplica { refusal: Some(why), .. } if why.contains("readonly"))
    };
    eventually("all refuse", 5 * SECOND, refused).await;
    let lenient = cmd("GET").arg("k").read_from(ReadFrom::PreferReplica);
    assert_eq!(client.execute::<String>(lenient).await.expect("from the primary"), "value");
}

/// `MOVED` names a primary, which served the read.
#[tokio::test]
async fn a_redirect_leads_a_read_for_replicas_to_a_replica() {
    let lab = replicated(3, 1).await;
    let key = spread_keys("read", 3)[0].clone();
    let slot = Slot::of_key(key.as_bytes()).value();
    for (round, read_from) in [ReadFrom::Primary, ReadFrom::Replica].into_iter().enumerate() {
        let client = client_of(&lab, read_from).await;
        written(&client, &key).await;
        for script in [false, true] {
            let (from, to) = if script { (1, 0) } else { (0, 1) };
            lab.migrate_slots(&[slot], from, to).await.expect("moved");
            let arrived = || async {
                let replica =
                    lab.replicas().into_iter().find(|node| node.index == to + 3).expect("started as one");
                let keys = tell(&lab, replica.index, &["DBSIZE"]).await;
                keys.as_integer() == Some(1)
            };
            eventually("its new replica has it", 5 * SECOND, arrived).await;
            reset(&lab).await;
            for _ in 0..10 {
                let read = match script {
                    true => {
                        let script = cmd("EVAL_RO").arg("return redis.call('get', KEYS[1])").arg(1).arg(&key);
                        script.read_from(ReadFrom::Replica)
                    }
                    false => strict(&key),
                };
                let value = client.execute::<Option<String>>(read).await.expect("a replica has it");
                assert_eq!(value.as_deref(), Some("value"), "{round}");
            }
            assert_eq!(gets_of_primaries(&lab, if script { "eval_ro" } else { "get" }).await, 0, "{round}");
        }
    }
    // Where the new owner has no replica, the read ends as that.
    let quick = config(&lab).command_timeout(SECOND);
    let client = Client::connect(&quick).await.expect("connected");
    written(&client, &key).await;
    lab.node(4).kill();
    lab.migrate_slots(&[slot], 0, 1).await.expect("moved");
    reset_running(&lab).await;
    let error = client.execute::<Reply>(strict(&key)).await.expect_err("it has no replica");
    let Error::Route(route) = &error else { panic!("{error:?}") };
    assert!(matches!(**route, RouteError::NoReplica { .. }) && error.is_retryable(), "{error}");
    assert_eq!(gets_of_primaries(&lab, "get").await, 0);
}

async fn reset_running(lab: &Lab) {
    for node in lab.nodes().iter().filter(|node| node.is_running()) {
        tell(lab, node.index, &["CONFIG", "RESETSTAT"]).await;
    }
}

/// A primary that has become a replica answered from its copy, on connections that ask to read from replicas.
#[tokio::test]
async fn what_is_for_the_primary_is_not_answered_by_a_former_one() {
    let lab = replicated(3, 1).await;
    let key = spread_keys("read", 3)[0].clone();
    let client = client_of(&lab, ReadFrom::PreferReplica).await;
    written(&client, &key).await;
    let get = || cmd("GET").arg(&key);
    let dedicated = client.dedicated(&key).await.expect("a connection");
    assert_eq!(dedicated.execute::<String>(get()).await.expect("a value"), "value");
    let watch = client.watch(60 * SECOND, [&key]).await.expect("watched");
    let batch = || client.batch().atomic().with(get()).with(cmd("EVAL").arg("return 1").arg(1).arg(&key));
    batch().all::<(String, u64)>().await.expect("both values");
    lab.failover(3).await.expect("the replica takes over");
    reset(&lab).await;
    // The client was not told.
    let (value, one) = batch().all::<(String, u64)>().await.expect("both values");
    assert_eq!((value.as_str(), one), ("value", 1));
    let error = dedicated.execute::<String>(get()).await.expect_err("it is a replica now");
    assert!(error.to_string().contains("MOVED"), "{error}");
    let error = watch.execute::<String>(get()).await.expect_err("it is a replica now");
    assert!(error.to_string().contains("MOVED") && !watch.is_intact(), "{error}");
    assert_eq!((executions(&lab, 0, "get").await, executions(&lab, 0, "eval").await), (0, 0));
    assert!(executions(&lab, 3, "eval").await == 1);
    // The connection that others share is as it was.
    let read = || get().read_from(ReadFrom::Replica);
    let seen = || async { client.execute::<String>(read()).await.is_ok() };
    eventually("the new replica serves", 5 * SECOND, seen).await;
}

/// A user who may say `READONLY` and not `READWRITE` left its connections, which others share, in the mode of one read.
#[tokio::test]
async fn no_read_of_another_caller_is_served_in_the_mode_of_one() {
    let lab = replicated(1, 1).await;
    let replica = lab.replicas()[0].index;
    let client = client_of(&lab, ReadFrom::Primary).await;
    written(&client, "k").await;
    let nodes = client.nodes();
    let node = &nodes.iter().find(|status| status.role == Role::Replica).expect("it has one").node;
    let others = || async {
        let error = client.execute::<Reply>(cmd("GET").arg("k").route_to(node)).await;
        let error = error.expect_err("the connection does not ask to read from a replica");
        assert!(error.to_string().contains("MOVED"), "{error}");
    };
    others().await;
    // The right goes while the connection is used: that one is replaced.
    tell(&lab, replica, &["ACL", "SETUSER", "default", "-readwrite"]).await;
    let before = executions(&lab, replica, "readonly").await;
    assert_eq!(client.execute::<String>(strict("k")).await.expect("served"), "value");
    for _ in 0..20 {
        others().await;
    }
    // From then on nothing leaves that mode behind, however many ask at once.
    for _ in 0..20 {
        let (refused, ..) = tokio::join!(client.execute::<Reply>(strict("k")), others(), others(), others());
        let error = refused.expect_err("no way back");
        assert!(error.to_string().contains("'readwrite'"), "{error}");
    }
    assert_eq!(executions(&lab, replica, "readonly").await, before + 1);
}

/// The other way round: what is for the primary, on connections that ask to read from replicas.
#[tokio::test]
async fn a_connection_that_cannot_be_put_back_is_replaced() {
    let lab = replicated(1, 1).await;
    let client = client_of(&lab, ReadFrom::PreferReplica).await;
    written(&client, "k").await;
    let at_primary = || cmd("GET").arg("k").read_from(ReadFrom::Primary);
    let asks_to_read = || {
        let status = client.nodes().into_iter().find(|status| status.role == Role::Primary).expect("one");
        status.facts.expect("connected").greeting.is_readonly
    };
    let rights = async |right: &str| {
        for node in lab.nodes() {
            tell(&lab, node.index, &["ACL", "SETUSER", "default", right]).await;
        }
    };
    assert!(asks_to_read());
    rights("-readwrite").await;
    let error = client.execute::<Reply>(at_primary()).await.expect_err("a replica might answer");
    assert!(error.to_string().contains("NOPERM"), "{error}");
    assert!(client.batch().atomic().with(cmd("GET").arg("k")).all::<()>().await.is_err());
    assert_eq!(client.execute::<String>(cmd("GET").arg("k")).await.expect("a value"), "value");
    rights("+readwrite").await;
    assert_eq!(client.execute::<String>(at_primary()).await.expect("a value"), "value");
    assert!(asks_to_read());
    rights("-readonly").await;
    assert_eq!(client.execute::<String>(at_primary()).await.expect("a value"), "value");
    eventually("its connection is another one", 5 * SECOND, || async { !asks_to_read() }).await;
    assert_eq!(client.execute::<String>(cmd("GET").arg("k")).await.expect("a value"), "value");
}

/// The configuration was asked, and not the connection: where `READONLY` had been refused when it was made, what is for the
/// primary failed, or cost the node its connections each time.
#[tokio::test]
async fn where_no_connection_reads_from_replicas_there_is_nothing_to_undo() {
    for (rights, renamed) in [
        (&["-readonly", "-readwrite"][..], &[][..]),
        (&["-readonly"], &[]),
        (&[], &["READONLY", "READWRITE"]),
    ] {
        let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).node_timeout(SECOND);
        let rename =
            |lab: LabConfig, name: &&str| lab.server_arg("rename-command", format!("{name} NO{name}"));
        let lab = renamed.iter().fold(lab, rename).start().await.expect("the lab starts");
        for node in lab.nodes() {
            for right in rights {
                tell(&lab, node.index, &["ACL", "SETUSER", "default", right]).await;
            }
        }
        let client = client_of(&lab, ReadFrom::PreferReplica).await;
        client.run(cmd("SET").arg("k").arg("value")).await.expect("OK");
        let connection = || client.execute::<u64>(cmd("CLIENT").arg("ID").route_by_key("k"));
        let before = connection().await.expect("its number");
        for _ in 0..5 {
            let get = || cmd("GET").arg("k");
            let value = client.execute::<String>(get().read_from(ReadFrom::Primary)).await.expect("a value");
            let batch = client.batch().atomic().with(get()).with(cmd("EVAL").arg("return 1").arg(1).arg("k"));
            assert_eq!(batch.all::<(String, u64)>().await.expect("both values"), (value, 1));
            let [outcome] =
                &client.batch().with(get().read_from(ReadFrom::Primary)).execute::<String>().await[..]
            else {
                panic!("one outcome")
            };
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        assert_eq!(connection().await.expect("its number"), before, "{rights:?} {renamed:?}");
        assert_eq!(all_command_counts(&lab, "readwrite", "calls").await, 0);
        assert_eq!(all_command_counts(&lab, "readwrite", "rejected_calls").await, 0);
    }
}

/// A server that takes `READONLY` in the greeting and never again: each command that needed a mode cost a connection. What was
/// left in the wrong mode is replaced at once all the same, and serves nobody else.
#[tokio::test]
async fn what_cannot_be_put_back_is_not_tried_again_for_a_moment() {
    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let told = Arc::new(OnceLock::<String>::new());
    // Whether the latest connection has said READWRITE, which ends what its greeting asked for.
    let is_over = Arc::new(AtomicBool::new(false));
    // How many of its connections could not be put back.
    let stuck = Arc::new(AtomicUsize::new(0));
    let peer = Scripted::listen("127.0.0.1:0", {
        let (told, is_over, stuck) = (told.clone(), is_over.clone(), stuck.clone());
        move |words| {
            let slots = told.get().map(String::as_str).unwrap_or_default();
            match words[0].as_str() {
                "HELLO" => is_over.store(false, Ordering::Relaxed),
                "READWRITE" => is_over.store(true, Ordering::Relaxed),
                "READONLY" if is_over.load(Ordering::Relaxed) => {
                    stuck.fetch_add(1, Ordering::Relaxed);
                    return Some("-NOPERM not 'readonly' again\r\n".to_owned());
                }
                // Whether it is served in the mode that it was to be served in.
                "GET" if words[1] == "by others" => {
                    return Some(bulk(&is_over.load(Ordering::Relaxed).to_string()));
                }
                _ => {}
            }
            Some(node(words, ID, slots))
        }
    })
    .await;
    told.set(slots(&[(0, 16383, peer.address, ID)])).expect("once");
    let config = Config::new().plaintext().seed("127.0.0.1", peer.address.port());
    let client = Client::connect(&config.read_from(ReadFrom::PreferReplica)).await.expect("connected");
    let others = async || {
        let is_wrong = client.execute::<String>(cmd("GET").arg("by others")).await.expect("an answer");
        assert_eq!(is_wrong, "false");
    };
    others().await;
    let started = Instant::now();
    let assert_seldom_replaced = || {
        let (replaced, seconds) = (stuck.load(Ordering::Relaxed), started.elapsed().as_secs() as usize + 1);
        assert!((1..=seconds).contains(&replaced), "{replaced} connections in {seconds} s");
    };
    let mut refused = 0;
    for _ in 0..30 {
        match client.execute::<String>(cmd("GET").arg("k").read_from(ReadFrom::Primary)).await {
            Ok(value) => assert_eq!(value, "k"),
            Err(error) => {
                assert!(error.to_string().contains("again"), "{error}");
                refused += 1;
            }
        }
        others().await;
    }
    assert_seldom_replaced();
    assert!(refused > 0, "each was risked");
    for _ in 0..30 {
        let batch = client.batch().atomic().with(cmd("GET").arg("k")).all::<(String,)>().await;
        let error = batch.expect_err("no way back");
        assert!(error.to_string().contains("again") && !error.may_have_executed(), "{error}");
        others().await;
    }
    assert_seldom_replaced();
}
