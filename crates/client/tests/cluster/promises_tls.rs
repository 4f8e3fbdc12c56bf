//! What is required of a certificate besides chain and name: a pinned key, not revoked, presented over an accepted TLS
//! version. And which warnings the options cause.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::info::all_command_counts;
use crate::support::{config, eventually, set, tell};
use truename::error::{NodeFailure, Remedy};
use truename::topology::{DialRule, DialTo, HostMatch, Pin};
use truename::{Client, Config, Error, Event, Notice, Tls, TlsVersion};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
/// A key that no node has.
const NOBODY: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

async fn azure() -> Lab {
    Lab::builder(LabProfile::Azure).shards(3).replicas(0).start().await.expect("the lab starts")
}

/// The lab's configuration with other TLS options, which begin with its authority.
fn with_tls(lab: &Lab, change: impl FnOnce(Tls) -> Tls) -> Config {
    let tls = Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("a bundle");
    config(lab)
        .tls(change(tls))
        .command_timeout(2 * SECOND)
        .node_connect_timeout(SECOND)
        .connect_timeout(3 * SECOND)
}

/// Logins with a wrong password that all nodes together have seen.
async fn wrong_logins(lab: &Lab) -> u64 {
    all_command_counts(lab, "hello", "failed_calls").await
}

/// Connecting must fail in TLS with this cause, and no node may have got the password: a wrong one, so that it can be
/// distinguished from those of other clients.
async fn refused(lab: &Lab, config: &Config, code: &str) -> NodeFailure {
    let logins = wrong_logins(lab).await;
    let error = Client::connect(&config.clone().password("wrong")).await.expect_err(code);
    let Error::Connect(report) = error else { panic!("{code}: {error:?}") };
    let failure = report.decisive().expect("a cause").clone();
    assert_eq!(failure.cause.code(), code, "{report}");
    assert_eq!(wrong_logins(lab).await, logins, "{code}: the password was sent");
    failure
}

/// The keys that the nodes of the lab present, by their ports.
async fn pins(lab: &Lab) -> Vec<(u16, Pin)> {
    let client = Client::connect(&with_tls(lab, |tls| tls)).await.unwrap_or_else(|error| panic!("{error}"));
    let all_up = || async { client.nodes().iter().all(|node| node.facts.is_some()) };
    eventually("all nodes are connected", 3 * SECOND, all_up).await;
    let pin = |facts: &truename::ConnectionFacts| facts.certificate.as_ref().expect("a certificate").key;
    client
        .nodes()
        .iter()
        .map(|node| (node.node.port(), pin(node.facts.as_ref().expect("connected"))))
        .collect()
}

/// Keys could not be pinned: whatever key a trusted authority certified was accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pinned_keys_are_accepted() {
    let lab = azure().await;
    let pins = pins(&lab).await;
    let nobody: Pin = NOBODY.parse().expect("a pin");

    // Every node's key is pinned, and one that no node has.
    let all = |tls: Tls| pins.iter().fold(tls.pin(nobody), |tls, (_, pin)| tls.pin(*pin));
    let client = Client::connect(&with_tls(&lab, all)).await.unwrap_or_else(|error| panic!("{error}"));
    for shard in 0..3 {
        set(&client, shard).await.expect("pinned");
    }

    // This is what a login looks like that comes through.
    let logins = wrong_logins(&lab).await;
    Client::connect(&with_tls(&lab, all).password("wrong")).await.expect_err("a wrong password");
    assert!(wrong_logins(&lab).await > logins);

    // No node's key is pinned: refused, whatever else is turned off, and the remedy does not say "take this one".
    let weakened =
        [|tls: Tls| tls, Tls::danger_accept_invalid_hostnames, Tls::danger_accept_invalid_certificates];
    for weaken in weakened {
        let failure = refused(&lab, &with_tls(&lab, |tls| weaken(tls).pin(nobody)), "pin-mismatch").await;
        let presented = failure.certificate.as_ref().expect("a certificate").key;
        assert!(pins.iter().any(|(_, pin)| *pin == presented), "{failure}");
        let remedy = failure.remedy.as_ref().expect("a remedy").to_string();
        assert!(remedy.contains(&presented.to_string()) && remedy.contains("only if"), "{remedy}");
    }

    // Pins come in addition: a pinned key of an authority that is not trusted is still refused.
    let stranger = |tls: Tls| all(tls.ca_pem(include_bytes!("../support/stranger.pem")).expect("a bundle"));
    refused(&lab, &with_tls(&lab, stranger), "unknown-issuer").await;

    // A key that is pinned no longer ends its connections.
    let (port, _) = pins[1];
    let two = pins.iter().filter(|(other, _)| *other != port);
    let tls = Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("a bundle");
    client.replace_tls(two.fold(tls, |tls, (_, pin)| tls.pin(*pin))).await.expect("well-formed");
    let shard = (0..3).find(|shard| lab.node(*shard).port == port).expect("a node");
    let error = set(&client, shard).await.expect_err("no longer pinned");
    assert!(error.to_string().contains("not one of the pinned keys"), "{error}");
    for other in (0..3).filter(|other| *other != shard) {
        set(&client, other).await.expect("still pinned");
    }
}

/// A rule's pins hold for the nodes that it dials, and for no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pins_of_a_dial_rule_hold_for_the_nodes_that_it_dials() {
    let lab = azure().await;
    let pins = pins(&lab).await;
    let rule = |port: u16, pin: Pin| {
        DialRule::new(HostMatch::Ip, DialTo::Announced).on_ports(port..=port).with_pins([pin])
    };
    for ((port, pin), works) in [(pins[0], true), ((pins[1].0, NOBODY.parse().expect("a pin")), false)] {
        let config = with_tls(&lab, |tls| tls).dial_rule(rule(port, pin));
        let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
        for shard in 0..3 {
            match set(&client, shard).await {
                Ok(()) => assert!(works || lab.node(shard).port != port, "a rule's pin was not asked for"),
                Err(error) => {
                    assert!(!works && lab.node(shard).port == port, "{error}");
                    assert!(error.to_string().contains("not one of the pinned keys"), "{error}");
                }
            }
        }
    }
    let plaintext = Config::new().seed("localhost", 1).plaintext().dial_rule(rule(1, pins[0].1));
    let error = Client::connect(&plaintext).await.expect_err("nobody presents a key");
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

/// Revocation lists could not be given: a revoked certificate was accepted until it expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_certificates_are_refused_and_an_outdated_list_is_an_event() {
    let lab = azure().await;
    let list =
        |revoked: &[usize], outdated| lab.revocation_list(revoked, outdated).expect("a list").expect("TLS");

    let config = with_tls(&lab, |tls| tls.crl_pem(list(&[0, 1, 2], false)).expect("a list"));
    refused(&lab, &config, "certificate-revoked").await;

    // Of two lists, either may have it.
    let both = |tls: Tls| tls.crl_pem(list(&[], false) + &list(&[0, 1, 2], true)).expect("two lists");
    refused(&lab, &with_tls(&lab, both), "certificate-revoked").await;

    // One node's certificate is revoked: the others keep serving.
    let config = with_tls(&lab, |tls| tls.crl_pem(list(&[1], false)).expect("a list"));
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let error = set(&client, 1).await.expect_err("revoked");
    assert!(error.to_string().contains("has been revoked"), "{error}");
    for shard in [0, 2] {
        set(&client, shard).await.expect("not revoked");
    }
    drop(client);

    // A list of another authority does not cover these.
    let other = Lab::builder(LabProfile::Azure).no_cluster().start().await.expect("the lab starts");
    let foreign = other.revocation_list(&[], false).expect("a list").expect("TLS");
    let error = Client::connect(&with_tls(&lab, |tls| tls.crl_pem(&foreign).expect("a list"))).await;
    // The labs' authorities have one name and two keys: the list is not trusted.
    let Error::Connect(report) = error.expect_err("refused") else { panic!("no report") };
    assert_eq!(report.decisive().expect("a cause").cause.code(), "certificate-rejected", "{report}");

    // An outdated list still counts, and is reported.
    let file = lab.dir().join("outdated.crl");
    std::fs::write(&file, list(&[1], true)).expect("written");
    let tls =
        Tls::new().ca_pem(lab.ca_pem().expect("TLS")).expect("a bundle").crl_file(&file).expect("a list");
    assert!(tls.warnings().iter().any(|warning| warning.contains("outdated")), "{:?}", tls.warnings());
    let client = Client::connect(&with_tls(&lab, |tls| tls)).await.unwrap_or_else(|error| panic!("{error}"));
    let mut events = client.events();
    client.replace_tls(tls).await.expect("well-formed");
    let told = async {
        loop {
            if let Some(Notice::Event(Event::RevocationListOutdated { issuer, .. })) = events.next().await {
                return issuer;
            }
        }
    };
    let issuer = tokio::time::timeout(5 * SECOND, told).await.expect("an event");
    assert!(issuer.contains("truename lab CA"), "{issuer}");
    set(&client, 1).await.expect_err("an outdated list still revokes");
    set(&client, 0).await.expect("and is not an outage");
}

/// The minimum TLS version could not be chosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_version_of_tls_than_the_oldest_that_will_do_is_refused() {
    let lab = azure().await;
    for node in 0..3 {
        tell(&lab, node, &["CONFIG", "SET", "tls-protocols", "TLSv1.2"]).await;
    }
    let client = Client::connect(&with_tls(&lab, |tls| tls)).await.unwrap_or_else(|error| panic!("{error}"));
    set(&client, 0).await.expect("TLS 1.2 will do");
    let newest = |tls: Tls| tls.min_version(TlsVersion::Tls13);
    let failure = refused(&lab, &with_tls(&lab, newest), "no-common-tls-version").await;
    assert_eq!(failure.remedy, Some(Remedy::OlderTls));

    let tls = newest(Tls::new().ca_pem(lab.ca_pem().expect("TLS")).expect("a bundle"));
    client.replace_tls(tls).await.expect("well-formed");
    let error = set(&client, 0).await.expect_err("TLS 1.2 no longer will");
    assert!(error.to_string().contains("no TLS version in common"), "{error}");

    for node in 0..3 {
        tell(&lab, node, &["CONFIG", "SET", "tls-protocols", "TLSv1.3"]).await;
    }
    for shard in 0..3 {
        eventually("TLS 1.3 will do", 5 * SECOND, || async { set(&client, shard).await.is_ok() }).await;
    }
}

/// A key that every user of the machine can read was accepted without a warning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_key_that_everybody_can_read_is_warned_of() {
    let lab = Lab::builder(LabProfile::Azure).no_cluster().start().await.expect("the lab starts");
    let (chain, key) = lab.client_certificate().expect("a TLS lab");
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("our own file");
        let tls = Tls::new().client_certificate_files(&chain, &key).expect("a certificate and its key");
        assert_eq!(tls.warnings().len(), usize::from(warned), "{mode:o}: {:?}", tls.warnings());
        let url = format!("rediss://localhost?cert={}&key={}", chain.display(), key.display());
        let warnings = Config::from_url(&url).expect("a good URL").warnings();
        assert_eq!(warnings, tls.warnings());
        assert!(warnings.iter().all(|warning| warning.contains(&key.display().to_string())), "{warnings:?}");
    }
}
