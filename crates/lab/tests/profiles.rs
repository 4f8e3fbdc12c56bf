//! Every profile comes up quickly, announces what the provider announces, and can be reached by a client that verifies
//! what it should verify, and by no other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use support::{announced, ping, ping_as};
use truename_lab::{CertificateSpec, Lab, LabNode, LabProfile};

/// Generous: 3 s are the aim on an idle machine.
const START_BOUND: Duration = Duration::from_secs(15);

async fn started(profile: LabProfile) -> Lab {
    let clock = Instant::now();
    let lab = Lab::builder(profile).start().await.unwrap();
    let took = clock.elapsed();
    println!("{profile}: ready in {took:.2?}");
    assert!(took < START_BOUND, "{profile} took {took:?}");
    assert_eq!(lab.nodes().len(), 6);
    let expected: BTreeSet<_> = lab.nodes().iter().map(LabNode::announced).collect();
    for node in lab.nodes() {
        assert_eq!(announced(&lab, node.index).await, expected, "{profile}, asked node {}", node.index);
    }
    assert!(lab.cluster_ok().await.unwrap());
    lab
}

/// Where the name of a seed leads.
fn resolved(lab: &Lab, host: &str) -> IpAddr {
    let known = lab.resolve().into_iter().find(|(name, ..)| name == host).map(|(.., ip)| ip);
    known.unwrap_or_else(|| host.parse().expect("a name without an address"))
}

async fn assert_seed_verifies(lab: &Lab) {
    for (host, port) in lab.seeds() {
        ping(lab, SocketAddr::new(resolved(lab, &host), port), &host).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure() {
    let lab = started(LabProfile::Azure).await;
    assert_seed_verifies(&lab).await;
    let (seed, port) = lab.seed();
    assert_eq!(port, 10_000);
    for node in lab.nodes() {
        let (ip, port) = node.announced();
        assert!((8500..8600).contains(&port));
        // The trap, and the two ways out of it: another name, or the seed's address with the node's port.
        let error = ping(&lab, node.socket_addr(), &ip).await.unwrap_err();
        assert!(error.contains("not valid for name"), "{error}");
        ping(&lab, node.socket_addr(), &seed).await.unwrap();
        ping(&lab, SocketAddr::new(resolved(&lab, &seed), port), &seed).await.unwrap();
    }
    assert_eq!(lab.front_door().unwrap().accepted(), 1, "node ports need no front door");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws() {
    let lab = started(LabProfile::Aws).await;
    assert_seed_verifies(&lab).await;
    for node in lab.nodes() {
        let (host, port) = node.announced();
        assert_eq!(port, 6379);
        assert_eq!(resolved(&lab, &host), node.address);
        ping(&lab, node.socket_addr(), &host).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gcp() {
    let lab = started(LabProfile::Gcp).await;
    assert_seed_verifies(&lab).await;
    let (seed, _) = lab.seed();
    for node in lab.nodes() {
        let (ip, port) = node.announced();
        assert_eq!(usize::from(port), 11_000 + node.index);
        assert!(ping(&lab, node.socket_addr(), &ip).await.is_err());
        ping(&lab, node.socket_addr(), &seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nat() {
    let lab = started(LabProfile::Nat).await;
    assert_seed_verifies(&lab).await;
    assert_eq!(lab.map_rules(), ["*=seed:+1000"]);
    let (seed, _) = lab.seed();
    for node in lab.nodes() {
        let (host, port) = node.announced();
        let told = SocketAddr::new(host.parse().unwrap(), port);
        assert!(told.ip().is_loopback());
        assert!(ping(&lab, told, &seed).await.unwrap_err().contains("refused"));
        ping(&lab, SocketAddr::new(resolved(&lab, &seed), port + 1000), &seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_endpoint() {
    let lab = started(LabProfile::UnknownEndpoint).await;
    assert_seed_verifies(&lab).await;
    let (seed, _) = lab.seed();
    for node in lab.nodes() {
        let (host, port) = node.announced();
        assert_eq!(host, "");
        ping(&lab, SocketAddr::new(resolved(&lab, &seed), port), &seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn per_node_certs() {
    let lab = started(LabProfile::PerNodeCerts).await;
    assert_seed_verifies(&lab).await;
    assert_eq!(lab.seeds().len(), 6);
    let (first, _) = lab.node(0).announced();
    assert!(ping(&lab, lab.node(1).socket_addr(), &first).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain() {
    let lab = started(LabProfile::Plain).await;
    assert!(!lab.tls() && lab.ca_pem().is_none() && lab.client_certificate().is_none());
    for (host, port) in lab.seeds() {
        ping(&lab, SocketAddr::new(host.parse().unwrap(), port), &host).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labs_side_by_side_do_not_meet() {
    let (one, two) = tokio::join!(
        Lab::builder(LabProfile::Azure).replicas(0).start(),
        Lab::builder(LabProfile::Azure).replicas(0).password(Some("p w\"d")).start()
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.dir(), two.dir());
    assert_ne!(one.password(), two.password());
    let addresses = |lab: &Lab| lab.nodes().iter().map(|node| node.address).collect::<BTreeSet<_>>();
    assert!(addresses(&one).is_disjoint(&addresses(&two)));
    let one_dir = one.dir().to_owned();
    drop(one);
    assert!(!one_dir.exists());
    assert!(two.cluster_ok().await.unwrap(), "the end of one lab is not felt by the other");
    let (seed, _) = two.seed();
    ping(&two, two.node(0).socket_addr(), &seed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standalone_server_and_client_certificates() {
    let lab =
        Lab::builder(LabProfile::Azure).no_cluster().require_client_certificate(true).start().await.unwrap();
    let reply = lab.command(0, &["CLUSTER", "INFO"]).await.unwrap();
    assert!(reply.as_error().unwrap().message().contains("cluster support disabled"));
    let (seed, _) = lab.seed();
    let address = lab.node(0).socket_addr();
    let error = ping_as(&lab, address, &seed, false).await.unwrap_err();
    assert!(error.contains("CertificateRequired"), "{error}");
    ping_as(&lab, address, &seed, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faulty_certificates_are_presented_by_a_healthy_cluster() {
    let good = || CertificateSpec::new(["*.westus3.redisenterprise.cache.azure.test"]);
    let lab = Lab::builder(LabProfile::Azure)
        .replicas(0)
        .certificate(0, good().expired(true))
        .certificate(1, good().unknown_ca(true))
        .certificate(2, CertificateSpec::new(["elsewhere.test"]).client_auth(false))
        .start()
        .await
        .unwrap();
    assert!(lab.cluster_ok().await.unwrap());
    let (seed, _) = lab.seed();
    for (node, expected) in [(0, "expired"), (1, "UnknownIssuer"), (2, "elsewhere.test")] {
        let error = ping(&lab, lab.node(node).socket_addr(), &seed).await.unwrap_err();
        assert!(error.contains(expected), "node {node}: {error}");
    }
}
