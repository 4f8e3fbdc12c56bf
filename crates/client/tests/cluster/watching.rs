//! Keys that are watched by hand: nothing is executed after a race, a redirect or the end of their time.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::support::info::{executions, info};
use crate::support::{config, connect, eventually, key_of, lab, one_node, refusal};
use truename::error::RouteError;
use truename::topology::Slot;
use truename::{Client, Error, Protocol, Reply, cmd};
use truename_lab::LabProfile;

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn commands_are_executed_if_nothing_was_changed() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let client = Client::connect(&config(&lab).protocol(protocol)).await.expect("connected");
        client.run(cmd("SET").arg("k").arg(1)).await.expect("OK");
        let watch = client.watch(LONG, ["k"]).await.expect("watched");
        assert_eq!(watch.slot(), Slot::of_key(b"k"));
        let seen: u64 = watch.execute(cmd("GET").arg("k")).await.expect("a value");
        watch.also(["{k}other"]).await.expect("watched");
        let queued = [cmd("SET").arg("k").arg(seen + 1), cmd("LLEN").arg("k"), cmd("GET").arg("k")];
        let replies = watch.exec(queued).await.expect("executed").expect("nobody interfered");
        assert!(
            matches!(&replies[..], [_, Reply::Error(_), two] if two.as_bytes() == Some(b"2")),
            "{replies:?}"
        );
        assert!(!watch.is_intact());
        let late = watch.exec([cmd("SET").arg("k").arg(9)]).await.expect_err("it has ended");
        assert_eq!(refusal(late), RouteError::TransactionEnded);

        let watch = client.watch(LONG, ["k"]).await.expect("watched");
        watch.also(["{k}other"]).await.expect("watched");
        client.run(cmd("SET").arg("{k}other").arg(1)).await.expect("OK");
        let raced = watch.exec([cmd("SET").arg("k").arg(9)]).await.expect("an answer");
        assert_eq!(raced, None);

        // Without anything to execute, and with what cannot be executed.
        let watch = client.watch(LONG, ["k"]).await.expect("watched");
        assert_eq!(watch.exec([]).await.expect("executed"), Some(Vec::new()));
        let watch = client.watch(LONG, ["k"]).await.expect("watched");
        let refused = watch.exec([cmd("SET").arg("k").arg(9), cmd("GET")]).await.expect_err("no argument");
        assert!(matches!(refused, Error::Server(_)) && !refused.may_have_executed(), "{refused}");
        let watch = client.watch(LONG, ["k"]).await.expect("watched");
        let elsewhere = watch.also(["of another slot"]).await.expect_err("another slot");
        assert!(matches!(refusal(elsewhere), RouteError::CrossSlot { .. }));
        watch.unwatch().await;
        assert!(!watch.is_intact());
        assert_eq!(client.execute::<u64>(cmd("GET").arg("k")).await.expect("a value"), 2);
        client.run(cmd("DEL").arg("k").arg("{k}other")).await.expect("deleted");
    }
}

#[tokio::test]
async fn its_connection_is_used_again_after_an_end_and_closed_after_its_time() {
    let lab = one_node(LabProfile::Plain).await;
    let few = config(&lab).max_exclusive_connections(1).command_timeout(SECOND);
    let client = Client::connect(&few).await.expect("connected");
    let watched = async |limit| client.watch(limit, ["k"]).await.expect("there is room");
    let id = async |watch: &truename::Watch| -> u64 {
        watch.execute(cmd("CLIENT").arg("ID")).await.expect("its number")
    };
    let first = watched(LONG).await;
    let number = id(&first).await;
    first.exec([cmd("SET").arg("k").arg(1)]).await.expect("executed");
    let second = watched(LONG).await;
    assert_eq!(id(&second).await, number);
    second.unwatch().await;
    let third = watched(LONG).await;
    assert_eq!(id(&third).await, number);
    // Dropped: nobody knows what its state is.
    drop(third);
    let fourth = watched(Duration::from_millis(200)).await;
    let other = id(&fourth).await;
    assert_ne!(other, number);
    // Nobody ends it.
    eventually("its time is over", 5 * SECOND, || async { !fourth.is_intact() }).await;
    let fifth = watched(LONG).await;
    assert_ne!(id(&fifth).await, other);
    let late = fourth.exec([cmd("SET").arg("k").arg(9)]).await.expect_err("too late");
    assert_eq!(refusal(late), RouteError::TransactionEnded);
    fourth.unwatch().await;
    // A client that is dropped is closed, whatever is still to end.
    let (kept, nodes) = (client.watch(LONG, ["k"]), client.nodes().len());
    drop(fifth);
    kept.await.expect("there is room");
    assert_eq!(nodes, 1);
}

fn polled_once<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

async fn waiting(lab: &truename_lab::Lab, count: u64) {
    let is_so = || async { info(lab, 0, "clients", "blocked_clients").await == count };
    eventually("so many wait", 5 * SECOND, is_so).await;
}

fn stream_read() -> truename::Command<'static> {
    cmd("XREAD").arg("BLOCK").arg(60_000).arg("STREAMS").arg("{k}stream").arg("$")
}

/// A read that was under way kept the connection, and with it the `WATCH`, until its own time was over.
#[tokio::test]
async fn its_time_ends_a_read_that_is_under_way() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let watch = client.watch(SECOND, ["k"]).await.expect("watched");
    let started = tokio::time::Instant::now();
    let read = watch.execute::<Reply>(stream_read());
    let (outcome, ()) = tokio::join!(read, waiting(&lab, 1));
    let error = outcome.expect_err("its time was over");
    assert!(started.elapsed() < 3 * SECOND, "{:?} {error}", started.elapsed());
    waiting(&lab, 0).await;
    assert_eq!(refusal(watch.exec([]).await.expect_err("it has ended")), RouteError::TransactionEnded);
}

/// A connection went back to the others with a `WATCH` that was executed after the `EXEC`.
#[tokio::test]
async fn a_connection_that_may_still_watch_is_given_to_nobody() {
    let lab = one_node(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).max_exclusive_connections(1)).await.expect("connected");
    let watch = client.watch(LONG, ["k"]).await.expect("watched");
    let mut read = Box::pin(watch.execute::<Reply>(stream_read()));
    assert!(!polled_once(read.as_mut()));
    waiting(&lab, 1).await;
    // What becomes of its wait has to be known before the next command is sent, but not before `EXEC`.
    drop(read);
    let (mut also, mut exec) = (Box::pin(watch.also(["{k}other"])), Box::pin(watch.exec([])));
    assert!(!polled_once(also.as_mut()) && !polled_once(exec.as_mut()));
    also.await.expect("watched, too late");
    assert!(exec.await.expect("executed").is_some());
    let next = client.watch(LONG, ["k"]).await.expect("there is room");
    client.run(cmd("SET").arg("{k}other").arg(1)).await.expect("OK");
    assert!(
        next.exec([cmd("SET").arg("k").arg(1)]).await.expect("an answer").is_some(),
        "it watches `k` alone"
    );
}

/// It follows no redirect: whatever is queued is executed nowhere.
#[tokio::test]
async fn where_its_slot_goes_elsewhere_nothing_is_executed() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let key = key_of(0);
    let slot = Slot::of_key(key.as_bytes()).value();
    client.run(cmd("SET").arg(&key).arg(1)).await.expect("OK");
    for is_read in [false, true] {
        let (from, to) = if is_read { (1, 0) } else { (0, 1) };
        let watch = client.watch(LONG, [&key]).await.expect("watched");
        lab.migrate_slots(&[slot], from, to).await.expect("moved");
        if is_read {
            let moved = watch.execute::<Reply>(cmd("GET").arg(&key)).await.expect_err("it went elsewhere");
            assert!(!watch.is_intact() && !moved.may_have_executed(), "{moved}");
        }
        assert_eq!(watch.exec([cmd("SET").arg(&key).arg(9)]).await.expect("an answer"), None);
        let again = client.watch(LONG, [&key]).await.expect("watched where it is now");
        assert_eq!(again.execute::<u64>(cmd("GET").arg(&key)).await.expect("a value"), 1);
        again.unwatch().await;
    }
    assert_eq!(executions(&lab, 0, "exec").await, 1, "it was void");
}

/// Between `EXEC` and its reply: nobody knows. Before it: nothing was executed.
#[tokio::test]
async fn a_connection_that_is_lost_is_told_by_when() {
    let lab = one_node(LabProfile::Plain).await;
    let client = Client::connect(&config(&lab).command_timeout(SECOND)).await.expect("connected");
    let watch = client.watch(LONG, ["k"]).await.expect("watched");
    lab.command(0, &["CLIENT", "KILL", "TYPE", "normal"]).await.expect("killed");
    eventually("it is noticed", 5 * SECOND, || async { !watch.is_intact() }).await;
    let lost = watch.exec([cmd("INCR").arg("k")]).await;
    assert_eq!(lost.expect("nothing was executed"), None);
    let watch = client.watch(LONG, ["k"]).await.expect("watched");
    lab.node(0).stop();
    let unknown = watch.exec([cmd("INCR").arg("k")]).await.expect_err("it is frozen");
    lab.node(0).cont();
    assert!(unknown.may_have_executed(), "{unknown}");
    let once = || async { executions(&lab, 0, "exec").await == 1 };
    eventually("it was executed once", 5 * SECOND, once).await;
    client.close();
    assert!(matches!(client.watch(LONG, ["k"]).await, Err(Error::Closed)));
}
