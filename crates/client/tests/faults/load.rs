//! Many at once: cancelled calls by the hundred thousand, a herd of clients that meet the same outage, and a process
//! that runs out of file descriptors.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::measure::alone;
use crate::measure::process::{Role, open_sockets};
use crate::support::info::all_executions;
use crate::support::{config, eventually, key_of, proxied_lab, spread_keys};
use tokio::time::{Instant, sleep};
use truename::{Client, Config, Error, Event, Notice, cmd};
use truename_lab::{Ending, Fault, Lab, LabNode, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

/// Polls a future at most that often, then drops it.
async fn at_most<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[derive(Default)]
struct Storm {
    asked: AtomicU64,
    answered: AtomicU64,
    increments_asked: AtomicU64,
    increments_answered: AtomicU64,
}

impl Storm {
    /// One call of a random kind, dropped after a random number of polls. What it answers must be its own answer.
    async fn call(&self, client: &Client, keys: &[String]) {
        let key = &keys[fastrand::usize(..keys.len())];
        let polls = fastrand::u32(..4);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answered = match fastrand::u8(..4) {
            0 => at_most(polls, client.execute::<String>(cmd("GET").arg(key))).await.map(|value| {
                assert_eq!(&value.expect("a value"), key);
            }),
            1 => {
                let other = format!("{{{key}}}list");
                at_most(polls, client.execute::<Vec<String>>(cmd("LRANGE").arg(other).arg(0).arg(-1)))
                    .await
                    .map(|list| assert_eq!(list.expect("a list"), [key.as_str(), "and", "more"]))
            }
            2 => {
                at_most(polls, client.execute::<i64>(cmd("LLEN").arg(key))).await.map(|length| match length {
                    Err(Error::Server(error)) => assert_eq!(error.code(), "WRONGTYPE"),
                    other => panic!("LLEN of a string: {other:?}"),
                })
            }
            _ => {
                self.increments_asked.fetch_add(u64::from(polls > 0), Ordering::Relaxed);
                let counter = format!("{{{key}}}counter");
                at_most(polls, client.execute::<u64>(cmd("INCR").arg(counter))).await.map(|count| {
                    count.expect("a number");
                    self.increments_answered.fetch_add(1, Ordering::Relaxed);
                })
            }
        };
        self.answered.fetch_add(u64::from(answered.is_some()), Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f16_a_storm_of_cancelled_calls_never_shifts_a_reply() {
    const CALLS: usize = 100_000;
    const TASKS: usize = 100;
    let _alone = alone().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    // Little room, so that calls are dropped in every state: before, while and after they wait for it.
    let client = Client::connect(&config(&lab).max_in_flight(24)).await.expect("connected");
    let keys = Arc::new(spread_keys("storm", 30));
    for key in keys.iter() {
        client.execute::<()>(cmd("SET").arg(key).arg(key)).await.expect("OK");
        let list = cmd("RPUSH").arg(format!("{{{key}}}list")).arg(key).arg("and").arg("more");
        client.execute::<i64>(list).await.expect("a length");
    }
    lab.proxy(0).set(Fault::Split { most: 64 });
    lab.proxy(1).set(Fault::Delay { by: Duration::from_micros(100), jitter: Duration::from_millis(1) });
    let (mut events, started) = (client.events(), Instant::now());
    let storm = Arc::new(Storm::default());
    let tasks = (0..TASKS).map(|_| {
        let (storm, client, keys) = (storm.clone(), client.clone(), keys.clone());
        tokio::spawn(async move {
            for _ in 0..CALLS / TASKS {
                storm.call(&client, &keys).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("every answer was the right one");
    }
    let took = started.elapsed();
    // Nothing is left in the way of the calls after the storm.
    for key in keys.iter() {
        assert_eq!(&client.execute::<String>(cmd("GET").arg(key)).await.expect("a value"), key);
    }
    let mut counted = 0;
    for key in keys.iter() {
        let counter = cmd("GET").arg(format!("{{{key}}}counter"));
        counted += client.execute::<Option<u64>>(counter).await.expect("a value").unwrap_or(0);
    }
    let [asked, answered, increments_asked, increments_answered] =
        [&storm.asked, &storm.answered, &storm.increments_asked, &storm.increments_answered]
            .map(|count| count.load(Ordering::Relaxed));
    eprintln!(
        "F16: {answered} of {asked} calls answered in {took:?}; {increments_answered} <= {counted} <= \
         {increments_asked} increments"
    );
    assert!((increments_answered..=increments_asked).contains(&counted));
    assert!(answered > asked / 10 && answered < asked * 9 / 10, "{answered} of {asked} were answered");
    // Connections that only ask for the topology come and go.
    client.close();
    drop(client);
    while let Some(notice) = events.next().await {
        assert!(!matches!(notice, Notice::Event(Event::Disconnected { .. })), "given up: {notice:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f27_a_herd_of_clients_asks_with_restraint() {
    const CLIENTS: u64 = 50;
    let _alone = alone().await;
    let lab = Lab::builder(LabProfile::Plain).node_timeout(SECOND).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    let config = config(&lab).command_timeout(SECOND).node_connect_timeout(SECOND);
    let mut herd = Vec::new();
    for _ in 0..CLIENTS {
        herd.push(Client::connect(&config).await.expect("connected"));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for client in &herd {
        let (client, stop) = (client.clone(), stop.clone());
        callers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                for shard in 0..3 {
                    // Failures are expected; that they are few enough is not this test's question.
                    let _ = client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }));
    }
    let accepted = || lab.proxies().iter().map(|proxy| proxy.traffic().accepted).sum::<u64>();

    // One node dies.
    let (queries, connects, started) =
        (all_executions(&lab, "cluster|slots").await, accepted(), Instant::now());
    lab.node(0).kill();
    lab.wait_ready().await.expect("its replica takes over");
    for client in &herd {
        let works = || async { client.execute::<()>(cmd("SET").arg(key_of(0)).arg(1)).await.is_ok() };
        eventually("every client goes on", 5 * SECOND, works).await;
    }
    let recovered = started.elapsed();
    let (queries, connects) = (all_executions(&lab, "cluster|slots").await - queries, accepted() - connects);
    eprintln!("F27 one node: {recovered:?}, {queries} queries, {connects} connections of {CLIENTS} clients");
    // Up to four sources are asked at a time: in bursts at first, then about once a second.
    let refreshes = 4 + recovered.as_secs() + 1;
    assert!(queries <= CLIENTS * 4 * refreshes, "{queries} queries in {recovered:?}");

    // All die, and come back.
    lab.nodes().iter().for_each(LabNode::kill);
    sleep(SECOND).await;
    let (connects, started) = (accepted(), Instant::now());
    sleep(3 * SECOND).await;
    let (during, outage) = (accepted() - connects, started.elapsed());
    for node in lab.nodes() {
        node.restart().await.expect("back");
    }
    lab.wait_ready().await.expect("the cluster is back");
    let started = Instant::now();
    for client in &herd {
        for shard in 0..3 {
            let works = || async { client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.is_ok() };
            eventually("every client goes on", 5 * SECOND, works).await;
        }
    }
    let recovered = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no panic");
    }
    let rate = during as f64 / CLIENTS as f64 / outage.as_secs_f64();
    eprintln!(
        "F27 all nodes: {rate:.1} connections per client and second during the outage, recovered {recovered:?}"
    );
    // Six seeds, four times in three seconds, and three lanes about twice a second. Nothing is dialled twice to find
    // out what else it speaks.
    assert!(rate <= 25.0, "{rate:.1} connections per client and second");
    assert!(recovered <= 4 * SECOND, "{recovered:?}");
    let sockets = open_sockets();
    drop(herd);
    eventually("the herd is gone", 5 * SECOND, || async { open_sockets() + 100 < sockets }).await;
}

/// Where the client that is to be starved finds its cluster.
const SEED: &str = "TRUENAME_TEST_SEED";

#[tokio::test]
async fn f28_a_process_without_file_descriptors_reports_and_recovers() {
    let _alone = alone().await;
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(0).password(None).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    let (host, port) = lab.seed();
    let variables = [(SEED, format!("redis://{host}:{port}"))];
    let starved = Role::start("load::starved_client", "ulimit -n 48;", &variables);
    let stage = async |wanted: &str| {
        let shard = crate::support::shard_of("stage");
        let reached = || async {
            let stage = lab.command(shard, &["GET", "stage"]).await.expect("an answer");
            stage.as_str() == Some(wanted)
        };
        eventually(wanted, 10 * SECOND, reached).await;
    };
    stage("full").await;
    // Every descriptor that this frees is taken before the client can use it.
    for _ in 0..4 {
        lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
        sleep(SECOND / 4).await;
    }
    let cpu = starved.cpu().await;
    stage("recovered").await;
    starved.passed(10 * SECOND).await;
    eprintln!("F28: {cpu} % of a processor without descriptors");
    assert!(cpu <= 20, "{cpu} % of a processor");
}

#[tokio::test]
#[ignore = "the other process of f28"]
async fn starved_client() {
    let seed = std::env::var(SEED).expect("started by f28");
    let config = Config::from_url(&seed).expect("a URL").command_timeout(SECOND / 2);
    let client = Client::connect(&config).await.expect("connected");
    let set_stage = |stage: &'static str| client.execute::<()>(cmd("SET").arg("stage").arg(stage));
    let release = Arc::new(AtomicBool::new(false));
    let hog = std::thread::spawn({
        let release = release.clone();
        move || {
            let mut taken = Vec::new();
            while !release.load(Ordering::Relaxed) {
                taken.extend(File::open("/dev/null"));
                std::thread::park_timeout(Duration::from_millis(2));
            }
            taken.len()
        }
    });
    sleep(SECOND / 4).await;
    client
        .execute::<()>(cmd("SET").arg("stage").arg("filling"))
        .await
        .expect("the connections that exist live on");
    // The other side ends the connections as soon as it sees this: the reply may be lost.
    let _ = set_stage("full").await;
    let failing = || async { client.execute::<()>(cmd("SET").arg("stage").arg("full")).await.is_err() };
    eventually("connections are lost and cannot be made again", 5 * SECOND, failing).await;
    let started = Instant::now();
    let mut errors = Vec::new();
    while started.elapsed() < 3 * SECOND {
        errors.extend(client.execute::<()>(cmd("SET").arg("stage").arg("full")).await.err());
    }
    release.store(true, Ordering::Relaxed);
    let taken = hog.join().expect("no panic");
    let works = || async { set_stage("recovered").await.is_ok() };
    let started = Instant::now();
    eventually("service resumes", 5 * SECOND, works).await;
    eprintln!(
        "F28: {taken} descriptors taken, recovered {:?}; {}",
        started.elapsed(),
        errors.last().map(ToString::to_string).unwrap_or_default()
    );
    assert!(errors.iter().any(|error| error.to_string().contains("Too many open files")), "{errors:?}");
}
