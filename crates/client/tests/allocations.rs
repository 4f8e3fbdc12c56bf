//! The hot path allocates nothing: counted, against a real server.
//!
//! Everything runs on one thread, so that the counter sees the caller's side and the driver's. What is counted is
//! the steady state: buffers and waiters have grown to their size before.

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use support::{connect, spread_keys};
use tokio::runtime::Runtime;
use truename::{Client, Reply, cmd};
use truename_lab::{Lab, LabProfile};

const TASKS: usize = 64;
const OPS_PER_TASK: usize = 1000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn work(client: Client, key: String, ops: usize) {
    let value = [b'x'; 64];
    for _ in 0..ops / 2 {
        client.execute::<()>(cmd("SET").arg(&key).arg(&value)).await.expect("OK");
        let reply: Reply = client.execute(cmd("GET").arg(&key)).await.expect("a value");
        assert_eq!(reply.as_bytes().map(<[u8]>::len), Some(64));
    }
}

async fn all(client: &Client, keys: &[String], ops: usize) {
    let tasks: Vec<_> = keys.iter().map(|key| tokio::spawn(work(client.clone(), key.clone(), ops))).collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// Allocations per command while 64 tasks write and read.
fn per_command(profile: LabProfile) -> f64 {
    let runtime = runtime();
    let keys = spread_keys("allocations", TASKS);
    let lab =
        runtime.block_on(async { Lab::builder(profile).replicas(0).start().await.expect("the lab starts") });
    let client = runtime.block_on(connect(&lab));
    runtime.block_on(all(&client, &keys, OPS_PER_TASK));
    let counted: AllocationInfo = measure(|| runtime.block_on(all(&client, &keys, OPS_PER_TASK)));
    runtime.block_on(async move { tokio::time::timeout(Duration::from_secs(5), lab.shutdown()).await.ok() });
    let per_command = counted.count_total as f64 / (TASKS * OPS_PER_TASK) as f64;
    eprintln!(
        "{profile}: {per_command:.4} allocations, {} bytes per command",
        counted.bytes_total / (TASKS * OPS_PER_TASK) as u64
    );
    per_command
}

#[test]
fn a_call_in_flight_is_small() {
    // Of thousands of calls in flight, each is touched twice: what does not fit the cache costs more than it computes.
    let runtime = runtime();
    let size = runtime.block_on(async {
        let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
        let client = connect(&lab).await;
        let call = client.execute::<Reply>(cmd("GET").arg("key"));
        size_of_val(&call)
    });
    eprintln!("a call in flight: {size} bytes");
    assert!(size <= 400, "{size} bytes");
}

#[test]
fn plain_commands_allocate_nothing() {
    // What is left is a read buffer now and then, and the tasks of the test itself: 3 per 1,000 commands.
    let counted = per_command(LabProfile::Plain);
    assert!(counted < 0.01, "{counted} allocations per command");
}

#[test]
fn tls_commands_allocate_twice_per_batch() {
    // rustls makes a vector of every record, in each direction. Three connections share 64 tasks: 2 / 21 and a little.
    let counted = per_command(LabProfile::Azure);
    assert!(counted < 0.11, "{counted} allocations per command");
}

/// Replies that are passed on as they came are slices of what was read.
#[test]
fn raw_replies_allocate_nothing() {
    let runtime = runtime();
    let lab = runtime
        .block_on(async { Lab::builder(LabProfile::Plain).replicas(0).start().await.expect("started") });
    let client = runtime.block_on(connect(&lab));
    let read = async || {
        for _ in 0..OPS_PER_TASK {
            let frame = client.execute_raw(cmd("GET").arg("key")).await.expect("a reply");
            assert_eq!(frame.as_bytes(), b"$5\r\nvalue\r\n");
        }
    };
    runtime.block_on(async { client.execute::<()>(cmd("SET").arg("key").arg("value")).await.expect("OK") });
    runtime.block_on(read());
    // A refresh of the topology may fall into one of them, as some do after every start.
    let rounds = (0..5).map(|_| measure(|| runtime.block_on(read())).count_total);
    let per_command = rounds.min().unwrap_or(u64::MAX) as f64 / OPS_PER_TASK as f64;
    eprintln!("raw: {per_command:.4} allocations per command");
    assert!(per_command < 0.01, "{per_command} allocations per command");
    runtime.block_on(async move { tokio::time::timeout(Duration::from_secs(5), lab.shutdown()).await.ok() });
}
