//! Every lab profile with full verification, and no option beyond seed, CA and password (`nat`: and its one rule).

use crate::support::{config, connect, lab, spread_keys};
use truename::topology::IdentitySource;
use truename::{Client, Protocol, cmd};
use truename_lab::{Lab, LabProfile};

/// Writes and reads keys of every shard, and checks that every node is connected and verified by `source`.
async fn use_every_node(client: &Client, source: Option<IdentitySource>) {
    for key in spread_keys("profile", 12) {
        client
            .execute::<()>(cmd("SET").arg(&key).arg("value"))
            .await
            .unwrap_or_else(|error| panic!("{key}: {error}"));
        let value: String = client.execute(cmd("GET").arg(&key)).await.expect("a value");
        assert_eq!(value, "value");
    }
    let nodes = client.nodes();
    assert_eq!(nodes.len(), 3);
    for status in nodes {
        assert!(status.is_connected, "{} is not connected", status.node);
        let facts = status.facts.expect("facts of a connected node");
        assert_eq!(facts.identity.as_ref().map(|identity| identity.source), source, "{}", status.node);
        assert_eq!(facts.is_tls(), source.is_some());
        assert_eq!(facts.greeting.node_id.as_deref(), status.id.as_ref().map(|id| id.as_str()));
    }
}

async fn profile(profile: LabProfile, source: Option<IdentitySource>) {
    let lab = lab(profile).await;
    let client = connect(&lab).await;
    use_every_node(&client, source).await;
    let resp2 = Client::connect(&config(&lab).protocol(Protocol::Resp2)).await.expect("RESP2");
    use_every_node(&resp2, source).await;
}

#[tokio::test]
async fn azure_announces_addresses_and_proves_the_seeds_name() {
    profile(LabProfile::Azure, Some(IdentitySource::Seed)).await;
}

#[tokio::test]
async fn aws_announces_names_and_proves_them() {
    profile(LabProfile::Aws, Some(IdentitySource::Announced)).await;
}

#[tokio::test]
async fn gcp_proves_the_discovery_address() {
    profile(LabProfile::Gcp, Some(IdentitySource::Seed)).await;
}

#[tokio::test]
async fn nat_needs_one_rule() {
    profile(LabProfile::Nat, Some(IdentitySource::Seed)).await;
}

#[tokio::test]
async fn unknown_endpoint_means_the_host_that_answered() {
    // The node is announced under the seed's own name.
    profile(LabProfile::UnknownEndpoint, Some(IdentitySource::Announced)).await;
}

#[tokio::test]
async fn per_node_certificates_prove_each_nodes_own_name() {
    profile(LabProfile::PerNodeCerts, Some(IdentitySource::Announced)).await;
}

#[tokio::test]
async fn plain_needs_no_tls() {
    profile(LabProfile::Plain, None).await;
}

#[tokio::test]
async fn mutual_tls_presents_the_client_certificate() {
    let lab = Lab::builder(LabProfile::Azure)
        .shards(1)
        .replicas(0)
        .require_client_certificate(true)
        .start()
        .await
        .expect("the lab starts");
    let (certificate, key) = lab.client_certificate().expect("a client certificate");
    let tls = truename::Tls::new()
        .ca_file(lab.ca_pem_path().expect("a CA"))
        .and_then(|tls| tls.client_certificate_files(certificate, key))
        .expect("the files");
    let client = Client::connect(&config(&lab).tls(tls)).await.expect("mutual TLS");
    client.execute::<String>(cmd("PING")).await.expect("PONG");
}

#[tokio::test]
async fn a_server_that_is_no_cluster_is_a_single_node() {
    for profile in [LabProfile::Azure, LabProfile::Plain] {
        let lab = Lab::builder(profile).no_cluster().start().await.expect("the lab starts");
        let client = connect(&lab).await;
        assert!(client.is_single_node());
        for key in spread_keys("single", 4) {
            client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect("OK");
            assert_eq!(client.execute::<i64>(cmd("INCR").arg(&key)).await.expect("a number"), 2);
        }
    }
}
