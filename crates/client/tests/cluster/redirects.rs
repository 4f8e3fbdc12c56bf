//! MOVED and ASK from real servers: slots on their way, and slots that arrived.

use std::time::Duration;

use crate::support::history::History;
use crate::support::{config, connect, eventually, lab, spread_keys};
use truename::topology::Slot;
use truename::{Client, Event, Notice, cmd};
use truename_lab::LabProfile;

const SLOT_KEY: &str = "{half}moved";

#[tokio::test]
async fn ask_is_followed_for_one_command_and_changes_nothing() {
    for profile in [LabProfile::Azure, LabProfile::UnknownEndpoint, LabProfile::Aws] {
        let lab = lab(profile).await;
        let client = connect(&lab).await;
        client.execute::<()>(cmd("SET").arg("{half}stays").arg("here")).await.expect("OK");
        let slot = Slot::of_key(SLOT_KEY.as_bytes());
        let from = lab.primary_of_slot(slot.value()).await.expect("an owner");
        let to = (from + 1) % 3;
        lab.begin_migration(slot.value(), from, to).await.expect("migration begins");
        let owner = client.topology().primary(slot).expect("an owner").endpoint.clone();
        // The key does not exist at the source, so it answers ASK.
        for round in 1..=20 {
            assert_eq!(client.execute::<i64>(cmd("INCR").arg(SLOT_KEY)).await.expect("a number"), round);
            assert_eq!(
                client.execute::<String>(cmd("GET").arg("{half}stays")).await.expect("a value"),
                "here"
            );
        }
        assert_eq!(client.topology().primary(slot).expect("an owner").endpoint, owner);
        lab.migrate_keys(slot.value(), from, to, usize::MAX).await.expect("keys migrate");
        lab.finish_migration(slot.value(), from, to).await.expect("migration ends");
        assert_eq!(client.execute::<i64>(cmd("INCR").arg(SLOT_KEY)).await.expect("a number"), 21);
        let moved = || async { client.topology().primary(slot).expect("an owner").endpoint != owner };
        eventually("the slot map follows", Duration::from_secs(5), moved).await;
    }
}

#[tokio::test]
async fn moved_patches_the_map_and_tells() {
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let mut events = client.events();
    client.execute::<()>(cmd("SET").arg(SLOT_KEY).arg(1)).await.expect("OK");
    let slot = Slot::of_key(SLOT_KEY.as_bytes());
    let from = lab.primary_of_slot(slot.value()).await.expect("an owner");
    lab.migrate_slot(slot.value(), from, (from + 1) % 3).await.expect("migrated");
    assert_eq!(client.execute::<i64>(cmd("INCR").arg(SLOT_KEY)).await.expect("a number"), 2);
    loop {
        let notice = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an event");
        if let Some(Notice::Event(Event::TopologyChanged { diff })) = notice {
            assert_eq!(diff.moved_slots.len(), 1);
            break;
        }
    }
}

#[tokio::test]
async fn slots_migrate_under_load_without_an_error() {
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let keys = spread_keys("busy", 24);
    let history = History::start(&client, keys.clone());
    history.healthy_for(500, Duration::from_secs(10)).await;
    for key in keys.iter().take(12) {
        let slot = Slot::of_key(key.as_bytes()).value();
        let from = lab.primary_of_slot(slot).await.expect("an owner");
        lab.migrate_slot(slot, from, (from + 1) % 3).await.expect("migrated");
    }
    history.healthy_for(500, Duration::from_secs(10)).await;
    let outcome = history.finish().await;
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
}

#[tokio::test]
async fn a_command_that_would_change_a_shared_connection_is_refused() {
    let lab = lab(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab)).await.expect("connected");
    for command in [
        cmd("MULTI"),
        cmd("SUBSCRIBE").arg("channel"),
        cmd("SELECT").arg(1),
        cmd("CLIENT").arg("REPLY").arg("OFF"),
    ] {
        let error = client.execute::<()>(command).await.expect_err("refused");
        assert!(matches!(error, truename::Error::Route(_)), "{error}");
        assert!(!error.may_have_executed());
    }
}
