//! Labs with a fault: certificates that are wrong on one node only, servers that want a client certificate, plaintext.

use std::time::Duration;

use crate::support::{on, run, words};
use truename_lab::{CertificateSpec, Lab, LabConfig, LabProfile};

const SOON: Duration = Duration::from_secs(8);

fn azure() -> LabConfig {
    Lab::builder(LabProfile::Azure).replicas(0)
}

fn announced(lab: &Lab, node: usize) -> String {
    let (host, port) = lab.node(node).announced();
    format!("{host}:{port}")
}

/// One node with a bad certificate, and a key that lives on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_nodes_certificate_is_that_nodes_trouble() {
    let stranger = CertificateSpec::new(["other.example.test", "192.0.2.1"]);
    let regional = CertificateSpec::new(["*.westus3.redisenterprise.cache.azure.test"]);
    let rows: [(CertificateSpec, u8, &str, &[&str]); 3] = [
        (
            stranger,
            26,
            "name-mismatch",
            &["other.example.test", "192.0.2.1", "--verify-as other.example.test"],
        ),
        (regional.clone().expired(true), 24, "certificate-expired", &["has expired", "renew"]),
        (
            regional.unknown_ca(true),
            23,
            "unknown-issuer",
            &["no trusted root", "CN=truename lab stranger CA"],
        ),
    ];
    for (spec, code, cause, parts) in rows {
        let lab = azure().certificate(1, spec).start().await.unwrap();
        let node = announced(&lab, 1);
        let healthy = announced(&lab, 0);

        let run = on(&lab, "doctor", "", &[]).await.ends_with(code).says(parts).within(SOON);
        let run = run.says(&[
            "What failed",
            &format!("node {node}"),
            "failed at  tls",
            "acceptable",
            "presented",
            "remedy",
            cause,
            &format!("; decisive: {node} (dialled "),
        ]);
        for part in ["presents ", "redis-cli that connects proves nothing"] {
            assert_eq!(run.text().contains(part), cause == "name-mismatch", "{}", run.text());
        }

        let document = on(&lab, "doctor", "--json", &[]).await.ends_with(code).json();
        assert_eq!(document["healthy"], false);
        assert_eq!(document["decisive"]["node"], node.as_str());
        assert_eq!(document["decisive"]["phase"], "tls");
        assert_eq!(document["decisive"]["cause"]["code"], cause);
        assert_eq!(document["decisive"]["exit_code"].as_u64(), Some(u64::from(code)));
        for row in document["nodes"].as_array().unwrap() {
            assert_eq!(row["healthy"].as_bool(), Some(row["node"] != node.as_str()), "{row}");
        }

        let run = on(&lab, "ping", "", &[]).await.ends_with(code).says(parts).within(SOON);
        run.says(&[&format!("PONG  {healthy}"), &format!("FAIL  {node}")]);
        lab.shutdown().await;
    }
}

/// With TLS 1.3 a missing client certificate shows only on the first read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_that_is_wanted() {
    let lab = azure().shards(1).require_client_certificate(true).start().await.unwrap();
    let (host, port) = lab.seed();
    let seed = format!("seed {host}:{port}");
    for command in ["ping", "doctor"] {
        let run = on(&lab, command, "", &[]).await.ends_with(28).within(SOON);
        run.says(&[&seed, "asks for a client certificate", "--cert FILE --key FILE"]);
    }
    let (cert, key) = lab.client_certificate().unwrap();
    let given = format!("--cert {} --key {}", cert.display(), key.display());
    on(&lab, "ping", &given, &[]).await.ends_with(0).says(&["PONG"]);
    on(&lab, "doctor", &given, &[]).await.ends_with(0);
    lab.shutdown().await;
}

/// TLS to a plaintext port gets no answer at all: it is found out by asking in plaintext.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_to_a_plaintext_port() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(0).start().await.unwrap();
    let seed = announced(&lab, 0);
    for command in ["ping", "doctor"] {
        let line = words(&[command, &seed, "--cacert", crate::support::AUTHORITY, "--connect-timeout 2s"]);
        let run = run(&line, None).await.ends_with(20).within(SOON);
        run.says(&[&seed, "tls", "the port speaks plaintext Redis", "--plain"]);
    }
    on(&lab, "ping", "", &[]).await.ends_with(0).says(&["PONG", "plaintext"]);
    on(&lab, "doctor", "", &[]).await.ends_with(0).says(&["can read the password and the data."]);
    run(&words(&["doctor", &seed, "--plain"]), None).await.ends_with(30).says(&["can read the data."]);
    lab.shutdown().await;
}

/// A server that is not a cluster is used as a single node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_cluster() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.unwrap();
    on(&lab, "ping", "", &[]).await.ends_with(0).says(&["PONG"]);
    on(&lab, "doctor", "", &[]).await.ends_with(0).says(&["used as a single node"]);
    on(&lab, "exec", "", &["--", "SET", "a", "1"]).await.ends_with(0).says(&["OK"]);
    lab.shutdown().await;
}
