//! Slots on the move while the client works: one that stays between its owners, and all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::measure::{alone, in_company};
use crate::support::history::History;
use crate::support::info::executions;
use crate::support::{config, connect, eventually, proxied_lab, shard_of_slot, spread_keys, tell};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use truename::topology::Slot;
use truename::{Client, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_migration_that_stops_half_way_is_served_from_both_sides() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let names: Vec<String> = (0..20).map(|n| format!("{{half}}{n}")).collect();
    for name in &names {
        client.execute::<()>(cmd("SET").arg(name).arg(name)).await.expect("OK");
    }
    let slot = Slot::of_key(b"half").value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    lab.begin_migration(slot, from, to).await.expect("begun");
    lab.migrate_keys(slot, from, to, 10).await.expect("half of the keys are there");
    let history = History::start(&client, vec!["half".to_owned(), "other".to_owned()]);
    let asked = executions(&lab, to, "asking").await;
    history.healthy_for(500, 5 * SECOND).await;
    for name in &names {
        assert_eq!(&client.execute::<String>(cmd("GET").arg(name)).await.expect("a value"), name);
    }
    assert!(executions(&lab, to, "asking").await > asked + 10, "ASK was exercised");
    // Some keys are here and some there: TRYAGAIN until the migration ends.
    let together = cmd("MGET").args(names.iter().map(String::as_str));
    let finish = async {
        sleep(TICK).await;
        lab.finish_migration(slot, from, to).await.expect("finished");
    };
    let (values, ()) = tokio::join!(client.execute::<Vec<String>>(together), finish);
    assert_eq!(values.expect("answered once it was over"), names);
    let outcome = history.finish().await;
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
}

/// A key for every slot, in the order of the slots.
fn key_of_every_slot() -> Arc<[String]> {
    let mut keys = vec![None; Slot::COUNT];
    let mut left = keys.len();
    for n in 0u64.. {
        let key = format!("all:{n}");
        let place = &mut keys[Slot::of_key(key.as_bytes()).index()];
        left -= usize::from(place.is_none());
        place.get_or_insert(key);
        if left == 0 {
            break;
        }
    }
    keys.into_iter().flatten().collect()
}

/// Calls for all keys, 64 at a time.
async fn for_each_key<F>(client: &Client, keys: &Arc<[String]>, call: fn(Client, String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for first in 0..64 {
        let (client, keys) = (client.clone(), keys.clone());
        tasks.spawn(async move {
            for key in keys.iter().skip(first).step_by(64) {
                call(client.clone(), key.clone()).await;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no call failed");
    }
}

async fn write(client: Client, key: String) {
    client.execute::<()>(cmd("SET").arg(&key).arg(&key)).await.expect("OK");
}

async fn read(client: Client, key: String) {
    let value = client.execute::<Option<String>>(cmd("GET").arg(&key)).await.expect("a value");
    assert_eq!(value.as_deref(), Some(key.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_all_slots_change_their_shard_under_load_without_an_error() {
    const STEPS: usize = 8;
    let _alone = alone().await;
    // The servers sync a file at every step; a disk that is busy for seconds is not what this is about.
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(15 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let patient = config(&lab).stall_timeout(15 * SECOND).command_timeout(15 * SECOND);
    let client = Client::connect(&patient).await.expect("connected");
    let keys = key_of_every_slot();
    for_each_key(&client, &keys, write).await;
    let history = History::start(&client, spread_keys("moving", 48));
    // Readers of all slots as well, so that none moves unseen.
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = JoinSet::new();
    for _ in 0..8 {
        let (client, keys, stop, reads) = (client.clone(), keys.clone(), stop.clone(), reads.clone());
        readers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                read(client.clone(), keys[fastrand::usize(..keys.len())].clone()).await;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    history.healthy_for(300, 15 * SECOND).await;

    let started = Instant::now();
    let shards: Vec<Vec<u16>> = (0..3)
        .map(|shard| {
            (0..Slot::COUNT as u16).filter(|slot| shard_of_slot(usize::from(*slot)) == shard).collect()
        })
        .collect();
    // In steps, so that no node is ever without slots: it would become a replica.
    for step in 0..STEPS {
        for (from, slots) in shards.iter().enumerate() {
            let part = |step| slots.len() * step / STEPS;
            let slots = &slots[part(step)..part(step + 1)];
            lab.migrate_slots(slots, from, (from + 1) % 3).await.expect("migrated");
        }
    }
    let took = started.elapsed();
    history.healthy_for(300, 15 * SECOND).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(reader) = readers.join_next().await {
        reader.expect("every read was right");
    }
    let outcome = history.finish().await;
    let mut asked = 0;
    for node in 0..3 {
        asked += executions(&lab, node, "asking").await;
    }
    eprintln!(
        "F8: {} slots in {took:?}, {} reads of all of them, {asked} times ASK; {}",
        Slot::COUNT,
        reads.load(Ordering::Relaxed),
        outcome.summary()
    );
    outcome.assert_sound();
    assert_eq!(outcome.failed, 0, "{:?}", outcome.failures);
    assert!(asked > 0, "ASK was exercised");

    // Everything is where it belongs, once, and the client knows.
    for_each_key(&client, &keys, read).await;
    let owner = |slot: usize| lab.node((shard_of_slot(slot) + 1) % 3);
    eventually("the client knows every new owner", 5 * SECOND, || async {
        let topology = client.topology();
        (0..Slot::COUNT).all(|slot| {
            let primary = Slot::new(slot as u16).and_then(|slot| topology.primary(slot));
            primary.is_some_and(|node| node.endpoint.port() == owner(slot).port)
        })
    })
    .await;
    let mut stored = 0;
    for node in 0..3 {
        stored += tell(&lab, node, &["DBSIZE"]).await.as_integer().expect("a number");
    }
    let histories = 2 * 48;
    assert_eq!(stored, Slot::COUNT as i64 + histories, "a key was left behind or lost");
}
