//! Certificates that differ node by node in one lab: what each server really sends, and what a strict client says to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod onlooker;
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::time::{Duration, SystemTime};

use onlooker::{Presented, presented, presented_in};
use support::ping;
use truename_lab::{CertificateSpec, Lab, LabProfile};

const REGION: &str = "*.westus3.redisenterprise.cache.azure.test";
const AUTHORITY: &str = "truename lab CA";
const INTERMEDIATE: &str = "truename lab intermediate CA";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The variants, one a node; the last node has the certificate of the profile.
fn variants() -> [CertificateSpec; 6] {
    let good = || CertificateSpec::new([REGION]);
    [
        good().intermediate(true),
        good().intermediate(false),
        good().self_signed().common_name("node 2"),
        CertificateSpec::common_name_only("cache.azure.test"),
        good().not_before_in(DAY),
        good().digital_signature(false),
    ]
}

async fn started() -> Lab {
    let config = Lab::builder(LabProfile::Azure).shards(7).replicas(0);
    let specs = variants().into_iter().enumerate();
    let lab =
        specs.fold(config, |config, (node, spec)| config.certificate(node, spec)).start().await.unwrap();
    assert!(lab.cluster_ok().await.unwrap());
    lab
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_presents_its_own_and_clients_judge_it() {
    let lab = started().await;
    let (seed, _) = lab.seed();
    let mut chains = Vec::new();
    for node in lab.nodes() {
        chains.push(presented(node.socket_addr(), Some(&seed)).await.unwrap());
    }
    let [sent, missing, alone, nameless, early, weak, good] = &chains[..] else { panic!("{chains:?}") };

    let issuers = |chain: &[Presented]| chain.iter().map(|one| one.issuer.clone()).collect::<Vec<_>>();
    assert_eq!(issuers(sent), [INTERMEDIATE, AUTHORITY]);
    assert_eq!((&*sent[1].common_name, sent[1].is_ca), (INTERMEDIATE, true));
    assert_eq!(issuers(missing), [INTERMEDIATE], "the intermediate is forgotten");
    assert_eq!(issuers(alone), ["node 2"]);
    assert_eq!((&*alone[0].common_name, alone[0].is_ca), ("node 2", false));
    assert_eq!((&*nameless[0].common_name, nameless[0].has_names), ("cache.azure.test", false));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(early[0].not_before > i64::try_from(now).unwrap(), "{early:?}");
    assert!(!weak[0].may_sign && weak[0].names == [REGION]);
    assert!(good[0].may_sign && good[0].names == [REGION] && good[0].issuer == AUTHORITY);

    // OpenSSL never picks a suite of TLS 1.2 for a certificate that may not sign.
    for (node, expected) in [(5, false), (6, true)] {
        let old = presented_in(&[&rustls::version::TLS12], lab.node(node).socket_addr(), Some(&seed)).await;
        assert_eq!(old.is_ok(), expected, "node {node}: {old:?}");
    }

    let verdicts = ["", "UnknownIssuer", "UnknownIssuer", "not valid for name", "not valid yet", "", ""];
    for (node, expected) in lab.nodes().iter().zip(verdicts) {
        match ping(&lab, node.socket_addr(), &seed).await {
            Ok(()) => assert_eq!(expected, "", "node {}", node.index),
            Err(error) => {
                assert!(!expected.is_empty() && error.contains(expected), "node {}: {error}", node.index);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_deployment_and_a_restarted_server_present_the_same_fault() {
    let spec = CertificateSpec::new([REGION]).intermediate(false);
    let mut lab = Lab::builder(LabProfile::Azure).replicas(0).certificate(1, spec).start().await.unwrap();
    let (seed, _) = lab.seed();
    lab.redeploy_abrupt().await.unwrap();
    lab.node(1).restart().await.unwrap();
    ping(&lab, lab.node(1).socket_addr(), &seed).await.expect("sound until the cluster is ready");
    lab.wait_ready().await.unwrap();
    for (node, expected) in [(0, None), (1, Some("UnknownIssuer")), (2, None)] {
        let error = ping(&lab, lab.node(node).socket_addr(), &seed).await.err();
        assert_eq!(error.is_some(), expected.is_some(), "node {node}: {error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()), "node {node}");
    }
}
