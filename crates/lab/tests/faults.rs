//! What can be done to a running lab: faults of single nodes, failovers, slot migrations.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::time::Duration;

use support::eventually;
use truename_lab::{FailoverKind, Lab, LabError, LabProfile};
use truename_resp::Reply;
use truename_topology::Slot;

fn error_code(reply: &Reply) -> &str {
    reply.as_error().map_or("", |error| error.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced_and_returns_as_a_replica() {
    let lab = Lab::builder(LabProfile::Azure).node_timeout(Duration::from_secs(1)).start().await.unwrap();
    let owner = lab.primary_of_slot(0).await.unwrap();
    assert_eq!(owner, 0);
    let pid = lab.node(0).pid().unwrap();
    lab.node(0).kill();
    assert!(!lab.node(0).is_running() && lab.node(0).pid().is_none());
    lab.wait_ready().await.unwrap();
    let heir = lab.primary_of_slot(0).await.unwrap();
    assert_eq!(heir, 3, "the replica of the same shard");
    lab.node(0).restart().await.unwrap();
    lab.wait_ready().await.unwrap();
    assert_ne!(lab.node(0).pid().unwrap(), pid);
    let role = lab.command(0, &["ROLE"]).await.unwrap();
    assert_eq!(role.as_array().unwrap()[0].as_str(), Some("slave"));
    let id = lab.command(0, &["CLUSTER", "MYID"]).await.unwrap();
    assert_eq!(id.as_str(), Some(lab.node(0).id.as_str()), "a node keeps its id");
    lab.failover(0).await.unwrap();
    assert_eq!(lab.primary_of_slot(0).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_is_silent_until_it_continues() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.unwrap();
    lab.node(1).stop();
    assert!(lab.node(1).is_running());
    let silence = tokio::time::timeout(Duration::from_millis(200), lab.command(1, &["PING"])).await;
    assert!(silence.is_err(), "{silence:?}");
    lab.node(1).cont();
    let pong = lab.command(1, &["PING"]).await.unwrap();
    assert_eq!(pong.as_str(), Some("PONG"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_of_every_kind() {
    let lab = Lab::builder(LabProfile::Plain).start().await.unwrap();
    for (replica, kind) in
        [(3, FailoverKind::Coordinated), (4, FailoverKind::Force), (5, FailoverKind::Takeover)]
    {
        lab.failover_as(replica, kind).await.unwrap();
        let shard = lab.node(replica).shard;
        let slot = u16::try_from(shard * 5461 + 1).unwrap();
        assert_eq!(lab.primary_of_slot(slot).await.unwrap(), replica, "{kind:?}");
    }
    let error = lab.failover(3).await.unwrap_err();
    assert!(matches!(error, LabError::Refused { .. }), "a primary cannot take over: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_with_its_keys_and_can_be_looked_at_in_between() {
    let lab = Lab::builder(LabProfile::Aws).replicas(0).start().await.unwrap();
    let slot = Slot::of_key(b"{city}").value();
    let from = lab.primary_of_key(b"{city}").await.unwrap();
    assert_eq!(lab.primary_of_slot(slot).await.unwrap(), from);
    let to = (from + 1) % 3;
    for n in 0..250 {
        let reply = lab.command(from, &["SET", &format!("{{city}}{n}"), &n.to_string()]).await.unwrap();
        assert_eq!(reply.as_str(), Some("OK"));
    }
    lab.begin_migration(slot, from, to).await.unwrap();
    assert_eq!(lab.migrate_keys(slot, from, to, 120).await.unwrap(), 120);
    let missing = lab.command(from, &["GET", "{city}none"]).await.unwrap();
    assert_eq!(error_code(&missing), "ASK");
    let left = lab.command(from, &["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).await.unwrap();
    assert_eq!(left.as_integer(), Some(130));
    lab.finish_migration(slot, from, to).await.unwrap();
    let moved = lab.command(from, &["GET", "{city}7"]).await.unwrap();
    assert_eq!(error_code(&moved), "MOVED");
    for n in 0..250 {
        let reply = lab.command(to, &["GET", &format!("{{city}}{n}")]).await.unwrap();
        assert_eq!(reply.as_str(), Some(n.to_string().as_str()));
    }
    assert_eq!(lab.primary_of_slot(slot).await.unwrap(), to);
    lab.wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_start_is_explained_by_its_log() {
    let error =
        Lab::builder(LabProfile::Plain).server_arg("no-such-directive", "1").start().await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LabError::ServerExited { .. }), "{text}");
    // Redis 8 takes it for a setting of a module that was not loaded.
    let complaints = ["Bad directive", "Module Configuration detected without loadmodule"];
    let complains = complaints.iter().any(|complaint| text.contains(complaint));
    assert!(text.contains("no-such-directive") && complains, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_by_itself_is_noticed() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.unwrap();
    let pid = lab.node(2).pid().unwrap();
    let _ = lab.command(2, &["SHUTDOWN", "NOSAVE"]).await;
    eventually("the server has ended", async || !lab.node(2).is_running()).await;
    assert_eq!(lab.node(2).pid(), Some(pid), "it was not collected yet");
    lab.node(2).restart().await.unwrap();
    lab.wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_on_no_command_line() {
    let lab = Lab::builder(LabProfile::Plain)
        .shards(1)
        .replicas(0)
        .password(Some("s3cret-word"))
        .start()
        .await
        .unwrap();
    let pid = lab.node(0).pid().unwrap();
    let command_line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command_line.contains("server") && !command_line.contains("s3cret"), "{command_line}");
    let reply = lab.command(0, &["CONFIG", "GET", "requirepass"]).await.unwrap();
    assert_eq!(reply.lookup("requirepass").and_then(Reply::as_str), Some("s3cret-word"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_slots_move_at_once_with_their_keys() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.unwrap();
    let first = |shard: u16| u16::try_from(u32::from(shard) * 16_384 / 3).unwrap();
    let slots: Vec<u16> = (first(1)..first(1) + 200).collect();
    let keys: Vec<String> = (0..20_000).map(|n| format!("key:{n}")).collect();
    let mut moving = 0;
    for key in keys.iter().filter(|key| slots.contains(&Slot::of_key(key.as_bytes()).value())) {
        assert_eq!(lab.command(1, &["SET", key, "v"]).await.unwrap().as_str(), Some("OK"));
        moving += 1;
    }
    assert!(moving > 100, "{moving}");
    lab.migrate_slots(&slots, 1, 2).await.unwrap();
    for (node, stored) in [(0, 0), (1, 0), (2, moving)] {
        assert_eq!(lab.command(node, &["DBSIZE"]).await.unwrap().as_integer(), Some(stored));
    }
    for (slot, owner) in [(slots[0], 2), (slots[199], 2), (slots[199] + 1, 1)] {
        assert_eq!(lab.primary_of_slot(slot).await.unwrap(), owner);
    }
    let error = lab.migrate_slots(&slots[..1], 1, 2).await.unwrap_err();
    assert!(matches!(error, LabError::Refused { .. }), "they are not its own any more: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labs_can_share_an_authority() {
    let one = Lab::builder(LabProfile::Azure).replicas(0).start().await.unwrap();
    let other = Lab::builder(LabProfile::Azure).replicas(0).authority_of(&one).start().await.unwrap();
    let stranger = Lab::builder(LabProfile::Azure).replicas(0).start().await.unwrap();
    assert_eq!(one.ca_pem(), other.ca_pem());
    assert_ne!(one.ca_pem(), stranger.ca_pem());
    let ids = [&one, &other].map(|lab| lab.node(0).id.clone());
    assert_ne!(ids[0], ids[1], "they are still two clusters");
}
