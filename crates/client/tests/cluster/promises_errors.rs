//! What an error says: what stood in the way and who said so, which rule was broken, which call is the right one.

use std::sync::Mutex;
use std::time::Duration;

use crate::support::scripted::{Scripted, node, slots};
use crate::support::{
    config, connect, eventually, key_of, lab, one_node, proxied_server, refusal as refusal_of, tell,
};
use truename::error::RouteError;
use truename::{Client, Config, Error, Reply, cmd};
use truename_lab::LabProfile;

const SECOND: Duration = Duration::from_secs(1);

/// A text had the server's words, and neither their code nor who had said them could be asked for.
#[tokio::test]
async fn a_timeout_has_the_last_refusal_and_who_said_it() {
    let lab = proxied_server().await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND / 2)).await.expect("connected");
    tell(&lab, 0, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = client.run(cmd("SET").arg("k").arg("v")).await.expect_err("read only");
    let refusal = error.last_refusal().expect("one was met");
    assert_eq!((refusal.code(), Some(&refusal.node)), ("READONLY", error.node()), "{error}");
    assert!(error.to_string().contains(&format!("(the last refusal, from {}: READONLY ", refusal.node)));
}

#[tokio::test]
async fn whatever_a_server_refuses_with_is_what_the_timeout_has() {
    let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
    let map = slots(&[(0, 16_383, peer.address, "one")]);
    let config = Config::new().seed("127.0.0.1", peer.address.port()).plaintext().command_timeout(SECOND / 4);
    for words in
        ["CLUSTERDOWN Hash slot not served", "LOADING the data", "TRYAGAIN later", "MASTERDOWN no link"]
    {
        let map = map.clone();
        peer.becomes(move |request| match request[0].as_str() {
            "SET" => Some(format!("-{words}\r\n")),
            _ => Some(node(request, "one", &map)),
        });
        let client = Client::connect(&config).await.expect("connected");
        let error = client.run(cmd("SET").arg("k").arg("v")).await.expect_err("refused");
        let refusal = error.last_refusal().unwrap_or_else(|| panic!("{error}"));
        assert!(matches!(error, Error::Timeout(_)), "{error}");
        assert_eq!((refusal.reply.message(), refusal.node.port()), (words, peer.address.port()));
        assert!(words.starts_with(refusal.code()) && error.to_string().contains(words), "{error}");
    }
}

/// Two nodes that say of each other that they have the slot, until the client's patience is over.
#[tokio::test]
async fn a_call_that_goes_in_circles_says_who_sent_it_where() {
    let [one, other] =
        [Scripted::listen("127.0.0.1:0", |_| None).await, Scripted::listen("127.0.0.1:0", |_| None).await];
    let map = slots(&[(0, 8_191, one.address, "one"), (8_192, 16_383, other.address, "other")]);
    for (peer, id, to) in [(&one, "one", other.address), (&other, "other", one.address)] {
        let map = map.clone();
        // The slot of "k".
        peer.becomes(move |request| match request[0].as_str() {
            "SET" => Some(format!("-MOVED 7629 {to}\r\n")),
            _ => Some(node(request, id, &map)),
        });
    }
    let config = Config::new().seed("127.0.0.1", one.address.port()).plaintext().command_timeout(20 * SECOND);
    let client = Client::connect(&config).await.expect("connected");
    let error = client.run(cmd("SET").arg("k").arg("v")).await.expect_err("a circle");
    let refusal = error.last_refusal().expect("one was met").clone();
    let to = if refusal.node.port() == one.address.port() { other.address } else { one.address };
    let says = format!("MOVED 7629 {to}");
    assert_eq!((refusal.code(), refusal.reply.message()), ("MOVED", says.as_str()));
    assert!(error.to_string().contains(&format!("from {}: {says}", refusal.node)), "{error}");
    assert!(matches!(refusal_of(error), RouteError::TooManyRedirects { .. }));
}

/// A batch of a hundred commands failed with the words of one, and did not say of which.
#[tokio::test]
async fn a_batch_that_has_no_value_says_which_command_failed() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    client.run(cmd("SET").arg("{k}text").arg("a secret")).await.expect("OK");
    let batch = || client.batch().with(cmd("SET").arg("{k}n").arg(1)).with(cmd("INCR").arg("{k}text"));
    for batch in [batch(), batch().ordered(), batch().atomic()] {
        let error =
            batch.with(cmd("GET").arg("{k}n")).all::<Vec<Reply>>().await.expect_err("it is no number");
        assert!(
            error.to_string().starts_with("command 2 of 3 (INCR): ERR value is not an integer"),
            "{error}"
        );
        let Error::InBatch(place) = &error else { panic!("{error:?}") };
        assert_eq!((place.index, place.commands, place.command.as_str()), (1, 3, "INCR"));
        let Error::Server(inner) = error.inner() else { panic!("{error:?}") };
        assert_eq!((inner.code(), error.node()), ("ERR", Some(&inner.node)));
        assert_eq!(error.may_have_executed(), place.error.may_have_executed());
    }
    // As a tuple, each reply has a type of its own.
    let typed = client.batch().with(cmd("STRLEN").arg("{k}text")).with(cmd("GET").arg("{k}text"));
    let error = typed.all::<(u64, u64)>().await.expect_err("it is no number");
    assert!(error.to_string().starts_with("command 2 of 2 (GET): expected an integer"), "{error}");
    assert!(matches!(error.inner(), Error::Type(_)) && !error.to_string().contains("secret"), "{error}");
    let mine = || cmd("SET").arg("lock").arg("me").arg("NX");
    let error = client.batch().with(mine()).with(mine()).all::<()>().await.expect_err("nil the second time");
    assert!(error.to_string().starts_with("command 2 of 2 (SET): expected a reply, got nil"), "{error}");
    // What fails as a whole is nobody's own error.
    let nowhere = client.batch().with(cmd("SUBSCRIBE").arg("news")).with(cmd("GET").arg("{k}n")).atomic();
    let error = nowhere.all::<Vec<Reply>>().await.expect_err("refused");
    assert!(matches!(&error, Error::Route(_)) && std::ptr::eq(error.inner(), &error), "{error}");
}

/// One remedy for all of them said that a plain call cannot do it, and not which call can.
#[tokio::test]
async fn a_refused_command_is_told_the_call_that_does_it() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    for (line, remedy) in [
        ("SCAN 0", "Client::scan"),
        ("MULTI", "Client::batch().atomic()"),
        ("EXEC", "Client::transaction"),
        ("WATCH k", "Client::watch"),
        ("MONITOR", "Client::monitor"),
        ("WAIT 1 10", "at the end of Client::batch"),
        ("WAITAOF 0 1 10", "Client::dedicated"),
        ("SUBSCRIBE news", "no subscriptions yet"),
        ("SSUBSCRIBE news", "SPUBLISH"),
        ("SELECT 1", "Config::database"),
        ("AUTH me secret", "Config::password or Config::credentials"),
        ("HELLO 3", "Config::protocol"),
        ("CLIENT SETNAME me", "Config::client_name"),
        ("CLIENT REPLY OFF", "Client::run"),
        ("READONLY", "Config::read_from"),
        ("RESET", "Client::dedicated"),
        ("INFO", "Client::on_primaries or Client::on_all_nodes"),
        ("FLUSHALL", "on all primaries with Client::on_primaries, or"),
        ("CONFIG SET maxmemory 0", "on every node with Client::on_all_nodes, or"),
        ("CLIENT LIST", "on every node with Client::on_all_nodes, or"),
        ("SHUTDOWN", "Command::route_to"),
    ] {
        let mut words = line.split(' ');
        let command = cmd(words.next().expect("a name")).args(words);
        let error = client.execute::<Reply>(command).await.expect_err("refused");
        let told = error.remedy().unwrap_or_else(|| panic!("{error}")).to_string();
        assert!(matches!(error, Error::Route(_)) && told.contains(remedy), "{line}: {error}");
        assert!(error.to_string().ends_with(&told), "{error}");
    }
    // These are plain calls.
    for line in ["HSCAN h 0", "SSCAN s 0", "ZSCAN z 0", "SPUBLISH news x", "PUBLISH news x"] {
        let mut words = line.split(' ');
        let command = cmd(words.next().expect("a name")).args(words);
        client.execute::<Reply>(command).await.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// A node that had been connected to and was killed was said to be at an address that cannot be reached, with a rule to write.
#[tokio::test]
async fn who_was_reached_before_is_not_looked_for_elsewhere() {
    let lab = lab(LabProfile::Plain).await;
    let [killed, key] = [key_of(1), key_of(2)];
    let patient = config(&lab).command_timeout(SECOND);
    let client = Client::connect(&patient).await.expect("connected");
    for key in [&killed, &key] {
        client.run(cmd("SET").arg(key).arg(1)).await.expect("reached");
    }
    lab.node(1).kill();
    let told = Mutex::new(String::new());
    let is_refused = || async {
        let Err(error @ Error::Connect(_)) = client.run(cmd("SET").arg(&killed).arg(2)).await else {
            return false;
        };
        assert_eq!(error.summary().lines().count(), 1, "{error}");
        assert!(error.summary().starts_with("cannot connect to 127."), "{}", error.summary());
        *told.lock().expect("no panic") = error.to_string();
        true
    };
    eventually("its connection is known to be gone", 20 * SECOND, is_refused).await;
    let told = told.into_inner().expect("no panic");
    assert!(told.contains("it could be reached before") && !told.contains("dial_rule"), "{told}");
}
