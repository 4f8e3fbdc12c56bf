//! What an error says: what stood in the way and who said so, which rule was broken, which call is the right one.

use std::time::Duration;

use crate::support::scripted::{Scripted, node, slots};
use crate::support::{config, one_node, tell};
use truename::error::RouteError;
use truename::{Client, Config, Error, cmd};
use truename_lab::LabProfile;

const SECOND: Duration = Duration::from_secs(1);

/// A text had the server's words, and neither their code nor who had said them could be asked for.
#[tokio::test]
async fn a_timeout_has_the_last_refusal_and_who_said_it() {
    let lab = one_node(LabProfile::Plain).await;
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
    for words in ["CLUSTERDOWN Hash slot not served", "LOADING the data", "TRYAGAIN later", "MASTERDOWN no link"] {
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

/// Two nodes that say of each other that they have the slot, until the time is over or the patience.
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
    for (timeout, ends_in_time) in [(SECOND / 5, false), (20 * SECOND, true)] {
        let config = Config::new().seed("127.0.0.1", one.address.port()).plaintext().command_timeout(timeout);
        let client = Client::connect(&config).await.expect("connected");
        let error = client.run(cmd("SET").arg("k").arg("v")).await.expect_err("a circle");
        let is_circle = matches!(&error, Error::Route(why) if matches!(**why, RouteError::TooManyRedirects { .. }));
        assert!(is_circle == ends_in_time && (is_circle || matches!(error, Error::Timeout(_))), "{error}");
        let refusal = error.last_refusal().expect("one was met");
        let to = if refusal.node.port() == one.address.port() { other.address } else { one.address };
        let says = format!("MOVED 7629 {to}");
        assert_eq!((refusal.code(), refusal.reply.message()), ("MOVED", says.as_str()));
        assert!(error.to_string().contains(&format!("from {}: {says}", refusal.node)), "{error}");
    }
}
