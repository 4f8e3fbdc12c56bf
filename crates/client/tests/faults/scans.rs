//! Scans while slots move and nodes die: every key that is there throughout is returned.
//!
//! Keys that stay are written first. While a scan runs, a writer adds and removes others, and something happens to the
//! servers. At the end every key that stayed must have been returned, none that never existed, and the scan must know that
//! it is complete.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::measure::in_company;
use crate::support::info::executions;
use crate::support::{config, eventually, shard_of_slot, tell};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use truename::scan::{Keys, Scan, ScanCursor};
use truename::topology::Slot;
use truename::{Client, cmd};
use truename_lab::{FailoverKind, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
/// Between two pages that the reader takes, so that there is time for something to happen.
const PAUSE: Duration = Duration::from_millis(4);

/// A reader that keeps what it was given.
#[derive(Default)]
struct History {
    found: BTreeSet<String>,
    returned: usize,
}

impl History {
    /// Takes up to so many keys.
    async fn read(&mut self, keys: &mut Keys, most: usize) -> bool {
        for taken in 1..=most {
            match keys.next().await {
                Some(Ok(key)) => {
                    self.returned += 1;
                    self.found.insert(String::from_utf8(key.to_vec()).expect("text"));
                }
                Some(Err(error)) => panic!("{error}"),
                None => return false,
            }
            if taken % 50 == 0 {
                sleep(PAUSE).await;
            }
        }
        true
    }

    async fn read_all(&mut self, mut keys: Keys) {
        while self.read(&mut keys, usize::MAX).await {}
        assert!(keys.is_complete() && keys.cursor().is_none());
    }

    fn check(&self, stayed: &BTreeSet<String>, what: &str) {
        let lost: Vec<_> = stayed.difference(&self.found).take(10).collect();
        assert!(lost.is_empty(), "{what}: {lost:?} and perhaps more were there throughout");
        let strange: Vec<_> =
            self.found.iter().filter(|key| !key.starts_with("goes:") && !stayed.contains(*key)).collect();
        assert!(strange.is_empty(), "{what}: {strange:?}");
        eprintln!(
            "{what}: {} keys stayed, {} returned, {} different ones",
            stayed.len(),
            self.returned,
            self.found.len()
        );
    }
}

/// A writer that adds and removes keys until it is stopped.
struct Churn {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Churn {
    fn start(client: &Client) -> Self {
        let (stop, client) = (Arc::<AtomicBool>::default(), client.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let key = format!("goes:{}", fastrand::u32(..5000));
                let call = if fastrand::bool() { cmd("SET").arg(key).arg("v") } else { cmd("DEL").arg(key) };
                // Some fail while nodes are down.
                let _ = client.execute::<truename::Reply>(call).await;
            }
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic");
    }
}

async fn patient(lab: &Lab) -> Client {
    let config = config(lab).command_timeout(5 * SECOND);
    Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn fill(client: &Client, count: usize) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..count).map(|n| format!("stays:{n}")).collect();
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg("v")));
    assert!(batch.execute::<()>().await.into_iter().all(|outcome| outcome.is_ok()));
    keys
}

/// Small pages, so that a scan takes long enough.
fn slow_scan(client: &Client) -> Scan {
    client.scan().count(20)
}

/// The same keys and the same pace for all: a scan of them takes two seconds or so.
const KEYS: usize = 15_000;

fn slots_of(shard: usize) -> Vec<u16> {
    (0..Slot::COUNT as u16).filter(|slot| shard_of_slot(usize::from(*slot)) == shard).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_scan_returns_every_key_while_slots_move() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(15 * SECOND);
    let lab = Arc::new(lab.start().await.expect("the lab starts"));
    let client = patient(&lab).await;
    let stayed = fill(&client, KEYS).await;
    let churn = Churn::start(&client);
    let mut history = History::default();
    let mut keys = slow_scan(&client).keys();
    assert!(history.read(&mut keys, 100).await);
    // From every shard to the next one and partly back, so that some leave before they were scanned and reach a node that is
    // scanned already, and some are away for a moment only.
    let moving = tokio::spawn({
        let lab = lab.clone();
        async move {
            let parts: Vec<Vec<u16>> = (0..3).map(slots_of).collect();
            for round in 0..6 {
                let part: Vec<u16> = parts[round % 3].iter().skip(round).step_by(20).copied().collect();
                let (from, to) = (round % 3, (round + 1) % 3);
                lab.migrate_slots(&part, from, to).await.expect("migrated");
                if round % 2 == 0 {
                    lab.migrate_slots(&part, to, from).await.expect("migrated back");
                }
            }
        }
    });
    history.read_all(keys).await;
    assert!(history.returned > KEYS + 500, "some had to be scanned again: {}", history.returned);
    moving.await.expect("all moved");
    churn.stop().await;
    history.check(&stayed, "slots moved");
    // Where the servers can do it, slots that moved were scanned one by one.
    let mut one_by_one = 0;
    for node in 0..3 {
        one_by_one += executions(&lab, node, "clusterscan").await;
    }
    let known = tell(&lab, 0, &["COMMAND", "INFO", "CLUSTERSCAN"]).await;
    let is_known = known.as_array().is_some_and(|known| known.first().is_some_and(|known| !known.is_nil()));
    assert_eq!(one_by_one > 0, is_known, "{one_by_one}");

    // And once more, with everything where it is now.
    let mut history = History::default();
    history.read_all(slow_scan(&client).keys()).await;
    history.check(&stayed, "slots had moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_slot_that_stays_between_its_owners_is_waited_for_or_named() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.expect("the lab starts");
    let client = patient(&lab).await;
    let stayed = fill(&client, 3000).await;
    let slot = Slot::of_key(b"stays:7");
    let from = lab.primary_of_slot(slot.value()).await.expect("an owner");
    let to = (from + 1) % 3;
    lab.begin_migration(slot.value(), from, to).await.expect("begun");

    let mut keys = slow_scan(&client).patience(2 * SECOND).keys();
    let mut missing = Vec::new();
    while let Some(key) = keys.next().await {
        missing.extend(key.err().map(|error| error.to_string()));
    }
    let expected = format!("keys of slots {slot} are missing");
    assert!(missing.len() == 1 && missing[0].starts_with(&expected), "{missing:?}");
    assert!(!keys.is_complete());
    let rest = keys.cursor().expect("a slot is left");
    let finish = async {
        sleep(SECOND).await;
        lab.finish_migration(slot.value(), from, to).await.expect("finished");
    };
    let mut history = History::default();
    tokio::join!(history.read_all(client.scan().resume(rest).keys()), finish);
    let of_slot: BTreeSet<_> =
        stayed.into_iter().filter(|key| Slot::of_key(key.as_bytes()) == slot).collect();
    assert_eq!(history.found, of_slot, "that slot and nothing else");
}

/// Waits until the replica of a shard has all that its primary had.
async fn replicated(lab: &Lab, primary: usize) {
    let reply = tell(lab, primary, &["WAIT", "1", "10000"]).await;
    assert_eq!(reply.as_integer(), Some(1), "the replica has everything");
}

/// A lab whose replicas have all keys that its primaries were filled with.
async fn filled_and_replicated() -> (Lab, Client, BTreeSet<String>) {
    let lab = Lab::builder(LabProfile::Plain).start().await.expect("the lab starts");
    let client = patient(&lab).await;
    let stayed = fill(&client, KEYS).await;
    for node in 0..3 {
        replicated(&lab, node).await;
    }
    (lab, client, stayed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_scan_returns_every_key_when_a_primary_is_killed() {
    let _company = in_company().await;
    let (lab, client, stayed) = filled_and_replicated().await;
    let churn = Churn::start(&client);
    let mut history = History::default();
    let mut keys = slow_scan(&client).keys();
    assert!(history.read(&mut keys, KEYS / 2).await);
    lab.node(1).kill();
    history.read_all(keys).await;
    assert_ne!(lab.primary_of_slot(slots_of(1)[0]).await.expect("an owner"), 1, "its replica took over");
    assert!(history.returned > KEYS + 100, "the shard was scanned anew: {}", history.returned);
    churn.stop().await;
    history.check(&stayed, "a primary was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_a_scan_returns_every_key_through_failovers_by_command() {
    let _company = in_company().await;
    let (lab, client, stayed) = filled_and_replicated().await;
    let churn = Churn::start(&client);
    let replica = lab.replicas().iter().find(|node| node.shard == 0).expect("a replica").index;
    let mut history = History::default();
    let mut keys = slow_scan(&client).keys();
    assert!(history.read(&mut keys, KEYS / 3).await);
    lab.failover(replica).await.expect("handed over");
    assert!(history.read(&mut keys, KEYS / 6).await);
    // Back again: to the process whose cursor the scan had, and which was a replica meanwhile.
    lab.failover_as(0, FailoverKind::Coordinated).await.expect("handed back");
    history.read_all(keys).await;
    churn.stop().await;
    history.check(&stayed, "a replica took over and gave back");
}

/// The data of a node goes to disk, so that it is there again after a restart.
async fn save(lab: &Lab, node: usize) {
    tell(lab, node, &["SAVE"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_scan_returns_every_key_when_servers_are_restarted() {
    let _company = in_company().await;
    // Nobody takes over meanwhile: the same node comes back, at the same address, with the same keys.
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let client = patient(&lab).await;
    let stayed = fill(&client, KEYS).await;
    let mut history = History::default();
    let mut keys = slow_scan(&client).keys();
    assert!(history.read(&mut keys, KEYS / 2).await);
    save(&lab, 2).await;
    lab.node(2).restart().await.expect("it comes back");
    history.read_all(keys).await;
    assert!(history.returned > KEYS + 100, "the node was scanned anew: {}", history.returned);
    history.check(&stayed, "a server was restarted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_scan_that_is_resumed_knows_what_happened_meanwhile() {
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let mut client = patient(&lab).await;
    let stayed = fill(&client, KEYS).await;
    let churn = Churn::start(&client);
    let (mut history, mut saved, mut part) = (History::default(), None::<String>, 0);
    loop {
        let mut scan = slow_scan(&client);
        if let Some(saved) = &saved {
            scan = scan.resume(saved.parse::<ScanCursor>().expect("our own cursor"));
        }
        let mut keys = scan.keys();
        history.read(&mut keys, KEYS / 5 + 13).await;
        let Some(cursor) = keys.cursor() else { break };
        saved = Some(cursor.to_string());
        drop(keys);
        client = patient(&lab).await;
        part += 1;
        match part {
            // Slots leave for a node that was scanned further, or less far.
            1 => lab.migrate_slots(&slots_of(0)[..400], 0, 1).await.expect("migrated"),
            // A process is gone, and with it its cursors.
            2 => {
                save(&lab, 1).await;
                lab.node(1).restart().await.expect("it comes back");
            }
            // Away and back, between two parts.
            3 => {
                let some = &slots_of(2)[..300];
                lab.migrate_slots(some, 2, 0).await.expect("migrated");
                lab.migrate_slots(some, 0, 2).await.expect("migrated back");
            }
            4.. => {}
            _ => unreachable!(),
        }
        assert!(part < 50, "it ends");
    }
    assert!(part >= 4, "everything happened: {part}");
    churn.stop().await;
    history.check(&stayed, "it was dropped and resumed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_the_fields_of_a_hash_are_returned_while_it_moves_and_its_server_is_restarted() {
    const FIELDS: usize = 20_000;
    let _company = in_company().await;
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let client = patient(&lab).await;
    let fields = (0..FIELDS).flat_map(|n| [format!("f{n}"), n.to_string()]);
    client.run(cmd("HSET").arg("hash").args(fields)).await.expect("a number");
    let slot = Slot::of_key(b"hash").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    let mut elements = client.hscan("hash").count(50).elements();
    let (mut found, mut returned) = (BTreeSet::new(), 0);
    while let Some(field) = elements.next().await {
        let (field, value) = field.expect("a pair");
        assert_eq!(field[1..], value[..]);
        found.insert(field);
        returned += 1;
        if returned == FIELDS / 2 {
            lab.migrate_slot(slot, from, to).await.expect("migrated");
        }
        if returned == FIELDS {
            save(&lab, to).await;
            lab.node(to).restart().await.expect("it comes back");
        }
    }
    assert_eq!(found.len(), FIELDS);
    assert!(returned >= 2 * FIELDS, "it began anew twice: {returned}");
    eventually("calls go on", 5 * SECOND, || async { client.run(cmd("HLEN").arg("hash")).await.is_ok() })
        .await;
}
