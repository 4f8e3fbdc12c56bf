//! The keys that are asked for, and who writes them.

use std::sync::Arc;

use bytes::Bytes;
use truename::{Client, cmd};

use crate::cell::Workload;
use crate::failure::Failure;
use crate::subjects::Settings;
use crate::subjects::truename::client;
use crate::target::{Key, Target};

/// How many keys a workload reads; few enough for the values to stay in the servers' caches.
const KEYS: usize = 1024;
const LARGE_KEYS: usize = 128;
/// How many batches there are, and the number of the first: these spread evenly over three shards.
const BATCHES: usize = 12;
const FIRST_BATCH: usize = 18;
/// From here on values are large.
const LARGE: usize = 8 * 1024;

/// What a workload reads and writes.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    pub(crate) keys: Arc<[Key]>,
    pub(crate) value: Bytes,
}

impl Keyspace {
    /// Writes the keys of a workload, so that every read finds one.
    pub(crate) async fn fill(target: &Target, workload: Workload) -> Result<Self, Failure> {
        let client = client(target, &Settings::default()).await?;
        let map = client.topology();
        let length = workload.value_length();
        let value = Bytes::from((0..length).map(|_| fastrand::alphanumeric() as u8).collect::<Vec<_>>());
        let mut keys = Vec::new();
        for text in names(workload) {
            client.run(cmd("SET").arg(text.as_str()).arg(&value)).await?;
            keys.push(Key::new(text, &map, target)?);
        }
        client.close();
        Ok(Self { keys: keys.into(), value })
    }

    /// The same keys for a process that finds them written, and has nothing to tell shards apart by.
    pub(crate) fn written(workload: Workload) -> Self {
        let key = |text: String| Key { bytes: Bytes::from(text.clone()), text: text.into(), shard: 0 };
        let value = Bytes::from(vec![0; workload.value_length()]);
        Self { keys: names(workload).into_iter().map(key).collect(), value }
    }
}

/// 16 bytes each. The keys of one pipeline share a hash tag: some clients take no others.
fn names(workload: Workload) -> Vec<String> {
    let batch = workload.batch();
    if workload == Workload::Pipeline100 {
        let name = |n| format!("{{{:06}}}:{n:07}", FIRST_BATCH + n / batch);
        return (0..BATCHES * batch).map(name).collect();
    }
    let count = match (batch, workload.value_length() < LARGE) {
        (1, true) => KEYS,
        (1, false) => LARGE_KEYS,
        (several, _) => BATCHES * several,
    };
    (0..count).map(|n| format!("key:{n:012}")).collect()
}

/// A client for questions besides the measurement.
pub(crate) async fn bystander(target: &Target) -> Result<Client, Failure> {
    client(target, &Settings::default()).await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use truename::topology::Slot;

    use super::*;

    #[test]
    fn a_pipeline_stays_in_one_slot_and_all_of_them_spread_over_three_shards() {
        let names = names(Workload::Pipeline100);
        assert!(names.len() >= 1000 && names.iter().all(|name| name.len() == 16));
        let mut batches_of_shard = [0; 3];
        for batch in names.chunks(100) {
            let slots: HashSet<_> = batch.iter().map(|name| Slot::of_key(name.as_bytes()).index()).collect();
            assert_eq!(slots.len(), 1);
            let slot = *slots.iter().next().unwrap();
            batches_of_shard[slot * 3 / 16_384] += 1;
        }
        assert_eq!(batches_of_shard, [BATCHES / 3; 3]);
    }
}
