//! Trouble while connections are used by one caller each: transactions that count, and queues that are popped by callers who
//! come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::measure::in_company;
use crate::support::{config, eventually, key_of, tell};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use truename::topology::Slot;
use truename::{Client, Config, cmd};
use truename_lab::{Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

async fn replicated() -> Lab {
    let lab = Lab::builder(LabProfile::Azure).server_arg("cluster-require-full-coverage", "no");
    lab.node_timeout(SECOND).start().await.expect("the lab starts")
}

fn hasty(lab: &Lab) -> Config {
    config(lab).command_timeout(5 * SECOND).stall_timeout(SECOND).node_connect_timeout(SECOND)
}

/// What every transaction came to, by its own token.
#[derive(Default)]
struct Tally {
    committed: Mutex<BTreeSet<String>>,
    unknown: Mutex<BTreeSet<String>>,
    denied: Mutex<BTreeSet<String>>,
    stop: AtomicBool,
}

impl Tally {
    /// Counts on, by reading and writing, until it is told to stop. Each transaction leaves a token as well.
    async fn count(self: Arc<Self>, client: Client, key: String, name: usize) {
        let (counter, log) = (&format!("{{{key}}}counter"), &format!("{{{key}}}log"));
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let token = &format!("{name}:{number}");
            let counted = client.transaction([counter], |tx| async move {
                let count: Option<u64> = tx.execute(cmd("GET").arg(counter)).await?;
                tx.queue(cmd("SET").arg(counter).arg(count.unwrap_or(0) + 1));
                tx.queue(cmd("RPUSH").arg(log).arg(token));
                Ok(())
            });
            let fate = match counted.await {
                Ok(_) => &self.committed,
                Err(error) if error.may_have_executed() => &self.unknown,
                Err(_) => &self.denied,
            };
            fate.lock().insert(token.clone());
        }
    }

    /// Waits until that many more have succeeded.
    async fn goes_on(&self, more: usize) {
        let since = self.committed.lock().len();
        let enough = || async { self.committed.lock().len() >= since + more };
        eventually(&format!("{more} more transactions"), 20 * SECOND, enough).await;
    }

    /// Compares the counts with what the servers have. `may_lose`: a primary died with what it had not replicated.
    async fn check(&self, client: &Client, key: &str, may_lose: bool) {
        let get = cmd("GET").arg(format!("{{{key}}}counter"));
        let counter: usize = client.execute(get).await.expect("a value");
        let list = cmd("LRANGE").arg(format!("{{{key}}}log")).arg(0).arg(-1);
        let log: Vec<String> = client.execute(list).await.expect("a list");
        let [committed, unknown, denied] =
            [&self.committed, &self.unknown, &self.denied].map(|fate| fate.lock().clone());
        eprintln!(
            "F22: {counter} counted, {} committed, {} unknown, {} denied",
            committed.len(),
            unknown.len(),
            denied.len()
        );
        // As many increments as transactions: no update was lost, and each was executed as a whole.
        assert_eq!(counter, log.len());
        let executed: BTreeSet<String> = log.iter().cloned().collect();
        assert_eq!(executed.len(), log.len(), "one was executed twice");
        assert!(executed.is_disjoint(&denied), "one was executed and denied");
        assert!(executed.iter().all(|token| committed.contains(token) || unknown.contains(token)));
        let lost = committed.difference(&executed).count();
        assert!(may_lose || lost == 0, "{lost} were lost");
    }
}

fn counting(tally: &Arc<Tally>, client: &Client, key: &str) -> Vec<JoinHandle<()>> {
    let count = |name| tokio::spawn(tally.clone().count(client.clone(), key.to_owned(), name));
    (0..6).map(count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_transactions_count_exactly_while_connections_die_primaries_change_and_slots_move() {
    let _company = in_company().await;
    let lab = replicated().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let key = key_of(0);
    let tally = Arc::new(Tally::default());
    let tasks = counting(&tally, &client, &key);
    tally.goes_on(50).await;
    for _ in 0..10 {
        tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        tally.goes_on(10).await;
    }
    let replica = lab.replicas().iter().find(|node| node.shard == 0).expect("a replica").index;
    lab.failover(replica).await.expect("failed over");
    tally.goes_on(50).await;
    let slot = Slot::of_key(key.as_bytes()).value();
    for _ in 0..2 {
        let owner = lab.primary_of_slot(slot).await.expect("an owner");
        let other = if owner == 1 { 2 } else { 1 };
        // One that stops half-way: neither side will watch these keys until it ends.
        lab.begin_migration(slot, owner, other).await.expect("begun");
        tokio::time::sleep(Duration::from_millis(100)).await;
        lab.migrate_keys(slot, owner, other, 1).await.expect("one key");
        tokio::time::sleep(Duration::from_millis(300)).await;
        lab.finish_migration(slot, owner, other).await.expect("finished");
        tally.goes_on(50).await;
    }
    tally.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    tally.check(&client, &key, false).await;
}

/// Hurts the primary under load, so that its replica takes over.
async fn count_while_a_primary_goes(hurt: impl Fn(&Lab), heal: impl Fn(&Lab)) {
    let lab = replicated().await;
    let client = Client::connect(&hasty(&lab)).await.expect("connected");
    let key = key_of(0);
    let tally = Arc::new(Tally::default());
    let tasks = counting(&tally, &client, &key);
    tally.goes_on(100).await;
    hurt(&lab);
    tally.goes_on(100).await;
    heal(&lab);
    tally.goes_on(100).await;
    tally.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    tally.check(&client, &key, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_transactions_are_whole_and_never_doubled_when_their_primary_is_killed() {
    let _company = in_company().await;
    count_while_a_primary_goes(|lab| lab.node(0).kill(), |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_transactions_are_whole_and_never_doubled_when_their_primary_freezes_and_wakes() {
    let _company = in_company().await;
    count_while_a_primary_goes(|lab| lab.node(0).stop(), |lab| lab.node(0).cont()).await;
}

/// Where everything that was pushed has gone.
#[derive(Default)]
struct Ledger {
    /// Pushed for sure, and perhaps.
    pushed: Mutex<BTreeSet<String>>,
    perhaps: Mutex<BTreeSet<String>>,
    /// How often each was seen: popped by a caller, or for one that was gone.
    popped: Mutex<BTreeMap<String, u32>>,
    orphans: AtomicU64,
    cancelled: AtomicU64,
    /// Pops of which nobody knows whether they took anything.
    unknown: AtomicU64,
    stop: AtomicBool,
}

impl Ledger {
    fn saw(&self, item: &str) {
        *self.popped.lock().entry(item.to_owned()).or_default() += 1;
    }

    async fn push(self: Arc<Self>, client: Client, queue: String, name: usize) {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let item = format!("{name}:{number}");
            match client.execute::<i64>(cmd("RPUSH").arg(&queue).arg(&item)).await {
                Ok(_) => self.pushed.lock().insert(item),
                Err(error) if error.may_have_executed() => self.perhaps.lock().insert(item),
                Err(_) => false,
            };
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..4000))).await;
        }
    }

    /// Pops, and goes away after a random time.
    async fn pop(self: Arc<Self>, client: Client, queue: String) {
        while !self.stop.load(Ordering::Relaxed) {
            let pop = client.execute::<Option<(String, String)>>(cmd("BLPOP").arg(&queue).arg(1));
            let patience = Duration::from_micros(fastrand::u64(..6000));
            match tokio::time::timeout(patience, pop).await {
                Ok(Ok(Some((_, item)))) => self.saw(&item),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    self.unknown.fetch_add(u64::from(error.may_have_executed()), Ordering::Relaxed);
                }
                Err(_) => {
                    self.cancelled.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    async fn goes_on(&self, more: usize) {
        let since = self.popped.lock().len();
        let enough = || async { self.popped.lock().len() >= since + more };
        eventually(&format!("{more} more items"), 20 * SECOND, enough).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_what_is_pushed_is_popped_once_or_reported_while_callers_go_away_and_primaries_change() {
    let _company = in_company().await;
    let lab = replicated().await;
    let ledger = Arc::new(Ledger::default());
    let book = ledger.clone();
    let config = hasty(&lab).on_orphan(move |orphan| match orphan.reply {
        Ok(reply) => {
            let item = reply.as_array().and_then(|pair| pair[1].as_str()).expect("a pair");
            book.saw(item);
            book.orphans.fetch_add(1, Ordering::Relaxed);
        }
        Err(_) => {
            book.unknown.fetch_add(1, Ordering::Relaxed);
        }
    });
    let client = Client::connect(&config).await.expect("connected");
    let queue = key_of(0);
    let pushers = (0..2).map(|name| tokio::spawn(ledger.clone().push(client.clone(), queue.clone(), name)));
    let poppers = (0..8).map(|_| tokio::spawn(ledger.clone().pop(client.clone(), queue.clone())));
    let tasks: Vec<_> = pushers.chain(poppers).collect();
    ledger.goes_on(500).await;
    let quiet = ledger.unknown.load(Ordering::Relaxed);
    assert_eq!(quiet, 0, "without a fault it is known what became of every pop");
    for _ in 0..5 {
        tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        ledger.goes_on(100).await;
    }
    let replica = lab.replicas().iter().find(|node| node.shard == 0).expect("a replica").index;
    lab.failover(replica).await.expect("failed over");
    ledger.goes_on(300).await;
    let slot = Slot::of_key(queue.as_bytes()).value();
    let owner = lab.primary_of_slot(slot).await.expect("an owner");
    lab.migrate_slots(&[slot], owner, 1).await.expect("moved");
    ledger.goes_on(300).await;
    ledger.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    // What is left behind by the last callers settles, too.
    let observer = Client::connect(&hasty(&lab)).await.expect("connected");
    assert!(client.shutdown(10 * SECOND).await, "everything was settled");
    let left: Vec<String> = observer.execute(cmd("LRANGE").arg(&queue).arg(0).arg(-1)).await.expect("a list");
    left.iter().for_each(|item| ledger.saw(item));
    let popped = ledger.popped.lock().clone();
    let [orphans, cancelled, unknown] =
        [&ledger.orphans, &ledger.cancelled, &ledger.unknown].map(|count| count.load(Ordering::Relaxed));
    let pushed = ledger.pushed.lock().clone();
    let missing = pushed.iter().filter(|item| !popped.contains_key(*item)).count();
    eprintln!(
        "F23: {} pushed, {} seen, {} of them left; {cancelled} calls went away, {orphans} orphans; {missing} missing, \
         {unknown} unknown",
        pushed.len(),
        popped.len(),
        left.len()
    );
    let twice: Vec<_> = popped.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "popped twice: {twice:?}");
    let perhaps = ledger.perhaps.lock().clone();
    assert!(popped.keys().all(|item| pushed.contains(item) || perhaps.contains(item)));
    assert!(missing as u64 <= unknown, "{missing} vanished, and {unknown} pops were reported as unknown");
    assert!(cancelled > 100, "{cancelled}");
}
