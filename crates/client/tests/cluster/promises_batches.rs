//! Batches in trouble: what one command has to wait for, no other waits for, and no batch outlasts its deadline.

use std::time::Duration;

use crate::support::info::{all_executions, executions};
use crate::support::{config, connect, eventually, keys_of, lab, renamed_lab, shard_of, shard_of_slot, tell};
use tokio::time::Instant;
use truename::topology::Slot;
use truename::{Client, ReadFrom, Reply, cmd};
use truename_lab::{Lab, LabProfile, Role};

const SECOND: Duration = Duration::from_secs(1);

/// A read that no replica could serve held the writes of its slot, or kept the batch turning in circles for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_without_a_replica_holds_no_write_and_ends_in_time() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.expect("the lab starts");
    let reads_replicas = config(&lab).read_from(ReadFrom::Replica).command_timeout(SECOND / 2);
    let client = Client::connect(&reads_replicas).await.expect("connected");
    let (set, get) = (|| cmd("SET").arg("k").arg(1), || cmd("GET").arg("k"));
    for (commands, the_read) in [([set(), get()], 1), ([get(), set()], 0)] {
        let mut batch = client.batch();
        batch.extend(commands);
        let running = tokio::spawn(async move { batch.execute::<Reply>().await });
        let outcomes = tokio::time::timeout(5 * SECOND, running).await.expect("in time").expect("no panic");
        assert!(outcomes[the_read].is_err(), "{outcomes:?}");
        assert!(outcomes[1 - the_read].is_ok(), "{outcomes:?}");
    }
}

/// The first batch of a client whose replicas are still being connected to kept its only thread from connecting.
#[test]
fn the_first_batch_of_a_client_may_read_from_replicas() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcomes = runtime.block_on(async {
            let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab");
            let client =
                Client::connect(&config(&lab).read_from(ReadFrom::Replica)).await.expect("connected");
            let batch = client.batch().with(cmd("SET").arg("k").arg(1)).with(cmd("GET").arg("k"));
            batch.execute::<Reply>().await
        });
        let _ = done.send(outcomes);
    });
    let outcomes = is_done.recv_timeout(60 * SECOND).expect("it ends");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

/// Every command of an unknown name asked the servers, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_asked_once_about_a_name() {
    let lab = renamed_lab(LabProfile::Plain, "APPEND MYAPPEND").await;
    let client = connect(&lab).await;
    let before = all_executions(&lab, "command|info").await;
    let mut batch = client.batch();
    batch.extend((0..500).map(|_| cmd("MYAPPEND").arg("k").arg("x")));
    batch.extend((0..500).map(|n| cmd("MYAPPEND").arg(format!("k{n}")).arg("x")));
    batch.all::<Vec<i64>>().await.expect("all lengths");
    // Slots that are looked at at the same time may ask at the same time; those who do share a question.
    let asked = all_executions(&lab, "command|info").await - before;
    assert!(asked <= 3, "{asked}");
}

/// A slot without an owner, or a node that has left, kept all other commands of the old node from their new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_nowhere_to_go_keeps_nobody_else() {
    for is_unowned in [true, false] {
        let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
        let lab = lab.start().await.expect("the lab starts");
        for node in 0..3 {
            tell(&lab, node, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
        }
        let client = connect(&lab).await;
        let mut of_the_first = keys_of(0, "key");
        let lonely = of_the_first.next().expect("a key");
        let lonely_slot = Slot::of_key(lonely.as_bytes()).value();
        let keys: Vec<String> =
            of_the_first.filter(|key| Slot::of_key(key.as_bytes()).value() != lonely_slot).take(50).collect();
        let is_old = |status: &&truename::NodeStatus| {
            status.id.as_ref().is_some_and(|id| id.as_str() == lab.nodes()[0].id)
        };
        let old = client.nodes().iter().find(is_old).expect("it is known").node.clone();
        lab.node(0).kill();
        eventually("it is seen to be down", 5 * SECOND, || async {
            client.nodes().iter().any(|status| !status.is_connected)
        })
        .await;
        let mut batch = client.batch().timeout(10 * SECOND);
        batch.add(match is_unowned {
            true => cmd("SET").arg(&lonely).arg(1),
            false => cmd("DBSIZE").route_to(&old),
        });
        batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg(1)));
        let hands_over = async {
            let owned = (0..16384).filter(|slot| shard_of_slot(usize::from(*slot)) == 0);
            let owned: Vec<String> = owned.map(|slot: u16| slot.to_string()).collect();
            let lonely = lonely_slot.to_string();
            let taken_over = owned.iter().map(String::as_str).filter(|slot| !is_unowned || *slot != lonely);
            for node in [1, 2] {
                let del = ["CLUSTER", "DELSLOTS"].into_iter().chain(owned.iter().map(String::as_str));
                tell(&lab, node, &del.collect::<Vec<_>>()).await;
            }
            let add = ["CLUSTER", "ADDSLOTS"].into_iter().chain(taken_over);
            tell(&lab, 1, &add.collect::<Vec<_>>()).await;
            for node in [1, 2] {
                tell(&lab, node, &["CLUSTER", "FORGET", &lab.nodes()[0].id]).await;
            }
        };
        let (outcomes, ()) = tokio::join!(batch.execute::<Reply>(), hands_over);
        assert!(outcomes[0].is_err(), "{:?}", outcomes[0]);
        for outcome in &outcomes[1..] {
            assert!(outcome.is_ok(), "unowned: {is_unowned}: {outcome:?}");
        }
    }
}

/// While slots moved elsewhere, a large batch was sorted anew all the time, and nothing was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topology_in_motion_holds_no_batch_up() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let stable: Vec<String> =
        (0..300_000).map(|n| format!("stable:{n}")).filter(|key| shard_of(key) == 2).collect();
    let moving: Vec<String> = keys_of(0, "moving").take(64).collect();
    let moves = async {
        for to in [1, 0].into_iter().cycle() {
            for key in &moving {
                let slot = Slot::of_key(key.as_bytes()).value().to_string();
                for node in 0..3 {
                    tell(&lab, node, &["CLUSTER", "SETSLOT", &slot, "NODE", &lab.nodes()[to].id]).await;
                }
                let _ = client.execute::<Option<String>>(cmd("GET").arg(key)).await;
            }
        }
    };
    let mut batch = client.batch().timeout(20 * SECOND);
    batch.extend(stable.iter().map(|key| cmd("SET").arg(key).arg(1)));
    let started = Instant::now();
    let outcomes = tokio::select! {
        outcomes = batch.execute::<Reply>() => outcomes,
        () = moves => unreachable!("it goes on for ever"),
        () = tokio::time::sleep(30 * SECOND) => panic!("longer than its time"),
    };
    let succeeded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(succeeded, stable.len(), "after {:?}", started.elapsed());
}

/// What was still to be read from a replica that went away waited for it until the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_goes_away_is_read_around() {
    let lab =
        Lab::builder(LabProfile::Plain).node_timeout(30 * SECOND).start().await.expect("the lab starts");
    let reads_replicas = config(&lab).read_from(ReadFrom::PreferReplica);
    let client = Client::connect(&reads_replicas).await.expect("connected");
    eventually("the replicas are connected", 10 * SECOND, || async {
        client.nodes().iter().all(|status| status.is_connected)
    })
    .await;
    let keys: Vec<String> = keys_of(0, "key").take(60_000).collect();
    let is_the_replica =
        |node: &usize| lab.nodes()[*node].role == Role::Replica && lab.nodes()[*node].shard == 0;
    let replica = (0..lab.nodes().len()).find(is_the_replica).expect("it has one");
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("GET").arg(key)));
    let goes_away = async {
        while executions(&lab, replica, "get").await < 2000 {}
        lab.node(replica).kill();
    };
    let (outcomes, ()) = tokio::join!(batch.execute::<Option<String>>(), goes_away);
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 0, "{:?}", outcomes.iter().find(|outcome| outcome.is_err()));
}

/// A command that is redirected to a node that is busy, and one of its slot that the other node could execute at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_batch_holds_a_slot_back_and_no_other() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let slot = Slot::of_key(b"moving").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    let here = "{moving}here";
    client.run(cmd("XADD").arg(here).arg("*").arg("f").arg("v")).await.expect("added");
    lab.begin_migration(slot, from, to).await.expect("begun");
    for is_ordered in [false, true] {
        // Only the second of them is at the node that is asked first.
        let (there, beside) = (format!("{{moving}}there:{is_ordered}"), format!("beside:{is_ordered}"));
        tell(&lab, to, &["CLIENT", "PAUSE", "700", "WRITE"]).await;
        let add = |key: &str| cmd("XADD").arg(key.to_owned()).arg("*").arg("f").arg("v");
        let beside_at = keys_of(from, &beside).next().expect("a key");
        let batch = client.batch().with(add(&there)).with(add(here)).with(add(&beside_at));
        let batch = if is_ordered { batch.ordered() } else { batch };
        let ids: Vec<String> = batch.all().await.expect("all ids");
        let at: Vec<u64> = ids
            .iter()
            .map(|id| id.split('-').next().and_then(|ms| ms.parse().ok()).expect("a time"))
            .collect();
        assert_eq!(at[0] <= at[1], is_ordered, "{at:?}");
        assert!(at[2] < at[0], "another slot waits for nobody: {at:?}");
    }
}

/// The same slots, the same deadline, the same outcomes as without an order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_batch_has_every_outcome_in_its_place() {
    let lab = renamed_lab(LabProfile::Azure, "APPEND MYAPPEND").await;
    let client = connect(&lab).await;
    assert!(client.batch().ordered().execute::<Reply>().await.is_empty());
    let mut batch = client.batch().ordered();
    for n in 0..300 {
        batch.add(cmd("SET").arg(format!("k{n}")).arg("a"));
        batch.add(cmd("MYAPPEND").arg(format!("k{n}")).arg("b"));
        batch.add(if n % 100 == 7 { cmd("MULTI") } else { cmd("INCR").arg(format!("k{n}")) });
        batch.add(cmd("GET").arg(format!("k{n}")));
    }
    let outcomes = batch.execute::<Reply>().await;
    for (n, of_one) in outcomes.chunks(4).enumerate() {
        let [Ok(set), Ok(length), Err(refused), Ok(value)] = of_one else { panic!("{n}: {of_one:?}") };
        assert_eq!((set.as_str(), length.as_integer(), value.as_str()), (Some("OK"), Some(2), Some("ab")));
        assert_eq!(refused.may_have_executed(), n % 100 != 7, "{refused}");
    }
    tell(&lab, 0, &["CLIENT", "PAUSE", "2000", "ALL"]).await;
    let mut batch = client.batch().ordered().timeout(SECOND / 4);
    batch.extend((0..300).map(|n| cmd("SET").arg(format!("k{}", n % 30)).arg("late")));
    let started = Instant::now();
    let outcomes = batch.execute::<()>().await;
    assert!(started.elapsed() < SECOND * 3 / 2 && outcomes.len() == 300, "{:?}", started.elapsed());
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_ok(), shard_of(&format!("k{}", n % 30)) != 0, "{n}: {outcome:?}");
    }
}

/// Members whose turn came after the deadline were sent all the same, and executed when nobody waited any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_its_turn_too_long_is_not_sent() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = keys_of(0, "turn").next().expect("a key");
    client.run(cmd("SET").arg(&key).arg(0)).await.expect("OK");
    tell(&lab, 0, &["CLIENT", "PAUSE", "1000", "ALL"]).await;
    let mut batch = client.batch().ordered().timeout(SECOND / 4);
    batch.extend((0..500).map(|_| cmd("INCR").arg(&key)));
    let outcomes = batch.execute::<i64>().await;
    let (first, late) = outcomes.split_first().expect("500");
    assert!(first.as_ref().is_err_and(truename::Error::may_have_executed), "{first:?}");
    for outcome in late {
        let error = outcome.as_ref().expect_err("late");
        assert!(!error.may_have_executed(), "{error}");
    }
    // The pause ends before this answers.
    let value: i64 = client.execute(cmd("GET").arg(&key)).await.expect("a value");
    assert!(value <= 1, "{value}");
}

/// What followed a long wait had no time left, and was taken for so old that its connection was ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_its_own_time_from_its_turn_on() {
    let lab = lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND / 2)).await.expect("connected");
    let (list, key) = ("{k}list", "{k}set");
    let mut batch = client.batch().ordered();
    batch.add(cmd("BLPOP").arg(list).arg(1)).add(cmd("SET").arg(key).arg(1));
    batch.add(cmd("BLPOP").arg(list).arg(1)).add(cmd("GET").arg(key)).add(cmd("PING"));
    let outcomes = batch.execute::<Reply>().await;
    let said: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().map(Reply::as_str)).collect();
    assert!(
        matches!(said[..], [Ok(None), Ok(Some("OK")), Ok(None), Ok(Some("1")), Ok(Some("PONG"))]),
        "{said:?}"
    );
    // A lock that somebody has was taken for one's own.
    let lock = || cmd("SET").arg("lock").arg("me").arg("NX");
    client.batch().with(lock()).all::<()>().await.expect("it was free");
    assert!(client.batch().with(lock()).all::<()>().await.is_err());
    // A script's nil says nothing about whether it ran.
    client.run(cmd("EVAL").arg("redis.call('SET', KEYS[1], 1)").arg(1).arg("lock")).await.expect("it ran");
    let error = client.run(lock()).await.expect_err("somebody has it").to_string();
    assert!(error.contains("may not have done it"), "{error}");
}

/// A shard that does not answer kept all others of an ordered batch from being sent, if one name was not known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_name_keeps_an_ordered_batch_for_a_moment_only() {
    let lab = renamed_lab(LabProfile::Plain, "APPEND MYAPPEND").await;
    let client = connect(&lab).await;
    for node in 0..3 {
        tell(&lab, node, &["ACL", "SETUSER", "default", "-command|info"]).await;
        tell(&lab, node, &["CLIENT", "PAUSE", "300", "ALL"]).await;
    }
    let mut batch = client.batch().ordered();
    batch.add(cmd("MYAPPEND").arg("k0").arg("x"));
    batch.extend((0..100).map(|n| cmd("SET").arg(format!("other{n}")).arg(1)));
    let outcomes = batch.timeout(4 * SECOND).execute::<Reply>().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}
