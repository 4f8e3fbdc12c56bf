//! Commands that are ready together share system calls: counted by a real server, in steady state.
//!
//! The server counts its own reads and writes (`INFO stats`), so this needs no tracer and no privilege. Everything of
//! the client runs on one thread, and one server serves all slots: there is one connection to share.
//!
//! What the gate can see:
//! - Over TLS, every write of the driver. A write is a record, and the server takes one record per read, however
//!   late it comes to it.
//! - Over TCP, at least as many writes as the server counted reads. Writes that arrive before the server looks are one
//!   read to it, so a client that writes too often looks better here than it is: a driver that was made to write
//!   every command alone showed 1.0 over TLS and 0.15 over TCP, one that wrote pairs 0.5 and 0.09.
//! - That the counting works: a lone caller waits for each reply, so each of its commands is one read at least.
//!
//! What it cannot see is how often the client reads. A server answers one read with one write, so its writes only
//! repeat the first number; they are printed and not judged. `lane::write_tests` counts the calls on the
//! client's side of an in-memory stream; `bench/README.md` explains how to trace a process.

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::time::Duration;

use support::info::info;
use support::{connect, spread_keys};
use truename::{Client, Reply, cmd};
use truename_lab::{Lab, LabProfile};

const TASKS: usize = 64;
/// Per task, when there are many.
const OPS: usize = 500;
/// Of a lone caller.
const OPS_ALONE: usize = 4000;
/// One per 64 commands is possible, and usual: 0.0156. This is 20 commands per write.
const SHARED_AT_MOST: f64 = 0.05;
/// Besides its commands a client asks for the topology now and then; a second write for a command would be 2.
const ALONE_AT_MOST: f64 = 1.05;
/// The server's count may be off by the few reads that asking for it takes.
const ALONE_AT_LEAST: f64 = 0.99;

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

/// How often the server has read from clients and written to them since its start.
async fn served(lab: &Lab) -> [f64; 2] {
    let number = async |field| info(lab, 0, "stats", field).await as f64;
    [number("total_reads_processed").await, number("total_writes_processed").await]
}

/// The server's reads per command while every key has a task that writes and reads it.
async fn reads_per_command(lab: &Lab, client: &Client, keys: &[String], ops: usize) -> f64 {
    all(client, keys, ops / 10).await;
    let earlier = served(lab).await;
    let before = served(lab).await;
    all(client, keys, ops).await;
    let after = served(lab).await;
    // The first difference is what asking takes.
    let [reads, writes] = [0, 1].map(|which| {
        let asking = before[which] - earlier[which];
        (after[which] - before[which] - asking) / (keys.len() * ops) as f64
    });
    let transport = if lab.tls() { "TLS" } else { "TCP" };
    eprintln!(
        "{transport}, {} tasks: {reads:.4} reads, {writes:.4} writes of the server per command",
        keys.len()
    );
    reads
}

async fn commands_share_system_calls(tls: bool) {
    // No front door is in the way: what the client writes is what the server reads.
    let lab =
        Lab::builder(LabProfile::Plain).tls(tls).shards(1).replicas(0).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    let keys = spread_keys("syscalls", TASKS);
    let shared = reads_per_command(&lab, &client, &keys, OPS).await;
    let alone = reads_per_command(&lab, &client, &keys[..1], OPS_ALONE).await;
    tokio::time::timeout(Duration::from_secs(5), lab.shutdown()).await.ok();
    assert!(shared < SHARED_AT_MOST, "{shared} reads per command of {TASKS} tasks");
    assert!((ALONE_AT_LEAST..=ALONE_AT_MOST).contains(&alone), "{alone} reads per command of a lone caller");
}

#[tokio::test]
async fn tcp_commands_share_system_calls() {
    commands_share_system_calls(false).await;
}

#[tokio::test]
async fn tls_commands_share_records() {
    commands_share_system_calls(true).await;
}
