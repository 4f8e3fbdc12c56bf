//! A job queue: every job is done at least once, whatever is cancelled, crashes or fails over meanwhile.
//!
//! - A worker moves a job from the queue to a list of its own (`BLMOVE`) and removes it there when it is done. So a job is
//!   always in one of the lists, and whatever becomes of the answer to a pop, the worker finds the job in its list.
//! - A live worker signs in twice a second. What the others have in their lists goes back into the queue.
//! - A worker that is stopped while it waits drops its call. The client ends the wait on the server; what was moved at that very
//!   moment is an orphan ([`Config::on_orphan`](truename::Config::on_orphan)), and goes back at once.
//! - The producer keeps its jobs until they are done: a primary that is killed takes along what it had not replicated.
//!
//! All keys have one hash tag, and with it one slot, so that a script can use several. Several queues spread over the shards.
//!
//! Run `truename lab up`, copy the lines that it prints, then `cargo run --example job_queue`.

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/job_scripts.rs"]
mod scripts;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, oneshot::error::TryRecvError};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};
use truename::{Client, Config, Error, FromReply, Orphan, Script, cmd};

/// How often a worker signs in.
const SIGN_EVERY: Duration = Duration::from_millis(500);

/// A queue with its keys.
struct Queue {
    client: Client,
    tag: String,
    finish: Script,
    sign: Script,
    reap: Script,
    adopt: Script,
    /// How often jobs were executed, and given back: of silent workers, and of those that had just stopped.
    executed: AtomicU64,
    reaped: AtomicU64,
    adopted: AtomicU64,
}

impl Queue {
    fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.tag)
    }

    /// Adds jobs, however often it has to try. Perhaps more than once, as a job may be done more than once.
    async fn push(&self, jobs: &[String]) {
        while let Err(error) = self.client.run(cmd("LPUSH").arg(self.key("queue")).args(jobs)).await {
            eprintln!("{} ...: {error}", jobs[0]);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Takes and does jobs until `stop` says so, or is dropped: at once while it waits, otherwise after the job.
    async fn work(&self, worker: &str, mut stop: oneshot::Receiver<()>) {
        let taken = self.key(worker);
        while let Err(TryRecvError::Empty) = stop.try_recv() {
            // Is something left of an earlier turn, such as a pop whose answer was lost?
            let mut job: Result<Option<String>, Error> =
                self.client.execute(cmd("LINDEX").arg(&taken).arg(-1)).await;
            if let Ok(None) = job {
                let pop = cmd("BLMOVE").arg(self.key("queue")).arg(&taken).arg("RIGHT").arg("LEFT").arg(1);
                job = tokio::select! {
                    popped = self.client.execute(pop) => popped,
                    _ = &mut stop => return,
                };
            }
            match job {
                Ok(Some(job)) => self.perform(&job, &taken).await,
                Ok(None) => {}
                // The next turn sees what became of it. Not at once: this may be a failover.
                Err(error) => {
                    eprintln!("{worker}: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn perform(&self, job: &str, taken: &str) {
        // The work. It may be done twice, and should leave the same then: a row with the job's id, for example.
        sleep(Duration::from_millis(5)).await;
        self.executed.fetch_add(1, Relaxed);
        // In trouble the job stays in the list, and is done again by this worker or another one.
        let finish = self.finish.key(taken).key(self.key("done")).arg(job).repeatable(true);
        if let Err(error) = finish.run(&self.client).await {
            eprintln!("{job}: {error}");
        }
    }

    async fn sign(&self, worker: &str) -> Result<(), Error> {
        self.sign.key(self.key("workers")).arg(worker).run(&self.client).await
    }

    /// The workers' names and lists.
    async fn workers(&self) -> Result<Vec<(String, String)>, Error> {
        let names: Vec<String> =
            self.client.execute(cmd("ZRANGE").arg(self.key("workers")).arg((0, -1))).await?;
        Ok(names.into_iter().map(|name| (name.clone(), self.key(&name))).collect())
    }

    /// Gives back what others left: orphans at once, the jobs of silent workers now and then. Every process of a service does it.
    async fn tidy(&self, mut orphans: mpsc::UnboundedReceiver<Orphan>) {
        let mut now_and_then = interval(SIGN_EVERY);
        loop {
            let outcome = tokio::select! {
                Some(orphan) = orphans.recv() => self.adopt(orphan).await,
                _ = now_and_then.tick() => self.reap().await,
            };
            if let Err(error) = outcome {
                eprintln!("left for another time: {error}");
            }
        }
    }

    /// Gives back what was moved into a list of a worker that is gone.
    async fn adopt(&self, orphan: Orphan) -> Result<(), Error> {
        // With an error, nobody knows. If something was moved, its list is silent from now on.
        let job = String::from_reply(orphan.reply?)?;
        // The queue and the list, as `BLMOVE` has them.
        let adopt = orphan.keys.iter().fold(self.adopt.arg(job), |adopt, key| adopt.key(&key[..]));
        adopt.run(&self.client).await?;
        self.adopted.fetch_add(1, Relaxed);
        Ok(())
    }

    async fn reap(&self) -> Result<(), Error> {
        for (worker, list) in self.workers().await? {
            let reap = self.reap.key(self.key("workers")).key(list).key(self.key("queue")).arg(worker);
            self.reaped.fetch_add(reap.execute(&self.client).await?, Relaxed);
        }
        Ok(())
    }

    /// How many jobs are in the queue and in the workers' lists, and how often each job was finished.
    async fn state(&self) -> Result<(u64, BTreeMap<String, u64>), Error> {
        let lists = self.workers().await?.into_iter().map(|(_, list)| list);
        // At one moment, so that no job is missed on its way.
        let mut batch = self.client.batch().atomic();
        batch.extend(lists.chain([self.key("queue")]).map(|list| cmd("LLEN").arg(list)));
        let open = batch.all::<Vec<u64>>().await?.iter().sum();
        // In this order: a job that was open nowhere is done, or lost.
        Ok((open, self.client.execute(cmd("HGETALL").arg(self.key("done"))).await?))
    }

    /// A worker in a task, and how to stop it.
    fn start(self: &Arc<Self>, worker: String) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let (stop, stopped) = oneshot::channel();
        let queue = Arc::clone(self);
        let task = tokio::spawn(async move {
            // Nobody would look for the jobs of a worker that has never signed in.
            while queue.sign(&worker).await.is_err() {}
            let sign = async {
                loop {
                    sleep(SIGN_EVERY).await;
                    // After an error, the next one comes soon enough.
                    let _ = queue.sign(&worker).await;
                }
            };
            tokio::select! {
                () = queue.work(&worker, stopped) => {}
                () = sign => {}
            }
        });
        (stop, task)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [jobs, workers] = arguments::numbers(
        "A job queue that loses nothing, and a count that shows it.",
        [
            ("--jobs", 400, "how many jobs there are"),
            ("--workers", 8, "how many workers there are at a time"),
        ],
    );
    let (sender, orphans) = mpsc::unbounded_channel();
    let config = Config::from_env()?.on_orphan(move |orphan| drop(sender.send(orphan)));
    let queue = Arc::new(Queue {
        client: Client::connect(&config).await?,
        tag: format!("jobs:{:x}", fastrand::u32(..)),
        finish: Script::new(scripts::FINISH),
        sign: Script::new(scripts::SIGN),
        reap: Script::new(scripts::REAP),
        adopt: Script::new(scripts::ADOPT),
        executed: AtomicU64::new(0),
        reaped: AtomicU64::new(0),
        adopted: AtomicU64::new(0),
    });
    let tidier = Arc::clone(&queue);
    tokio::spawn(async move { tidier.tidy(orphans).await });

    // Jobs come in small steps, so that workers often wait. Now and then one crashes at its work, or stops while it waits.
    let ids: Vec<String> = (0..jobs).map(|n| format!("job-{n}")).collect();
    let mut names = (0..).map(|n| format!("worker-{n}"));
    let mut crew: VecDeque<_> = names.by_ref().take(workers as usize).map(|name| queue.start(name)).collect();
    for (step, jobs) in ids.chunks(10).enumerate() {
        queue.push(jobs).await;
        for (turn, crashes, after) in [(4, true, 2), (9, false, 18)] {
            sleep(Duration::from_millis(after)).await;
            if step % 10 == turn
                && let Some((stop, task)) = crew.pop_front()
            {
                drop(stop);
                if crashes {
                    task.abort();
                }
                crew.extend(names.next().map(|name| queue.start(name)));
            }
        }
    }

    // Until everything is done. What is neither open nor done was lost with a primary that had not replicated it.
    let mut again = 0;
    let done = loop {
        sleep(Duration::from_millis(100)).await;
        let Ok((open, done)) = queue.state().await else { continue };
        let missing: Vec<String> = ids.iter().filter(|id| !done.contains_key(*id)).cloned().collect();
        if missing.is_empty() && open == 0 {
            break done;
        }
        if open == 0 {
            again += missing.len();
            queue.push(&missing).await;
        }
    };

    // An orderly end: no more pops, then what they left behind. Orphans that come now are for another process's reaper.
    for (stop, task) in crew {
        drop(stop);
        task.await?;
    }
    let has_ended = queue.client.shutdown(Duration::from_secs(5)).await;

    let [executed, reaped, adopted] =
        [&queue.executed, &queue.reaped, &queue.adopted].map(|n| n.load(Relaxed));
    println!("jobs {jobs}, done {}, finished {}", done.len(), done.values().sum::<u64>());
    println!("executed {executed}, reaped {reaped}, adopted {adopted}, pushed again {again}");
    if done.len() as u64 != jobs || !has_ended {
        return Err("something is left".into());
    }
    println!("every job was done");
    Ok(())
}
