//! apalis-redis 1.0. Its script for registering a worker touches the key `core:apalis:queues:list`, which it does not declare,
//! so an ordinary queue fails on any cluster; one whose name has that key as its hash tag is in the same slot. While that slot
//! moves, servers answer scripts of several keys with `TRYAGAIN`, which a script could have said: an unknown fate, at which a worker
//! ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use apalis_core::backend::TaskSink;
use apalis_core::error::{BoxDynError, WorkerError};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_redis::{Config, RedisStorage};
use tokio::sync::Notify;
use truename_redis::ClusterClient;
use truename_redis::cluster_async::ClusterConnection;
use truename_redis::redis::{self, AsyncCommands};

use crate::support::{SECOND, client, eventually, fail_over, lab};

const QUEUE: &str = "{core:apalis:queues:list}";

/// Pushes jobs, each until it is there for certain: its key of idempotency lets it in once.
async fn push(
    connection: ClusterConnection,
    config: Config,
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> usize {
    let mut sink = RedisStorage::<usize, _>::new(connection).with_config(config);
    let mut number = 0;
    while !stop.load(SeqCst) {
        let task = || TaskBuilder::new(number).idempotency_key(format!("job-{number}")).build();
        while let Err(error) = sink.push_task(task()).await {
            eprintln!("job {number} is pushed again: {error}");
        }
        number += 1;
        // Not more than the worker can do.
        while number > done.load(SeqCst) + 500 && !stop.load(SeqCst) {
            tokio::time::sleep(SECOND / 100).await;
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_is_done_once_through_failovers() {
    let lab = lab().await;
    let client = client!(&lab, truename_redis::redis, ClusterClient);
    let mut connection = client.get_async_connection().await.expect("connected");
    let config = Config::default().queue(QUEUE).idempotency_ttl(Some(600 * SECOND));
    let done = Arc::new(AtomicUsize::new(0));
    let (stop, finish) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));

    let of_jobs = connection.clone();
    let (executed, finished) = (done.clone(), finish.clone());
    let backend = RedisStorage::<usize, _>::new(connection.clone()).with_config(config.clone());
    let worker = WorkerBuilder::new("worker").backend(backend).build(move |job: usize| {
        let (mut connection, executed) = (of_jobs.clone(), executed.clone());
        async move {
            match connection.incr::<_, _, u64>(format!("done:{job}"), 1).await {
                Ok(_) => _ = executed.fetch_add(1, SeqCst),
                Err(error) => eprintln!("job {job}: {error}"),
            }
        }
    });
    let working = tokio::spawn(async move {
        worker
            .run_until(async move {
                finished.notified().await;
                Ok::<(), WorkerError>(())
            })
            .await
    });
    let pushing = tokio::spawn(push(connection.clone(), config.clone(), done.clone(), stop.clone()));

    let goes_on = || async {
        let since = done.load(SeqCst);
        eventually("more jobs are done", || async { done.load(SeqCst) >= since + 100 }).await;
    };
    goes_on().await;
    let slot: u16 =
        redis::cmd("CLUSTER").arg("KEYSLOT").arg(QUEUE).query_async(&mut connection).await.expect("a slot");
    for _ in 0..2 {
        fail_over(&lab, slot).await;
        goes_on().await;
    }
    stop.store(true, SeqCst);
    let count = pushing.await.expect("no panic");
    let acked = || async {
        let mut c = connection.clone();
        c.scard::<_, usize>(config.done_jobs_set()).await.is_ok_and(|acked| acked >= count)
    };
    eventually("all jobs are done", acked).await;
    let keys: Vec<String> = (0..count).map(|job| format!("done:{job}")).collect();
    let executed: Vec<Option<usize>> = connection.mget(&keys).await.expect("of any slots");
    assert!(executed.iter().all(|times| *times == Some(1)), "{count} jobs: {executed:?}");
    let listed: usize = connection.hlen(config.job_data_hash()).await.expect("a number");
    let marked: usize = connection.scard(config.done_jobs_set()).await.expect("a number");
    eprintln!("{count} jobs pushed, {listed} listed, {marked} done");
    assert_eq!((listed, marked), (count, count));
    finish.notify_one();
    working.await.expect("no panic").expect("the worker ends");
}

/// What the docs say about an ordinary queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_another_name_fails_on_a_cluster() {
    let lab = lab().await;
    let client = client!(&lab, truename_redis::redis, ClusterClient);
    let connection = client.get_async_connection().await.expect("connected");
    let backend = RedisStorage::<usize, _>::new(connection).with_config(Config::default().queue("{jobs}"));
    let worker =
        WorkerBuilder::new("worker").backend(backend).build(|_: usize| async { Ok::<(), BoxDynError>(()) });
    let failed = tokio::time::timeout(30 * SECOND, worker.run()).await.expect("it ends");
    let error = failed.expect_err("the script touches a key of another slot");
    let told = format!("{error:?}");
    assert!(told.contains("undeclared key") || told.contains("non local key"), "{told}");
}
