//! A cluster whose nodes all have the same port and the same certificate, so that only a node's id distinguishes it from the
//! next one; and a user who may not ask for it.

use std::time::Duration;

use crate::support::{options, run, words};
use truename_lab::{Lab, LabProfile};

/// A key of the second of three shards.
const KEY: &str = "city";

async fn size(lab: &Lab, node: usize) -> i64 {
    lab.command(node, &["DBSIZE"]).await.unwrap().as_integer().unwrap()
}

/// With the second node dead, the seed's host with that node's port led to the first one. Its certificate proves the
/// right name there, and where the user may not run `CLUSTER MYID` nothing else was asked: doctor called all addresses
/// usable, and a `FLUSHDB` that was meant for the second node emptied the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detour_without_a_node_id_empties_no_other_node() {
    let lab = Lab::builder(LabProfile::Aws).replicas(0).start().await.unwrap();
    let owner = lab.primary_of_key(KEY.as_bytes()).await.unwrap();
    assert_ne!(owner, 0, "choose another key");
    let user = |name: &'static str, denied: &'static [&'static str]| {
        let acl = ["ACL", "SETUSER", name, "on", ">pw", "~*", "+@all"];
        [&acl, denied].concat()
    };
    for node in lab.nodes().iter().filter(|node| node.index != owner) {
        for acl in [
            user("free", &[]),
            user("mute", &["-cluster|myid"]),
            user("silent", &["-cluster|myid", "-cluster|nodes"]),
        ] {
            assert!(lab.command(node.index, &acl).await.unwrap().as_error().is_none());
        }
        let populated = lab.command(node.index, &["DEBUG", "POPULATE", "10"]).await.unwrap();
        assert!(populated.as_error().is_none());
    }
    lab.node(owner).kill();
    let others: Vec<usize> = (0..3).filter(|node| *node != owner).collect();
    for name in ["free", "mute", "silent"] {
        let user = format!("--user {name}");
        let line = ["exec", &options(&lab), &user, "--timeout 2s --node-of", KEY, "-- FLUSHDB"];
        let flushed = run(&words(&line), Some("pw")).await;
        assert_ne!(flushed.code, 0, "{name}: {}", flushed.text());
        for &node in &others {
            assert_eq!(size(&lab, node).await, 10, "{name} emptied node {node}: {}", flushed.text());
        }
        let doctor = run(&words(&["doctor", &options(&lab), &user]), Some("pw")).await;
        assert_ne!(doctor.code, 0, "{name}: {}", doctor.text());
        let doctor = doctor.within(Duration::from_secs(20)).says(&["FAIL", "is down", "was only a guess"]);
        let verdict = doctor.stdout.lines().last().unwrap_or_default();
        assert!(verdict.contains(": tcp: connection refused"), "{verdict}");
        // A rule may be right only where the node that answered does not report its id, and for this address alone.
        assert_eq!(doctor.text().contains("=seed'"), name == "silent", "{}", doctor.text());
        for absent in ["addresses can be used", "--map '*"] {
            assert!(!doctor.text().contains(absent), "{}", doctor.text());
        }
    }
    lab.shutdown().await;
}
