//! What an installed recorder gets to see. Needs the cargo feature `metrics`.

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::HashMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use support::{connect, lab, spread_keys};
use truename::cmd;
use truename::topology::Slot;
use truename_lab::LabProfile;

#[tokio::test]
async fn commands_connections_and_redirects_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().expect("the only recorder of this process");
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let keys = spread_keys("metrics", 12);
    for key in &keys {
        client.execute::<()>(cmd("SET").arg(key).arg(1)).await.expect("OK");
    }
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg(1)));
    batch.all::<()>().await.expect("OK");
    let slot = Slot::of_key(keys[0].as_bytes()).value();
    let from = lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    // While a slot moves no refresh knows where its keys are.
    lab.begin_migration(slot, from, to).await.expect("begun");
    lab.migrate_keys(slot, from, to, 100).await.expect("moved");
    client.execute::<()>(cmd("SET").arg(&keys[0]).arg(2)).await.expect("OK");

    let (mut counters, mut samples) = (HashMap::<String, u64>::new(), 0);
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        match value {
            DebugValue::Counter(count) => *counters.entry(name).or_default() += count,
            DebugValue::Histogram(values) if name == "truename_command_seconds" => {
                assert!(values.iter().all(|seconds| (0.0..5.0).contains(&seconds.into_inner())));
                samples += values.len();
            }
            _ => {}
        }
    }
    assert!(samples >= 2 * keys.len() + 2, "{samples} samples");
    assert_eq!(counters.get("truename_connections_total"), Some(&3));
    assert_eq!(counters.get("truename_redirects_total"), Some(&1));
}
