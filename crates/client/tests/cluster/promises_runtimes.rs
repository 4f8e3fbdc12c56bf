//! Calls from anywhere: a runtime other than the client's, no runtime at all, a client whose runtime is not driven or is
//! gone. Every call ends within its deadline, none panics, and connections belong to the client's runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::support::{config, connect, one_node};
use tokio::runtime::{Builder, Runtime};
use truename::{Client, Error, cmd};
use truename_lab::LabProfile;

fn single_threaded() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// One that works by itself, without anybody in `block_on`.
fn with_a_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Runs a future on this thread without any runtime. Panics after 5 s.
fn without_runtime<F: Future>(future: F) -> F::Output {
    assert!(tokio::runtime::Handle::try_current().is_err(), "there is a runtime");
    by_itself(future)
}

/// Runs a future on this thread and drives nothing else. Panics after 5 s.
fn by_itself<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut future, started) = (pin!(future), Instant::now());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let left = Duration::from_secs(5).checked_sub(started.elapsed()).expect("within 5 s");
        std::thread::park_timeout(left);
    }
}

/// The caller's runtime has no timers: the client must not count on them.
fn on_a_bare_runtime<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn set(client: &Client, timeout: Duration) -> impl Future<Output = Result<(), Error>> {
    client.execute::<()>(cmd("SET").arg("key").arg(1).timeout(timeout))
}

/// A deadline was kept by the lane's task alone, so a call of 1 s was still pending after 8 s when that task's runtime was
/// not driven.
#[test]
fn a_call_ends_in_time_while_nobody_drives_the_clients_runtime() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = single_threaded();
    let client = of_client.block_on(connect(&lab));
    of_client.block_on(set(&client, Duration::from_secs(5))).expect("driven, it works");

    let limit = Duration::from_millis(300);
    let overdue = |started: Instant, error: Error| {
        assert!(matches!(error, Error::Timeout(_)), "{error}");
        let elapsed = started.elapsed();
        assert!(elapsed >= limit && elapsed < Duration::from_secs(2), "{elapsed:?}");
    };
    let started = Instant::now();
    let others = single_threaded();
    let error = others.block_on(async {
        // Others with later and earlier deadlines share the connection.
        let calls = [600, 300, 450].map(|millis| set(&client, Duration::from_millis(millis)));
        let late = Duration::from_secs(4);
        let ended = tokio::time::timeout(late, futures_util::future::join_all(calls)).await;
        ended.expect("all of them end").pop().expect("three").expect_err("nobody drives the connection")
    });
    overdue(started, error);
    let started = Instant::now();
    overdue(started, without_runtime(set(&client, limit)).expect_err("nobody drives the connection"));
    let started = Instant::now();
    overdue(
        started,
        on_a_bare_runtime(async {
            let call = without_limit(set(&client, limit));
            call.await.expect_err("nobody drives the connection")
        }),
    );
    let started = Instant::now();
    let pop = cmd("BLPOP").arg("queue").arg(0).timeout(limit);
    overdue(started, without_runtime(client.execute::<()>(pop)).expect_err("nor an exclusive one"));

    of_client.block_on(set(&client, Duration::from_secs(5))).expect("driven again, it works again");
}

/// Another executor's `block_on` within the client's runtime, such as in a callback that is not async, does not drive it:
/// such a call hung for ever.
#[test]
#[expect(clippy::disallowed_methods, reason = "blocking the runtime is what the test is about")]
fn a_call_ends_in_time_though_its_caller_keeps_the_clients_runtime_from_running() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = single_threaded();
    let client = of_client.block_on(connect(&lab));
    let started = Instant::now();
    let error = of_client.block_on(async { by_itself(set(&client, Duration::from_millis(300))) });
    let error = error.expect_err("nobody drives the connection");
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // A caller that is late because the runtime was kept from running gets the reply that came meanwhile.
    of_client.block_on(async {
        let calls = futures_util::future::join_all([300, 400, 5000].map(|limit| {
            let (client, limit) = (client.clone(), Duration::from_millis(limit));
            async move { set(&client, limit).await }
        }));
        let mut calls = pin!(calls);
        std::future::poll_fn(|cx| {
            assert!(calls.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(Duration::from_secs(1));
        calls.await.into_iter().for_each(|outcome| outcome.expect("the reply is there"));
    });
}

/// For runtimes without timers.
async fn without_limit<F: Future>(future: F) -> F::Output {
    future.await
}

/// A blocked worker thread may be the one that the connection's task waits for: its callers waited with it.
#[test]
#[expect(clippy::disallowed_methods, reason = "blocking a worker is what the test is about")]
fn a_call_ends_in_time_while_every_worker_is_blocked() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = with_a_worker();
    let client = of_client.block_on(connect(&lab));
    of_client.block_on(set(&client, Duration::from_secs(5))).expect("OK");
    let (started, blocked) = std::sync::mpsc::channel();
    of_client.spawn(async move {
        started.send(()).expect("the test waits");
        std::thread::sleep(Duration::from_secs(3));
    });
    blocked.recv_timeout(Duration::from_secs(5)).expect("it blocks");
    let started = Instant::now();
    let error = of_client.block_on(set(&client, Duration::from_millis(300))).expect_err("nobody can work");
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}: {error}", started.elapsed());
    of_client.block_on(set(&client, Duration::from_secs(5))).expect("it works again");
}

/// The pause before a second attempt was a timer of the caller's runtime: without one the call panicked.
#[test]
fn callers_without_a_runtime_are_served_and_retry() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = with_a_worker();
    let client = of_client.block_on(async {
        Client::connect(&config(&lab).command_timeout(Duration::from_millis(700))).await.expect("connected")
    });
    without_runtime(set(&client, Duration::from_secs(2))).expect("OK");
    on_a_bare_runtime(set(&client, Duration::from_secs(2))).expect("OK");
    without_runtime(client.execute::<i64>(cmd("RPUSH").arg("queue").arg("a").arg("b"))).expect("pushed");
    let pop = || client.execute::<(String, String)>(cmd("BLPOP").arg("queue").arg(1));
    assert_eq!(without_runtime(pop()).expect("popped").1, "a");
    assert_eq!(on_a_bare_runtime(pop()).expect("popped").1, "b");

    lab.node(0).kill();
    for call in [without_runtime, on_a_bare_runtime] {
        let started = Instant::now();
        let call: fn(_) -> Result<(), Error> = call;
        let error = call(set(&client, Duration::from_millis(500))).expect_err("the server is gone");
        assert!(started.elapsed() < Duration::from_secs(2), "{error}");
    }
    drop(client);
}

/// Connections for blocking commands lived on the runtime of the caller that needed the first one, and died with it.
#[test]
fn every_connection_lives_on_the_clients_runtime() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = with_a_worker();
    let client = of_client.block_on(connect(&lab));
    without_runtime(client.execute::<i64>(cmd("RPUSH").arg("queue").arg("a").arg("b"))).expect("pushed");
    for wanted in ["a", "b"] {
        let short_lived = single_threaded();
        let pop = cmd("BLPOP").arg("queue").arg(1);
        let popped = short_lived.block_on(client.execute::<(String, String)>(pop)).expect("popped");
        assert_eq!(popped.1, wanted);
        let tasks = short_lived.metrics().num_alive_tasks();
        assert_eq!(tasks, 0, "tasks of the client on a caller's runtime");
    }
}

/// Nothing of a client works without its runtime; that is said, at once and without a panic.
#[test]
fn a_client_whose_runtime_is_gone_says_so() {
    let servers = with_a_worker();
    let lab = servers.block_on(one_node(LabProfile::Plain));
    let of_client = with_a_worker();
    let client = of_client.block_on(connect(&lab));
    of_client.shutdown_timeout(Duration::from_secs(5));
    for blocks in [false, true] {
        let command = || if blocks { cmd("BLPOP").arg("q").arg(0) } else { cmd("GET").arg("q") };
        for call in [without_runtime, on_a_bare_runtime] {
            let call: fn(_) -> Result<(), Error> = call;
            let started = Instant::now();
            let error = call(client.execute(command())).expect_err("the runtime is gone");
            assert!(started.elapsed() < Duration::from_secs(2), "{error}");
            assert!(error.to_string().contains("runtime"), "{error}");
            assert!(!error.may_have_executed(), "{error}");
        }
    }
    let replaced = without_runtime(client.replace_tls(truename::Tls::new()));
    assert!(matches!(replaced, Err(Error::Config(_))), "{replaced:?}");
    let outside = without_runtime(Client::connect(&config(&lab))).expect_err("a client needs a runtime");
    assert!(outside.to_string().contains("runtime"), "{outside}");
}
