//! A client that owns its runtime, at work: batches in, completions out, one wake-up for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::hosted::{numbered, start, start_raw, start_with, with_a_worker};
use crate::support::{config, eventually, lab, shard_of};
use truename::error::TypeError;
use truename::hosted::{HostedClient, Request};
use truename::{Command, Error, FromReply, Reply, cmd};
use truename_lab::LabProfile;

/// What a reply to each kind of request of the large batch must be.
fn check(token: u64, outcome: &Result<Reply, Error>) {
    let key = format!("key:{}", token / 4);
    match (token % 4, outcome) {
        (0, Ok(reply)) => assert_eq!(reply.as_str(), Some("OK"), "{token}"),
        (1, Ok(reply)) => assert_eq!(reply.as_str(), Some(&*key), "{token}: it finds what was set before"),
        (2, Err(Error::Server(error))) => {
            assert!(error.reply.message().contains("not an integer"), "{error}")
        }
        (3, Err(Error::Route(error))) => assert!(error.to_string().contains("FLUSHALL"), "{error}"),
        (_, other) => panic!("{token}: {other:?}"),
    }
}

/// One batch, of which the connections have room for a part at a time.
#[test]
fn a_large_batch_over_all_slots_is_answered_completely() {
    const KEYS: u64 = 15_000;
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Azure));
    let (hosted, mut taker) = start(&config(&lab));
    let keys: Vec<String> = (0..KEYS).map(|n| format!("key:{n}")).collect();
    assert!((0..3).all(|shard| keys.iter().any(|key| shard_of(key) == shard)));
    let commands = keys.iter().flat_map(|key| {
        [cmd("SET").arg(key).arg(key), cmd("GET").arg(key), cmd("INCR").arg(key), cmd("FLUSHALL")]
    });
    hosted.submit(numbered(0, commands)).expect("room");
    taker.until(4 * KEYS as usize);
    taker.outcomes.iter().for_each(|(token, outcome)| check(*token, outcome));
    assert_eq!(hosted.outstanding(), 0);
    assert_eq!(hosted.client().topology().nodes().len(), 3);
    // The client serves any other caller as well.
    let value = servers.block_on(hosted.client().execute::<String>(cmd("GET").arg("key:0")));
    assert_eq!(value.expect("a value"), "key:0");
    hosted.shutdown();
}

#[test]
fn commands_of_one_slot_are_executed_in_the_order_of_the_batch() {
    const LISTS: u64 = 50;
    const ELEMENTS: u64 = 20_000;
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let (hosted, mut taker) = start::<i64>(&config(&lab));
    let push = |n: u64| Request::new(n, cmd("RPUSH").arg(format!("list:{}", n % LISTS)).arg(n));
    let mut next = 0;
    for size in [1, 7, 1000, 3, 5000].into_iter().cycle() {
        let end = ELEMENTS.min(next + size);
        hosted.submit((next..end).map(push)).expect("room");
        next = end;
        if next == ELEMENTS {
            break;
        }
    }
    taker.until(ELEMENTS as usize);
    assert!(taker.outcomes.values().all(Result::is_ok));
    for list in 0..LISTS {
        let range = cmd("LRANGE").arg(format!("list:{list}")).arg(0).arg(-1);
        let elements = servers.block_on(hosted.client().execute::<Vec<u64>>(range)).expect("a list");
        let wanted: Vec<u64> = (list..ELEMENTS).step_by(LISTS as usize).collect();
        assert_eq!(elements, wanted, "list {list}");
        // Each was answered with the length that it made.
        assert!((1..).zip(elements).all(|(length, n)| matches!(taker.outcomes[&n], Ok(l) if l == length)));
    }
}

#[test]
fn the_callback_is_called_once_until_completions_are_taken() {
    const COMMANDS: u64 = 10_000;
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let (hosted, mut taker) = start::<u64>(&config(&lab));
    let increments = |from| numbered(from, (0..COMMANDS).map(|_| cmd("INCR").arg("counter")));
    hosted.submit(increments(0)).expect("room");
    servers.block_on(eventually("all are executed", Duration::from_secs(20), async || {
        let count = hosted.client().execute::<Option<u64>>(cmd("GET").arg("counter")).await;
        count.expect("a number") == Some(COMMANDS)
    }));
    assert_eq!(taker.bell.wait(0), 1, "nothing was taken yet");
    taker.until(COMMANDS as usize);
    // Now with somebody who takes at once: there is no call without a reason.
    for batch in 1..=10 {
        hosted.submit(increments(batch * COMMANDS)).expect("room");
        taker.until(((batch + 1) * COMMANDS) as usize);
    }
    assert!(taker.bell.rings() <= taker.takes, "{} calls, {} takes", taker.bell.rings(), taker.takes);
    let replies: u64 = taker.outcomes.values().map(|outcome| outcome.as_ref().expect("a number")).sum();
    assert_eq!(replies, (1..=11 * COMMANDS).sum::<u64>(), "every number once");
}

/// Its conversion panics for one reply.
#[derive(Debug)]
struct Touchy(u64);

impl FromReply for Touchy {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        let number = u64::from_reply(reply)?;
        assert!(number != 500, "broken on purpose");
        Ok(Self(number))
    }
}

#[test]
fn panics_of_the_users_code_stop_nothing() {
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let panics = Arc::new(AtomicBool::new(true));
    let of_callback = panics.clone();
    let (hosted, mut taker) = start_with::<Touchy>(&config(&lab), move |_| {
        assert!(!of_callback.load(Ordering::Relaxed), "broken on purpose");
    });
    let increments = |from| numbered(from, (0..1000).map(|_| cmd("INCR").arg("counter")));
    for batch in 0..3 {
        hosted.submit(increments(batch * 1000)).expect("room");
        taker.until(1000 * (batch as usize + 1));
    }
    panics.store(false, Ordering::Relaxed);
    hosted.submit(increments(3000)).expect("room");
    taker.until(4000);
    let mut failed = Vec::new();
    for outcome in taker.outcomes.values() {
        match outcome {
            Ok(Touchy(number)) => assert_ne!(*number, 500),
            Err(error) => failed.push(error),
        }
    }
    let [error] = failed[..] else { panic!("{failed:?}") };
    assert!(matches!(error, Error::Type(_)) && error.may_have_executed(), "{error:?}");
    assert!(error.to_string().contains("broken on purpose"), "{error}");
}

/// Nobody takes completions: the requests are executed all the same, and do not fill up the client.
#[test]
fn requests_are_executed_though_nobody_takes_their_completions() {
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let (hosted, taker) = start::<Reply>(&config(&lab));
    let increments = || numbered(0, (0..5000).map(|_| cmd("INCR").arg("counter")));
    hosted.submit(increments()).expect("room");
    let bell = taker.bell.clone();
    drop(taker);
    let rings = bell.rings();
    hosted.submit(increments()).expect("room");
    let limit = Duration::from_secs(20);
    servers.block_on(eventually("nothing is outstanding", limit, async || hosted.outstanding() == 0));
    let count = servers.block_on(hosted.client().execute::<u64>(cmd("GET").arg("counter")));
    assert_eq!(count.expect("a number"), 10_000);
    hosted.shutdown();
    assert!(bell.rings() <= rings + 1, "one call may have been on its way");
}

#[test]
fn a_killed_node_costs_its_own_commands_and_no_completion() {
    const BATCH: u64 = 3000;
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Plain));
    let config = config(&lab).command_timeout(Duration::from_secs(1));
    let (hosted, mut taker) = start::<u64>(&config);
    let keys: Vec<String> = (0..BATCH).map(|n| format!("key:{n}")).collect();
    let mut submitted = 0;
    let mut submit = |hosted: &HostedClient| {
        let increments = keys.iter().map(|key| cmd("INCR").arg(key));
        hosted.submit(numbered(submitted, increments)).expect("room");
        submitted += BATCH;
        submitted as usize
    };
    let before = submit(&hosted);
    taker.until(before);
    for round in 0..10 {
        submit(&hosted);
        if round == 2 {
            // With commands under way, and without a replica.
            lab.node(0).kill();
        }
        taker.take();
    }
    let all = submit(&hosted);
    taker.until(all);
    let (mut failed, mut counts) = (0, vec![0; keys.len()]);
    for (token, outcome) in &taker.outcomes {
        let n = (token % BATCH) as usize;
        match outcome {
            Ok(count) => counts[n] = counts[n].max(*count),
            Err(error) => {
                assert_eq!(shard_of(&keys[n]), 0, "{token}: {error}");
                failed += 1;
            }
        }
    }
    assert!(failed > 0, "the node was in use");
    // Of the other shards' keys, each was counted as often as it was submitted.
    let rounds = submitted / BATCH;
    let is_as_it_must = |(key, count): (&String, &u64)| shard_of(key) == 0 || *count == rounds;
    assert!(keys.iter().zip(&counts).all(is_as_it_must));
}

/// Encoded requests in, replies as they came out: nothing is decoded on the way.
#[test]
fn bytes_in_and_bytes_out() {
    let runtime = with_a_worker();
    let lab = runtime.block_on(lab(LabProfile::Azure));
    let (hosted, mut taker) = start_raw(&config(&lab));
    let encoded = |args: &[&str]| {
        let mut out = bytes::BytesMut::new();
        truename::resp::encode::put_command(&mut out, args.iter().map(|arg| arg.as_bytes()));
        Command::encoded(out.freeze()).expect("a command")
    };
    let keys: Vec<String> = (0..200).map(|n| format!("raw:{n}")).collect();
    let commands = keys.iter().flat_map(|key| [encoded(&["SET", key, key]), encoded(&["STRLEN", key])]);
    hosted.submit(numbered(0, commands)).expect("room");
    hosted.close();
    taker.until_the_end();
    assert_eq!(taker.outcomes.len(), 400);
    for (token, outcome) in taker.outcomes {
        let length = keys[token as usize / 2].len();
        let expected = if token % 2 == 0 { "+OK\r\n".to_owned() } else { format!(":{length}\r\n") };
        assert_eq!(outcome.expect("a reply").as_bytes(), expected.as_bytes(), "{token}");
    }
}
