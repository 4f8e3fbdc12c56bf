//! Redirects are followed where a server sends a command elsewhere, and nowhere else: the text of an error that a script made
//! leads nowhere.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::support::info::all_command_counts;
use crate::support::recorder::Recorder;
use crate::support::scripted::{Scripted, node, slots};
use crate::support::{config, connect, eventually, key_of, lab, proxied_lab, renamed_lab, shard_of, tell};
use tokio::time::Instant;
use truename::topology::Slot;
use truename::{Client, Config, Error, Event, Notice, Reply, cmd};
use truename_lab::{Direction, Fault, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
/// Counts its executions, then answers with the error that it is given.
const COUNT_AND_SAY: &str = "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])";
const COUNT: &str = "return redis.call('INCR', KEYS[1])";

/// The texts that a script may answer with: redirects of its own slot and of another, to evil, to a real node, to nowhere.
fn texts(lab: &Lab, evil: &Recorder, key: &str) -> Vec<String> {
    let own = Slot::of_key(key.as_bytes()).value();
    let other = (own + 5000) % 16_384;
    let (host, port) = lab.node(1).announced();
    let mut texts = Vec::new();
    for code in ["MOVED", "ASK"] {
        for slot in [own, other] {
            texts.push(format!("{code} {slot} {}", evil.address));
            texts.push(format!("{code} {slot} {host}:{port}"));
            texts.push(format!("{code} {slot} :{port}"));
        }
    }
    texts.push(format!("MOVED {own} ?:7000"));
    texts
}

/// The error is the result of a command that ran, once.
fn assert_result(error: &Error, text: &str) {
    let Error::Server(server) = error.inner() else { panic!("{text}: {error:?}") };
    assert_eq!(server.reply.message(), text);
    assert!(error.may_have_executed() && !error.is_retryable() && !server.is_refusal(), "{error}");
}

/// A script's `MOVED` used to be followed to wherever it pointed, password in hand, and to patch the map that every caller
/// of the client routes by; the script was executed up to 26 times, and the error said that it was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_that_a_script_makes_leads_nobody_anywhere() {
    let (lab, evil) = (lab(LabProfile::Plain).await, Recorder::listen().await);
    let library = "#!lua name=tenant\nredis.register_function('count_and_say', function(KEYS, ARGV) \
                   redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1]) end)";
    for node in 0..3 {
        tell(&lab, node, &["FUNCTION", "LOAD", library]).await;
    }
    let client = connect(&lab).await;
    let before = client.topology();
    for (name, what) in [("EVAL", COUNT_AND_SAY), ("FCALL", "count_and_say")] {
        let key = format!("{{{}}}{name}", key_of(0));
        let texts = texts(&lab, &evil, &key);
        for (done, text) in texts.iter().enumerate() {
            let call = cmd(name).arg(what).arg(1).arg(&key).arg(text);
            let error = client.execute::<Reply>(call).await.expect_err("the script's error");
            assert_result(&error, text);
            let executed: usize = client.execute(cmd("GET").arg(&key)).await.expect("a number");
            assert_eq!(executed, done + 1, "{name}: {text}");
        }
    }
    for n in 0..30 {
        client.execute::<()>(cmd("SET").arg(format!("bystander:{n}")).arg(n)).await.expect("OK");
    }
    assert_eq!(evil.connections(), 0, "the redirect was followed");
    assert!(client.topology() == before, "the shared map was patched");
}

/// Scripts are sent elsewhere when the servers themselves say so: after a migration and during one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_follows_its_slot_all_the_same() {
    for profile in [LabProfile::Plain, LabProfile::UnknownEndpoint] {
        let lab = lab(profile).await;
        let client = connect(&lab).await;
        let key = "{half}counter";
        let slot = Slot::of_key(key.as_bytes()).value();
        let from = lab.primary_of_slot(slot).await.expect("an owner");
        let to = (from + 1) % 3;
        let count = || client.execute::<i64>(cmd("EVAL").arg(COUNT).arg(1).arg(key));
        lab.begin_migration(slot, from, to).await.expect("begun");
        for round in 1..=3 {
            // The key is not where the slot is: ASK, and the importing node has it.
            assert_eq!(count().await.expect("a number"), round, "{profile}");
        }
        lab.finish_migration(slot, from, to).await.expect("finished");
        assert_eq!(count().await.expect("a number"), 4, "{profile}");
        lab.migrate_slot(slot, to, from).await.expect("migrated");
        assert_eq!(count().await.expect("a number"), 5, "{profile}");
    }
}

/// Servers refuse several keys of a slot that is on its way while some of them have left: a script's call ended with that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_with_several_keys_waits_for_its_slot() {
    let lab = lab(LabProfile::Plain).await;
    let library = "#!lua name=both\nredis.register_function('both', function(KEYS) \
                   return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2]) end)";
    for node in 0..3 {
        tell(&lab, node, &["FUNCTION", "LOAD", library]).await;
    }
    let both = "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])";
    let script = truename::Script::new(both);
    let client = connect(&lab).await;
    let (first, second) = ("{half}1", "{half}2");
    let slot = Slot::of_key(first.as_bytes()).value();
    for (round, name) in ["EVAL", "EVALSHA", "FCALL", "batch"].into_iter().enumerate() {
        client.run(cmd("MSET").args([first, "0", second, "0"])).await.expect("OK");
        let from = lab.primary_of_slot(slot).await.expect("an owner");
        let to = (from + 1) % 3;
        lab.begin_migration(slot, from, to).await.expect("begun");
        lab.migrate_keys(slot, from, to, 1).await.expect("one of them has left");
        let rejected = || async {
            let mut count = 0;
            for name in ["eval", "evalsha", "fcall"] {
                count += all_command_counts(&lab, name, "rejected_calls").await;
            }
            count
        };
        let before = rejected().await;
        let call = async {
            let eval = |name: &'static str, what| cmd(name).arg(what).arg(2).arg(first).arg(second);
            match name {
                "EVAL" => client.execute::<i64>(eval("EVAL", both)).await,
                "EVALSHA" => script.key(first).key(second).execute::<i64>(&client).await,
                "FCALL" => client.execute::<i64>(eval("FCALL", "both")).await,
                _ => client.batch().with(eval("EVAL", both)).all::<(i64,)>().await.map(|(sum,)| sum),
            }
        };
        let finish = async {
            eventually("it is refused", 5 * SECOND, || async { rejected().await > before + 1 }).await;
            lab.migrate_keys(slot, from, to, 1).await.expect("the other one has left");
            lab.finish_migration(slot, from, to).await.expect("finished");
        };
        let (sum, ()) = tokio::join!(call, finish);
        assert_eq!(sum.unwrap_or_else(|error| panic!("{name}: {error}")), 2, "{round}");
    }
    // Its own words of another kind are its result.
    let own = cmd("EVAL").arg("return redis.error_reply('TRYAGAIN later')").arg(1).arg(first);
    let error = client.execute::<Reply>(own).await.expect_err("the script's error");
    assert!(error.may_have_executed() && error.to_string().contains("TRYAGAIN later"), "{error}");
}

/// Unknown commands counted as refused when their answer began with the right word: one call was
/// executed 42 to 46 times, and the error said "not sent".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_unknown_command_answers_is_its_result() {
    let (lab, evil) = (renamed_lab(LabProfile::Plain, "EVAL MYEVAL").await, Recorder::listen().await);
    let key = key_of(0);
    let may_ask = connect(&lab).await;
    for node in 0..3 {
        tell(&lab, node, &["ACL", "SETUSER", "default", "-command"]).await;
    }
    let must_guess = connect(&lab).await;
    let mut executed = 0;
    for client in [&may_ask, &must_guess] {
        let before = client.topology();
        let mut texts = texts(&lab, &evil, &key);
        for code in ["TRYAGAIN", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN"] {
            texts.push(format!("{code} said the script"));
        }
        for text in &texts {
            // Given by the caller, the slot is not a guess.
            let call = cmd("MYEVAL").arg(COUNT_AND_SAY).arg(1).arg(&key).arg(text).route_by_key(&key);
            let error = client.execute::<Reply>(call.clone()).await.expect_err("the script's error");
            executed += 1;
            assert_result(&error, text);
            assert_eq!(
                client.execute::<i64>(cmd("GET").arg(&key)).await.expect("a number"),
                executed,
                "{text}"
            );
        }
        assert!(client.topology() == before, "the shared map was patched");
    }
    assert_eq!(evil.connections(), 0, "the redirect was followed");
}

/// A guessed slot is wrong, and the server's redirect says which it is: the map then says whose that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guessed_slot_gives_way_to_the_servers() {
    let lab = renamed_lab(LabProfile::Plain, "EVAL MYEVAL").await;
    for may_ask in [true, false] {
        let client = connect(&lab).await;
        if !may_ask {
            for node in 0..3 {
                tell(&lab, node, &["ACL", "SETUSER", "default", "-command"]).await;
            }
        }
        for shard in 0..3 {
            let key = format!("{{{}}}{may_ask}", key_of(shard));
            // Argument 1, where most commands have their key, is the script.
            let call = || client.execute::<i64>(cmd("MYEVAL").arg(COUNT).arg(1).arg(&key));
            assert_eq!(call().await.expect("a number"), 1, "{key}");
            assert_eq!(call().await.expect("a number"), 2, "{key}");
        }
    }
}

/// Where a redirect led to another node after all, no later error may deny what the first one may have done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_a_doubtful_redirect_does_not_deny_the_first_attempt() {
    const SAY: &str = "return redis.error_reply(ARGV[1])";
    let lab = renamed_lab(LabProfile::Plain, "EVAL MYEVAL").await;
    for node in 0..3 {
        tell(&lab, node, &["ACL", "SETUSER", "default", "-command"]).await;
    }
    let client = Client::connect(&config(&lab).command_timeout(SECOND)).await.expect("connected");
    // Its key is taken to be argument 1, the script, so that is where it runs; the text then names a slot of another shard.
    let elsewhere = (shard_of(SAY) + 1) % 3;
    let text = format!("MOVED {} 10.0.0.1:1", Slot::of_key(key_of(elsewhere).as_bytes()).value());
    let call = || client.execute::<Reply>(cmd("MYEVAL").arg(SAY).arg(0).arg(&text));
    assert_result(&call().await.expect_err("what the script said"), &text);
    lab.node(elsewhere).kill();
    let error = call().await.expect_err("nobody is there");
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
    assert!(error.may_have_executed() && !error.is_retryable(), "{error}");
}

/// A plain command is answered with this, which is of a slot that is not the command's.
async fn odd_redirect(text: impl Fn(&Recorder, u16) -> String) {
    let (lab, evil) = (proxied_lab(LabProfile::Plain).await, Recorder::listen().await);
    let client = Client::connect(&config(&lab)).await.expect("connected");
    let key = key_of(0);
    client.execute::<()>(cmd("SET").arg(&key).arg("value")).await.expect("OK");
    let before = client.topology();
    let proxy = lab.proxy(0);
    proxy.set(Fault::Stall(Direction::Requests));
    let call = tokio::spawn({
        let (client, key) = (client.clone(), key.clone());
        async move { client.execute::<String>(cmd("GET").arg(&key)).await }
    });
    // Neither the command, which the proxy does not read, nor the answer that nobody gave shows up in a count.
    tokio::time::sleep(SECOND / 10).await;
    proxy.inject(format!("-{}\r\n", text(&evil, Slot::of_key(key.as_bytes()).value())));
    tokio::time::sleep(SECOND / 10).await;
    proxy.pass();
    assert_eq!(call.await.expect("no panic").expect("waited for"), "value");
    eventually("other calls go on", 3 * SECOND, || async {
        client.execute::<()>(cmd("SET").arg(&key).arg("value")).await.is_ok()
    })
    .await;
    assert!(client.topology() == before, "the map was patched");
    assert_eq!(evil.connections(), 0, "a redirect of another slot was followed");
}

/// A managed service asks for a new connection by sending a command to the node that it was sent to. That used to be
/// followed 25 times on the same connection, and then the call failed.
#[tokio::test]
async fn a_redirect_to_the_node_that_answered_makes_its_connection_anew() {
    const ID: &str = "0123456789012345678901234567890123456789";
    let asks_until = Instant::now() + SECOND / 2;
    let own = Arc::new(OnceLock::new());
    let address = own.clone();
    let peer = Scripted::listen("127.0.0.1:0", move |words| {
        let at: &SocketAddr = address.get()?;
        let slot = Slot::of_key(b"key").value();
        Some(match words[0].as_str() {
            "GET" if Instant::now() < asks_until => format!("-MOVED {slot} {at}\r\n"),
            _ => node(words, ID, &slots(&[(0, 16_383, *at, ID)])),
        })
    })
    .await;
    own.set(peer.address).expect("once");
    let config = Config::new().plaintext().seed("127.0.0.1", peer.address.port());
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let mut events = client.events();
    let value: String = client.execute(cmd("GET").arg("key")).await.expect("waited for");
    assert_eq!(value, "key");
    assert!(peer.times("GET").len() < 30, "{} times within half a second", peer.times("GET").len());
    let anew = async {
        while let Some(notice) = events.next().await {
            if matches!(notice, Notice::Event(Event::Connected { .. })) {
                return;
            }
        }
    };
    tokio::time::timeout(3 * SECOND, anew).await.expect("the connection is made anew");
}

/// A redirect of a slot other than the command's says nothing about the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_of_another_slot_is_waited_out() {
    odd_redirect(|evil, slot| format!("MOVED {} {}", (slot + 1) % 16_384, evil.address)).await;
    odd_redirect(|evil, slot| format!("ASK {} {}", (slot + 1) % 16_384, evil.address)).await;
}

/// Servers say so of keys that differ. A script of one key that ended with these words was executed two dozen times, and its
/// error said that it was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_tryagain_are_a_result_where_no_server_says_them() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    let text = "TRYAGAIN Multiple keys request during rehashing of slot";
    let without_keys = "redis.call('INCR', ARGV[1]) return redis.error_reply(ARGV[2])";
    let calls = [
        cmd("EVAL").arg(COUNT_AND_SAY).arg(1).arg(&key).arg(text),
        cmd("EVAL").arg(COUNT_AND_SAY).arg(2).arg(&key).arg(&key).arg(text),
        cmd("EVAL").arg(without_keys).arg(0).arg(&key).arg(text).route_by_key(&key),
    ];
    let mut executed = 0;
    for call in calls {
        let error = client.execute::<Reply>(call.clone()).await.expect_err("the script's error");
        assert_result(&error, text);
        let error =
            client.batch().with(call.clone()).all::<(Reply,)>().await.expect_err("the script's error");
        assert_result(&error, text);
        let held = client.dedicated(&key).await.expect("a connection");
        let error = held.execute::<Reply>(call).await.expect_err("the script's error");
        assert_result(&error, text);
        executed += 3;
        assert_eq!(client.execute::<i64>(cmd("GET").arg(&key)).await.expect("a number"), executed);
    }
}
