//! The doctor does not call an unusable cluster healthy, and its advice does not mislead.

use std::time::{Duration, Instant};

use crate::support::peers::tls_peer;
use crate::support::{on, run, words};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use truename_lab::{Lab, LabConfig, LabProfile};

const SOON: Duration = Duration::from_secs(8);

fn plain() -> LabConfig {
    Lab::builder(LabProfile::Plain).replicas(0)
}

async fn tell(lab: &Lab, node: usize, args: &[&str]) -> truename::Reply {
    let reply = lab.command(node, args).await.expect("the node answers");
    assert!(reply.as_error().is_none(), "{args:?}: {reply:?}");
    reply
}

/// doctor said "All 1 addresses can be used", with exit code 0, of a cluster whose nodes all announce `?`.
#[tokio::test]
async fn a_cluster_without_addresses_is_not_healthy() {
    let lab = plain().start().await.unwrap();
    for node in 0..3 {
        tell(&lab, node, &["CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"]).await;
    }
    let (host, port) = lab.seed();
    let lost = format!(
        "16384 of 16384 slots have no owner that can be addressed, says seed {host}:{port}: 0-16383."
    );
    let parts = [lost.as_str(), "Cannot be addressed: ?:", "cluster-announce-hostname"];
    let run = on(&lab, "doctor", "", &[]).await.ends_with(44).says(&parts).within(SOON);
    assert!(!run.text().contains("can be used"), "{}", run.text());
    let document = on(&lab, "doctor", "--json", &[]).await.ends_with(44).json();
    assert_eq!((document["healthy"].as_bool(), document["exit_code"].as_u64()), (Some(false), Some(44)));
    assert_eq!(document["topology"]["slots_without_owner"], 16384);
    lab.shutdown().await;
}

/// It said the same of one where a slot has no owner, and of one whose nodes disagree.
#[tokio::test]
async fn slots_without_owner_and_views_that_differ_are_faults() {
    let lab = plain().start().await.unwrap();
    // The seed is one of them.
    let good = ["All 3 addresses can be used, and all 16384 slots are served", "for 3 of 3 primaries: "];
    on(&lab, "doctor", "", &[]).await.ends_with(0).says(&good);
    // Node 1 believes that node 2 owns a slot of node 0. Since it has the higher epoch, no gossip corrects that.
    tell(&lab, 1, &["CLUSTER", "SETSLOT", "0", "NODE", &lab.node(2).id]).await;
    let parts = ["The nodes disagree: slot 0", "the nodes disagree on the topology"];
    let run = on(&lab, "doctor", "", &[]).await.ends_with(1).says(&parts).within(SOON);
    assert!(!run.text().contains("can be used"), "{}", run.text());
    for node in 0..3 {
        // Nodes that already consider it unassigned answer with an error.
        lab.command(node, &["CLUSTER", "DELSLOTS", "0"]).await.unwrap();
    }
    on(&lab, "doctor", "", &[]).await.ends_with(44).says(&["1 of 16384 slots have no owner"]).within(SOON);
    lab.shutdown().await;
}

/// For a node that is simply down, the advice was a dial rule, even where all others answer at that host.
#[tokio::test]
async fn a_node_that_is_down_needs_no_rule() {
    for lab in [plain(), Lab::builder(LabProfile::Azure).replicas(0)] {
        let lab = lab.start().await.unwrap();
        lab.node(1).kill();
        let run = on(&lab, "doctor", "", &[]).await.ends_with(11).says(&["so this one is down"]).within(SOON);
        assert!(!run.text().contains("--map"), "{}", run.text());
        lab.shutdown().await;
    }
}

/// The one connection that the server has room for: it closes others at once, as long as that of the lab is still there.
async fn the_only_place(lab: &Lab) -> TcpStream {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        let mut place = TcpStream::connect(lab.node(0).socket_addr()).await.expect("the server listens");
        if tokio::time::timeout(Duration::from_millis(200), place.read_u8()).await.is_err() {
            return place;
        }
    }
    panic!("the server has no room for anybody");
}

/// Over TLS a server that is full closes the connection without a reply, which looked like another fault.
#[tokio::test]
async fn a_server_without_room_is_thought_of() {
    let lab = Lab::builder(LabProfile::Azure).shards(1).replicas(0).start().await.unwrap();
    tell(&lab, 0, &["CONFIG", "SET", "maxclients", "1"]).await;
    let last_place = the_only_place(&lab).await;
    for command in ["doctor", "ping"] {
        on(&lab, command, "--connect-timeout 2s", &[]).await.ends_with(14).says(&["maxclients"]).within(SOON);
    }
    drop(last_place);
    lab.shutdown().await;
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// The advice was "trust CN=Intermediate" where the server only did not send its intermediate.
#[tokio::test]
async fn a_missing_intermediate_is_not_an_authority_to_trust() {
    let key = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(authority("the root"), key()).unwrap();
    let other = CertifiedIssuer::self_signed(authority("another root"), key()).unwrap();
    let middle = CertifiedIssuer::signed_by(authority("the one between"), key(), &root).unwrap();
    let mut params = CertificateParams::new(vec!["cache.lab.test".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a node");
    let leaf_key = key();
    let leaf = params.signed_by(&leaf_key, &middle).unwrap();
    let own = params.self_signed(&leaf_key).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("root.pem"), directory.path().join("other.pem"));
    std::fs::write(&ours, root.pem()).unwrap();
    std::fs::write(&theirs, other.pem()).unwrap();
    let forgotten = tls_peer(vec![leaf.der().clone()], &leaf_key);
    let complete = tls_peer(vec![leaf.der().clone(), middle.der().clone()], &leaf_key);
    let alone = tls_peer(vec![own.der().clone()], &leaf_key);
    for (peer, trusted, parts, absent) in [
        (forgotten, &ours, ["signed by CN=the one between", "tls-cert-file"], "its name is"),
        (
            complete,
            &theirs,
            ["trust the authority", "its name is CN=the root"],
            "its name is CN=the one between",
        ),
        (alone, &ours, ["self-signed", "its name is CN=a node"], "trust the authority"),
    ] {
        let line = format!(
            "doctor cache.lab.test:{} --resolve cache.lab.test:{} --cacert {} --connect-timeout 2s",
            peer.port(),
            peer.ip(),
            trusted.display()
        );
        let run = run(&words(&[&line]), None).await.ends_with(23).says(&parts).within(SOON);
        assert!(!run.text().contains(absent), "{}", run.text());
    }
}
