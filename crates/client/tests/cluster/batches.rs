//! Batches and raw replies against real clusters: every outcome in its place, whatever happens to single commands.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::info::executions;
use crate::support::{
    config, connect, key_of, keys_of, lab, one_node, proxied_lab, renamed_lab, shard_of, spread_keys, tell,
};
use bytes::{Bytes, BytesMut};
use truename::resp::{Decoder, Frame, Limits, encode};
use truename::topology::Slot;
use truename::{Client, Command, Error, Protocol, Reply, cmd};
use truename_lab::{Cut, CutPoint, Ending, Fault, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_come_in_the_order_of_the_commands() {
    for profile in [LabProfile::Azure, LabProfile::Plain] {
        let lab = lab(profile).await;
        for protocol in [Protocol::Resp2, Protocol::Auto] {
            let client = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
            assert!(client.batch().execute::<Reply>().await.is_empty());
            let keys = spread_keys("batch", 3000);
            let mut batch = client.batch();
            for (n, key) in keys.iter().enumerate() {
                batch.add(cmd("SET").arg(key).arg(n));
                batch.add(cmd("INCRBY").arg(key).arg(1_000_000));
            }
            let outcomes = batch.execute::<Reply>().await;
            assert_eq!(outcomes.len(), 6000);
            for (n, pair) in outcomes.chunks(2).enumerate() {
                let [Ok(set), Ok(sum)] = pair else { panic!("{pair:?}") };
                assert_eq!((set.as_str(), sum.as_integer()), (Some("OK"), Some(1_000_000 + n as i64)));
            }
            let mut batch = client.batch();
            batch.extend(keys.iter().map(|key| cmd("GET").arg(key)));
            let values: Vec<usize> = batch.all().await.expect("all values");
            assert!(values.into_iter().enumerate().all(|(n, value)| value == 1_000_000 + n));
        }
    }
}

/// A command that fails, by its type, by what is refused before it is sent, or by what its reply is, is the only one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commands_error_is_its_own() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(1);
    let batch = client
        .batch()
        .with(cmd("SET").arg(&key).arg("text"))
        .with(cmd("INCR").arg(&key))
        .with(cmd("MULTI"))
        .with(cmd("FLUSHALL"))
        .with(cmd("RENAME").arg(key_of(0)).arg(key_of(2)))
        .with(cmd("EVAL").arg("return redis.error_reply('MOVED 1 evil:1')").arg(1).arg(&key))
        .with(cmd("BLPOP").arg(format!("{{{key}}}list")).arg(0.05))
        .with(cmd("NOSUCHCOMMAND").arg(&key))
        .with(cmd("GET").arg(&key));
    let outcomes = batch.execute::<Reply>().await;
    let said: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Reply::Nil) => "nil".to_owned(),
            Ok(reply) => reply.as_str().unwrap_or("?").to_owned(),
            Err(Error::Server(error)) => error.reply.code().to_owned(),
            Err(Error::Route(_)) => "not routed".to_owned(),
            Err(other) => panic!("{other}"),
        })
        .collect();
    let expected = ["OK", "ERR", "not routed", "not routed", "not routed", "MOVED", "nil", "ERR", "text"];
    assert_eq!(said, expected);
}

/// A batch is one write and one turn of the server's: what a node executes in between is somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_commands_along() {
    let lab = lab(LabProfile::UnknownEndpoint).await;
    let client = connect(&lab).await;
    let names: Vec<String> = (0..40).map(|n| format!("{{half}}{n}")).collect();
    let others = spread_keys("other", 200);
    for key in names.iter().chain(&others) {
        client.execute::<()>(cmd("SET").arg(key).arg(0)).await.expect("OK");
    }
    let slot = Slot::of_key(b"half").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    let batch = || {
        let mut batch = client.batch();
        batch.extend(names.iter().chain(&others).map(|key| cmd("INCR").arg(key)));
        batch.all::<Vec<i64>>()
    };
    // Half of the slot's keys answer ASK, all of them MOVED, none: each command is executed once every time.
    lab.begin_migration(slot, from, to).await.expect("begun");
    lab.migrate_keys(slot, from, to, 20).await.expect("half of the keys are there");
    assert!(batch().await.expect("all values").iter().all(|value| *value == 1));
    assert!(executions(&lab, to, "asking").await >= 20);
    lab.migrate_keys(slot, from, to, 100).await.expect("the other half");
    lab.finish_migration(slot, from, to).await.expect("finished");
    assert!(batch().await.expect("all values").iter().all(|value| *value == 2));
    assert!(batch().await.expect("all values").iter().all(|value| *value == 3));
}

/// A connection that ends in the middle: what was answered is not lost, what was not sent is sent again, and what may have
/// been executed is reported, command by command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_in_the_middle_is_told_apart_command_by_command() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    for answered in [0, 1, 7, 99, 100] {
        client.execute::<()>(cmd("SET").arg(&key).arg(0)).await.expect("OK");
        lab.proxy(0).cut_open(Cut::new(CutPoint::AfterReplies(answered), Ending::Close));
        let mut batch = client.batch();
        batch.extend((0..100).map(|_| cmd("INCR").arg(&key)));
        let outcomes = batch.execute::<i64>().await;
        for (n, outcome) in outcomes.iter().enumerate().take(answered as usize) {
            assert_eq!(outcome.as_ref().ok(), Some(&(n as i64 + 1)), "{answered}");
        }
        for outcome in &outcomes[answered as usize..] {
            let error = outcome.as_ref().expect_err("cut");
            assert!(matches!(error, Error::Interrupted(_)) && error.may_have_executed(), "{error}");
        }
        let value: u64 = client.execute(cmd("GET").arg(&key)).await.expect("a value");
        assert!((answered..=100).contains(&value), "{answered}: {value}");
    }
}

/// Reads of an unknown fate are sent again, and one node's silence is no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_delays_no_other_part() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let keys = spread_keys("part", 300);
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg(key)));
    batch.all::<()>().await.expect("OK");
    lab.proxy(0).set(Fault::Refuse);
    lab.proxy(0).end_open(Ending::Reset);
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("GET").arg(key)));
    let outcomes = batch.timeout(SECOND).execute::<String>().await;
    for (key, outcome) in keys.iter().zip(&outcomes) {
        match shard_of(key) {
            0 => assert!(outcome.is_err(), "{outcome:?}"),
            _ => assert_eq!(outcome.as_ref().expect("a value"), key),
        }
    }
    lab.proxy(0).pass();
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("GET").arg(key)));
    assert_eq!(batch.all::<Vec<String>>().await.expect("all values"), keys);
}

/// What the table lacks went by itself, even when a server had described it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_no_table_has_keeps_its_place() {
    let lab = renamed_lab(LabProfile::Plain, "APPEND MYAPPEND").await;
    let client = connect(&lab).await;
    let others = spread_keys("beside", 3000);
    for round in 1..=2 {
        let key = format!("text:{round}");
        let mut batch = client.batch();
        batch.extend(others.iter().map(|key| cmd("SET").arg(key).arg(round)));
        batch.add(cmd("SET").arg(&key).arg("a"));
        batch.add(cmd("MYAPPEND").arg(&key).arg("b"));
        batch.add(cmd("SETRANGE").arg(&key).arg(2).arg("c"));
        batch.add(cmd("MYAPPEND").arg(&key).arg("d"));
        batch.add(cmd("GET").arg(&key));
        let outcomes = batch.execute::<Reply>().await;
        let value = outcomes.into_iter().next_back().expect("six").expect("a value");
        assert_eq!(value.as_str(), Some("abcd"), "round {round}");
    }
}

/// Commands that waited for a connection in vain went on one by one, in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_is_sent_in_order_once_the_node_is_back() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let (key, beside) = (key_of(0), key_of(1));
    lab.proxy(0).set(Fault::Refuse);
    lab.proxy(0).end_open(Ending::Reset);
    while client.nodes().iter().all(|node| node.is_connected) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut batch = client.batch().timeout(20 * SECOND);
    batch.extend((0..2500).map(|n| cmd("RPUSH").arg(&key).arg(n)));
    batch.add(cmd("SET").arg(&beside).arg("done"));
    let lets_pass = async {
        // The other node has executed its part: this one has been tried and was not there.
        while client.execute::<Option<String>>(cmd("GET").arg(&beside)).await.expect("an answer").is_none() {}
        lab.proxy(0).pass();
    };
    let (outcomes, ()) = tokio::join!(batch.execute::<Reply>(), lets_pass);
    assert!(outcomes.iter().all(Result::is_ok));
    let values: Vec<usize> = client.execute(cmd("LRANGE").arg(&key).args([0, -1])).await.expect("a list");
    assert_eq!(values, (0..2500).collect::<Vec<_>>());
}

/// A command that was redirected waited until all later ones of its node were answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_by_itself_waits_for_no_later_unit() {
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let slot = Slot::of_key(b"half").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    lab.begin_migration(slot, from, (from + 1) % 3).await.expect("begun");
    // The first unit is answered; the next one is never.
    lab.proxy(from).cut_open(Cut::new(CutPoint::AfterReplies(1000), Ending::Silence));
    let late = keys_of(from, "late").take(1500);
    let mut batch = client.batch().timeout(4 * SECOND);
    batch.add(cmd("SET").arg("{half}key").arg("there"));
    batch.extend(late.map(|key| cmd("SET").arg(key).arg("x")));
    let running = batch.execute::<Reply>();
    let is_there = async { while executions(&lab, (from + 1) % 3, "asking").await == 0 {} };
    tokio::select! {
        outcomes = running => panic!("{} outcomes came first", outcomes.len()),
        () = is_there => {}
    }
}

/// A batch larger than everything that may be in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_may_be_larger_than_the_room() {
    let lab = one_node(LabProfile::Plain).await;
    let client =
        Client::connect(&config(&lab).max_in_flight(8).max_queued_bytes(1024)).await.expect("connected");
    let value = vec![b'v'; 300];
    let mut batch = client.batch();
    for n in 0..5000 {
        batch.add(cmd("SET").arg(format!("key:{}", n % 7)).arg(&value));
    }
    let (outcomes, beside) = tokio::join!(batch.execute::<()>(), client.execute::<String>(cmd("PING")));
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(beside.expect("answered"), "PONG");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batchs_deadline_is_all_commands() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    tell(&lab, 0, &["CLIENT", "PAUSE", "3000", "ALL"]).await;
    let started = tokio::time::Instant::now();
    let batch = client.batch().with(cmd("GET").arg("a")).with(cmd("SET").arg("a").arg(1));
    let outcomes = batch.timeout(Duration::from_millis(200)).execute::<Reply>().await;
    assert!(started.elapsed() < 2 * SECOND);
    for outcome in outcomes {
        let error = outcome.expect_err("paused");
        assert!(matches!(error, Error::Timeout(_)) && error.may_have_executed(), "{error}");
    }
}

/// What the client had taken in when the time was over was sent afterwards, and its error denied that it ever was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_of_a_frozen_batch_denies_what_is_executed_later() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    client.execute::<()>(cmd("SET").arg("warm").arg(1)).await.expect("OK");
    let value = vec![b'v'; 4000];
    let mut batch = client.batch();
    batch.extend((0..8000).map(|n| cmd("SET").arg(format!("k:{n}")).arg(&value)));
    lab.node(0).stop();
    let outcomes = batch.timeout(Duration::from_millis(300)).execute::<()>().await;
    lab.node(0).cont();
    assert!(outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(|error| !error.may_have_executed())));
    for (n, outcome) in outcomes.iter().enumerate() {
        if outcome.as_ref().is_err_and(|error| !error.may_have_executed()) {
            let exists = client.execute::<i64>(cmd("EXISTS").arg(format!("k:{n}"))).await;
            assert_eq!(exists.expect("a number"), 0, "{n}");
        }
    }
}

/// The bytes are those that a decoder would have read, for each kind of reply; redirects are followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_replies_are_the_servers_own_bytes() {
    for protocol in [Protocol::Resp2, Protocol::Auto] {
        let lab = lab(LabProfile::Azure).await;
        let client = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
        let key = key_of(2);
        client.execute::<()>(cmd("HSET").arg(&key).args(["a", "1", "b", "2"])).await.expect("set");
        let raw = client.execute_raw(cmd("HGETALL").arg(&key)).await.expect("a reply");
        let value: HashMap<String, u32> = client.execute(cmd("HGETALL").arg(&key)).await.expect("a map");
        let Frame::Reply(reply) = raw.decode(Limits::default()).expect("a whole frame") else {
            panic!("{raw:?}")
        };
        assert_eq!(<HashMap<String, u32> as truename::FromReply>::from_reply(reply).expect("a map"), value);
        let first = if protocol == Protocol::Auto { b'%' } else { b'*' };
        assert_eq!(raw.as_bytes()[0], first);
        let error = client.execute_raw(cmd("INCR").arg(&key)).await.expect_err("not a number");
        assert!(matches!(&error, Error::Server(error) if error.reply.code() == "WRONGTYPE"), "{error}");
        // A command that waits, and one that no table knows.
        let list = format!("{{{key}}}list");
        let (popped, pushed) = tokio::join!(
            client.execute_raw(cmd("BLPOP").arg(&list).arg(5)),
            client.execute::<i64>(cmd("RPUSH").arg(&list).arg("x")),
        );
        assert!(popped.is_ok() && pushed.is_ok());
        let moved = Slot::of_key(key.as_bytes()).value();
        let from = lab.primary_of_slot(moved).await.expect("an owner");
        lab.migrate_slot(moved, from, (from + 1) % 3).await.expect("moved");
        let raw = client.execute_raw(cmd("HGET").arg(&key).arg("b")).await.expect("a reply");
        assert_eq!(raw.as_bytes(), b"$1\r\n2\r\n");
    }
}

/// Commands that came encoded, replies that leave encoded, beside decoded ones on the same connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encoded_commands_go_where_their_keys_are() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let keys = spread_keys("raw", 200);
    let encoded = |args: &[&str]| -> Bytes {
        let mut out = BytesMut::new();
        encode::put_command(&mut out, args.iter().map(|arg| arg.as_bytes()));
        out.freeze()
    };
    let calls = keys.iter().map(|key| async {
        let set = Command::encoded(encoded(&["SET", key, key])).expect("a command");
        assert_eq!(client.execute_raw(set).await.expect("a reply").as_bytes(), b"+OK\r\n");
        let get = encoded(&["GET", key]);
        let (raw, decoded) = tokio::join!(
            client.execute_raw(Command::encoded(&get).expect("a command")),
            client.execute::<String>(Command::encoded(&get).expect("a command")),
        );
        assert_eq!(decoded.expect("a value"), *key);
        let mut bytes = BytesMut::from(raw.expect("a reply").as_bytes());
        let frame = Decoder::default().decode(&mut bytes).expect("valid").expect("whole");
        assert_eq!(frame, Frame::Reply(Reply::Bulk(key.clone().into())));
    });
    futures(calls).await;
    let more = Command::encoded(b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n").expect("a command").arg("{a}b");
    assert_eq!(client.execute::<i64>(more.into_owned()).await.expect("a number"), 0);
}

async fn futures(calls: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        calls.retain_mut(|call| call.as_mut().poll(cx).is_pending());
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
