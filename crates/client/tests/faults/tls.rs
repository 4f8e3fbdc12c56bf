//! Certificates that go bad, are renewed, or are wrong on one node only, while the client runs.

use std::time::Duration;

use crate::measure::in_company;
use crate::support::history::History;
use crate::support::{config, eventually, key_of, spread_keys};
use truename::{Client, Error, Notice, Tls, cmd};
use truename_lab::{CertificateSpec, Ending, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

/// Lets a node present the certificate in these files of its lab from now on.
async fn present(lab: &Lab, node: usize, files: &str) {
    let path = |end: &str| lab.dir().join(format!("{files}.{end}")).display().to_string();
    let args = ["CONFIG", "SET", "tls-cert-file", &path("crt"), "tls-key-file", &path("key")];
    let reply = lab.command(node, &args).await.expect("the node answers");
    assert!(reply.as_error().is_none(), "{reply:?}");
}

/// A connected client of three nodes behind fault proxies.
async fn client_of(lab: &Lab) -> Client {
    let config = config(lab).command_timeout(2 * SECOND).node_connect_timeout(SECOND);
    Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"))
}

fn azure() -> truename_lab::LabConfig {
    Lab::builder(LabProfile::Azure).shards(3).replicas(0).fault_proxies(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_bad_certificate_costs_its_own_node_only_and_is_explained() {
    let _company = in_company().await;
    let wildcard = "*.westus3.redisenterprise.cache.azure.test";
    // What is wrong, where the files of the bad and of a good certificate are, and the cause to be reported.
    let rows = [
        (CertificateSpec::new([wildcard]).expired(true), "node-0-1/faulty", "certificate-expired"),
        (CertificateSpec::new([wildcard]).unknown_ca(true), "node-0-1/faulty", "unknown-issuer"),
        (CertificateSpec::new([wildcard]).server_auth(false), "node-0-1/faulty", "certificate-rejected"),
        (CertificateSpec::new(["other.example.test"]), "node-0-1/node", "name-mismatch"),
    ];
    for (spec, bad, code) in rows {
        let lab = azure().certificate(1, spec).start().await.expect("the lab starts");
        present(&lab, 1, "node-0-0/node").await;
        let client = client_of(&lab).await;
        let history = History::start(&client, spread_keys("healthy", 6));
        history.healthy_for(100, 5 * SECOND).await;

        present(&lab, 1, bad).await;
        history.healthy_for(100, 5 * SECOND).await;
        let outcome = history.finish().await;
        outcome.assert_sound();
        assert_eq!(outcome.failed, 0, "connections that exist live on: {:?}", outcome.failures);

        lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
        let started = tokio::time::Instant::now();
        let broken = || async { client.execute::<()>(cmd("SET").arg(key_of(1)).arg(1)).await.is_err() };
        eventually("the bad certificate is met", 5 * SECOND, broken).await;
        let error = client.execute::<()>(cmd("SET").arg(key_of(1)).arg(1)).await.expect_err("refused");
        assert!(started.elapsed() <= 2 * (2 * SECOND + TICK), "{:?}", started.elapsed());
        assert!(!error.may_have_executed());
        let Error::Connect(report) = &error else { panic!("{code}: {error:?}") };
        let failure = report.decisive().expect("a cause");
        assert_eq!(failure.cause.code(), code, "{error}");
        assert_eq!(failure.node.port(), lab.node(1).port, "{error}");
        assert!(failure.certificate.is_some(), "{error}");
        for shard in [0, 2] {
            client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.expect("not their concern");
        }

        present(&lab, 1, "node-0-0/node").await;
        let works = || async { client.execute::<()>(cmd("SET").arg(key_of(1)).arg(1)).await.is_ok() };
        eventually("the good certificate is met", 3 * SECOND, works).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_certificates_are_renewed_under_load_without_an_error() {
    let _company = in_company().await;
    let lab = azure().start().await.expect("the lab starts");
    let client = client_of(&lab).await;
    let history = History::start(&client, spread_keys("renewed", 12));
    for node in 0..3 {
        history.healthy_for(100, 5 * SECOND).await;
        present(&lab, node, &format!("node-0-{}/node", (node + 1) % 3)).await;
    }
    history.healthy_for(100, 5 * SECOND).await;
    let outcome = history.finish().await;
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
    // And new connections accept the new ones.
    lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
    tokio::time::sleep(TICK).await;
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.expect("the renewed certificate");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_servers_may_take_a_tls_version_away() {
    let _company = in_company().await;
    let lab = azure().start().await.expect("the lab starts");
    let client = client_of(&lab).await;
    for (protocols, version) in [("TLSv1.2", "TLSv1_2"), ("TLSv1.3", "TLSv1_3")] {
        for node in 0..3 {
            let reply =
                lab.command(node, &["CONFIG", "SET", "tls-protocols", protocols]).await.expect("a reply");
            assert!(reply.as_error().is_none(), "{reply:?}");
        }
        let mut events = client.events();
        lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
        for _ in 0..3 {
            connected(&mut events).await;
        }
        for shard in 0..3 {
            client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.expect("the other version");
        }
        for node in client.nodes() {
            let facts = node.facts.expect("connected");
            assert_eq!(facts.tls_version.as_deref(), Some(version));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_what_the_client_presents_and_trusts_is_replaced_while_it_runs() {
    let _company = in_company().await;
    let lab = azure().require_client_certificate(true).start().await.expect("the lab starts");
    let (chain, key) = lab.client_certificate().expect("a TLS lab");
    let trusting = Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("a bundle");
    let complete = trusting.clone().client_certificate_files(chain, key).expect("a certificate and its key");
    let stranger = include_bytes!("../support/stranger.pem");
    let mistrusting = complete.clone().ca_pem(stranger).expect("a bundle");
    let config = config(&lab).tls(complete.clone()).command_timeout(2 * SECOND).node_connect_timeout(SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));

    for (tls, code) in [(trusting, "client-certificate-required"), (mistrusting, "unknown-issuer")] {
        // Connections whose peers the new options accept live on; the others end at once.
        if code == "client-certificate-required" {
            let history = History::start(&client, spread_keys(code, 6));
            history.healthy_for(100, 5 * SECOND).await;
            client.replace_tls(tls).await.expect("well-formed");
            history.healthy_for(100, 5 * SECOND).await;
            let outcome = history.finish().await;
            outcome.assert_sound();
            assert_eq!(outcome.failed, 0, "connections that exist live on: {:?}", outcome.failures);
            lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
        } else {
            client.replace_tls(tls).await.expect("well-formed");
        }
        let cause = || async {
            let error = client.execute::<()>(cmd("SET").arg(key_of(0)).arg(1)).await.err();
            let Some(Error::Connect(report)) = &error else { return false };
            report.decisive().is_some_and(|failure| failure.cause.code() == code)
        };
        eventually(code, 10 * SECOND, cause).await;

        client.replace_tls(complete.clone()).await.expect("well-formed");
        for shard in 0..3 {
            let works = || async { client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.is_ok() };
            eventually("the old options work again", 5 * SECOND, works).await;
        }
    }
}

async fn connected(events: &mut truename::Events) {
    loop {
        let notice = tokio::time::timeout(5 * SECOND, events.next()).await.expect("an event");
        if let Some(Notice::Event(truename::Event::Connected { .. })) = notice {
            return;
        }
    }
}
