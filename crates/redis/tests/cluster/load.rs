//! Counts that stay exact while primaries are replaced, connections die and slots move, by whatever door redis-rs has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::aio::transaction_async;
use redis::{AsyncCommands, RedisError, RedisResult, Script, pipe};
use tokio::task::JoinHandle;
use truename::topology::Slot;
use truename_lab::Lab;
use truename_redis::ClusterClient;
use truename_redis::cluster_async::ClusterConnection;
use truename_redis::may_have_executed;

use crate::support::{builder, eventually, replicated};

const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "{load}count";
const LOG: &str = "{load}log";

/// What was counted, as the callers know it.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    unknown: AtomicU64,
    denied: AtomicU64,
    stop: AtomicBool,
}

impl Tally {
    fn note<T>(&self, outcome: Result<T, RedisError>) {
        let fate = match outcome {
            Ok(_) => &self.done,
            Err(error) if may_have_executed(&error) => &self.unknown,
            Err(_) => &self.denied,
        };
        fate.fetch_add(1, Relaxed);
    }

    /// Waits until that many more have succeeded.
    async fn goes_on(&self, more: u64) {
        let since = self.done.load(Relaxed);
        let enough = || async { self.done.load(Relaxed) >= since + more };
        eventually(&format!("{more} more"), 30 * SECOND, enough).await;
    }

    /// What was counted is what was done, and of what nobody knows no more than there was.
    fn check(&self, counted: u64) {
        let (done, unknown) = (self.done.load(Relaxed), self.unknown.load(Relaxed));
        eprintln!("{counted} counted, {done} done, {unknown} unknown, {} denied", self.denied.load(Relaxed));
        assert!((done..=done + unknown).contains(&counted), "{counted}: {done} and {unknown} unknown");
    }
}

/// One way to add one.
#[derive(Clone, Copy, Debug)]
enum Way {
    Command,
    Pipeline,
    Atomic,
    Script,
    Transaction,
    Pool,
}

async fn add_one(way: Way, c: &mut ClusterConnection, pool: &bb8::Pool<ClusterClient>) -> RedisResult<()> {
    match way {
        Way::Command => c.incr(KEY, 1).await,
        Way::Pipeline => pipe().incr(KEY, 1).ignore().query_async(c).await,
        Way::Atomic => pipe().atomic().incr(KEY, 1).ignore().query_async(c).await,
        Way::Script => Script::new("return redis.call('INCR', KEYS[1])").key(KEY).invoke_async(c).await,
        Way::Transaction => {
            let (_,): (u64,) = transaction_async(c.clone(), &[KEY], |mut c, mut pipe| async move {
                let count: Option<u64> = c.get(KEY).await?;
                pipe.set(KEY, count.unwrap_or(0) + 1).ignore().rpush(LOG, 1).query_async(&mut c).await
            })
            .await?;
            Ok(())
        }
        Way::Pool => match pool.get().await {
            Ok(mut pooled) => pooled.incr(KEY, 1).await,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        },
    }
}

struct Load {
    lab: Lab,
    tally: Arc<Tally>,
    connection: ClusterConnection,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    async fn start(ways: &[Way]) -> Self {
        let lab = replicated().await;
        let client = builder(&lab).response_timeout(SECOND).overall_response_timeout(Some(5 * SECOND));
        let client = client.connection_timeout(SECOND).build().expect("usable options");
        let connection = client.get_async_connection().await.expect("connected");
        let pool = bb8::Pool::builder().max_size(2).build(client).await.expect("a pool");
        let tally = Arc::new(Tally::default());
        let tasks = ways.iter().map(|way| {
            let (way, tally, mut c, pool) = (*way, tally.clone(), connection.clone(), pool.clone());
            tokio::spawn(async move {
                while !tally.stop.load(Relaxed) {
                    tally.note(add_one(way, &mut c, &pool).await);
                }
            })
        });
        let tasks = tasks.collect();
        tally.goes_on(100).await;
        Self { lab, tally, connection, tasks }
    }

    async fn stop(mut self) -> Self {
        self.tally.stop.store(true, Relaxed);
        for task in self.tasks.drain(..) {
            task.await.expect("no panic");
        }
        self
    }

    /// A failover by command, connections that are killed, and the slot's way to another node and back.
    async fn trouble(&self) {
        let (lab, slot) = (&self.lab, Slot::of_key(KEY.as_bytes()).value());
        let owner = lab.primary_of_slot(slot).await.expect("an owner");
        for _ in 0..5 {
            lab.command(owner, &["CLIENT", "KILL", "TYPE", "normal"]).await.expect("killed");
            self.tally.goes_on(20).await;
        }
        let shard = lab.node(owner).shard;
        let replica = lab.replicas().iter().find(|node| node.shard == shard).expect("a replica").index;
        lab.failover(replica).await.expect("failed over");
        self.tally.goes_on(100).await;
        for _ in 0..2 {
            let owner = lab.primary_of_slot(slot).await.expect("an owner");
            let other = lab
                .primaries()
                .iter()
                .find(|node| node.shard != lab.node(owner).shard)
                .expect("another")
                .index;
            lab.migrate_slots(&[slot], owner, other).await.expect("moved");
            self.tally.goes_on(100).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_counts_exactly_through_failover_and_resharding() {
    let load =
        Load::start(&[Way::Command, Way::Pipeline, Way::Atomic, Way::Script, Way::Pool, Way::Command]).await;
    load.trouble().await;
    let mut load = load.stop().await;
    load.tally.check(load.connection.get(KEY).await.expect("a number"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_count_exactly_through_failover_and_resharding() {
    let load = Load::start(&[Way::Transaction; 4]).await;
    load.trouble().await;
    let mut load = load.stop().await;
    let (counted, logged): (u64, u64) =
        pipe().get(KEY).llen(LOG).query_async(&mut load.connection).await.expect("numbers");
    assert_eq!(counted, logged, "each was executed as a whole, and no update was lost");
    load.tally.check(counted);
}

/// A primary dies with what it had not replicated: nothing is counted twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_counts_twice_when_a_primary_dies() {
    let load = Load::start(&[Way::Command, Way::Pipeline, Way::Atomic, Way::Script, Way::Transaction]).await;
    let owner = load.lab.primary_of_key(KEY.as_bytes()).await.expect("an owner");
    load.lab.node(owner).kill();
    load.tally.goes_on(200).await;
    let mut load = load.stop().await;
    let counted: u64 = load.connection.get(KEY).await.expect("a number");
    let known = load.tally.done.load(Relaxed) + load.tally.unknown.load(Relaxed);
    assert!(counted <= known, "{counted} counted, {known} known of");
}
