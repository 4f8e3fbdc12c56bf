//! What may differ from node to node, and who may log in: each seen at the servers themselves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::{announced, eventually};
use truename_lab::{Announce, Lab, LabError, LabNode, LabProfile};
use truename_resp::Reply;

/// Seconds that no server has as its time-out by itself.
const MARK: &str = "4321";

async fn setting(lab: &Lab, node: usize, name: &str) -> String {
    let reply = lab.command(node, &["CONFIG", "GET", name]).await.unwrap();
    reply.lookup(name).and_then(Reply::as_str).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_exists_on_every_node_with_its_rules() {
    let lab = Lab::builder(LabProfile::Azure)
        .user("app", Some("p \"w\\d"), "~* &* +@all -watch -cluster|shards")
        .user("guest", None, "~public:* +get")
        .start()
        .await
        .unwrap();
    for node in lab.nodes() {
        let said = async |args: &[&str]| node.command(args).await.unwrap();
        let text = async |args: &[&str]| said(args).await.as_str().unwrap_or_default().to_owned();
        assert_eq!(text(&["AUTH", "app", "p \"w\\d"]).await, "OK");
        assert_eq!(text(&["AUTH", "guest", "anything"]).await, "OK");
        let refused = said(&["AUTH", "app", "wrong"]).await;
        assert_eq!(refused.as_error().unwrap().code(), "WRONGPASS");
        let rows: [(&str, &[&str], bool); 6] = [
            ("app", &["SET", "k", "v"], true),
            ("app", &["WATCH", "k"], false),
            ("app", &["CLUSTER", "SHARDS"], false),
            ("app", &["CLUSTER", "SLOTS"], true),
            ("guest", &["GET", "public:1"], true),
            ("guest", &["GET", "private:1"], false),
        ];
        for (user, command, expected) in rows {
            let verdict = text(&[&["ACL", "DRYRUN", user][..], command].concat()).await;
            assert_eq!(verdict == "OK", expected, "{user} {command:?}: {verdict}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_no_server_takes_are_explained_by_its_log() {
    let config = Lab::builder(LabProfile::Plain).shards(1).replicas(0);
    let error = config.user("app", None, "+no-such-command").start().await.unwrap_err();
    assert!(matches!(error, LabError::ServerExited { .. }), "{error}");
    assert!(error.to_string().contains("no-such-command"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_has_settings_of_its_own_even_after_a_redeploy() {
    let mut lab = Lab::builder(LabProfile::Plain)
        .replicas(0)
        .server_arg("maxmemory", "64mb")
        .node_arg(1, "maxmemory", "32mb")
        .start()
        .await
        .unwrap();
    for _ in 0..2 {
        for (node, megabytes) in [(0, 64), (1, 32), (2, 64)] {
            assert_eq!(setting(&lab, node, "maxmemory").await, (megabytes << 20).to_string());
        }
        lab.redeploy_abrupt().await.unwrap();
    }
}

/// A program that becomes the very server the other nodes run, with a time-out that tells it from them.
fn marked_server(dir: &Path) -> PathBuf {
    let path = dir.join("marked-server");
    let real = r#"real="${TRUENAME_SERVER:-$(command -v valkey-server || command -v redis-server)}""#;
    let script = format!("#!/bin/sh\n{real}\nexec \"$real\" \"$@\" --timeout {MARK}\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

async fn assert_marked(lab: &Lab, marked: usize) {
    for node in lab.nodes() {
        let is_marked = setting(lab, node.index, "timeout").await == MARK;
        assert_eq!(is_marked, node.index == marked, "node {}", node.index);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_runs_another_program_whenever_it_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let config = Lab::builder(LabProfile::Plain).node_binary(4, marked_server(dir.path()));
    let mut lab = config.start().await.unwrap();
    assert_marked(&lab, 4).await;
    lab.node(4).restart().await.unwrap();
    lab.node(3).restart().await.unwrap();
    assert_marked(&lab, 4).await;
    lab.redeploy_abrupt().await.unwrap();
    assert_marked(&lab, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_none_is_refused_before_anything_starts() {
    let config = Lab::builder(LabProfile::Plain).node_binary(1, "/bin/true");
    let error = config.start().await.unwrap_err();
    assert!(matches!(error, LabError::NotAServer { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_announce_what_they_are_told_to_and_the_cluster_holds() {
    for (profile, replicas) in [(LabProfile::Plain, 0), (LabProfile::Azure, 0), (LabProfile::Aws, 1)] {
        let config = Lab::builder(profile)
            .replicas(replicas)
            .announce(0, Announce::new().host("redis-0"))
            .announce(2, Announce::new().no_host());
        let config = if replicas == 0 {
            config.announce(1, Announce::new().host("10.1.2.3").port(6400))
        } else {
            config
        };
        let mut lab = config.start().await.unwrap();
        assert_announced(&lab).await;
        lab.redeploy_abrupt().await.unwrap();
        assert_announced(&lab).await;
    }
}

async fn assert_announced(lab: &Lab) {
    assert!(lab.cluster_ok().await.unwrap());
    let expected: BTreeSet<_> = lab.nodes().iter().map(LabNode::announced).collect();
    assert_eq!(lab.node(0).announced(), ("redis-0".to_owned(), lab.node(0).port));
    assert_eq!(lab.node(2).announced().0, "?");
    for node in lab.nodes() {
        let told = async || announced(lab, node.index).await == expected;
        eventually("every node tells clients the same", told).await;
    }
}
