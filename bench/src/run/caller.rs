//! One task: its calls, and what it brings home.

use super::plan::Plan;
use crate::cell::Workload;
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::latency::Samples;
use crate::subjects::Subject;
use crate::target::Key;

/// What tasks bring home.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) samples: Vec<Samples>,
    pub(super) failed: u64,
    /// Those of `failed` that never ended.
    pub(super) stuck: u64,
    pub(super) first_failure: Option<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.samples.extend(other.samples);
        self.failed += other.failed;
        self.stuck += other.stuck;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    pub(super) fn fail(&mut self, failure: &Failure) {
        self.failed += 1;
        if self.first_failure.is_none() {
            self.first_failure = Some(failure.to_string());
        }
    }
}

/// The calls of one task.
pub(crate) struct Caller<S> {
    subject: S,
    workload: Workload,
    keyspace: Keyspace,
    random: fastrand::Rng,
}

impl<S: Subject> Caller<S> {
    pub(crate) fn new(plan: &Plan, subject: &S, task: usize) -> Self {
        Self {
            subject: subject.clone(),
            workload: plan.cell.workload,
            keyspace: plan.keyspace.clone(),
            random: fastrand::Rng::with_seed(task as u64),
        }
    }

    /// One call, checked.
    pub(crate) async fn call(&mut self) -> Result<(), Failure> {
        let keys = &self.keyspace.keys;
        let batch = self.workload.batch();
        let at = self.random.usize(..keys.len() / batch) * batch;
        let wanted = self.keyspace.value.len() * batch;
        let key: &Key = &keys[at];
        let length = match self.workload {
            Workload::Set64 => return self.subject.set(key, &self.keyspace.value).await,
            Workload::Pipeline100 | Workload::Spread100 => {
                self.subject.get_all(&keys[at..at + batch]).await?
            }
            Workload::Mget100 => self.subject.mget(&keys[at..at + batch]).await?,
            Workload::Get64 | Workload::Get1k | Workload::Get16k => self.subject.get(key).await?,
        };
        if length == wanted {
            Ok(())
        } else {
            Err(Failure::new(format!("{length} bytes in place of {wanted}")))
        }
    }
}
