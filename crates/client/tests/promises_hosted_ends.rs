//! A client that owns its runtime: how it starts, and how it ends. Its thread ends with it, and every request is completed.

#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use support::hosted::{Taker, numbered, start, start_with, with_a_worker};
use support::{config, eventually, lab, one_node};
use tokio::runtime::Builder;
use truename::hosted::{HostedClient, Refused, Request};
use truename::{Config, Error, Reply, cmd};
use truename_lab::{Lab, LabProfile};

/// How many threads of hosted clients this process has.
fn hosted_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs").flatten();
    // A thread may end between the two steps.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "truename-client").count()
}

/// These tests count the threads of this process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock();
    assert_eq!(hosted_threads(), 0);
    alone
}

/// The system lists a thread for a moment after it was joined.
async fn no_thread_is_left() {
    eventually("the thread ends", Duration::from_secs(5), async || hosted_threads() == 0).await;
}

/// The value of the key that the tests count in, by the lab's own client.
async fn counted(lab: &Lab) -> u64 {
    let reply = lab.command(0, &["GET", "counter"]).await.expect("the node answers");
    reply.as_str().map_or(0, |count| count.parse().expect("a number"))
}

fn increments(from: u64, count: usize) -> Vec<Request> {
    numbered(from, (0..count).map(|_| cmd("INCR").arg("counter")))
}

/// Every error says truthfully whether its command was executed, as far as the count shows it.
fn check_against(count: u64, outcomes: &Taker<Reply>) {
    let (mut answered, mut unknown) = (0, 0);
    for outcome in outcomes.outcomes.values() {
        match outcome {
            Ok(_) => answered += 1,
            Err(error) => unknown += u64::from(error.may_have_executed()),
        }
    }
    assert!((answered..=answered + unknown).contains(&count), "{answered} + {unknown} of {count}");
}

#[test]
fn dropped_with_work_in_flight_it_completes_everything_at_once() {
    const COMMANDS: usize = 50_000;
    let _alone = alone();
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    // With nothing answered yet, and with some of it answered.
    for is_under_way in [false, true] {
        servers.block_on(lab.command(0, &["DEL", "counter"])).expect("the node answers");
        let (hosted, mut taker) = start::<Reply>(&config(&lab));
        // One that would wait for ever.
        hosted.submit([Request::new(u64::MAX, cmd("BLPOP").arg("queue").arg(0))]).expect("room");
        hosted.submit(increments(0, COMMANDS)).expect("room");
        if is_under_way {
            taker.bell.wait(0);
        }
        let client = hosted.client().clone();
        let dropped = Instant::now();
        drop(hosted);
        taker.until_the_end();
        assert!(
            dropped.elapsed() < Duration::from_secs(4),
            "it waits for no deadline: {:?}",
            dropped.elapsed()
        );
        assert_eq!(taker.outcomes.len(), COMMANDS + 1);
        assert!(taker.outcomes[&u64::MAX].is_err());
        servers.block_on(no_thread_is_left());
        // The server may still be reading what was sent; what it was sent last is executed last.
        let before = Cell::new(u64::MAX);
        servers.block_on(eventually("it has read everything", Duration::from_secs(5), async || {
            let count = counted(&lab).await;
            before.replace(count) == count
        }));
        check_against(before.get(), &taker);
        let late = servers.block_on(client.execute::<()>(cmd("PING")));
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    }
}

#[test]
fn closed_it_finishes_what_was_submitted() {
    let _alone = alone();
    let servers = with_a_worker();
    let lab = servers.block_on(lab(LabProfile::Azure));
    for waits in [false, true] {
        let (hosted, mut taker) = start::<i64>(&config(&lab));
        let pushes = numbered(0, (0..20_000).map(|n| cmd("RPUSH").arg(format!("list:{}", n % 100)).arg(n)));
        hosted.submit(pushes).expect("room");
        if waits {
            hosted.shutdown();
            // It has waited for everything.
            taker.take();
        } else {
            hosted.close();
            match hosted.submit([Request::new(7, cmd("PING"))]) {
                Err(Refused::Closed(requests)) => assert_eq!(requests[0].token, 7),
                other => panic!("{other:?}"),
            }
            taker.until_the_end();
        }
        assert!(taker.completions.is_over());
        servers.block_on(no_thread_is_left());
        assert_eq!(taker.outcomes.len(), 20_000);
        let failed = taker.outcomes.values().find_map(|outcome| outcome.as_ref().err());
        assert!(failed.is_none(), "{failed:?}");
    }
}

#[test]
fn the_callback_may_drop_the_client_or_shut_it_down() {
    let _alone = alone();
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    for is_dropped in [false, true] {
        let slot: Arc<Mutex<Option<HostedClient>>> = Arc::default();
        let of_callback = slot.clone();
        let (hosted, mut taker) = start_with::<Reply>(&config(&lab), move |_| {
            let hosted = of_callback.lock().take();
            match hosted {
                Some(hosted) if is_dropped => drop(hosted),
                Some(hosted) => hosted.shutdown(),
                None => {}
            }
        });
        let mut slot = slot.lock();
        slot.insert(hosted).submit(increments(0, 30_000)).expect("room");
        drop(slot);
        taker.until_the_end();
        assert_eq!(taker.outcomes.len(), 30_000);
        assert!(
            is_dropped || taker.outcomes.values().all(Result::is_ok),
            "a shutdown lets all of them finish"
        );
        servers.block_on(no_thread_is_left());
    }
}

/// The last one to have it may be the callback itself.
#[test]
fn a_callback_that_owns_the_client_ends_with_it() {
    let _alone = alone();
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let slot: Arc<Mutex<Option<HostedClient>>> = Arc::default();
    let of_callback = slot.clone();
    let (hosted, mut taker) = start_with::<Reply>(&config(&lab), move |_| {
        // Submits as long as it can.
        let hosted = of_callback.lock();
        let hosted = hosted.as_ref().expect("nobody takes it out");
        let _ = hosted.submit([Request::new(u64::MAX - hosted.outstanding() as u64, cmd("PING"))]);
        hosted.close();
    });
    slot.lock().insert(hosted).submit(increments(0, 1000)).expect("room");
    drop(slot);
    taker.until_the_end();
    assert!(taker.outcomes.len() > 1000);
    servers.block_on(no_thread_is_left());
}

#[test]
fn a_start_that_fails_leaves_no_thread() {
    let _alone = alone();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let config = Config::new().plaintext().seed("127.0.0.1", address.port());
    let config = config.connect_timeout(Duration::from_secs(1));
    match HostedClient::start::<Reply>(&config, || {}) {
        Err(Error::Connect(report)) => assert!(!report.failures.is_empty()),
        other => panic!("{other:?}"),
    }
    let error = HostedClient::start::<Reply>(&Config::new(), || {}).expect_err("there is no seed");
    assert!(matches!(error, Error::Config(_)), "{error}");
    with_a_worker().block_on(no_thread_is_left());
}

/// Blocking code belongs elsewhere, but it neither panics nor hangs here, nor does it use the caller's runtime.
#[test]
fn it_starts_and_ends_within_a_runtime() {
    let _alone = alone();
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (hosted, mut taker) = start::<Reply>(&config(&lab));
        hosted.submit(increments(0, 100)).expect("room");
        taker.until(100);
        hosted.shutdown();
        no_thread_is_left().await;
        let (hosted, mut taker) = start::<Reply>(&config(&lab));
        drop(hosted);
        taker.until_the_end();
        no_thread_is_left().await;
    });
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}
