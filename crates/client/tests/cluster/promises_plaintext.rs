//! TLS unless the user says otherwise, and no credentials in plaintext for a provider that speaks TLS.

use std::net::IpAddr;
use std::time::Duration;

use crate::support::recorder::Recorder;
use crate::support::{config, connect, eventually, key_of, tell};
use truename::error::{Cause, Remedy};
use truename::topology::Profile as Provider;
use truename::topology::{DialAddress, DialRule, DialTo, HostMatch, PortRule};
use truename::{Client, Config, Error, Protocol, Tls, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const PASSWORD: &str = "sesame-open";

/// A host of each form by which a provider that speaks TLS is recognised.
fn hosts_that_speak_tls() -> Vec<(&'static Provider, String)> {
    let providers = Provider::all().iter().filter(|provider| provider.tls_default);
    let forms =
        providers.flat_map(|provider| provider.seed_suffixes.iter().map(move |form| (provider, *form)));
    forms.map(|(provider, form)| (provider, format!("my{}", form.replace('*', "region1")))).collect()
}

fn at(recorder: &Recorder, host: &str) -> Config {
    let (address, port) = (recorder.address.ip(), recorder.address.port());
    Config::new()
        .seed(host, port)
        .resolve(host, None, address)
        .connect_timeout(SECOND)
        .node_connect_timeout(SECOND / 2)
}

/// A configuration was plaintext unless it asked for TLS, and the profiles' TLS default was never read: the
/// password of an Azure cache was sent in the clear.
#[tokio::test]
async fn no_provider_that_speaks_tls_is_sent_credentials_in_plaintext() {
    let recorder = Recorder::listen().await;
    let hosts = hosts_that_speak_tls();
    assert!(hosts.len() >= 13, "{hosts:?}");
    for (provider, host) in &hosts {
        for protocol in [Protocol::Auto, Protocol::Resp2] {
            let seeds = at(&recorder, host).seed("localhost", recorder.address.port()).protocol(protocol);
            let error = Client::connect(&seeds.plaintext().password(PASSWORD)).await.expect_err(host);
            assert!(matches!(error, Error::Config(_)), "{host}: {error}");
            let text = error.to_string();
            assert!(text.contains(provider.title) && text.contains("danger_plaintext_credentials"), "{text}");
        }
        // A second seed counts as much as the first one does.
        let second =
            Config::new().plaintext().seed("127.0.0.1", recorder.address.port()).seed(host.as_str(), 1);
        let error = Client::connect(&second.password(PASSWORD)).await.expect_err(host);
        assert!(matches!(error, Error::Config(_)), "{host}: {error}");
    }
    let url = format!("redis://:{PASSWORD}@{}:{}", hosts[0].1, recorder.address.port());
    assert!(matches!(Client::open(&url).await.expect_err("refused"), Error::Config(_)));
    assert_eq!(recorder.connections(), 0, "{}", recorder.text());
}

/// The counterpart: what is allowed does reach the listener, and what is TLS begins with a handshake.
#[tokio::test]
async fn tls_is_the_default_and_plaintext_a_choice() {
    let host = "my.abc.clustercfg.use1.cache.amazonaws.com";
    let recorder = Recorder::listen().await;
    Client::connect(&at(&recorder, host).password(PASSWORD)).await.expect_err("it never answers");
    let text = recorder.text();
    assert!(text.starts_with('\u{16}') && !text.contains("HELLO") && !text.contains(PASSWORD), "{text:?}");

    let recorder = Recorder::listen().await;
    Client::connect(&at(&recorder, host).plaintext()).await.expect_err("it never answers");
    let text = recorder.text();
    assert!(text.contains("HELLO") && !text.contains("AUTH"), "{text:?}");

    let recorder = Recorder::listen().await;
    let login = at(&recorder, host).plaintext().password(PASSWORD).danger_plaintext_credentials();
    Client::connect(&login).await.expect_err("it never answers");
    assert!(recorder.text().contains(PASSWORD), "{:?}", recorder.text());
}

/// Only the seed's name was looked at: a node that was announced with a provider's name got the password in plaintext
/// all the same.
#[tokio::test]
async fn an_announced_host_counts_as_a_seed_does() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).password(Some(PASSWORD));
    let lab = lab.start().await.expect("the lab starts");
    let name = "node-0001-001.my.abc.use1.cache.amazonaws.com";
    let loopback: IpAddr = [127, 0, 0, 1].into();
    let settings = config(&lab).connect_timeout(2 * SECOND).resolve(name, None, loopback);
    Client::connect(&settings).await.expect("an address gives no provider away");

    tell(&lab, 0, &["CONFIG", "SET", "cluster-announce-hostname", name]).await;
    tell(&lab, 0, &["CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"]).await;
    let recorder = Recorder::listen().await;
    let port = recorder.address.port();
    // The announced port is another server's: what is dialled there would be heard.
    tell(&lab, 0, &["CONFIG", "SET", "cluster-announce-port", &port.to_string()]).await;
    eventually("the server announces its name", 5 * SECOND, async || {
        let slots = format!("{:?}", tell(&lab, 0, &["CLUSTER", "SLOTS"]).await);
        slots.contains(name) && slots.contains(&port.to_string())
    })
    .await;
    let Error::Connect(error) = Client::connect(&settings).await.expect_err("nothing to log in to") else {
        panic!("an error of the network");
    };
    let refused =
        error.failures.iter().find(|failure| failure.node.host() == name).expect("the node's failure");
    assert!(matches!(refused.cause, Cause::PlaintextCredentials { .. }), "{refused}");
    assert_eq!(refused.remedy, Some(Remedy::TlsOrNoPassword), "{refused}");
    assert_eq!(recorder.connections(), 0, "{}", recorder.text());
    lab.shutdown().await;
}

/// `Debug` of a client showed all that it held: commands on their way to a server with their arguments, megabytes of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_looks_like_to_a_debugger_holds_no_argument() {
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).password(Some("sesame"));
    let lab = lab.start().await.expect("the lab starts");
    let client = connect(&lab).await;
    (0..3).for_each(|node| lab.node(node).stop());
    let argument = "hunter2".repeat(1 << 20);
    let key = key_of(0);
    let stuck = client.execute::<()>(cmd("SET").arg(&key).arg(&argument).timeout(Duration::from_secs(1)));
    let watch = async {
        for _ in 0..10 {
            let (shown, pretty) = (format!("{client:?}"), format!("{client:#?}"));
            assert!(shown.len() < 200 && !pretty.contains("hunter2"), "{}", &shown[..shown.len().min(200)]);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (stuck, ()) = tokio::join!(stuck, watch);
    assert!(stuck.is_err(), "the servers are stopped");
}

/// Only parsed text was checked for an `@`: a URL in place of a host, given to the builder, was repeated with its
/// password.
#[tokio::test]
async fn a_password_in_the_place_of_a_host_is_not_repeated() {
    let seed = |host: &str, port| Config::new().plaintext().seed(host, port);
    let here = || seed("127.0.0.1", 1);
    let rule = |to| DialRule::new(HostMatch::Any, to);
    let fixed = DialTo::Fixed { host: "bob:sesame@h.test".into(), port: PortRule::Keep };
    for config in [
        seed("bob:sesame@h.test", 6379),
        seed("rediss://bob:sesame@h.test", 6379).tls(Tls::new()),
        seed("rediss://bob:sesame@h.test:6379", 0),
        here().dial_rule(rule(fixed)),
        here().dial_rule(rule(DialTo::Template("{host}:sesame@h.test".into()))),
        here()
            .map_node_addresses(|_, _| Some(DialAddress::new("sesame@h.test", 1)))
            .node_address_map_for_seeds(true),
    ] {
        let error = Client::connect(&config.connect_timeout(SECOND)).await.expect_err("no such host");
        let text = error.to_string();
        assert!(!text.contains("sesame") && text.contains('@'), "{text}");
    }
}

/// A node was not dialled because of the name that it announces, and the connection that the same server had answered on, as a
/// seed, was used for it all the same.
#[tokio::test]
async fn a_seeds_connection_is_not_used_for_a_node_that_is_not_dialled() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).password(Some(PASSWORD));
    let lab = lab.start().await.expect("the lab starts");
    let (host, port) = lab.node(0).announced();
    let settings = Config::new().plaintext().seed(host, port).password(PASSWORD).connect_timeout(2 * SECOND);
    Client::connect(&settings).await.expect("an address gives no provider away");

    let name = "node-0001-001.my.abc.use1.cache.amazonaws.com";
    tell(&lab, 0, &["CONFIG", "SET", "cluster-announce-hostname", name]).await;
    eventually("the server announces its name", 5 * SECOND, async || {
        format!("{:?}", tell(&lab, 0, &["CLUSTER", "SLOTS"]).await).contains(name)
    })
    .await;
    let Error::Connect(error) = Client::connect(&settings).await.expect_err("no node to log in to") else {
        panic!("an error of the network");
    };
    let is_guarded = |cause: &Cause| matches!(cause, Cause::PlaintextCredentials { .. });
    assert!(error.failures.iter().any(|failure| is_guarded(&failure.cause)), "{error}");
    Client::connect(&settings.danger_plaintext_credentials()).await.expect("the user says so");
}
