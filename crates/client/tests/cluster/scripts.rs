//! Scripts by digest, and as a whole where a server does not have them.

use std::time::Duration;

use crate::support::info::{all_command_counts, all_executions, executions};
use crate::support::{config, connect, eventually, key_of, lab, proxied_server, tell};
use truename::topology::Slot;
use truename::{Client, Error, ReadFrom, Reply, Script, cmd};
use truename_lab::{Cut, CutPoint, Ending, Lab, LabProfile};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_sent_as_a_whole_where_a_server_does_not_have_it() {
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for round in 1..=3 {
        for shard in 0..3 {
            let sum: i64 = add.key(key_of(shard)).arg(5).execute(&client).await.expect("a sum");
            assert_eq!(sum, 5 * round);
        }
    }
    // Once for each node; everything else was by digest, and nothing ran twice.
    assert_eq!((all_executions(&lab, "eval").await, all_executions(&lab, "evalsha").await), (3, 9));
    tell(&lab, 0, &["SCRIPT", "FLUSH"]).await;
    add.key(key_of(0)).arg(5).run(&client).await.expect("it ran");
    assert_eq!((executions(&lab, 0, "eval").await, executions(&lab, 0, "incrby").await), (2, 4));
    let two: i64 = Script::new("return 1 + 1").call().execute(&client).await.expect("two");
    assert_eq!(two, 2);
    let error = add.key("foo").key("bar").arg(1).run(&client).await.expect_err("two slots");
    assert!(error.to_string().contains("\"foo\" of slot 12182, \"bar\" of slot 5061"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_script_answers_is_final() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let forged = "redis.call('INCR', KEYS[1]) return redis.error_reply('NOSCRIPT of my own')";
    let script = Script::new(forged);
    for calls in 1..=2 {
        let error = script.key("k").run(&client).await.expect_err("its own error");
        assert!(matches!(&error, Error::Server(error) if error.code() == "NOSCRIPT"), "{error}");
        assert!(error.may_have_executed());
        assert_eq!(client.execute::<i64>(cmd("GET").arg("k")).await.expect("a number"), calls);
    }
    // A nil says nothing about whether it ran.
    Script::new("return nil").key("k").run(&client).await.expect("it ran");
    // Both attempts together have the time that was given.
    let slow = Script::new("local t = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < t do end");
    let started = tokio::time::Instant::now();
    let error = slow.key("k").timeout(Duration::from_millis(300)).run(&client).await.expect_err("too slow");
    assert!(matches!(error, Error::Timeout(_)) && error.may_have_executed(), "{error}");
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}

/// Nobody could say of a script that it may be executed twice, so whoever had made sure of that wrote a loop around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_reply_was_lost_is_sent_again_only_on_request() {
    let lab = proxied_server().await;
    let client = connect(&lab).await;
    let add = Script::new("return redis.call('SADD', KEYS[1], ARGV[1])");
    add.key("set").arg("a").run(&client).await.expect("the server has it");
    for (repeatable, executions_after) in [(None, 2), (Some(true), 4), (Some(false), 5)] {
        client.run(cmd("PING")).await.expect("the connection is there");
        lab.proxy(0).cut_open(Cut::new(CutPoint::AfterReplies(0), Ending::Close));
        let call = add.key("set").arg("b");
        let call = match repeatable {
            Some(repeatable) => call.repeatable(repeatable),
            None => call,
        };
        match call.execute::<i64>(&client).await {
            Ok(added) => assert!(repeatable == Some(true) && added == 0, "the first copy added it"),
            Err(error) => {
                assert!(repeatable != Some(true) && matches!(error, Error::Interrupted(_)), "{error}");
                assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
            }
        }
        assert_eq!(executions(&lab, 0, "sadd").await, executions_after, "{repeatable:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_only_reads_may_go_to_a_replica() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab starts");
    let reads = config(&lab).read_from(ReadFrom::Replica);
    let client = Client::connect(&reads).await.expect("connected");
    client.run(cmd("RPUSH").arg("list").arg("a").arg("b")).await.expect("pushed");
    eventually("the replica has it", Duration::from_secs(5), || async {
        client.execute::<i64>(cmd("LLEN").arg("list")).await.is_ok_and(|length| length == 2)
    })
    .await;
    let length = Script::read_only("return redis.call('LLEN', KEYS[1])");
    for _ in 0..3 {
        assert_eq!(length.key("list").execute::<i64>(&client).await.expect("a length"), 2);
    }
    assert_eq!(executions(&lab, 1, "evalsha_ro").await, 3);
    assert_eq!((executions(&lab, 0, "evalsha_ro").await, executions(&lab, 0, "eval_ro").await), (0, 0));
    let writes = Script::read_only("return redis.call('DEL', KEYS[1])");
    assert!(writes.key("list").run(&client).await.is_err());
}

/// The redirect of a script is only a text that may be true; then came a server that did not have the script, and the call was
/// an error that nobody knew the meaning of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_goes_along_with_its_slot_to_a_server_that_does_not_have_it() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let add = Script::new("return redis.call('INCR', KEYS[1])");
    let slot = Slot::of_key(b"half").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    assert_eq!(add.key("half").execute::<i64>(&client).await.expect("one"), 1);
    lab.begin_migration(slot, from, to).await.expect("begun");
    lab.migrate_keys(slot, from, to, 10).await.expect("moved");
    assert_eq!(add.key("half").execute::<i64>(&client).await.expect("two"), 2);
    lab.finish_migration(slot, from, to).await.expect("finished");
    tell(&lab, to, &["SCRIPT", "FLUSH"]).await;
    assert_eq!(add.key("half").execute::<i64>(&client).await.expect("three"), 3);
    assert_eq!(add.key("half").execute::<i64>(&client).await.expect("four"), 4);
}

/// A script that may be executed twice failed at once while its cluster was down, with what other commands wait out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_may_be_executed_twice_waits_while_its_cluster_is_down() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let add = Script::new("return redis.call('SADD', KEYS[1], ARGV[1])");
    let count = Script::read_only("return redis.call('SCARD', KEYS[1])");
    add.key("set").arg("a").run(&client).await.expect("the server has it");
    assert_eq!(count.key("set").execute::<i64>(&client).await.expect("the server has it"), 1);
    let slot = Slot::of_key(b"set").value();
    let (owner, slot) = (lab.primary_of_slot(slot).await.expect("an owner"), slot.to_string());
    let rejected = || async {
        all_command_counts(&lab, "evalsha", "rejected_calls").await
            + all_command_counts(&lab, "evalsha_ro", "rejected_calls").await
    };
    tell(&lab, owner, &["CLUSTER", "DELSLOTS", &slot]).await;
    eventually("the cluster is down", Duration::from_secs(5), || async {
        add.key("set").arg("b").run(&client).await.is_err_and(|error| {
            matches!(&error, Error::Server(error) if error.code() == "CLUSTERDOWN")
                && error.may_have_executed()
        })
    })
    .await;
    let before = rejected().await;
    let calls = async {
        let (added, counted) = tokio::join!(
            add.key("set").arg("b").repeatable(true).execute::<i64>(&client),
            count.key("set").execute::<i64>(&client),
        );
        (added.expect("sent again"), counted.expect("sent again"))
    };
    let mend = async {
        eventually("they are refused", Duration::from_secs(5), || async { rejected().await > before + 3 })
            .await;
        tell(&lab, owner, &["CLUSTER", "ADDSLOTS", &slot]).await;
    };
    let ((added, counted), ()) = tokio::join!(calls, mend);
    assert!(added == 1 && (1..=2).contains(&counted), "{added} {counted}");
    // Its own words, to the end: its result, and not a refusal.
    let forged = "redis.call('INCR', KEYS[1]) return redis.error_reply('CLUSTERDOWN of my own')";
    let forged = Script::new(forged);
    let call = forged.key("k").repeatable(true).timeout(Duration::from_millis(300));
    let error = call.execute::<Reply>(&client).await.expect_err("its own error");
    assert!(matches!(&error, Error::Server(error) if error.code() == "CLUSTERDOWN"), "{error}");
    assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
    assert!(client.execute::<i64>(cmd("GET").arg("k")).await.expect("a number") > 1);
}
